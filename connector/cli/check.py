"""`connector check`: all that can be wrong before a deploy, one line a check."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import typer

from connector.cli.checks.finding import Finding, Verdict, line
from connector.cli.checks.live import live as ask_neighbours
from connector.cli.checks.offline import offline
from connector.cli.checks.probe import probe as post_invalid_body
from connector.cli.options import ConfigFile
from connector.config import Settings, load


def check(
    config: ConfigFile,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask brokers, registry and the vendor's address. Posts nothing.")
    ] = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Also post one deliberately invalid body: shows whether the credentials are accepted."
        ),
    ] = False,
) -> None:
    """Say what is wrong with a configuration, and how to mend it. Nobody is texted.

    One line a check: ok, warning or failed, why, and the remedy. Exit codes: 0 nothing failed · 1 something failed ·
    2 the settings themselves cannot be used.
    """
    settings = load(config, os.environ)
    verdicts: Counter[Verdict] = Counter()
    for finding in _findings(settings, live, probe):
        typer.echo(line(finding))
        verdicts[finding.verdict] += 1
    typer.echo(", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict))
    if verdicts[Verdict.FAILED]:
        raise typer.Exit(1)


def _findings(settings: Settings, live: bool, probe: bool) -> Iterator[Finding]:
    yield Finding("settings", Verdict.OK, "every setting is known and within its bounds")
    yield from offline(settings)
    if live:
        yield from ask_neighbours(settings)
    if probe:
        yield asyncio.run(post_invalid_body(settings))
