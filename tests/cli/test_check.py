"""`connector check` without a broker: settings, files, the vendor's address and credentials."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connector.config import Settings, load
from connector.edge.avro.schemas import reader_schema
from connector.edge.http.handshake import Refused, Shaken
from connector.runtime.checks.finding import Finding, Verdict, line
from connector.runtime.checks.live import address, api, registry
from connector.runtime.checks.mapping import mapping
from connector.runtime.checks.offline import address as environment
from connector.runtime.checks.offline import (
    kafka_properties,
    offline,
    outcomes,
    schemas,
    secret_files,
    services,
    tls_files,
)
from connector.runtime.checks.probe import probe
from connector.runtime.checks.proxies import forward_proxies
from tests.cli.conftest import PASSWORD, Run, Simulator, own_loop
from tests.support.connect_proxy import UNAUTHORIZED, ConnectProxy, connect_proxy
from tests.support.raw_http import Peer, raw_server

Configure = Callable[..., Path]
DAY = 86400.0


@contextmanager
def running_proxy(loop: asyncio.AbstractEventLoop) -> Iterator[ConnectProxy]:
    """A proxy on that event loop."""
    context = connect_proxy()
    proxy = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(60)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(60)


def configured(write: Configure, **openmarket: object) -> Settings:
    return load(write(openmarket), {})


def test_a_finding_is_one_line() -> None:
    """Verdict, name, why, and the remedy after an arrow."""
    shown = line(Finding("brokers", Verdict.FAILED, "none", "start one"))
    assert re.sub("\x1b\\[[0-9;]*m", "", shown) == "failed   brokers: none → start one"


def test_unusable_settings_end_with_exit_code_2(connector: Run, config_file: Configure) -> None:
    """Nothing else can be checked then."""
    assert connector("check", "--config", config_file({"base_url": "nonsense"})).exit_code == 2


def test_check_as_json_says_the_same_with_the_same_exit_code(connector: Run, config_file: Configure) -> None:
    """One document on standard output, whatever was found."""
    file = config_file({"outcomes": [{"status": 401, "fate": "dead_letter"}]}, kafka={"client": {"no.such": 1}})
    lines, document = connector("check", "--config", file), connector("check", "--config", file, "--json")
    assert (lines.exit_code, document.exit_code) == (1, 1)
    content = json.loads(document.stdout)
    assert content.keys() == {"ok", "warning", "failed", "findings"}
    assert lines.stdout.endswith(f"{content['ok']} ok, {content['warning']} warning, {content['failed']} failed\n")
    shown = [
        line(Finding(each["name"], Verdict(each["verdict"]), each["why"], each["remedy"] or ""))
        for each in content["findings"]
    ]
    plain = [re.sub("\x1b\\[[0-9;]*m", "", text) for text in shown]
    assert lines.stdout.splitlines()[:-1] == plain
    assert None in [each["remedy"] for each in content["findings"]]


def test_settings_that_cannot_be_used_are_a_document_too(connector: Run, config_file: Configure) -> None:
    run = connector("check", "--config", config_file({"base_url": "nonsense", "nonsense": 1}), "--json")
    assert run.exit_code == 2
    content = json.loads(run.stdout)
    assert (content["ok"], content["failed"], len(content["findings"])) == (0, 2, 2)
    assert {each["name"] for each in content["findings"]} == {"settings"}


def test_a_secret_file_that_everybody_may_read_is_a_warning(config_file: Configure, tmp_path: Path) -> None:
    """chmod 644 is how passwords get around."""
    settings = configured(config_file)
    (tmp_path / "password").chmod(0o644)
    assert secret_files(settings).verdict is Verdict.WARNING


def test_a_secret_that_the_log_cannot_mask_is_a_warning(config_file: Configure, tmp_path: Path) -> None:
    """Its length is not told."""
    file = config_file()
    (tmp_path / "password").write_text("abc")
    found = secret_files(load(file, {}))
    assert (found.verdict, found.why) == (
        Verdict.WARNING,
        "shorter than 4 characters, which the log does not mask: openmarket.password_file",
    )


def test_secret_files_of_our_own_are_ok(config_file: Configure) -> None:
    """They are listed by setting, never by content."""
    found = secret_files(configured(config_file))
    assert found == Finding("secret files", Verdict.OK, "readable: openmarket.password_file")


@pytest.mark.parametrize(
    ("openmarket", "verdict"),
    [
        ({}, Verdict.OK),
        ({"base_url": "http://127.0.0.1:1"}, Verdict.OK),
        ({"base_url": "https://servicemanager-cie.openmarket.com"}, Verdict.WARNING),
        ({"base_url": "http://vendor.example", "allow_plain_http": True}, Verdict.WARNING),
    ],
)
def test_the_environment_is_shown(config_file: Configure, openmarket: dict[str, object], verdict: Verdict) -> None:
    """A connector left on CIE is all green and reaches nobody."""
    assert environment(configured(config_file, **openmarket)).verdict is verdict


@pytest.mark.parametrize("said", ["Invoke Service API", "service collection", "main role", "triggered"])
def test_the_services_remedy_names_what_the_account_needs(config_file: Configure, said: str) -> None:
    """The vendor's page: acceptance does not show that a service is triggered."""
    assert said in services(configured(config_file)).remedy


