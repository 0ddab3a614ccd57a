"""SASL on real Kafka: a token endpoint that goes away or falls silent, and a wrong password."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connector.cli.main import app
from connector.simulator.server import SimulatorServer
from tests.conftest import missing
from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.support.jars import UnavailableError
from tests.support.oauth import USER, OAuthBroker, TokenEndpoint
from tests.whole.load import PATIENCE
from tests.whole.stage import ListeningVendor, Stage, event

TOKEN_SECONDS, CLIENTS = 5, 4

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def oauth_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OAuthBroker]:
    """Takes tokens."""
    broker = OAuthBroker(tmp_path_factory.mktemp("oauth") / "kafka")
    try:
        broker.start()
    except UnavailableError as why:
        missing(why)
    yield broker
    broker.kill()


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    """Issues tokens."""
    with closing(TokenEndpoint(TOKEN_SECONDS)) as endpoint:
        yield endpoint


@pytest.fixture
async def connector(
    oauth_broker: OAuthBroker, tmp_path: Path, endpoint: TokenEndpoint
) -> AsyncIterator[tuple[Stage, ConnectorProcess]]:
    """A stage, and a process that has posted one event."""
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(oauth_broker, tmp_path / "stage", simulator, await simulator.start())
    try:
        stage.create_topics()
        (tmp_path / "secret").write_text("a secret of the client")
        oauth = {
            "client_id": "me",
            "client_secret_file": str(tmp_path / "secret"),
            "token_endpoint": endpoint.url,
        }
        security = {"protocol": "sasl_plaintext", "mechanism": "OAUTHBEARER", "oauth": oauth}
        connector = stage.connector(kafka={"bootstrap_servers": oauth_broker.oauth_servers, "security": security})
        await connector.start()
        stage.produce_events([event("before", 1)])
        await connector.until(accepted=1)
        yield stage, connector
    finally:
        await stage.close()


def _says(connector: ConnectorProcess, code: str) -> str:
    return next((line["remedy"] for line in connector.lines("kafka_error") if line["code"] == code), "")


async def test_a_token_endpoint_that_is_away_is_waited_for_beyond_the_expiry_of_the_token(
    connector: tuple[Stage, ConnectorProcess], endpoint: TokenEndpoint
) -> None:
    """The brokers refuse the token that expired; the line names the endpoint, and posting goes on once it is back."""
    stage, process = connector
    endpoint.close()
    await eventually(lambda: "invalid_token" in process.log, PATIENCE, "the brokers refuse the old token")
    assert _says(process, "token_unavailable").startswith(f"127.0.0.1:{endpoint.port}: ")
    stage.produce_events([event("meanwhile", 2)])
    endpoint.open()
    await process.until(2 * PATIENCE, accepted=2)
    assert await process.stop() == 0
    assert stage.accepted_once(["before", "meanwhile"])


async def test_a_stop_while_the_token_endpoint_is_silent_ends_within_its_budget(
    connector: tuple[Stage, ConnectorProcess], endpoint: TokenEndpoint
) -> None:
    """Its clients wait for an answer, and so would whoever closes or destroys them."""
    _, process = connector
    asked = endpoint.asked
    endpoint.silent = True
    await eventually(lambda: endpoint.asked >= asked + CLIENTS, PATIENCE, "all clients want new tokens")
    assert await process.stop() == 0
    assert process.lines("stopped")


async def test_a_wrong_sasl_password_is_told_with_what_to_do(oauth_broker: OAuthBroker, tmp_path: Path) -> None:
    """By `run`, which ends, and by `check`, which the client tells no more than that no broker was reached."""
    (tmp_path / "sasl").write_text("wrong")
    security = {
        "protocol": "sasl_plaintext",
        "mechanism": "PLAIN",
        "username": USER,
        "password_file": str(tmp_path / "sasl"),
    }
    simulator = SimulatorServer()
    stage = Stage(oauth_broker, tmp_path / "stage", simulator, await simulator.start())
    try:
        stage.create_topics()
        process = stage.connector(kafka={"bootstrap_servers": oauth_broker.oauth_servers, "security": security})
        await process.spawn()
        assert await process.ended() == 1
        (failed,) = process.lines("source_failed")
        assert failed["code"] == "authentication_failed"
        for told in ("user name or password of kafka.security", "mechanism", "file", "start again"):
            assert told in failed["remedy"]
        check = ["check", "--live", "--json", "--config", str(process.config)]
        run = await asyncio.to_thread(CliRunner().invoke, app, check)
        (brokers,) = [each for each in json.loads(run.stdout)["findings"] if each["name"] == "brokers"]
        assert brokers["why"].startswith("authentication_failed (")
        assert "Invalid username or password" in brokers["why"]
        assert brokers["remedy"] == failed["remedy"]
    finally:
        await stage.close()
