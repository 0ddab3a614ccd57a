"""Events of producers' own schemas: who waits for whom, what is posted once, what is passed over, what waits."""

from __future__ import annotations

import asyncio
import json
from io import BytesIO
from typing import Any

import fastavro
import pytest
import yaml

from connector.config.mapping import Mapping
from connector.core.destination import EXPIRED
from connector.core.envelope import Cause, History, Origin, retry_headers
from connector.core.mapping.errors import MISFIT, NOT_OURS
from connector.core.record import Headers, Partition
from connector.core.refusal import Stage
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.edge.avro.codec import Reader, encode
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.lookup import Asking
from connector.edge.avro.registry_answers import Found, NotAvro, Unavailable, Unknown
from connector.edge.avro.schemas import SchemaFolder
from tests.engine.stage import (
    ACCEPTED,
    DEAD,
    MAIN,
    RETRY,
    TEMPORARY,
    Connector,
    ScriptedVendor,
    always,
    broker,
    feed,
    running,
    values,
)
from tests.support.avro import CURRENT, EVENT
from tests.support.clock import VirtualClock, run_virtual

BOOKING, RENAMED, AUDIT, OURS, MOVED, RECURSIVE, TREE, UNION, OTHERS = range(1, 10)
PHONE = "491705550147"
RULES = """
events:
  - schema: com.example.Booking
    when: [{path: state, is: [CONFIRMED]}]
    eventId: id
    serviceId: {value: 0A1B}
    phoneNumber: {path: passenger.phone, then: [{phone: DE}]}
    variables: {request: {mark: mark}}
"""

AROUND = """
- schema: com.example.Booking
  eventId: {join: [$topic, $partition, $offset], with: "-"}
  serviceId: {value: 0A1B}
  phoneNumber: {path: passenger.phone, then: [{phone: DE}]}
  expiresAt: {path: $timestamp, then: [{plus: 20m}]}
  variables: {request: {mark: {join: [$topic, $partition, $offset, $header.trip], with: "/"}}}
"""


def booking(phone: str) -> dict[str, Any]:
    fields: list[dict[str, Any]] = [{"name": name, "type": "string"} for name in ("id", "state", "mark")]
    passenger = {"type": "record", "name": "Passenger", "fields": [{"name": phone, "type": "string"}]}
    return {
        "type": "record",
        "name": "com.example.Booking",
        "fields": [*fields, {"name": "passenger", "type": passenger}],
    }


AUDITED = {"type": "record", "name": "com.example.Audit", "fields": [{"name": "what", "type": "string"}]}
SCHEMAS: dict[int, Any] = {
    BOOKING: booking("phone"),
    RENAMED: booking("msisdn"),
    AUDIT: AUDITED,
    OURS: json.loads(CURRENT),
    MOVED: {**booking("phone"), "name": "com.example.v2.Booking"},
    TREE: {"type": "record", "name": "a.Tree", "fields": [{"name": "of", "type": {"type": "array", "items": "Tree"}}]},
    RECURSIVE: {**booking("phone"), "fields": [{"name": "earlier", "type": ["null", "com.example.Booking"]}]},
    UNION: [AUDITED, booking("phone")],
    OTHERS: [AUDITED, "null"],
}


class Registry:
    """Knows SCHEMAS."""

    url = "http://registry"

    def __init__(self) -> None:
        self.versions_asked: list[int] = []

    async def schema(self, number: int) -> Found | Unknown | NotAvro | Unavailable:
        return Found(json.dumps(SCHEMAS[number]), ())

    async def versions(self, number: int) -> str | None:
        self.versions_asked.append(number)
        return f"bookings-value version {number}"

    async def close(self) -> None:
        pass


class Noting:
    """A decoder that notes for which records a schema was asked for."""

    def __init__(self, decoder: AvroDecoder) -> None:
        self.decode = decoder.decode
        self.close = decoder.close
        self.asked: list[tuple[Partition, int]] = []
        self._decoder = decoder

    async def fetch(self, needed: SchemaNeeded, newest: int) -> SchemaMissing | None:
        self.asked.append((needed.partition, needed.offset))
        return await self._decoder.fetch(needed, newest)


