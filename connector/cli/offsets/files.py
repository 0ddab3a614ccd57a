"""The file of a group's commits: written whole or not at all, and read with every field checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import orjson
import typer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from connector.config.settings import SHADOWS
from connector.core.mirrored import Mark
from connector.core.record import Partition
from connector.core.settled_map import BOUND, is_shadows, read
from connector.core.signals import Commit
from connector.edge.kafka.admin import AdminError

LARGEST_OFFSET = 2**63 - 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Seen(_Strict):
    """A record near the commit, by what it is: `digest` is a hash of timestamp, key, value and headers."""

    offset: int = Field(ge=0, le=LARGEST_OFFSET)
    timestamp_ms: int | None = None
    digest: str = Field(pattern=r"^[0-9a-f]{32}$")
    settled: bool

    @classmethod
    def of(cls, mark: Mark) -> Seen:
        """As it is written."""
        return cls(offset=mark.offset, timestamp_ms=mark.timestamp_ms, digest=mark.digest.hex(), settled=mark.settled)

    @property
    def mark(self) -> Mark:
        """As it is compared."""
        return Mark(self.offset, self.timestamp_ms, bytes.fromhex(self.digest), self.settled)


class Place(_Strict):
    """One commit. `metadata` is the map of what is settled ahead; a map of another offset is left out when set.

    `records` are those around the commit, where the file was written to find them in another cluster.
    """

    topic: str = Field(min_length=1, max_length=249)
    partition: int = Field(ge=0)
    offset: int = Field(ge=0, le=LARGEST_OFFSET)
    metadata: str = Field(default="", max_length=BOUND + 1)
    records: list[Seen] | None = None


class Export(_Strict):
    """The file. Without records it has neither `exported_at` nor `topics` (main, retry, retry_also), so that releases
    which do not know these read it."""

    group: str
    exported_at: AwareDatetime | None = None
    topics: list[str] | None = None
    offsets: list[Place]

    @property
    def is_shadows(self) -> bool:
        """Whether a shadow made these commits: nothing before them was posted by it."""
        return self.group.endswith(SHADOWS) or any(is_shadows(place.metadata) for place in self.offsets)

    @property
    def commits(self) -> dict[Partition, Commit]:
        """What it says, with the maps that fit."""
        return {
            Partition(place.topic, place.partition): Commit(place.offset, _fitting(place)) for place in self.offsets
        }

    @property
    def marks(self) -> dict[Partition, list[Mark]]:
        """The records around each commit, where the file has them."""
        return {
            Partition(place.topic, place.partition): [seen.mark for seen in place.records]
            for place in self.offsets
            if place.records is not None
        }


def text_of(
    group: str,
    commits: Mapping[Partition, Commit],
    marks: Mapping[Partition, list[Mark]] | None = None,
    topics: Sequence[str] | None = None,
    exported_at: datetime | None = None,
) -> str:
    """The file's content."""
    places = [
        Place(
            topic=partition.topic,
            partition=partition.number,
            offset=commit.offset,
            metadata=commit.metadata,
            records=None if marks is None or partition not in marks else [Seen.of(each) for each in marks[partition]],
        )
        for partition, commit in sorted(commits.items())
    ]
    named = None if topics is None else list(topics)
    exported = Export(group=group, exported_at=exported_at, topics=named, offsets=places).model_dump(exclude_none=True)
    return orjson.dumps(exported, option=orjson.OPT_INDENT_2).decode()


def write(path: Path, text: str) -> None:
    """Replace the file in one step, so that a reader finds the old one or the new one. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w") as out:
            out.write(f"{text}\n")
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def read_file(source: Path) -> Export:
    """What the file says. Raises BadParameter with the field and the remedy."""
    try:
        given = Export.model_validate_json(source.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{source} cannot be read ({error.strerror})") from None
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors()[:5])
        raise typer.BadParameter(f"{where}. It must be as `connector offsets export` prints it") from None
    places: set[Partition] = set()
    for place in given.offsets:
        partition = Partition(place.topic, place.partition)
        if partition in places:
            raise typer.BadParameter(f"{partition} is there twice: take one out")
        places.add(partition)
    return given


def unanswered(error: AdminError, brokers: str = "the brokers", if_gone: str | None = None) -> typer.Exit:
    """Say what the brokers answer, and fail; where nothing was reached also what to do if they are gone."""
    typer.echo(f"{brokers} answer {error}", err=True)
    if if_gone is not None and error.is_unreached:
        typer.echo(f"if they are gone: {if_gone}", err=True)
    return typer.Exit(1)


def _fitting(place: Place) -> str:
    """The map, if it is one of this very offset: any other would be ignored by its reader."""
    found = read(place.metadata) if place.metadata else "foreign"
    return "" if isinstance(found, str) or found.base != place.offset else place.metadata
