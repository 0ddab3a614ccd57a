"""Where one partition goes on in another cluster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Self

from connector.cli.offsets.sources import Source
from connector.cli.offsets.standstill import Standstill, members_of
from connector.config.client import kafka_properties
from connector.config.kafka import Kafka
from connector.core.mirrored import Found, Mark, Unfound, Walk, earliest_ms
from connector.core.offsets import OffsetTracker
from connector.core.record import Partition, Record
from connector.core.settled_map import Run, decode, encode
from connector.core.signals import Commit
from connector.edge.kafka.bounds import Bounds
from connector.edge.kafka.groups import KafkaGroups
from connector.edge.kafka.identity import LogIdentities
from connector.edge.kafka.stretches import Stretches


class Translated(NamedTuple):
    """`ahead` records are in the commit's map, and `left_out` do not fit into it. `compared`: records found the same.

    `repeats`: records that this commit posts again at most; `repeats_now`: those of the commit that is there now.
    """

    commit: Commit
    ahead: int
    compared: int
    repeats: int
    repeats_now: int


class Left(NamedTuple):
    """Nothing is to be set."""

    why: str


class Refused(NamedTuple):
    """Nothing can be set."""

    why: str


class Target:
    """The cluster where the group is to go on. A context manager; raises AdminError."""

    def __init__(self, kafka: Kafka, partitions: Collection[Partition], left: Collection[Partition] = ()) -> None:
        """`left` are further partitions, for which nothing is to be set: how their logs are does not matter."""
        properties = kafka_properties(kafka)
        self.left = frozenset(left)
        self.group = kafka.group_id
        self.groups = KafkaGroups(properties)
        told = self.groups.look(partitions)
        self.absent = told.absent
        self.unknown: Mapping[Partition, str] = told.unknown
        self.bounds: Mapping[Partition, Bounds] = told.bounds
        self._standstill = Standstill(
            members_of(self.groups, self.group), lambda: self.groups.committed(self.group, {*told.bounds, *left})
        )
        self.committed = self._standstill.commits
        identities = LogIdentities(properties)
        if told.bounds:
            identities.ask(min(told.bounds).topic)
        self.logs = identities.of(told.bounds, urgent=told.bounds)
        self.reader = Stretches(properties)

    def unrest(self) -> str | None:
        """Why its commits may not be used, if they may not. Raises AdminError."""
        return self._standstill.unrest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.__exit__()


def translated(source: Source, origin: Partition, target: Target, place: Partition) -> Translated | Left | Refused:
    """What becomes of the source's commit for `origin`, whose mirror is `place`. Raises AdminError."""
    if place in target.left:
        return _left(target.committed.get(place))
    if origin not in source.readable:
        return Refused("its records at the source cannot be read now, or the file has none of them")
    if place in target.absent:
        return Refused("there is no such partition at the target: its topic has fewer, or is not mirrored")
    if place in target.unknown:
        return Refused(f"it cannot be read at the target now ({target.unknown[place]})")
    now = target.committed.get(place)
    if isinstance(now, str):
        return Refused(f"its commit at the target is not known now ({now})")
    found = _found(source, origin, target, place, now)
    if isinstance(found, str):
        return Refused(found)
    is_final = source.exported_at is None
    if found.behind and is_final:
        return Refused(
            f"{found.behind} records or more that are settled at the source are not at the target yet: let the mirror "
            "catch up"
        )
    if now is not None and now.offset > found.offset:
        if _own(now, target, place) is not None:
            return Left(f"the target has gone on by itself, to {now.offset}")
        if is_final:
            return Refused(
                f"the commit at the target, {now.offset}, is beyond {found.offset}, the first record that is not "
                "settled: find out who set it; `connector offsets set` sets it back"
            )
        found = _from(found, now.offset)
    return _result(found, target, place, now, is_final=is_final)


def _left(now: Commit | str | None) -> Left:
    if now is None:
        return Left("nothing is set: it has no commit at the target, and kafka.start says where the connector begins")
    at = "its commit at the target" if isinstance(now, str) else f"its commit at the target, {now.offset},"
    return Left(f"nothing is set: {at} stays, and if a mirror made it kafka.translated says what the connector does")