class World:
    """A connector with a mapping, and a vendor that accepts everything."""

    def __init__(self, clock: VirtualClock, deduplicate_ms: int | None = None, **rules: Any) -> None:
        self.kafka, self.vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
        reader = Reader(CURRENT, Mapping.model_validate({**yaml.safe_load(RULES), **rules}).rules)
        self.registry = registry = Registry()
        also = Asking(versions=registry.versions)
        decoder = Noting(
            AvroDecoder(reader, SchemaFolder((), {}), registry=registry, also=also, monotonic=clock.monotonic)
        )
        self.asked = decoder.asked
        self.connector = Connector(self.kafka, self.vendor, clock, decoder=decoder, deduplicate_ms=deduplicate_ms)

    def write(
        self,
        schema_id: int,
        fields: dict[str, Any],
        topic: str = MAIN,
        partition: int = 0,
        headers: Headers = (),
    ) -> None:
        out = BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMAS[schema_id]), fields)
        value = b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()
        self.kafka.append(Partition(topic, partition), value, headers=headers)

    def book(self, mark: str, phone: str = f"+{PHONE}", state: str = "CONFIRMED", **more: Any) -> None:
        """A booking's event; `mark` tells posts apart."""
        fields = {"id": f"e-{mark}", "state": state, "mark": mark, "passenger": {"phone": phone}}
        self.write(BOOKING, {**fields, **more.pop("fields", {})}, **more)

    def audit(self, **where: Any) -> None:
        """A record of a type that is none of ours."""
        self.write(AUDIT, {"what": "x"}, **where)

    @property
    def dead(self) -> list[bytes | None]:
        """The class of every dead letter."""
        return [dict(letter.headers)["invoke.class"] for letter in values(self.kafka, DEAD)]

    def committed(self) -> int:
        """How far the main topic's first partition is."""
        return self.connector.engine.assignments[Partition(MAIN, 0)].committed.offset


@run_virtual
async def test_one_phone_in_two_spellings_is_one_end_user(clock: VirtualClock) -> None:
    """Their events go one after the other, in their order."""
    world = World(clock)
    for mark, phone in (("1", "0170 5550147"), ("2", "+49 170-555 0147"), ("3", "0049 (170) 5550147")):
        world.book(mark, phone)
    async with running(world.connector):
        await asyncio.sleep(10)
    assert world.vendor.posted == [PHONE] * 3
    assert (world.vendor.order, world.vendor.most_under_way) == (["1", "2", "3"], 1)


@run_virtual
async def test_what_a_producer_wrote_twice_is_known_by_its_mapped_id(clock: VirtualClock) -> None:
    """Also where the second one spells the phone number in another way."""
    world = World(clock, deduplicate_ms=60_000)
    world.book("1", "0170 5550147")
    world.book("1", "+491705550147")
    async with running(world.connector):
        await asyncio.sleep(10)
    assert world.vendor.order == ["1"]
    assert world.connector.count("records_duplicate") == 1


@run_virtual
async def test_events_of_our_own_schema_pass_beside_mapped_ones(clock: VirtualClock) -> None:
    world = World(clock)
    feed(world.kafka, encode(EVENT, CURRENT, Framing.CONFLUENT, OURS))
    world.book("1")
    async with running(world.connector):
        await asyncio.sleep(10)
    assert sorted(world.vendor.posted) == sorted([str(EVENT["phoneNumber"]), PHONE])
    assert not world.dead


@run_virtual
async def test_what_is_none_of_ours_is_passed_over_where_the_settings_say_so(clock: VirtualClock) -> None:
    """Settled, committed and counted, without a post and without a dead letter; a thousand of them keep nobody."""
    world = World(clock, others="skip")
    for _ in range(1000):
        world.audit()
    world.book("held", state="OPEN")
    world.book("last")
    world.book("beside", phone="0170 5550148", partition=1)
    async with running(world.connector):
        await asyncio.sleep(20)
        assert sorted(world.vendor.order) == ["beside", "last"]
        assert world.committed() == 1002
        assert world.connector.books_balance()
    counter = world.connector.metrics.counter("records_not_ours")
    assert (counter.at("other_type").value, counter.at("condition").value) == (1000, 1)
    assert not world.dead


@run_virtual
async def test_tombstones_are_passed_over_with_what_is_none_of_ours(clock: VirtualClock) -> None:
    """Debezium writes one behind each deletion, for the topic's compaction."""
    world = World(clock, others="skip")
    feed(world.kafka, None)
    async with running(world.connector):
        await asyncio.sleep(10)
    assert not world.dead
    assert world.connector.metrics.counter("records_not_ours").at("tombstone").value == 1


