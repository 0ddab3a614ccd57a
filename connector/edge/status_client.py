"""What processes show on their listeners for probes, by aiohttp: `/status`, and of `/metrics` how long posts take."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import aiohttp
import orjson
from prometheus_client.parser import text_string_to_metric_families

from connector.deadline import in_time

_LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes; `/status` of a thousand partitions has a sixtieth."""

_POSTS = re.compile("invoke_connector_(shadow_)?post_seconds(_bucket)?").match

Addresses = Sequence[tuple[socket.AddressFamily, str]]
"""Of one name: the family of each, and the address."""


class Shown(NamedTuple):
    """One look at one process, at `at` of a clock that never goes back.

    `status` is None when there is none, for the reason `problem`. `posts` counts posts by upper edge in
    seconds; empty where `/metrics` does not tell.
    """

    at: float
    status: Mapping[str, Any] | None
    posts: Mapping[float, float]
    problem: str | None = None


async def addresses_of(host: str, port: int) -> Addresses:
    """All addresses of a name, in the order in which they are to be tried. Raises OSError where it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(each[0], str(each[4][0])) for each in found]


class StatusClient:
    """Asks any number of processes at once. An async context manager."""

    def __init__(
        self, patience: float = 3.0, addresses: Callable[[str, int], Awaitable[Addresses]] = addresses_of
    ) -> None:
        """`patience`: seconds for an answer. `addresses`: those of a name."""
        self._patience = patience
        self._addresses = addresses

    async def __aenter__(self) -> Self:
        # Proxies of the environment are not asked: aiohttp's default.
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def look(self, urls: Iterable[str]) -> dict[str, Shown]:
        """What each process shows, by its URL. Raises nothing: who does not answer has a problem.

        A name is asked for its addresses each time, and where it has several there is a process at each, as behind a
        headless Service. Of its address families the first counts in which somebody answers: in a cluster that has
        two, each pod has an address of either. With https a name is one process: certificates are for names.
        """
        found = await asyncio.gather(*map(self._behind, urls))
        return {url: shown for each in found for url, shown in each.items()}

    async def _behind(self, url: str) -> Mapping[str, Shown]:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        if parts.scheme != "http":
            return {url: await self._look(url)}
        try:
            addresses = dict.fromkeys(await in_time(self._addresses(host, port), self._patience))
        except TimeoutError:
            return {url: self._nothing(f"its name is not resolved within {self._patience:g} s")}
        except (OSError, ValueError) as error:
            return {url: self._nothing(f"not reached ({type(error).__name__})")}
        if len(addresses) == 1:
            return {url: await self._look(url)}
        netlocs = [f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for _, each in addresses]
        places = [parts._replace(netloc=each).geturl() for each in netlocs]
        looks = await asyncio.gather(*(self._look(place, parts.netloc) for place in places))
        families: dict[socket.AddressFamily, dict[str, Shown]] = {}
        for (family, _), place, shown in zip(addresses, places, looks, strict=True):
            families.setdefault(family, {})[place] = shown
        answering = (each for each in families.values() if any(shown.problem is None for shown in each.values()))
        return next(answering, next(iter(families.values()), {url: self._nothing("its name has no address")}))

    async def _look(self, url: str, name: str | None = None) -> Shown:
        """`name`: that of the host where the URL has an address instead."""
        try:
            status, metrics = await in_time(self._both(url.rstrip("/"), name), self._patience)
            found = orjson.loads(status)
        except TimeoutError:
            return self._nothing(f"no answer within {self._patience:g} s")
        except orjson.JSONDecodeError:
            return self._nothing("no connector's listener: admin.port, and not admin.control_port")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return self._nothing(f"not reached ({type(error).__name__})")
        return Shown(asyncio.get_running_loop().time(), found, _posts(metrics))

    async def _both(self, url: str, name: str | None) -> tuple[bytes, bytes]:
        headers = {} if name is None else {"Host": name}
        status, metrics = await asyncio.gather(*(self._get(f"{url}/{page}", headers) for page in ("status", "metrics")))
        return status, metrics

    async def _get(self, url: str, headers: Mapping[str, str]) -> bytes:
        content = b""
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
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
    text = "\n".join(line for line in page.decode("utf-8", "replace").splitlines() if _POSTS(line))
    try:
        samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
        return {float(each.labels["le"]): each.value for each in samples if each.name.endswith("_bucket")}
    except (ValueError, KeyError):
        return {}
