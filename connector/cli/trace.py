"""`connector trace`: one event over main, retry and dead-letter topics, as a timeline."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple

import typer

from connector.cli.dlq import options
from connector.cli.dlq.progress import Progress
from connector.cli.dlq.today import Judge
from connector.cli.dlq.view import event_view, time_text
from connector.cli.dlq.waiting import Waiting, waiting_of
from connector.cli.loading import load_without_password
from connector.cli.options import AsJson, ConfigFile
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.letters.chosen import Filters, digits
from connector.core.letters.letter import OURS, UNKNOWN, DeadLetter, letter_of
from connector.core.letters.marks import Redriven
from connector.core.letters.story import Role, Seen, Story, story
from connector.core.record import Record
from connector.core.redact import scrub
from connector.core.refusal import Refusal
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.scan import Scan

Fields = Mapping[str, object]


class Searched(NamedTuple):
    """A topic that was read: how many offsets, how many of them behind open transactions, and how many were deleted.
    `offsets` None: there is no such topic."""

    topic: str
    offsets: int | None
    waiting: int
    deleted: int


class Found(NamedTuple):
    """One event, and its records."""

    event_id: str
    fields: Fields | None
    seen: list[Seen]


def trace(
    file: ConfigFile,
    event_id: Annotated[str | None, typer.Argument(metavar="EVENT_ID", help="The event's id.")] = None,
    phone: options.Phone = None,
    request_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The X-Request-Id of a failed attempt at it.")
    ] = None,
    since: options.Since = None,
    reveal: options.Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Tell the story of an event: when it was produced, each attempt that failed, where it is now.

    Reads main, retry and dead-letter topics whole, or --since a time, and joins no group. An accepted post leaves no
    record in Kafka: the `accepted` line of the log has it. Exit code 1 when nothing is found or the brokers cannot be
    asked.
    """
    if sum(given is not None for given in (event_id, phone, request_id)) != 1:
        raise typer.BadParameter("say an event id, --phone or --request-id, and one of them only")
    settings = load_without_password(file, os.environ)
    since_ms = options.time_ms(since, SystemClock().now_ms())
    searched: list[Searched] = []
    try:
        with Judge(settings) as judge:
            search = _Search(settings, judge, since_ms, searched)
            ids = {event_id} if event_id is not None else None
            if request_id is not None:
                ids = search.ids_of(request_id)
            found = [] if ids == set() else search.events(ids, phone)
    except AdminError as error:
        typer.echo(f"the brokers answer {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(_document(found, searched, reveal), indent=2, default=str))
    else:
        for text in _lines(found, searched, reveal):
            typer.echo(text)
    if not found:
        raise typer.Exit(1)


class _Search:
    """Reads the topics of a deployment, each once for a question."""

    def __init__(self, settings: Settings, judge: Judge, since_ms: int | None, searched: list[Searched]) -> None:
        self._settings = settings
        self._judge = judge
        self._since_ms = since_ms
        self._searched = searched
        topics = settings.kafka.topics
        self._copies = dict.fromkeys((topics.retry, *topics.retry_also), Role.RETRY)
        self._copies[topics.dead_letter] = Role.DEAD_LETTER
        self._topics = {topics.main: Role.MAIN, **self._copies}

    def ids_of(self, request_id: str) -> set[str]:
        """The events of which an attempt had this X-Request-Id. Raises AdminError."""
        found: set[str] = set()
        for topic in self._copies:
            if self._waiting(topic) is None:
                continue
            with Scan(kafka_properties(self._settings.kafka), topic) as scan:
                for record in self._watched(scan, topic, None):
                    letter = letter_of(record)
                    if letter.request_id == request_id and (fields := self._fields(letter)) is not None:
                        found.add(str(fields.get("eventId")))
        self._searched.clear()
        return found

    def events(self, ids: set[str] | None, phone: str | None) -> list[Found]:
        """The events of these ids, or of a phone number, with all their records. Raises AdminError."""
        needles = [each.encode() for each in ids] if ids is not None else [digits(phone or "").encode()]
        found: dict[str, Found] = {}
        for topic, role in self._topics.items():
            waiting = self._waiting(topic)
            if waiting is None:
                continue
            redriven = Redriven()
            with Scan(kafka_properties(self._settings.kafka), topic) as scan:
                for record in self._watched(scan, topic, needles):
                    if role is Role.DEAD_LETTER and redriven.see(record):
                        continue
                    self._keep(record, role, waiting, ids, phone, found)
            for each in found.values():
                each.seen[:] = [
                    seen._replace(redriven=True) if redriven.has(seen.letter.record) else seen for seen in each.seen
                ]
        return list(found.values())

    def _waiting(self, topic: str) -> Waiting | None:
        try:
            return waiting_of(self._settings, self._settings.kafka.group_id, topic)
        except AdminError as error:
            if not error.code.startswith("unknown_topic"):
                raise
            self._searched.append(Searched(topic, None, 0, 0))
            return None

    def _keep(
        self,
        record: Record,
        role: Role,
        waiting: Waiting,
        ids: set[str] | None,
        phone: str | None,
        found: dict[str, Found],
    ) -> None:
        letter = letter_of(record) if role is not Role.MAIN else DeadLetter(record, UNKNOWN, record.headers, "none")
        fields = self._fields(letter)
        filters = Filters(phone=phone) if ids is None else Filters()
        name = "not decoded" if fields is None else str(fields.get("eventId"))
        if (ids is not None and fields is not None and name not in ids) or not filters.take_event(record, fields):
            return
        waits = role is not Role.DEAD_LETTER and waiting.still(record)
        found.setdefault(name, Found(name, fields, [])).seen.append(Seen(role, letter, waits))

    def _fields(self, letter: DeadLetter) -> Fields | None:
        headers = letter.original if letter.written_by == OURS else letter.record.headers
        fields = self._judge.fields(letter.record._replace(headers=headers))
        return None if isinstance(fields, Refusal) else fields

    def _watched(self, scan: Scan, topic: str, needles: list[bytes] | None) -> Iterator[Record]:
        """The records that hold one of the needles in key or value, and marks; all of them without needles."""
        if self._since_ms is not None:
            scan.since(self._since_ms)
        deleted = sum(bound.start for bound in scan.bounds.values())
        self._searched.append(Searched(topic, scan.total, scan.waiting, deleted))
        with Progress(f"reading {topic}", scan.total) as progress:
            for read, records in scan.holding(needles):
                progress.advance(read)
                yield from records


def _lines(found: list[Found], searched: list[Searched], reveal: bool) -> Iterator[str]:
    for event in found:
        told = story(event.seen)
        view = {} if event.fields is None else event_view(event.fields, reveal)
        who = f"to {view.get('phoneNumber', '?')}, service {view.get('serviceId', '?')}"
        yield f"event {view.get('eventId', 'that cannot be decoded')} {who}"
        for step in told.steps:
            yield f"  {time_text(step.time_ms)}  {step.partition} offset {step.offset}: {scrub_ids(step.text, told)}"
        yield from (f"  now: {text}" for text in told.now)
        yield f"  posts that failed, as its copies tell: {told.posts}"
        yield from _for_support(told, view)
        yield ""
    if not found:
        yield "nothing was found"
    yield from map(_searched, searched)
    yield "not seen: accepted posts, which leave no record in Kafka; the log's `accepted` lines have them"


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


def _document(found: list[Found], searched: list[Searched], reveal: bool) -> Mapping[str, object]:
    events = []
    for event in found:
        told = story(event.seen)
        events.append(
            {
                "event": None if event.fields is None else event_view(event.fields, reveal),
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
                "request_ids": list(told.request_ids),
            }
        )
    return {"events": events, "searched": [topic._asdict() for topic in searched]}