@run_virtual
async def test_what_is_passed_over_behind_a_post_under_way_is_not_committed_over_it(clock: VirtualClock) -> None:
    """The prefix ends at the record that is still posted."""
    world = World(clock, others="skip")
    world.vendor.script = lambda _number, _before: None
    world.book("slow")
    for _ in range(10):
        world.audit()
    async with running(world.connector) as connector:
        await asyncio.sleep(20)
        tracker = connector.engine.assignments[Partition(MAIN, 0)].tracker
        assert (tracker.committable, connector.count("records_not_ours")) == (0, 10)
        assert world.committed() == 0


@run_virtual
async def test_else_it_is_a_dead_letter(clock: VirtualClock) -> None:
    world = World(clock)
    world.audit()
    world.book("held", state="OPEN")
    async with running(world.connector):
        await asyncio.sleep(10)
    assert world.dead == [NOT_OURS.encode()] * 2
    assert world.vendor.posted == []


@run_virtual
async def test_a_copy_in_the_retry_topic_is_never_passed_over(clock: VirtualClock) -> None:
    """It was ours when it was written: the mapping has changed since, and somebody still waits."""
    world = World(clock, others="skip")
    world.audit(topic=RETRY)
    async with running(world.connector):
        await asyncio.sleep(1000)
    assert world.dead == [NOT_OURS.encode()]
    assert world.connector.count("records_not_ours") == 0


@run_virtual
async def test_a_version_that_the_mapping_does_not_fit_holds_its_partition(clock: VirtualClock) -> None:
    """Nothing of it is lost or dead-lettered, others go on, and the log names path, schema and id."""
    world = World(clock)
    renamed = {"id": "e-2", "state": "CONFIRMED", "mark": "2", "passenger": {"msisdn": PHONE}}
    world.book("1")
    world.write(RENAMED, renamed)
    world.book("3")
    world.book("beside", phone="0170 5550148", partition=1)
    async with running(world.connector) as connector:
        await asyncio.sleep(100)
        assert sorted(world.vendor.order) == ["1", "beside"]
        assert world.committed() == 1
        (line, *_) = [line for line in connector.log if line["event"] == "schema_unavailable"]
    assert (line["code"], line["schema_id"]) == (MISFIT, RENAMED)
    named = "com.example.Booking, id 2 (bookings-value version 2)"
    assert f"{named}: phoneNumber: passenger.phone: passenger has no field phone" in str(line["cause"])
    assert not world.dead
    assert world.registry.versions_asked == [2]


@pytest.mark.parametrize(
    ("schema", "cause"),
    [
        (RECURSIVE, "recursive"),
        (UNION, "a union of types, and not one record; register each record under a subject of its own"),
    ],
)
@run_virtual
async def test_a_version_that_cannot_be_used_at_all_holds_its_partition_too(
    clock: VirtualClock, schema: int, cause: str
) -> None:
    """A field of the record's own type, or a list of records: every event from then on has this schema."""
    world = World(clock)
    world.kafka.append(Partition(MAIN, 0), b"\0" + schema.to_bytes(4, "big") + b"\0")
    world.book("2")
    async with running(world.connector) as connector:
        await asyncio.sleep(100)
        assert (world.vendor.order, world.dead, world.committed()) == ([], [], 0)
        (line, *_) = [line for line in connector.log if line["event"] == "schema_unavailable"]
    assert (line["code"], line["schema_id"]) == (MISFIT, schema)
    said = f"id {schema} (bookings-value version {schema}): the schema cannot be used: {cause}"
    assert said in str(line["cause"])
    assert "com.example.Booking" in str(line["cause"])


@run_virtual
async def test_a_union_without_a_record_of_the_mapping_holds_nothing(clock: VirtualClock) -> None:
    world = World(clock, others="skip")
    world.kafka.append(Partition(MAIN, 0), b"\0" + OTHERS.to_bytes(4, "big") + b"\0")
    world.book("last")
    async with running(world.connector):
        await asyncio.sleep(10)
    assert (world.vendor.order, world.dead) == (["last"], [b"unsafe_schema"])


@pytest.mark.parametrize(("others", "dead"), [("skip", []), ("dead_letter", [b"unsafe_schema"])])
@run_virtual
async def test_another_type_that_cannot_be_read_is_passed_over_with_the_others(
    clock: VirtualClock, others: str, dead: list[bytes]
) -> None:
    """By its name it is none of ours, and what it says need not be read for that."""
    world = World(clock, others=others)
    for _ in range(2):
        world.kafka.append(Partition(MAIN, 0), b"\0" + TREE.to_bytes(4, "big") + b"\0")
    world.book("last")
    async with running(world.connector):
        await asyncio.sleep(10)
    assert (world.vendor.order, world.dead) == (["last"], dead * 2)
    assert world.connector.metrics.counter("records_not_ours").at("other_type").value == (0 if dead else 2)


