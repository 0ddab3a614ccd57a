"""Bad days at the vendor, on real Kafka and real sockets: a real process holds, and comes back by itself."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from connector.core.poison import WAITS
from connector.simulator.rules import PASSWORD
from connector.simulator.server import SimulatorServer
from tests.support.authority import Authority
from tests.support.connect_proxy import ConnectProxy, connect_proxy
from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.support.kafka_broker import Kafka
from tests.support.mount import Mount
from tests.whole.load import LATENCY, PATIENCE, Load
from tests.whole.stage import SERVICE, ListeningVendor, Stage, books_balance, event

IN_FLIGHT, MINIMUM = 16, 20
PARTITIONS = 4 + 1
"""Of the main topic and the retry topic, where two processes share them."""

SOON = {"first": "300ms", "longest": "500ms"}
NEVER = {"first": "1h", "longest": "1h"}
"""Longer than any test: only what ends a hold at once can."""


def _connector(stage: Stage, canary: Mapping[str, str] = SOON, **sections: Any) -> ConnectorProcess:
    """It knows a second service, so that there are bulkheads, as in most deployments."""
    hold = {"canary": canary, "endpoint": {"minimum": MINIMUM, "probes": SOON}}
    sections["openmarket"] = {"service_ids": [SERVICE, "AB"], **sections.get("openmarket", {})}
    return stage.connector(hold=hold, delivery={"in_flight": IN_FLIGHT}, log={"accepted": False}, **sections)


async def _holds(connector: ConnectorProcess, count: int, kind: str = "deployment") -> None:
    """Wait until it has entered this many holds of the kind."""
    await eventually(lambda: len(_lines(connector, "hold_entered", kind)) >= count, PATIENCE, f"hold {count}: {kind}")


def _lines(connector: ConnectorProcess, event: str, kind: str) -> list[dict[str, Any]]:
    return [line for line in connector.lines(event) if line["kind"] == kind]


async def _tries(connector: ConnectorProcess, count: int) -> int:
    """Wait until so many records were tried in vain during the first hold, and return how many."""
    return int((await connector.status_when(lambda status: _tried(status) >= count))["holds"][0]["tries"])


def _tried(status: Mapping[str, Any]) -> int:
    return max((hold["tries"] or 0 for hold in status.get("holds", ())), default=0)


async def _cost_nothing(stage: Stage, connector: ConnectorProcess, marks: list[str]) -> None:
    """Everything is accepted, each once; nothing was dead-lettered; the books balance and the stop is clean."""
    await eventually(lambda: not stage.lost(marks), PATIENCE, "every event is accepted")
    metrics = await connector.shows(in_flight=0, records_in_hand=0)
    assert metrics["records_dead_lettered_total"] == 0
    assert metrics["records_accepted_total"] == len(marks)
    assert stage.accepted_once(marks)
    assert books_balance(metrics)
    assert await connector.stop() == 0


class TestPassword:
    """Changed at the vendor, while events flow."""

    async def test_changed_and_changed_back_costs_nothing(self, stage: Stage) -> None:
        """What is refused is what was under way, and the canaries."""
        async with Load(stage) as load:
            connector = _connector(stage)
            await connector.start()
            await load.goes_on()
            stage.scenario(latency=LATENCY, passwords=[{"after": 0, "password": "another"}])
            await _holds(connector, 1)
            tries = await _tries(connector, 3)
            refused = stage.simulator.ledger.answers["credentials"]
            stage.scenario(latency=LATENCY)
            await load.goes_on()
        assert refused <= IN_FLIGHT + tries + 1
        await _cost_nothing(stage, connector, load.marks)
        (entered,) = connector.lines("hold_entered")
        assert (entered["kind"], entered["code"], entered["status"]) == ("deployment", "bad_credentials", 401)
        assert len(connector.lines("hold_left")) == 1
        assert connector.lines("retried") == []

    async def test_rotated_goes_on_as_soon_as_the_secret_is_swapped(self, stage: Stage, tmp_path: Path) -> None:
        """Without a canary's time having come."""
        secret = Mount(tmp_path / "secret", password=PASSWORD)
        stage.password_file = secret["password"]
        async with Load(stage) as load:
            connector = _connector(stage, NEVER)
            await connector.start()
            await load.goes_on()
            stage.scenario(latency=LATENCY, passwords=[{"after": 0, "password": "another"}])
            await _holds(connector, 1)
            secret.swap(password="another")
            await load.goes_on()
        await _cost_nothing(stage, connector, load.marks)
        assert len(connector.lines("secrets_renewed")) == 1
        assert len(connector.lines("hold_left")) == 1


