"""A redrive from beginning to end: what was redriven before, the plan, and the batches."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from connector.cli.dlq.plan import Going, Outcome, Passed, Planner, Wanted
from connector.cli.progress import Progress, watched
from connector.cli.today import Judge
from connector.config.client import kafka_properties, producer_properties
from connector.config.settings import Settings
from connector.core.letters.marks import Redriven, mark
from connector.core.letters.redrive import REDRIVEN_BEFORE, Positions
from connector.core.record import Partition
from connector.edge.clock import SystemClock
from connector.edge.kafka.copies import Copy, KafkaCopies
from connector.edge.kafka.scan import Scan

_BATCH = 500
"""Letters in a transaction, at most; and no more than those of a second."""

_BEFORE = 10_000
"""Letters before the position that are read again: what a crash wrote a second time lies not far behind the first."""


class Moved(NamedTuple):
    """What was done. `without_transactions`: why the brokers take none, or None; `waiting` offsets were not read."""

    outcome: Outcome
    stopped: bool
    without_transactions: str | None
    waiting: int


def group_of(settings: Settings) -> str:
    """The group under which a redrive commits, and the transactional id with which it writes."""
    return f"{settings.kafka.group_id}.redrive"


def plan(settings: Settings, judge: Judge, wanted: Wanted, topic: str) -> Moved:
    """Decide about every letter, and do nothing. Raises AdminError."""
    redriven = marks_of(settings, topic, {})
    planner = _planner(settings, judge, wanted, redriven)
    if REDRIVEN_BEFORE not in wanted.rules.include:
        _remember(settings, topic, {}, {}, redriven, planner)
    outcome = Outcome()
    with Scan(kafka_properties(settings.kafka), topic) as scan:
        for record in watched(scan, topic):
            outcome.add(planner.decide(record))
        return Moved(outcome, stopped=False, without_transactions=None, waiting=scan.waiting)


def move(
    settings: Settings, judge: Judge, wanted: Wanted, topic: str, rate: float, say: Callable[[str], None]
) -> Moved:
    """Redrive, at most `rate` letters a second; SIGINT and SIGTERM end it after the batch. Raises AdminError.

    The ends of the partitions are looked at before anything is written: what is redriven and fails again lies behind
    them, and is not read.
    """
    outcome = Outcome()
    with KafkaCopies(producer_properties(settings.kafka), group_of(settings)) as copies, told_to_stop() as stop:
        if copies.without_transactions is not None:
            say(f"the brokers take no transactions ({copies.without_transactions}): a kill may repeat the last batch")
        committed = copies.positions(_partitions(settings, topic))
        starts = {} if REDRIVEN_BEFORE in wanted.rules.include else committed
        redriven = marks_of(settings, topic, starts)
        planner = _planner(settings, judge, wanted, redriven)
        with Scan(kafka_properties(settings.kafka), topic, starts) as scan:
            begins = scan.starts
            batches = _Batches(copies, Positions(begins, committed), wanted.target, rate)
            scan.starts = {each: max(scan.bounds[each].start, at - _BEFORE) for each, at in begins.items()}
            if REDRIVEN_BEFORE not in wanted.rules.include:
                _remember(settings, topic, scan.starts, begins, redriven, planner)
            for record in watched(scan, topic):
                if stop():
                    break
                if record.offset < begins[record.partition]:
                    planner.remember(record)
                    continue
                decision = planner.decide(record)
                outcome.add(decision)
                match decision:
                    case Going():
                        batches.add(decision)
                    case Passed(done=True):
                        batches.positions.done(record.partition, record.offset)
                    case _:
                        batches.positions.stays(record.partition)
            batches.flush()
            return Moved(outcome, stop(), copies.without_transactions, scan.waiting)


class _Batches:
    """Letters that go, written together with the marks that tell of them and the positions behind them."""

    def __init__(self, copies: KafkaCopies, positions: Positions, target: str, rate: float) -> None:
        self._copies = copies
        self.positions = positions
        self._target = target
        self._rate = rate
        self._most = max(1, min(_BATCH, int(rate)))
        self._clock = SystemClock()
        self._next = self._clock.monotonic()
        self._waiting: list[Going] = []

    def add(self, going: Going) -> None:
        """One more."""
        record = going.letter.record
        self._waiting.append(going)
        self.positions.done(record.partition, record.offset)
        if len(self._waiting) >= self._most:
            self.flush()

    def flush(self) -> None:
        """Write what waits, as soon as the rate allows. Raises AdminError."""
        moved = self.positions.moved()
        if not self._waiting and not moved:
            return
        time.sleep(max(0.0, self._next - self._clock.monotonic()))
        self._next = max(self._next, self._clock.monotonic()) + len(self._waiting) / self._rate
        self._copies.write([*(going.copy for going in self._waiting), *self._marks()], moved)
        self._waiting = []

    def _marks(self) -> Iterator[Copy]:
        offsets: dict[Partition, list[int]] = {}
        for going in self._waiting:
            record = going.letter.record
            offsets.setdefault(record.partition, []).append(record.offset)
        for partition, named in offsets.items():
            made = mark(named, self._target, self._clock.now_ms())
            yield Copy(partition.topic, partition.number, None, made.value, made.headers)


def _planner(settings: Settings, judge: Judge, wanted: Wanted, redriven: Redriven) -> Planner:
    max_event_age_ms = round(settings.delivery.max_event_age * 1000)
    return Planner(judge, wanted, redriven, SystemClock().now_ms, max_event_age_ms)


def _partitions(settings: Settings, topic: str) -> list[Partition]:
    with Scan(kafka_properties(settings.kafka), topic) as scan:
        return list(scan.bounds)


def marks_of(settings: Settings, topic: str, starts: dict[Partition, int]) -> Redriven:
    """What the marks say. Raises AdminError."""
    redriven = Redriven()
    reading = Scan(kafka_properties(settings.kafka), topic, starts)
    with reading as scan, Progress(f"marks of {topic}", scan.total) as bar:
        for partition, start in scan.starts.items():
            redriven.begin(partition, start)
        for read, marks in scan.without_key():
            bar.advance(read)
            for record in marks:
                redriven.see(record)
    return redriven


def _remember(
    settings: Settings,
    topic: str,
    starts: dict[Partition, int],
    begins: Mapping[Partition, int],
    redriven: Redriven,
    planner: Planner,
) -> None:
    """Tell the planner of all letters without a key that are done with, before it decides about any.

    Two letters of one record may lie in different partitions then, and the second be read before the first.
    """
    reading = Scan(kafka_properties(settings.kafka), topic, starts)
    with reading as scan, Progress(f"letters without a key of {topic}", scan.total) as bar:
        for read, letters in scan.without_key():
            bar.advance(read)
            for record in letters:
                if record.offset < begins.get(record.partition, 0) or redriven.has(record):
                    planner.remember(record)


@contextmanager
def told_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether a signal came: a handler may only say so, since it interrupts whatever is under way."""
    told: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        told.append(number)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
