"""The schema registry: what it says, what it does not say, and when its word is enough."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest
import trustme

from connector.core.record import Partition
from connector.core.refusal import Refusal
from connector.core.signals import SchemaNeeded
from connector.edge.avro.apicurio import ApicurioApi
from connector.edge.avro.codec import encode
from connector.edge.avro.decoder import FETCH_CODES, AvroDecoder
from connector.edge.avro.framing import Framing, Kind, Name
from connector.edge.avro.lookup import Asking
from connector.edge.avro.registry import Access, ConfluentRegistry
from connector.edge.avro.registry_answers import Found, NotAvro, Unavailable, Unknown
from connector.edge.avro.schemas import SchemaFolder, json_schema, shipped_folder
from connector.edge.http.tunnel import Proxy
from connector.edge.tls import Tls
from tests.support.avro import CURRENT, EVENT, newer, older, record, with_extra, with_field
from tests.support.clock import HandClock
from tests.support.connect_proxy import connect_proxy
from tests.support.deadline import eventually
from tests.support.raw_http import Peer, raw_server
from tests.support.registry import Apicurio, running

NO_FILES = SchemaFolder((), {})
UNKNOWN = json.dumps({"error_code": 40403, "message": "Schema not found"}).encode()


def wire(number: int, text: str = CURRENT) -> bytes:
    """An event in Confluent's frame."""
    return encode(EVENT, text, Framing.CONFLUENT, number)


def needed(number: int, offset: int = 0, partition: int = 0) -> SchemaNeeded:
    """The question for the schema of a record."""
    return SchemaNeeded(str(number), Partition("invocations", partition), offset)


async def fetch(decoder: AvroDecoder, question: SchemaNeeded, newest: int | None = None) -> str | None:
    """Ask once, with nothing in hand behind the record if `newest` is left out. Why there is no schema, if so."""
    missing = await decoder.fetch(question, question.offset if newest is None else newest)
    return None if missing is None else missing.code


def code(answer: object) -> str:
    """Why nothing can be had from the registry now."""
    assert isinstance(answer, Unavailable)
    assert answer.cause
    return answer.code


