"""Time for tests: a clock moved by hand, and an event loop whose time jumps instead of passing."""

from __future__ import annotations

import asyncio
import inspect
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Concatenate, ParamSpec, TypeVar, TypeVarTuple

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START_MS = 1_800_000_000_000
"""The wall clock at the start of every test: 2027-01-15T08:00:00Z."""


class HandClock:
    """`engine.ports.Clock` that stands still until `advance`."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self._start_ms = now_ms
        self._elapsed = 0.0

    def now_ms(self) -> int:
        return self._start_ms + round(self._elapsed * 1000)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move on."""
        self._elapsed += seconds


class VirtualClock:
    """`engine.ports.Clock` on the time of a virtual loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        return START_MS + round(self._loop.time() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()


class NothingWillHappenError(Exception):
    """Every task waits, and neither a timer nor a socket can wake one: the test would hang for ever."""


class _Handle(asyncio.TimerHandle):
    __slots__ = ()

    def when(self) -> float:
        raise AttributeError("uvloop, which production uses, has no `when` for a wait below half a millisecond")


class VirtualLoop(asyncio.SelectorEventLoop):
    """When nothing is ready, time jumps to the next timer. No threads: their results would come in no time."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        super().__init__(_JumpingSelector(self._jump))
        # After months of virtual time a jump may end one rounding step before its timer; the loop must take
        # it as reached, or it would turn for ever.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._elapsed

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        handle.__class__ = _Handle
        return handle

    def _jump(self, seconds: float) -> None:
        self._elapsed += seconds


class _JumpingSelector(selectors.SelectSelector):
    """Tells how long the loop would have waited instead of waiting."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise NothingWillHappenError("every task waits for something that no timer brings")
        self._jump(max(timeout, 0.0))
        return []


def run_virtual(
    test: Callable[Concatenate[VirtualClock, P], Coroutine[Any, Any, T]],
) -> Callable[P, T]:
    """Decorator: run a coroutine function on a loop of its own in virtual time, with its clock as first argument.

    What pytest sees has the other parameters only, so these may be fixtures.
    """

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(test(VirtualClock(runner.get_loop()), *args, **kwargs))

    signature = inspect.signature(test)
    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    parameters = list(signature.parameters.values())[1:]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # typeshed lacks it
    return run


async def turns(count: int = 10) -> None:
    """Let the other tasks of the loop run as far as they get without time passing."""
    for _ in range(count):
        await asyncio.sleep(0)
