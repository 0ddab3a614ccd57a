"""How long a broker takes to answer, from the statistics of a client whose questions wait for nothing.

Not the consumer's: a fetch of an idle topic waits at the broker for half a second, and would count as a round trip.
"""

from __future__ import annotations

import orjson

PROPERTIES = {"statistics.interval.ms": 10_000}


class RoundTrips:
    """Mean seconds by broker, of the last interval that had any; without brokers that are not connected."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, ...], float] = {}

    def told(self, statistics: str) -> None:
        """Take in librdkafka's statistics, as JSON."""
        before, self.seconds = self.seconds, {}
        for broker in orjson.loads(statistics).get("brokers", {}).values():
            name = (broker["name"],)
            # Below 0: an address to begin with, which is one of the brokers and has no name yet.
            if broker.get("nodeid", -1) < 0 or broker.get("state") != "UP":
                continue
            if broker.get("rtt", {}).get("cnt"):
                self.seconds[name] = broker["rtt"]["avg"] / 1e6
            elif name in before:
                self.seconds[name] = before[name]
