"""`connector offsets translate`: a group goes on in another cluster where it stopped in this one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from connector.cli.loading import load_of_deliveries
from connector.cli.offsets.files import read_file, unanswered
from connector.cli.offsets.sources import FileSource, LiveSource, Source
from connector.cli.offsets.translation import Left, Refused, Target, Translated, translated
from connector.cli.options import AsJson
from connector.config.kafka import Kafka
from connector.core.pauses import parse_target
from connector.core.record import Partition
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError

_IF_GONE = (
    "--exported FILE, which `connector offsets export --with-records` wrote, or the mirrored ledger where it was on "
    "(docs/operations.md, The other data centre)"
)
_Results = Mapping[Partition, Translated | Left | Refused]


def translate(
    target_file: Annotated[Path, typer.Option("--to", metavar="FILE", help="Settings of the connector at the target.")],
    source_file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Settings of the connector at the source.")
    ] = None,
    exported: Annotated[
        Path | None,
        typer.Option("--exported", metavar="FILE", help="Instead of --from: `offsets export --with-records` wrote it."),
    ] = None,
    leave: Annotated[
        list[str],
        typer.Option(
            "--leave",
            metavar="TOPIC:PARTITION",
            help="Set nothing for this partition of the target, and go on with the others. Repeatable.",
        ),
    ] = [],  # noqa: B006 - typer's way of "none given"
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this, only say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Commit for the group at the target, whose topics are mirrors, what it has settled at the source.

    Finds for each partition the first record at the target that is not settled at the source by comparing the records
    themselves, and carries over the map of what is settled ahead. Both groups must be stopped. Topics are taken in
    pairs: main, retry, retry_also. Exit code 1, with nothing done, when a partition's records do not match, a group
    has members, or brokers refuse.
    """
    if (source_file is None) == (exported is None):
        raise typer.BadParameter("name one of --from and --exported", param_hint="--from")
    left = [_partition(text) for text in leave]
    to = load_of_deliveries(target_file, os.environ).kafka
    try:
        with _source(source_file, exported) as source:
            places = _places(source, to)
            for unknown in {*left} - {*places.values()}:
                raise typer.BadParameter(f"{unknown} is no partition that is translated", param_hint="--leave")
            with _target(to, [each for each in places.values() if each not in left], left) as target:
                results = {place: translated(source, origin, target, place) for origin, place in places.items()}
                origins = {place: origin for origin, place in places.items()}
                problem = _problem(results, {"source": source.unrest(), "target": target.unrest()})
                done = yes and problem is None
                if done:
                    commits = {place: each.commit for place, each in results.items() if isinstance(each, Translated)}
                    if commits:
                        target.groups.set(target.group, commits)
    except AdminError as error:
        raise unanswered(error) from None
    if as_json:
        typer.echo(_document(source, target.group, results, origins, done=done, problem=problem))
    else:
        for text in _lines(source, results, origins):
            typer.echo(text)
        typer.echo(_total(results, source.exported_at))
    if problem is not None:
        typer.echo(f"{problem}; nothing was done", err=True)
        raise typer.Exit(1)
    if not as_json:
        count = sum(isinstance(each, Translated) for each in results.values())
        typer.echo(f"group {target.group}: {count} offsets set" if done else "nothing was done; --yes does it")


