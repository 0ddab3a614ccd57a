"""`connector run`: the connector itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import typer
import uvloop

from connector.cli import wiring
from connector.cli.options import ConfigFile
from connector.config import Settings, load
from connector.config.fields import secret_files
from connector.edge.clock import SystemClock
from connector.flow.lifecycle import Ending
from connector.observe.logs import Logs

FAILED = 1
NOT_DRAINED = 3
BY_SIGNAL = 128


def run(config: ConfigFile) -> None:
    """Post invocation events from Kafka until told to stop.

    SIGTERM and SIGINT stop taking records, wait for the answers under way (delivery.drain at most), commit and leave
    the group; a second signal ends the process at once.

    Exit codes: 0 stopped with everything drained · 1 failed · 2 configuration · 3 stopped, but answers were still
    missing when the drain's time was over (those records may be posted twice) · 128 + signal after a second one.
    """
    settings = load(config, os.environ)
    logs = Logs(
        sys.stderr.buffer,
        SystemClock().now_ms,
        level=settings.log.level,
        format=settings.log.format,
        secrets=[file.secret.get_secret_value() for _, file in secret_files(settings)],
    )
    logs.take_over_stdlib()
    try:
        ending = uvloop.run(_run(settings, logs))
    except wiring.CannotStartError as error:
        logs.logger.error("cannot_start", reason=error.reason, remedy=error.remedy)  # noqa: TRY400 - foreseen: no traceback
        raise typer.Exit(FAILED) from None
    finally:
        logs.close()
    if ending.failed is not None:
        raise typer.Exit(FAILED)
    raise typer.Exit(0 if ending.drained else NOT_DRAINED)


async def _run(settings: Settings, logs: Logs) -> Ending:
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            logs.close()
            os._exit(BY_SIGNAL + number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return await wiring.run(settings, wiring.Output(logs.logger, logs.accepted_line, logs.hide), stop)
