"""Secret files that change under a running connector: what is taken into use, what is said, and when."""

from __future__ import annotations

import io
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from connector.config import ConfigError, load
from connector.config.fields import BY_NAME
from connector.core.reply import Failure, NoReply, Reply
from connector.core.request import InvokeRequest
from connector.edge.watch import FileWatch
from connector.observe.events import Events
from connector.observe.logs import Logs
from connector.observe.metrics import Metrics
from connector.runtime import parts
from connector.runtime.renewal import AT_START_ONLY, RENEWED, Renewal, read_again, secrets
from tests.support.connect_proxy import connect_proxy
from tests.support.raw_http import Peer, RawServer, raw_server

Configure = Callable[..., Path]
REQUEST = InvokeRequest("0A1B", b"{}", ())
OLD, NEW = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)


class World:
    """The parts of a connector that have secrets, as `runtime.wiring` puts them together, and the watch by hand."""

    def __init__(self, config: Path) -> None:
        self.stream = io.BytesIO()
        self.logs = Logs(self.stream, lambda: 0, "debug", "json")
        self.metrics = Metrics()
        self.events = Events(self.metrics, self.logs.logger, log_accepted=False)
        settings, known = read_again(load(config, {}), self.logs.hide)
        self.invoker, self.registry = parts.invoker(settings), parts.registry(settings)
        self.canaries = 0
        self.ledger_keys: list[str] = []
        self.renewal = Renewal(
            settings,
            self.invoker,
            self.registry,
            self.events,
            self.logs.hide,
            self._try_canary,
            self.ledger_keys.append,
        )
        self.watch = FileWatch(known, self.renewal.changed)

    def _try_canary(self) -> None:
        self.canaries += 1

    async def notices(self) -> None:
        """Time enough for the watch to see what changed."""
        for _ in range(2):
            await self.watch.look_again()

    @property
    def lines(self) -> list[tuple[str, list[str]]]:
        """Each line's name and the settings that it names."""
        return [(line["event"], line["settings"]) for line in self.whole_lines]

    @property
    def whole_lines(self) -> list[dict[str, Any]]:
        self.logs.close()
        return [orjson.loads(line) for line in self.stream.getvalue().splitlines()]

    def count(self, result: str) -> float:
        return self.metrics.counter("secret_changes").at(result).value

    async def close(self) -> None:
        await self.invoker.close()
        if self.registry is not None:
            await self.registry.close()


@asynccontextmanager
async def world(config: Path) -> AsyncIterator[World]:
    found = World(config)
    try:
        yield found
    finally:
        await found.close()


