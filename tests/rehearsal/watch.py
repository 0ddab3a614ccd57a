"""A real Prometheus with our rules, their durations shortened, that scrapes the processes of a rehearsal."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.connector_process import ConnectorProcess
from tests.support.ports import free_port
from tests.support.prometheus import program

RULES = Path(__file__).parents[2] / "helm/invoke-connector/files/alerts.yaml"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST = {"for": 1, "range": 6}
"""Seconds below which nothing is shortened: a range needs a few scrapes, one a second."""


def shortened(rules: str, factor: int) -> str:
    """The rules with each `for` and each range a `factor`th as long."""

    def shorter(found: re.Match[str], least: int) -> str:
        seconds = int(found[2]) * _SECONDS[found[3]]
        return f"{found[1]}{max(least, round(seconds / factor))}s"

    rules = re.sub(r"(for: )(\d+)([smhd])\b", lambda found: shorter(found, _SHORTEST["for"]), rules)
    rules = re.sub(r"(\[)(\d+)([smhd])\b", lambda found: shorter(found, _SHORTEST["range"]), rules)
    return re.sub(r"(:)(\d+)([smhd])(?=\])", lambda found: shorter(found, 1), rules)


class Prometheus:
    """Scrapes each second what `scrape` named, and evaluates the rules each second."""

    def __init__(self, folder: Path, factor: int) -> None:
        folder.mkdir()
        self._folder = folder
        self._targets = folder / "targets.json"
        self._targets.write_text("[]")
        (folder / "alerts.yaml").write_text(shortened(RULES.read_text(), factor))
        scrape = {
            "job_name": "connector",
            "file_sd_configs": [{"files": [str(self._targets)], "refresh_interval": "1s"}],
        }
        times = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config = {"global": times, "rule_files": ["alerts.yaml"], "scrape_configs": [scrape]}
        (folder / "prometheus.yml").write_text(json.dumps(config))
        self._address = f"127.0.0.1:{free_port()}"
        self._namespace = ""
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> str:
        """Start it, and return its version."""
        command = [
            *(str(program("prometheus")), f"--config.file={self._folder / 'prometheus.yml'}"),
            *(f"--storage.tsdb.path={self._folder / 'data'}", f"--web.listen-address={self._address}"),
        ]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220 - forks, and no more
        for _ in range(300):
            await asyncio.sleep(0.2)
            try:
                return str((await self._get("status/buildinfo"))["version"])
            except (aiohttp.ClientError, KeyError):
                continue
        raise AssertionError((self._folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    async def scrape(self, processes: Iterable[ConnectorProcess], namespace: str) -> None:
        """These and no others, once it returns; alerts of other namespaces are of what was before."""
        self._namespace = namespace
        targets = [one.url("").removeprefix("http://").rstrip("/") for one in processes]
        complete = self._targets.with_suffix(".new")
        complete.write_text(json.dumps([{"targets": targets, "labels": {"namespace": namespace}}]))
        complete.replace(self._targets)
        seen = f'count(invoke_connector_build_info{{namespace="{namespace}"}}) == {len(targets)}'
        async with asyncio.timeout(60):
            while targets and not await self.answer(seen):  # noqa: ASYNC110 - another process is asked
                await asyncio.sleep(0.5)

    async def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        return {alert["labels"]["alertname"] for alert in await self._alerts() if alert["state"] == "firing"}

    async def description(self, alert: str) -> str:
        """What a firing alert says."""
        alerts = await self._alerts()
        said = [each["annotations"]["description"] for each in alerts if each["labels"]["alertname"] == alert]
        return str(said[0]) if said else ""

    async def answer(self, query: str) -> list[str]:
        """What a query gives now, a line each."""
        found = (await self._get("query", query=query))["result"]
        return [f"{_labels(each['metric'])} {float(each['value'][1]):.4g}" for each in found]

    async def _alerts(self) -> list[dict[str, Any]]:
        alerts = (await self._get("alerts"))["alerts"]
        return [alert for alert in alerts if alert["labels"].get("namespace") == self._namespace]

    async def _get(self, path: str, **parameters: str) -> Any:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session,
            session.get(f"http://{self._address}/api/v1/{path}", params=parameters) as answer,
        ):
            return (await answer.json())["data"]


def _labels(metric: dict[str, str]) -> str:
    shown = {name: value for name, value in metric.items() if name not in ("namespace", "job", "instance")}
    name = shown.pop("__name__", "")
    return name + "{" + ", ".join(f'{label}="{value}"' for label, value in sorted(shown.items())) + "}"