def test_any_service_is_a_warning(config_file: Configure) -> None:
    """The vendor accepts an id that does not exist."""
    assert services(configured(config_file, service_ids={"any": True})).verdict is Verdict.WARNING


def test_an_override_that_empties_the_topic_is_a_warning(config_file: Configure) -> None:
    """A wrong address answers 404 to every record."""
    rules = [{"status": 404, "fate": "dead_letter"}]
    assert outcomes(configured(config_file, outcomes=rules)).verdict is Verdict.WARNING


async def test_12002_means_that_the_credentials_are_accepted(config_file: Configure, simulator: Simulator) -> None:
    """And nobody was texted."""
    found = await probe(configured(config_file, base_url=simulator.url))
    assert (found.verdict, simulator.ledger.accepted) == (Verdict.OK, 0)


async def test_refused_credentials_fail_the_probe(config_file: Configure, simulator: Simulator) -> None:
    """With the remedy of the classification table."""
    found = await probe(configured(config_file, base_url=simulator.url, account_id="somebody"))
    assert found.verdict is Verdict.FAILED
    assert "password_file" in found.remedy


async def test_a_vendor_that_does_not_answer_fails_the_probe(config_file: Configure) -> None:
    """No answer is no proof."""
    assert (await probe(configured(config_file, base_url="http://127.0.0.1:1"))).verdict is Verdict.FAILED


def test_a_probe_shows_no_password(connector: Run, config_file: Configure, simulator: Simulator) -> None:
    """Nor does any other line of check."""
    result = connector("check", "--probe", "--config", config_file({"base_url": simulator.url}))
    assert "ok       credentials: accepted" in result.stdout
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Shaken("TLSv1.3", 100 * DAY), Verdict.OK),
        (Shaken("no TLS", None), Verdict.OK),
        (Shaken("TLSv1.3", 10 * DAY), Verdict.WARNING),
        (Refused("dns", "Name or service not known"), Verdict.FAILED),
        (Refused("server_certificate", "self-signed certificate"), Verdict.FAILED),
    ],
)
def test_a_handshake_is_judged(found: Shaken | Refused, verdict: Verdict) -> None:
    """A certificate that ends within 14 days is worth a word."""
    assert address("vendor:443", found, 0.0).verdict is verdict


def test_our_own_schemas_are_enough_for_single_objects(config_file: Configure) -> None:
    """They come with the package."""
    assert schemas(load(config_file({}, schemas={"framing": "single_object"}), {})).verdict is Verdict.OK


@pytest.mark.parametrize(("framing", "verdict"), [("auto", Verdict.WARNING), ("single_object", Verdict.OK)])
def test_frames_with_an_id_that_nobody_can_look_up_are_a_warning(
    config_file: Configure, framing: str, verdict: Verdict
) -> None:
    """Neither a registry nor ids.json: every such event would be refused."""
    settings = load(config_file({}, schemas={"framing": framing}), {})
    found = schemas(settings)
    assert found.verdict is verdict
    assert verdict is Verdict.OK or "ids.json" in found.why


