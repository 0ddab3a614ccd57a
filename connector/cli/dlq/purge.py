"""`connector dlq purge`: letters deleted, up to an offset or a time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from connector.cli.dlq import options
from connector.cli.dlq.moving import marks_of
from connector.cli.dlq.show import place_of
from connector.cli.loading import load_of_deliveries
from connector.cli.options import ConfigFile
from connector.cli.progress import watched
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.letters.marks import runs_of
from connector.core.record import Partition
from connector.edge.avro.letter_files import Exported, FileError, exported, read
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.scan import Scan, delete_before


class Count(NamedTuple):
    """Letters of one partition that would be deleted, and how many of them are nowhere else."""

    letters: int
    lost: int


def purge(
    file: ConfigFile,
    topic: options.Topic = None,
    up_to: Annotated[
        list[str],
        typer.Option(metavar="PARTITION:OFFSET", help="This one and all before it; may be repeated."),
    ] = [],  # noqa: B006 - typer's way of "none given"
    before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Written before then: `30d` ago, or 2026-11-30T09:00 (UTC).")
    ] = None,
    export_file: Annotated[
        list[Path], typer.Option("--exported", metavar="FILE", help="What `export --reveal` wrote; may be repeated.")
    ] = [],  # noqa: B006 - typer's way of "none given"
    yes: Annotated[bool, typer.Option("--yes", help="Delete what was exported or redriven.")] = False,
    yes_lose: Annotated[bool, typer.Option("--yes-lose", help="Delete also what is nowhere else.")] = False,
) -> None:
    """Delete letters from the beginning of their partitions on. Without --yes: what would be lost.

    Each letter that is deleted has to be in the files that are named, byte for byte, or to have been redriven, unless
    --yes-lose. Exit code 1 when one is not, or the brokers refuse; then nothing is deleted.
    """
    if bool(up_to) == (before is not None):
        raise typer.BadParameter("say --up-to or --before, and not both")
    settings = load_of_deliveries(file, os.environ)
    name = topic or settings.kafka.topics.dead_letter
    saved = _saved(export_file)
    try:
        ends = _ends(settings, name, up_to, before)
        counted = _counted(settings, name, ends, saved)
        for partition, count in sorted(counted.items()):
            typer.echo(
                f"{partition}: {count.letters:,} letters before offset {ends[partition]}, {count.lost:,} nowhere else"
            )
        lost = sum(count.lost for count in counted.values())
        if not yes and not yes_lose:
            typer.echo("nothing was deleted; --yes does it" + (", with --yes-lose" if lost else ""))
            return
        if lost and not yes_lose:
            typer.echo(
                f"{lost:,} letters are in no file and were not redriven: export them first, or --yes-lose", err=True
            )
            raise typer.Exit(1)
        delete_before(kafka_properties(settings.kafka), ends)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"deleted {sum(count.letters for count in counted.values()):,} letters")


def _saved(paths: list[Path]) -> frozenset[Exported]:
    found: set[Exported] = set()
    for path in paths:
        try:
            found.update(read(path))
        except FileError as error:
            raise typer.BadParameter(f"{path}: {error}") from None
        except OSError as error:
            raise typer.BadParameter(f"{path} cannot be read ({error.strerror})") from None
    return frozenset(found)


def _ends(settings: Settings, name: str, up_to: list[str], before: str | None) -> dict[Partition, int]:
    """The offset before which each partition is emptied."""
    given: dict[Partition, int] = {}
    for text in up_to:
        place = place_of(name, text)
        given[place.partition] = place.offset + 1
    with Scan(kafka_properties(settings.kafka), name) as scan:
        if before is not None:
            scan.since(options.time_ms(before, SystemClock().now_ms()) or 0)
            given = dict(scan.starts)
        for partition in given:
            if partition not in scan.bounds:
                raise typer.BadParameter(f"there is no {partition}")
        return {
            partition: min(end, scan.bounds[partition].readable)
            for partition, end in given.items()
            if end > scan.bounds[partition].start
        }


def _counted(
    settings: Settings, name: str, ends: Mapping[Partition, int], saved: frozenset[Exported]
) -> dict[Partition, Count]:
    redriven = marks_of(settings, name, {})
    letters: Counter[Partition] = Counter()
    lost: Counter[Partition] = Counter()
    with Scan(kafka_properties(settings.kafka), name) as scan:
        scan.only_before(ends)
        for record in watched(scan, name):
            if runs_of(record) is None:
                letters[record.partition] += 1
                lost[record.partition] += not redriven.has(record) and exported(record) not in saved
    return {partition: Count(letters[partition], lost[partition]) for partition in ends}
