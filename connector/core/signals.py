"""What the neighbours of the flow tell it, and what it tells them: values only, so that neither imports the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from connector.core.record import Partition, Record


class Taken(NamedTuple):
    """Records that arrived, in offset order within each partition."""

    records: Sequence[Record]


class Assigned(NamedTuple):
    """A partition is ours from `position` on. `metadata` is what its last commit carried ("" for none)."""

    partition: Partition
    position: int
    metadata: str


class Revoking(NamedTuple):
    """These partitions are about to go: drain them, then `release` all of them within `budget` seconds."""

    partitions: frozenset[Partition]
    budget: float


class Lost(NamedTuple):
    """These partitions are gone already: commit nothing for them."""

    partitions: frozenset[Partition]


class Committed(NamedTuple):
    """The answer to the one commit under way. `error` None: acknowledged; else the bounded name of the error."""

    offsets: Mapping[Partition, int]
    error: str | None


class Asleep(NamedTuple):
    """`sleep` was carried out: no record of this partition comes until `wake`."""

    partition: Partition


class Failed(NamedTuple):
    """The source cannot go on; the process ends with exit code 1. `code` is bounded, `remedy` for a person."""

    code: str
    remedy: str


SourceEvent = Taken | Assigned | Revoking | Lost | Committed | Asleep | Failed


class Commit(NamedTuple):
    """`offset` is the next one to read (Kafka's convention); `metadata` travels with it."""

    offset: int
    metadata: str


class WriteFailed(NamedTuple):
    """A copy that the broker did not acknowledge. `code` is bounded (metric label)."""

    code: str
    too_large: bool


class SchemaNeeded(NamedTuple):
    """A record's schema is not at hand: `fetch` this key, then decode again."""

    key: str
