"""A process takes as many open files as the system lets it have, and says so where they are too few."""

from __future__ import annotations

import subprocess
import sys

import pytest

from connector.runtime.open_files import OTHERS

_ALLOW = """
import resource, sys
from connector.runtime import open_files
soft, hard, in_flight = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(open_files.allow(in_flight))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def allowed(soft: int, hard: int, in_flight: int) -> list[str]:
    """What it says, and the soft limit afterwards; in a process of its own, which cannot raise its limit again."""
    command = [sys.executable, "-c", _ALLOW, *map(str, (soft, hard, in_flight))]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("soft", [64, 900, 1000 + OTHERS])
def test_the_soft_limit_becomes_the_hard_one(soft: int) -> None:
    assert allowed(soft, 1000 + OTHERS, 1000) == ["None", str(1000 + OTHERS)]


def test_a_hard_limit_with_room_for_fewer_than_the_posts_in_flight_is_told_with_both_numbers() -> None:
    why = "the system lets this process open 1,299 files, and 1,000 posts in flight need 1,300"
    assert allowed(64, 999 + OTHERS, 1000) == [why, str(999 + OTHERS)]
