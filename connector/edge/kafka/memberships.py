"""Which members of the group one process is: docs/decisions/0001-a-member-for-each-topic.md says why several."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

_STRATEGY, COOPERATIVE, _NAME = "partition.assignment.strategy", "cooperative-sticky", "group.instance.id"

_DEFAULTS: Mapping[str, object] = {
    # Partitions that are added are read that soon; by default after up to 5 minutes. With 1,000 partitions it costs no
    # CPU that could be measured. With KIP-848 the broker tells of them by itself.
    "topic.metadata.refresh.interval.ms": 10_000,
    # Bytes of one answer. What is asked for while there is room is taken whatever it is: by default 1 MiB of each
    # partition, 6,000 small events, and 50 MiB of all. With 2 MiB events of 64 KiB cost a seventh more CPU.
    "fetch.max.bytes": 4 * 1024 * 1024,
}
"""What `kafka.client` may set otherwise."""

_PROMISED: Mapping[str, object] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "check.crcs": True,
    "queued.min.messages": 1000,
    "fetch.queue.backoff.ms": 50,
}
"""What the promises rest on: only we commit, nothing is skipped silently, commits follow the log past what is no
record, memory is bounded at full speed."""

_TELLS: Mapping[str, object] = {"statistics.interval.ms": 15_000}
"""For one member, as one knows of the brokers what all do: with 1,000 partitions statistics are a megabyte of text."""

_PREFETCHED, _PREFETCHED_RETRIES = 8192, 2048
"""KiB that librdkafka keeps ready, for each member: at full speed for the main topic, and a part of it for the retries,
most of which wait for their time."""


class Membership(NamedTuple):
    """One member: the topics it subscribes to and its properties of librdkafka."""

    topics: tuple[str, ...]
    properties: Mapping[str, object]


def memberships(properties: Mapping[str, object], main: str, retry: Collection[str]) -> list[Membership]:
    """The members of a process that reads these topics; the main topic's is the first, keeps the static name, and tells
    statistics.

    A group's assignors share a topic among its subscribers: a member for each topic makes them share each alone. The
    eager ones do so anyway, and every member more would be another rebalance that stops everybody.
    """
    if is_eager(properties):
        return [_membership({**properties, **_TELLS}, (main, *sorted(retry)), _PREFETCHED)]
    rest = [_membership(_renamed(properties, topic), (topic,), _PREFETCHED_RETRIES) for topic in sorted(retry)]
    return [_membership({**properties, **_TELLS}, (main,), _PREFETCHED), *rest]


def is_eager(properties: Mapping[str, object]) -> bool:
    """Whether a rebalance takes everything back. KIP-848 names no strategy, and is incremental."""
    return properties.get(_STRATEGY, COOPERATIVE) != COOPERATIVE


def static_names(properties: Mapping[str, object], main: str, retry: Collection[str]) -> list[str]:
    """The group.instance.id of each member; none when membership is dynamic."""
    members = memberships(properties, main, retry)
    return [str(member.properties[_NAME]) for member in members if _NAME in member.properties]


def _renamed(properties: Mapping[str, object], topic: str) -> Mapping[str, object]:
    """Two members of one name would fence each other."""
    return {**properties, _NAME: f"{properties[_NAME]}.{topic}"} if _NAME in properties else properties


def _membership(properties: Mapping[str, object], topics: tuple[str, ...], prefetched: int) -> Membership:
    ours = {"queued.max.messages.kbytes": prefetched, **_PROMISED}
    return Membership(topics, {**_DEFAULTS, **properties, **ours})
