"""Waiting records chosen, and their partitions written anew: see docs/decisions/0005."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from connector.cli.dlq.listing import Listed, fitting
from connector.cli.dlq.moving import told_to_stop
from connector.cli.progress import watched
from connector.cli.today import Judge
from connector.config.client import consumer_properties, kafka_properties, producer_properties
from connector.config.kafka import Property
from connector.config.settings import Settings
from connector.core.envelope import Names
from connector.core.letters.chosen import Filters
from connector.core.letters.retry import Standing, dropped_headers, expedited_headers, rewritten_headers, stays
from connector.core.record import Headers, Partition, Record
from connector.core.settled_map import LogIdentity, decode, encode
from connector.core.signals import Commit
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.copies import Copy
from connector.edge.kafka.groups import KafkaGroups
from connector.edge.kafka.identity import LogIdentities
from connector.edge.kafka.rewriting import Rewriting
from connector.edge.kafka.scan import Scan, partitions_of
from connector.edge.kafka.sole import SoleMember

_SAMPLES = 5
_EACH = 500


class Wanted(NamedTuple):
    """What somebody asked for: the retry topic, the filters, and whether to expedite or to drop."""

    topic: str
    filters: Filters
    expedite: bool


class Part:
    """One partition: offsets that are taken, in their order, and how many wait in all."""

    def __init__(self, standing: Standing, identity: LogIdentity | None) -> None:
        self.standing = standing
        self._identity = identity
        self.taken = array("q")
        self.waiting = 0

    @property
    def commit(self) -> Commit:
        """Behind all that waits: it names the log, as a connector's does, and has nothing settled ahead."""
        return Commit(self.standing.end, encode(self.standing.end, (), self._identity)[0])


class Plan:
    """What would be done: by partition, and counted by class and by why something stays."""

    def __init__(self) -> None:
        self.parts: dict[Partition, Part] = {}
        self.taken: Counter[str] = Counter()
        self.stays: Counter[str] = Counter()
        self.samples: list[Listed] = []

    @property
    def waiting(self) -> int:
        """Records that wait in the topic."""
        return sum(part.waiting for part in self.parts.values())

    @property
    def touched(self) -> list[Partition]:
        """Partitions of which something is taken."""
        return [partition for partition, part in sorted(self.parts.items()) if part.taken]

    @property
    def rewritten(self) -> int:
        """Records of these that are not taken, and are written anew behind the others."""
        return sum(self.parts[each].waiting - len(self.parts[each].taken) for each in self.touched)


class Moved(NamedTuple):
    """What was planned, and how many of it were done: in these partitions; the others are as they were."""

    plan: Plan
    done: list[Partition]
    stopped: bool


def transactional_id(settings: Settings) -> str:
    """Under which the copies are written."""
    return f"{settings.kafka.group_id}.retry"


def members(settings: Settings) -> int:
    """How many members the group has. Raises AdminError."""
    found = KafkaGroups(kafka_properties(settings.kafka)).group(settings.kafka.group_id)
    return 0 if found is None else found.members


def plan(settings: Settings, judge: Judge, wanted: Wanted, check: Callable[[], None] = lambda: None) -> Plan:
    """Choose, and do nothing. `check` is called now and then. Raises AdminError."""
    now_ms = SystemClock().now_ms()
    found = Plan()
    with Scan(_reading(settings), wanted.topic) as scan:
        found.parts = _parts(settings, wanted.topic, scan)
        scan.starts = {each: part.standing.base for each, part in found.parts.items()}
        for number, record in enumerate(watched(scan, wanted.topic)):
            if number % _EACH == 0:
                check()
            part = found.parts[record.partition]
            if part.standing.waits(record):
                part.waiting += 1
                _choose(found, part, record, wanted, judge, now_ms)
    return found


def move(settings: Settings, judge: Judge, wanted: Wanted, written: Callable[[int], None] = lambda _: None) -> Moved:
    """Do it, one partition after the other; SIGINT and SIGTERM end it, and leave the one under way as it was. Raises
    AdminError. `written` is told of records that were given to the producer."""
    count = partitions_of(kafka_properties(settings.kafka), wanted.topic)
    found = Plan()
    done: list[Partition] = []
    with told_to_stop() as stop, suppress(_StoppedError):

        def going_on() -> None:
            if stop():
                raise _StoppedError

        # In this order: what a killed command left open ends, then nobody else commits, then the commits are read.
        rewriting = Rewriting(producer_properties(settings.kafka), transactional_id(settings))
        others = [each for each in settings.kafka.topics.read if each != wanted.topic]
        with SoleMember(consumer_properties(settings.kafka), wanted.topic, count, others, going_on) as member:

            def check() -> None:
                going_on()
                member.check()

            found = plan(settings, judge, wanted, check)
            for partition in found.touched:
                part = found.parts[partition]
                copies = _counted(_copies(settings, wanted, partition, part), part.waiting, going_on, written)
                rewriting.write(copies, member, partition, part.commit)
                done.append(partition)
            return Moved(found, done, stopped=False)
    return Moved(found, done, stopped=True)


