"""Round trips from librdkafka's statistics."""

from __future__ import annotations

import json
from typing import Any

from connector.edge.kafka.round_trips import RoundTrips, brokers


def told(name: str, count: int, average: int, state: str = "UP", nodeid: int = 1) -> dict[str, Any]:
    return {"name": name, "nodeid": nodeid, "state": state, "rtt": {"cnt": count, "avg": average}}


def statistics(*brokers: dict[str, Any]) -> str:
    return json.dumps({"brokers": {broker["name"]: broker for broker in brokers}})


def test_only_the_brokers_are_read_of_a_megabyte_of_statistics() -> None:
    """What comes after them need not even be JSON."""
    text = statistics(told("a:9092/1", 3, 2500))[:-1]
    assert [broker["name"] for broker in brokers(f'{text}, "topics":')] == ["a:9092/1"]


def test_they_are_the_last_that_were_measured_of_brokers_that_are_connected() -> None:
    """An interval without a question has no round trip, not one of 0; a broker that is down has none."""
    trips = RoundTrips()
    trips.told(
        statistics(told("a:9092/1", 3, 2500), told("b:9092/2", 1, 400), told("a:9092/bootstrap", 1, 9, nodeid=-1))
    )
    assert trips.seconds == {("a:9092/1",): 0.0025, ("b:9092/2",): 0.0004}
    trips.told(statistics(told("a:9092/1", 0, 0), told("b:9092/2", 0, 0, "DOWN")))
    assert trips.seconds == {("a:9092/1",): 0.0025}
    trips.told("{}")
    assert trips.seconds == {}