async def test_a_partial_outage_is_no_full_stop(stage: Stage) -> None:
    """Six of ten answers are 1010: what the vendor would accept is accepted at once, the retry topic has the others."""
    count = 2000
    stage.create_topics(partitions=2)
    stage.scenario(rules=[{"when": {"share": 0.6}, "do": {"kind": "reject", "cause": "temporary"}}])
    stage.produce_events(event(f"e-{n}", n) for n in range(count))
    connector = _connector(stage, retry={"delay": "15m", "window": "24h"})
    await connector.start()
    metrics = await connector.shows(records_taken_total=count, records_in_hand=0)
    assert metrics["records_accepted_total"] >= 0.35 * count
    assert stage.simulator.ledger.answers["temporary"] <= 2.5 * metrics["records_accepted_total"]
    assert connector.lines("hold_entered") == []
    assert await connector.stop() == 0


async def test_partitions_that_come_during_a_hold_are_held(stage: Stage, tmp_path: Path) -> None:
    """Of a process that is held and stops: not one more post with a password that is known to be wrong."""
    secret = Mount(tmp_path / "secret", password=PASSWORD)
    stage.password_file = secret["password"]
    stage.create_topics(partitions=4)
    stage.scenario(passwords=[{"after": 0, "password": "another"}])
    first, second = _connector(stage, NEVER), _connector(stage, NEVER)
    await asyncio.gather(first.start(), second.start())
    await first.status_when(lambda status: 0 < len(status.get("partitions", ())) < PARTITIONS)
    marks = [f"e-{n}" for n in range(80)]
    stage.produce_events(event(mark, n) for n, mark in enumerate(marks))
    await _holds(first, 1)
    await _holds(second, 1)
    assert stage.simulator.ledger.answers == {"credentials": 2}
    assert await second.stop() == 0
    await first.status_when(lambda status: _waiting_in_memory(status) == len(marks))
    assert stage.simulator.ledger.answers == {"credentials": 2}
    secret.swap(password="another")
    await _cost_nothing(stage, first, marks)
    assert len(first.lines("hold_entered")) == 1


def _waiting_in_memory(status: Mapping[str, Any]) -> int:
    partitions = status.get("partitions", {}).values()
    return sum(int(each["queued"]) + int(each["in_hand"]) for each in partitions)


async def test_time_held_takes_nothing_off_the_retry_window(stage: Stage) -> None:
    """Due within it and held until it was over, a record gets its attempt, and one more when that fails."""
    stage.create_topics()
    fails = {"when": {"markers": ["late"]}, "do": {"kind": "reject", "cause": "temporary"}}
    stage.scenario(rules=[fails])
    stage.produce_events([event("late", 1)])
    connector = _connector(stage, retry={"delay": "4s", "window": "9s"})
    await connector.start()
    await connector.until(retried=1)
    window_is_over = asyncio.get_running_loop().time() + 9.0
    stage.scenario(passwords=[{"after": 0, "password": "another"}])
    await _holds(connector, 1)
    await eventually(lambda: asyncio.get_running_loop().time() > window_is_over, PATIENCE, "the window is over")
    stage.scenario(rules=[fails])
    stage.produce_events([event("other", 2)])
    await connector.until(retried=2, accepted=1)
    stage.scenario()
    await connector.until(retried=2, accepted=2)
    assert stage.accepted_once(["late", "other"])
    assert await connector.stop() == 0


async def test_one_poisoned_record_among_thousands_is_refused_alone(stage: Stage) -> None:
    """The others are accepted, each once, and wait for no canary's time; the one is a dead letter that says why."""
    async with Load(stage) as load:
        unauthorized = {"when": {"markers": ["poisoned"]}, "do": {"kind": "reject", "cause": "unauthorized"}}
        stage.scenario(latency=LATENCY, rules=[unauthorized])
        connector = _connector(stage, NEVER)
        await connector.start()
        await load.goes_on()
        stage.produce_events([event("poisoned", 9999)])
        await connector.until(dead_lettered=1)
        await load.goes_on()
    await eventually(lambda: not stage.lost(load.marks), PATIENCE, "every other event is accepted")
    metrics = await connector.shows(in_flight=0, records_in_hand=0)
    assert books_balance(metrics)
    assert len(load.marks) > 1000
    assert stage.accepted_once(load.marks)
    assert stage.dead_marks() == {"poisoned"}
    headers = dict(stage.dead_letters(1)[0].headers)
    assert headers["invoke.class"] == b"refused_alone"
    assert headers["invoke.http-status"] == b"403"
    assert headers["invoke.vendor-code"] == b"12001"
    assert int(headers["invoke.attempts"] or 0) == stage.simulator.ledger.answers["unauthorized"] == len(WAITS) + 1
    assert await connector.stop() == 0