def test_a_folder_with_what_is_no_schema_fails(config_file: Configure, tmp_path: Path) -> None:
    """The file is named."""
    (tmp_path / "broken.avsc").write_text("{")
    found = schemas(load(config_file(schemas={"folder": str(tmp_path)}), {}))
    assert found.verdict is Verdict.FAILED
    assert "broken.avsc" in found.why


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({"phoneNumber": "long"}, Verdict.FAILED, "wrong.avsc cannot be used: phoneNumber: long is not string"),
        ({"phoneNumber": ["null", "string"]}, Verdict.WARNING, "wrong.avsc: phoneNumber: null is not string"),
        ({"variables": {"type": "map", "values": "string"}}, Verdict.FAILED, "variables.*: string is not map of"),
        ({"phoneNumber": None}, Verdict.FAILED, "phoneNumber: not written, and has no default"),
        ({"mobileOperatorId": ["null", "int"]}, Verdict.OK, "all compatible"),
    ],
)
def test_a_schema_that_does_not_resolve_is_named_with_field_and_types(
    config_file: Configure, tmp_path: Path, changes: dict[str, object], verdict: Verdict, said: str
) -> None:
    """Each event written with it would be a dead letter."""
    schema = json.loads(reader_schema())
    schema["fields"] = [
        {**field, "type": changes.get(field["name"], field["type"])}
        for field in schema["fields"]
        if changes.get(field["name"], "") is not None
    ]
    (tmp_path / "wrong.avsc").write_text(json.dumps(schema))
    found = schemas(load(config_file(schemas={"folder": str(tmp_path), "framing": "single_object"}), {}))
    assert (found.verdict, said in found.why) == (verdict, True)


async def test_a_registry_that_knows_not_the_id_is_reachable(config_file: Configure) -> None:
    """Its own JSON says so."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        unknown = b'{"error_code": 40403, "message": "Schema not found"}'
        await peer.answer("404 Not Found", unknown, Content_Type="application/json")

    async with raw_server(answer) as server:
        found = await registry(load(config_file(schemas={"registry": {"url": server.url}}), {}))
    assert found.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ({"guids": True}, "before Confluent Platform 8 serve no GUIDs"),
        ({"apicurio_url": "{}/apis/registry/v2"}, "compare schemas.registry.apicurio_url"),
    ],
)
async def test_a_registry_that_does_not_know_the_kind_of_name_in_use_fails(
    config_file: Configure, setting: dict[str, object], remedy: str
) -> None:
    """Ids are answered: nothing else would tell, until a partition waits."""

    async def answer(peer: Peer) -> None:
        asked = await peer.request()
        number = 40403 if "/schemas/ids/" in asked.start else 404
        body = json.dumps({"error_code": number, "message": "not found"}).encode()
        await peer.answer("404 Not Found", body, Content_Type="application/json")

    async with raw_server(answer) as server:
        filled = {name: text.format(server.url) if isinstance(text, str) else text for name, text in setting.items()}
        found = await registry(load(config_file(schemas={"registry": {"url": server.url, **filled}}), {}))
    assert found.verdict is Verdict.FAILED
    assert remedy in found.remedy


async def test_an_unreachable_registry_fails(config_file: Configure) -> None:
    """Every partition with an unknown schema id would wait for it. Its address and the cause are named."""
    settings = load(config_file(schemas={"registry": {"url": "http://127.0.0.1:1"}}), {})
    found = await registry(settings)
    assert found.verdict is Verdict.FAILED
    assert found.why.startswith("http://127.0.0.1:1: no usable answer (registry_unreachable: ")
    assert "firewall" in found.remedy


@pytest.mark.parametrize(("status", "remedy"), [("429 Too Many Requests", "raise its limit"), ("500 Oh", "own log")])
async def test_a_registry_in_trouble_fails_with_its_status(config_file: Configure, status: str, remedy: str) -> None:
    """Each trouble has its own remedy."""

    async def answer(peer: Peer) -> None:
        await peer.request()
        await peer.answer(status, b"{}")

    async with raw_server(answer) as server:
        found = await registry(load(config_file(schemas={"registry": {"url": server.url}}), {}))
    assert found.verdict is Verdict.FAILED
    assert f"HTTP {status[:3]}" in found.why
    assert remedy in found.remedy


async def test_a_registrys_certificates_that_cannot_be_used_are_findings(
    config_file: Configure, tmp_path: Path
) -> None:
    """Offline and live; the remedy is about them, and not about the folder."""
    (tmp_path / "no.pem").write_text("no certificate")
    files = {"certificate_file": str(tmp_path / "no.pem"), "key_file": str(tmp_path / "no.pem")}
    settings = load(config_file(schemas={"registry": {"url": "https://registry", **files}}), {})
    for found in (schemas(settings), await registry(settings)):
        assert found.verdict is Verdict.FAILED
        assert "schemas.registry" in found.why
        assert "the key must belong to the certificate" in found.remedy


async def test_certificates_that_cannot_be_used_are_findings_and_no_crash(
    config_file: Configure, tmp_path: Path
) -> None:
    """Offline, at the vendor's address and by the probe."""
    (tmp_path / "no.pem").write_text("no certificate")
    files = {"certificate_file": str(tmp_path / "no.pem"), "key_file": str(tmp_path / "no.pem")}
    settings = configured(config_file, tls=files)
    found = [tls_files(settings), await probe(settings)]
    assert [finding.verdict for finding in found] == [Verdict.FAILED, Verdict.FAILED]


