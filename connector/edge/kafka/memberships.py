"""Which members of the group one process is: docs/decisions/0001-a-member-for-each-topic.md says why several."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

_STRATEGY, COOPERATIVE, _NAME = "partition.assignment.strategy", "cooperative-sticky", "group.instance.id"

_PREFETCHED, _PREFETCHED_RETRIES = 8192, 2048
"""KiB that librdkafka keeps ready, for each member: at full speed for the main topic, and a part of it for the retries,
most of which wait for their time."""


class Membership(NamedTuple):
    """One member: the topics it subscribes to and its properties of librdkafka."""

    topics: tuple[str, ...]
    properties: Mapping[str, object]


def memberships(properties: Mapping[str, object], main: str, retry: Collection[str]) -> list[Membership]:
    """The members of a process that reads these topics; the main topic's is the first, and keeps the static name.

    A group's assignors share a topic among its subscribers: a member for each topic makes them share each alone. The
    eager ones do so anyway, and every member more would be another rebalance that stops everybody.
    """
    if is_eager(properties):
        return [_membership(properties, (main, *sorted(retry)), _PREFETCHED)]
    rest = [_membership(_renamed(properties, topic), (topic,), _PREFETCHED_RETRIES) for topic in sorted(retry)]
    return [_membership(properties, (main,), _PREFETCHED), *rest]


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
    return Membership(topics, {**properties, "queued.max.messages.kbytes": prefetched})
