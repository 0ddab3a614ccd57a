"""Wait for a condition, not for luck: poll until it holds, and fail with a reason at the deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.01


async def eventually(predicate: Callable[[], T], seconds: float, why: str) -> T:
    """Return the predicate's first true answer. Raises AssertionError with `why` after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (answer := predicate()):
        _check(deadline - asyncio.get_running_loop().time(), seconds, why)
        await asyncio.sleep(_POLL_SECONDS)
    return answer


def wait_until(predicate: Callable[[], T], seconds: float, why: str) -> T:
    """`eventually` for tests without an event loop."""
    deadline = time.monotonic() + seconds
    while not (answer := predicate()):
        _check(deadline - time.monotonic(), seconds, why)
        time.sleep(_POLL_SECONDS)
    return answer


def _check(left: float, seconds: float, why: str) -> None:
    if left <= 0:
        raise AssertionError(f"not within {seconds} s: {why}")
