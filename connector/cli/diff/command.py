"""`connector diff`: the requests of two configurations, or of two versions, over the same records."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.diff.files import LARGEST_FILE, Header, check_of, fates_of, header_of, is_ours, key_of, write
from connector.cli.diff.reading import PASSED_OVER_CODE, Ranges, fate_of, in_order, ranges_of
from connector.cli.loading import load_without_password
from connector.cli.options import ConfigFile, json_option
from connector.cli.sampling import Sample, Since, Stretch, Topic
from connector.cli.today import Judge
from connector.config.settings import Settings
from connector.core.comparison import Comparison, Difference, Fate, Kind, Placed, digests, side_by_side
from connector.edge.kafka.admin import AdminError


def diff(
    config: ConfigFile,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Other settings, or what another version left with --write."),
    ] = None,
    write_to: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Leave for another version what becomes of each; no values."),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="FILE", help="A secret of 16 bytes or more, the same for both versions."),
    ] = None,
    topic: Topic = None,
    sample: Sample = None,
    since: Since = None,
    as_json: Annotated[bool, json_option("docs/before-it-fails.md")] = False,
) -> None:
    """Make the requests of the same records twice, and say how many differ, and in which fields.

    With other settings: both read the topic of --config, so that of the others only schemas and rules count. With
    another version: `--write FILE` with the one, then `--against FILE` with the other, which reads the same offsets;
    both with the same `--key-file`.
    Joins no group, commits and posts nothing.

    Exit codes: 0 all are the same, or the file was written · 1 some differ, or the brokers cannot be asked · 2 usage or
    configuration.
    """
    if (against is None) == (write_to is None):
        raise typer.BadParameter("say --against or --write, and one of them only")
    settings = load_without_password(config, os.environ)
    name = topic or settings.kafka.topics.main
    try:
        if write_to is not None:
            _leave(settings, name, Stretch(sample, since), write_to, key_of(key_file))
            return
        assert against is not None
        if is_ours(against):
            if topic or sample or since:
                raise typer.BadParameter("the file says what to read: leave out --topic, --sample and --since")
            name, found = _with_file(settings, against, key_of(key_file))
        else:
            other = load_without_password(against, os.environ)
            found = _with_settings(settings, other, name, ranges_of(settings, name, Stretch(sample, since)))
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    names = str(config), str(against)
    typer.echo(
        json.dumps(_document(name, names, found), indent=2) if as_json else "\n".join(_lines(name, names, found))
    )
    if found.differing:
        raise typer.Exit(1)


def _leave(settings: Settings, name: str, stretch: Stretch, path: Path, key: bytes) -> None:
    if path.exists():
        raise typer.BadParameter(f"{path} is there already: name another file")
    ranges = ranges_of(settings, name, stretch)
    total = sum(end - start for start, end in ranges.values())
    if total > LARGEST_FILE:
        raise typer.BadParameter(f"{total:,} offsets are more than the {LARGEST_FILE:,} of a file: say a later --since")
    header = Header(topic=name, key_check=check_of(key), partitions=dict(ranges))
    with Judge(settings) as judge:
        try:
            count = write(path, header, _fates(settings, header, judge, key))
        except OSError as error:
            typer.echo(f"{path}: {error.strerror}", err=True)
            raise typer.Exit(1) from None
    typer.echo(f"wrote what becomes of {count:,} records of {name} to {path}")


def _fates(settings: Settings, header: Header, judge: Judge, key: bytes) -> Iterator[Placed]:
    for record in in_order(settings, header.topic, header.partitions):
        fate = fate_of(record, judge)
        values = None if fate.values is None else digests(fate.values, key)
        yield (record.partition.number, record.offset), Fate(values, fate.refused)


def _with_file(settings: Settings, path: Path, key: bytes) -> tuple[str, Comparison]:
    found = Comparison()
    with path.open("rb") as file, Judge(settings) as judge:
        header = header_of(file)
        if header.key_check != check_of(key):
            raise typer.BadParameter("--key-file: the file was written with another key")
        for place, ours, theirs in side_by_side(_fates(settings, header, judge, key), fates_of(file)):
            if ours is None or theirs is None:
                found.missing()
            else:
                found.add(place, ours, theirs)
    return header.topic, found


def _with_settings(settings: Settings, other: Settings, name: str, ranges: Ranges) -> Comparison:
    found = Comparison()
    with Judge(settings) as ours, Judge(other) as theirs:
        for record in in_order(settings, name, ranges):
            place = record.partition.number, record.offset
            found.add(place, fate_of(record, ours), fate_of(record, theirs))
    return found


def _lines(name: str, names: tuple[str, str], found: Comparison) -> Iterator[str]:
    differences = found.differences()
    only = differences[0].kind.field if len(differences) == 1 else None
    where = "" if only is None else f" in {only}"
    yield f"of {found.records:,} records of {name} {found.same:,} are the same, {found.differing:,} differ{where}"
    if found.gone:
        yield f"{found.gone:,} were there for one of the two only: retention or compaction took them in between"
    for each in differences:
        yield f"{each.records:>9,} × {_said(each.kind, names)}, such as {', '.join(_places(each))}"


def _said(kind: Kind, names: tuple[str, str]) -> str:
    if kind.field is not None:
        return kind.field
    return f"{_fate(kind.one)} with {names[0]}, {_fate(kind.other)} with {names[1]}"


def _fate(code: str | None) -> str:
    if not code:
        return "posted"
    return "passed over" if code == PASSED_OVER_CODE else f"refused as {code}"


def _places(difference: Difference) -> Iterator[str]:
    return (f"{partition}:{offset}" for partition, offset in difference.places)


def _document(name: str, names: tuple[str, str], found: Comparison) -> Mapping[str, object]:
    return {
        "topic": name,
        "config": names[0],
        "against": names[1],
        "records": found.records,
        "same": found.same,
        "differ": found.differing,
        "gone": found.gone,
        "differences": [
            {
                "field": each.kind.field,
                "config_refuses": each.kind.one or None,
                "against_refuses": each.kind.other or None,
                "records": each.records,
                "places": list(_places(each)),
            }
            for each in found.differences()
        ],
    }
