"""`connector offsets export`: what a group has committed, as JSON, on a terminal or on a schedule."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from connector.cli.loading import load_without_password
from connector.cli.offsets.files import text_of, unanswered, write
from connector.cli.offsets.sources import LiveSource, Reach
from connector.cli.options import AsJson, ConfigFile
from connector.cli.status import GroupName
from connector.config.client import kafka_properties
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.groups import KafkaGroups

_REACH = Reach(200, uncommitted=True)
"""Of the records whose digests are exported."""


def export(
    file: ConfigFile,
    group: GroupName = "",
    with_records: Annotated[
        bool,
        typer.Option(
            "--with-records",
            help="Also digests of the records around each commit, by which `translate` finds them in another cluster.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write this file, whole or not at all, and print a line."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what the group has committed, with the maps of what is settled ahead, as JSON. Changes nothing in Kafka.

    Exit code 1 when the brokers do not answer, the file cannot be written, or the group has committed nothing and
    there is a file to be written: whatever it held before stays.
    """
    settings = load_without_password(file, os.environ)
    name = group or settings.kafka.group_id
    now_ms = SystemClock().now_ms()
    try:
        if with_records:
            with LiveSource(settings.kafka, name) as source:
                commits = source.commits
                marks = {each: source.marks(each, _REACH) for each in source.readable}
            seen_at = datetime.fromtimestamp(now_ms // 1000, UTC)
            text = text_of(name, commits, marks, settings.kafka.topics.read, seen_at)
        else:
            commits = KafkaGroups(kafka_properties(settings.kafka)).all_committed(name)
            text = text_of(name, commits)
    except AdminError as error:
        raise unanswered(error) from None
    if out is None:
        typer.echo(text)
        return
    if not commits:
        typer.echo(f"group {name} has committed nothing: {out} is left as it is", err=True)
        raise typer.Exit(1)
    try:
        write(out, text)
    except OSError as error:
        typer.echo(f"{out}: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(orjson.dumps({"group": name, "offsets": len(commits), "file": str(out)}).decode())
    else:
        typer.echo(f"group {name}: {len(commits)} offsets written to {out}")
