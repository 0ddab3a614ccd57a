"""Why a partition lost its turn: what the schedule says instead of a delivery, and the engine sees to."""

from __future__ import annotations

from typing import NamedTuple

from connector.core.signals import SchemaNeeded
from connector.engine.partition import Assignment, Block


class Blocked(NamedTuple):
    """Nothing more may be taken of this partition for now."""

    assignment: Assignment
    reason: Block


class NeedsSchema(NamedTuple):
    """The schema of a partition's head is missing."""

    assignment: Assignment
    needed: SchemaNeeded


class NotDue(NamedTuple):
    """The head of a retry partition, at `offset`, has to wait for so long."""

    assignment: Assignment
    offset: int
    wait_ms: int


class Faulty(NamedTuple):
    """The head of a partition cannot be handled, by a bug of ours."""

    assignment: Assignment
    error: Exception


Stop = Blocked | NeedsSchema | NotDue | Faulty
"""Why a partition lost its turn, where somebody has to do something about it."""
