"""Everything that happens, one method each: the log line and the metric together, so that neither comes alone.

Levels follow the consequence: WARN, nothing is lost and the connector goes on; ERROR, somebody was not reached or a
person is needed. Callers pass only values that may be shown: event ids by `core.redact.safe_event_id`, reasons
without any value of the event. One file for each that reports; who reports one kind asks for that class only.
"""

from __future__ import annotations

from connector.observe.accepted_line import AcceptedLine, past
from connector.observe.events.holds import HoldEvents
from connector.observe.events.kafka import KafkaEvents
from connector.observe.events.ledger import LedgerEvents
from connector.observe.events.partitions import PartitionEvents, where
from connector.observe.events.process import ProcessEvents
from connector.observe.events.records import RecordEvents
from connector.observe.events.reporter import Logger

__all__ = [
    "AcceptedLine",
    "Events",
    "HoldEvents",
    "KafkaEvents",
    "LedgerEvents",
    "Logger",
    "PartitionEvents",
    "ProcessEvents",
    "RecordEvents",
    "past",
    "where",
]


class Events(RecordEvents, PartitionEvents, HoldEvents, KafkaEvents, LedgerEvents, ProcessEvents):
    """All of them, by one logger and into the same metrics."""
