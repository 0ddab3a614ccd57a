"""The road of a record through a real process: each fate, each framing, each ordering."""

from __future__ import annotations

import json
import shutil
import time
import zlib
from typing import Any
from uuid import UUID

import pytest

from connector.core.record import Record
from tests.support.deadline import eventually
from tests.whole.stage import (
    SCHEMA,
    SERVICE,
    ListeningVendor,
    Stage,
    bare,
    books_balance,
    confluent,
    event,
    number,
    single_object,
)

PATIENCE = 60.0
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _header(record: Record, name: str) -> bytes | None:
    return dict(record.headers).get(name)


async def test_every_fate_leaves_its_mark_and_the_books_balance(stage: Stage) -> None:
    stage.create_topics()
    stage.scenario(
        rules=[
            {"when": {"markers": ["later"], "first": 1, "of": "invocation"}, "do": {"kind": "reject"}},
            {"when": {"markers": ["never"]}, "do": {"kind": "reject", "cause": "permanent"}},
        ]
    )
    good = [f"good-{n}" for n in range(5)]
    events = [event(mark, n) for n, mark in enumerate([*good, "later", "never"])]
    refused = event("refused", 8, serviceId="FFFF")
    stale = event("stale", 9, expiresAt=time.time_ns() // 1_000_000 - 60_000)
    undecodable: list[bytes | None] = [b"not Avro at all", b"", None]
    stage.produce([*map(single_object, [*events, refused, stale]), *undecodable], (("theirs", b"\x00kept"),))
    connector = stage.connector()
    await connector.start()

    metrics = await connector.until(accepted=6, retried=1, dead_lettered=6)

    assert books_balance(metrics)
    assert stage.accepted_once([*good, "later"])
    letters = {_header(letter, "invoke.class"): letter for letter in stage.dead_letters(6)}
    assert set(letters) == {
        b"vendor_permanent",
        b"service_id_not_allowed",
        b"expired",
        b"bad_frame",
        b"empty_value",
        b"tombstone",
    }
    for letter in letters.values():
        assert letter.headers[0] == ("theirs", b"\x00kept")
        assert _header(letter, "__connect.errors.topic") == stage.main.encode()
    never = letters[b"vendor_permanent"]
    assert never.value == single_object(events[-1])
    assert _header(never, "__connect.errors.offset") == b"6"
    assert _header(never, "invoke.http-status") == b"500"
    assert _header(never, "invoke.vendor-code") == b"1000"
    assert letters[b"tombstone"].value is None
    assert await connector.stop() == 0


async def test_a_retry_outlives_the_process_that_wrote_it(stage: Stage) -> None:
    stage.create_topics()
    stage.scenario(rules=[{"when": {"first": 1, "of": "invocation"}, "do": {"kind": "reject"}}])
    stage.produce([single_object(event("later"))])
    first = stage.connector(retry={"delay": "3s"})
    await first.start()
    await first.until(retried=1)
    await first.shows(commits_acknowledged_total=1)
    await first.kill()
    second = stage.connector(retry={"delay": "3s"})
    await second.start()

    await eventually(lambda: stage.accepted_once(["later"]), PATIENCE, "the retry is accepted")

    (retried,) = first.lines("retried")
    assert retried["attempts"] == 1
    assert await second.stop() == 0
    assert stage.accepted_once(["later"])


async def test_wrong_credentials_hold_everything_and_a_restart_with_the_right_ones_ends_it(stage: Stage) -> None:
    stage.create_topics()
    right = stage.password_file.read_text()
    stage.password_file.write_text("wrong")
    marks = [f"held-{n}" for n in range(20)]
    stage.produce([single_object(event(mark, n)) for n, mark in enumerate(marks)])
    connector = stage.connector()
    await connector.start()
    await eventually(lambda: connector.lines("hold_entered"), PATIENCE, "posting stops")
    await connector.shows(lag=20)
    status = await connector.status()
    assert status["holds"][0]["code"] == "bad_credentials"
    assert status["ready"] is True
    assert books_balance(await connector.metrics())
    assert await connector.stop() == 0
    assert stage.simulator.ledger.answers["credentials"] <= 20

    stage.password_file.write_text(right)
    await connector.start()

    metrics = await connector.until(accepted=20)
    assert metrics["records_dead_lettered_total"] == 0
    assert stage.accepted_once(marks)
    assert await connector.stop() == 0


@pytest.mark.parametrize("framing", ["confluent", "single_object", "bare"])
async def test_each_framing_is_read(stage: Stage, framing: str) -> None:
    stage.create_topics()
    schemas: dict[str, Any] = {"folder": str(stage.folder / "schemas"), "framing": framing}
    (stage.folder / "schemas").mkdir()
    (stage.folder / "schemas" / "ids.json").write_text(json.dumps({"7": "writer.avsc"}))
    shutil.copy(SCHEMA, stage.folder / "schemas" / "writer.avsc")
    if framing == "bare":
        schemas["bare_schema"] = str(SCHEMA)
    encode = {"confluent": lambda e: confluent(e, 7), "single_object": single_object, "bare": bare}[framing]
    stage.produce([encode(event(f"e-{n}", n)) for n in range(3)])
    connector = stage.connector(schemas=schemas)
    await connector.start()
    await connector.until(accepted=3, dead_lettered=0)
    assert stage.accepted_once(f"e-{n}" for n in range(3))
    assert await connector.stop() == 0


async def test_schemas_that_a_header_or_aws_glue_names_are_read(stage: Stage) -> None:
    """Confluent's GUID in a header, and beside it records without one."""
    stage.create_topics()
    uuid = UUID("89791762-2336-4186-9674-299b90a802e2")
    folder = stage.folder / "schemas"
    folder.mkdir()
    (folder / "ids.json").write_text(json.dumps({str(uuid): "writer.avsc"}))
    shutil.copy(SCHEMA, folder / "writer.avsc")
    stage.produce([bare(event(f"e-{n}", n)) for n in range(2)], (("__value_schema_id", b"\1" + uuid.bytes),))
    stage.produce([b"\3\5" + uuid.bytes + zlib.compress(bare(event("e-2", 2))), single_object(event("e-3", 3))])
    connector = stage.connector(schemas={"folder": str(folder), "framing": "header"})
    await connector.start()
    await connector.until(accepted=4, dead_lettered=0)
    assert stage.accepted_once(f"e-{n}" for n in range(4))
    assert await connector.stop() == 0


async def test_json_of_other_fields_is_mapped_and_what_breaks_its_schema_is_a_letter(stage: Stage) -> None:
    """A binary CloudEvent: its id is a header."""
    stage.create_topics()
    schema = {"type": "object", "properties": {"phone": {"type": "string"}}, "required": ["phone"]}
    (stage.folder / "booking.json").write_text(json.dumps(schema))
    source = {"path": "$header.ce_id"}
    mapped = {"serviceId": {"value": SERVICE}, "phoneNumber": "phone", "variables": {"session": {"eventId": source}}}
    for n in range(2):
        stage.produce([json.dumps({"phone": number(n)}).encode()], (("ce_id", f"e-{n}".encode()),))
    stage.produce([b'{"phone": 12015550199}', b'{"phone": "1", "phone": "2"}'])
    connector = stage.connector(
        schemas={"framing": "json", "json_schema": str(stage.folder / "booking.json")},
        mapping={"events": [{"eventId": source, **mapped}]},
    )
    await connector.start()
    await connector.until(accepted=2, dead_lettered=2)
    assert stage.accepted_once(["e-0", "e-1"])
    letters = stage.dead_letters(2)
    assert {_header(letter, "invoke.class") for letter in letters} == {b"schema_violation", b"duplicate_key"}
    assert not any(b"12015550199" in (value or b"") for letter in letters for _, value in letter.headers)
    assert await connector.stop() == 0


@pytest.mark.parametrize("ordering", ["end_user", "partition", "none"])
async def test_each_ordering_keeps_what_it_promises(stage: Stage, ordering: str) -> None:
    stage.create_topics(partitions=2)
    stage.scenario(latency={"kind": "uniform", "low": 0.0, "high": 0.02})
    users, each = 6, 10
    events = [event(f"{n:03d}", n % users) for n in range(users * each)]
    stage.produce_events(events)
    connector = stage.connector(delivery={"ordering": ordering})
    await connector.start()
    await connector.until(accepted=users * each)
    assert stage.accepted_once(fields["eventId"] for fields in events)
    if ordering != "none":
        for user in range(users):
            wanted = [fields["eventId"] for fields in events if fields["phoneNumber"] == number(user)]
            assert stage.simulator.ledger.order(number(user)) == wanted
    assert await connector.stop() == 0


async def test_the_producers_trace_goes_on_to_the_vendor_and_into_the_log(stage: Stage) -> None:
    stage.create_topics()
    stage.produce([single_object(event("traced"))], (("traceparent", TRACEPARENT.encode()), ("tracestate", b"rojo=1")))
    connector = stage.connector()
    await connector.start()
    await connector.until(accepted=1)
    vendor = stage.simulator.vendor
    assert isinstance(vendor, ListeningVendor)
    assert (vendor.traceparents, vendor.tracestates) == ([TRACEPARENT], ["rojo=1"])
    assert await connector.stop() == 0
    assert connector.lines("accepted")[0]["trace_id"] == TRACEPARENT.split("-")[1]


async def test_a_repeat_is_found_in_the_log(stage: Stage) -> None:
    """The vendor accepts a post and its answer is lost; the accepted line of the second one names the record."""
    stage.create_topics()
    answer = {"kind": "truncate", "status": 502, "accepted": True}
    stage.scenario(rules=[{"when": {"markers": ["twice"], "first": 1}, "do": answer}])
    stage.produce([single_object(event("once", 1)), single_object(event("twice", 2))])
    connector = stage.connector()
    await connector.start()
    metrics = await connector.until(accepted=2)
    assert (stage.repeats, metrics["accepted_after_maybe_delivered_total"]) == (1, 1)
    assert await connector.stop() == 0
    once, twice = (
        {key: value for key, value in line.items() if key not in ("timestamp", "request_id", "post_ms")}
        for line in connector.lines("accepted")
    )
    common = {"level": "info", "event": "accepted"}
    assert once == {**common, "topic": stage.main, "partition": 0, "offset": 0, "event_id": "once", "attempts": 1}
    assert twice == {
        **common,
        "topic": stage.retry,
        "partition": 0,
        "offset": 0,
        "event_id": "twice",
        "attempts": 2,
        "origin_partition": 0,
        "origin_offset": 1,
        "possible_duplicate": True,
    }
