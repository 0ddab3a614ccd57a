"""What the network of this machine offers."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest

UNSHARE_NETWORK = ["unshare", "--user", "--map-root-user", "--net"]
"""Runs a command as root of a network of its own, whose only interface, the loopback, is down."""


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def can_unshare_network() -> bool:
    """Whether `UNSHARE_NETWORK` works here, and whose IPv6 can be switched off."""
    if shutil.which(UNSHARE_NETWORK[0]) is None:
        return False
    command = [*UNSHARE_NETWORK, "test", "-w", "/proc/sys/net/ipv6/conf/all/disable_ipv6"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="needs IPv6's loopback")
