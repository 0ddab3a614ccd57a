"""Feeds the engine with what happens, and carries out what it says: the only place that waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from math import inf
from typing import Literal, NamedTuple, TypeVar, assert_never

from connector.core.made import made
from connector.core.pauses import Paused, Target
from connector.core.reply import Answer
from connector.core.signals import Failed, WriteFailed
from connector.deadline import PASSES
from connector.engine.copy import Copy
from connector.engine.engine import Engine
from connector.engine.messages import (
    Answered,
    Broken,
    CancelWrite,
    CatchUp,
    CaughtUp,
    Close,
    Copied,
    Effect,
    Fetch,
    Fetched,
    GiveRoom,
    GiveUp,
    Input,
    Leave,
    Note,
    Noted,
    Post,
    Recall,
    Recalled,
    Release,
    SendCommit,
    Sleep,
    Tick,
    Wake,
    Write,
)
from connector.engine.partition import Delivery
from connector.engine.ports import Clock, Decoder, Invoker, Ledger, Sink, Source
from connector.observe.events import Events, where

_SHORTEST_WAIT = 0.001
"""Seconds. uvloop's timers are no finer: a shorter wait would ring at once, and be asked for again until it is over."""

T = TypeVar("T")


class Ports(NamedTuple):
    """The neighbours of the engine."""

    source: Source
    sink: Sink
    decoder: Decoder
    invoker: Invoker
    clock: Clock
    events: Events
    ledger: Ledger | None = None


