"""`connector dlq summary`, `list` and `show` on real Kafka."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Producer

from connector.core.envelope import Cause, History, Origin, retry_headers
from connector.core.record import Partition
from connector.core.refusal import Stage
from connector.core.signals import Commit
from connector.edge.kafka.groups import KafkaGroups
from tests.cli.conftest import Run as Command
from tests.cli.letters import ENCODE, GONE_WRONG, NOW_MS, PHONE, Letter, Topics, event, make
from tests.support.kafka_broker import Kafka

REFUSED = Cause(Stage.REQUEST, "bad_event_id", "eventId: bad_event_id (string of 3 characters); use 1 to 64")


@pytest.fixture(scope="module")
def topics_(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    stage = make(kafka, tmp_path_factory.mktemp("dlq"))
    stage.write(
        [
            Letter(ENCODE(event("ev-1"))),
            Letter(ENCODE(event("ev-2", "447700900123")), maybe_delivered=1, partition=1),
            Letter(ENCODE(event("a b")), REFUSED),
            Letter(b"no event", Cause(Stage.DECODE, "bad_frame", "value: bad_frame")),
        ]
    )
    return stage


def test_summary_counts_what_the_headers_and_the_frames_say(topics_: Topics, connector: Command) -> None:
    run = connector("dlq", "summary", "--config", topics_.config, "--json")
    assert run.exit_code == 0, run.output
    found = json.loads(run.output)
    assert found["letters"] == 4
    assert found["by"]["class"] == {"retries_exhausted": 2, "bad_event_id": 1, "bad_frame": 1}
    assert found["by"]["service_id"] == {"0A1B": 3, "not decoded": 1}
    assert found["by"]["possible_duplicate"] == {"no": 3, "yes": 1}
    assert found["by"]["topic"] == {topics_.main: 4}
    assert found["reasons"][0]["example"]["event"]["phoneNumber"] == "…12"
    printed = connector("dlq", "summary", "--config", topics_.config).output
    assert f"{topics_.dead_letter}: 4 dead letters" in printed
    for text in (run.output, printed):
        assert "retries_exhausted" in text
        assert PHONE not in text
        assert "Ada" not in text


@pytest.mark.parametrize(
    ("filters", "events"),
    [
        ((), ["ev-1", "ev-2", "a b", None]),
        (("--phone", f"+{PHONE}"), ["ev-1", "a b", None]),
        (("--event-id", "ev-2"), ["ev-2"]),
        (("--class", "bad_event_id", "--class", "bad_frame"), ["a b", None]),
        (("--possible-duplicates",), ["ev-2"]),
        (("--service-id", "0a1b", "--message", "window"), ["ev-1", "ev-2"]),
        (("--since", "2023-11-14T22:13:21"), []),
    ],
)
def test_list_shows_what_fits(
    topics_: Topics, connector: Command, filters: tuple[str, ...], events: list[str | None]
) -> None:
    """An event that cannot be decoded is judged by its bytes and its key."""
    run = connector("dlq", "list", "--config", topics_.config, "--json", "--reveal", *filters)
    assert run.exit_code == 0, run.output
    letters = json.loads(run.output)["letters"]
    assert sorted(str((each["event"] or {}).get("eventId")) for each in letters) == sorted(map(str, events))


def test_list_masks_and_counts_what_it_does_not_show(topics_: Topics, connector: Command) -> None:
    run = connector("dlq", "list", "--config", topics_.config, "--limit", "3")
    assert run.exit_code == 0, run.output
    assert "3 of 4 that fit; --limit shows more" in run.output
    assert PHONE not in run.output
    assert "447700900123" not in run.output


def test_show_prints_the_request_of_today(topics_: Topics, connector: Command) -> None:
    run = connector("dlq", "show", "0:0", "--config", topics_.config)
    assert run.exit_code == 0, run.output
    assert "POST https://servicemanager.openmarket.com/service/v1/invokeService/0A1B" in run.output
    assert "traceparent: 00-4bf9" in run.output
    assert "req-1" in run.output
    assert PHONE not in run.output
    assert "Ada" not in run.output
    revealed = connector("dlq", "show", "0:0", "--config", topics_.config, "--reveal", "--json")
    assert json.loads(revealed.output)["today"]["request"]["body"]["endUser"]["phoneNumber"] == PHONE


def test_show_says_why_it_would_be_refused_today(topics_: Topics, connector: Command) -> None:
    run = connector("dlq", "show", "0:1", "--config", topics_.config, "--json")
    today = json.loads(run.output)["today"]
    assert today["request"] is None
    assert (today["refusal"]["stage"], today["refusal"]["class"]) == ("request", "bad_event_id")


@pytest.mark.parametrize(("place", "code"), [("0:99", 1), ("7:0", 1), ("first", 2)])
def test_a_place_without_a_letter_is_said(topics_: Topics, connector: Command, place: str, code: int) -> None:
    assert connector("dlq", "show", place, "--config", topics_.config).exit_code == code


def test_retry_shows_what_the_group_has_still_to_post(topics_: Topics, connector: Command) -> None:
    """Not what lies before its commit."""
    retry = f"{topics_.main}.retry"
    topics_.kafka.create_topic(retry, 1)
    producer = Producer({"bootstrap.servers": topics_.kafka.bootstrap_servers})
    for number in range(3):
        origin = Origin(Partition(topics_.main, 0), number, NOW_MS)
        history = History(origin, attempts=1, due_ms=NOW_MS + number)
        headers = list(next(retry_headers((), history, GONE_WRONG, NOW_MS)))
        value = ENCODE(event(f"ev-{number}"))
        producer.produce(retry, value, PHONE.encode(), partition=0, headers=headers)  # type: ignore[arg-type]  # None is a value
    assert producer.flush(60) == 0
    groups = KafkaGroups({"bootstrap.servers": topics_.kafka.bootstrap_servers})
    groups.set(f"{topics_.main}-group", {Partition(retry, 0): Commit(1, "")})
    listed = json.loads(connector("retry", "list", "--config", topics_.config, "--json").output)
    assert [each["event"]["eventId"] for each in listed["letters"]] == ["ev-1", "ev-2"]
    assert [each["due_ms"] for each in listed["letters"]] == [NOW_MS + 1, NOW_MS + 2]
    assert "2096-10-02" in connector("retry", "list", "--config", topics_.config).output
    counted = json.loads(connector("retry", "summary", "--config", topics_.config, "--json").output)
    assert (counted["letters"], counted["by"]["topic"]) == (2, {topics_.main: 2})