async def test_an_outage_under_load_costs_few_posts(stage: Stage) -> None:
    """Those under way, the minimum by which it is noticed, and the probes; nobody is a dead letter or texted twice."""
    async with Load(stage) as load:
        connector = _connector(stage)
        await connector.start()
        await load.goes_on()
        stage.scenario(latency=LATENCY, rules=[{"do": {"kind": "html", "status": 503}}])
        await _holds(connector, 1, "endpoint")
        probes = await _tries(connector, 3)
        posts = stage.simulator.ledger.answers["html"]
        stage.scenario(latency=LATENCY)
        await load.goes_on()
    assert posts <= IN_FLIGHT + MINIMUM + probes + 1
    await _cost_nothing(stage, connector, load.marks)
    assert {line["kind"] for line in connector.lines("hold_entered")} == {"endpoint"}
    assert len(connector.lines("retried")) <= IN_FLIGHT + MINIMUM


async def test_a_port_that_is_closed_under_load_repeats_only_what_was_under_way(stage: Stage) -> None:
    """Whether that had arrived nobody can know; everything after it was never sent, and keeps its place."""
    async with Load(stage) as load:
        connector = _connector(stage)
        await connector.start()
        await load.goes_on()
        await stage.simulator.close_port()
        await _holds(connector, 1, "endpoint")
        await _tries(connector, 3)
        never_sent = (await connector.metrics())["never_sent_total"]
        probes = await _tries(connector, 3)
        await stage.simulator.open_port()
        await load.goes_on()
    assert never_sent <= IN_FLIGHT + MINIMUM + probes + 1
    await eventually(lambda: not stage.lost(load.marks), PATIENCE, "every event is accepted")
    metrics = await connector.shows(in_flight=0, records_in_hand=0)
    assert metrics["records_dead_lettered_total"] == 0
    assert metrics["records_retried_total"] <= IN_FLIGHT
    assert stage.repeats <= IN_FLIGHT
    assert books_balance(metrics)
    assert await connector.stop() == 0


async def test_a_vendor_who_can_do_less_than_before_is_not_overrun(stage: Stage) -> None:
    """A queue before five servers, then one, then five: few are turned away, and nobody goes to the retry topic."""
    stage.create_topics(partitions=4)
    marks = [f"e-{n}" for n in range(600)]
    stage.produce_events(event(mark, n) for n, mark in enumerate(marks))
    queue = {
        "service_time": {"kind": "fixed", "seconds": 0.02},
        "turned_away": {"kind": "too_many", "retry_after": None},
    }
    stage.scenario(capacity={"servers": [{"count": 5}], **queue})
    connector = stage.connector(log={"accepted": False})
    await connector.start()
    steps = [{"after": 1.5 * number, "count": count} for number, count in enumerate((5, 1, 5))]
    stage.scenario(capacity={"servers": steps, **queue})
    await _cost_nothing(stage, connector, marks)
    assert stage.simulator.ledger.answers.get("too_many", 0) <= len(marks) // 20
    assert connector.lines("hold_entered") == connector.lines("retried") == []


WRONG_ADDRESSES: dict[str, dict[str, Any]] = {
    "redirected": {"kind": "redirect", "location": "https://elsewhere.example/"},
    "wrong_address": {"kind": "html", "status": 404},
    "not_the_vendor": {"kind": "html", "status": 200},
}


@pytest.mark.parametrize("code", WRONG_ADDRESSES)
async def test_a_wrong_address_empties_nothing_and_settles_nothing(stage: Stage, code: str) -> None:
    """A redirect, a 404, a login page with status 200: it holds, and goes on when the address is right."""
    stage.create_topics(partitions=2)
    stage.scenario(rules=[{"do": WRONG_ADDRESSES[code]}])
    marks = [f"e-{n}" for n in range(100)]
    stage.produce_events(event(mark, n) for n, mark in enumerate(marks))
    connector = _connector(stage)
    await connector.start()
    await _holds(connector, 1)
    await _tries(connector, 3)
    metrics = await connector.metrics()
    assert (metrics["records_accepted_total"], metrics["records_dead_lettered_total"]) == (0, 0)
    stage.scenario()
    await _cost_nothing(stage, connector, marks)
    assert [line["code"] for line in connector.lines("hold_entered")] == [code]


@pytest.fixture
def authority() -> Authority:
    """Whom the vendor trusts, and we do."""
    return Authority()


@pytest.fixture
async def mutual_stage(kafka: Kafka, tmp_path: Path, authority: Authority) -> AsyncIterator[Stage]:
    """A vendor who wants to see a client's certificate."""
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(kafka, tmp_path / "stage", simulator, await simulator.start(ssl_context=authority.server()))
    try:
        yield stage
    finally:
        await stage.close()


