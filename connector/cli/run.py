"""`connector run`: the connector itself."""

from __future__ import annotations

import os
import sys

import typer
import uvloop

from connector.cli.options import ConfigFile
from connector.config import ConfigError, load
from connector.edge.clock import SystemClock
from connector.observe.logs import Logs
from connector.runtime import wiring
from connector.runtime.memory import collect_rarely, share_heap
from connector.runtime.renewal import secrets
from connector.runtime.stopping import STOPPING

FAILED = 1
NOT_DRAINED = 3


def run(config: ConfigFile) -> None:
    """Post invocation events from Kafka until told to stop.

    SIGTERM, SIGHUP and SIGINT stop taking records, wait for the answers under way (delivery.drain at most), commit and
    leave the group; before it is joined they end the process at once. Further ones change nothing, except a second
    SIGINT (Ctrl-C), which ends the process at once.

    Exit codes: 0 stopped with everything drained, or before joining · 1 failed · 2 configuration · 3 stopped, but
    answers were still missing when the drain's time was over (those records may be posted twice) · 130 ended by a
    second SIGINT (what was under way may be posted twice).
    """
    STOPPING.listen()
    share_heap()
    collect_rarely()
    settings = load(config, os.environ)
    logs = Logs(
        open(sys.stderr.fileno(), "wb", buffering=0, closefd=False),  # noqa: SIM115 - as long as the process
        SystemClock().now_ms,
        level=settings.log.level,
        format=settings.log.format,
        secrets=secrets(settings),
    )
    logs.take_over()
    STOPPING.before_exit(logs.close)
    output = wiring.Output(logs.logger, logs.accepted_line, logs.hide, logs.dropped)
    try:
        ending = uvloop.run(wiring.run(settings, output, STOPPING))
    except wiring.CannotStartError as error:
        logs.logger.error("cannot_start", reason=error.reason, remedy=error.remedy)  # noqa: TRY400 - foreseen: no traceback
        raise typer.Exit(FAILED) from None
    except ConfigError:
        raise
    except Exception:
        # Left to Python, it would be written past the log's buffer, and unredacted.
        logs.logger.exception("process_fault")
        raise typer.Exit(FAILED) from None
    finally:
        logs.close()
    if ending.failed is not None:
        raise typer.Exit(FAILED)
    raise typer.Exit(0 if ending.drained else NOT_DRAINED)
