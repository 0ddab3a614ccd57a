"""Commits of one Consumer: sent without waiting, and each answer matched to what was sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connector.core.record import Partition
from connector.core.settled_map import as_shadows
from connector.core.signals import Commit, Committed, in_requests
from connector.edge.kafka.errors import name_of

_LAST = 8.0
"""Seconds for the last commit at shutdown: a synchronous one could block for the session time-out."""

_LAST_PAUSE, _LOOK = 0.1, 0.005
"""Seconds before the last commit is tried again, and for which a poll waits for its answer."""

_MAP_TOO_LARGE = "offset_metadata_too_large"
"""The last commit then goes without its maps: what is settled ahead is repeated, and not all of it."""

_UNANSWERED, _UNEXPECTED, _NOTHING_LEFT = "client_gone", "commit_unexpected", "partitions_gone"


class _Sent(NamedTuple):
    offsets: dict[Partition, int]
    asked: bool


class Commits:
    """On the owner's thread only. `tell` gets a `Committed` for each `send`; `report` the errors of all others.

    `is_shadow`: each commit says that a shadow made it.
    """

    def __init__(
        self, tell: Callable[[Committed], None], report: Callable[[str], None], *, is_shadow: bool = False
    ) -> None:
        self._is_shadow = is_shadow
        self._tell = tell
        self._report = report
        self._under_way: list[_Sent] = []
        self._refusals: set[str] = set()

    @property
    def under_way(self) -> bool:
        """Whether an answer is awaited, which only a poll brings."""
        return bool(self._under_way)

    def send(self, consumer: Consumer, offsets: Mapping[Partition, Commit]) -> None:
        """Commit what is left of what the engine asked for, in one request."""
        if offsets:
            self._send(consumer, offsets, asked=True)
        else:
            self._tell(Committed({}, _NOTHING_LEFT))

    def send_unasked(self, consumer: Consumer, offsets: Mapping[Partition, Commit]) -> None:
        """Commit what nobody waits for, in as many requests as it needs."""
        for part in in_requests(offsets):
            self._send(consumer, part, asked=False)

    def send_last(
        self, consumer: Consumer, offsets: Mapping[Partition, Commit], is_ours: Callable[[Partition], bool]
    ) -> None:
        """Try until it is taken, within a bound: a group or coordinator on the move refuses commits for a moment.

        A partition that goes meanwhile is left out.
        """
        deadline = time.monotonic() + _LAST
        while True:
            self._refusals.clear()
            left = {partition: commit for partition, commit in offsets.items() if is_ours(partition)}
            self.send_unasked(consumer, left)
            while self._under_way and time.monotonic() < deadline:
                consumer.poll(_LOOK)
            consumer.poll(0)  # an answer that came before the deadline, and was not looked at
            if not (left and self._refusals) or time.monotonic() >= deadline:
                return
            if _MAP_TOO_LARGE in self._refusals:
                offsets = {partition: commit._replace(metadata="") for partition, commit in offsets.items()}
            consumer.poll(_LAST_PAUSE)

    def answered(self, error: KafkaError | None, native: list[TopicPartition]) -> None:
        """The client's callback: must not raise. An answer to nothing that was sent says nothing."""
        offsets = {Partition(tp.topic, tp.partition): tp.offset for tp in native}
        sent = next((sent for sent in self._under_way if sent.offsets == offsets), None)
        if sent is None:
            self._report(_UNEXPECTED)
            return
        self._under_way.remove(sent)
        failed = error or next((tp.error for tp in native if tp.error is not None), None)
        self._pass_on(sent, None if failed is None else name_of(failed))

    def give_up(self) -> None:
        """The client is gone, and with it every answer: what is under way counts as refused."""
        gone, self._under_way = self._under_way, []
        for sent in gone:
            self._pass_on(sent, _UNANSWERED)

    def _send(self, consumer: Consumer, offsets: Mapping[Partition, Commit], *, asked: bool) -> None:
        if self._is_shadow:
            offsets = {p: commit._replace(metadata=as_shadows(commit.metadata)) for p, commit in offsets.items()}
        native = [TopicPartition(p.topic, p.number, c.offset, metadata=c.metadata) for p, c in offsets.items()]
        sent = _Sent({partition: commit.offset for partition, commit in offsets.items()}, asked)
        try:
            consumer.commit(offsets=native, asynchronous=True)
        except KafkaException as raised:
            self._pass_on(sent, name_of(raised.args[0]))
        else:
            self._under_way.append(sent)

    def _pass_on(self, sent: _Sent, error: str | None) -> None:
        if sent.asked:
            self._tell(Committed(sent.offsets, error))
        elif error is not None:
            self._refusals.add(error)
            self._report(f"commit_{error}")
