"""`connector codes`: the classification table in force, with remedies."""

from __future__ import annotations

import os

import typer

from connector.cli.options import MaybeConfigFile
from connector.config import load
from connector.core.codes import DEFAULT_TABLE
from connector.core.outcome import Row, When
from connector.runtime.policies import outcome_table


def codes(file: MaybeConfigFile = None) -> None:
    """Show what each answer means: which fate a record has after it, why, and what to do.

    The first row that matches counts: the vendor's code decides before the description's first words, and those
    before the HTTP status. With --config, the rows of openmarket.outcomes stand first.
    """
    table = DEFAULT_TABLE if file is None else outcome_table(load(file, os.environ).openmarket)
    for row in table.rows():
        typer.echo(_shown(row))


def _shown(row: Row) -> str:
    return (
        f"{row.code}: {row.fate.replace('_', ' ')}\n"
        f"  when    {' · '.join(_patterns(row))}\n"
        f"  why     {row.why}\n"
        f"  remedy  {row.remedy}\n"
    )


def _patterns(row: Row) -> list[str]:
    condition = "" if row.when is When.ALWAYS else f" {row.when}"
    return [
        *(f"code {code}" for code in row.vendor_codes),
        *(f"“{words} …”" for words in row.descriptions),
        *(f"HTTP {status}{condition}" for status in row.statuses),
        *(f"no answer ({failure})" for failure in row.failures),
    ]
