"""Virtual time: an event loop that jumps to its next timer instead of waiting, so that a day takes seconds.

The code under test is the same; only what it would have slept through is skipped.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

_EPOCH_MS = 1_790_000_000_000
"""Where virtual wall clocks begin: late in 2026."""


class _Jumping(selectors.SelectSelector):
    """Never waits: the time it was asked to wait for has passed when it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everything waits and no timer is set: the scene can never end")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its timers."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now


class VirtualClock:
    """`flow.ports.Clock` on the virtual time of the running loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        """Virtual wall clock, ms since the epoch."""
        return _EPOCH_MS + round(self._loop.time() * 1000)

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait virtually."""
        await asyncio.sleep(seconds)


def run_virtual(scene: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Turn an async scene into a test that runs on virtual time."""

    @functools.wraps(scene)
    def test() -> None:
        loop = VirtualLoop()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(scene(VirtualClock(loop)))

    # pytest would take the scene's parameter for a fixture's name.
    del test.__wrapped__
    return test
