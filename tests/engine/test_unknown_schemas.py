"""Ids that the registry does not know, between events that it does know: what waits, for how long, and what is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from connector.core.record import Headers
from connector.edge.avro.codec import encode
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.registry_answers import Found, NotAvro, Unavailable, Unknown
from connector.edge.avro.schemas import SchemaFolder
from tests.engine.stage import (
    ACCEPTED,
    DEAD,
    Connector,
    ScriptedVendor,
    always,
    broker,
    feed,
    number,
    running,
    values,
)
from tests.support.avro import CURRENT, EVENT
from tests.support.clock import VirtualClock, run_virtual

KNOWN = 1
GLOBAL_ID = (("apicurio.value.globalId", bytes(7) + b"\x05"),)


class Registry:
    """Knows `KNOWN`, and each other id from the second on that `since` says."""

    url = "http://registry"

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.since: dict[int, float] = {KNOWN: 0.0}
        self.asked: list[int] = []
        self._seconds = seconds

    async def schema(self, number: int) -> Found | Unknown | NotAvro | Unavailable:
        self.asked.append(number)
        await asyncio.sleep(0.005)
        return Found(CURRENT, ()) if self._seconds() >= self.since.get(number, 1e9) else Unknown()

    async def close(self) -> None:
        pass


class World:
    """A connector, its registry, and a vendor that accepts everything."""

    def __init__(self, clock: VirtualClock) -> None:
        begin = clock.monotonic()
        self.registry = Registry(lambda: clock.monotonic() - begin)
        self.kafka, self.vendor = broker(clock), ScriptedVendor(always(ACCEPTED))
        decoder = AvroDecoder(CURRENT, SchemaFolder((), {}), registry=self.registry, monotonic=clock.monotonic)
        self.connector = Connector(self.kafka, self.vendor, clock, decoder=decoder)

    def good(self, n: int, schema_id: int = KNOWN, headers: Headers = ()) -> None:
        """An event for the n-th end user."""
        fields = {**EVENT, "phoneNumber": number(n)}
        feed(self.kafka, encode(fields, CURRENT, Framing.CONFLUENT, schema_id), headers=headers)

    def poison(self, schema_id: int, headers: Headers = ()) -> None:
        """A value that begins like a frame."""
        feed(self.kafka, b"\x00" + schema_id.to_bytes(4, "big") + b"no frame", headers=headers)

    @property
    def dead(self) -> list[bytes | None]:
        """The class of every dead letter."""
        return [dict(letter.headers)["invoke.class"] for letter in values(self.kafka, DEAD)]


@pytest.mark.parametrize(("unknown", "good"), [(3, 1), (50, 1), (50, 400)])
@run_virtual
async def test_any_number_of_unknown_ids_costs_a_partition_one_half_minute(
    clock: VirtualClock, unknown: int, good: int
) -> None:
    """Not one each: each stood behind the first while that waited, also where so many are not kept in memory."""
    world = World(clock)
    for n in range(max(unknown, good)):
        if n < unknown:
            world.poison(1_000_000 + n)
        if n < good:
            world.good(n)
    async with running(world.connector):
        await asyncio.sleep(29.9)
        assert world.dead == []
        await asyncio.sleep(10)
        assert sorted(world.vendor.posted) == [number(n) for n in range(good)]
        assert world.dead == [b"unknown_schema"] * unknown


@run_virtual
async def test_a_stream_of_unknown_ids_delays_what_is_between_them_by_half_a_minute(clock: VirtualClock) -> None:
    """However long it lasts; and nothing that is good is lost by it."""
    world = World(clock)
    async with running(world.connector):
        for second in range(300):
            world.poison(1_000_000 + second)
            world.good(second)
            await asyncio.sleep(1)
        assert world.vendor.posted == [number(n) for n in range(len(world.vendor.posted))]
        assert len(world.vendor.posted) >= 300 - 36
        await asyncio.sleep(36)
        assert len(world.vendor.posted) == 300
        assert len(world.dead) == 300


@run_virtual
async def test_a_new_schema_is_waited_for_while_a_follower_lags_also_amid_unknown_ids(clock: VirtualClock) -> None:
    """That other ids were unknown for long says nothing about one that was registered a moment ago."""
    world = World(clock)
    world.registry.since[7] = 60 + 20
    async with running(world.connector):
        for second in range(120):
            world.poison(1_000_000 + second)
            if second == 60:
                world.good(7, schema_id=7)
            await asyncio.sleep(1)
        await asyncio.sleep(40)
        assert world.vendor.posted == [number(7)]


@run_virtual
async def test_an_unknown_id_is_used_within_half_a_minute_of_its_registration(clock: VirtualClock) -> None:
    """While its records keep coming, none of them waits for more than an answer of the registry."""
    world = World(clock)
    world.registry.since[7] = 100
    async with running(world.connector):
        for second in range(200):
            world.good(second, schema_id=7)
            await asyncio.sleep(1)
        assert set(world.dead) == {b"unknown_schema"}
        assert len(world.dead) <= 131
        assert world.vendor.posted == [number(n) for n in range(len(world.dead), 200)]
        assert len(world.registry.asked) < 30


@run_virtual
async def test_a_schema_is_used_within_two_seconds_of_its_registration_while_its_record_waits(
    clock: VirtualClock,
) -> None:
    """The half minute is asked through."""
    world = World(clock)
    world.registry.since[7] = 17
    world.good(7, schema_id=7)
    async with running(world.connector):
        await asyncio.sleep(19.2)
        assert world.vendor.posted == [number(7)]


@run_virtual
async def test_a_record_whose_headers_name_its_schema_waits_for_no_id(clock: VirtualClock) -> None:
    """Bare Avro may begin with a 0, and then has another "id" in each record."""
    world = World(clock)
    for schema_id in range(1_000_000, 1_000_003):
        world.poison(schema_id, GLOBAL_ID)
    world.good(1)
    async with running(world.connector):
        await asyncio.sleep(2)
        assert world.vendor.posted == [number(1)]
        assert world.dead == [b"bad_frame"] * 3


@run_virtual
async def test_a_frame_is_read_also_when_a_header_of_another_value_was_copied_along(clock: VirtualClock) -> None:
    """Kafka Streams copies the headers of what it read to what it writes."""
    world = World(clock)
    world.good(1, headers=GLOBAL_ID)
    async with running(world.connector):
        await asyncio.sleep(2)
        assert world.vendor.posted == [number(1)]
        assert world.dead == []


@run_virtual
async def test_the_line_names_record_id_registry_and_cause(clock: VirtualClock) -> None:
    """What a person needs to go and look."""
    world = World(clock)
    world.poison(100_017)
    async with running(world.connector) as connector:
        await asyncio.sleep(1)
        line = next(line for line in connector.log if line["event"] == "schema_unavailable")
        assert line["remedy"]
        assert {name: value for name, value in line.items() if name not in ("event", "level", "remedy")} == {
            "topic": "invocations",
            "partition": 0,
            "offset": 0,
            "schema_id": 100_017,
            "registry": "http://registry",
            "code": "registry_unsure",
            "cause": "it does not know this id",
        }