async def accept(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.answer(X_Request_Id="id-1")


def passwords(server: RawServer) -> list[str]:
    """The header of each post without its scheme."""
    return [seen.headers["authorization"].removeprefix("Basic ") for seen in server.requests]


def basic(password: str) -> str:
    return b64encode(f"account:{password}".encode()).decode()


class Certificates:
    """An authority, and files that it writes for a client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(folder / "ca.pem")
        self.section = {
            "ca_file": str(folder / "ca.pem"),
            "certificate_file": str(folder / "client.pem"),
            "key_file": str(folder / "client.key"),
        }

    def write(self, until: datetime, authority: trustme.CA | None = None) -> None:
        """A new certificate with its key."""
        issued = (authority or self.authority).issue_cert("client.example", not_after=until)
        for name, pem in (("client.pem", issued.cert_chain_pems[0]), ("client.key", issued.private_key_pem)):
            pem.write_to_path(self.folder / name)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


class TestRenewal:
    """From the file to the next request."""

    async def test_a_new_password_is_taken_said_and_tried_at_once(self, config_file: Configure, tmp_path: Path) -> None:
        async with raw_server(accept) as server, world(config_file({"base_url": server.url})) as it:
            await it.invoker.invoke(REQUEST)
            (tmp_path / "password").write_text("changed\n")
            await it.notices()
            await it.invoker.invoke(REQUEST)
        assert passwords(server) == [basic("s3cret-plant"), basic("changed")]
        assert it.lines == [("secrets_renewed", ["openmarket.password_file"])]
        assert (it.canaries, it.count("renewed"), it.count("unusable")) == (1, 1, 0)

    async def test_nothing_is_said_while_nothing_changes(self, config_file: Configure) -> None:
        async with world(config_file()) as it:
            await it.notices()
        assert (it.lines, it.canaries) == ([], 0)

    async def test_a_password_that_cannot_be_used_leaves_the_old_one_in_force(
        self, config_file: Configure, tmp_path: Path
    ) -> None:
        async with raw_server(accept) as server, world(config_file({"base_url": server.url})) as it:
            (tmp_path / "password").write_text("")
            await it.notices()
            await it.invoker.invoke(REQUEST)
        assert passwords(server) == [basic("s3cret-plant")]
        (line,) = it.whole_lines
        assert line["event"] == "secrets_unusable"
        assert line["why"] == "openmarket.password_file: the file is empty"
        assert "remedy" in line
        assert (it.canaries, it.count("renewed"), it.count("unusable")) == (0, 0, 1)

    async def test_a_file_that_cannot_be_used_counts_until_it_is_mended(
        self, config_file: Configure, tmp_path: Path
    ) -> None:
        """A restart in between would fail."""
        async with world(config_file()) as it:
            seen = [it.renewal.unusable]
            for content in ("", "changed"):
                (tmp_path / "password").write_text(content)
                await it.notices()
                seen.append(it.renewal.unusable)
        assert seen == [0, 1, 0]

    async def test_a_password_that_changed_while_the_process_started_is_not_missed(
        self, config_file: Configure, tmp_path: Path
    ) -> None:
        """Between the reading of the settings and the first look at the files."""
        settings = load(config_file(), {})
        (tmp_path / "password").write_text("changed")
        hidden: list[str] = []
        settings, _ = read_again(settings, hidden.extend)
        assert settings.openmarket.password.get_secret_value() == "changed"
        assert hidden == ["changed"]

    async def test_a_file_that_went_away_while_the_process_started_is_a_problem_of_the_configuration(
        self, config_file: Configure, tmp_path: Path
    ) -> None:
        settings = load(config_file(), {})
        (tmp_path / "password").unlink()
        with pytest.raises(ConfigError, match=r"openmarket\.password_file"):
            read_again(settings, lambda _: None)

    async def test_old_and_new_passwords_are_hidden_from_the_log(self, config_file: Configure, tmp_path: Path) -> None:
        async with world(config_file()) as it:
            (tmp_path / "password").write_text("changed-plant")
            await it.notices()
            it.logs.logger.warning("retried", why="s3cret-plant, changed-plant")
        assert it.whole_lines[-1]["why"] == "[secret], [secret]"

    async def test_what_is_in_force_is_hidden_however_often_something_else_changed_since(
        self, config_file: Configure, tmp_path: Path
    ) -> None:
        (auth := tmp_path / "registry").write_text("user:one")
        registry = {"url": "https://registry", "basic_auth_file": str(auth)}
        async with world(config_file(schemas={"registry": registry})) as it:
            auth.write_text("user:two")
            await it.notices()
            for number in range(120):
                (tmp_path / "password").write_text(f"password {number}")
                await it.renewal.changed({tmp_path / "password": b""})
            it.logs.logger.warning("retried", why="user:two")
        assert it.whole_lines[-1]["why"] == "[secret]"

    async def test_a_new_certificate_ends_a_refusal_and_moves_the_gauge(
        self, config_file: Configure, certificates: Certificates
    ) -> None:
        certificates.write(OLD, trustme.CA())
        async with (
            mutual(certificates) as server,
            world(config_file({"base_url": server.url, "tls": certificates.section})) as it,
        ):
            assert await it.invoker.invoke(REQUEST) == NoReply(Failure.CLIENT_CERTIFICATE, sent=True)
            assert it.renewal.certificate_expiries == {("openmarket",): OLD.timestamp()}
            certificates.write(NEW)
            await it.notices()
            assert await it.invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
        assert it.renewal.certificate_expiries == {("openmarket",): NEW.timestamp()}
        assert it.lines == [
            ("secrets_renewed", ["openmarket.tls.certificate_file", "openmarket.tls.key_file"]),
        ]
        assert it.canaries == 1

    async def test_a_certificate_without_its_key_changes_nothing_until_the_key_comes(
        self, config_file: Configure, certificates: Certificates
    ) -> None:
        certificates.write(OLD)
        async with (
            mutual(certificates) as server,
            world(config_file({"base_url": server.url, "tls": certificates.section})) as it,
        ):
            issued = certificates.authority.issue_cert("client.example", not_after=NEW)
            issued.cert_chain_pems[0].write_to_path(certificates.folder / "client.pem")
            await it.notices()
            assert it.renewal.certificate_expiries == {("openmarket",): OLD.timestamp()}
            assert await it.invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
            issued.private_key_pem.write_to_path(certificates.folder / "client.key")
            await it.notices()
            assert await it.invoker.invoke(REQUEST) == Reply(202, "id-1", b"")
        both = ["openmarket.tls.certificate_file", "openmarket.tls.key_file"]
        assert it.lines == [("secrets_unusable", both[:1]), ("secrets_renewed", both)]
        assert "key values mismatch" in it.whole_lines[0]["why"]
        assert it.canaries == 1

    async def test_what_was_swapped_together_is_tried_once(
        self, config_file: Configure, certificates: Certificates, tmp_path: Path
    ) -> None:
        """A canary between the password and the certificate would only be refused."""
        certificates.write(OLD)
        async with world(config_file({"tls": certificates.section})) as it:
            certificates.write(NEW)
            (tmp_path / "password").write_text("changed")
            await it.notices()
        assert [name for name, _ in it.lines] == ["secrets_renewed"] * 2
        assert it.canaries == 1

    async def test_an_unusable_certificate_does_not_keep_a_new_password_back(
        self, config_file: Configure, certificates: Certificates, tmp_path: Path
    ) -> None:
        certificates.write(OLD)
        async with world(config_file({"tls": certificates.section})) as it:
            (tmp_path / "client.pem").write_text("-----BEGIN")
            (tmp_path / "password").write_text("changed")
            await it.notices()
        assert it.lines == [
            ("secrets_renewed", ["openmarket.password_file"]),
            ("secrets_unusable", ["openmarket.tls.certificate_file"]),
        ]
        assert it.canaries == 1

    async def test_the_registrys_credentials_are_taken_and_no_post_is_tried_for_them(
        self, config_file: Configure, tmp_path: Path
    ) -> None:
        (auth := tmp_path / "registry").write_text("user:one")
        async with raw_server(accept) as server:
            registry = {"url": server.url, "basic_auth_file": str(auth)}
            async with world(config_file(schemas={"registry": registry})) as it:
                assert it.registry is not None
                await it.registry.schema(1)
                auth.write_text("user:two")
                await it.notices()
                await it.registry.schema(1)
        assert passwords(server) == [b64encode(b"user:one").decode(), b64encode(b"user:two").decode()]
        assert it.lines == [("secrets_renewed", ["schemas.registry.basic_auth_file"])]
        assert it.canaries == 0

    async def test_the_proxys_new_credentials_open_the_next_tunnel_and_end_a_hold(
        self, config_file: Configure, tmp_path: Path
    ) -> None:
        async with connect_proxy() as proxy:
            proxy.credentials = "user:two"
            (auth := tmp_path / "proxy").write_text("user:one")
            through = {"url": proxy.url, "basic_auth_file": str(auth)}
            openmarket = {"base_url": "https://vendor.example", "proxy": through}
            registry = {"url": "https://registry.example", "proxy": through}
            async with world(config_file(openmarket, schemas={"registry": registry})) as it:
                assert it.registry is not None
                assert await it.invoker.invoke(REQUEST) == NoReply(Failure.PROXY_CREDENTIALS, sent=False)
                assert "407" in repr(await it.registry.schema(1))
                auth.write_text("user:two")
                await it.notices()
                proxy.instead = (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",)
                assert await it.invoker.invoke(REQUEST) == NoReply(Failure.PROXY_REFUSED, sent=False)
                assert "403" in repr(await it.registry.schema(1))
        assert it.lines == [
            ("secrets_renewed", ["openmarket.proxy.basic_auth_file"]),
            ("secrets_renewed", ["schemas.registry.proxy.basic_auth_file"]),
        ]
        assert it.canaries == 1

    async def test_a_registrys_new_token_is_on_the_next_question(self, config_file: Configure, tmp_path: Path) -> None:
        """Whoever renews the token only writes it into the file."""
        (token := tmp_path / "token").write_text("one")
        async with raw_server(accept) as server:
            registry = {"url": server.url, "bearer_token_file": str(token)}
            async with world(config_file(schemas={"registry": registry})) as it:
                assert it.registry is not None
                await it.registry.schema(1)
                token.write_text("two")
                await it.notices()
                await it.registry.schema(1)
            seen = [request.headers["authorization"] for request in server.requests]
        assert seen == ["Bearer one", "Bearer two"]
        assert it.lines == [("secrets_renewed", ["schemas.registry.bearer_token_file"])]

    async def test_a_new_key_of_the_ledger_is_taken_and_no_post_is_tried_for_it(
        self, config_file: Configure, tmp_path: Path
    ) -> None:
        key = tmp_path / "ledger-key"
        key.write_text("0123456789abcdef")
        async with world(config_file(ledger={"key_file": str(key)})) as it:
            key.write_text("fedcba9876543210\n")
            await it.notices()
        assert it.ledger_keys == ["fedcba9876543210"]
        assert it.lines == [("secrets_renewed", ["ledger.key_file"])]
        assert it.canaries == 0

    async def test_a_change_of_kafkas_secrets_is_said_to_need_a_restart(
        self, config_file: Configure, tmp_path: Path
    ) -> None:
        """One that could not be read at a restart is said to be that, and not to be worth one."""
        (secret := tmp_path / "kafka").write_text("one")
        security = {"protocol": "sasl_ssl", "mechanism": "PLAIN", "username": "u", "password_file": str(secret)}
        async with world(config_file(kafka={"security": security})) as it:
            secret.write_text("two")
            await it.notices()
            assert it.renewal.wait_for_restart == 1
            secret.unlink()
            await it.notices()
        setting = ["kafka.security.password_file"]
        assert it.lines == [("restart_needed", setting), ("secrets_unusable", setting)]
        assert it.canaries == 0


def test_every_file_of_the_settings_is_watched_but_those_of_somebody_else() -> None:
    """Whoever adds a secret decides what becomes of its changes."""
    watched = {name for name in BY_NAME if name.rpartition(".")[0] in (*RENEWED, *AT_START_ONLY)}
    others = {name for name in BY_NAME if name.endswith("_file")} - watched
    assert others == {"hold.paused_file", "admin.control_token_file"}


@asynccontextmanager
async def mutual(certificates: Certificates) -> AsyncIterator[RawServer]:
    """A vendor that wants a client certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.authority.issue_cert("127.0.0.1").configure_cert(context)
    context.verify_mode = ssl.CERT_REQUIRED
    certificates.authority.configure_trust(context)
    async with raw_server(accept, tls=context) as server:
        yield server


def test_a_password_is_hidden_without_its_user_too(config_file: Configure, tmp_path: Path) -> None:
    (auth := tmp_path / "registry").write_text("user:pass:word")
    registry = {"url": "https://registry", "basic_auth_file": str(auth)}
    settings = load(config_file(schemas={"registry": registry}), {})
    assert {"user:pass:word", "pass:word"} <= {*secrets(settings)}
