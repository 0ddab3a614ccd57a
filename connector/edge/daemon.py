"""Calls that may hang for ever, such as reading from a network file system, kept away from everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """Run `work` on a thread of its own; return what it returns, or raise what it raises.

    A thread of asyncio's pool that hangs would keep the process from ending, and the pool from looking names up.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # who gives up waiting ends the wait, not the work

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # raised where it is waited for
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(future)
