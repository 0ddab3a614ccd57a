"""A topic's letters counted; where there are many, by two processes, since one counts on one core only."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from connector.core.letters.tally import Counted, Tally
from connector.core.record import Partition
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.records import headers_of, record_of
from connector.edge.kafka.scan import Scan

_MANY = 100_000
"""Offsets from which on a second process is worth its while."""

_EVERY = 5_000
"""Messages between two reports of progress: one costs the two processes as much as several messages."""

_THREADS = Path("/proc/self/task")


class Part(NamedTuple):
    """What is to be read of a topic: each of these partitions, from an offset up to another."""

    starts: dict[Partition, int]
    ends: dict[Partition, int]


class _Failed(NamedTuple):
    code: str
    detail: str


class Helper:
    """A process that counts half of a topic where there are many letters. A context manager.

    It is forked, so that what both have in common is in memory once, and therefore before this process has any threads;
    where it has some, or nobody can tell, there is none, and one process counts all.
    """

    def __init__(
        self, properties: Mapping[str, Any], topic: str, tally: Callable[[], Tally], many: int = _MANY
    ) -> None:
        """`properties` are librdkafka's for the connection; `tally` makes an empty one, in that process. From so `many`
        offsets on it takes part."""
        self._properties = properties
        self._topic = topic
        self._many = many
        self._part: Part | None = None
        self._pipe: Connection[Any, Any] | None = None
        if not _has_no_threads():
            return
        forking = multiprocessing.get_context("fork")
        self._pipe, theirs = forking.Pipe()
        arguments = self._pipe, theirs, properties, topic, tally
        self._process = forking.Process(target=_help, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def share(self, scan: Scan) -> None:
        """Take the second half of what the scan is to read, where that is much."""
        if self._pipe is not None and scan.total >= self._many:
            first, self._part = halves(Part(scan.starts, scan.ends))
            with suppress(ConnectionError):  # it is gone, which reading tells
                self._pipe.send(self._part)
            scan.only_before(first.ends)

    def read(self, tally: Tally, *, wait: bool = False) -> int:
        """How many more records it has read, and, at its end, what it counted; count its part here if it is gone.
        Raises AdminError."""
        read: int = 0
        while self._part is not None and self._pipe is not None and (wait or self._pipe.poll()):
            try:
                told = self._pipe.recv()
            except (EOFError, ConnectionError):
                with Scan(self._properties, self._topic, self._part.starts) as scan:
                    scan.only_before(self._part.ends)
                    _count(scan, tally, lambda _read: None)
                self._part = None
                return read
            match told:
                case Counted():
                    tally.take(told)
                    self._part = None
                case _Failed(code, detail):
                    raise AdminError(code, detail)
                case _:
                    read += int(told)
                    if wait:
                        return read
        return read

    @property
    def is_at_work(self) -> bool:
        """Whether it has not told yet what it counted."""
        return self._part is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()


def halves(part: Part) -> tuple[Part, Part]:
    """The same in two parts of as many offsets; the partition in the middle is cut."""
    sizes = {each: max(0, end - part.starts[each]) for each, end in part.ends.items()}
    left = sum(sizes.values()) // 2
    first, second = Part({}, {}), Part({}, {})
    for each, size in sizes.items():
        start, end = part.starts[each], part.ends[each]
        cut = start + min(size, left)
        left -= cut - start
        if cut > start:
            first.starts[each], first.ends[each] = start, cut
        if cut < end:
            second.starts[each], second.ends[each] = cut, end
    return first, second


def count(scan: Scan, tally: Tally, progress: Callable[[int], None], helper: Helper) -> None:
    """Count everything. Raises AdminError."""
    helper.share(scan)
    _count(scan, tally, lambda read: progress(read + helper.read(tally)))
    while helper.is_at_work:
        progress(helper.read(tally, wait=True))


def _help(
    theirs: Connection[Any, Any],
    ours: Connection[Any, Any],
    properties: Mapping[str, Any],
    topic: str,
    make: Callable[[], Tally],
) -> None:
    """The other process. It ends when nobody listens any more, and by Ctrl-C without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    theirs.close()
    try:
        tally = make()
    except Exception:  # the first process meets the same, and says so
        return
    _count_a_part(ours, properties, topic, tally)


def _count_a_part(ours: Connection[Any, Any], properties: Mapping[str, Any], topic: str, tally: Tally) -> None:
    with suppress(EOFError, ConnectionError):
        part: Part = ours.recv()
        try:
            with Scan(properties, topic, part.starts) as scan:
                scan.only_before(part.ends)
                _count(scan, tally, ours.send)
        except AdminError as error:
            ours.send(_Failed(error.code, error.detail))
        else:
            ours.send(tally.counted())


def _count(scan: Scan, tally: Tally, progress: Callable[[int], None]) -> None:
    """Without making records of ours of the messages: with millions of them that is half the price."""
    add, untold = tally.add, 0
    with _without_collector():
        for messages in scan.batches():
            for message in messages:
                try:
                    headers = headers_of(message)
                except (ValueError, SystemError):  # a name that is not UTF-8
                    headers = record_of(message).headers
                kind, time_ms = message.timestamp()
                add(message, message.value(), headers or (), time_ms if kind else -1)
            untold += len(messages)
            if untold >= _EVERY:
                progress(untold)
                untold = 0
    progress(untold)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Twenty tuples a message wake the cyclic collector all the time, and none of them is in a cycle: 4 of 10 µs."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _has_no_threads() -> bool:
    """Whether this process is one thread: locks that another one holds would stay held in a fork."""
    try:
        return len(list(_THREADS.iterdir())) == 1
    except OSError:  # not Linux
        return False