def _partition(text: str) -> Partition:
    try:
        named = parse_target(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--leave") from None
    if named.number < 0:
        raise typer.BadParameter("name a topic and a partition, such as invocations:3", param_hint="--leave")
    return Partition(named.topic, named.number)


def _source(source_file: Path | None, exported: Path | None) -> LiveSource | FileSource:
    if exported is not None:
        export = read_file(exported)
        if export.is_shadows:
            raise typer.BadParameter(
                f"{exported} was exported of a shadow's group: what lies before its commits was never posted by it"
            )
        return FileSource(exported, export)
    assert source_file is not None
    kafka = load_of_deliveries(source_file, os.environ).kafka
    try:
        return LiveSource(kafka, kafka.group_id)
    except AdminError as error:
        raise unanswered(error, "the source's brokers", _IF_GONE) from None


def _target(to: Kafka, partitions: Sequence[Partition], left: Sequence[Partition]) -> Target:
    try:
        return Target(to, partitions, left)
    except AdminError as error:
        raise unanswered(error, "the target's brokers") from None


def _places(source: Source, to: Kafka) -> dict[Partition, Partition]:
    """The source's partitions with a commit, each with its mirror."""
    if len(source.topics) != len(to.topics.read):
        raise typer.BadParameter(
            f"the source has {len(source.topics)} topics to read and the target {len(to.topics.read)}: "
            "kafka.topics.retry_also must name as many on both sides"
        )
    mirrors = dict(zip(source.topics, to.topics.read, strict=True))
    return {
        each: Partition(mirrors[each.topic], each.number) for each in sorted(source.commits) if each.topic in mirrors
    }


def _problem(results: _Results, unrest: Mapping[str, str | None]) -> str | None:
    """Why nothing may be set, if it may not."""
    for side, why in unrest.items():
        if why is not None:
            return f"the group at the {side} {why}"
    refused = [str(place) for place, each in results.items() if isinstance(each, Refused)]
    if refused:
        return (
            f"{len(refused)} of {len(results)} partitions cannot be translated: {', '.join(refused)}. "
            "--leave goes on without one"
        )
    return None if results else "nothing is committed at the source"


def _lines(source: Source, results: _Results, origins: Mapping[Partition, Partition]) -> Iterator[str]:
    for place, each in results.items():
        origin = origins[place]
        ahead = source.ahead(origin)
        there = f"{source.commits[origin].offset}{f' and {ahead} settled ahead' if ahead else ''}"
        name = str(place) if place == origin else f"{origin} → {place}"
        if isinstance(each, Translated):
            here = f"{each.commit.offset}{f' and {each.ahead} settled ahead' if each.ahead else ''}"
            yield (
                f"{name}: {there} → {here}; {each.compared} records compared; posted again: up to {each.repeats}, "
                f"with the commit that is there now up to {each.repeats_now}"
            )
        else:
            yield f"{name}: {there}: {'refused' if isinstance(each, Refused) else 'left as it is'}: {each.why}"


def _total(results: _Results, exported_at: datetime | None) -> str:
    repeats, repeats_now = _sums(results)
    text = f"posted again: up to {repeats}; with the commits that are there now up to {repeats_now}"
    if exported_at is None:
        return text
    age = SystemClock().now_ms() // 1000 - int(exported_at.timestamp())
    return (
        f"{text}. The file is {age} s old: what the source settled after {exported_at:%Y-%m-%d %H:%M:%S} UTC is not "
        "known, and is posted again"
    )


def _document(
    source: Source,
    group: str,
    results: _Results,
    origins: Mapping[Partition, Partition],
    *,
    done: bool,
    problem: str | None,
) -> str:
    repeats, repeats_now = _sums(results)
    content = {
        "group": group,
        "exported_at": None if source.exported_at is None else source.exported_at.isoformat(),
        "partitions": [_shown(source, origins[place], place, each) for place, each in results.items()],
        "repeats": repeats,
        "repeats_now": repeats_now,
        "problem": problem,
        "done": done,
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


def _shown(source: Source, origin: Partition, place: Partition, each: Translated | Left | Refused) -> dict[str, object]:
    result = each if isinstance(each, Translated) else None
    return {
        "topic": place.topic,
        "partition": place.number,
        "source_topic": origin.topic,
        "source_offset": source.commits[origin].offset,
        "source_ahead": source.ahead(origin),
        "offset": None if result is None else result.commit.offset,
        "ahead": None if result is None else result.ahead,
        "compared": None if result is None else result.compared,
        "repeats": None if result is None else result.repeats,
        "repeats_now": None if result is None else result.repeats_now,
        "refused": each.why if isinstance(each, Refused) else None,
        "left": each.why if isinstance(each, Left) else None,
    }


def _sums(results: _Results) -> tuple[int, int]:
    done = [each for each in results.values() if isinstance(each, Translated)]
    return sum(each.repeats for each in done), sum(each.repeats_now for each in done)