async def test_a_client_certificate_that_is_refused_holds_until_it_is_rotated(
    mutual_stage: Stage, authority: Authority, tmp_path: Path
) -> None:
    """Under TLS 1.3 it shows as a reset of posts that were written; nothing of them was delivered."""
    stage = mutual_stage
    secret = Mount(tmp_path / "secret", **Authority().client())
    (tmp_path / "ca.pem").write_text(authority.certificate)
    tls = {"certificate_file": secret["client.pem"], "key_file": secret["client.key"], "ca_file": tmp_path / "ca.pem"}
    async with Load(stage) as load:
        connector = _connector(stage, NEVER, openmarket={"tls": {name: str(path) for name, path in tls.items()}})
        await connector.start()
        await _holds(connector, 1)
        assert stage.simulator.ledger.answers == {}
        secret.swap(**authority.client())
        await load.goes_on()
    await _cost_nothing(stage, connector, load.marks)
    (entered,) = connector.lines("hold_entered")
    assert (entered["kind"], entered["code"]) == ("deployment", "client_certificate")


VENDOR = "vendor.example"
"""Known to the proxy only, and to the vendor's certificate."""


@pytest.fixture
async def behind_proxy(kafka: Kafka, tmp_path: Path) -> AsyncIterator[tuple[Stage, ConnectProxy]]:
    """A vendor who is reached through a forward proxy, which wants credentials."""
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert(VENDOR).configure_cert(context)
    simulator = SimulatorServer(ListeningVendor())
    async with connect_proxy() as proxy:
        url = await simulator.start(ssl_context=context)
        proxy.routes[VENDOR] = int(url.rpartition(":")[2])
        proxy.credentials = "connector:new-proxy-password"
        stage = Stage(kafka, tmp_path / "stage", simulator, f"https://{VENDOR}")
        try:
            yield stage, proxy
        finally:
            await stage.close()


def _through(proxy: ConnectProxy, folder: Path, credentials: Path) -> dict[str, Any]:
    return {
        "tls": {"ca_file": str(folder / "ca.pem")},
        "proxy": {"url": proxy.url, "basic_auth_file": str(credentials)},
    }


async def test_credentials_that_the_proxy_refuses_hold_until_they_are_rotated(
    behind_proxy: tuple[Stage, ConnectProxy], tmp_path: Path
) -> None:
    """Nothing was sent, so nothing is dead-lettered, and once they are right everything is accepted, each once."""
    stage, proxy = behind_proxy
    secret = Mount(tmp_path / "secret", proxy="connector:old-proxy-password\n")
    async with Load(stage) as load:
        connector = _connector(stage, NEVER, openmarket=_through(proxy, tmp_path, secret["proxy"]))
        await connector.start()
        await _holds(connector, 1)
        asked = len(proxy.asked)
        assert stage.simulator.ledger.answers == {}
        secret.swap(proxy="connector:new-proxy-password\n")
        await load.goes_on()
    await _cost_nothing(stage, connector, load.marks)
    (entered,) = connector.lines("hold_entered")
    assert (entered["kind"], entered["code"]) == ("deployment", "proxy_credentials")
    assert entered["why"].endswith(f": 127.0.0.1:{proxy.port}")
    assert asked <= IN_FLIGHT  # a wrong password is shown as often as posts were under way, not again and again
    assert set(proxy.targets) == {f"{VENDOR}:443"}
    (starting,) = connector.lines("starting")
    assert starting["settings"]["proxy"] == f"127.0.0.1:{proxy.port}"
    for planted in ("proxy-password", b64encode(b"connector:new-proxy-password").decode()):
        assert planted not in connector.log


async def test_a_proxy_that_reaches_nobody_holds_and_costs_nothing(
    behind_proxy: tuple[Stage, ConnectProxy], tmp_path: Path
) -> None:
    """Its 502 is not the vendor's: no tunnel stood, so nothing was sent and nothing is repeated."""
    stage, proxy = behind_proxy
    (credentials := tmp_path / "proxy").write_text("connector:new-proxy-password")
    proxy.instead = (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",)
    async with Load(stage) as load:
        connector = _connector(stage, openmarket=_through(proxy, tmp_path, credentials))
        await connector.start()
        await _holds(connector, 1, "endpoint")
        assert stage.simulator.ledger.answers == {}
        proxy.instead = None
        await load.goes_on()
    await _cost_nothing(stage, connector, load.marks)
    assert connector.lines("hold_entered")[0]["code"] == "proxy_failed"
