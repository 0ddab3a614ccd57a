"""The run itself: Kafka, the vendor, the processes, and what is done to them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from connector.simulator.rules import ACCOUNT_ID, PASSWORD
from connector.simulator.scenario import Lognormal, Reject, Rule, Scenario, When
from connector.simulator.server import SimulatorServer
from tests.chaos import judge, topics
from tests.chaos import state as states
from tests.chaos.books import EFFECT_SECONDS, Done
from tests.chaos.judge import Judge
from tests.chaos.plan import Fault, Parameters, event, faults
from tests.chaos.state import State
from tests.support.connector_process import ConnectorProcess
from tests.support.kafka_broker import KafkaBroker
from tests.whole.stage import SERVICE

GROUP, MAIN, RETRY, DEAD_LETTER = "chaos", "chaos", "chaos.retry", "chaos.dlq"
SESSION_SECONDS, HEARTBEAT_SECONDS, DRAIN_SECONDS = 10.0, 1.0, 40.0
UNCOMMITTED, IN_FLIGHT = 500, 64
_RETRY_PARTITIONS = 8
_TICK = 0.1
_SAMPLE_SECONDS = 10.0
_START_SECONDS = 300.0
_AWAY_SECONDS = 5.0
"""How long a process or the broker stays away."""
_STAND_STILL_SECONDS = 180.0

_SCENARIO = Scenario(
    latency=Lognormal(p50=0.02, p99=0.2),
    rules=(
        Rule(when=When(service_ids=frozenset({topics.REJECTED_SERVICE})), do=Reject(cause="permanent")),
        Rule(when=When(share=0.03, first=1, of="invocation"), do=Reject(cause="temporary")),
    ),
)


class Seen(NamedTuple):
    """What a run leaves for its report, beside its files. `exits`: the exit codes of the clean stop at the end."""

    given: Parameters
    done: tuple[Done, ...]
    exits: tuple[int, ...]
    unread: int


class Run:
    """One long run in `folder`; begun anew, or gone on with. Raises ValueError for a folder of another run."""

    def __init__(self, folder: Path, given: Parameters, progress: Callable[[float, str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._progress = progress
        self._state_file = folder / "state.json"
        self._state = states.load(self._state_file) or State(given)
        if self._state.given != given:
            raise ValueError(f"{folder} holds a run with other parameters: {self._state.given}")
        self._fresh = not (folder / "kafka").exists()
        self._broker = KafkaBroker(folder / "kafka")
        self._accepted = (folder / "accepted").open("ab", buffering=0)
        self._judge = Judge(self._accepted)
        self._simulator = SimulatorServer(self._judge)
        self._members: list[ConnectorProcess] = []
        self._produced = bytearray(given.events)

    async def go(self) -> Seen:
        """Run to the end. Whatever was started is ended, also when it is interrupted."""
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._accepted.close)
            stack.callback(self._broker.stop)
            await asyncio.to_thread(self._broker.start)
            await self._set_up(stack)
            async with asyncio.TaskGroup() as together:
                sampling = together.create_task(self._sample())
                breaking = together.create_task(self._break())
                await self._produce()
                await breaking
                sampling.cancel()
            await self._until_still()
            exits = [await member.stop() for member in self._members if member.runs]
            unread = await asyncio.to_thread(topics.unread, self.bootstrap_servers, GROUP, MAIN, RETRY)
            await asyncio.to_thread(self._read_back)
            return Seen(self._state.given, self._state.done, tuple(exits), unread)

    @property
    def bootstrap_servers(self) -> str:
        """Where Kafka listens."""
        return self._broker.bootstrap_servers

    async def _set_up(self, stack: contextlib.AsyncExitStack) -> None:
        given = self._state.given
        if self._fresh:
            self._broker.create_topic(MAIN, given.partitions)
            self._broker.create_topic(RETRY, _RETRY_PARTITIONS)
            self._broker.create_topic(DEAD_LETTER)
        else:
            self._remember_interruption()
            for number, _ in await asyncio.to_thread(list, topics.numbers_in(self.bootstrap_servers, MAIN)):
                self._produced[number] = 1
        base_url = await self._simulator.start()
        stack.push_async_callback(self._simulator.stop)
        self._simulator.set_scenario(_SCENARIO)
        for number in range(given.processes + 1):
            member = self._member(number, base_url)
            stack.push_async_callback(member.kill)
            self._members.append(member)
        for member in self._members[: given.processes]:
            await member.start(_START_SECONDS)

    def _remember_interruption(self) -> None:
        accepted = judge.read(self._folder / "accepted")
        ended = accepted[-1].at if accepted else _now()
        self._remember(self._state._replace(done=(*self._state.done, Done("interruption", ended, _now()))))

    def _member(self, number: int, base_url: str) -> ConnectorProcess:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        settings = {
            "kafka": {
                "bootstrap_servers": self.bootstrap_servers,
                "group_id": GROUP,
                "topics": {"main": MAIN, "retry": RETRY, "dead_letter": DEAD_LETTER},
                "client": {
                    "session.timeout.ms": int(SESSION_SECONDS * 1000),
                    "heartbeat.interval.ms": int(HEARTBEAT_SECONDS * 1000),
                },
            },
            "openmarket": {
                "base_url": base_url,
                "account_id": ACCOUNT_ID,
                "password_file": str(password),
                "service_ids": [SERVICE, topics.REJECTED_SERVICE],
            },
            "delivery": {"in_flight": IN_FLIGHT, "uncommitted": UNCOMMITTED, "drain": f"{DRAIN_SECONDS:.0f}s"},
            "retry": {"delay": "20s", "window": "1h"},
            "log": {"format": "json"},
        }
        return ConnectorProcess(self._folder / f"process-{number}", settings)

    async def _produce(self) -> None:
        given = self._state.given
        producer = topics.EventProducer(self.bootstrap_servers, MAIN)
        next_number, before = 0, time.monotonic()
        while next_number < given.events:
            due = min(given.events, int(given.events * min(1.0, self._state.elapsed / given.seconds)))
            for number in range(next_number, due):
                if not self._produced[number]:
                    producer.write(event(number, given.seed))
            next_number = max(next_number, due)
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            self._remember(self._state._replace(elapsed=self._state.elapsed + now - before))
            before = now
            self._progress(next_number / given.events, f"{len(self._state.done)} faults")
        await asyncio.to_thread(producer.flush)

    async def _break(self) -> None:
        plan = faults(self._state.given)
        carried_out = sum(done.kind != "interruption" for done in self._state.done)
        # Also when it is late: of two faults at once nobody could tell which one costs what.
        rest = min(EFFECT_SECONDS, self._state.given.seconds / max(1, len(plan)) / 4)
        for fault in plan[carried_out:]:
            await asyncio.sleep(max(rest, fault.at - self._state.elapsed))
            done = await self._carry_out(fault)
            self._remember(self._state._replace(done=(*self._state.done, done)))

    async def _carry_out(self, fault: Fault) -> Done:
        victim = self._members[fault.victim]
        partitions = await _partitions_of(victim)
        at = _now()
        match fault.kind:
            case "kill":
                await victim.kill()
                await asyncio.sleep(_AWAY_SECONDS)
                await victim.start(_START_SECONDS)
            case "clean stop":
                await victim.stop()
                await victim.start(_START_SECONDS)
            case "join and leave":
                guest = self._members[-1]
                await guest.start(_START_SECONDS)
                await asyncio.sleep(_AWAY_SECONDS)
                await guest.stop()
            case "broker stop" | "broker kill":
                stop = self._broker.kill if fault.kind == "broker kill" else self._broker.stop
                await asyncio.to_thread(stop)
                await asyncio.sleep(_AWAY_SECONDS)
                starting = asyncio.create_task(asyncio.to_thread(self._broker.start))
                over = await self._port_opens(starting)
                await starting
                return Done(fault.kind, at, over)
        return Done(fault.kind, at, _now(), partitions)

    async def _port_opens(self, starting: asyncio.Task[None]) -> float:
        host, _, port = self.bootstrap_servers.partition(":")
        while not starting.done():
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                return _now()
            await asyncio.sleep(_TICK)
        return _now()

    async def _sample(self) -> None:
        with (self._folder / "memory.csv").open("a") as file:
            while True:
                for number, member in enumerate(self._members):
                    if (size := member.resident_bytes) is not None:
                        file.write(f"{self._state.elapsed:.1f},{number},{size}\n")
                file.flush()
                await asyncio.sleep(_SAMPLE_SECONDS)

    async def _until_still(self) -> None:
        """Wait until nothing is unread and nothing more is accepted, or nothing has moved for minutes."""
        last = -1
        moved = time.monotonic()
        while time.monotonic() - moved < _STAND_STILL_SECONDS:
            behind = await asyncio.to_thread(topics.unread, self.bootstrap_servers, GROUP, MAIN, RETRY)
            self._progress(1.0, f"{behind} records still unread")
            if not behind:
                return
            if behind != last:
                last, moved = behind, time.monotonic()
            await asyncio.sleep(1)

    def _read_back(self) -> None:
        """Keep what the topics hold, for the report."""
        for name in (MAIN, DEAD_LETTER):
            with (self._folder / f"{name}.csv").open("w") as file:
                file.writelines(f"{n},{p}\n" for n, p in topics.numbers_in(self.bootstrap_servers, name))

    def _remember(self, state: State) -> None:
        self._state = state
        states.save(self._state_file, state)


async def _partitions_of(member: ConnectorProcess) -> tuple[int, ...]:
    held = (await member.status()).get("partitions", {})
    return tuple(int(name.rpartition("-")[2]) for name in held if name.rpartition("-")[0] == MAIN)


def _now() -> float:
    return time.time()  # noqa: TID251 # compared with the times of the ledger
