"""A token endpoint of the test's own, and a listener of a broker that takes its tokens (unsecured ones, RFC 7515)."""

from __future__ import annotations

import base64
import json
import socket
import threading
from contextlib import suppress
from pathlib import Path

from connector.edge.clock import SystemClock
from tests.support.kafka_broker import KafkaBroker
from tests.support.ports import free_port

USER, PASSWORD = "connector", "a password of Kafka's"
_CONNECTION_SECONDS = 5.0


_TRIED_FOR = 1
"""Seconds for which a client holds a token good that has expired: one that it knows to be over it does not show."""


class TokenEndpoint:
    """Issues tokens of `seconds` each at `url`; `close` it, let it be `silent`, and `open` it again on its port."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._port = 0
        self._listener: socket.socket | None = None
        self._kept: list[socket.socket] = []
        self.silent = False
        self.asked = 0
        self.open()

    @property
    def port(self) -> int:
        """Its port on the loopback."""
        return self._port

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}/token"

    def open(self) -> None:
        """Take connections."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = int(listener.getsockname()[1])
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections, and end those that were taken."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for kept in self._kept:
            kept.close()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                taken, _ = listener.accept()
                self.asked += 1
                if self.silent:
                    self._kept.append(taken)
                else:
                    threading.Thread(target=self._answer, args=(taken,), daemon=True).start()

    def _answer(self, taken: socket.socket) -> None:
        with taken, suppress(OSError):
            taken.settimeout(_CONNECTION_SECONDS)
            request = b""
            while b"\r\n\r\n" not in request:
                request += taken.recv(65536)
            now = SystemClock().now_ms() / 1000
            claims = {"sub": "connector", "iat": now, "exp": now + self._seconds}
            token = f"{_encoded({'alg': 'none'})}.{_encoded(claims)}."
            expires_in = self._seconds + _TRIED_FOR
            body = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": expires_in}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            taken.sendall(head.encode() + body)


class OAuthBroker(KafkaBroker):
    """A broker with a second listener, at `oauth_servers`, where clients need a token, with which sessions end, or for
    PLAIN the password of `USER`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.oauth_servers = f"127.0.0.1:{free_port()}"
        listeners = f"PLAINTEXT://{self.bootstrap_servers},OAUTH://{self.oauth_servers}"
        properties = folder / "server.properties"
        controller = _property(properties.read_text(), "controller.quorum.voters").partition("@")[2]
        with properties.open("a") as file:
            for line in (
                f"listeners={listeners},CONTROLLER://{controller}",
                f"advertised.listeners={listeners}",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,OAUTH:SASL_PLAINTEXT",
                "inter.broker.listener.name=PLAINTEXT",
                "sasl.enabled.mechanisms=OAUTHBEARER,PLAIN",
                "connections.max.reauth.ms=3600000",
                "listener.name.oauth.oauthbearer.sasl.jaas.config="
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
                "listener.name.oauth.plain.sasl.jaas.config="
                f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
            ):
                file.write(f"{line}\n")


def _encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _property(text: str, name: str) -> str:
    return next(line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}="))
