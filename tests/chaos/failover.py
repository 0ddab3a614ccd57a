"""`make failover`: a connector goes on in another cluster, to which MirrorMaker copies, and nobody is texted twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from connector.edge.kafka.admin import SILENT
from connector.simulator.server import SimulatorServer
from tests.support.apache_kafka import ApacheKafka
from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.support.kafka_broker import Kafka
from tests.support.mirror_maker import MirrorMaker
from tests.whole.stage import Fields, ListeningVendor, Stage, event, single_object

_PARTITIONS = 4
_IN_A_TRANSACTION = 400
"""Events whose transaction's markers take offsets at the source that a mirror does not have."""

_PATIENCE = 300.0
_ASKED_TO_WAIT = 25
"""Seconds for which the vendor puts some off, so that the rest is settled ahead of them."""


def failover(
    events: Annotated[int, typer.Option(min=1000, help="Half of them are posted at the source.")] = 100_000,
    by_ledger: Annotated[
        bool,
        typer.Option("--by-ledger", help="The source is killed, and its mirrored ledger stands in for its commits."),
    ] = False,
) -> None:
    """Stop a connector in the middle, translate its commits, start it at the mirror, and count."""
    drill = _drill_by_ledger if by_ledger else _drill
    with tempfile.TemporaryDirectory(prefix="connector-failover-") as name:
        folder = Path(name)
        source, target = (ApacheKafka(folder / each) for each in ("source", "target"))
        mirror_maker = MirrorMaker(folder, source.bootstrap_servers, target.bootstrap_servers)
        try:
            source.start()
            target.start()
            mirror_maker.start()
            lost, repeats = asyncio.run(drill(folder, source, target, events))
        finally:
            mirror_maker.stop()
            target.stop()
            source.stop()
    typer.echo(f"{events:,} events: {lost} lost, {repeats} posted twice")
    if lost or (repeats and not by_ledger):
        raise typer.Exit(1)


async def _drill(folder: Path, source: ApacheKafka, target: ApacheKafka, events: int) -> tuple[int, int]:
    simulator = SimulatorServer(ListeningVendor())
    here = Stage(Kafka(source.bootstrap_servers), folder / "here", simulator, await simulator.start())
    marks = _set_up(here, events)
    put_off = [marks[events // 2 - back] for back in (10, 70, 130, 190, 1_000)]
    at_source = here.connector()
    settings = {"kafka": {"bootstrap_servers": target.bootstrap_servers}}
    at_target = here.connector(**settings)
    try:
        busy = {"kind": "too_many", "retry_after": _ASKED_TO_WAIT}
        here.scenario(rules=[{"when": {"markers": put_off}, "do": busy}])
        await at_source.start()
        await eventually(lambda: simulator.ledger.accepted >= events // 2, _PATIENCE, "the first half")
        await at_source.stop()
        typer.echo(f"stopped at the source: {simulator.ledger.accepted:,} accepted")
        await _mirrored(here, target, events)
        await at_target.spawn()
        code = await at_target.ended()
        (failed,) = at_target.lines("source_failed")
        typer.echo(f"started at the target as it is: exit code {code}, {failed['code']}, {failed['remedy']}")
        for more in ((), ("--yes",)):
            typer.echo(_translate(at_source, at_target, *more))
        here.scenario()
        await at_target.start()
        await eventually(lambda: simulator.ledger.accepted >= events, _PATIENCE, "the second half")
        await at_target.stop()
        return len(here.lost(marks)), here.repeats
    finally:
        await here.close()


async def _drill_by_ledger(folder: Path, source: ApacheKafka, target: ApacheKafka, events: int) -> tuple[int, int]:
    """The connector is killed (-9) at work, and its brokers once the mirror has caught up."""
    simulator = SimulatorServer(ListeningVendor())
    here = Stage(Kafka(source.bootstrap_servers), folder / "here", simulator, await simulator.start())
    marks = _set_up(here, events)
    here.cluster.kafka.create_topic(f"{here.main}.ledger", _PARTITIONS)
    key_file = folder / "ledger-key"
    key_file.write_text("0123456789abcdef")
    ledger = {"key_file": str(key_file)}
    at_source = here.connector(ledger=ledger)
    at_target = here.connector(
        kafka={"bootstrap_servers": target.bootstrap_servers, "translated": "warn"},
        delivery={"deduplicate": "1h"},
        ledger=ledger,
    )
    try:
        await at_source.start()
        await eventually(lambda: simulator.ledger.accepted >= events // 2, _PATIENCE, "the first half")
        await at_source.kill()
        committed = await _mirrored(here, target, events)
        source.kill()
        said = f"{simulator.ledger.accepted:,} accepted, {committed:,} of them before the commits at the target"
        typer.echo(f"killed at the source: {said}")
        typer.echo(_offsets("repeats", "--config", str(at_target.config)))
        await at_target.start()
        await eventually(lambda: not here.lost(marks), _PATIENCE, "the second half")
        found = await at_target.shows(records_in_hand=0)
        typer.echo(f"settled at the target without a post: {found['records_duplicate_total']:,.0f}")
        await at_target.stop()
        return len(here.lost(marks)), here.repeats
    finally:
        await here.close()


def _set_up(here: Stage, events: int) -> list[str]:
    """Topics with events, and their marks."""
    here.create_topics(_PARTITIONS, retry=1)
    marks = [f"e-{n}" for n in range(events)]
    given = [event(mark, n % 10_000) for n, mark in enumerate(marks)]
    _produce_in_a_transaction(here, given[:_IN_A_TRANSACTION])
    here.produce_events(given[_IN_A_TRANSACTION:])
    return marks


def _produce_in_a_transaction(here: Stage, events: Iterable[Fields]) -> None:
    properties = {"bootstrap.servers": here.cluster.kafka.bootstrap_servers, "transactional.id": "events"}
    producer = Producer(properties, logger=SILENT)
    producer.init_transactions(20)
    producer.begin_transaction()
    for fields in events:
        producer.produce(here.main, single_object(fields), fields["phoneNumber"].encode())
    producer.commit_transaction(20)


async def _mirrored(here: Stage, target: ApacheKafka, events: int) -> int:
    """Wait until the mirror has all records, and MirrorMaker's commits for the group; the sum of these."""
    properties = {"bootstrap.servers": target.bootstrap_servers, "group.id": here.cluster.group}
    consumer = Consumer(properties, logger=SILENT)
    places = [TopicPartition(here.main, number) for number in range(_PARTITIONS)]

    def is_whole() -> bool:
        if here.main not in consumer.list_topics(timeout=60).topics:
            return False
        try:
            ends = [consumer.get_watermark_offsets(each, timeout=60)[1] for each in places]
            return sum(ends) == events and all(each.offset >= 0 for each in consumer.committed(places, timeout=60))
        except KafkaException:  # a topic that was just created has no leader that is known
            return False

    await eventually(is_whole, _PATIENCE, "the mirror")
    await asyncio.sleep(5)  # MirrorMaker's last commits and entries: what they are decides about figures only
    commits = sum(each.offset for each in consumer.committed(places, timeout=60))
    consumer.close()
    return commits


def _translate(source: ConnectorProcess, target: ConnectorProcess, *more: str) -> str:
    return _offsets("translate", "--from", str(source.config), "--to", str(target.config), *more)


def _offsets(*arguments: str) -> str:
    command = [sys.executable, "-m", "connector", "offsets", *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


if __name__ == "__main__":
    typer.run(failover)
