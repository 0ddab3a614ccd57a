"""`connector run` as a process of its own: started from a settings file, looked at over HTTP, ended by signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.support.ports import free_port

_POLL_SECONDS = 0.05
_START_SECONDS = 60.0
_END_SECONDS = 60.0


class ConnectorProcess:
    """`settings` is the settings file's content; the admin listener gets a free port. Its log is kept in `folder`."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "connector.yaml"
        self._log = folder / "connector.log"
        self._port = free_port()
        admin = {"host": "127.0.0.1", "port": self._port, "control_port": 0, **settings.get("admin", {})}
        whole = {**settings, "admin": admin}
        self.config.write_text(json.dumps(whole, indent=2))  # JSON is YAML
        self._process: asyncio.subprocess.Process | None = None

    async def spawn(self, *before: str, stderr: int | None = None) -> int:
        """Start it and return its process id. `before`: the words of a command that starts it, such as `nohup`.

        `stderr`: a file descriptor for its log, which is not kept then.
        """
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(*before, sys.executable, "-m", "connector", "run", "--config", str(self.config)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log if stderr is None else stderr,
                env={name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")},
            )
        return self._process.pid

    async def start(self, patience: float = _START_SECONDS) -> None:
        """Start it and wait until it has joined the group. AssertionError with its log when it does not in time."""
        await self.spawn()
        await self.joins(patience)

    async def joins(self, patience: float = _START_SECONDS) -> None:
        """Wait until it has joined the group. AssertionError with its log when it does not in time."""
        assert self._process is not None
        try:
            async with asyncio.timeout(patience):
                while await self._get("readyz") is None:
                    assert self._process.returncode is None, f"exit code {self._process.returncode}:\n{self.log}"
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not ready within {patience} s:\n{self.log}") from None

    @property
    def log(self) -> str:
        """All it wrote, of every start."""
        return self._log.read_text()

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def resident_bytes(self) -> int | None:
        """Its resident memory now; None when it does not run."""
        if self._process is None or not self.runs:
            return None
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return None
        _, _, resident = status.partition("VmRSS:")
        return int(resident.split()[0]) * 1024 if resident else None

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Its log lines about one happening."""
        parsed = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in parsed if line["event"] == event]

    async def lives(self) -> bool:
        """Whether `/livez` says so."""
        return await self._get("livez") is not None

    async def status(self) -> dict[str, Any]:
        """`/status`; empty while it does not answer."""
        text = await self._get("status")
        return {} if text is None else dict(json.loads(text))

    async def status_when(
        self, condition: Callable[[Mapping[str, Any]], bool], seconds: float = 60.0
    ) -> dict[str, Any]:
        """Wait until `/status` is so, and return it."""
        status: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds):
                while not condition(status):
                    await asyncio.sleep(_POLL_SECONDS)
                    status = await self.status()
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s, but {status}\n{self.log[-4000:]}") from None
        return status

    async def page(self) -> str:
        """`/` as it is; empty while it does not answer."""
        return await self._get("") or ""

    async def metrics_text(self) -> str:
        """`/metrics` as it is; empty while it does not answer."""
        return await self._get("metrics") or ""

    async def metrics(self) -> dict[str, float]:
        """`/metrics` by name without our prefix, summed over labels."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(await self.metrics_text()):
            for sample in family.samples:
                name = sample.name.removeprefix("invoke_connector_")
                found[name] = found.get(name, 0.0) + sample.value
        return found

    async def until(self, seconds: float = 60.0, **records: int) -> dict[str, float]:
        """Wait until `/metrics` counts exactly so many records: `until(accepted=3, dead_lettered=1)`."""
        return await self.shows(seconds, **{f"records_{name}_total": count for name, count in records.items()})

    async def shows(self, seconds: float = 60.0, **values: float) -> dict[str, float]:
        """Wait until `/metrics` shows exactly these values, and return all of them."""
        seen: dict[str, float] = {}
        try:
            async with asyncio.timeout(seconds):
                while {name: seen.get(name) for name in values} != values:
                    seen = await self.metrics()
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            found = {name: seen.get(name) for name in values}
            raise AssertionError(f"not within {seconds} s: {values}, but {found}\n{self.log[-4000:]}") from None
        return seen

    async def counts(self, name: str, least: float, seconds: float = 60.0) -> None:
        """Wait until this metric, summed over labels, is at least so much."""
        seen = 0.0
        try:
            async with asyncio.timeout(seconds):
                while seen < least:
                    await asyncio.sleep(_POLL_SECONDS)
                    seen = (await self.metrics()).get(name, 0.0)
        except TimeoutError:
            raise AssertionError(f"{name} is {seen} after {seconds} s\n{self.log[-4000:]}") from None

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Give it a command that its listener takes, as a person would; the exit code, and what was printed."""
        port = self.lines("starting")[-1]["settings"]["control_port"]
        return await self.cli(*arguments, "--url", f"http://127.0.0.1:{port}")

    async def cli(self, *words: str) -> tuple[int, str]:
        """Run a command with its settings, as a person would; the exit code, and what was printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "connector", *words, "--config", str(self.config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, printed.decode()

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end and return the exit code."""
        assert self._process is not None
        try:
            async with asyncio.timeout(_END_SECONDS):
                return await self._process.wait()
        except TimeoutError:
            raise AssertionError(f"not ended within {_END_SECONDS} s\n{self.log[-4000:]}") from None

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.signal()
        return await self.ended()

    async def kill(self) -> None:
        """End it at once (SIGKILL), if it still runs."""
        if self.runs:
            self.signal(signal.SIGKILL)
            await self.ended()

    def url(self, page: str, host: str = "127.0.0.1") -> str:
        """A page of its admin listener."""
        return f"http://{host}:{self._port}/{page}"

    async def _get(self, page: str) -> str | None:
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session,
                session.get(self.url(page)) as answer,
            ):
                return await answer.text() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None
