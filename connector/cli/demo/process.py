"""The connector as the demo runs it: a process of its own, with settings of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from connector.cli.demo.broker import Broker, Names
from connector.cli.demo.mix import ALLOWED_SERVICE_IDS
from connector.config.load import PREFIX
from connector.simulator.rules import ACCOUNT_ID, PASSWORD

RETRY_SECONDS = 2
_STOP_SECONDS = 45.0  # longer than the drain, 40 s by default
_STATUS_SECONDS = 1.0
_LOG_TAIL = 4000


class ConnectorProcess:
    """`connector run`, its settings and its log in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "connector.log"
        self._config = folder / "connector.yaml"
        self._password = folder / "password"
        self._schemas = folder / "schemas"  # stays empty: our own schema comes with the package
        self._admin_port: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self, broker: Broker, own: Names, base_url: str) -> int:
        """Start it and return its process id. `base_url`: the vendor's address."""
        self._password.write_text(PASSWORD)
        self._schemas.mkdir()
        settings = {
            "kafka": {
                **broker.settings,
                "bootstrap_servers": broker.bootstrap_servers,
                "group_id": own.group_id,
                "topics": {"main": own.main, "retry": own.retry, "dead_letter": own.dead_letter},
            },
            "schemas": {"folder": str(self._schemas)},
            "openmarket": {
                "base_url": base_url,
                "account_id": ACCOUNT_ID,
                "password_file": str(self._password),
                "service_ids": list(ALLOWED_SERVICE_IDS),
            },
            "retry": {"delay": f"{RETRY_SECONDS}s", "window": "1h"},
            "admin": {"host": "127.0.0.1", "port": 0, "control_port": 0},
            "log": {"format": "json"},
        }
        self._config.write_text(json.dumps(settings, indent=2))  # JSON is YAML
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_STATUS_SECONDS))
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "connector", "run", "--config", str(self._config)]
            # A session of its own: Ctrl-C at the terminal must reach the demo, which then stops the connector.
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environ(),
                start_new_session=True,
            )
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.returncode

    async def status(self) -> Mapping[str, Any]:
        """What it says of itself on `/status`; empty while it does not answer."""
        if self._admin_port is None:
            self._admin_port = self._told_port()
        if self._http is None or self._admin_port is None:
            return {}
        try:
            async with self._http.get(f"http://127.0.0.1:{self._admin_port}/status") as answer:
                found: Mapping[str, Any] = await answer.json()
                return found
        except (aiohttp.ClientError, TimeoutError):
            return {}

    async def stop(self) -> int | None:
        """End it by SIGTERM and return its exit code; None when it did not end in time and was killed."""
        if self._http is not None:
            await self._http.close()
        process = self._process
        if process is None or process.returncode is not None:
            return self.exit_code
        process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            return None

    def _told_port(self) -> int | None:
        """The port that it took, by its log: one that was chosen for it could be taken before it starts."""
        for line in self.log.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                said = json.loads(line)
                if said["event"] == "starting":
                    return int(said["settings"]["port"])
        return None

    def last_words(self) -> str:
        """The end of its log, which holds no phone number and no value."""
        return self.log.read_bytes()[-_LOG_TAIL:].decode(errors="replace")


def _environ() -> dict[str, str]:
    """Without settings for another connector, which would win over ours."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
