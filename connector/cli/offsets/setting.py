"""`connector offsets`: a group's commits as a file, and a file as a group's commits, for the day somebody must."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import orjson
import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector.cli.loading import load_without_password
from connector.cli.options import ConfigFile
from connector.cli.status import GroupName
from connector.config.client import kafka_properties
from connector.core.record import Partition
from connector.core.settled_map import BOUND, read
from connector.core.signals import Commit
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.bounds import Bounds, Look
from connector.edge.kafka.groups import KafkaGroups

_LARGEST_OFFSET = 2**63 - 1

offsets = typer.Typer(
    help="Export a group's committed offsets, or set them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Place(_Strict):
    """One commit. `metadata` is the map of what is settled ahead; a map of another offset is left out when set."""

    topic: str = Field(min_length=1, max_length=249)
    partition: int = Field(ge=0)
    offset: int = Field(ge=0, le=_LARGEST_OFFSET)
    metadata: str = Field(default="", max_length=BOUND + 1)


class Export(_Strict):
    """The file."""

    group: str
    offsets: list[Place]


@offsets.command()
def export(file: ConfigFile, group: GroupName = "") -> None:
    """Print what the group has committed, with the maps of what is settled ahead, as JSON. Changes nothing."""
    settings = load_without_password(file, os.environ)
    name = group or settings.kafka.group_id
    try:
        committed = KafkaGroups(kafka_properties(settings.kafka)).all_committed(name)
    except AdminError as error:
        raise _unanswered(error) from None
    places = [
        Place(topic=partition.topic, partition=partition.number, offset=commit.offset, metadata=commit.metadata)
        for partition, commit in sorted(committed.items())
    ]
    exported = Export(group=name, offsets=places).model_dump()
    typer.echo(orjson.dumps(exported, option=orjson.OPT_INDENT_2).decode())


@offsets.command("set")
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
    wanted = _read(source)
    try:
        groups = KafkaGroups(kafka_properties(settings.kafka))
        found, committed, told = groups.group(name), groups.committed(name, wanted), groups.look(wanted)
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
        raise _unanswered(error) from None
    typer.echo(f"group {name}: {len(wanted)} offsets set")


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


def _read(source: Path) -> dict[Partition, Commit]:
    try:
        given = Export.model_validate_json(source.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{source} cannot be read ({error.strerror})") from None
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors()[:5])
        raise typer.BadParameter(f"{where}. It must be as `connector offsets export` prints it") from None
    places: dict[Partition, Commit] = {}
    for place in given.offsets:
        partition = Partition(place.topic, place.partition)
        if partition in places:
            raise typer.BadParameter(f"{partition} is there twice: take one out")
        places[partition] = Commit(place.offset, _fitting(place))
    return places


def _fitting(place: Place) -> str:
    """The map, if it is one of this very offset: any other would be ignored by whoever reads it."""
    found = read(place.metadata) if place.metadata else "foreign"
    return "" if isinstance(found, str) or found.base != place.offset else place.metadata


def _unanswered(error: AdminError) -> typer.Exit:
    typer.echo(f"the brokers answer {error}", err=True)
    return typer.Exit(1)
