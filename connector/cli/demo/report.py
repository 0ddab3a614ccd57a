"""The end of the demo: one dead letter in full, the summary, and the verdict on the books."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from connector.cli.demo import letter
from connector.cli.demo.books import Line, lines, problems
from connector.cli.demo.play import Performed
from connector.core.envelope import CLASS
from connector.edge.avro.schemas import reader_schema

_SHOWN_CLASS = b"national_phone_number"


def report(performed: Performed, console: Console) -> bool:
    """Print it, and return whether the books balance; when not, a sentence says what does not."""
    books = performed.books
    for record in performed.dead_letters:
        if dict(record.headers).get(CLASS) == _SHOWN_CLASS:
            console.print(_letter(letter.rows(record, reader_schema())))
            break
    console.print(_summary(lines(books)))
    found = list(problems(books))
    for problem in found:
        console.print(f"The books do not balance: {problem}.", style="bold red", highlight=False, soft_wrap=True)
    if not found:
        verdict = f"The books balance: {len(books.produced):,} records, none lost, none posted twice."
        console.print(verdict, style="bold green", highlight=False, soft_wrap=True)
    return not found


def _summary(lines: Iterable[Line]) -> Table:
    """Plan and count side by side; what differs stands out."""
    table = Table()
    table.add_column("what became of them")
    for name in ("planned", "found"):
        table.add_column(name, justify="right")
    table.add_column("counted by", style="dim")
    for line in lines:
        style = None if line.expected == line.found else "bold red"
        table.add_row(line.what, f"{line.expected:,}", f"{line.found:,}", line.source, style=style)
    return table


def _letter(fields: Sequence[tuple[str, str]]) -> Table:
    """One dead letter in full."""
    table = Table(title="One dead letter in full", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, value)
    return table
