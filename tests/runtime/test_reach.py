"""Kafka that is not reached is one line, and one a minute."""

from __future__ import annotations

from typing import Any

import orjson

from connector.runtime.reach import Reach
from tests.observe.test_events import World

MINUTE = 60.0


class Stage(World):
    """A process that began at 0, looked at each second."""

    def __init__(self) -> None:
        super().__init__()
        self.reach = Reach(self.events, "broker:9092", 0.0)
        self.seconds = 0.0

    def until(self, seconds: float, *codes: str) -> None:
        """Let time pass, while each second the consumer says all these codes."""
        while self.seconds < seconds:
            self.seconds += 1
            self.now += 1
            for code in codes:
                self.reach.failed("consumer", code, self.seconds)
            self.reach.look(self.seconds, 1_000_000_000_000 + round(self.seconds * 1000))

    @property
    def said(self) -> list[tuple[Any, ...]]:
        self.logs.close()
        lines = [orjson.loads(line) for line in self.stream.getvalue().splitlines()]
        return [
            (line["event"], line["level"], line.get("seconds")) for line in lines if line["event"] != "lines_left_out"
        ]


def test_kafka_that_was_never_reached_is_a_warning_at_once_and_an_error_each_minute() -> None:
    stage = Stage()
    stage.until(2.5 * MINUTE, "transport", "all_brokers_down")
    assert stage.said == [
        ("kafka_unreachable", "warning", 1),
        ("kafka_unreachable", "error", 61),
        ("kafka_unreachable", "error", 121),
    ]
    assert stage.value("kafka_errors_total", "consumer", "transport") == 150


def test_brokers_that_do_not_even_refuse_are_not_reached_either() -> None:
    """A firewall that drops packets: no error comes for half a minute."""
    stage = Stage()
    stage.until(21)
    assert stage.said == [("kafka_unreachable", "warning", 20)]


def test_kafka_that_comes_back_is_said_and_that_it_went_again() -> None:
    """Its second outage counts from its own beginning."""
    stage = Stage()
    reached = [stage.reach.is_reached]
    stage.until(1, "all_brokers_down")
    stage.reach.reached(10)
    stage.until(100)
    reached.append(stage.reach.is_reached)
    stage.until(101, "transport", "all_brokers_down")
    reached.append(stage.reach.is_reached)
    stage.reach.reached(130)
    assert reached == [False, True, False]
    assert stage.said == [
        ("kafka_unreachable", "warning", 1),
        ("kafka_reached", "info", 10),
        ("kafka_unreachable", "warning", 0),
        ("kafka_reached", "info", 29),
    ]


def test_one_broker_of_several_that_fails_is_a_kafka_error_once_a_minute() -> None:
    """The others are reached."""
    stage = Stage()
    stage.reach.reached(0)
    stage.until(1.5 * MINUTE, "transport")
    assert stage.said == [("kafka_error", "warning", None), ("kafka_error", "warning", None)]


def test_one_bootstrap_server_that_fails_at_the_start_is_not_all_of_them() -> None:
    """The others may just take their time."""
    stage = Stage()
    stage.until(5, "transport")
    stage.reach.reached(5)
    stage.until(30)
    assert stage.said == [("kafka_error", "warning", None)]


def test_kafka_that_is_reached_at_the_first_try_is_no_line() -> None:
    stage = Stage()
    stage.reach.reached(0)
    stage.until(MINUTE)
    assert stage.said == []
