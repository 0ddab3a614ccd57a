"""`connector dlq redrive`: letters back to the main topic, as the records that they were."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from connector.cli.dlq import options
from connector.cli.dlq.moving import Moved, group_of, move, plan
from connector.cli.dlq.plan import Going, Wanted
from connector.cli.dlq.view import changed_view, event_view
from connector.cli.loading import load_of_deliveries
from connector.cli.options import AsJson, ConfigFile
from connector.cli.today import Judge
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.config.units import parse_duration
from connector.core.letters.patch import Patch
from connector.core.letters.redrive import UNLIKELY, WHY_STAYS, RedriveRules
from connector.core.letters.retry import OPERATOR_DROPPED
from connector.core.redact import scrub
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.scan import partitions_of

To = Annotated[str | None, typer.Option(metavar="TOPIC", help="Another topic than kafka.topics.main.")]
Include = Annotated[
    list[str],
    typer.Option(
        "--include", metavar="REASON", help="Take those along too that would stay for this reason; may be repeated."
    ),
]
IncludePossibleDuplicates = Annotated[
    bool,
    typer.Option("--include-possible-duplicates", help="Take those along that may have been delivered: texted twice."),
]
MaxRedrives = Annotated[int, typer.Option(min=1, max=100, help="Leave those that were redriven so often before.")]
Rate = Annotated[float, typer.Option(min=0.1, max=1_000_000, help="Letters a second, at most.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this, only say what would be done.")]


def redrive(
    file: ConfigFile,
    topic: options.Topic = None,
    to: To = None,
    classes: options.Classes = [],  # noqa: B006 - typer's way of "none given"
    vendor_codes: options.VendorCodes = [],  # noqa: B006 - typer's way of "none given"
    service_ids: options.ServiceIds = [],  # noqa: B006 - typer's way of "none given"
    since: options.Since = None,
    until: options.Until = None,
    event_id: options.EventId = None,
    phone: options.Phone = None,
    message: options.Message = None,
    possible_duplicates: options.OnlyPossibleDuplicates = False,
    include: Include = [],  # noqa: B006 - typer's way of "none given"
    include_possible_duplicates: IncludePossibleDuplicates = False,
    new_expiry: Annotated[
        str | None, typer.Option(metavar="TIME", help="Let expired ones live so long from now on, such as 2h.")
    ] = None,
    max_redrives: MaxRedrives = 3,
    rate: Rate = 1000,
    yes: Yes = False,
    reveal: options.Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Write letters to the main topic again, with their key, value and headers. Without --yes: what it would do.

    Decodes and builds each one first: what would be refused again today stays. What was redriven is never redriven a
    second time, whatever becomes of this process in between: run the same command again to go on.

    Exit codes: 0 done · 1 the brokers refused, or it was stopped before the end · 2 usage or configuration.
    """
    settings = load_of_deliveries(file, os.environ)
    given = options.Given(
        classes, vendor_codes, service_ids, since, until, event_id, phone, message, possible_duplicates
    )
    wanted = Wanted(
        given.filters(SystemClock().now_ms()),
        RedriveRules(reasons(include), include_possible_duplicates, max_redrives),
        to or settings.kafka.topics.main,
        0,
        new_expiry=None if new_expiry is None else Patch(expires_in_ms=_ms(new_expiry)),
    )
    run(settings, topic, wanted, rate, yes=yes, reveal=reveal, as_json=as_json)


