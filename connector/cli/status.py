"""`connector status`: what a group has committed, what it has settled ahead of that, and how far it lags."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from connector.cli.loading import load_without_password
from connector.cli.options import ConfigFile
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.record import Partition
from connector.core.settled_map import Run, decode
from connector.core.signals import Commit
from connector.edge.kafka_admin import AdminError
from connector.edge.kafka_bounds import Bounds
from connector.edge.kafka_groups import KafkaGroups
from connector.edge.kafka_identity import LogIdentities

GroupName = Annotated[str, typer.Option("--group", "-g", metavar="NAME", help="Another group than kafka.group_id.")]
"""The group to look at."""

UNKNOWN, GONE = "?", "gone"
"""What is shown for what is not known now, and for a partition that is no more."""

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
    """One partition. `committed` None: nothing yet; a text: the error for which it is not known. `log` likewise, and
    `gone` when there is no such partition any more."""

    partition: Partition
    committed: Commit | str | None
    log: Bounds | str
    ahead: tuple[Run, ...] | str

    @property
    def lag(self) -> int | None:
        """Offsets that can be read from the commit, or from the log's first, settled ones ahead included; None:
        unknown."""
        if isinstance(self.log, str) or isinstance(self.committed, str):
            return None
        return self.log.lag(0 if self.committed is None else self.committed.offset)

    @property
    def unknown(self) -> frozenset[str]:
        """The names of the errors for which something of this row is not known."""
        return frozenset(text for text in (self.committed, self.log) if isinstance(text, str)) - {GONE}


def status(file: ConfigFile, group: GroupName = "") -> None:
    """Show every partition of the main and retry topics: committed offset, what is settled ahead of it, and lag.

    What the brokers do not tell of a partition is shown as ?. Joins no group and changes nothing. Exit code 1 when the
    brokers cannot be asked.
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
    for row in rows:
        if not isinstance(row.log, str) and row.log.behind_transaction:
            typer.echo(f"{row.partition}: {_behind(row.log)}")
        if row.unknown:
            typer.echo(f"{row.partition}: not known now ({', '.join(sorted(row.unknown))})")


def _rows(groups: KafkaGroups, identities: LogIdentities, name: str, settings: Settings) -> Iterable[Row]:
    partitions = sorted(_partitions(groups, settings.kafka.topics.read))
    committed, told = groups.committed(name, partitions), groups.look(partitions)
    # Of a log whose end is not known nobody can say whether a map is of it, however long one asks.
    with_map = [each for each in told.bounds if _metadata(committed.get(each))]
    if with_map:
        identities.ask(with_map[0].topic)
    logs = {each: log.identity for each, log in identities.of(with_map, urgent=with_map).items()}
    for each in partitions:
        commit = committed.get(each)
        bounds = told.bounds.get(each)
        ahead = (
            decode(commit.metadata, commit.offset, logs.get(each), None if bounds is None else bounds.end)
            if isinstance(commit, Commit)
            else ()
        )
        yield Row(each, commit, bounds or told.unknown.get(each, GONE), ahead)


def _metadata(commit: Commit | str | None) -> str:
    return commit.metadata if isinstance(commit, Commit) else ""


def _partitions(groups: KafkaGroups, topics: Iterable[str]) -> Iterable[Partition]:
    for name in topics:
        try:
            topic = groups.topic(name)
        except AdminError as error:
            typer.echo(f"topic {name}: the brokers answer {error}", err=True)
            continue
        if topic is None:
            typer.echo(f"there is no topic {name}", err=True)
            continue
        yield from (Partition(name, number) for number in range(topic.partitions))


def _behind(log: Bounds) -> str:
    return f"{log.behind_transaction} offsets from {log.readable} on wait for the end of an open transaction"


def _table(rows: Iterable[Row]) -> Table:
    table = Table("partition", "committed", "log", "lag", "settled ahead of the commit")
    for row in rows:
        table.add_row(
            str(row.partition),
            _offset(row.committed),
            _log(row.log),
            UNKNOWN if row.lag is None else str(row.lag),
            UNKNOWN if isinstance(row.committed, str) else _shown(row.ahead),
        )
    return table


def _offset(committed: Commit | str | None) -> str:
    if isinstance(committed, str):
        return UNKNOWN
    return "none" if committed is None else str(committed.offset)


def _log(log: Bounds | str) -> str:
    if isinstance(log, str):
        return GONE if log == GONE else UNKNOWN
    return f"{log.start} to {log.end}"


def _shown(ahead: tuple[Run, ...] | str) -> str:
    if isinstance(ahead, str):
        return _WHY_IGNORED[ahead]
    if not ahead:
        return "nothing"
    offsets = sum(run.last - run.first + 1 for run in ahead)
    return f"{offsets} offsets in {len(ahead)} runs, {ahead[0].first} to {ahead[-1].last}"
