"""The incidents: how each begins, and what a person does about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import trustme

from connector.edge.clock import SystemClock
from connector.simulator.rules import PASSWORD
from tests.rehearsal import stuck
from tests.rehearsal.world import World
from tests.support.ports import free_port
from tests.whole.stage import confluent, event, number, single_object


class Incident(NamedTuple):
    """`begin` makes it happen and `alert` has to fire; the runbook's commands `do` are run, then `mend` is what a
    person does besides, and it has to resolve. `said` explains what cannot be seen. Without `alert` none may fire.
    """

    title: str
    alert: str
    begin: Callable[[World], Awaitable[None]]
    mend: Callable[[World], Awaitable[None]]
    do: tuple[str, ...] = ()
    said: str = ""


async def _nothing(world: World) -> None:
    pass


async def _wrong_password(world: World) -> None:
    await world.start()
    world.rate = 2
    world.stage.password_file.write_text("wrong")


async def _right_password(world: World) -> None:
    world.stage.password_file.write_text(PASSWORD)


async def _vendor_down(world: World) -> None:
    await world.start()
    world.rate = 2
    world.stage.scenario(rules=[{"do": {"kind": "reset", "when": "before_body"}}])


async def _vendor_well(world: World) -> None:
    world.stage.scenario()


async def _vendor_slow(world: World) -> None:
    await world.start()
    world.rate = 2
    world.stage.scenario(latency={"kind": "fixed", "seconds": 12})


async def _temporary(world: World) -> None:
    await world.start()
    world.rate = 3
    world.stage.scenario(rules=[{"when": {"share": 0.5}, "do": {"kind": "reject", "cause": "temporary"}}])


async def _unregistered(world: World) -> None:
    await world.start()
    world.rate = 2
    stranger = b"\xc3\x01" + b"8 bytes." + single_object(event("s"))[10:]
    world.stage.produce([stranger] * 12)


async def _forgotten_registry(world: World) -> None:
    await world.start()
    world.stage.produce([confluent(event(f"c-{n}", n), 1) for n in range(20)])


async def _named_registry(world: World) -> None:
    """Named in the settings, and the process restarted."""
    await world.start_registry()
    process = world.process
    await process.stop()
    settings = json.loads(process.config.read_text())
    settings["schemas"] = {"registry": {"url": world.registry_url}}
    process.config.write_text(json.dumps(settings))
    await process.start(90)


async def _registry_away(world: World) -> None:
    await world.start(schemas={"registry": {"url": world.registry_url}})
    world.stage.produce([confluent(event(f"c-{n}", n), 1) for n in range(20)])


async def _registry_back(world: World) -> None:
    await world.start_registry()


async def _bad_numbers(world: World) -> None:
    await world.start()
    world.rate = 3
    world.bad = lambda n: {"phoneNumber": "call me"} if n % 4 == 0 else {}


async def _good_producer(world: World) -> None:
    world.bad = None


async def _typo(world: World) -> None:
    await world.start()
    world.rate = 2
    world.bad = lambda n: {"serviceId": "0A1B2C3D4E50"} if n % 20 == 0 else {}


async def _lag(world: World) -> None:
    await world.start(delivery={"in_flight": 2, "uncommitted": 20})
    world.stage.scenario(latency={"kind": "fixed", "seconds": 0.5})
    world.stage.produce_events(event(f"l-{n}", n) for n in range(1500))
    world.rate = 5


async def _no_more_lag(world: World) -> None:
    """The vendor is quick again, and the producer's flood is over."""
    world.rate = 0
    world.stage.scenario()


async def _letters_gone(world: World) -> None:
    await world.start()
    world.rate = 1
    world.broker.delete_topic(world.stage.dead_letter)
    world.stage.produce([b"no event"])


async def _repeats(world: World) -> None:
    await world.start()
    rule = {"when": {"first": 1}, "do": {"kind": "reset", "when": "after_body", "accepted": True}}
    world.stage.produce_events(event(f"w-{n}", n) for n in range(60))
    await world.process.counts("records_accepted_total", 60)
    world.rate = 3
    world.stage.scenario(rules=[{**rule, "when": {"phone_numbers": [number(n) for n in range(200, 215)], "first": 1}}])
    world.stage.produce_events(event(f"r-{n}", n) for n in range(200, 215))


