"""`connector offsets set`: a file as a group's commits, for the day somebody must."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.loading import load_without_password
from connector.cli.offsets.files import Export, read_file, unanswered
from connector.cli.options import ConfigFile
from connector.cli.status import GroupName
from connector.config.client import kafka_properties
from connector.config.settings import SHADOWS
from connector.core.record import Partition
from connector.core.settled_map import decode
from connector.core.signals import Commit
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.bounds import Bounds, Look
from connector.edge.kafka.groups import KafkaGroups
from connector.edge.kafka.identity import LogIdentities


def set_offsets(
    file: ConfigFile,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="As `connector offsets export` prints it.")],
    group: GroupName = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this, only say what would be done.")] = False,
) -> None:
    """Commit the offsets of a file for the group, which must be stopped. Partitions that the file leaves out stay.

    Says for each partition how many records would be posted again, or never, as far as the brokers tell. Exit code 1
    when the group has members or the brokers refuse.
    """
    settings = load_without_password(file, os.environ)
    name = group or settings.kafka.group_id
    wanted: Mapping[Partition, Commit] = of_mode(read_file(source), name)
    try:
        properties = kafka_properties(settings.kafka)
        groups = KafkaGroups(properties)
        found, committed, told = groups.group(name), groups.committed(name, wanted), groups.look(wanted)
        wanted = without_other_clusters(wanted, LogIdentities(properties), told)
        for text in changes(wanted, committed, told):
            typer.echo(text)
        if found is not None and found.members:
            typer.echo(f"group {name} has {found.members} members: stop them all first", err=True)
            raise typer.Exit(1)
        if told.absent:
            typer.echo(f"there is no {', '.join(map(str, sorted(told.absent)))}: take it out of the file", err=True)
            raise typer.Exit(1)
        if not yes:
            typer.echo("nothing was done; --yes does it")
            return
        groups.set(name, wanted)
    except AdminError as error:
        raise unanswered(error) from None
    typer.echo(f"group {name}: {len(wanted)} offsets set")


def of_mode(given: Export, group: str) -> dict[Partition, Commit]:
    """The file's commits for this group. Where a shadow is, and was told to be where another group is, it begins there
    anew: what is settled ahead is looked at once more.

    Raises BadParameter for what a shadow committed where it is meant for a group that delivers.
    """
    if group.endswith(SHADOWS):
        return {partition: commit._replace(metadata="") for partition, commit in given.commits.items()}
    if given.is_shadows:
        raise typer.BadParameter(
            f"the file has commits of a shadow: what lies before them was never posted by {given.group}, and {group} "
            "would skip it"
        )
    return given.commits


def without_other_clusters(
    wanted: Mapping[Partition, Commit], identities: LogIdentities, told: Look
) -> dict[Partition, Commit]:
    """The same commits, without the maps of other clusters: a process that found one would not go on from it."""
    with_map = [each for each, commit in wanted.items() if commit.metadata and each in told.bounds]
    if with_map:
        identities.ask(with_map[0].topic)
    logs = identities.of(with_map, urgent=with_map)
    kept = dict(wanted)
    for each, log in logs.items():
        if decode(wanted[each].metadata, wanted[each].offset, log.identity, log.end) == "cluster":
            kept[each] = wanted[each]._replace(metadata="")
    return kept


def changes(
    wanted: Mapping[Partition, Commit], committed: Mapping[Partition, Commit | str], told: Look
) -> Iterator[str]:
    """What setting would mean, a line for each partition."""
    for partition, commit in sorted(wanted.items()):
        if partition in told.absent:
            continue
        bounds, before = told.bounds.get(partition), committed.get(partition)
        unknown = told.unknown.get(partition) if bounds is None else before
        if bounds is None or isinstance(before, str):
            yield f"{partition}: ? → {commit.offset}{_map_of(commit)}: what it means is not known now ({unknown})"
        else:
            start = bounds.start if before is None else before.offset
            yield f"{partition}: {start} → {commit.offset}{_map_of(commit)}: {_meaning(start, commit.offset, bounds)}"


def _meaning(before: int, after: int, bounds: Bounds) -> str:
    first, end, _ = bounds
    if after > end:
        return f"beyond the log's end ({end}): kafka.start decides, and the process ends where nothing may be skipped"
    if after < first:
        return f"before the log's first ({first}): the process will end rather than skip what is gone"
    if after < before:
        return f"up to {before - after} records are posted again"
    return f"up to {after - before} records are never posted" if after > before else "as it is"


def _map_of(commit: Commit) -> str:
    return " with its map" if commit.metadata else ""