def _found(source: Source, origin: Partition, target: Target, place: Partition, now: Commit | None) -> Found | str:
    """Where it goes on, or why that cannot be said."""
    bounds = target.bounds[place]
    marks: list[Mark] = []
    found: Found | Unfound = Unfound("unlike")
    for reach in source.reaches:
        marks = source.marks(origin, reach)
        if bounds.start == bounds.readable:
            behind = sum(mark.settled for mark in marks)
            if behind and bounds.start > 0 and source.exported_at is None:
                return _GONE.format(bounds.start)
            return Found(bounds.readable, (), (), 0, behind)
        found = _walked(marks, target, place, settled_here(now, target, place))
        if isinstance(found, Found) and not (found.compared and not any(mark.settled for mark in marks)):
            break
    if isinstance(found, Found):
        return found
    if not marks:
        return "the source has no record left to compare with: `connector offsets set` sets it by hand"
    if found.why == "foreign":
        return f"the records do not match: the source does not have the one at {found.offset} of the target"
    if found.why == "alike":
        return (
            f"records that cannot be told apart: the one at {found.offset} of the target is the same in every byte as "
            "one that the source has settled and as one that it has not: find the place by hand, then "
            "`connector offsets set`"
        )
    return _unlike(marks, target, place)


_GONE = (
    "the records before the source's commit are gone at the target, whose log begins at {}: find the place by hand, or "
    "leave this partition"
)


def _unlike(marks: list[Mark], target: Target, place: Partition) -> str:
    """Why a target has none of the records before the commit, as far as it can be told."""
    bounds, earliest = target.bounds[place], earliest_ms(marks)
    if earliest is not None and target.reader.first_since(place, earliest) is None:
        return "every record at the target is older than those around the source's commit: let the mirror catch up"
    latest = max((mark.timestamp_ms or 0 for mark in marks if mark.settled), default=None)
    if bounds.start > 0 and latest is not None:
        for first in target.reader.read(place, bounds.start, bounds.readable):
            if first.timestamp_ms is not None and first.timestamp_ms > latest:
                return _GONE.format(bounds.start)
            break
    return (
        "the records do not match: those around the source's commit are not at the target (is it a mirror of this "
        "topic, are they gone there, does it stamp them anew, message.timestamp.type?)"
    )


def _walked(
    marks: list[Mark], target: Target, place: Partition, is_settled_here: Callable[[Record], bool]
) -> Found | Unfound:
    bounds = target.bounds[place]
    earliest = earliest_ms(marks)
    first = bounds.start if earliest is None else target.reader.first_since(place, earliest)
    walk = Walk(marks, is_settled_here)
    if marks and first is not None:
        for record in target.reader.read(place, max(first, bounds.start), bounds.readable):
            if walk.see(record):
                break
    return walk.result()


def _own(commit: Commit, target: Target, place: Partition) -> tuple[Run, ...] | None:
    """What a connector at the target settled ahead of its own commit; None: it is not known to be one's."""
    log = target.logs.get(place)
    if not commit.metadata or log is None:
        return None
    runs = decode(commit.metadata, commit.offset, log.identity, log.end)
    return None if isinstance(runs, str) else runs


def settled_here(now: Commit | None, target: Target, place: Partition) -> Callable[[Record], bool]:
    """Whether a record was settled at the target, as its commit says, and the commit's map where it is of this log."""
    runs = None if now is None else _own(now, target, place)
    if now is None or runs is None:
        return lambda _record: False
    commit, tracker = now.offset, OffsetTracker(now.offset, runs)
    return lambda record: record.offset < commit or tracker.is_settled(record.offset, record.leader_epoch)


def _from(found: Found, offset: int) -> Found:
    """What is settled ahead of a commit further on. Of a run that it cuts every offset counts."""
    kept = [(run, count) for run, count in zip(found.runs, found.counts, strict=True) if run.last >= offset]
    runs = tuple(run._replace(first=max(run.first, offset)) for run, _ in kept)
    counts = tuple(min(count, run.last - run.first + 1) for run, (_, count) in zip(runs, kept, strict=True))
    return found._replace(offset=offset, runs=runs, counts=counts)


def _result(found: Found, target: Target, place: Partition, now: Commit | None, *, is_final: bool) -> Translated:
    log, bounds = target.logs.get(place), target.bounds[place]
    text, inside = encode(found.offset, found.runs, None if log is None else log.identity)
    ahead, left_out = sum(found.counts[:inside]), sum(found.counts[inside:])
    unknown = 0 if is_final else max(0, bounds.readable - found.offset - ahead - left_out)
    start = bounds.start if now is None else max(bounds.start, now.offset)
    repeats_now = max(0, found.offset - start) + ahead + left_out + unknown
    if now == Commit(found.offset, text):
        repeats_now = left_out + unknown
    return Translated(Commit(found.offset, text), ahead, found.compared, left_out + unknown, repeats_now)
