"""Ports for programs that are told theirs, and take it a moment later."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _USUAL = 10_000, 32_768
_chance = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, each another one, below those that the kernel gives to whoever asks for any.

    One of the latter may be the end of somebody's connection by the time that it is bound.
    """
    found: list[int] = []
    while len(found) < count:
        port = _chance.randrange(_LOWEST, _first_given())
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if port not in found:
            found.append(port)
    return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def _first_given() -> int:
    try:
        first = int(_RANGE.read_text().split()[0])
    except OSError:  # not Linux
        return _USUAL
    return first if first > _LOWEST + 1000 else _USUAL
