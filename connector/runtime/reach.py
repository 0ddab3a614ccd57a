"""Whether Kafka is reached at all: one line about that, instead of one for each connection that fails."""

from __future__ import annotations

from connector.edge.kafka.errors import ALL_DOWN, NOT_REACHED, remedy_of
from connector.edge.kafka.round_trips import brokers
from connector.edge.kafka.verdicts import NO_TOKEN
from connector.engine.ports import Clock
from connector.observe.events import KafkaEvents

_SILENT = 20.0
"""Seconds from the start without a broker or an error, as where the network drops what is sent: longer than the
consumer takes to tell its statistics, since a join may take longer than that."""
_EVERY = 60.0


class Reach:
    """What the clients say comes in, and `look`, about each second, says it.

    Times are seconds of a clock that never goes back; `began` is when the process did.
    """

    def __init__(self, events: KafkaEvents, bootstrap_servers: str, began: float) -> None:
        self._events = events
        self._servers = bootstrap_servers
        self._down_since: float | None = began
        self._said_at: float | None = None
        self._failed: set[tuple[str, str]] = set()

    @property
    def is_reached(self) -> bool:
        """Whether a broker was reached, and not all of them lost since."""
        return self._down_since is None

    @property
    def down_since(self) -> float | None:
        """Since when no broker is reached; None while one is."""
        return self._down_since

    def failed(self, client: str, code: str, now: float) -> None:
        """A connection of a client failed, with a code of `NOT_REACHED`."""
        self._events.connection_failed(client, code)
        self._failed.add((client, code))
        if (client, code) == ("consumer", ALL_DOWN) and self._down_since is None:
            self._down_since = now

    def reached(self, now: float) -> None:
        """The consumer is connected."""
        if self._down_since is not None and self._said_at is not None:
            self._events.kafka_reached(now - self._down_since)
        self._down_since = self._said_at = None

    def look(self, now: float, now_ms: int) -> None:
        """Say what is to be said; `now_ms` since the epoch."""
        failed, self._failed = self._failed, set()
        down = 0.0 if self._down_since is None else now - self._down_since
        is_first = self._said_at is None
        is_told = any(code == ALL_DOWN for _, code in failed) or down >= _SILENT
        if self._down_since is None or (is_first and not is_told):
            for client, code in sorted(failed):  # of one broker, as far as is known
                self._events.kafka_error(client, code, counted=True)
            return
        if self._said_at is not None and now - self._said_at < _EVERY:
            return
        self._said_at = now
        self._events.kafka_unreachable(self._servers, now_ms - round(down * 1000), down)


class Told:
    """What Kafka's clients say by themselves: errors and statistics."""

    def __init__(self, events: KafkaEvents, reach: Reach, clock: Clock, token_host: str | None) -> None:
        self._events = events
        self._reach = reach
        self._clock = clock
        self._token_host = token_host

    def consumer_error(self, code: str) -> None:
        """Of the consumer or a client that asks beside it."""
        self._error("consumer", code, self._remedy(code))

    def producer_error(self, code: str) -> None:
        """Of the producer."""
        self._error("producer", code, self._remedy(code) if code == NO_TOKEN.name else None)

    def statistics(self, statistics: str) -> None:
        """Of the main topic's consumer, as JSON."""
        if any(broker.get("state") == "UP" for broker in brokers(statistics)):
            self._reach.reached(self._clock.monotonic())

    def _error(self, client: str, code: str, remedy: str | None) -> None:
        if code in NOT_REACHED:
            self._reach.failed(client, code, self._clock.monotonic())
        else:
            self._events.kafka_error(client, code, remedy)

    def _remedy(self, code: str) -> str | None:
        remedy = remedy_of(code)
        return f"{self._token_host}: {remedy}" if code == NO_TOKEN.name else remedy
