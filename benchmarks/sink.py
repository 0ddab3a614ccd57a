"""Whoever stands in the vendor's place, answers every post with 202 and an X-Request-Id, and counts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import trustme

from tests.support.ports import free_port, free_ports

# `odd` answers one post in a hundred with the vendor's temporary error, and one with a rejection.
_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  split_clients $request_id $answer {{ 1% temporary; 1% permanent; * accepted; }}
  add_header X-Request-Id $request_id always;
  server {{
    listen 127.0.0.1:{plain} backlog=4096;
    location /service/v1/invokeService/ {{ return 202; }}
    location = /count {{ stub_status; }}
  }}
  server {{
    listen 127.0.0.1:{tls} ssl backlog=4096;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.pem;
    ssl_protocols TLSv1.3;
    location /service/v1/invokeService/ {{ return 202; }}
  }}
  server {{
    listen 127.0.0.1:{odd} backlog=4096;
    location /service/v1/invokeService/ {{
      default_type application/json;
      if ($answer = temporary) {{ return 500 '{{"error":{{"code":1010,"description":"temporary system failure"}}}}'; }}
      if ($answer = permanent) {{ return 400 '{{"error":{{"code":12002,"description":"invalid JSON"}}}}'; }}
      return 202;
    }}
  }}
}}
"""
_START_SECONDS = 10.0
_COUNTS = re.compile(rb"\s(\d+) (\d+) (\d+)\s").search


class UnavailableError(Exception):
    """nginx is not on this machine, or does not start."""


class _Server:
    """A server process that shows its count of requests as nginx's stub_status does, on a free port."""

    def __init__(self, folder: Path, command: Sequence[str], plain: int) -> None:
        self._command = command
        self._plain = plain
        self._log = folder / "sink.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0
        self.base_url = f"http://127.0.0.1:{plain}"

    def start(self) -> None:
        """Start it and wait until it answers. Raises UnavailableError."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.posts()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise UnavailableError(f"the sink does not start: see {self._log}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def posts(self) -> int:
        """Posts since it started."""
        with urllib.request.urlopen(f"{self.base_url}/count", timeout=_START_SECONDS) as answer:  # noqa: S310 - http
            counts = _COUNTS(answer.read())
        assert counts is not None
        self._asked += 1
        return int(counts[3]) - self._asked


class Sink(_Server):
    """One nginx with one worker. `tls_url` is for TLS 1.3 with a certificate of the authority in `ca_file`; at
    `odd_url` one answer in a hundred is temporary, and one a rejection."""

    def __init__(self, folder: Path) -> None:
        """Raises UnavailableError when there is no nginx."""
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise UnavailableError("nginx is the sink of this benchmark: apt-get install nginx-light (or nginx)")
        folder.mkdir()
        self.ca_file = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        plain, tls, odd = free_ports(3)
        file = folder / "nginx.conf"
        file.write_text(_CONFIGURATION.format(folder=folder, plain=plain, tls=tls, odd=odd))
        command = [program, "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")]
        super().__init__(folder, command, plain)
        self.tls_url, self.odd_url = f"https://127.0.0.1:{tls}", f"http://127.0.0.1:{odd}"


class SlowSink(_Server):
    """Answers after so many seconds."""

    def __init__(self, folder: Path, seconds: float) -> None:
        folder.mkdir()
        port = free_port()
        super().__init__(folder, [sys.executable, "-m", "benchmarks.slow_sink", f"{port}", f"{seconds}"], port)
