"""Tests whose class says `both_loops = True` run on asyncio's event loop and on uvloop, which production uses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """One parameter a loop."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if getattr(getattr(item, "cls", None), "both_loops", False):
        loops["uvloop"] = uvloop.new_event_loop
    return loops
