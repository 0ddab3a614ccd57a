"""What happens is said once in the log and once in the metrics, at the level of its consequence."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable

import orjson
import pytest

from connector.core.envelope import History, Origin, fresh
from connector.core.outcome import Delivered, Fate, Outcome
from connector.core.pauses import EVERYTHING, BadLine, Source, Target, Unusable
from connector.core.record import Partition, Record
from connector.core.refusal import Stage
from connector.core.reply import Failure
from connector.core.signals import SchemaMissing, SchemaNeeded
from connector.observe.events import Events
from connector.observe.logs import Logs
from connector.observe.metrics import Metrics
from connector.observe.record_counts import RecordCounts
from tests.observe.test_metrics import samples

RECORD = Record(Partition("invocations", 3), 17, 0, None, b"x")
LIMITED = Outcome(
    Fate.RETRY, "rate_limited", "too many", "wait", Delivered.NO, status=429, vendor_code="7", request_id="r"
)
PARTITIONS = frozenset({Partition("b", 2), Partition("a", 1)})


class World:
    """Events with everything that they write kept, and a clock moved by hand."""

    def __init__(self, log_accepted: bool = True) -> None:
        self.now = 100.0
        self.metrics = Metrics(["expired", "bad_phone"], ["accepted", "rate_limited"])
        self.stream = io.BytesIO()
        self.logs = Logs(self.stream, lambda: 0, "debug", "json")
        self.events = Events(
            self.metrics,
            self.logs.logger,
            log_accepted,
            accepted_line=self.logs.accepted_line,
            monotonic=lambda: self.now,
        )

    @property
    def lines(self) -> list[dict[str, object]]:
        self.logs.close()
        return [orjson.loads(line) for line in self.stream.getvalue().splitlines()]

    def value(self, name: str, *labels: str) -> float:
        return samples(self.metrics.registry)[f"invoke_connector_{name}", labels]

    def moved(self) -> dict[str, float]:
        """The counters that are not 0."""
        return {
            name.removeprefix("invoke_connector_"): value
            for (name, _), value in samples(self.metrics.registry).items()
            if name.startswith("invoke_connector_") and name.endswith("_total") and value
        }


def dead_letter(events: Events, code: str = "expired") -> None:
    events.dead_lettered(RECORD, "order-7", Stage.INVOKE, code, "too late", 500, "1000", "r", 2)


def no_schema(events: Events) -> None:
    missing = SchemaMissing("registry_timeout", "https://registry", "no answer within 10 s", "look at the registry")
    events.schema_unavailable(SchemaNeeded("100017", RECORD.partition, RECORD.offset), missing)


def accept(events: Events) -> None:
    events.accepted(RECORD, fresh(RECORD), "order-7", "r-1", 0.25, 90.0, 1000)


HAPPENINGS: dict[str, tuple[Callable[[Events], None], str | None, str | None]] = {
    "taken": (lambda e: e.taken(1), "records_taken_total", None),
    "skipped": (lambda e: e.skipped(1), "records_skipped_total", None),
    "released": (lambda e: e.released(1), "records_released_total", None),
    "accepted": (accept, "records_accepted_total", "info"),
    "retried": (lambda e: e.retried(RECORD, "order-7", LIMITED, 1, 900_000), "records_retried_total", "warning"),
    "dead_lettered": (dead_letter, "records_dead_lettered_total", "error"),
    "normalized": (lambda e: e.normalized("plus"), "normalizations_total", None),
    "never_sent": (lambda e: e.never_sent(Failure.DNS), "never_sent_total", "warning"),
    "maybe_delivered": (lambda e: e.maybe_delivered("rate_limited"), "maybe_delivered_total", None),
    "old_transaction": (lambda e: e.old_transaction(Partition("invocations", 3), 100, 50, 60.0), None, "warning"),
    "topic_unfit": (lambda e: e.topic_unfit("retry topic retention", "failed", "too short", "longer"), None, "warning"),
    "topic_fit": (lambda e: e.topic_fit("retry topic retention"), None, "info"),
    "topic_missing": (lambda e: e.topic_missing("invocations"), None, "warning"),
    "nothing_of_main_topic": (lambda e: e.nothing_of_main_topic("invocations"), None, "info"),
    "main_topic_again": (lambda e: e.main_topic_again("invocations"), None, "info"),
    "topic_found": (lambda e: e.topic_found("invocations"), None, "info"),
    "left_behind": (lambda e: e.left_behind(RECORD, "order-7"), "maybe_delivered_total", "warning"),
    "late_answer": (lambda e: e.late_answer(RECORD, "order-7", LIMITED), "late_answers_total", "warning"),
    "schema_unavailable": (no_schema, "schemas_unavailable_total", "warning"),
    "write_failed": (
        lambda e: e.write_failed("retry", "timed_out", "invocations.retry", "look", 1.0),
        "writes_failed_total",
        "warning",
    ),
    "write_recovered": (lambda e: e.write_recovered("retry"), "writes_recovered_total", "info"),
    "not_ours": (lambda e: e.not_ours("condition"), "records_not_ours_total", None),
    "spans_exported": (lambda e: e.spans_exported(512), "spans_total", None),
    "spans_lost": (lambda e: e.spans_lost("failed", 512, "Connection refused"), "spans_total", "warning"),
    "duplicate_event": (lambda e: e.duplicate_event(RECORD, "order-7"), "records_duplicate_total", "info"),
    "event_ids_forgotten": (lambda e: e.event_ids_forgotten(5), "event_ids_forgotten_total", None),
    "ledger_unread": (lambda e: e.ledger_unread(RECORD.partition, "timed_out"), "ledger_unread_total", "warning"),
    "ledger_written": (lambda e: e.ledger_written(3), "ledger_written_total", None),
    "ledger_failed": (
        lambda e: e.ledger_failed("msg_timed_out", "invocations.ledger", "look", 3, left_out=True),
        "ledger_left_out_total",
        "warning",
    ),
    "commit_acknowledged": (lambda e: e.commit_acknowledged(0.01), "commits_acknowledged_total", None),
    "commit_failed": (lambda e: e.commit_failed("COORDINATOR"), "commits_failed_total", "warning"),
    "kafka_error": (lambda e: e.kafka_error("consumer", "_TRANSPORT"), "kafka_errors_total", "warning"),
    "assigned": (lambda e: e.assigned(Partition("a", 1), 5), "partitions_assigned_total", "info"),
    "revoked": (lambda e: e.revoked(PARTITIONS, True), "partitions_revoked_total", "info"),
    "map_ignored": (lambda e: e.map_ignored(RECORD.partition, "topic"), "maps_ignored_total", "warning"),
    "map_refused": (lambda e: e.map_refused("offset_metadata_too_large", 250), "maps_refused_total", "warning"),
    "lost": (lambda e: e.lost(PARTITIONS), "partitions_lost_total", "warning"),
    "partition_stopped": (
        lambda e: e.partition_stopped(Partition("a", 1), KeyError("12515550123")),
        "partitions_stopped_total",
        "error",
    ),
    "hold_entered": (lambda e: e.hold_entered("deployment", "code", "why", "remedy", {}), "holds_total", "error"),
    "brake_warned": (lambda e: e.brake_warned("undecodable", "why"), "brake_warnings_total", "error"),
    "hold_left": (lambda e: e.hold_left("deployment", 3.5), None, "info"),
    "secrets_renewed": (lambda e: e.secrets_renewed(["openmarket.password_file"]), "secret_changes_total", "info"),
    "secrets_unusable": (
        lambda e: e.secrets_unusable(["openmarket.password_file"], "the file is empty"),
        "secret_changes_total",
        "warning",
    ),
    "restart_needed": (lambda e: e.restart_needed(["kafka.security.ca_file"]), "secret_changes_total", "warning"),
    "paused": (lambda e: e.paused([EVERYTHING], Source.COMMAND, "gates moved"), "pauses_total", "warning"),
    "resumed": (lambda e: e.resumed([EVERYTHING], Source.COMMAND), None, "info"),
    "paused_file_unusable": (
        lambda e: e.paused_file_unusable(Unusable("not_text")),
        "paused_file_problems_total",
        "error",
    ),
    "paused_file_unread": (
        lambda e: e.paused_file_unread([Target("typo")], ["invocations"]),
        "paused_file_problems_total",
        "warning",
    ),
    "source_failed": (lambda e: e.source_failed("FENCED", "restart"), "source_failures_total", "error"),
    "starting": (lambda e: e.starting({}, cie=False), None, "info"),
    "shadow": (lambda e: e.shadow(posts=False), None, "warning"),
    "kafka_unreachable": (lambda e: e.kafka_unreachable("broker:9092", 0, 0.0), None, "warning"),
    "kafka_reached": (lambda e: e.kafka_reached(61.0), None, "info"),
    "connection_failed": (lambda e: e.connection_failed("consumer", "transport"), "kafka_errors_total", None),
    "ready": (lambda e: e.ready(), None, "info"),
    "stopping": (lambda e: e.stopping("SIGTERM"), None, "info"),
    "stopped": (lambda e: e.stopped(clean=True), None, "info"),
}
NO_HAPPENINGS = {"answered", "report_left_out"}


@pytest.mark.parametrize("name", HAPPENINGS)
def test_each_happening_moves_its_counter_and_writes_its_line(name: str) -> None:
    happen, counter, level = HAPPENINGS[name]
    world = World()
    happen(world.events)
    assert list(world.moved()) == ([counter] if counter else [])
    assert [(line["event"], line["level"]) for line in world.lines] == ([(name, level)] if level else [])


def test_no_happening_is_missing_here() -> None:
    methods = {
        name
        for reporter in (Events, RecordCounts)
        for name, _ in inspect.getmembers(reporter, inspect.isroutine)
        if not name.startswith("_")
    }
    assert methods == HAPPENINGS.keys() | NO_HAPPENINGS


@pytest.mark.parametrize("name", ["retried", "dead_lettered"])
def test_a_failed_records_line_carries_what_one_searches_by(name: str) -> None:
    world = World()
    if name == "retried":
        world.events.retried(RECORD, "order-7", LIMITED, 1, 900_000, trace_id="ab")
    else:
        world.events.dead_lettered(
            RECORD, "order-7", Stage.INVOKE, "rate_limited", "too many", 429, "7", "r", 1, trace_id="ab"
        )
    (line,) = world.lines
    assert {
        "topic": "invocations",
        "partition": 3,
        "offset": 17,
        "event_id": "order-7",
        "code": "rate_limited",
        "status": 429,
        "vendor_code": "7",
        "request_id": "r",
        "trace_id": "ab",
        "attempts": 1,
    }.items() <= line.items()


@pytest.mark.parametrize("name", ["retried", "dead_lettered"])
def test_the_line_of_a_copy_names_the_producers_record_too(name: str) -> None:
    """With it a record's lines are found, whichever topic it was read from."""
    world = World()
    copy = RECORD._replace(partition=Partition("invocations.retry", 0), offset=4)
    history = History(Origin(RECORD.partition, 17, 0), attempts=2, maybe_delivered=1)
    if name == "retried":
        world.events.retried(copy, "order-7", LIMITED, 2, 900_000, history=history)
    else:
        world.events.dead_lettered(
            copy, "order-7", Stage.INVOKE, "expired", "too late", 429, "7", "r", 2, history=history
        )
    (line,) = world.lines
    named = {"topic": "invocations.retry", "offset": 4, "origin_partition": 3, "origin_offset": 17}
    assert {**named, "possible_duplicate": True}.items() <= line.items()


