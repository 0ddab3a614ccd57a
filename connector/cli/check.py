"""`connector check`: all that can be wrong before a deploy, one line a check."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import typer

from connector.cli.options import AsJson, ConfigFile
from connector.config import ConfigError, Settings, load
from connector.runtime.checks.finding import Finding, Verdict, line
from connector.runtime.checks.live import live as ask_neighbours
from connector.runtime.checks.offline import offline
from connector.runtime.checks.probe import probe as post_invalid_body
from connector.runtime.checks.proxies import forward_proxies


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
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a configuration, and how to mend it. Nobody is texted.

    One line a check: ok, warning or failed, why, and the remedy. Exit codes: 0 nothing failed · 1 something failed ·
    2 the settings themselves cannot be used.
    """
    try:
        settings = load(config, os.environ)
    except ConfigError as error:
        if not as_json:
            raise
        typer.echo(_document([Finding("settings", Verdict.FAILED, problem) for problem in error.problems]))
        raise typer.Exit(2) from None
    findings = []
    for finding in _findings(settings, live, probe):
        findings.append(finding)
        if not as_json:
            typer.echo(line(finding))  # at once: the next one may take seconds
    verdicts = _counted(findings)
    typer.echo(_document(findings) if as_json else ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in Verdict))
    if verdicts[Verdict.FAILED]:
        raise typer.Exit(1)


def _counted(findings: Iterable[Finding]) -> Counter[Verdict]:
    return Counter(finding.verdict for finding in findings)


def _document(findings: Sequence[Finding]) -> str:
    verdicts = _counted(findings)
    content = {
        **{str(verdict): verdicts[verdict] for verdict in Verdict},
        "findings": [
            {
                "name": finding.name,
                "verdict": finding.verdict,
                "why": finding.why,
                "remedy": finding.remedy or None,
            }
            for finding in findings
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _findings(settings: Settings, live: bool, probe: bool) -> Iterator[Finding]:
    yield Finding("settings", Verdict.OK, "every setting is known and within its bounds")
    yield from offline(settings)
    yield forward_proxies(settings, os.environ)
    if live:
        yield from ask_neighbours(settings)
    if probe:
        yield asyncio.run(post_invalid_body(settings))
