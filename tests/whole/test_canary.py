"""The canary: a phone number, values and credentials are planted everywhere, and every exit is searched for them."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.core.record import Partition
from connector.simulator.rules import ACCOUNT_ID, Page, Request
from connector.simulator.server import SimulatorServer
from connector.simulator.vendor import Plan, Vendor
from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.support.kafka_broker import Kafka
from tests.whole.stage import SERVICE, Fields, Stage, books_balance, event, single_object

PHONE = "12015550187"
VALUE = "planted-seat-behind-the-wing"
NUMBER = 8675309
PASSWORD = "planted-vendor-password"
REGISTRY = "planted-registry-password"
SASL = "planted-sasl-password"
BASIC = base64.b64encode(f"{ACCOUNT_ID}:{PASSWORD}".encode()).decode()
PLANTED = ("5550187", "555-0187", "555 0187", VALUE, str(NUMBER), PASSWORD, REGISTRY, SASL, BASIC)
PATIENCE = 60.0
OURS = ("invoke.", "__connect.errors.")


class EchoingVendor(Vendor):
    """A vendor whose request ids repeat the phone number."""

    def on_request(self, request: Request, now: float) -> Plan:
        """Judge, and echo."""
        return super().on_request(request, now)._replace(request_id=f"REQ-{PHONE}")


@pytest.fixture
async def stage(kafka: Kafka, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage whose vendor echoes, and whose credentials are planted."""
    simulator = SimulatorServer(EchoingVendor(Page(password=PASSWORD)))
    stage = Stage(kafka, tmp_path, simulator, await simulator.start())
    stage.password_file.write_text(PASSWORD)
    stage.create_topics(partitions=2)
    try:
        yield stage
    finally:
        await stage.close()


def _event(mark: str, **fields: Any) -> Fields:
    """An event with the plants in every field that can hold them."""
    variables = {"session": {"eventId": mark, "seat": VALUE, "miles": NUMBER, "number": PHONE}}
    event_id = f"{mark}-{PHONE}"
    return {**event(mark), "eventId": event_id, "phoneNumber": PHONE, "variables": variables, **fields}


def _with(mark: str, **scopes: dict[str, Any]) -> Fields:
    fields = _event(mark)
    return {**fields, "variables": {**fields["variables"], **scopes}}


ACCEPTED = [_event("good"), _event("kind", phoneNumber=f"+{PHONE}", mobileOperatorId=0)]
ACCEPTED.append({**ACCEPTED[0], "variables": {**ACCEPTED[0]["variables"], "user": {}}})
ECHOED = [_event("echo-dead"), _event("echo-retry")]
REFUSED = [
    _event("service", serviceId=PHONE),
    _event("service-shape", serviceId=f"../{VALUE}"),
    _event("dashes", phoneNumber="+1 201-555-0187"),
    _event("letters", phoneNumber=f"tel:{PHONE}"),
    _event("national", phoneNumber="0" + PHONE),
    _event("long", phoneNumber=PHONE * 2),
    _event("id", eventId=f"of {PHONE} and {VALUE}!"),
    _event("no-id", eventId=""),
    _event("id-too-long", eventId=PHONE * 10),
    _event("bad-time", createdAt=-(2**62)),
    _event("expired", expiresAt=1),
    _with("scope", **{PHONE: {"a": VALUE}}),
    _with("scope-twice", User={"a": VALUE}, user={"b": VALUE}),
    _with("key", user={PHONE: VALUE}),
    _with("key-shape", user={f"number of {PHONE}": VALUE}),
    _with("key-twice", user={"Seat": VALUE, "seat": VALUE}),
    _with("reserved", user={"div": VALUE}),
    _with("built-in", user={"id": VALUE}),
    _with("emoji", user={"a": f"{VALUE} {PHONE} \N{GRINNING FACE}"}),
    _with("value-long", user={"a": f"{VALUE} {PHONE} " * 200}),
    _with("body-long", user={f"a{'b' * n}": f"{VALUE} {PHONE} " * 20 for n in range(20)}),
    _with("not-a-number", user={"a": math.nan}),
]


def _damaged() -> list[bytes | None]:
    whole = single_object(_event("damaged"))
    texts = f"{PHONE} {VALUE}".encode()
    return [texts, whole[:-3], whole + texts, whole[:10] + texts, b"\xc3\x01" + texts, b"\xff" * 5 + texts]


async def _output(*arguments: str, stdin: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connector", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "1000"},
    )
    output, _ = await process.communicate(stdin.encode())
    assert output
    return output.decode()


