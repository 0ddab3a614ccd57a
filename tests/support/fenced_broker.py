"""A broker that is alone and fenced, as far as clients see it: it answers, and knows of no broker, itself included.

Real ones do so while their controller has not heard from them for a session, on a machine that is too busy.
"""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_API_VERSIONS, _METADATA, _METADATA_VERSION = 18, 3, 5
_UNSUPPORTED_VERSION, _LEADER_NOT_AVAILABLE = 35, 5
_ID = 1


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


class _Broker(socketserver.ThreadingTCPServer):
    daemon_threads = True
    fenced = False


class _Client(socketserver.StreamRequestHandler):
    server: _Broker

    def handle(self) -> None:
        """Answer until the client leaves."""
        while size := self.rfile.read(4):
            request = self.rfile.read(struct.unpack(">i", size)[0])
            key, version, correlation, name = struct.unpack(">hhih", request[:10])
            answer = self._versions(version) if key == _API_VERSIONS else self._metadata(request[10 + max(name, 0) :])
            self.wfile.write(struct.pack(">ii", 4 + len(answer), correlation) + answer)

    def _versions(self, asked: int) -> bytes:
        known = struct.pack(">hhhhhh", _API_VERSIONS, 0, 0, _METADATA, _METADATA_VERSION, _METADATA_VERSION)
        return struct.pack(">hi", _UNSUPPORTED_VERSION if asked else 0, 2) + known

    def _metadata(self, body: bytes) -> bytes:
        host, port = self.server.server_address[:2]
        itself = struct.pack(">i", _ID) + _text(str(host)) + struct.pack(">ih", port, -1)
        fenced, self.server.fenced = self.server.fenced, True  # who has never seen it alive would wait for it
        brokers = struct.pack(">ii", 0, 0) if fenced else struct.pack(">ii", 0, 1) + itself
        topics = [_absent(name) for name in _names(body)]
        controller = struct.pack(">i", -1 if fenced else _ID)
        return brokers + _text("cluster") + controller + struct.pack(">i", len(topics)) + b"".join(topics)


def _names(body: bytes) -> Iterator[str]:
    (count,) = struct.unpack(">i", body[:4])
    place = 4
    for _ in range(max(count, 0)):
        (length,) = struct.unpack(">h", body[place : place + 2])
        yield body[place + 2 : place + 2 + length].decode()
        place += 2 + length


def _absent(name: str) -> bytes:
    return struct.pack(">h", _LEADER_NOT_AVAILABLE) + _text(name) + struct.pack(">?i", False, 0)


@contextmanager
def fenced_broker() -> Iterator[str]:
    """Its address; it names itself in its first answer only."""
    with _Broker(("127.0.0.1", 0), _Client) as broker:
        threading.Thread(target=broker.serve_forever, daemon=True).start()
        host, port = broker.server_address[:2]
        yield f"{host!s}:{port}"
        broker.shutdown()
