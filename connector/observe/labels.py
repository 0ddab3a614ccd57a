"""The labels of the metrics with all values that they can have, and the edges of the histograms' buckets."""

from __future__ import annotations

from typing import NamedTuple

from connector.core.mapping.errors import REASONS
from connector.core.outcome import Fate
from connector.core.pauses import Source

OTHER = "other"
LEFT_BEHIND = "left_behind"


class Label(NamedTuple):
    """A label. `values` None: bounded, but known only while running, as `bound` says."""

    name: str
    values: tuple[str, ...] | None
    bound: str = ""


ANSWER_CODE = Label("code", (OTHER,), "the classes of `connector codes`, and `other`")
MAYBE_CODE = Label(
    "code", (LEFT_BEHIND, OTHER), "the classes of `connector codes`, `left_behind` (a drain was over), and `other`"
)
DEAD_LETTER_CODE = Label("code", (OTHER,), "the classes a dead letter can have, and `other`")
SCHEMA_CODE = Label("code", (OTHER,), "the reasons for which a schema cannot be had, and `other`")
KAFKA_CODE = Label("code", None, "names of Kafka's errors")
LEDGER_CODE = Label(
    "code", None, "names of Kafka's errors, `queue_full`, `stopped` (the process ended) and `fault` (a bug of ours)"
)
TARGET = Label("target", ("retry", "dead_letter"))
HOLD_KIND = Label("kind", ("deployment", "endpoint", "brake", "manual", "retry_after", OTHER))
NOT_OURS = Label("reason", REASONS)
SERVICE = Label("service", (OTHER,), "the ids of `openmarket.service_ids`; `other` where any may be triggered")
FATE = Label("fate", tuple(fate.value for fate in Fate))
PAUSE_SOURCE = Label("source", tuple(source.value for source in Source))
STATUS = Label("status", ("1xx", "2xx", "3xx", "4xx", "5xx", "none", OTHER))
TOPIC_PARTITION = (
    Label("topic", None, "the configured topics"),
    Label("partition", None, "the partitions assigned to this process"),
)

PARTITION_REASONS = (
    "due_time",
    "hold",
    "commit",
    "fault",
    "map",
    "paused",
    "room",
    "schema",
    "ledger",
    "retry_write",
    "dead_letter_write",
)

# 1 s is where a person notices, 5 s the default connect time-out, 30 s the default total time-out.
POST_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# 15 min is the retry delay, 24 h the retry window, 48 h the default bound on an event's age.
END_TO_END_EDGES = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86400.0, 172800.0)
# From two retries of 15 minutes to the retry window of 24 h.
RETRY_EDGES = (1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 43200.0, 64800.0, 86400.0)
COMMIT_EDGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 45.0)