class FakeRegistry:
    """Answers by id; counts; can be made to wait."""

    url = "http://registry"

    def __init__(self, answers: dict[int, Found | NotAvro | Unavailable] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.closed = False

    async def schema(self, number: int) -> Found | Unknown | NotAvro | Unavailable:
        self.asked.append(number)
        await self.open.wait()
        return self.answers.get(number, Unknown())

    async def close(self) -> None:
        self.closed = True


class TestLookup:
    """AvroDecoder.decode and .fetch together, time moved by hand."""

    def make(self, registry: FakeRegistry) -> tuple[AvroDecoder, HandClock]:
        clock = HandClock()
        return AvroDecoder(CURRENT, NO_FILES, registry=registry, monotonic=clock.monotonic), clock

    async def test_a_schema_is_asked_for_once_and_kept(self) -> None:
        """From then on decoding does not wait."""
        registry = FakeRegistry({7: Found(newer(), ())})
        decoder, _ = self.make(registry)
        value = record(encode({**EVENT, "cities": [], "kind": "A"}, newer(), Framing.CONFLUENT, 7))
        assert decoder.decode(value) == needed(7)
        assert await fetch(decoder, needed(7)) is None
        assert decoder.decode(value) == EVENT
        assert await fetch(decoder, needed(7)) is None
        assert registry.asked == [7]

    async def test_many_who_wait_are_one_question(self) -> None:
        """However many partitions meet a new schema at once."""
        registry = FakeRegistry({7: Found(CURRENT, ())})
        decoder, _ = self.make(registry)
        assert await asyncio.gather(*(fetch(decoder, needed(7)) for _ in range(20))) == [None] * 20
        assert registry.asked == [7]

    async def test_one_who_gives_up_does_not_end_it_for_the_others(self) -> None:
        """A revoked partition cancels its own wait only."""
        registry = FakeRegistry({7: Found(CURRENT, ())})
        registry.open.clear()
        decoder, _ = self.make(registry)
        impatient, patient = (asyncio.create_task(fetch(decoder, needed(7))) for _ in range(2))
        await eventually(lambda: registry.asked, 60, "the registry is asked")
        impatient.cancel()
        registry.open.set()
        assert await patient is None
        assert impatient.cancelled() or impatient.cancelling()

    async def test_an_id_is_unknown_only_when_said_twice_half_a_minute_apart(self) -> None:
        """A follower that lags behind says it once."""
        decoder, clock = self.make(FakeRegistry())
        assert await fetch(decoder, needed(7)) == "registry_unsure"
        clock.advance(29.9)
        assert await fetch(decoder, needed(7)) == "registry_unsure"
        assert decoder.decode(record(wire(7))) == needed(7)
        clock.advance(0.1)
        assert await fetch(decoder, needed(7)) is None
        found = decoder.decode(record(wire(7)))
        assert isinstance(found, Refusal)
        assert found.code == "unknown_schema"

    async def test_an_unknown_id_is_asked_for_again_after_half_a_minute(self) -> None:
        """Once, and its record waits for nothing but the answer; what is known by then is used."""
        registry = FakeRegistry()
        decoder, clock = self.make(registry)
        await fetch(decoder, needed(7))
        clock.advance(30)
        await fetch(decoder, needed(7))
        for asked in (3, 4, 5):
            clock.advance(29.9)
            assert isinstance(decoder.decode(record(wire(7))), Refusal)
            clock.advance(0.1)
            assert decoder.decode(record(wire(7))) == needed(7)
            assert await fetch(decoder, needed(7, offset=asked)) is None
            assert len(registry.asked) == asked
        clock.advance(30)
        registry.answers[7] = Found(CURRENT, ())
        assert await fetch(decoder, needed(7)) is None
        assert decoder.decode(record(wire(7))) == EVENT

    async def test_the_word_of_ten_minutes_ago_counts_no_more(self) -> None:
        """The id is like a new one."""
        decoder, clock = self.make(FakeRegistry())
        await fetch(decoder, needed(7))
        clock.advance(30)
        await fetch(decoder, needed(7))
        clock.advance(600)
        assert await fetch(decoder, needed(7, offset=1)) == "registry_unsure"

    async def test_a_registry_that_is_away_when_it_is_asked_again_is_no_verdict(self) -> None:
        """The id may have been registered since."""
        registry = FakeRegistry()
        decoder, clock = self.make(registry)
        await fetch(decoder, needed(7))
        clock.advance(30)
        await fetch(decoder, needed(7))
        clock.advance(30)
        registry.answers[7] = Unavailable("registry_timeout", "no answer within 10 s")
        assert await fetch(decoder, needed(7)) == "registry_timeout"
        assert decoder.decode(record(wire(7))) == needed(7)

    async def test_what_stood_behind_an_unknown_id_has_its_half_minute_behind_it(self) -> None:
        """What came later has not, nor what is in another partition."""
        decoder, clock = self.make(FakeRegistry())
        assert await fetch(decoder, needed(7, offset=0), newest=5) == "registry_unsure"
        clock.advance(30)
        assert await fetch(decoder, needed(7, offset=0), newest=9) is None
        assert await fetch(decoder, needed(8, offset=1), newest=9) is None
        assert await fetch(decoder, needed(9, offset=5), newest=9) is None
        assert await fetch(decoder, needed(10, offset=6), newest=9) == "registry_unsure"
        assert await fetch(decoder, needed(11, offset=1, partition=1), newest=1) == "registry_unsure"
        clock.advance(30)
        assert await fetch(decoder, needed(10, offset=6), newest=9) is None
        assert await fetch(decoder, needed(12, offset=9), newest=9) is None

    async def test_a_question_under_way_says_nothing_about_what_came_after_it_was_asked(self) -> None:
        """Whoever joins it has the answer, and the time of its own."""
        registry = FakeRegistry()
        decoder, clock = self.make(registry)
        registry.open.clear()
        first = asyncio.create_task(fetch(decoder, needed(7)))
        await eventually(lambda: registry.asked, 60, "the registry is asked")
        clock.advance(9)
        second = asyncio.create_task(fetch(decoder, needed(7, partition=1)))
        await asyncio.sleep(0)
        registry.open.set()
        assert [await first, await second] == ["registry_unsure"] * 2
        assert registry.asked == [7]
        clock.advance(21)
        assert await fetch(decoder, needed(8, partition=1)) == "registry_unsure"
        clock.advance(9)
        assert await fetch(decoder, needed(8, partition=1)) is None

    async def test_a_registry_in_trouble_is_no_verdict(self) -> None:
        """However often and long: the partition waits."""
        decoder, clock = self.make(FakeRegistry({7: Unavailable("registry_unreachable", "Connection refused")}))
        for _ in range(100):
            assert await fetch(decoder, needed(7)) == "registry_unreachable"
            clock.advance(60)
        assert decoder.decode(record(wire(7))) == needed(7)

    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (NotAvro(), "unsafe_schema"),
            (Found("{", ()), "unsafe_schema"),
            (Found(with_extra({"type": "array", "items": "null"}), ()), "unsafe_schema"),
            (Found(with_field("createdAt", type={"type": "long", "logicalType": "timestamp-micros"}), ()), ""),
        ],
    )
    async def test_a_schema_that_cannot_be_used_is_a_dead_letter(self, answer: Found | NotAvro, code: str) -> None:
        """What an id stands for never changes, so waiting would not help."""
        decoder, _ = self.make(FakeRegistry({7: answer}))
        assert await fetch(decoder, needed(7)) is None
        found = decoder.decode(record(wire(7)))
        assert isinstance(found, Refusal)
        assert found.code == (code or "incompatible_schema")

    async def test_a_registrys_schema_that_does_not_resolve_is_refused_with_field_and_types(self) -> None:
        """One reason for all its events: what the producer has to change."""
        decoder, _ = self.make(FakeRegistry({7: Found(with_field("phoneNumber", type="long"), ())}))
        assert await fetch(decoder, needed(7)) is None
        found = decoder.decode(record(wire(7)))
        assert isinstance(found, Refusal)
        assert found.problems[0].shape == "id 7: phoneNumber: long is not string"

    async def test_memory_is_bounded(self) -> None:
        """The schema that was not used for longest is asked for again."""
        registry = FakeRegistry({number: Found(older(), ()) for number in range(1002)})
        decoder, _ = self.make(registry)
        for number in range(1000):
            await fetch(decoder, needed(number))
        assert not isinstance(decoder.decode(record(wire(0, older()))), SchemaNeeded)
        await fetch(decoder, needed(1000))
        assert not isinstance(decoder.decode(record(wire(0, older()))), SchemaNeeded)
        assert decoder.decode(record(wire(1, older()))) == needed(1)

    async def test_files_go_before_the_registry(self) -> None:
        """What ids.json maps is not asked for."""
        registry = FakeRegistry()
        file = shipped_folder().files[0]
        decoder = AvroDecoder(CURRENT, SchemaFolder((), {7: file}), registry=registry, monotonic=lambda: 0.0)
        assert decoder.decode(record(wire(7))) == EVENT
        assert await fetch(decoder, needed(7)) is None
        assert registry.asked == []

    async def test_closing_ends_what_is_under_way(self) -> None:
        """And closes the registry's connections."""
        registry = FakeRegistry()
        registry.open.clear()
        decoder, _ = self.make(registry)
        waiting = asyncio.create_task(fetch(decoder, needed(7)))
        await eventually(lambda: registry.asked, 60, "the registry is asked")
        await decoder.close()
        await asyncio.gather(waiting, return_exceptions=True)
        assert registry.closed
        assert waiting.cancelled()


