"""The sums of a run: what was lost, what was posted twice and why, how fast it recovered, what memory did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tests.chaos.plan import FaultKind

_IN_FLIGHT_SECONDS = 2.0
"""A post that was on the road when a fault struck can be accepted so much later; above the vendor's slowest answer."""

EFFECT_SECONDS = 15.0
"""Seconds for which a fault goes on to have an effect when what was broken is whole again: members that lost their
place during it learn of it within a session time-out and a few heartbeats."""


class Done(NamedTuple):
    """A fault that was carried out. `at` and `over` in seconds since the epoch; `over` is when what was broken was
    whole again (port open, process joined). `partitions`: those of the victim, of the main topic."""

    kind: FaultKind
    at: float
    over: float
    partitions: tuple[int, ...] = ()


class Repeat(NamedTuple):
    """An event that was accepted again: when first, and when again."""

    number: int
    first: float
    again: float


class Spread(NamedTuple):
    """How values lie; zeros for none."""

    times: int
    mean: float
    median: float
    largest: float


def cause_of(repeat: Repeat, done: Sequence[Done]) -> int | None:
    """The first fault that was not over yet when it was first posted, by its place in `done`.

    What was posted and not committed then is posted again whatever comes after. None when no fault explains it.
    """
    for place, fault in enumerate(done):
        if fault.at <= repeat.again and repeat.first <= fault.over + EFFECT_SECONDS:
            return place
    return None


def repeats_by_fault(repeats: Iterable[Repeat], done: Sequence[Done]) -> tuple[list[int], int]:
    """How many repeats each fault explains, and how many none does."""
    counts, unexplained = [0] * len(done), 0
    for repeat in repeats:
        place = cause_of(repeat, done)
        if place is None:
            unexplained += 1
        else:
            counts[place] += 1
    return counts, unexplained


def spread(values: Iterable[float]) -> Spread:
    """Sum up."""
    ordered = sorted(values)
    if not ordered:
        return Spread(0, 0.0, 0.0, 0.0)
    return Spread(len(ordered), sum(ordered) / len(ordered), ordered[len(ordered) // 2], ordered[-1])


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """The rise of the second by the first, by least squares; 0 for fewer than two samples."""
    if len(samples) < 2:
        return 0.0
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    square = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / square if square else 0.0


def moved_after(done: Done, accepted: Mapping[int, Sequence[float]]) -> float | None:
    """Seconds from a kill until each partition of the dead had a post again; None when one had none.

    `accepted` are the times of first posts by partition, in order. What was on the road when the process died does not
    count: only posts from `_IN_FLIGHT_SECONDS` on.
    """
    moved: list[float] = []
    for partition in done.partitions:
        later = (at for at in accepted.get(partition, ()) if at > done.at + _IN_FLIGHT_SECONDS)
        first = next(later, None)
        if first is None:
            return None
        moved.append(first - done.at)
    return max(moved, default=None)
