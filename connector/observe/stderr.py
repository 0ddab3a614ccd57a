"""What stands in for `sys.stderr`: whole lines of text are handed on, and nothing is written."""

from __future__ import annotations

import io
from collections.abc import Callable
from threading import Lock

from typing_extensions import override


class Stderr(io.TextIOBase):
    """A text stream. `hand_on` gets each line without its end, on the thread that completed it."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, hand_on: Callable[[str], object]) -> None:
        self._hand_on = hand_on
        self._begun = ""
        self._lock = Lock()

    @override
    def writable(self) -> bool:
        """Yes."""
        return True

    @override
    def write(self, text: str, /) -> int:
        """Hand on every line that is whole by now."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip():
                self._hand_on(line)
        return len(text)