@asynccontextmanager
async def answering(status: str, body: bytes, **headers: str) -> AsyncIterator[tuple[ConfluentRegistry, list[str]]]:
    """A client of a server that gives every request the same answer, and the paths it was asked for."""
    paths: list[str] = []

    async def script(peer: Peer) -> None:
        while True:
            seen = await peer.request()
            paths.append(seen.start.split()[1])
            await peer.answer(status, body, **headers)

    async with raw_server(script) as server, closing(ConfluentRegistry(f"{server.url}/base/")) as client:
        yield client, paths


@asynccontextmanager
async def closing(client: ConfluentRegistry) -> AsyncIterator[ConfluentRegistry]:
    try:
        yield client
    finally:
        await client.close()


def answer_of(schema: object, **more: object) -> bytes:
    return json.dumps({"schema": schema, **more}).encode()


class TestAnswers:
    """What a registry, or something that stands in its place, can say."""

    async def test_a_schema_is_found_under_the_base_path(self) -> None:
        """With one slash, however the setting was written."""
        async with answering("200 OK", answer_of(CURRENT)) as (client, paths):
            assert await client.schema(7) == Found(CURRENT, ())
            assert paths == ["/base/schemas/ids/7"]

    async def test_a_404_is_unknown_only_in_the_registrys_own_words(self) -> None:
        """Its JSON with error_code 40403."""
        async with answering("404 Not Found", UNKNOWN) as (client, _):
            assert await client.schema(7) == Unknown()

    async def test_a_guid_is_asked_for_as_confluents_registry_has_it(self) -> None:
        """As recorded in the documentation of Confluent Platform 8: no registry here serves GUIDs."""
        guid = "89791762-2336-4186-9674-299b90a802e2"
        async with answering("200 OK", answer_of(CURRENT, guid=guid, id=7)) as (client, paths):
            assert await client.by_guid(guid) == Found(CURRENT, ())
            assert paths == [f"/base/schemas/guids/{guid}"]
        async with answering("404 Not Found", UNKNOWN) as (client, _):
            assert await client.by_guid(guid) == Unknown()

    async def test_subjects_and_versions_of_an_id_are_told_in_words(self) -> None:
        """As Confluent's registry lists them; however many there are, the text stays short."""
        places = [{"subject": f"s-{n}", "version": n} for n in range(5)]
        for count, told in ((1, "s-0 version 0"), (5, "s-0 version 0, s-1 version 1, s-2 version 2 and 2 more")):
            async with answering("200 OK", json.dumps(places[:count]).encode()) as (client, paths):
                assert await client.versions(7) == told
                assert paths == ["/base/schemas/ids/7/versions"]

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            ("404 Not Found", UNKNOWN),
            ("401 Unauthorized", b"[]"),
            ("500 Internal Server Error", b""),
            ("200 OK", b"[]"),
            ("200 OK", b"{}"),
            ("200 OK", b"<html>"),
            ("200 OK", b'[1, {}, {"subject": 1, "version": 1}, {"subject": "a\\nb", "version": 1}]'),
            ("200 OK", b'"' + b"a" * 2**20 + b'"'),
        ],
    )
    async def test_where_no_subject_is_told_there_is_none(self, status: str, body: bytes) -> None:
        """It is only there to make a message clearer."""
        async with answering(status, body) as (client, _):
            assert await client.versions(7) is None

    async def test_nobody_waits_for_a_subject_that_does_not_come(self) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await asyncio.Event().wait()

        async with raw_server(script) as server, closing(ConfluentRegistry(server.url, timeout=0.05)) as client:
            assert await client.versions(7) is None

    async def test_a_subject_can_hold_no_phone_number(self) -> None:
        body = json.dumps([{"subject": "orders-491705550147-value" + "x" * 300, "version": 1}]).encode()
        async with answering("200 OK", body) as (client, _):
            told = await client.versions(7)
        assert told is not None
        assert told.startswith("orders-[number]-valuexx")
        assert len(told) < 220

    async def test_a_json_schema_is_found_as_one(self) -> None:
        """One that refers to others is not read: they are not put together."""
        async with answering("200 OK", answer_of("{}", schemaType="JSON", references=[])) as (client, _):
            assert await client.schema(7) == Found("{}", (), is_json=True)
        refers = answer_of("{}", schemaType="JSON", references=[{"name": "a", "subject": "s", "version": 1}])
        async with answering("200 OK", refers) as (client, _):
            assert await client.schema(7) == NotAvro("JSON Schema that refers to others")

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            ("404 Not Found", b"<html>no such page</html>"),
            ("404 Not Found", b'{"error_code": 404, "message": "HTTP 404 Not Found"}'),
            ("404 Not Found", b'{"error_code": "40403"}'),
            ("200 OK", UNKNOWN),
            ("200 OK", b""),
            ("200 OK", b"[]"),
            ("200 OK", b'{"schema": 1}'),
            ("200 OK", answer_of(CURRENT, references=7)),
            ("200 OK", answer_of(CURRENT, references=[{"subject": "s"}])),
            ("200 OK", answer_of(CURRENT, references=[{"subject": "..", "version": 1}])),
            ("200 OK", b'{"schema": "' + b"a" * 2**20 + b'"}'),
        ],
    )
    async def test_what_is_strange_is_no_verdict(self, status: str, body: bytes) -> None:
        """The address may be wrong, or a proxy in between."""
        async with answering(status, body) as (client, _):
            assert code(await client.schema(7)) == "registry_strange"

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            ("429 Too Many Requests", "registry_busy"),
            ("500 Internal Server Error", "registry_failed"),
            ("503 Service Unavailable", "registry_failed"),
            ("404 Not Found", "registry_strange"),
            ("418 Teapot", "registry_strange"),
        ],
    )
    async def test_what_is_no_verdict_tells_its_status(self, status: str, reason: str) -> None:
        """For whoever looks at the registry's own log next."""
        async with answering(status, b'{"error_code": 50001}') as (client, _):
            answer = await client.schema(7)
            assert isinstance(answer, Unavailable)
            assert answer.code == reason
            assert answer.cause.startswith(f"HTTP {status[:3]}")

    @pytest.mark.parametrize("kind", [None, "AVRO", "avro", "Avro"])
    async def test_avro_is_known_by_any_spelling_and_by_none(self, kind: str | None) -> None:
        """Some registries write null, where Confluent's leaves it out."""
        async with answering("200 OK", answer_of(CURRENT, schemaType=kind)) as (client, _):
            assert await client.schema(7) == Found(CURRENT, ())

    @pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
    async def test_refused_credentials_are_no_verdict(self, status: str) -> None:
        """Whatever the body says."""
        async with answering(status, UNKNOWN) as (client, _):
            assert code(await client.schema(7)) == "registry_refused"

    async def test_a_redirect_is_not_followed(self) -> None:
        """The credentials would travel."""
        async with answering("302 Found", b"{}", Location="/elsewhere") as (client, paths):
            assert code(await client.schema(7)) == "registry_strange"
            assert len(paths) == 1

    async def test_another_kind_of_schema_is_named(self) -> None:
        """Left out, the kind is Avro."""
        async with answering("200 OK", answer_of("{}", schemaType="PROTOBUF")) as (client, _):
            assert await client.schema(7) == NotAvro()

    async def test_references_that_go_round_in_circles_end(self) -> None:
        """Each is asked for once; whether they can be used is for the vetting."""
        body = answer_of(CURRENT, references=[{"name": "n", "subject": "a/b c", "version": 2}])
        async with answering("200 OK", body) as (client, paths):
            assert await client.schema(7) == Found(CURRENT, (CURRENT,))
            assert paths == ["/base/schemas/ids/7", "/base/subjects/a%2Fb%20c/versions/2?deleted=true"]

    async def test_a_deleted_reference_is_asked_for_as_well(self) -> None:
        """The registry still gives out the id, and its records stay in the topic; without being asked it hides it."""
        city = '{"type": "record", "name": "City", "fields": []}'

        async def script(peer: Peer) -> None:
            while True:
                seen = await peer.request()
                path = seen.start.split()[1]
                if path == "/schemas/ids/7":
                    references = [{"name": "City", "subject": "city", "version": 1}]
                    await peer.answer("200 OK", answer_of(CURRENT, references=references))
                elif path == "/subjects/city/versions/1?deleted=true":
                    await peer.answer("200 OK", answer_of(city))
                else:
                    await peer.answer("404 Not Found", b'{"error_code": 40402, "message": "Version 1 not found."}')

        async with raw_server(script) as server, closing(ConfluentRegistry(server.url)) as client:
            assert await client.schema(7) == Found(CURRENT, (city,))

    async def test_references_without_end_are_strange(self) -> None:
        """A bound on how many are asked for."""
        count = 0

        async def script(peer: Peer) -> None:
            nonlocal count
            while True:
                await peer.request()
                count += 1
                reference = {"name": "n", "subject": "s", "version": count}
                await peer.answer("200 OK", answer_of(CURRENT, references=[reference]))

        async with raw_server(script) as server, closing(ConfluentRegistry(server.url)) as client:
            assert code(await client.schema(7)) == "registry_strange"
            assert count <= 51

    async def test_a_reference_that_is_not_there_is_the_registrys_fault(self) -> None:
        """It knows the id, so the record is not to blame."""

        async def script(peer: Peer) -> None:
            await peer.request()
            reference = {"name": "n", "subject": "s", "version": 1}
            await peer.answer("200 OK", answer_of(CURRENT, references=[reference]))
            await peer.request()
            await peer.answer("404 Not Found", UNKNOWN)

        async with raw_server(script) as server, closing(ConfluentRegistry(server.url)) as client:
            assert code(await client.schema(7)) == "registry_strange"


