"""docs/dashboards.md: what the dashboards showed of a day with every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.dashboards.day import PEACE, Phase
from tests.dashboards.judge import SILENT, Seen

DRAWN = {
    "panels-delivery.svg": (
        "What becomes of records",
        "From event to acceptance",
        "Answers that are no acceptance, by class",
        "Accepted by service",
        "Posts under way",
        "Share of time held",
    ),
    "panels-process.svg": (
        "The ten partitions that lag most",
        "Partitions that move",
        "Commits",
        "Uncommitted, and for how long",
        "Errors of Kafka's clients",
        "Memory",
    ),
}
"""Which panels are drawn into which picture."""

_HEAD = (Path(__file__).parent / "head.md").read_text(encoding="utf-8")


def page(seen: Sequence[Seen], phases: Sequence[Phase], headlines: Mapping[str, str]) -> str:
    """The whole page."""
    told = [each for each in seen if each.phase is not None]
    silent = [each for each in seen if each.phase is None]
    return "\n".join(
        [
            _HEAD
            + "## The day, and what the page of a process said of it\n\n"
            + "Chromium read [the page](operations.md#the-page) of the first process in the middle of each part.\n",
            "| part of the day | seconds | the page says |",
            "|---|---|---|",
            *(
                f"| {phase.name} | {phase.end - phase.start:.0f} | {headlines.get(phase.name, '')} |"
                for phase in phases
            ),
            "",
            f"## Queries that told peace from trouble: {len(told)} of {len(seen)}",
            "",
            f"The largest value in {PEACE}, and the one least like it, with the part of the day in which it was seen.",
            "A query is named by its panel, and by its legend.",
            "",
            "| dashboard | query | in peace | in trouble | when |",
            "|---|---|---|---|---|",
            *(
                f"| {each.asked.dashboard.removesuffix('.json')} | {_name(each)} | {_value(each.peace)} | "
                f"{_value(each.trouble)} | {each.phase} |"
                for each in told
            ),
            "",
            f"## Queries that did not: {len(silent)}",
            "",
            "| query | why |",
            "|---|---|",
            *(f"| {_name(each)} | {_why(each)} |" for each in silent),
            "",
        ]
    )


def _name(seen: Seen) -> str:
    legend = seen.asked.legend.replace("{{pod}} {{instance}}", "each process")
    return f"{seen.asked.panel}: `{legend}`" if legend else seen.asked.panel


def _why(seen: Seen) -> str:
    return next((SILENT[name] for name in seen.asked.names if name in SILENT), "**not known**")


def _value(value: float | None) -> str:
    return "nothing" if value is None else f"{value:,.4g}"
