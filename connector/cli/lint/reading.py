"""Records and lines → what was made of them, as `run` makes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import orjson

from connector.cli.dlq.view import event_view
from connector.cli.today import PASSED_OVER, Judge, Made, made_of
from connector.core.destination import Policy
from connector.core.envelope import Origin
from connector.core.event import FIELD_NAMES
from connector.core.letters.letter import text_of
from connector.core.letters.tally import schema_text
from connector.core.lint.findings import Place, Seen, View
from connector.core.record import Headers, Partition, Record
from connector.core.redact import safe_name
from connector.core.refusal import Problem, Refusal, Stage
from connector.core.request import RequestRules
from connector.edge.avro.framing import Frame
from connector.edge.avro.schema_text import load_json

PRODUCER_HEADERS = ("producer", "client.id", "client_id", "client-id", "source", "ce_source", "application", "service")
"""Where producers that say who they are usually do; a record does not hold its producer's client id."""

NOT_NAMED = "not named"
_NO_SCHEMA = "JSON"
_MOST_SCHEMAS = 1000
_LONGEST_NAME = 64
_UNUSUAL = re.compile(r"[^A-Za-z0-9_.\-]")
_DIGIT = re.compile(r"[0-9]")
Fields = Mapping[str, object]


class Records:
    """Looks at records of a topic."""

    def __init__(self, judge: Judge, headers: Sequence[str], now_ms: int) -> None:
        """`headers` may name a record's producer; the first that is there counts. `now_ms`: ms since the epoch."""
        self._judge = judge
        self._texts = judge.texts()
        self._headers = headers
        self._now_ms = now_ms
        self._names: dict[Frame | None, str] = {}

    def seen(self, record: Record) -> Seen | None:
        """What becomes of it; None where it is passed over. Never raises, whatever the bytes."""
        made = self._judge.made(record, record.timestamp_ms)
        if made.refusal is PASSED_OVER:
            return None
        return Seen(
            Place(record.partition.number, record.offset),
            producer_of(record, self._headers),
            self._schema(record, made.refusal is None or made.refusal.stage is not Stage.DECODE),
            lambda: _view(made.fields),
            self._now_ms if record.timestamp_ms is None else record.timestamp_ms,
            record.key,
            made.event,
            made.refusal,
            made.expires_ms,
        )

    def _schema(self, record: Record, is_decoded: bool) -> str:
        """Its name and what the frame says. Of what is not decoded nothing is looked up: any bytes look like an id."""
        frame = schema_text(record.value)
        if not is_decoded:
            return frame
        named = self._texts.frame(record.value or b"", record.headers)
        name = self._names.get(named)
        if name is None:
            name = self._name(record, frame)
            if len(self._names) < _MOST_SCHEMAS:
                self._names[named] = name
        return name

    def _name(self, record: Record, frame: str) -> str:
        written = self._texts.value(record.value or b"", record.headers)
        tree = None if written is None else load_json(written.schema.text)
        if written is None or not isinstance(tree, dict):
            return frame
        parts = ("title",) if written.schema.is_json else ("namespace", "name")
        name = ".".join(str(tree[part]) for part in parts if tree.get(part)) or "JSON without a title"
        return f"{name} ({frame})" if frame != "none" else name


class Lines:
    """Looks at the lines of a file of events."""

    def __init__(self, rules: RequestRules, policy: Policy, now_ms: int) -> None:
        self._rules = rules
        self._policy = policy
        self._now_ms = now_ms

    def seen(self, file: BinaryIO) -> Iterator[Seen]:
        """Each line that is not empty. An event counts as written when it says that it was created, or else now."""
        for number, text in enumerate(file, 1):
            if text.strip():
                yield self._line(number, text)

    def _line(self, number: int, text: bytes) -> Seen:
        made = self._made(text, number)
        created_ms = None if made.event is None else made.event.created_at_ms
        return Seen(
            Place(None, number),
            NOT_NAMED,
            _NO_SCHEMA,
            lambda: _view(made.fields),
            self._now_ms if created_ms is None else min(created_ms, self._now_ms),
            None,
            made.event,
            made.refusal,
            made.expires_ms,
        )

    def _made(self, text: bytes, number: int) -> Made:
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError:
            fields = None
        if not isinstance(fields, dict):
            return _refused("bad_line", "line", "not one JSON object", "write one JSON object a line")
        unknown = [(name, place) for place, name in enumerate(fields, 1) if name not in FIELD_NAMES]
        if unknown:
            # A misspelt expiresAt would make an event that never expires.
            remedy = f"write {', '.join(FIELD_NAMES)} only"
            return _refused("unknown_field", safe_name(*unknown[0]), "no field of an event", remedy)
        return made_of(fields, Origin(Partition("", 0), number, self._now_ms), self._rules, self._policy)


def producer_of(record: Record, names: Sequence[str]) -> str:
    """Who wrote a record, as the first of these headers says; without its digits where it may hold a phone number."""
    headers: Headers = record.headers
    found = dict(headers)
    text = next((told for name in names if (told := text_of(found.get(name)))), None)
    if text is None:
        return NOT_NAMED
    name = _UNUSUAL.sub("_", text[:_LONGEST_NAME])
    return name if safe_name(name, 0) == name else _DIGIT.sub("#", name)


def _refused(code: str, field: str, shape: str, remedy: str) -> Made:
    return Made(None, None, None, Refusal(Stage.DECODE, (Problem(code, field, shape, remedy),)), None)


def _view(fields: Fields | None) -> View | None:
    return None if fields is None else event_view(fields, reveal=False)