@run_virtual
async def test_or_makes_dead_letters_of_it_where_the_settings_say_so(clock: VirtualClock) -> None:
    """For the operator who has to get past a few such records."""
    world = World(clock, misfits="dead_letter")
    world.write(RENAMED, {"id": "e-2", "state": "CONFIRMED", "mark": "2", "passenger": {"msisdn": PHONE}})
    world.book("3")
    async with running(world.connector):
        await asyncio.sleep(10)
    assert world.dead == [MISFIT.encode()]
    assert world.vendor.order == ["3"]
    (letter,) = values(world.kafka, DEAD)
    assert b"id 2 (bookings-value version 2): phoneNumber" in (dict(letter.headers)["invoke.reason"] or b"")


@pytest.mark.parametrize("phone", ["call me", ""])
@run_virtual
async def test_an_event_that_cannot_be_mapped_is_a_dead_letter_that_says_why(clock: VirtualClock, phone: str) -> None:
    world = World(clock)
    world.book("1", phone)
    async with running(world.connector):
        await asyncio.sleep(10)
    (letter,) = values(world.kafka, DEAD)
    headers = dict(letter.headers)
    assert headers["invoke.class"] == b"mapping_bad_value"
    assert b"phoneNumber (passenger.phone)" in (headers["invoke.reason"] or b"")


@pytest.mark.parametrize("others", ["skip", "dead_letter"])
@run_virtual
async def test_a_version_with_another_name_holds_its_partition_too(clock: VirtualClock, others: str) -> None:
    """A namespace with a version in it changes for all records at once: they must be neither skipped nor dead."""
    world = World(clock, others=others)
    world.write(MOVED, {"id": "e-1", "state": "CONFIRMED", "mark": "1", "passenger": {"phone": PHONE}})
    world.book("2")
    async with running(world.connector) as connector:
        await asyncio.sleep(100)
        assert (world.vendor.order, world.dead, world.committed()) == ([], [], 0)
        (line, *_) = [line for line in connector.log if line["event"] == "schema_unavailable"]
    assert (line["code"], line["schema_id"]) == (MISFIT, MOVED)
    assert "com.example.v2.Booking" in str(line["cause"])
    assert "an event of com.example.Booking" in str(line["cause"])


@pytest.mark.parametrize(("others", "dead"), [("skip", []), ("dead_letter", [NOT_OURS.encode()])])
@run_virtual
async def test_or_is_of_another_type_where_the_settings_say_so(
    clock: VirtualClock, others: str, dead: list[bytes]
) -> None:
    """Two types of one topic may share the last part of their names."""
    world = World(clock, others=others, misfits="dead_letter")
    world.write(MOVED, {"id": "e-1", "state": "CONFIRMED", "mark": "1", "passenger": {"phone": PHONE}})
    world.book("2")
    async with running(world.connector):
        await asyncio.sleep(10)
    assert (world.vendor.order, world.dead) == (["2"], dead)


@run_virtual
async def test_what_a_mapping_reads_around_an_event_is_the_same_for_each_copy_of_it(clock: VirtualClock) -> None:
    """Its id, or it would be another event with each retry; and its time, or it would never be too old."""
    world = World(clock, events=yaml.safe_load(AROUND))
    world.vendor.script = always(TEMPORARY)
    world.book("1", headers=(("trip", b"7"),))
    async with running(world.connector):
        await asyncio.sleep(86_400)
    assert world.vendor.order == [f"{MAIN}/0/0/7"] * 2
    assert world.dead == [EXPIRED.encode()]


@run_virtual
async def test_a_copys_schema_is_asked_for_where_the_copy_lies(clock: VirtualClock) -> None:
    """How long its registry has not known an id is counted by its partition's offsets."""
    world = World(clock)
    history = History(Origin(Partition(MAIN, 0), 7, 0), attempts=1, first_failure_ms=0, due_ms=0)
    headers = next(retry_headers((), history, Cause(Stage.INVOKE, "vendor_error", "why"), now_ms=0))
    world.book("1", topic=RETRY, headers=headers)
    async with running(world.connector):
        await asyncio.sleep(1000)
    assert world.asked == [(Partition(RETRY, 0), 0)]