class _StoppedError(Exception):
    """A signal came."""


def _choose(found: Plan, part: Part, record: Record, wanted: Wanted, judge: Judge, now_ms: int) -> None:
    listed = fitting(record, wanted.filters, judge)
    if listed is None:
        return
    why = stays(listed.letter, now_ms, expedite=wanted.expedite)
    if why is not None:
        found.stays[why] += 1
        return
    part.taken.append(record.offset)
    found.taken[listed.letter.code] += 1
    if len(found.samples) < _SAMPLES:
        found.samples.append(listed)


def _copies(settings: Settings, wanted: Wanted, partition: Partition, part: Part) -> Iterator[Copy]:
    """What is taken first, since nobody reads past a record that is not due; then the others as they are."""
    now_ms = SystemClock().now_ms()
    names = Names(settings.kafka.group_id)
    for record in _waiting(settings, partition, part, taken=True):
        if wanted.expedite:
            yield _again(record, expedited_headers(record.headers, now_ms))
        else:
            headers = dropped_headers(record, names, now_ms)
            yield Copy(settings.kafka.topics.dead_letter, None, record.key, record.value, headers)
    if len(part.taken) < part.waiting:
        for record in _waiting(settings, partition, part, taken=False):
            yield _again(record, rewritten_headers(record.headers, now_ms))


def _again(record: Record, headers: Headers) -> Copy:
    return Copy(
        record.partition.topic,
        record.partition.number,
        record.key,
        record.value,
        headers,
        record.timestamp_ms,
    )


def _waiting(settings: Settings, partition: Partition, part: Part, *, taken: bool) -> Iterator[Record]:
    """The waiting records that are taken, or those that are not, in the order of the log."""
    place = 0
    with Scan(_reading(settings), partition.topic, {partition: part.standing.base}) as scan:
        scan.only_before({partition: part.standing.end})
        for record in watched(scan, str(partition)):
            if not part.standing.waits(record):
                continue
            is_taken = place < len(part.taken) and part.taken[place] == record.offset
            place += is_taken
            if is_taken == taken:
                yield record


def _reading(settings: Settings) -> dict[str, Property]:
    """A partition is read to its end, where brokers wait for half a second whether more comes."""
    return {**kafka_properties(settings.kafka), "fetch.wait.max.ms": 20}


def _counted(
    copies: Iterator[Copy], wanted: int, going_on: Callable[[], None], written: Callable[[int], None]
) -> Iterator[Copy]:
    """Raises where it is not every record that waits: the commit will pass over all of them."""
    count = 0
    for count, copy in enumerate(copies, 1):
        going_on()
        yield copy
        written(count)
    if count != wanted:
        raise AdminError("changed", f"{wanted} records waited, and {count} were read: nothing was written")


def _parts(settings: Settings, topic: str, scan: Scan) -> dict[Partition, Part]:
    """How far the group is. Raises AdminError where a connector would not go on from there either, or not know what is
    settled."""
    properties = kafka_properties(settings.kafka)
    committed = KafkaGroups(properties).committed(settings.kafka.group_id, list(scan.bounds))
    identities = LogIdentities(properties)
    identities.ask(topic)
    logs = {each: log.identity for each, log in identities.of(scan.bounds, urgent=scan.bounds).items()}
    found: dict[Partition, Part] = {}
    for partition, bounds in scan.bounds.items():
        commit = committed.get(partition, Commit(bounds.start, ""))
        if not isinstance(commit, Commit):
            raise AdminError(commit, f"the commit of {partition} is not told now")
        if commit.offset < bounds.start or commit.offset > bounds.end:
            raise AdminError(
                "offset_out_of_range",
                f"the commit of {partition} is {commit.offset}, its log {bounds.start} to {bounds.end}",
            )
        runs = decode(commit.metadata, commit.offset, logs.get(partition), bounds.end)
        if isinstance(runs, str):
            raise AdminError(f"map_{runs}", f"what of {partition} is settled cannot be told: see `connector status`")
        found[partition] = Part(Standing(commit.offset, bounds.readable, runs), logs.get(partition))
    return found
