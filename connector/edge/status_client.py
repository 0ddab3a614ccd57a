"""What processes show on their listeners for probes, by aiohttp: `/status`, and of `/metrics` how long posts take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import aiohttp
import orjson
from prometheus_client.parser import text_string_to_metric_families

from connector.deadline import in_time

_LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes; `/status` of a thousand partitions has a sixtieth."""

_POSTS = "invoke_connector_post_seconds"


class Shown(NamedTuple):
    """One look at one process, at `at` of a clock that never goes back.

    `status` is None when there is none, for the reason `problem`. `posts` counts posts that took no longer than so many
    seconds, by these seconds; empty where `/metrics` does not tell.
    """

    at: float
    status: Mapping[str, Any] | None
    posts: Mapping[float, float]
    problem: str | None = None


class StatusClient:
    """Asks any number of processes at once. An async context manager."""

    def __init__(self, patience: float = 3.0) -> None:
        """`patience`: seconds for an answer."""
        self._patience = patience

    async def __aenter__(self) -> Self:
        # Proxies of the environment are not asked: aiohttp's default.
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def look(self, urls: Iterable[str]) -> list[Shown]:
        """What each shows. Raises nothing: who does not answer has a problem."""
        return list(await asyncio.gather(*map(self._look, urls)))

    async def _look(self, url: str) -> Shown:
        try:
            status, metrics = await in_time(self._both(url.rstrip("/")), self._patience)
            found = orjson.loads(status)
        except TimeoutError:
            return self._nothing(f"no answer within {self._patience:g} s")
        except orjson.JSONDecodeError:
            return self._nothing("no connector's listener: admin.port, and not admin.control_port")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return self._nothing(f"not reached ({type(error).__name__})")
        return Shown(asyncio.get_running_loop().time(), found, _posts(metrics))

    async def _both(self, url: str) -> tuple[bytes, bytes]:
        status, metrics = await asyncio.gather(self._get(f"{url}/status"), self._get(f"{url}/metrics"))
        return status, metrics

    async def _get(self, url: str) -> bytes:
        content = b""
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                return b""
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > _LARGEST_ANSWER:
                    return b""
        return content

    def _nothing(self, problem: str) -> Shown:
        return Shown(asyncio.get_running_loop().time(), None, {}, problem)


def _posts(page: bytes) -> Mapping[float, float]:
    text = "\n".join(line for line in page.decode("utf-8", "replace").splitlines() if _POSTS in line)
    try:
        samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
        return {float(each.labels["le"]): each.value for each in samples if each.name == f"{_POSTS}_bucket"}
    except (ValueError, KeyError):
        return {}
