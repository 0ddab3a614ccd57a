"""The C library's memory."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_heap() -> None:
    """Have the threads that come share one heap. Nothing where the C library is not glibc.

    By default each of thirty threads of Kafka's clients gets one of its own, as far as eight times the cores go, and
    what is freed in one serves no other: 25 MB with 1,000 partitions on two cores.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