def _search(exit_name: str, text: str) -> None:
    assert text.strip(), f"{exit_name} shows nothing, so that nothing was searched"
    found = [plant for plant in PLANTED if plant.lower() in text.lower()]
    lines = [line[:400] for line in text.splitlines() if any(plant.lower() in line.lower() for plant in found)]
    assert not found, f"{exit_name} shows {found}: {lines[:3]}"


def _search_headers(stage: Stage, topic: str, count: int) -> None:
    for record in stage.cluster.read(Partition(topic, 0), count):
        ours = [(name, value) for name, value in record.headers if name.startswith(OURS)]
        assert ours
        for name, value in ours:
            _search(f"header {name} of {topic}", f"{name} {(value or b'').decode()}")


def _connector(stage: Stage) -> ConnectorProcess:
    basic_auth = stage.folder / "registry-auth"
    basic_auth.write_text(f"somebody:{REGISTRY}")
    registry = {"url": "http://127.0.0.1:9", "basic_auth_file": str(basic_auth)}
    return stage.connector(schemas={"registry": registry}, retry={"delay": "60s"}, log={"level": "debug"})


async def test_nothing_planted_leaves_a_process_by_a_side_door(stage: Stage) -> None:
    stage.scenario(
        rules=[
            {"when": {"markers": ["echo-dead"]}, "do": {"kind": "reject", "cause": "permanent", "echo": True}},
            {"when": {"markers": ["echo-retry"]}, "do": {"kind": "reject", "cause": "temporary", "echo": True}},
        ]
    )
    events = [*ACCEPTED, *ECHOED, *REFUSED]
    damaged = _damaged()
    trace = (("traceparent", f"00-{PHONE}-{VALUE}-01".encode()),)
    stage.produce([*map(single_object, events), *damaged], trace, partition=0)
    # Its schema is to be had from a registry that nobody can reach: the partition waits, and says why.
    stage.produce([b"\x00\x00\x00\x00\x63" + f"{PHONE} {VALUE}".encode()], trace, partition=1)
    connector = _connector(stage)
    await connector.start()
    dead = 1 + len(REFUSED) + len(damaged)

    metrics = await connector.until(accepted=len(ACCEPTED), retried=1, dead_lettered=dead)

    assert books_balance(metrics)
    await eventually(lambda: connector.lines("schema_unavailable"), PATIENCE, "the registry is missed")
    _search("/metrics", await connector.metrics_text())
    _search("/status", json.dumps(await connector.status()))
    page = await connector.page()
    _search("/", page)
    assert "<td>schema, for " in page
    assert await connector.stop() == 0
    _search("the log", connector.log)
    _search_headers(stage, stage.dead_letter, dead)
    _search_headers(stage, stage.retry, 1)


async def test_nothing_planted_leaves_a_process_whose_credentials_are_refused(stage: Stage) -> None:
    stage.scenario(rules=[{"do": {"kind": "reject", "cause": "credentials", "echo": True}}])
    stage.produce([single_object(_event("held"))], partition=0)
    connector = _connector(stage)
    await connector.start()
    await connector.shows(holds_total=1)
    _search("/metrics", await connector.metrics_text())
    _search("/status", json.dumps(await connector.status()))
    page = await connector.page()
    _search("/", page)
    assert "<h1>Not delivering: held</h1>" in page
    assert "<h2>Hold: deployment, bad_credentials</h2>" in page
    await connector.stop()
    _search("the log", connector.log)


async def test_nothing_planted_is_printed_by_the_commands(stage: Stage) -> None:
    stage.scenario(rules=[{"when": {"markers": ["echo-dead"]}, "do": {"kind": "reject", "echo": True}}])
    config = str(_connector(stage).config)
    lines = "\n".join(json.dumps(fields) for fields in [*ACCEPTED, *REFUSED])
    stage.produce([single_object(_event("rendered"))], partition=0)
    echoed = stage.folder / "event.json"
    echoed.write_text(json.dumps(_event("echo-dead")))
    sasl = stage.folder / "sasl"
    sasl.write_text(SASL)
    security = {"protocol": "sasl_plaintext", "mechanism": "PLAIN", "username": "u", "password_file": str(sasl)}
    with_sasl = str(stage.connector(kafka={"security": security}).config)
    commands: list[tuple[str, ...]] = [
        ("check", "--config", config),
        ("check", "--config", config, "--live", "--probe"),
        ("check", "--config", with_sasl),
        ("config", "--config", config),
        ("config", "--config", with_sasl),
        ("render", "--config", config),
        ("render", "--config", config, "--topic", stage.main, "--partition", "0", "--offset", "0"),
        ("post", "--config", config, str(echoed)),
        ("post", "--config", config, str(echoed), "--yes"),
    ]
    for command in commands:
        _search(f"connector {command[0]}", await _output(*command, stdin=lines))
    assert SERVICE in await _output("config", "--config", config)
