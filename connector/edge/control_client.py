"""The other end of the listener for commands, by aiohttp: for somebody at a shell, one command at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from connector.deadline import in_time

_LARGEST_ANSWER = 4 * 1024 * 1024  # bytes


class ControlError(Exception):
    """The command was not carried out. The text is for a person, and says what to do."""


async def command(
    url: str, path: str, body: Mapping[str, object], token: str | None, *, patience: float = 10.0
) -> dict[str, Any]:
    """POST a command to the listener at `url`, and return what it answers within `patience` seconds.

    Raises ControlError.
    """
    address = url.rstrip("/")
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"

    async def ask() -> dict[str, Any]:
        # Proxies of the environment are not asked (aiohttp's default), and redirects not followed: the token stays.
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.post(address + path, data=orjson.dumps(body), headers=headers, allow_redirects=False) as response,
        ):
            return _read(address, response.status, await _content(response))

    try:
        return await in_time(ask(), patience)
    except TimeoutError:
        raise ControlError(f"{address} does not answer within {patience:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ControlError(
            f"no connector can be reached at {address} ({type(error).__name__}): is it running on this machine, or in "
            "this pod, and are admin.control_host and admin.control_port those that it was started with?"
        ) from None


async def _content(response: aiohttp.ClientResponse) -> bytes:
    content = b""
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > _LARGEST_ANSWER:
            break
    return content


def _read(address: str, status: int, content: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    if status == 200 and isinstance(answer, dict):
        return answer
    if isinstance(answer, dict) and isinstance(problem := answer.get("problem"), str):
        raise ControlError(problem)
    if status >= 500:
        raise ControlError(f"the connector at {address} failed at it (HTTP {status}): its log says why")
    raise ControlError(
        f"what answers at {address} (HTTP {status}) is no connector's listener for commands: admin.control_port, which "
        "is not admin.port"
    )
