"""How long a broker takes to answer, from the statistics of a client whose questions wait for nothing.

Not the consumer's: a fetch of an idle topic waits at the broker for half a second, and would count as a round trip.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

PROPERTIES = {"statistics.interval.ms": 10_000}

_BROKERS = '"brokers":'


def brokers(statistics: str) -> Collection[Mapping[str, Any]]:
    """The brokers in librdkafka's statistics, by which a client tells of them.

    Nothing else of the text is read: a consumer's has more than a megabyte with 1,000 partitions.
    """
    begins = statistics.find("{", statistics.find(_BROKERS))
    return json.JSONDecoder().raw_decode(statistics, begins)[0].values() if _BROKERS in statistics else ()


class RoundTrips:
    """Mean seconds by broker, of the last interval that had any; without brokers that are not connected."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, ...], float] = {}

    def told(self, statistics: str) -> None:
        """Take in librdkafka's statistics, as JSON."""
        before, self.seconds = self.seconds, {}
        for broker in brokers(statistics):
            name = (broker["name"],)
            # Below 0: an address to begin with, which is one of the brokers and has no name yet.
            if broker.get("nodeid", -1) < 0 or broker.get("state") != "UP":
                continue
            if broker.get("rtt", {}).get("cnt"):
                self.seconds[name] = broker["rtt"]["avg"] / 1e6
            elif name in before:
                self.seconds[name] = before[name]
