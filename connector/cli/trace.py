"""`connector trace`: one event over main, retry, dead-letter and ledger topics, as a timeline."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import typer

from connector.cli.dlq import options
from connector.cli.dlq.view import event_view, time_text
from connector.cli.loading import load_without_password, refuse_shadow
from connector.cli.options import AsJson, ConfigFile
from connector.cli.today import Judge
from connector.cli.tracing import Found, Search, Searched
from connector.core.letters.story import Story, story
from connector.core.redact import scrub
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError

Fields = Mapping[str, object]
_Stories = Sequence[tuple[Found, Story]]


def trace(
    file: ConfigFile,
    event_id: Annotated[str | None, typer.Argument(metavar="EVENT_ID", help="The event's id.")] = None,
    phone: options.Phone = None,
    request_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="The X-Request-Id of an attempt at it; of an accepted one where the ledger is on."
        ),
    ] = None,
    since: options.Since = None,
    all_groups: Annotated[
        bool, typer.Option("--all-groups", help="Tell of all that the ledger has, whichever group it is of.")
    ] = False,
    reveal: options.Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Tell the story of an event: when it was produced, each attempt that failed, where it is now.

    Reads main, retry and dead-letter topics whole, or --since a time, and joins no group; and the ledger's topic where
    `ledger` is on, which tells of accepted posts too, by kafka.group_id unless --all-groups. Without it the `accepted`
    line of the log does. Exit code 1 when nothing is found or the brokers cannot be asked.
    """
    if sum(given is not None for given in (event_id, phone, request_id)) != 1:
        raise typer.BadParameter("say an event id, --phone or --request-id, and one of them only")
    settings = load_without_password(file, os.environ)
    if settings.ledger is None:
        refuse_shadow(settings, "without the section ledger it leaves nothing to trace")
    since_ms = options.time_ms(since, SystemClock().now_ms())
    searched: list[Searched] = []
    try:
        with Judge(settings) as judge:
            search = Search(settings, judge, since_ms, searched, all_groups=all_groups)
            ids = {event_id} if event_id is not None else None
            if request_id is not None:
                ids = search.ids_of(request_id)
            found = [] if ids == set() else search.events(ids, phone)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    stories = [(event, story(event.seen, event.told, settings.kafka.group_id)) for event in found]
    others, has_ledger = sorted(search.other_groups), settings.ledger is not None
    if as_json:
        document = _document(stories, searched, others, reveal, has_ledger=has_ledger)
        typer.echo(json.dumps(document, indent=2, default=str))
    else:
        for text in (*_lines(stories, reveal, has_ledger=has_ledger), *_seen(searched, others, has_ledger=has_ledger)):
            typer.echo(text)
    if not found:
        raise typer.Exit(1)


def _lines(stories: _Stories, reveal: bool, *, has_ledger: bool) -> Iterator[str]:
    for event, told in stories:
        view = _view(event, reveal)
        who = f"to {view.get('phoneNumber', '?')}, service {view.get('serviceId', '?')}"
        yield f"event {view.get('eventId', 'that cannot be decoded')} {who}"
        for step in told.steps:
            yield f"  {time_text(step.time_ms)}  {step.partition} offset {step.offset}: {scrub_ids(step.text, told)}"
        yield from (f"  now: {text}" for text in told.now)
        yield f"  posts that failed, as {'copies and ledger tell' if has_ledger else 'its copies tell'}: {told.posts}"
        if has_ledger:
            yield f"  posts that were accepted, as the ledger tells: {told.accepted}"
        yield from _for_support(told, view)
        yield ""
    if not stories:
        yield "nothing was found"


def _seen(searched: list[Searched], others: list[str], *, has_ledger: bool) -> Iterator[str]:
    """What was looked at, and what nobody can see there."""
    yield from map(_searched, searched)
    if has_ledger:
        yield "not seen: what was settled while the ledger was off, and what was left out of it"
    else:
        yield "not seen: accepted posts, which leave no record in Kafka; the log's `accepted` lines have them"
    if others:
        yield f"not shown: what the ledger has of this for {', '.join(others)} (--all-groups)"


def _searched(topic: Searched) -> str:
    if topic.offsets is None:
        return f"there is no topic {topic.topic}"
    deleted = f"; {topic.deleted:,} before them were deleted" if topic.deleted else ""
    waiting = f"; {topic.waiting:,} wait for the end of an open transaction" if topic.waiting else ""
    return f"searched {topic.topic}: {topic.offsets:,} offsets{deleted}{waiting}"


def scrub_ids(text: str, told: Story) -> str:
    """Texts of the vendor are shown as they are where they are ids of requests; whatever else is a number is not."""
    for request_id in told.request_ids:
        before, mark, after = text.partition(request_id)
        if mark:
            return f"{scrub(before)}{request_id}{scrub(after)}"
    return scrub(text)


def _for_support(told: Story, view: Mapping[str, object]) -> Iterator[str]:
    if told.request_ids:
        ids = ", ".join(told.request_ids)
        yield f"  to the vendor's support: service id {view.get('serviceId', '?')}, X-Request-Id {ids}"


def _view(event: Found, reveal: bool) -> dict[str, object]:
    """The event's fields, or what the ledger has of them; empty where nothing is known."""
    if event.fields is not None:
        return event_view(event.fields, reveal)
    return {"eventId": event.event_id, "serviceId": event.service_id or "?"} if event.told else {}


def _document(
    stories: _Stories, searched: list[Searched], others: list[str], reveal: bool, *, has_ledger: bool
) -> Mapping[str, object]:
    events = []
    for event, told in stories:
        events.append(
            {
                "event": _view(event, reveal) or None,
                "steps": [
                    {
                        "time_ms": step.time_ms,
                        "topic": step.partition.topic,
                        "partition": step.partition.number,
                        "offset": step.offset,
                        "text": scrub_ids(step.text, told),
                    }
                    for step in told.steps
                ],
                "now": list(told.now),
                "failed_posts": told.posts,
                "accepted_posts": told.accepted if has_ledger else None,
                "request_ids": list(told.request_ids),
            }
        )
    return {"events": events, "searched": [topic._asdict() for topic in searched], "other_groups": others}