class Driver:
    """Runs until the source fails or its task is cancelled; `leave` ends it well. Made on a running event loop."""

    def __init__(self, ports: Ports, engine: Engine) -> None:
        self._source, self._sink, self._decoder, self._invoker, self._clock, self._events, self._ledger = ports
        self.engine = engine
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[Input] = deque()
        self._is_handling = self._is_over = self._has_turn = False
        self._alarm: asyncio.TimerHandle | None = None
        self._rings_at = inf
        self._at_work: set[asyncio.Task[None]] = set()
        self._writes: dict[Copy, asyncio.Task[None]] = {}
        self._failed: asyncio.Future[Failed] = self._loop.create_future()
        self._closing: asyncio.Future[Close] = self._loop.create_future()

    async def run(self) -> Failed:
        """Take and deliver until the source or the engine cannot go on; return why."""
        if self._ledger is not None:
            self._ledger.start(self._noted)
        self._source.start()
        self._feed(Tick())
        listening = asyncio.create_task(self._listen())
        try:
            await asyncio.wait({listening, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            failed = self._failed.result() if self._failed.done() else listening.result()
        finally:
            listening.cancel()
        self._events.source_failed(failed.code, failed.remedy)
        return failed

    async def leave(self, budget: float) -> bool:
        """Take nothing new, drain within `budget` seconds, commit, leave the group; whether all was drained.

        After a fault of the engine nothing is drained or committed: what it knows may be wrong.
        """
        self._feed(Leave(budget))
        close = await self._closing
        await asyncio.gather(*self._at_work, return_exceptions=True)
        await self._source.close(close.offsets)
        return close.drained

    def stop(self) -> None:
        """Carry out nothing more, and give up what is under way."""
        self._is_over = True
        if self._alarm is not None:
            self._alarm.cancel()
        for task in self._at_work:
            task.cancel()
        self._invoker.abandon_all()

    # Commands.

    def pause(self, targets: Collection[Target], reason: str) -> None:
        """Pause these, besides what is paused already."""
        self._command(lambda: self.engine.pauser.pause(targets, reason))

    def resume(self, targets: Collection[Target]) -> Collection[Paused]:
        """End what commands paused within these, and return the pauses that still stand on some of it."""
        return self._command(lambda: self.engine.pauser.resume(targets))

    def follow_file(self, targets: frozenset[Target]) -> None:
        """Pause what the file says, and nothing else of it."""
        self._command(lambda: self.engine.pauser.follow_file(targets))

    def release_brake(self) -> bool:
        """Let what the brake kept go to the dead letters; False when it was not on."""
        return self._command(self.engine.judge.brake.release)

    def try_now(self, kind: Literal["deployment", "endpoint"]) -> bool:
        """Try a record now; False when there is no such hold."""
        return self._command(lambda: self.engine.judge.try_now(kind))

    def renewed(self) -> None:
        """There are new credentials: see at once whether they are better."""
        self._command(self.engine.judge.renewed)

    def _command(self, do: Callable[[], T]) -> T:
        self._pass_time()
        try:
            result = do()
        except Exception as error:
            self._fail(error)
            raise
        self._feed(Tick())
        return result

    # In.

    async def _listen(self) -> Failed:
        while True:
            self._feed(await self._source.next())

    def _feed(self, happened: Input) -> None:
        """Tell the engine; what happens while its effects are carried out comes afterwards, in order."""
        if self._is_over:
            return
        self._inbox.append(happened)
        if self._is_handling:
            return
        self._is_handling = True
        try:
            while self._inbox and not self._is_over:
                self._pass_time()
                for effect in self.engine.handle(self._inbox.popleft()):
                    self._carry_out(effect)
        except Exception as error:
            self._fail(error)
        finally:
            self._is_handling = False
        if self.engine.rings_at < self._rings_at or self.engine.wants_turn:
            self._set_alarm()

    def _pass_time(self) -> None:
        self.engine.pass_time(self._clock.monotonic(), self._clock.now_ms())

    def _set_alarm(self) -> None:
        if self._is_over:
            return
        if self.engine.wants_turn and not self._has_turn:
            self._has_turn = True
            self._loop.call_soon(self._turn)
        if (at := self.engine.rings_at) >= self._rings_at:
            return  # the alarm that is set comes first, and sets the next one
        if self._alarm is not None:
            self._alarm.cancel()
        wait = at - self._clock.monotonic()
        self._rings_at = at
        self._alarm = self._loop.call_later(max(wait, _SHORTEST_WAIT) if wait > 0 else 0, self._ring)

    def _turn(self) -> None:
        self._has_turn = False
        self._feed(Tick())

    def _ring(self) -> None:
        self._alarm = None
        self._rings_at = inf
        self._feed(Tick())

    # Out.

    def _carry_out(self, effect: Effect) -> None:  # noqa: C901 - a case for each effect
        match effect:
            case Post():
                self._post(effect)
            case GiveRoom(records, size):
                self._source.give_room(records, size)
            case SendCommit(offsets):
                self._source.commit(offsets)
            case Note():
                assert self._ledger is not None
                self._ledger.note(effect)
            case Write(copy):
                self._writes[copy] = self._work(self._write(effect))
            case CancelWrite(copy):
                if write := self._writes.pop(copy, None):
                    write.cancel()
            case Recall():
                self._work(self._recall(effect))
            case Fetch():
                self._work(self._fetch(effect))
            case Sleep(partition, offset):
                self._source.sleep(partition, offset)
            case Wake(partition):
                self._source.wake(partition)
            case CatchUp():
                self._catch_up(PASSES)
            case Release(partitions, offsets):
                self._source.release(partitions, offsets)
            case Close():
                self._close(effect)
            case GiveUp(code, remedy):
                self._give_up(code, remedy)
            case _:
                assert_never(effect)

    def _post(self, effect: Post) -> None:
        delivery = effect.delivery
        assert delivery.request is not None
        try:
            self._invoker.post(delivery.request, partial(self._answered, delivery), delivery.trace)
        except Exception as error:  # a bug of ours must stop one partition, not all the others
            self._feed(Broken(effect, error))

    def _answered(self, delivery: Delivery, answer: Answer) -> None:
        self._feed(made(Answered, (delivery, answer)))

    async def _write(self, effect: Write) -> None:
        happened: Input
        try:
            happened = Copied(effect.copy, await self._copy(effect))
        except Exception as error:  # as above
            happened = Broken(effect, error)
        self._writes.pop(effect.copy, None)
        self._feed(happened)

    def _copy(self, effect: Write) -> Coroutine[None, None, WriteFailed | None]:
        # No coroutine function: compiled, one that is overridden is taken for the other's (mypyc 2.4).
        return self._sink.write(effect.topic, effect.key, effect.value, effect.headers)

    def _noted(self, deliveries: Sequence[Delivery], failed: str | None) -> None:
        self._feed(Noted(deliveries, failed))

    async def _recall(self, effect: Recall) -> None:
        assert self._ledger is not None
        try:
            found = await self._ledger.recall(effect.assignment.partition, effect.since_ms)
        except Exception:  # a bug of ours: the partition must not wait for ever
            found = "fault"
        accepted, failed = ((), found) if isinstance(found, str) else (found, None)
        self._feed(Recalled(effect, accepted, failed))

    async def _fetch(self, effect: Fetch) -> None:
        try:
            missing = await self._decoder.fetch(effect.needed, effect.newest)
        except Exception as error:  # as above
            self._feed(Broken(effect, error))
        else:
            self._feed(Fetched(effect, missing))

    def _catch_up(self, passes: int) -> None:
        if passes:
            self._loop.call_soon(self._catch_up, passes - 1)
        else:
            self._feed(CaughtUp())

    def _work(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return task

    def _fail(self, error: Exception) -> None:
        """What the engine knows may be wrong from here on."""
        self._give_up("engine_fault", f"a bug of ours ({type(error).__name__} at {where(error)}): report it")
        self._close(Close({}, drained=False))

    def _close(self, close: Close) -> None:
        self.stop()
        if not self._closing.done():
            self._closing.set_result(close)

    def _give_up(self, code: str, remedy: str) -> None:
        if not self._failed.done():
            self._failed.set_result(Failed(code, remedy))
