"""`connector status`: what a group has committed, what it has settled ahead of that, and how far it lags."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from connector.cli.loading import load_without_password
from connector.cli.options import AsJson, ConfigFile
from connector.config.client import kafka_properties
from connector.core.record import Partition
from connector.core.settled_map import Run, decode, without_shadow
from connector.core.signals import Commit
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.bounds import Bounds
from connector.edge.kafka.groups import Group, KafkaGroups
from connector.edge.kafka.identity import LogIdentities

GroupName = Annotated[str, typer.Option("--group", "-g", metavar="NAME", help="Another group than kafka.group_id.")]
"""The group to look at."""

UNKNOWN, GONE, MISSING = "?", "gone", "missing"
"""What is shown for what is not known now, for a partition that is no more, and for a topic that is not there."""

_WHY_IGNORED = {
    "foreign": "another program's metadata, ignored",
    "damaged": "a damaged map, ignored",
    "base": "a map of another commit, ignored",
    "unidentified": "a map; which log it is of cannot be told now",
    "cluster": "a commit of another cluster, translated",
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


def status(file: ConfigFile, group: GroupName = "", as_json: AsJson = False) -> None:
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
        partitions, unread = _partitions(groups, settings.read_topics)
        rows = list(_rows(groups, LogIdentities(properties), name, partitions))
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    for topic, why in unread.items():
        typer.echo(
            f"there is no topic {topic}" if why == MISSING else f"topic {topic}: the brokers answer {why}", err=True
        )
    if as_json:
        typer.echo(_document(name, found, rows, unread))
        return
    state = "not known to the brokers" if found is None else f"{found.state.lower()}, {found.members} members"
    typer.echo(f"group {name}: {state}")
    Console().print(_table(rows))
    for row in rows:
        if not isinstance(row.log, str) and row.log.behind_transaction:
            typer.echo(f"{row.partition}: {_behind(row.log)}")
        if row.unknown:
            typer.echo(f"{row.partition}: not known now ({', '.join(sorted(row.unknown))})")


def _rows(
    groups: KafkaGroups, identities: LogIdentities, name: str, partitions: Collection[Partition]
) -> Iterable[Row]:
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
            decode(without_shadow(commit.metadata), commit.offset, logs.get(each), bounds and bounds.end)
            if isinstance(commit, Commit)
            else ()
        )
        yield Row(each, commit, bounds or told.unknown.get(each, GONE), ahead)


def _metadata(commit: Commit | str | None) -> str:
    return commit.metadata if isinstance(commit, Commit) else ""


def _partitions(groups: KafkaGroups, topics: Iterable[str]) -> tuple[list[Partition], dict[str, str]]:
    """The partitions of these topics, and why there are none of some."""
    partitions: list[Partition] = []
    unread: dict[str, str] = {}
    for name in topics:
        try:
            topic = groups.topic(name)
        except AdminError as error:
            unread[name] = str(error)
            continue
        if topic is None:
            unread[name] = MISSING
            continue
        partitions += (Partition(name, number) for number in range(topic.partitions))
    return sorted(partitions), unread


def _document(name: str, group: Group | None, rows: Iterable[Row], unread: Mapping[str, str]) -> str:
    content = {
        "group": {
            "name": name,
            "state": None if group is None else group.state.lower(),
            "members": 0 if group is None else group.members,
        },
        "partitions": [_shown_as_json(row) for row in rows],
        "unread_topics": unread,
    }
    return json.dumps(content, indent=2)


def _shown_as_json(row: Row) -> Mapping[str, object]:
    log = None if isinstance(row.log, str) else row.log
    runs = () if isinstance(row.ahead, str) else row.ahead
    return {
        "topic": row.partition.topic,
        "partition": row.partition.number,
        "committed": row.committed.offset if isinstance(row.committed, Commit) else None,
        "log_start": None if log is None else log.start,
        "log_end": None if log is None else log.end,
        "lag": row.lag,
        "settled_ahead": None if isinstance(row.committed, str) else sum(run.last - run.first + 1 for run in runs),
        "settled_runs": [[run.first, run.last] for run in runs],
        "map_ignored": row.ahead if isinstance(row.ahead, str) else None,
        "gone": row.log == GONE,
        "unknown": sorted(row.unknown),
    }


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
