"""Where an assigned partition starts, by what a consumer and the brokers tell."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from connector.core.record import Partition
from connector.core.settled_map import LogIdentity
from connector.edge.kafka.identity import Log, LogIdentities, Logs
from connector.edge.kafka.starts import Starts, Subscription


class Identities:
    """Tells of the logs that it was given."""

    def __init__(self, logs: dict[Partition, Log]) -> None:
        self._logs = logs

    def of(self, partitions: Collection[Partition], **_kwargs: Any) -> Logs:
        return Logs({partition: self._logs[partition] for partition in partitions if partition in self._logs})


NEW, KNOWN, UNTOLD, SHORTENED = (Partition("invocations", number) for number in range(4))
LOGS = {
    partition: Log(LogIdentity("c", "t"), start, 90) for partition, start in ((NEW, 0), (KNOWN, 40), (SHORTENED, 40))
}
COMMITTED = {KNOWN: 70}


def _committed(native: list[TopicPartition], timeout: float) -> list[TopicPartition]:
    return [
        TopicPartition(tp.topic, tp.partition, COMMITTED.get(Partition(tp.topic, tp.partition), -1001)) for tp in native
    ]


@pytest.mark.parametrize(
    ("partition", "offset"),
    [(NEW, 0), (KNOWN, 70), (UNTOLD, OFFSET_BEGINNING), (SHORTENED, OFFSET_BEGINNING)],
)
def test_the_first_offset_is_given_as_a_number_where_nothing_was_deleted(partition: Partition, offset: int) -> None:
    """Asked for by the client, it is there after the first fetch began, which waits half a second for the others. Where
    retention deletes, a number may be gone by then, and the client's own question is answered with what is there."""
    subscription = Subscription("invocations", frozenset(), "earliest", 10)
    starts = Starts({}, subscription, cast("LogIdentities", Identities(LOGS)), lambda _error: None)
    consumer = cast("Consumer", SimpleNamespace(committed=_committed))
    (start,) = starts.of(consumer, [TopicPartition(*partition)])
    assert (start.native.offset, start.is_new) == (offset, False)
    assert start.assigned.position == COMMITTED.get(partition, 0)
