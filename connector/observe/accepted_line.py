"""The line of an accepted record, the only one that is written for every event: straight to bytes, past structlog."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import orjson

from connector.core.envelope import History
from connector.core.record import Partition, Record
from connector.observe.lines import Lines


class AcceptedLine(Protocol):
    """Writes the line of an accepted record."""

    def __call__(
        self,
        record: Record,
        history: History,
        event_id: str | None,
        request_id: str | None,
        post_seconds: float,
        now_ms: int,
        trace_id: str | None,
        /,
    ) -> None: ...


class Stamp:
    """ms since the epoch → "2026-01-31T23:59:59.123Z", with the last text and its second kept."""

    def __init__(self) -> None:
        self._second = self._now_ms = -1
        self._until_second = self._text = ""

    def __call__(self, now_ms: int) -> str:
        """Return the text."""
        if now_ms != self._now_ms:
            second, ms = divmod(now_ms, 1000)
            if second != self._second:
                self._until_second = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
                self._second = second
            self._text = f"{self._until_second}.{ms:03}Z"
            self._now_ms = now_ms
        return self._text


def accepted_line(lines: Lines, stamp: Stamp) -> AcceptedLine:
    """What writes it; a test holds its shape to that of the chain."""
    dumps, newline = orjson.dumps, orjson.OPT_APPEND_NEWLINE
    places: dict[Partition, bytes] = {}

    def write(
        record: Record,
        history: History,
        event_id: str | None,
        request_id: str | None,
        post_seconds: float,
        now_ms: int,
        trace_id: str | None,
    ) -> None:
        if not history.attempts and trace_id is None and event_id is not None and request_id is not None:
            place = places.get(record.partition) or places.setdefault(record.partition, _place(record.partition))
            # Joined and not formatted, which takes twice the time.
            line = (
                b'{"timestamp":"',
                stamp(now_ms).encode(),
                place,
                str(record.offset).encode(),
                b',"event_id":',
                dumps(event_id),
                b',"request_id":',
                dumps(request_id),
                b',"post_ms":',
                str(int(post_seconds * 1000)).encode(),
                b',"attempts":1}\n',
            )
            lines.write_soon(b"".join(line))
            return
        topic, partition = record.partition
        fields: dict[str, object] = {
            "timestamp": stamp(now_ms),
            "level": "info",
            "event": "accepted",
            "topic": topic,
            "partition": partition,
            "offset": record.offset,
            "event_id": event_id,
            "request_id": request_id,
            "post_ms": int(post_seconds * 1000),
            "attempts": history.attempts + 1,
        }
        if history.attempts:
            fields.update(past(record, history))
        if trace_id is not None:
            fields["trace_id"] = trace_id
        if event_id is None or request_id is None:
            fields = {key: value for key, value in fields.items() if value is not None}
        lines.write_soon(dumps(fields, None, newline))

    return write


def _place(partition: Partition) -> bytes:
    """What stands between the stamp and the offset."""
    place = orjson.dumps(partition.topic), partition.number
    return b'","level":"info","event":"accepted","topic":%b,"partition":%d,"offset":' % place


def past(record: Record, history: History) -> dict[str, object]:
    """What a line says of a record that comes from the retry topic: where the producer's own lies in the main topic,
    and whether it may have been delivered before. The topic's name is left out: in a header it is free text."""
    shown: dict[str, object] = {}
    partition, offset, _ = history.origin
    if (partition, offset) != (record.partition, record.offset):
        shown = {"origin_partition": partition.number, "origin_offset": offset}
    if history.maybe_delivered:
        shown["possible_duplicate"] = True
    return shown
