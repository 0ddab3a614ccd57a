"""One rehearsal's neighbours and processes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.support.connector_process import ConnectorProcess
from tests.support.kafka_broker import KafkaBroker
from tests.support.ports import free_port
from tests.whole.stage import SCHEMA, Stage, event


class World:
    """One rehearsal's neighbours. Events are written in the background, so many a second."""

    def __init__(
        self, stage: Stage, broker: KafkaBroker, watch: Callable[[list[ConnectorProcess]], Awaitable[None]]
    ) -> None:
        """`watch` is told of processes before anything happens: what rose before the first scrape is no increase."""
        self.stage = stage
        self.broker = broker
        self._watch = watch
        self.processes: list[ConnectorProcess] = []
        self.rate = 0
        self.bad: Callable[[int], dict[str, Any]] | None = None
        self.run: Callable[[str], Awaitable[None]]
        """Runs a command of the runbook's mitigation."""
        self._count = 0
        self._registry_port = free_port()
        self._registry: web.AppRunner | None = None

    @property
    def registry_url(self) -> str:
        """Where the registry is, once it is started."""
        return f"http://127.0.0.1:{self._registry_port}"

    @property
    def marks(self) -> list[str]:
        """The marks of all events that were written in the background."""
        return [f"e-{n + 1}" for n in range(self._count)]

    async def start_registry(self) -> None:
        """One that knows a single schema, with the id 1."""

        async def answer(_request: web.Request) -> web.Response:
            return web.json_response({"schema": SCHEMA.read_text()})

        app = web.Application()
        app.add_routes([web.get("/schemas/ids/1", answer)])
        self._registry = web.AppRunner(app)
        await self._registry.setup()
        await web.TCPSite(self._registry, "127.0.0.1", self._registry_port).start()

    async def close(self) -> None:
        """End what was started."""
        await self.stage.close()
        if self._registry is not None:
            await self._registry.cleanup()

    @property
    def process(self) -> ConnectorProcess:
        """The one to look at."""
        return self.processes[0]

    async def start(self, count: int = 1, *, before: tuple[str, ...] = (), **sections: Any) -> None:
        """Fresh topics, and so many processes on them; `before` are the words of a command that starts each."""
        self.stage.create_topics(2, retry=1)
        for topic in (self.stage.retry, self.stage.dead_letter):
            self.stage.configure(topic, "max.message.bytes", "1056780")
        await self.add(count, before=before, **sections)

    async def add(self, count: int = 1, *, before: tuple[str, ...] = (), **sections: Any) -> None:
        """More processes."""
        for _ in range(count):
            process = self.stage.connector(admin={"control_port": free_port()}, **sections)
            self.processes.append(process)
            await process.spawn(*before)
            await process.joins(90)
        await self._watch(self.processes)

    def produce(self) -> None:
        """What comes within a tenth of a second."""
        for _ in range(self.rate):
            self._count += 1
            more = self.bad(self._count) if self.bad is not None else {}
            self.stage.produce_events([event(f"e-{self._count}", self._count % 5000, **more)])
