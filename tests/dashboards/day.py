"""A day with every fault, in minutes: what happens to two real connectors on real Kafka, one thing after the other."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Producer

from connector.simulator.rules import PASSWORD
from tests.support.connector_process import ConnectorProcess
from tests.support.kafka_broker import KafkaBroker
from tests.whole.stage import SERVICE, Stage, bare, confluent, event, single_object

OTHER_SERVICE = "0A1B2C3D4E60"
PEACE = "peace"

_RATE = 20
"""Events a second."""


class Phase(NamedTuple):
    """A part of the day, in Unix seconds."""

    name: str
    start: float
    end: float


Look = Callable[[str, ConnectorProcess], Awaitable[None]]
"""Called in the middle of a phase, with its name."""


class Day:
    """Lives through it. `look` is called while each fault lasts."""

    def __init__(self, kafka: KafkaBroker, stage: Stage, folder: Path, look: Look) -> None:
        self._kafka = kafka
        self._stage = stage
        self._look = look
        self._paused = folder / "paused"
        self._paused.write_text("")
        self._numbers = itertools.count()
        self._services: tuple[str, ...] = (SERVICE, OTHER_SERVICE)
        self._produces = True
        self.phases: list[Phase] = []
        stage.create_topics(partitions=4, retry=2)
        stage.configure(stage.main, "retention.ms", "1800000")  # with Kafka's week nothing is ever old
        self.processes = [stage.connector(**self._settings()) for _ in range(2)]

    async def live(self) -> None:
        """All of it."""
        for process in self.processes:
            await process.start()
        producing = asyncio.create_task(self._produce())
        try:
            for fault in (
                self._peace,
                self._slow,
                self._fails_partly,
                self._asks_to_wait,
                self._outage,
                self._password_refused,
                self._silent_service,
                self._flaws,
                self._nonsense,
                self._person_pauses,
                self._dead_letters_refused,
                self._processes_end,
                self._transaction,
                self._schema_missing,
                self._kafka_away,
            ):
                await fault()
        finally:
            producing.cancel()
            with suppress(asyncio.CancelledError):
                await producing

    def _settings(self) -> dict[str, dict[str, Any]]:
        canary = {"first": "3s", "longest": "5s"}
        endpoint = {"minimum": 10, "window": "5s", "probes": {"first": "1s", "longest": "2s"}}
        brake = {"minimum": 30, "window": "15s"}
        return {
            "openmarket": {
                "service_ids": [SERVICE, OTHER_SERVICE],
                "timeouts": {"connect": "1s", "total": "5s"},
            },
            "delivery": {"drain": "6s", "uncommitted": 50},
            "retry": {"delay": "15s", "window": "1h"},
            "hold": {
                "canary": canary,
                "endpoint": endpoint,
                "brake": brake,
                "paused_file": str(self._paused),
            },
            "pace": {"rate": 200},
            "schemas": {"registry": {"url": "http://127.0.0.1:9"}, "framing": "auto"},
        }

    @asynccontextmanager
    async def _phase(self, name: str, seconds: float) -> AsyncIterator[None]:
        """Lasts so long at least, with a look in its second half."""
        start = time.time()  # noqa: TID251 - Prometheus' clock
        yield
        await asyncio.sleep(max(0.0, start + seconds / 2 - time.time()))  # noqa: TID251 - Prometheus' time
        await self._look(name, self.processes[0])
        await asyncio.sleep(max(0.0, start + seconds - time.time()))  # noqa: TID251 - Prometheus' time
        self.phases.append(Phase(name, start, time.time()))  # noqa: TID251 - Prometheus' time

    async def _rest(self, seconds: float = 8.0) -> None:
        """The vendor is well again; what waits goes on."""
        self._stage.scenario()
        await asyncio.sleep(seconds)

    async def _peace(self) -> None:
        await asyncio.sleep(15)
        async with self._phase(PEACE, 30):
            pass

    async def _slow(self) -> None:
        async with self._phase("the vendor is slow", 25):
            self._stage.scenario(latency={"kind": "fixed", "seconds": 3})
        await self._rest()

    async def _fails_partly(self) -> None:
        def some(share: float, **fault: Any) -> dict[str, Any]:
            return {"when": {"share": share}, "do": fault}

        async with self._phase("a part of the answers fails", 40):
            self._stage.scenario(
                rules=[
                    some(0.3, kind="reject", cause="temporary"),
                    some(0.1, kind="reject", cause="permanent"),
                    some(0.1, kind="reset", accepted=True),
                    some(0.05, kind="hang"),
                    some(0.1, kind="html", status=502),
                ]
            )
        await self._rest(25)

    async def _asks_to_wait(self) -> None:
        async with self._phase("the vendor asks to wait", 20):
            self._stage.scenario(rules=[{"do": {"kind": "too_many", "retry_after": 30}}])
        self._stage.scenario()
        await asyncio.sleep(15)

    async def _outage(self) -> None:
        async with self._phase("the vendor is down", 25):
            self._stage.scenario(rules=[{"do": {"kind": "reset", "when": "before_body"}}])
        await self._rest()
        async with self._phase("the vendor's port is closed", 25):
            await self._stage.simulator.close_port()
        await self._stage.simulator.open_port()
        await self._rest()

    async def _password_refused(self) -> None:
        file = self._stage.password_file
        async with self._phase("the password is refused", 25):
            self._stage.scenario(rules=[{"do": {"kind": "reject", "cause": "credentials"}}])
            file.write_text("another-password")
            await asyncio.sleep(5)
            file.write_text("")
        file.write_text(PASSWORD)
        await self._rest()

    async def _silent_service(self) -> None:
        async with self._phase("one service is silent", 20):
            self._services = (SERVICE,)
        self._services = (SERVICE, OTHER_SERVICE)

    async def _flaws(self) -> None:
        async with self._phase("a producer's flaws", 20):
            for _ in range(40):
                mark = self._mark()
                fields = event(mark)
                self._send(single_object({**fields, "phoneNumber": f"+{fields['phoneNumber']}"}))
                self._send(single_object({**event(self._mark()), "expiresAt": 1}))
                await asyncio.sleep(0.2)

    async def _nonsense(self) -> None:
        async with self._phase("records that are no events", 30):
            for _ in range(120):
                for _ in range(10):
                    self._send(b"no event at all")
                await asyncio.sleep(0.2)
        await self.processes[0].command("resume", "--hold", "brake")
        await self.processes[1].command("resume", "--hold", "brake")
        await self._rest(15)

    async def _person_pauses(self) -> None:
        async with self._phase("somebody pauses", 25):
            await self.processes[0].command("pause", "*", "--reason", "the vendor asked us to stop")
            self._paused.write_text(f"{self._stage.main}:2\n")
            await asyncio.sleep(5)
            self._paused.write_text("no target at all!\n")
        self._paused.write_text("")
        await self.processes[0].command("resume")
        await self._rest()

    async def _dead_letters_refused(self) -> None:
        async with self._phase("the dead-letter topic takes nothing", 25):
            self._kafka.refuse_writes(self._stage.dead_letter)
            self._stage.scenario(rules=[{"when": {"share": 0.2}, "do": {"kind": "reject", "cause": "permanent"}}])
        self._kafka.accept_writes(self._stage.dead_letter)
        await self._rest(10)

    async def _processes_end(self) -> None:
        """In the middle of posts without an answer, so that maps of what is settled ahead are needed; and it comes back
        in the middle of a hold, so that records in hand have to be given up."""
        other = self.processes[1]
        hangs = [{"when": {"share": 0.2}, "do": {"kind": "hang"}}]
        async with self._phase("a process is killed, and comes back in a hold", 45):
            self._stage.scenario(rules=hangs)
            await asyncio.sleep(8)
            await other.kill()
            await asyncio.sleep(10)
            self._stage.scenario(rules=[{"do": {"kind": "reject", "cause": "credentials"}}])
            await asyncio.sleep(5)
            await other.start()
            await asyncio.sleep(5)
        await self._rest()
        async with self._phase("a process stands still, and is stopped", 45):
            self._stage.scenario(latency={"kind": "fixed", "seconds": 2})
            await asyncio.sleep(2)
            other.signal(signal.SIGSTOP)
            await asyncio.sleep(15)
            other.signal(signal.SIGCONT)
            await asyncio.sleep(8)
            self._stage.scenario(rules=hangs)
            await asyncio.sleep(3)
            await other.stop()
            self._stage.scenario()
            await other.start()
        await self._rest(15)

    async def _transaction(self) -> None:
        transactional = Producer({"bootstrap.servers": self._kafka.bootstrap_servers, "transactional.id": "left-open"})
        await asyncio.to_thread(transactional.init_transactions, 30)
        async with self._phase("a transaction stays open", 35):
            transactional.begin_transaction()
            transactional.produce(self._stage.main, single_object(event(self._mark())), partition=0)
            await asyncio.to_thread(transactional.flush, 20)
        await asyncio.to_thread(transactional.abort_transaction, 30)
        await asyncio.sleep(12)

    async def _schema_missing(self) -> None:
        async with self._phase("a schema cannot be had", 25):
            self._send(confluent(event(self._mark()), 4711), partition=3)
            self._send(b"\x00" + bare(event(self._mark())), partition=3)

    async def _kafka_away(self) -> None:
        async with self._phase("Kafka is away", 35):
            self._kafka.kill()
        await asyncio.to_thread(self._kafka.start)
        await asyncio.sleep(20)

    async def _produce(self) -> None:
        while True:
            for service in itertools.islice(itertools.cycle(self._services), _RATE // 4):
                number = next(self._numbers)
                self._send(single_object({**event(f"d-{number}", number % 500), "serviceId": service}))
            await asyncio.sleep(0.25)

    def _mark(self) -> str:
        return f"d-{next(self._numbers)}"

    def _send(self, value: bytes, partition: int = -1) -> None:
        self._stage.send(value, partition)
