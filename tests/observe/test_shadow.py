"""The log of a shadow says of nothing that it was done."""

from __future__ import annotations

import io

import orjson

from connector.core.envelope import fresh
from connector.core.outcome import Delivered, Fate, Outcome
from connector.core.record import Partition, Record
from connector.core.refusal import Stage
from connector.observe.events import Events
from connector.observe.logs import Logs
from connector.observe.metrics import Metrics
from connector.observe.shadow import LINES, ShadowLogger

RECORD = Record(Partition("invocations", 0), 7, None, b"", b"")
LATER = Outcome(Fate.RETRY, "vendor_temporary", "why", "remedy", Delivered.NO)


def test_every_line_says_the_mode_and_none_that_a_record_was_posted_retried_or_dead_lettered() -> None:
    """Nobody was left without a message by it, so nothing of a record is an error."""
    stream = io.BytesIO()
    logs = Logs(stream, lambda: 0, "debug", "json")
    events = Events(Metrics(), ShadowLogger(logs.logger), log_accepted=True)
    events.accepted(RECORD, fresh(RECORD), "order-7", "not_posted", 0.0, None, 1000)
    events.retried(RECORD, "order-7", LATER, 1, 900_000)
    events.dead_lettered(RECORD, "order-7", Stage.INVOKE, "expired", "too late", None, None, None, 0)
    events.ready()
    events.source_failed("fenced", "restart")
    logs.close()
    lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("would_post", "info"),
        ("would_retry", "warning"),
        ("would_dead_letter", "warning"),
        ("ready", "info"),
        ("source_failed", "error"),
    ]
    assert {line["mode"] for line in lines} == {"shadow"}
    assert {line["event"] for line in lines}.isdisjoint(LINES)
