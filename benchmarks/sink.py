"""nginx in the vendor's place: answers every post with 202 and an X-Request-Id, and counts."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /service/v1/invokeService/ {{
      add_header X-Request-Id $request_id always;
      return 202;
    }}
    location = /count {{ stub_status; }}
  }}
}}
"""
_START_SECONDS = 10.0
_COUNTS = re.compile(rb"\s(\d+) (\d+) (\d+)\s").search


class UnavailableError(Exception):
    """nginx is not on this machine, or does not start."""


class Sink:
    """One nginx with one worker, on a free port of this machine."""

    def __init__(self, folder: Path) -> None:
        """Raises UnavailableError when there is no nginx."""
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise UnavailableError("nginx is the sink of this benchmark: apt-get install nginx-light (or nginx)")
        folder.mkdir()
        self._port = _free_port()
        self._file = folder / "nginx.conf"
        self._file.write_text(_CONFIGURATION.format(folder=folder, port=self._port))
        self._command = [program, "-p", str(folder), "-c", str(self._file), "-e", str(folder / "error.log")]
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0
        self.base_url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it answers. Raises UnavailableError."""
        self._process = subprocess.Popen(self._command)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.posts()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise UnavailableError(f"nginx does not start: see {self._file.parent}/error.log") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def posts(self) -> int:
        """Posts since it started. All of them were answered with 202: it knows no other answer to a post."""
        with urllib.request.urlopen(f"{self.base_url}/count", timeout=_START_SECONDS) as answer:  # noqa: S310 - http
            counts = _COUNTS(answer.read())
        assert counts is not None
        self._asked += 1
        return int(counts[3]) - self._asked


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