def test_a_record_that_stays_unsettled_is_named_with_the_vendors_request_id() -> None:
    """The vendor's support asks for it."""
    world = World()
    HAPPENINGS["late_answer"][0](world.events)
    (line,) = world.lines
    named = {"topic": "invocations", "partition": 3, "offset": 17, "event_id": "order-7", "request_id": "r"}
    assert named.items() <= line.items()


def test_an_accepted_records_line_is_short() -> None:
    world = World()
    accept(world.events)
    assert world.lines == [
        {
            "timestamp": "1970-01-01T00:00:01.000Z",
            "level": "info",
            "event": "accepted",
            "topic": "invocations",
            "partition": 3,
            "offset": 17,
            "event_id": "order-7",
            "request_id": "r-1",
            "post_ms": 250,
            "attempts": 1,
        }
    ]


def test_what_is_accepted_after_it_may_have_been_delivered_is_marked_and_counted() -> None:
    """Its line names the producer's record too, so that whoever looks for a repeat finds both posts."""
    world = World()
    history = History(Origin(RECORD.partition, 17, 0), attempts=1, maybe_delivered=1)
    copy = RECORD._replace(partition=Partition("invocations.retry", 0), offset=4)
    world.events.accepted(copy, history, "order-7", "r-1", 0.25, None, 1000)
    (line,) = world.lines
    assert {
        "topic": "invocations.retry",
        "partition": 0,
        "offset": 4,
        "attempts": 2,
        "origin_partition": 3,
        "origin_offset": 17,
        "possible_duplicate": True,
    }.items() <= line.items()
    assert world.value("accepted_after_maybe_delivered_total") == 1


