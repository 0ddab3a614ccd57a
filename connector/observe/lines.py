"""Where log lines go: a byte stream, with the lines that may wait gathered into one write."""

from __future__ import annotations

import asyncio
from collections import deque
from threading import Lock
from typing import BinaryIO

_LATEST_SECONDS = 0.05  # how long a gathered line may wait; what a kill -9 can lose of them


class Lines:
    """A stream of lines. Order is kept: a line that is written now takes with it those that waited."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: deque[bytes] = deque()
        self._is_due = False
        self._lock = Lock()

    def write(self, line: bytes) -> None:
        """Write a line, its newline included, and everything before it. Any thread."""
        self._waiting.append(line)
        self.flush()

    def write_soon(self, line: bytes) -> None:
        """Write a line within 50 ms. On the event loop's thread; without a loop, at once."""
        self._waiting.append(line)
        if not self._is_due:
            self._flush_later()

    def flush(self) -> None:
        """Write what waits."""
        self._is_due = False
        with self._lock:
            # Other threads may append meanwhile: take what is there, and leave what comes for their own flush.
            gathered = b"".join(self._waiting.popleft() for _ in range(len(self._waiting)))
            if not gathered:
                return
            try:
                self._stream.write(gathered)
                self._stream.flush()
            except (OSError, ValueError):
                pass  # a log that cannot be written (full, closed) must not stop the deliveries

    def _flush_later(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            self._is_due = True
            loop.call_later(_LATEST_SECONDS, self.flush)
