"""A real Prometheus, as a process of its own, and what it says to a query."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import yaml

from tests.support.ports import free_port
from tests.support.prometheus import program

SCRAPE = 1
"""Seconds between two scrapes, so that a day of faults fits into minutes."""

Series = dict[str, list[tuple[float, float]]]
"""Points (Unix seconds, value) by the labels that tell a query's series apart."""

_VARIABLES = {"$__rate_interval": f"{5 * SCRAPE}s", "$__range": "20s"}


class Prometheus:
    """Scrapes `targets`, pod names by `host:port`, into a folder of its own."""

    def __init__(self, folder: Path, targets: Mapping[str, str]) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._address = f"127.0.0.1:{free_port()}"
        static = [{"targets": [at], "labels": {"pod": pod, "namespace": "messages"}} for at, pod in targets.items()]
        job = {"job_name": "invoke-connector", "static_configs": static}
        settings = {
            "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": f"{SCRAPE}s"},
            "scrape_configs": [job],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(program("prometheus")),
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self._address}",
                "--enable-feature=exemplar-storage",
                stdout=log,
                stderr=log,
            )
        for _ in range(300):
            if await self._is_ready():
                return
            await asyncio.sleep(0.2)
        raise TimeoutError("Prometheus is not ready within a minute")

    async def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def series(self, query: str, start: float, end: float) -> Series:
        """What a dashboard's query shows of this time, all variables at `All`. Raises ValueError for a bad query."""
        parameters = {"query": filled(query), "start": str(start), "end": str(end), "step": str(SCRAPE)}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://{self._address}/api/v1/query_range", data=parameters) as response,
        ):
            answer = json.loads(await response.read())
        if answer["status"] != "success":
            raise ValueError(f"{query}: {answer['error']}")
        return {
            ", ".join(f"{name}={value}" for name, value in sorted(found["metric"].items()) if name in _TELLING): [
                (float(at), float(value)) for at, value in found["values"] if value != "NaN"
            ]
            for found in answer["data"]["result"]
        }

    async def exemplars(self, query: str, start: float, end: float) -> list[dict[str, str]]:
        """The labels of the exemplars that were scraped with a query's series."""
        parameters = {"query": query, "start": str(start), "end": str(end)}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://{self._address}/api/v1/query_exemplars", data=parameters) as response,
        ):
            answer = json.loads(await response.read())
        return [dict(one["labels"]) for series in answer["data"] for one in series["exemplars"]]

    async def _is_ready(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://{self._address}/-/ready") as response,
            ):
                return response.status == 200
        except aiohttp.ClientError:
            return False


_TELLING = frozenset(
    {"broker", "certificate", "client", "code", "drained", "failure", "fate", "kind", "partition", "pod", "reason"}
    | {"result", "service", "source", "status", "target", "topic", "verdict", "version"}
)


def filled(query: str) -> str:
    """A dashboard's query as it is asked with every variable at `All`."""
    for name, value in _VARIABLES.items():
        query = query.replace(name, value)
    return re.sub(r"\$\{?\w+\}?", ".*", query)
