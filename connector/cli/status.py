"""`connector status`: what a group has committed, what it has settled ahead of that, and how far it lags."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from connector.cli.loading import load_without_password
from connector.cli.options import ConfigFile
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.record import Partition
from connector.core.settled_map import LogIdentity, Run, decode
from connector.core.signals import Commit
from connector.edge.kafka_admin import AdminError
from connector.edge.kafka_groups import Extent, KafkaGroups
from connector.edge.kafka_identity import LogIdentities

GroupName = Annotated[str, typer.Option("--group", "-g", metavar="NAME", help="Another group than kafka.group_id.")]
"""The group to look at."""

_WHY_IGNORED = {
    "foreign": "another program's metadata, ignored",
    "damaged": "a damaged map, ignored",
    "base": "a map of another commit, ignored",
    "unidentified": "a map; which log it is of cannot be told now",
    "cluster": "a map of another cluster, ignored",
    "topic": "a map of a topic that was created anew since, ignored",
    "end": "a map beyond the log's end, ignored",
}


class Row(NamedTuple):
    """One partition. `committed` None: nothing yet. `extent` None: there is no such partition any more."""

    partition: Partition
    committed: Commit | None
    extent: Extent | None
    ahead: tuple[Run, ...] | str

    @property
    def lag(self) -> int | None:
        """Offsets from the commit, or from the log's first, to its end; settled ones ahead included."""
        if self.extent is None:
            return None
        first, end = self.extent
        return max(0, end - (first if self.committed is None else max(first, self.committed.offset)))


def status(file: ConfigFile, group: GroupName = "") -> None:
    """Show every partition of the main and retry topics: committed offset, what is settled ahead of it, and lag.

    Joins no group and changes nothing. Exit code 1 when the brokers cannot be asked.
    """
    settings = load_without_password(file, os.environ)
    name = group or settings.kafka.group_id
    properties = kafka_properties(settings.kafka)
    try:
        groups = KafkaGroups(properties)
        found = groups.group(name)
        rows = list(_rows(groups, LogIdentities(properties), name, settings))
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    state = "not known to the brokers" if found is None else f"{found.state.lower()}, {found.members} members"
    typer.echo(f"group {name}: {state}")
    Console().print(_table(rows))


def _rows(groups: KafkaGroups, identities: LogIdentities, name: str, settings: Settings) -> Iterable[Row]:
    committed = groups.committed(name)
    partitions = sorted({*committed, *_partitions(groups, settings.kafka.topics.read)})
    extents = groups.extents(partitions)
    with_map = [each for each in partitions if each in committed and committed[each].metadata]
    if with_map:
        identities.ask(with_map[0].topic)
    logs = {each: log.identity for each, log in identities.of(with_map, urgent=True).items()}
    for each in partitions:
        commit, extent = committed.get(each), extents.get(each)
        yield Row(each, commit, extent, _ahead(each, commit, extent, logs))


def _partitions(groups: KafkaGroups, topics: Iterable[str]) -> Iterable[Partition]:
    for name in topics:
        if (topic := groups.topic(name)) is not None:
            yield from (Partition(name, number) for number in range(topic.partitions))


def _ahead(
    partition: Partition, commit: Commit | None, extent: Extent | None, logs: Mapping[Partition, LogIdentity]
) -> tuple[Run, ...] | str:
    if commit is None:
        return ()
    end = None if extent is None else extent.end
    return decode(commit.metadata, commit.offset, logs.get(partition), end)


def _table(rows: Iterable[Row]) -> Table:
    table = Table("partition", "committed", "log", "lag", "settled ahead of the commit")
    for row in rows:
        table.add_row(
            str(row.partition),
            "none" if row.committed is None else str(row.committed.offset),
            "gone" if row.extent is None else f"{row.extent.first} to {row.extent.end}",
            "" if row.lag is None else str(row.lag),
            _shown(row.ahead),
        )
    return table


def _shown(ahead: tuple[Run, ...] | str) -> str:
    if isinstance(ahead, str):
        return _WHY_IGNORED[ahead]
    if not ahead:
        return "nothing"
    offsets = sum(run.last - run.first + 1 for run in ahead)
    return f"{offsets} offsets in {len(ahead)} runs, {ahead[0].first} to {ahead[-1].last}"