def test_properties_that_librdkafka_refuses_fail_without_a_broker(config_file: Configure) -> None:
    """It would refuse them at start; `max_poll_interval` may not be shorter than its session time-out, for one."""
    settings = load(config_file(kafka={"client": {"no.such.property": 1}}), {})
    found = kafka_properties(settings)
    assert found.verdict is Verdict.FAILED
    assert "no.such.property" in found.why


PROXY = {"url": "http://proxy.example:3128"}
OAUTH = {"client_id": "me", "token_endpoint": "https://login.example/token"}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_the_environments_proxy_variables_are_named_as_not_used(config_file: Configure, variable: str) -> None:
    """With the setting to use instead, and without the value, which may hold a password."""
    found = forward_proxies(configured(config_file), {variable: "http://me:s3cret@proxy:3128", "NO_PROXY": "*"})
    assert found.verdict is Verdict.WARNING
    assert variable in found.why
    assert "openmarket.proxy.url" in found.remedy
    assert "s3cret" not in line(found)


def test_without_variables_or_with_proxies_of_our_own_there_is_nothing_to_warn_of(config_file: Configure) -> None:
    """An empty variable is none."""
    assert forward_proxies(configured(config_file), {"https_proxy": ""}).verdict is Verdict.OK
    settings = load(config_file({"proxy": PROXY}, schemas={"registry": {"url": "https://a", "proxy": PROXY}}), {})
    found = forward_proxies(settings, {"HTTPS_PROXY": "http://elsewhere:1"})
    assert found.verdict is Verdict.OK
    assert "openmarket.proxy is proxy.example:3128" in found.why
    assert "schemas.registry.proxy is proxy.example:3128" in found.why


def test_a_registry_that_is_reached_directly_is_named(config_file: Configure) -> None:
    """One of two behind the proxy is half a deployment."""
    settings = load(config_file({"proxy": PROXY}, schemas={"registry": {"url": "https://a"}}), {})
    found = forward_proxies(settings, {"https_proxy": "http://elsewhere:1"})
    assert (found.verdict, "schemas.registry.proxy.url" in found.remedy) == (Verdict.WARNING, True)


@pytest.mark.parametrize(("variable", "obeyed"), [("HTTPS_PROXY", True), ("all_proxy", True), ("http_proxy", False)])
def test_what_librdkafka_makes_of_the_variables_is_said(
    config_file: Configure, tmp_path: Path, variable: str, obeyed: bool
) -> None:
    """It has no setting for the token endpoint's proxy, and obeys the environment."""
    (tmp_path / "client").write_text("x")
    oauth = {**OAUTH, "client_secret_file": str(tmp_path / "client")}
    security = {"protocol": "sasl_ssl", "mechanism": "OAUTHBEARER", "oauth": oauth}
    found = forward_proxies(load(config_file(kafka={"security": security}), {}), {variable: "http://proxy:3128"})
    assert ("but librdkafka does" in found.why, "is asked directly" in found.why) == (obeyed, not obeyed)


async def test_check_goes_through_the_proxy_and_says_so(config_file: Configure) -> None:
    """As the posts do; going direct, it would be ok where no post can go."""
    async with connect_proxy() as proxy:
        settings = configured(config_file, base_url="https://vendor.example", proxy={"url": proxy.url})
        proxy.instead = (UNAUTHORIZED,)
        shaken, probed = await asyncio.to_thread(api, settings), await probe(settings)
        assert proxy.targets == ["vendor.example:443"] * 2
    for found in (shaken, probed):
        assert found.verdict is Verdict.FAILED
        assert "proxy_credentials" in found.why
        assert f"127.0.0.1:{proxy.port}" in found.why
        assert "openmarket.proxy.basic_auth_file" in found.remedy


def test_post_goes_through_the_proxy_and_names_it(connector: Run, config_file: Configure, event_file: Path) -> None:
    """What is tried by hand takes the way that the connector will."""
    with own_loop() as loop, running_proxy(loop) as proxy:
        proxy.instead = (UNAUTHORIZED,)
        config = config_file({"base_url": "https://vendor.example", "proxy": {"url": proxy.url}})
        result = connector("post", event_file, "--config", config, "--yes")
        assert proxy.targets == ["vendor.example:443"]
    assert result.exit_code == 1
    assert "proxy_credentials" in result.stdout
    assert f"127.0.0.1:{proxy.port}" in result.stdout