async def _killed(world: World) -> None:
    await world.start(2)
    world.rate = 3
    await world.processes[1].kill()


async def _comes_back(world: World) -> None:
    await world.processes[1].start(90)


async def _evicted(world: World) -> None:
    await world.start(2)
    world.rate = 3
    await world.processes[0].counts("records_accepted_total", 30)
    leaving = world.processes.pop()
    await world.add()
    assert await leaving.stop() == 0


async def _all_delivered(world: World) -> None:
    """The new process joined, the old one drained and left with exit code 0, and every event was accepted once."""
    world.rate = 0
    marks = world.marks
    async with asyncio.timeout(60):
        while world.stage.lost(marks):  # noqa: ASYNC110 - the vendor is asked
            await asyncio.sleep(0.1)
    assert world.stage.accepted_once(marks)


async def _old_certificate(world: World) -> None:
    folder = world.stage.folder
    _certificate(world, days=5)
    tls = {"certificate_file": str(folder / "client.pem"), "key_file": str(folder / "client.key")}
    await world.start(openmarket={"base_url": f"https://127.0.0.1:{free_port()}", "tls": tls})


async def _new_certificate(world: World) -> None:
    _certificate(world, days=365)


def _certificate(world: World, days: int) -> None:
    until = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC) + timedelta(days=days)
    issued = trustme.CA().issue_cert("client.example", not_after=until)
    issued.private_key_pem.write_to_path(world.stage.folder / "client.key")
    issued.cert_chain_pems[0].write_to_path(world.stage.folder / "client.pem")
    (world.stage.folder / "client.key").chmod(0o600)


async def _kafka_away(world: World) -> None:
    await world.start()
    world.rate = 0
    world.broker.kill()


async def _kafka_back(world: World) -> None:
    world.broker.start()


INCIDENTS = (
    Incident("wrong password", "InvokeConnectorHoldDeployment", _wrong_password, _right_password),
    Incident("vendor down", "InvokeConnectorHoldEndpoint", _vendor_down, _vendor_well),
    Incident("vendor slow", "InvokeConnectorVendorSlow", _vendor_slow, _vendor_well),
    Incident("half of the answers 1010", "InvokeConnectorVendorTemporaryErrors", _temporary, _vendor_well),
    Incident(
        "a schema nobody registered",
        "InvokeConnectorDecodeFailures",
        _unregistered,
        _nothing,
        said="the producer's mistake: it ends when no more such records come",
    ),
    Incident("a forgotten registry", "InvokeConnectorHoldBrake", _forgotten_registry, _named_registry),
    Incident("a registry that is away", "InvokeConnectorSchemaMissing", _registry_away, _registry_back),
    Incident(
        "a producer that writes invalid phone numbers among good ones",
        "InvokeConnectorDeadLetters",
        _bad_numbers,
        _good_producer,
        ("connector dlq redrive --config config.yaml --class bad_phone_number",),
    ),
    Incident("a service id with a typo", "InvokeConnectorUnknownServiceId", _typo, _good_producer),
    Incident("lag growing", "InvokeConnectorLagGrowing", _lag, _no_more_lag),
    Incident(
        "dead-letter topic gone",
        "InvokeConnectorDeadLetterWriteFailing",
        _letters_gone,
        _nothing,
        ("connector topics create --config config.yaml",),
    ),
    Incident("a repeat suspected", "InvokeConnectorAcceptedTwice", _repeats, _vendor_well),
    Incident("a partition stuck", "InvokeConnectorPartitionStuck", stuck.begin, stuck.mend),
    Incident("a pod killed", "InvokeConnectorTargetDown", _killed, _comes_back),
    Incident("a pod evicted", "", _evicted, _all_delivered),
    Incident("a certificate about to expire", "InvokeConnectorCertificateExpiring", _old_certificate, _new_certificate),
    Incident("Kafka away", "InvokeConnectorKafkaAway", _kafka_away, _kafka_back),
)
