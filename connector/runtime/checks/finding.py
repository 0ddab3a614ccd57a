"""The answer of one check, and how it is printed."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import typer


class Verdict(StrEnum):
    """Failed means: do not deploy. Warning: somebody should have meant it."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(NamedTuple):
    """What one check found. `why` and `remedy` carry no secret."""

    name: str
    verdict: Verdict
    why: str
    remedy: str = ""


_COLOURS = {
    Verdict.OK: typer.colors.GREEN,
    Verdict.WARNING: typer.colors.YELLOW,
    Verdict.FAILED: typer.colors.RED,
}


def line(finding: Finding) -> str:
    """One line a check: verdict, name, why and, after an arrow, the remedy."""
    verdict = typer.style(f"{finding.verdict:<8}", fg=_COLOURS[finding.verdict])
    remedy = f" → {finding.remedy}" if finding.remedy else ""
    return f"{verdict} {finding.name}: {finding.why}{remedy}"
