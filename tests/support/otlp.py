"""A collector: takes spans by OTLP over HTTP, and keeps them."""

from __future__ import annotations

import gzip
import socket

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.blocking_http import read_request

_ANSWER = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Collector:
    """What `blocking_server` plays. It takes everything, or answers with another status."""

    def __init__(self, status: bytes = b"200 OK") -> None:
        self._status = status
        self.heads: list[str] = []
        self.bodies: list[bytes] = []

    def __call__(self, connection: socket.socket, _number: int) -> None:
        """Take one request."""
        head, _, body = read_request(connection).partition(b"\r\n\r\n")
        self.heads.append(head.decode())
        self.bodies.append(gzip.decompress(body) if body[:1] == b"\x1f" else body)
        connection.sendall(_ANSWER % self._status)

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        """Each as it was meant."""
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Span]:
        """All that came."""
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
