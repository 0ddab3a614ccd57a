"""How a member leaves its group: `close()` of librdkafka says no goodbye for one that has no partition."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException

from connector.edge.kafka.memberships import is_eager

_PATIENCE, _TURN = 9.0, 0.02
"""Seconds for a rebalance under way to end, before which the group lets nobody go, and between two looks."""


def leave(consumer: Consumer, properties: Mapping[str, object]) -> None:
    """Leave the group and close. Up to 14 seconds: librdkafka waits 5 for the group's answer.

    With the classic protocol and `cooperative-sticky`, `close()` sends no LeaveGroup while nothing is assigned, and the
    group counts the member until its session ends: up to 45 seconds in which no rebalance can end
    (`findings/cooperative_idle_close.sh`). `unsubscribe()` sends it. A static member is to be counted.
    """
    is_static = "group.instance.id" in properties
    if properties.get("group.protocol") != "consumer" and not is_eager(properties) and not is_static:
        _unsubscribe(consumer)
    consumer.close()


def _unsubscribe(consumer: Consumer) -> None:
    deadline = time.monotonic() + _PATIENCE
    try:
        # Amid a rebalance it is put off, also to after one that then failed: so it is asked for again and again. Who is
        # given a partition meanwhile needs it no more.
        while consumer.memberid() and not consumer.assignment() and time.monotonic() < deadline:
            consumer.unsubscribe()
            consumer.poll(_TURN)
    except KafkaException:  # after a fatal error the group counts it no more
        pass
