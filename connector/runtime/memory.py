"""What the C library and the garbage collector do with memory."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX = -8  # of glibc's malloc.h
_OBJECTS = 50_000


def share_heap() -> None:
    """Have the threads that come share one heap. Nothing where the C library is not glibc.

    By default each of thirty threads of Kafka's clients gets one of its own, as far as eight times the cores go, and
    what is freed in one serves no other: 25 MB with 1,000 partitions on two cores.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def collect_rarely() -> None:
    """Look for garbage in cycles after so many objects more, instead of 700.

    Nothing that a record leaves behind is in a cycle, and each look goes through what is in hand: a fifteenth of all
    time at full speed.
    """
    gc.set_threshold(_OBJECTS)
