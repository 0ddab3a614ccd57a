"""What the engine asks the owner of the Consumer to do, carried out one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from connector.core.record import Partition
from connector.core.signals import Commit


class Send(NamedTuple):
    """Commit; answered by `Committed`."""

    offsets: Mapping[Partition, Commit]


class Release(NamedTuple):
    """The answer to `Revoking`: a last commit, then let go."""

    offsets: Mapping[Partition, Commit]


class Close(NamedTuple):
    """A last commit, then leave the group."""

    offsets: Mapping[Partition, Commit]


class Sleep(NamedTuple):
    """Pause a partition and go back to `offset`. `assignment`: which of its assignments the engine means, from 1."""

    partition: Partition
    offset: int
    assignment: int


class Wake(NamedTuple):
    """Fetch a sleeping partition again."""

    partition: Partition


Command = Send | Release | Close | Sleep | Wake
