"""The one page of a kubelet that is needed here: what a pod wrote, for `kubectl logs` and `helm test --logs`."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme


class Kubelet:
    """Answers the API server on a port of 127.0.0.1; `log` says what a pod by that name wrote."""

    def __init__(self, log: Callable[[str], str], folder: Path) -> None:
        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, kind, _, pod, *_ = self.path.partition("?")[0].split("/")
                text = log(pod).encode() if kind == "containerLogs" else b""
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Nothing: what matters is in the API server's log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        certificate = folder / "kubelet.pem"
        trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="kubelet")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