def test_a_retry_of_what_was_surely_not_delivered_is_no_possible_duplicate() -> None:
    world = World()
    history = History(Origin(RECORD.partition, 17, 0), attempts=3)
    world.events.accepted(RECORD, history, "order-7", "r-1", 0.25, None, 1000)
    (line,) = world.lines
    assert line["attempts"] == 4
    assert "possible_duplicate" not in line
    assert world.value("accepted_after_maybe_delivered_total") == 0


def test_accepted_lines_can_be_turned_off_and_are_counted_all_the_same() -> None:
    world = World(log_accepted=False)
    accept(world.events)
    assert (world.lines, world.value("records_accepted_total")) == ([], 1)


def test_an_acceptance_is_timed_from_the_events_creation() -> None:
    world = World()
    accept(world.events)
    assert world.value("end_to_end_seconds_sum") == 90


def test_every_post_is_timed_whatever_came_of_it() -> None:
    """A brown-out must show in the histogram, or an objective on it stays green."""
    world = World()
    world.events.answered(LIMITED, 0.25)
    assert world.value("post_seconds_sum") == 0.25


@pytest.mark.parametrize(
    ("status", "family"), [(202, "2xx"), (307, "3xx"), (429, "4xx"), (599, "5xx"), (None, "none"), (777, "other")]
)
def test_an_answer_is_counted_by_class_and_by_status(status: int | None, family: str) -> None:
    world = World()
    world.events.answered(LIMITED._replace(status=status), 0.1)
    assert world.value("http_answers_total", family) == world.value("answers_total", "rate_limited") == 1