@pytest.mark.parametrize(("registry", "verdict"), [(None, Verdict.FAILED), ("http://127.0.0.1:1", Verdict.WARNING)])
def test_a_mapping_of_a_schema_that_nothing_at_hand_is_shows(
    config_file: Configure, tmp_path: Path, registry: str | None, verdict: Verdict
) -> None:
    """With `others: skip` a misspelt name would skip what was meant to be sent. A registry may know it."""
    (tmp_path / "booking.avsc").write_text('{"type": "record", "name": "com.example.Booking", "fields": []}')
    event = {"schema": "com.example.Boking", "eventId": "id", "serviceId": {"value": "0A1B"}, "phoneNumber": "phone"}
    given = {"folder": str(tmp_path), **({} if registry is None else {"registry": {"url": registry}})}
    (found,) = mapping(load(config_file(schemas=given, mapping={"events": [event], "others": "skip"}), {}))
    assert (found.name, found.verdict) == ("mapping", verdict)
    assert "com.example.Boking" in found.why
    assert "put the producer's schema into schemas.folder" in found.remedy


class TestMapping:
    """A mapping is checked with every schema file, and against the services that may be triggered."""

    @pytest.fixture
    def mapped(self, config_file: Configure, tmp_path: Path) -> Callable[..., Settings]:
        """Settings with a gate change's mapping, which fits its schema unless told otherwise."""

        def write(fields: str = "id phone kind", **event: object) -> Settings:
            given = [{"name": name, "type": "string"} for name in fields.split()]
            schema = {"type": "record", "name": "GateChanged", "namespace": "com.example", "fields": given}
            (tmp_path / "schemas").mkdir()
            (tmp_path / "schemas/gate.avsc").write_text(json.dumps(schema))
            whole = {"schema": "com.example.GateChanged", "eventId": "id", "phoneNumber": "phone", **event}
            sections = {"folder": str(tmp_path / "schemas"), "framing": "single_object"}
            return load(config_file(schemas=sections, mapping={"events": [whole], "others": "skip"}), {})

        return write

    def test_that_it_fits_is_said(self, mapped: Callable[..., Settings]) -> None:
        """And no schema is called compatible that only the mapping reads."""
        settings = mapped(serviceId={"value": "0a1b"})
        why = "1 event; fits com.example.GateChanged; others: skip, misfits: hold"
        assert list(mapping(settings)) == [Finding("mapping", Verdict.OK, why)]
        assert list(mapping(settings)) == [found for found in offline(settings) if found.name == "mapping"]
        assert "each ours, the mapping's, or one of the others" in schemas(settings).why

    def test_without_one_nothing_is_said(self, config_file: Configure) -> None:
        assert [found for found in offline(load(config_file(), {})) if found.name == "mapping"] == []

    @pytest.mark.parametrize(
        ("source", "verdict", "words"),
        [
            ({"value": "0C"}, Verdict.FAILED, "GateChanged.serviceId is 0C, which openmarket.service_ids does not"),
            ({"path": "kind", "default": "0C"}, Verdict.WARNING, "GateChanged.serviceId can be 0C, which"),
            ({"path": "kind", "then": [{"lookup": {"A": "0A1B", "B": "0D", "C": "0C"}}]}, Verdict.WARNING, "0D, 0C"),
            ({"first": ["kind", {"value": "0C"}]}, Verdict.WARNING, "can be 0C, which"),
        ],
    )
    def test_a_service_that_is_not_allowed_is_named(
        self, mapped: Callable[..., Settings], source: object, verdict: Verdict, words: str
    ) -> None:
        """All that the mapping can name is known before the first event."""
        (found,) = mapping(mapped(serviceId=source))
        assert found.verdict is verdict
        assert words in found.why
        assert "service_id_not_allowed" in found.remedy

    def test_a_misfit_is_told_once_and_is_not_blamed_on_the_folder(self, mapped: Callable[..., Settings]) -> None:
        settings = mapped("id kind", serviceId={"value": "0A1B"})
        found = schemas(settings)
        assert found.verdict is Verdict.FAILED
        assert found.why.startswith("the mapping does not fit ")
        assert "correct mapping.events" in found.remedy
        assert list(mapping(settings)) == []


def test_tracing_is_looked_at_where_it_is_on(config_file: Configure) -> None:
    on, off = (load(config_file(tracing={"enabled": enabled}), {}) for enabled in (True, False))
    assert [found.verdict for found in offline(on) if found.name == "tracing"] == [Verdict.OK]
    assert [found for found in offline(off) if found.name == "tracing"] == []
