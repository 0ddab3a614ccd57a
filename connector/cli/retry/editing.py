"""`connector retry expedite` and `drop`: waiting copies made due now, or taken out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping

import typer

from connector.cli.dlq import options
from connector.cli.dlq.listing import decoded
from connector.cli.dlq.redrive import Yes
from connector.cli.dlq.view import event_view, time_text
from connector.cli.loading import load_of_deliveries
from connector.cli.options import AsJson, ConfigFile
from connector.cli.retry.moving import Moved, Wanted, members, move, plan, transactional_id
from connector.cli.today import Judge
from connector.config.settings import Settings
from connector.core.letters.retry import WHY_NOT
from connector.core.redact import scrub
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError


def expedite(
    file: ConfigFile,
    topic: options.RetryTopic = None,
    classes: options.Classes = [],  # noqa: B006 - typer's way of "none given"
    vendor_codes: options.VendorCodes = [],  # noqa: B006 - typer's way of "none given"
    service_ids: options.ServiceIds = [],  # noqa: B006 - typer's way of "none given"
    since: options.Since = None,
    until: options.Until = None,
    event_id: options.EventId = None,
    phone: options.Phone = None,
    message: options.Message = None,
    possible_duplicates: options.OnlyPossibleDuplicates = False,
    yes: Yes = False,
    reveal: options.Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Make copies that wait in the retry topic due now. Without --yes: what it would do.

    While no connector runs: it refuses while the group has members. The partitions concerned are written anew, what is
    due first, each in one transaction with the group's commit behind the old ones. Whatever becomes of this process,
    nothing is lost and nothing is posted for it twice: run the same command again to go on.

    Exit codes: 0 done · 1 a connector runs, the brokers refused, or it was stopped before the end · 2 usage or
    configuration.
    """
    given = options.Given(
        classes, vendor_codes, service_ids, since, until, event_id, phone, message, possible_duplicates
    )
    _run(file, topic, given, expedite=True, yes=yes, reveal=reveal, as_json=as_json)


def drop(
    file: ConfigFile,
    topic: options.RetryTopic = None,
    classes: options.Classes = [],  # noqa: B006 - typer's way of "none given"
    vendor_codes: options.VendorCodes = [],  # noqa: B006 - typer's way of "none given"
    service_ids: options.ServiceIds = [],  # noqa: B006 - typer's way of "none given"
    since: options.Since = None,
    until: options.Until = None,
    event_id: options.EventId = None,
    phone: options.Phone = None,
    message: options.Message = None,
    possible_duplicates: options.OnlyPossibleDuplicates = False,
    yes: Yes = False,
    reveal: options.Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Take copies that wait in the retry topic out of it, as dead letters of class operator_dropped. Without --yes:
    what it would do.

    While no connector runs: it refuses while the group has members. The partitions concerned are written anew without
    them, each in one transaction with the dead letters and the group's commit behind the old ones. Whatever becomes of
    this process, nothing is lost and nothing is posted for it twice: run the same command again to go on.

    Exit codes: 0 done · 1 a connector runs, the brokers refused, or it was stopped before the end · 2 usage or
    configuration.
    """
    given = options.Given(
        classes, vendor_codes, service_ids, since, until, event_id, phone, message, possible_duplicates
    )
    _run(file, topic, given, expedite=False, yes=yes, reveal=reveal, as_json=as_json)


def _run(
    file: ConfigFile,
    topic: str | None,
    given: options.Given,
    *,
    expedite: bool,
    yes: bool,
    reveal: bool,
    as_json: bool,
) -> None:
    settings = load_of_deliveries(file, os.environ)
    topics = settings.kafka.topics
    name = topic or topics.retry
    if name not in (topics.retry, *topics.retry_also):
        raise typer.BadParameter(f"{name} is no retry topic of these settings")
    wanted = Wanted(name, given.filters(SystemClock().now_ms()), expedite)
    try:
        present = members(settings)
        if yes and present:
            typer.echo(
                f"group {settings.kafka.group_id} has {present} members: stop them all first (scale to 0). "
                "One that was killed counts until its session is over",
                err=True,
            )
            raise typer.Exit(1)
        with Judge(settings) as judge:
            moved = move(settings, judge, wanted) if yes else Moved(plan(settings, judge, wanted), [], stopped=False)
            if as_json:
                typer.echo(json.dumps(_document(moved, wanted, judge, present, yes, reveal), indent=2, default=str))
            else:
                for text in _lines(settings, moved, wanted, judge, present, yes, reveal):
                    typer.echo(text)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        if yes:
            typer.echo("each partition is as it was, or done: run the same command again to go on", err=True)
        raise typer.Exit(1) from None
    if moved.stopped:
        typer.echo("stopped before the end: run the same command again to go on", err=True)
        raise typer.Exit(1)


def _lines(
    settings: Settings, moved: Moved, wanted: Wanted, judge: Judge, present: int, yes: bool, reveal: bool
) -> Iterator[str]:
    found = moved.plan
    if moved.stopped and not found.parts:
        yield "nothing was chosen yet, and nothing was written"
        return
    verb = "made due now" if wanted.expedite else f"dropped to {settings.kafka.topics.dead_letter}"
    count = sum(len(found.parts[each].taken) for each in moved.done) if yes else found.taken.total()
    yield f"{count:,} of {found.waiting:,} copies that wait in {wanted.topic} {'' if yes else 'would be '}{verb}"
    if not moved.stopped:
        yield from (f"  {number:>9,}  {scrub(code)}" for code, number in found.taken.most_common())
    if found.stays:
        yield f"{found.stays.total():,} that fit stay as they are"
        yield from (f"  {number:>9,}  {why}: {WHY_NOT[why]}" for why, number in found.stays.most_common())
    if found.rewritten and not moved.stopped:
        also = "were" if yes else "would be"
        yield f"{found.rewritten:,} others of the same partitions {also} written anew, as they are"
    if yes:
        return
    for listed in found.samples:
        record = listed.letter.record
        event = event_view(decoded(listed, judge).fields or {}, reveal)
        place = f"{record.partition.number}:{record.offset}"
        due = time_text(listed.letter.due_ms)
        yield f"such as {place}: event {event.get('eventId')} to {event.get('phoneNumber')}, due {due}"
    if present:
        yield f"group {settings.kafka.group_id} has {present} members: stop them all before you say --yes"
    yield f"nothing was written; --yes does it, in transactions of the id {transactional_id(settings)}"


def _document(
    moved: Moved, wanted: Wanted, judge: Judge, present: int, yes: bool, reveal: bool
) -> Mapping[str, object]:
    found = moved.plan
    return {
        "topic": wanted.topic,
        "dry_run": not yes,
        "stopped": moved.stopped,
        "members": present,
        "waiting": found.waiting,
        "expedited" if wanted.expedite else "dropped": dict(found.taken.most_common()),
        "stays": dict(found.stays.most_common()),
        "rewritten": found.rewritten,
        "partitions": {
            str(each): {"taken": len(found.parts[each].taken), "done": each in moved.done} for each in found.touched
        },
        "samples": [
            {
                "partition": listed.letter.record.partition.number,
                "offset": listed.letter.record.offset,
                "due_ms": listed.letter.due_ms,
                "event": event_view(decoded(listed, judge).fields or {}, reveal),
            }
            for listed in found.samples
        ],
    }