def test_a_flood_of_one_class_is_thinned_and_what_was_left_out_is_counted() -> None:
    world = World()
    for _ in range(25):
        dead_letter(world.events)
    dead_letter(world.events, "bad_phone")
    world.now += 1
    world.events.report_left_out(world.now)
    *written, last = world.lines
    assert len(written) == 11
    assert {"event": "lines_left_out", "of": "dead_lettered", "code": "expired", "count": 15}.items() <= last.items()
    assert world.value("log_lines_left_out_total") == 15
    assert world.value("records_dead_lettered_total", "expired") == 25


def test_what_was_left_out_is_said_even_when_the_process_stops_at_once() -> None:
    world = World()
    for _ in range(11):
        dead_letter(world.events)
    world.events.stopped(clean=True)
    assert [line["event"] for line in world.lines][-2:] == ["lines_left_out", "stopped"]


@pytest.mark.parametrize(
    ("kind", "level"),
    [("deployment", "error"), ("brake", "error"), ("endpoint", "warning"), ("manual", "warning")],
)
def test_a_hold_is_an_error_when_it_needs_a_person(kind: str, level: str) -> None:
    """And its line has the details of whoever entered it."""
    world = World()
    world.events.hold_entered(kind, "code", "why", "remedy", {"offset": 7})
    (line,) = world.lines
    assert (line["level"], line["offset"]) == (level, 7)


def test_a_hold_is_a_gauge_while_it_lasts() -> None:
    world = World()
    world.events.hold_entered("deployment", "bad_credentials", "why", "remedy", {"status": 401})
    assert world.value("hold", "deployment") == 1
    world.events.hold_left("deployment", 2.5)
    assert world.value("hold", "deployment") == 0


def test_the_seconds_of_a_hold_count_while_it_lasts_and_never_go_down() -> None:
    """A share of time held is right during the hold; Prometheus would take a lower value for a restart."""
    world, seen = World(), list[float]()
    for _ in range(2):
        world.events.hold_entered("deployment", "bad_credentials", "why", "remedy", {})
        for _ in range(3):
            world.now += 2
            seen.append(world.value("hold_seconds_total", "deployment"))
        world.events.hold_left("deployment", 5.999)
        seen.append(world.value("hold_seconds_total", "deployment"))
        world.now += 100
    assert seen == [2, 4, 6, 6, 8, 10, 12, 12]


def test_answers_count_by_service_and_fate_and_only_listed_services_have_a_name() -> None:
    """One service that fails, or is silent, is seen among the others; an id out of an event makes no label."""
    metrics = Metrics(services=["0A1B", "0C"])
    events = Events(metrics, Logs(io.BytesIO(), lambda: 0, "debug", "json").logger, log_accepted=False)
    events.answered(LIMITED, 0.1, "0A1B")
    events.answered(LIMITED, 0.1, "DEAD")
    shown = {labels: value for (name, labels), value in samples(metrics.registry).items() if "service_answers" in name}
    assert shown.pop(("retry", "0A1B")) == shown.pop(("retry", "other")) == 1
    assert ("accepted", "0C") in shown
    assert set(shown.values()) == {0}


def test_a_commit_is_timed_to_its_acknowledgement() -> None:
    world = World()
    world.events.commit_acknowledged(0.25)
    assert world.value("commit_seconds_sum") == 0.25