def run(
    settings: Settings,
    topic: str | None,
    wanted: Wanted,
    rate: float,
    *,
    yes: bool,
    reveal: bool,
    as_json: bool,
) -> None:
    """Plan or do it, and print what came of it."""
    source = topic or settings.kafka.topics.dead_letter
    if wanted.target in (source, settings.kafka.topics.retry, *settings.kafka.topics.retry_also):
        raise typer.BadParameter(f"{wanted.target} is no topic to redrive to: it holds copies")
    try:
        wanted = wanted._replace(partitions=partitions_of(kafka_properties(settings.kafka), wanted.target))
        with Judge(settings) as judge:
            if yes:
                moved = move(settings, judge, wanted, source, rate, lambda text: typer.echo(text, err=True))
            else:
                moved = plan(settings, judge, wanted, source)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        if yes:
            typer.echo("what was redriven is marked: run the same command again to go on", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(_document(moved, source, wanted, yes, reveal), indent=2, default=str))
    else:
        for text in _lines(settings, moved, source, wanted, yes, reveal):
            typer.echo(text)
    if moved.stopped:
        typer.echo("stopped before the end: run the same command again to go on", err=True)
        raise typer.Exit(1)


def _lines(settings: Settings, moved: Moved, source: str, wanted: Wanted, yes: bool, reveal: bool) -> Iterator[str]:
    outcome = moved.outcome
    done = "redriven" if yes else "would be redriven"
    yield f"{outcome.going.total():,} letters of {source} {done} to {wanted.target}"
    yield from (f"  {number:>9,}  {scrub(code)}" for code, number in outcome.going.most_common())
    if outcome.changed:
        yield f"changed: {', '.join(f'{name} of {number:,}' for name, number in outcome.changed.most_common())}"
    if outcome.refused:
        yield f"{outcome.refused.total():,} stay: they would be refused again today"
        yield from (f"  {number:>9,}  {code}" for code, number in outcome.refused.most_common())
    if outcome.stays:
        yield f"{outcome.stays.total():,} stay for another reason"
        yield from (f"  {number:>9,}  {why}: {WHY_STAYS[why]}" for why, number in outcome.stays.most_common())
    if moved.waiting:
        yield f"{moved.waiting:,} offsets wait for the end of an open transaction, and were not read"
    if yes:
        return
    for going in outcome.samples:
        yield from _sample(going, reveal)
    yield f"nothing was written; --yes does it, as group {group_of(settings)}"


def _sample(going: Going, reveal: bool) -> Iterator[str]:
    record = going.letter.record
    place = f"{record.partition.number}:{record.offset}"
    event = event_view(going.today.fields or {}, reveal)
    yield f"such as {place}: event {event.get('eventId')} to {event.get('phoneNumber')}"
    for name, (before, after) in going.changes.items():
        yield f"  - {name}: {changed_view(name, before, reveal)}"
        yield f"  + {name}: {changed_view(name, after, reveal)}"


def _document(moved: Moved, source: str, wanted: Wanted, yes: bool, reveal: bool) -> Mapping[str, object]:
    outcome = moved.outcome
    return {
        "from": source,
        "to": wanted.target,
        "dry_run": not yes,
        "stopped": moved.stopped,
        "without_transactions": moved.without_transactions,
        "redriven": dict(outcome.going.most_common()),
        "refused_today": dict(outcome.refused.most_common()),
        "stays": dict(outcome.stays.most_common()),
        "changed": dict(outcome.changed.most_common()),
        "behind_open_transactions": moved.waiting,
        "samples": [
            {
                "partition": going.letter.record.partition.number,
                "offset": going.letter.record.offset,
                "event": event_view(going.today.fields or {}, reveal),
                "changes": {
                    name: [changed_view(name, each, reveal) for each in change]
                    for name, change in going.changes.items()
                },
            }
            for going in outcome.samples
        ],
    }


def reasons(include: list[str]) -> frozenset[str]:
    """Raises typer.BadParameter for what no letter stays for."""
    possible = {*UNLIKELY, OPERATOR_DROPPED, "headers_dropped", "redriven_before"}
    for each in include:
        if each not in possible:
            raise typer.BadParameter(f"--include takes {', '.join(sorted(possible))}, and not {each}")
    return frozenset(include)


def _ms(text: str) -> int:
    try:
        return round(parse_duration(text) * 1000)
    except ValueError as error:
        raise typer.BadParameter(f"--new-expiry {error}") from None
