"""`python -m benchmarks.concurrency`: what each limit makes of each vendor, as a table. Some minutes a seed."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.concurrency.scenarios import table


def compare(seeds: Annotated[int, typer.Option(min=1, help="Runs of each; the worst one is shown.")] = 5) -> None:
    """Print the table."""
    typer.echo(table(seeds))


if __name__ == "__main__":
    typer.run(compare)
