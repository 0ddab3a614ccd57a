"""One performance: simulator, connector and producer side by side, until every record is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from connector.cli.demo import books
from connector.cli.demo.books import Books, DeadLetter
from connector.cli.demo.broker import Broker, Names
from connector.cli.demo.mix import MARKER, Scripted, vendors_day
from connector.cli.demo.process import ConnectorProcess
from connector.cli.demo.view import Screen, Snapshot
from connector.core.envelope import CLASS
from connector.core.record import Record
from connector.edge.clock import SystemClock
from connector.edge.kafka.sink import KafkaSink
from connector.edge.kafka.tail import Tail
from connector.simulator.server import SimulatorServer
from connector.simulator.vendor import Vendor

_PATIENCE = 30.0
"""Seconds without anything newly accounted for after which the rest is given up as lost."""

_LOOK = 0.1
_WRITES = 500


class DemoError(Exception):
    """The performance broke off. The text says why."""


class Performed(NamedTuple):
    """What was counted, and the dead letters themselves."""

    books: Books
    dead_letters: Sequence[Record]


class Play:
    """The records, and what became of them so far. Made on a running event loop."""

    def __init__(self, broker: Broker, own: Names, records: list[Scripted], seed: int, screen: Screen) -> None:
        self._broker = broker
        self._own = own
        self._records = {record.marker: record for record in records}
        self._screen = screen
        self._clock = SystemClock()
        self._began = self._clock.monotonic()
        self._simulator = SimulatorServer(Vendor(scenario=vendors_day(records, seed)))
        self._tail = Tail({"bootstrap.servers": broker.bootstrap_servers}, own.dead_letter)
        self._produced = 0
        self._dead_letters: list[Record] = []

    async def perform(self, folder: Path) -> Performed:
        """Start everything, wait until all is accounted for, stop the connector, and count.

        `folder` is for settings and log. Raises DemoError.
        """
        connector = ConnectorProcess(folder)
        try:
            url = await self._simulator.start()
            self._screen.say(f"Kafka       {self._broker.bootstrap_servers}  {self._broker.about}")
            self._screen.say(f"vendor      {url}  the simulator, in this process")
            process_id = await connector.start(self._broker, self._own, url)
            self._screen.say(f"connector   process {process_id}, with settings and log in {folder}")
            await self._produce_and_watch(connector)
            exit_code = await connector.stop()
            self._dead_letters += await asyncio.to_thread(self._tail.rest)
            return Performed(self._books(exit_code), self._dead_letters)
        finally:
            await connector.stop()
            await self._simulator.stop()
            await asyncio.to_thread(self._tail.close)

    async def _produce_and_watch(self, connector: ConnectorProcess) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._produce())
                group.create_task(self._until_accounted_for(connector))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _produce(self) -> None:
        properties = {"bootstrap.servers": self._broker.bootstrap_servers, "partitioner": "murmur2_random"}
        sink = KafkaSink(properties, lambda _code: None)
        records = list(self._records.values())
        try:
            for start in range(0, len(records), _WRITES):
                batch = records[start : start + _WRITES]
                await asyncio.gather(*(self._write(sink, record) for record in batch))
        finally:
            await sink.close()

    async def _write(self, sink: KafkaSink, record: Scripted) -> None:
        headers = ((MARKER, record.marker.encode()),)
        failed = await sink.write(self._own.main, record.key, record.value, headers)
        if failed is not None:
            raise DemoError(f"the broker did not take a record: {failed.code}")
        self._produced += 1

    async def _until_accounted_for(self, connector: ConnectorProcess) -> None:
        missing, seen_at = len(self._records), self._clock.monotonic()
        status: Mapping[str, Any] = {}
        while missing:
            self._dead_letters += await asyncio.to_thread(self._tail.read, _LOOK)
            status = await connector.status() or status
            self._screen.show(self._snapshot(status))
            left = len(books.lost(self._books(None)))
            if left < missing:
                missing, seen_at = left, self._clock.monotonic()
            if connector.exit_code is not None:
                raise DemoError(
                    f"the connector ended by itself, exit code {connector.exit_code}\n{connector.last_words()}"
                )
            if self._clock.monotonic() - seen_at > _PATIENCE:
                self._screen.say(f"nothing new in {_PATIENCE:.0f} s: {missing} records are given up")
                break
        self._screen.show(self._snapshot(await connector.status() or status), last=True)

    def _snapshot(self, status: Mapping[str, Any]) -> Snapshot:
        ledger = self._simulator.ledger
        return Snapshot(
            seconds=self._clock.monotonic() - self._began,
            produced=self._produced,
            accepted=ledger.accepted,
            refused=sum(ledger.answers.values()) - ledger.accepted,
            dead_letters=len(self._dead_letters),
            status=status,
        )

    def _books(self, exit_code: int | None) -> Books:
        ledger = self._simulator.ledger
        return Books(
            produced={marker: record.expected for marker, record in self._records.items()},
            accepted=ledger.counts("marker"),
            requests=sum(ledger.answers.values()),
            dead_letters=[self._dead_letter(record) for record in self._dead_letters],
            exit_code=exit_code,
        )

    def _dead_letter(self, record: Record) -> DeadLetter:
        headers = dict(record.headers)
        marker = (headers.get(MARKER) or b"").decode()
        original = self._records.get(marker)
        intact = original is not None and (record.key, record.value) == (original.key, original.value)
        return DeadLetter(marker, (headers.get(CLASS) or b"").decode(), intact)