@contextmanager
def speaking_tls(context: ssl.SSLContext) -> Iterator[str]:
    """A server on plain sockets, from which its peer can read why a certificate is refused."""
    body = answer_of(CURRENT)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:  # closed
                return
            with context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as connection:
                connection.settimeout(10)
                with suppress(ssl.SSLError):
                    connection.do_handshake()
                    connection.recv(4096)
                    connection.sendall(answer)
                # What is closed with bytes unread is reset, and the alert lost on its way.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


class TestConnection:
    """Between us and the registry."""

    async def test_nobody_there_is_unreachable(self) -> None:
        """A port that is closed."""
        async with raw_server(Peer.forever) as server:
            url = server.url
        async with closing(ConfluentRegistry(url)) as client:
            assert code(await client.schema(7)) == "registry_unreachable"

    async def test_a_registry_that_drips_is_timed_out(self) -> None:
        """The bound is on the whole answer."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            await peer.forever()

        async with raw_server(script) as server, closing(ConfluentRegistry(server.url, timeout=0.2)) as client:
            assert code(await client.schema(7)) == "registry_timeout"

    @pytest.mark.parametrize(
        "sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"\x15\x03\x01 what\r\n\r\n"]
    )
    async def test_a_connection_that_breaks_is_no_verdict(self, sent: bytes) -> None:
        """Before the answer, within it, or when it is none."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(sent)

        async with raw_server(script) as server, closing(ConfluentRegistry(server.url)) as client:
            found = await client.schema(7)
            assert isinstance(found, Unavailable)
            assert found.code in FETCH_CODES

    async def test_it_is_asked_through_the_proxys_tunnel(self, tmp_path: Path) -> None:
        """Each is shown its own credentials and not the other's."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(ca_file := tmp_path / "ca.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("registry.example").configure_cert(context)

        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.answer("200 OK", answer_of(CURRENT))

        async with raw_server(script, tls=context) as server, connect_proxy() as proxy:
            proxy.routes["registry.example"] = server.port
            proxy.credentials = "me:pa:ß"
            through = Proxy("127.0.0.1", proxy.port, "me:pa:ß")
            access = Access("user:1", tls=Tls(ca_file), proxy=through)
            async with closing(ConfluentRegistry("https://registry.example", access)) as client:
                assert await client.schema(7) == Found(CURRENT, ())
                wrong = access._replace(proxy=through._replace(basic_auth="me:wrong"))
                await client.renew(wrong)
                refused = await client.schema(8)
        assert refused == Unavailable("registry_proxy", f"the forward proxy 127.0.0.1:{proxy.port} answered 407")
        assert set(proxy.targets) == {"registry.example:443"}
        assert not any("authorization" in seen.headers for seen in proxy.asked)
        assert not any("proxy-authorization" in seen.headers for seen in server.requests)

    async def test_a_registry_without_tls_is_asked_for_by_its_whole_url(self) -> None:
        """The other way that a proxy is spoken to; its 407 is the proxy's and not the registry's."""
        statuses = ["200 OK", "407 Proxy Authentication Required"]

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(statuses.pop(0), answer_of(CURRENT), Connection="close")

        async with raw_server(script) as server:
            access = Access("user:1", proxy=Proxy("127.0.0.1", server.port, "me:1"))
            async with closing(ConfluentRegistry("http://registry.example:8081/a", access)) as client:
                assert await client.schema(7) == Found(CURRENT, ())
                assert code(await client.schema(8)) == "registry_proxy"
        (first, _) = server.requests
        assert first.start == "GET http://registry.example:8081/a/schemas/ids/7 HTTP/1.1"
        assert first.headers["proxy-authorization"] == "Basic bWU6MQ=="
        assert first.headers["authorization"] == "Basic dXNlcjox"

    @pytest.mark.parametrize("status", ["403 Forbidden", "502 Bad Gateway", "503 Service Unavailable"])
    async def test_a_proxy_that_opens_no_tunnel_is_named(self, status: str) -> None:
        """By host and port, without its credentials."""
        async with connect_proxy() as proxy:
            proxy.instead = (f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode(),)
            access = Access(proxy=Proxy("127.0.0.1", proxy.port, "me:s3cret"))
            async with closing(ConfluentRegistry("https://registry.example", access)) as client:
                answer = await client.schema(7)
        assert answer == Unavailable(
            "registry_proxy", f"the forward proxy 127.0.0.1:{proxy.port} answered {status[:3]}"
        )

    @pytest.mark.parametrize("host", ["127.0.0.1", "proxy.invalid"])
    async def test_a_proxy_that_is_not_reached_is_named(self, host: str) -> None:
        """Whether it has no address or refuses."""
        async with connect_proxy() as proxy:
            gone = proxy.port
        async with closing(
            ConfluentRegistry("https://registry.example", Access(proxy=Proxy(host, gone, "me:s3cret")))
        ) as client:
            answer = await client.schema(7)
        assert code(answer) == "registry_proxy"
        assert f"the forward proxy {host}:{gone} is not reached" in repr(answer)
        assert "s3cret" not in repr(answer)

    async def test_a_proxy_that_cuts_or_keeps_silent_is_named(self) -> None:
        """Where the other end of the tunnel may have done so, it is said that there is one."""
        async with connect_proxy() as proxy:
            access = Access(proxy=Proxy("127.0.0.1", proxy.port))
            for proxy.instead, proxy.silent in (((), False), (None, True)):
                async with closing(ConfluentRegistry("https://registry.example", access, timeout=0.2)) as client:
                    answer = await client.schema(7)
                assert isinstance(answer, Unavailable)
                assert f"through the forward proxy 127.0.0.1:{proxy.port}" in answer.cause

    async def test_basic_credentials_are_sent_and_shown_nowhere(self) -> None:
        """Their file holds `user:password`."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer("200 OK", answer_of(CURRENT))

        async with (
            raw_server(script) as server,
            closing(ConfluentRegistry(server.url, Access("user:Grüße"))) as client,
        ):
            await client.schema(7)
            (seen,) = server.requests
            assert seen.headers["authorization"] == "Basic dXNlcjpHcsO8w59l"
            assert "Grüße" not in repr(client)

    async def test_a_token_is_sent_in_place_of_a_password(self) -> None:
        """As OAuth's bearer."""

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer("200 OK", answer_of(CURRENT))

        async with (
            raw_server(script) as server,
            closing(ConfluentRegistry(server.url, Access(bearer_token="ey.J"))) as client,
        ):
            assert await client.schema(7) == Found(CURRENT, ())
            (seen,) = server.requests
            assert seen.headers["authorization"] == "Bearer ey.J"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_a_registry_that_asks_for_a_certificate_gets_ours(
        self, tmp_path: Path, version: ssl.TLSVersion
    ) -> None:
        """Without one, or with that of another authority, it refuses: no verdict, and the cause is what it said."""
        ours, other = trustme.CA(), trustme.CA()
        served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ours.issue_cert("127.0.0.1").configure_cert(served)
        ours.configure_trust(served)
        served.verify_mode = ssl.CERT_REQUIRED
        served.maximum_version = version
        ours.cert_pem.write_to_path(ca_file := tmp_path / "ca.pem")
        files = {"none": Tls(ca_file)}
        for name, authority in (("ours", ours), ("other", other)):
            certificate = authority.issue_cert("client.example.com")
            certificate.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
            certificate.private_key_pem.write_to_path(tmp_path / f"{name}.key")
            files[name] = Tls(ca_file, tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        answers = {}
        with speaking_tls(served) as url:
            for name, tls in files.items():
                async with closing(ConfluentRegistry(url, Access(tls=tls))) as client:
                    answers[name] = await client.schema(7)
        assert answers["ours"] == Found(CURRENT, ())
        assert code(answers["other"]) == "registry_refused"
        assert "ALERT_UNKNOWN_CA" in str(answers["other"])
        assert ("ALERT_CERTIFICATE_REQUIRED" in str(answers["none"])) is (version is ssl.TLSVersion.TLSv1_3)
        assert "ALERT" in str(answers["none"])

    async def test_a_connection_that_is_closed_may_be_the_want_of_a_certificate(self, tmp_path: Path) -> None:
        """Not every server says why."""
        ours = trustme.CA()
        served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ours.issue_cert("127.0.0.1").configure_cert(served)
        ours.cert_pem.write_to_path(ca_file := tmp_path / "ca.pem")

        async def script(peer: Peer) -> None:
            await peer.request()

        async with (
            raw_server(script, tls=served) as server,
            closing(ConfluentRegistry(server.url, Access(tls=Tls(ca_file)))) as client,
        ):
            answer = await client.schema(7)
        assert code(answer) == "registry_unreachable"
        assert "wants a certificate" in str(answer)

    async def test_only_the_configured_authority_is_trusted(self, tmp_path: Path) -> None:
        """`ca_file` stands in place of the system's."""
        ours, other = trustme.CA(), trustme.CA()
        served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ours.issue_cert("127.0.0.1").configure_cert(served)
        answers = {}

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer("200 OK", answer_of(CURRENT))

        async with raw_server(script, tls=served) as server:
            for name, ca in (("ours", ours), ("other", other)):
                ca.cert_pem.write_to_path(tmp_path / name)
                async with closing(ConfluentRegistry(server.url, Access(tls=Tls(tmp_path / name)))) as client:
                    answers[name] = await client.schema(7)
        assert answers["ours"] == Found(CURRENT, ())
        assert isinstance(other_one := answers["other"], Unavailable)
        assert other_one.code == "registry_unreachable"
        assert other_one.cause == "its certificate is not trusted: unable to get local issuer certificate"

    def test_a_ca_file_that_cannot_be_read_is_an_error_at_start(self, tmp_path: Path) -> None:
        """And not at the first event."""
        with pytest.raises(OSError, match="No such file"):
            ConfluentRegistry("https://127.0.0.1", Access(tls=Tls(tmp_path / "gone.pem")))


class TestRenewal:
    """New credentials and a new authority while it is asked."""

    both_loops = True

    async def test_new_credentials_are_on_the_next_question_and_none_that_is_under_way_is_cut_off(self) -> None:
        """The connection is kept as well."""
        read, answer = asyncio.Event(), asyncio.Event()

        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                read.set()
                await answer.wait()
                await peer.answer("200 OK", answer_of(CURRENT))

        async with raw_server(script) as server, closing(ConfluentRegistry(server.url, Access("u:1"))) as client:
            under_way = asyncio.create_task(client.schema(7))
            await asyncio.wait_for(read.wait(), 60)
            await client.renew(Access("u:2"))
            answer.set()
            assert await under_way == Found(CURRENT, ())
            assert await client.schema(8) == Found(CURRENT, ())
            assert [seen.headers["authorization"] for seen in server.requests] == ["Basic dTox", "Basic dToy"]

    async def test_a_new_authority_is_trusted_and_one_that_cannot_be_used_changes_nothing(self, tmp_path: Path) -> None:
        """Not the credentials either."""
        authority = trustme.CA()
        served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(served)
        authority.cert_pem.write_to_path(ca_file := tmp_path / "ca.pem")
        (broken := tmp_path / "broken.pem").write_bytes(ca_file.read_bytes()[:-100])

        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.answer("200 OK", answer_of(CURRENT))

        async with (
            raw_server(script, tls=served) as server,
            closing(ConfluentRegistry(server.url, Access("u:1"))) as client,
        ):
            assert code(await client.schema(7)) == "registry_unreachable"
            await client.renew(Access("u:2", tls=Tls(ca_file)))
            assert await client.schema(7) == Found(CURRENT, ())
            with pytest.raises(OSError):
                await client.renew(Access("u:3", tls=Tls(broken)))
            assert await client.schema(7) == Found(CURRENT, ())
            assert [seen.headers["authorization"] for seen in server.requests] == ["Basic dToy", "Basic dToy"]


class TestRealRegistry:
    """Apicurio's Confluent-compatible API."""

    async def test_an_event_is_read_by_the_id_that_the_registry_gave(self, registry: Apicurio) -> None:
        """From the producer's registration to the fields."""
        number = registry.register("invocations-value", newer())
        async with decoding(registry) as decoder:
            value = record(encode({**EVENT, "cities": [], "kind": "A"}, newer(), Framing.CONFLUENT, number))
            assert decoder.decode(value) == needed(number)
            assert await fetch(decoder, needed(number)) is None
            assert decoder.decode(value) == EVENT

    async def test_references_are_resolved(self, registry: Apicurio) -> None:
        """A type that was registered under another subject."""
        city = '{"type": "record", "name": "City", "namespace": "geo", "fields": [{"name": "n", "type": "string"}]}'
        registry.register("city", city)
        reference = {"name": "geo.City", "subject": "city", "version": 1}
        number = registry.register("with-city-value", with_extra("geo.City"), references=[reference])
        written = with_extra(json.loads(city))
        async with decoding(registry) as decoder:
            value = record(encode({**EVENT, "extra": {"n": "Ulm"}}, written, Framing.CONFLUENT, number))
            assert await fetch(decoder, needed(number)) is None
            assert decoder.decode(value) == EVENT

    @pytest.mark.parametrize("uses", [["geo.Town", "geo.Address"], ["geo.Address", "geo.Town"], ["geo.Town"]])
    async def test_a_type_within_a_referenced_one_is_used_before_after_and_without_it(
        self, registry: Apicurio, uses: list[str]
    ) -> None:
        """As Java's parser, which knows every name of what is referenced."""
        town = {"type": "record", "name": "Town", "fields": [{"name": "n", "type": "string"}]}
        address = {"type": "record", "name": "Address", "namespace": "geo", "fields": [{"name": "town", "type": town}]}
        registry.register("address", json.dumps(address))
        reference = {"name": "geo.Address", "subject": "address", "version": 1}
        subject = "-".join(uses)
        number = registry.register(subject, with_extra(extra(*uses)), references=[reference])
        values = {"geo.Town": {"n": "Ulm"}, "geo.Address": {"town": {"n": "Ulm"}}}
        fields = {f"f{place}": values[name] for place, name in enumerate(uses)}
        known = {"geo.Town": {**town, "namespace": "geo"}, "geo.Address": address}
        written = with_extra(extra(known[uses[0]], *uses[1:]))
        if uses[0] == "geo.Town" and len(uses) > 1:
            written = with_extra(
                extra(known["geo.Town"], {**address, "fields": [{"name": "town", "type": "geo.Town"}]})
            )
        async with decoding(registry) as decoder:
            value = record(encode({**EVENT, "extra": fields}, written, Framing.CONFLUENT, number))
            assert await fetch(decoder, needed(number)) is None
            assert decoder.decode(value) == EVENT

    async def test_a_type_without_a_namespace_is_known_by_its_simple_name_anywhere(self, registry: Apicurio) -> None:
        """Java's toString() writes it like that within another namespace, and its parser reads it."""
        plain = {"type": "record", "name": "Plain", "fields": [{"name": "n", "type": "string"}]}
        registry.register("plain", json.dumps(plain))
        reference = {"name": "Plain", "subject": "plain", "version": 1}
        number = registry.register("with-plain", with_extra(extra("Plain", "Plain")), references=[reference])
        written = with_extra(extra({**plain, "namespace": "anywhere"}, "anywhere.Plain"))
        async with decoding(registry) as decoder:
            event = {**EVENT, "extra": {"f0": {"n": "Ulm"}, "f1": {"n": "Ulm"}}}
            value = record(encode(event, written, Framing.CONFLUENT, number))
            assert await fetch(decoder, needed(number)) is None
            assert decoder.decode(value) == EVENT

    async def test_its_own_ids_are_asked_of_its_own_api(self, registry: Apicurio) -> None:
        """Global ids and content ids, with what their schemas refer to; JSON Schemas too."""
        city = '{"type": "record", "name": "City", "namespace": "own", "fields": [{"name": "n", "type": "string"}]}'
        registry.register("own-city", city)
        reference = {"name": "own.City", "subject": "own-city", "version": 1}
        for subject in ("own-value", "own-value-again"):  # of one content, so that one global id is another number
            content_id = registry.register(subject, with_extra("own.City"), references=[reference])
        global_id = registry.global_id("own-value-again")
        assert global_id != content_id
        registry.register("own-json", json_schema().text, schemaType="JSON")
        async with closing(ConfluentRegistry(registry.url)) as client:
            own = ApicurioApi(client, registry.own_url)
            expected = Found(with_extra("own.City"), (city,))
            assert await own.schema(Name(Kind.CONTENT_ID, str(content_id))) == expected
            assert await own.schema(Name(Kind.GLOBAL_ID, str(global_id))) == expected
            found = await own.schema(Name(Kind.GLOBAL_ID, str(registry.global_id("own-json"))))
            assert found == Found(json_schema().text, (), is_json=True)
            for kind in (Kind.CONTENT_ID, Kind.GLOBAL_ID):
                assert await own.schema(Name(kind, "99999")) == Unknown()
            assert code(await ApicurioApi(client, f"{registry.own_url}x").schema(Name(kind, "1"))) == "registry_strange"

    async def test_a_schema_that_is_not_read_is_named_by_subject_and_version(self, registry: Apicurio) -> None:
        """For whoever looks for it there."""
        registry.register("told-value", with_extra("int"))
        number = registry.register("told-value", json.dumps({**json.loads(CURRENT), "fields": []}))
        async with decoding(registry) as decoder:
            assert await fetch(decoder, needed(number)) is None
            found = decoder.decode(record(wire(number)))
        assert isinstance(found, Refusal)
        assert f"id {number} (told-value version 2): " in str(found.problems[0])

    async def test_it_says_itself_that_it_does_not_know_an_id(self, registry: Apicurio) -> None:
        """In Confluent's words."""
        async with closing(ConfluentRegistry(registry.url)) as client:
            assert await client.schema(99_999) == Unknown()

    async def test_a_wrong_path_is_no_verdict(self, registry: Apicurio) -> None:
        """It answers 404 in JSON there too, but not with 40403."""
        async with closing(ConfluentRegistry(f"{registry.url}/typo")) as client:
            assert code(await client.schema(1)) == "registry_strange"

    @pytest.mark.registry
    async def test_an_outage_is_no_verdict_and_ends_by_itself(self, tmp_path: Path) -> None:
        """Stopped and started again on the same port."""
        with running(tmp_path) as server:
            number = server.register("invocations-value", CURRENT)
            async with decoding(server) as decoder:
                server.stop()
                assert await fetch(decoder, needed(number)) == "registry_unreachable"
                server.start()
                assert server.register("invocations-value", CURRENT) == number
                assert await fetch(decoder, needed(number)) is None
                assert decoder.decode(record(wire(number))) == EVENT


def extra(*kinds: object) -> dict[str, object]:
    """A record with one field of each kind."""
    fields = [{"name": f"f{place}", "type": kind} for place, kind in enumerate(kinds)]
    return {"type": "record", "name": "Extra", "fields": fields}


@asynccontextmanager
async def decoding(registry: Apicurio) -> AsyncIterator[AvroDecoder]:
    client = ConfluentRegistry(registry.url)
    also = Asking(versions=client.versions)
    decoder = AvroDecoder(CURRENT, NO_FILES, registry=client, also=also, monotonic=lambda: 0.0)
    try:
        yield decoder
    finally:
        await decoder.close()