def test_a_copys_age_is_that_of_its_next_try() -> None:
    world = World()
    history = History(Origin(RECORD.partition, 17, 0), attempts=2, first_failure_ms=1_000_000)
    world.events.retried(RECORD, "order-7", LIMITED, 2, 2_800_000, history=history)
    assert (world.value("retry_age_seconds_sum"), world.value("retry_age_seconds_bucket", "1800.0")) == (1800, 1)


def test_a_pause_is_counted_and_a_gauge_while_it_lasts() -> None:
    """By source: a resume by command leaves what the file pauses."""
    world = World()
    world.events.paused([EVERYTHING, Target("a", 1)], Source.FILE)
    world.events.paused([EVERYTHING], Source.COMMAND)
    assert (world.value("paused", "file"), world.value("paused", "command")) == (2, 1)
    world.events.resumed([EVERYTHING], Source.COMMAND)
    world.events.resumed([Target("a", 1)], Source.FILE)
    assert (world.value("paused", "file"), world.value("paused", "command")) == (1, 0)
    assert (world.value("pauses_total", "file"), world.value("pauses_total", "command")) == (2, 1)


def test_a_pauses_line_says_what_by_whom_and_why() -> None:
    """A topic's name stays whole, whatever its digits."""
    world = World()
    world.events.paused([Target("gates.20261126", 3), EVERYTHING], Source.COMMAND, "gates moved")
    world.events.resumed([EVERYTHING], Source.FILE)
    paused, resumed = world.lines
    expected = {"targets": ["*", "gates.20261126:3"], "source": "command", "reason": "gates moved"}
    assert expected.items() <= paused.items()
    assert (resumed["targets"], resumed["source"]) == (["*"], "file")


def test_a_file_of_thousands_of_lines_makes_a_short_line() -> None:
    world = World()
    world.events.paused([Target("a", number) for number in range(5000)], Source.FILE)
    world.events.paused_file_unusable(Unusable("bad_lines", tuple(BadLine(n, "no target") for n in range(1, 5001))))
    paused, unusable = world.lines
    assert paused["targets"] == [*(f"a:{number}" for number in range(20)), "and 4980 more"]
    assert unusable["lines"] == [f"line {number}: no target" for number in range(1, 21)]
    assert unusable["bad_lines"] == 5000


def test_a_name_that_is_no_topic_of_ours_is_shown_without_its_digits() -> None:
    """It may be a phone number in the wrong file."""
    world = World()
    world.events.paused_file_unread([Target("12025550123")], ["invocations"])
    assert world.lines[0]["names"] == ["[number]"]


def test_the_test_environment_is_a_warning_and_a_gauge() -> None:
    world = World()
    world.events.starting({"base_url": "https://servicemanager-cie.openmarket.com"}, cie=True)
    assert [(line["event"], line["level"]) for line in world.lines] == [
        ("starting", "info"),
        ("test_environment", "warning"),
    ]
    assert world.value("cie") == 1


def test_partitions_given_up_before_their_answers_came_are_a_warning() -> None:
    world = World()
    world.events.revoked(PARTITIONS, drained=False)
    assert [(line["level"], line["partitions"]) for line in world.lines] == [("warning", ["a-1", "b-2"])]
    assert world.value("partitions_revoked_total", "false") == 2


def test_a_stop_that_was_not_clean_is_a_warning() -> None:
    world = World()
    world.events.stopped(clean=False)
    assert world.lines[0]["level"] == "warning"


def test_a_bug_of_ours_is_named_by_its_type_and_never_by_its_text() -> None:
    world = World()
    world.events.partition_stopped(Partition("a", 1), KeyError("12515550123"))
    assert world.lines[0]["error"] == "KeyError"
    assert b"12515550123" not in world.stream.getvalue()


def test_a_bug_of_ours_is_named_by_the_line_that_raised_it() -> None:
    world = World()
    try:
        world.metrics.counter("no such metric")
    except KeyError as error:
        world.events.partition_stopped(Partition("a", 1), error)
    assert str(world.lines[0]["where"]).startswith("observe/metrics.py:")


def test_a_copy_that_is_not_written_for_a_minute_is_an_error() -> None:
    """Once a minute, however many copies wait and however often each is tried."""
    world = World()
    for seconds in range(150):
        world.now += 1
        world.events.write_failed("dead_letter", "unknown_topic", "invocations.dlq", "create it", float(seconds))
    told = [line for line in world.lines if line["event"] == "write_failed"]
    assert [(line["level"], line["seconds"]) for line in told] == [("warning", 0), ("error", 60), ("error", 120)]
    assert {(line["topic"], line["remedy"]) for line in told} == {("invocations.dlq", "create it")}
