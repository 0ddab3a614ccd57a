"""An HTTP peer on a thread of its own, for what happens while the client's event loop does not turn."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Request-Id: %s\r\n\r\n"


def read_request(connection: socket.socket) -> bytes:
    """Read one whole request; what came of it when the client closes."""
    data = b""
    while b"\r\n\r\n" not in data and (more := connection.recv(65536)):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
    while len(body) < length and (more := connection.recv(65536)):
        body += more
    return head + b"\r\n\r\n" + body


def reset(connection: socket.socket) -> None:
    """Cut the connection with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def blocking_server(script: Callable[[socket.socket, int], None], *, buffer: int | None = None) -> Iterator[str]:
    """Play `script(connection, how many there were before)` on one connection after the other; yields the base URL.

    `buffer` is the size of each connection's receive buffer in bytes.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    if buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)

    def serve() -> None:
        number = 0
        with contextlib.suppress(OSError):  # the listener is closed at the end
            while True:
                connection, _ = listener.accept()
                connection.settimeout(10)
                with connection, contextlib.suppress(OSError):
                    script(connection, number)
                number += 1

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
