"""Where log lines go: a bounded buffer, and a thread of its own that writes.

Code that logs owns an event loop, a consumer or a connection, and a write to a pipe that nobody reads never
returns. So nobody else than the writer's thread ever touches the stream; what does not fit is dropped and counted.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, RLock, Thread
from typing import Protocol

from connector.observe.metrics import Series

BUFFER_BYTES = 3 << 18
"""What may wait to be written: some 3,500 lines of accepted events, which is most of a second at full speed and half a
minute at a hundred a second. A reader that stands still for longer costs lines rather than memory."""

_GATHER_SECONDS = 0.05  # how long a line that may wait does; what a kill -9 can lose of them
_LOOK_SECONDS = 1.0  # a line that was logged while the lock was held may have woken nobody
_LINES_A_WRITE = 256  # between two writes there is room again for as many
_LAST_SECONDS = 1.0  # for what waits at the end: an exit must not depend on who reads the log
_NEWLINE = ord("\n")


class Stream(Protocol):
    """An unbuffered byte stream: a raw file of `io`."""

    def write(self, data: memoryview, /) -> int | None:
        """Write what fits and return how many bytes did; None: nothing now, of a stream that does not block."""

    def fileno(self) -> int: ...
    def isatty(self) -> bool: ...


class Lines:
    """A stream of lines in the order in which they came, from any thread. Writing one never waits."""

    def __init__(self, stream: Stream, tell_dropped: Callable[[int], object], most: int = BUFFER_BYTES) -> None:
        """`most`: bytes that may wait, with what is being written. `tell_dropped` is called on the writer's thread,
        once there is room again, with how many lines were dropped; it may write a line about them.
        """
        self.dropped = Series()
        """Lines that were never written: no room, a full disk, a reader that is gone."""
        self._stream = stream
        self._tell_dropped = tell_dropped
        self._most = most
        self._lock = RLock()  # while it is held the garbage collector may run, and an object's end may log
        self._changed = Condition(self._lock)
        self._waiting: deque[bytes] = deque()
        # Bytes that came and went. Each number is written by one thread, or with the lock, and read by all: the line of
        # an accepted record takes no lock.
        self._came = self._came_soon = self._gone = 0
        self._untold = 0
        self._is_idle = self._is_urgent = self._is_closing = False
        self._is_cut = False  # the last that was written of the stream is no whole line
        self._writer = Thread(target=self._write_all, name="log-writer", daemon=True)
        self._writer.start()

    def write(self, line: bytes) -> None:
        """Have a line written at once, its newline included, and everything before it. Any thread."""
        with self._lock:
            if self._came + self._came_soon - self._gone + len(line) > self._most:
                self._drop(1)
                return
            self._came += len(line)
            self._waiting.append(line)
            self._is_urgent = True
            self._changed.notify()

    def write_soon(self, line: bytes) -> None:
        """Have a line written within 50 ms, its newline included. Always on the same thread."""
        size = len(line)
        if self._came + self._came_soon - self._gone + size > self._most:
            with self._lock:
                self._drop(1)
            return
        self._came_soon += size
        self._waiting.append(line)
        if self._is_idle:  # once for all lines that are gathered: the writer may take milliseconds to wake
            with self._lock:
                self._is_idle = False
                self._changed.notify()

    def close(self) -> None:
        """End, once everything is written that waits, and after a second at the latest."""
        with self._lock:
            self._is_closing = True
            self._changed.notify()
        self._writer.join(_LAST_SECONDS)

    def _drop(self, lines: int) -> None:
        self.dropped.value += lines
        self._untold += lines

    # The writer's thread.

    def _write_all(self) -> None:
        while count := self._gather():
            for first in range(0, count, _LINES_A_WRITE):
                self._write_some([self._waiting.popleft() for _ in range(min(_LINES_A_WRITE, count - first))])

    def _gather(self) -> int:
        """Wait for lines, and for those that come soon after; how many there are. 0 at the end."""
        with self._changed:
            self._is_idle = True  # before the look: a line that comes after it sees that somebody has to be woken
            while not (self._waiting or self._is_closing):
                self._changed.wait(_LOOK_SECONDS)
            self._is_idle = False
            if not (self._is_urgent or self._is_closing):
                self._changed.wait(_GATHER_SECONDS)
            self._is_urgent = False
            return len(self._waiting)

    def _write_some(self, lines: Sequence[bytes]) -> None:
        gathered = b"".join(lines)
        written = self._write_bytes(gathered)
        with self._lock:
            self._gone += len(gathered)
            untold = self._untold
            if written < len(gathered):
                self._drop(_not_within(written, lines))
            else:
                self._untold = 0
        if untold and written == len(gathered):
            self._tell_dropped(untold)

    def _write_bytes(self, data: bytes) -> int:
        """Write it, and return how many bytes could be: fewer than all on a full disk, or when the reader is gone."""
        before = b"\n" if self._is_cut else b""  # half a line of the last write stays a line of its own
        view = memoryview(before + data)
        written = 0
        try:
            while written < len(view):
                count = self._stream.write(view[written:])
                if count is None:
                    select.select([], [self._stream], [])
                else:
                    written += count
        except (OSError, ValueError):
            pass  # a log that cannot be written must not stop the deliveries
        if written:
            self._is_cut = view[written - 1] != _NEWLINE
        return max(0, written - len(before))


def _not_within(size: int, lines: Sequence[bytes]) -> int:
    """How many of the lines do not end within the first `size` bytes."""
    count = 0
    for line in lines:
        size -= len(line)
        count += size < 0
    return count
