"""The records of an event, and what the ledger says of it, looked for in the topics of a deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from connector.cli.dlq.waiting import Waiting, waiting_of
from connector.cli.progress import Progress
from connector.cli.today import Judge
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.ledger import Told
from connector.core.letters.chosen import Filters, digits
from connector.core.letters.letter import OURS, UNKNOWN, DeadLetter, letter_of
from connector.core.letters.marks import Redriven
from connector.core.letters.story import Role, Seen
from connector.core.record import Record
from connector.core.redact import safe_event_id
from connector.core.refusal import Refusal
from connector.edge.avro.entries import decoded, hmac_of
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
    """One event, its records, and what the ledger has of it."""

    event_id: str
    fields: Fields | None
    seen: list[Seen]
    told: list[Told]

    @property
    def shown_id(self) -> str:
        """The id as the ledger has it."""
        return (
            self.event_id if self.fields is None else safe_event_id(self.event_id, str(self.fields.get("phoneNumber")))
        )

    @property
    def service_id(self) -> str | None:
        """As the ledger has it."""
        return next((entry.service_id for entry, *_ in self.told if entry.service_id), None)


class Search:
    """Reads the topics of a deployment, each once for a question.

    Of the ledger it takes what the deployment's group wrote, and `other_groups` says who else has something of the
    events; with `all_groups` all of it.
    """

    def __init__(
        self, settings: Settings, judge: Judge, since_ms: int | None, searched: list[Searched], *, all_groups: bool
    ) -> None:
        self._settings = settings
        self._judge = judge
        self._since_ms = since_ms
        self._searched = searched
        self._all_groups = all_groups
        self.other_groups: set[str] = set()
        topics = settings.kafka.topics
        self._copies: dict[str, Role] = {}
        if not settings.is_shadow:  # its group has no part in what others copied
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
        told = self._ledger([request_id.encode()])
        found |= {str(each.entry.event_id) for each in told if each.entry.request_id == request_id}
        self._searched.clear()
        return found

    def events(self, ids: set[str] | None, phone: str | None) -> list[Found]:
        """The events of these ids, or of a phone number, with all their records. Raises AdminError."""
        needles: list[bytes] | None = [each.encode() for each in ids or [digits(phone or "")]]
        if self._judge.maps:
            needles = None
        found: dict[str, Found] = {}
        for topic, role in self._topics.items():
            waiting = self._waiting(topic)
            if waiting is None:
                continue
            redriven = Redriven()
            with Scan(kafka_properties(self._settings.kafka), topic) as scan:
                for record in self._watched(scan, topic, needles):
                    if role is Role.DEAD_LETTER and (redriven.see(record) or not _holds(record, needles)):
                        continue
                    self._keep(record, role, waiting, ids, phone, found)
            for each in found.values():
                each.seen[:] = [
                    seen._replace(redriven=True) if redriven.has(seen.letter.record) else seen for seen in each.seen
                ]
        self._add_entries(ids, phone, found)
        return list(found.values())

    def _add_entries(self, ids: set[str] | None, phone: str | None, found: dict[str, Found]) -> None:
        by_id = {each.shown_id: each for each in found.values()}
        if ids is not None:
            shown = {*ids, *(safe_event_id(each, "") for each in ids), *by_id}
            told = (each for each in self._ledger([each.encode() for each in shown]) if each.entry.event_id in shown)
        elif self._settings.ledger is not None:
            key = self._settings.ledger.key_file.secret.get_secret_value()
            end_user = hmac_of(key, digits(phone or ""))
            told = (each for each in self._ledger([end_user]) if each.hmac == end_user)
        else:
            return
        for each in told:
            if each.group_id != self._settings.kafka.group_id and not self._all_groups:
                self.other_groups.add(each.group_id)
                continue
            name = str(each.entry.event_id)
            event = by_id.get(name) or found.setdefault(name, Found(name, None, [], []))
            event.told.append(each)

    def _ledger(self, needles: list[bytes]) -> Iterator[Told]:
        """The entries that hold one of these; none where the ledger is off."""
        if self._settings.ledger is None:
            return
        topic = self._settings.ledger_topic
        try:
            scan = Scan(kafka_properties(self._settings.kafka), topic)
        except AdminError as error:
            if not error.code.startswith("unknown_topic"):
                raise
            self._searched.append(Searched(topic, None, 0, 0))
            return
        with scan:
            for record in self._watched(scan, topic, needles):
                if (told := decoded(record.value)) is not None:
                    yield told

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
        if fields is None and ids is not None and not any(each.encode() in (record.value or b"") for each in ids):
            return
        filters = Filters(phone=phone) if ids is None else Filters()
        name = "not decoded" if fields is None else str(fields.get("eventId"))
        if (ids is not None and fields is not None and name not in ids) or not filters.take_event(record, fields):
            return
        waits = role is not Role.DEAD_LETTER and waiting.still(record)
        found.setdefault(name, Found(name, fields, [], [])).seen.append(Seen(role, letter, waits))

    def _fields(self, letter: DeadLetter) -> Fields | None:
        fields = self._judge.fields(letter.first if letter.written_by == OURS else letter.record)
        return None if isinstance(fields, Refusal) else fields

    def _watched(self, scan: Scan, topic: str, needles: list[bytes] | None) -> Iterator[Record]:
        """The records that hold one of the needles in key or value, and marks; all of them without needles."""
        if self._since_ms is not None:
            scan.since(self._since_ms)
        deleted = sum(bound.start for bound in scan.bounds.values())
        self._searched.append(Searched(topic, scan.total, scan.waiting, deleted))
        with Progress(f"reading {topic}", scan.total) as progress:
            for read, records in scan.holding(needles, keyless=self._topics.get(topic) is Role.DEAD_LETTER):
                progress.advance(read)
                yield from records


def _holds(record: Record, needles: list[bytes] | None) -> bool:
    return needles is None or any(each in (record.value or b"") or each in (record.key or b"") for each in needles)
