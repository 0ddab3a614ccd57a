"""What the brokers say of themselves, of topics and of our rights; and new topics. Calls block, with a time-out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple, Self, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the library does not say that it exports these
    AclOperation,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from connector.edge.kafka.bounds import asking_client
from connector.edge.kafka.errors import REFUSED_CREDENTIALS, name_of

T = TypeVar("T")

SILENT = logging.getLogger("librdkafka.admin")
"""For clients of commands."""
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False  # its errors come back as values, with the client's own words in `detail`

_ABSENT = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND})
_LOADING = frozenset({"coordinator_load_in_progress", "coordinator_not_available", "not_coordinator"})
"""A group's first coordinator takes a moment."""
_LOADING_PAUSE = 0.1
_REBALANCE_PROTOCOLS = "group.coordinator.rebalance.protocols"


_NOT_REACHED = frozenset({"timed_out", "transport", "all_brokers_down"})
"""What the client answers when no connection came about, whatever kept it from that."""


class AdminError(Exception):
    """The brokers could not be asked, or refused. `code` is the error's bounded name, `detail` the client's words."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code} ({detail})" if detail else code)
        self.code = code
        self.detail = detail

    @property
    def is_unreached(self) -> bool:
        """Whether no connection came about, whatever kept it from that."""
        return self.code in _NOT_REACHED

    @classmethod
    def of(cls, error: KafkaError) -> Self:
        """The library's error as ours."""
        return cls(name_of(error), error.str())


class Cluster(NamedTuple):
    """The brokers, as one of them sees them."""

    cluster_id: str | None
    brokers: tuple[int, ...]


class Topic(NamedTuple):
    """A topic as it is. `configs` and `operations` (READ, WRITE …) are None where we may not see them; `leaderless` are
    the partitions that no broker serves now."""

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str] | None
    operations: frozenset[str] | None
    leaderless: tuple[int, ...] = ()


class TopicPlan(NamedTuple):
    """A topic as it shall be."""

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


class KafkaAdmin:
    """Questions to the brokers. `properties` are librdkafka's for the connection; `timeout` in seconds, for each."""

    def __init__(self, properties: Mapping[str, Any], timeout: float = 10.0) -> None:
        """Raises AdminError when librdkafka refuses the properties."""
        self._timeout = timeout
        self._last_words = ""
        self._is_refused = False
        try:
            self._client = asking_client({**properties, "error_cb": self._hear}, SILENT)
        except KafkaException as raised:
            raise AdminError.of(raised.args[0]) from None

    def cluster(self) -> Cluster:
        """Who answers. Raises AdminError."""
        try:
            # Not `describe_cluster`, on whose answer librdkafka 2.16.0 can abort the process.
            found = self._client.list_topics(timeout=self._timeout)
        except KafkaException as raised:
            raise self._refusal(raised.args[0]) from None
        return Cluster(found.cluster_id, tuple(sorted(found.brokers)))

    def topic(self, name: str) -> Topic | None:
        """The topic, or None when there is none of that name (or none that we may know of). Raises AdminError."""
        asked = self._client.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=self._timeout
        )
        try:
            found = self._answer(asked[name])
        except AbsentError:
            return None
        return Topic(
            name,
            len(found.partitions),
            min((len(partition.replicas) for partition in found.partitions), default=0),
            self._configs(ResourceType.TOPIC, name),
            _operations(found.authorized_operations),
            tuple(partition.id for partition in found.partitions if partition.leader is None),
        )

    def create(self, plan: TopicPlan) -> None:
        """Create a topic; -1 partitions or replicas are the broker's default. Raises AdminError."""
        new = NewTopic(plan.name, plan.partitions, plan.replication_factor, config=dict(plan.configs))
        self._answer(self._client.create_topics([new], request_timeout=self._timeout)[plan.name])

    def delete_topic(self, name: str) -> None:
        """Delete a topic, if there is one. Raises AdminError."""
        with suppress(AbsentError):
            self._answer(self._client.delete_topics([name], request_timeout=self._timeout)[name])

    def delete_group(self, group_id: str) -> None:
        """Delete a group without members, if there is one. Raises AdminError."""
        with suppress(AbsentError):
            self._answer(self._client.delete_consumer_groups([group_id], request_timeout=self._timeout)[group_id])

    def group_operations(self, group_id: str) -> frozenset[str] | None:
        """What we may do with the group; None when the brokers do not know it yet or do not say. Raises AdminError."""
        found = self._described(group_id)
        return None if found is None else _operations(found.authorized_operations)

    def rebalance_protocols(self, broker: int) -> frozenset[str] | None:
        """The group protocols that a broker offers; empty before 3.7, None when we may not see its settings."""
        configs = self._configs(ResourceType.BROKER, str(broker))
        if configs is None:
            return None
        return frozenset(name.strip() for name in configs.get(_REBALANCE_PROTOCOLS, "").split(",") if name.strip())

    def _described(self, group_id: str) -> Any:
        """The library's description of a group; None when the brokers know none of that name."""

        def ask() -> Any:
            asked = self._client.describe_consumer_groups(
                [group_id], include_authorized_operations=True, request_timeout=self._timeout
            )
            return self._answer(asked[group_id])

        try:
            return self._once_loaded(ask)
        except AbsentError:
            return None

    def _once_loaded(self, ask: Callable[[], T]) -> T:
        """The answer of a group's coordinator, asked again while it is not there yet."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                return ask()
            except AdminError as error:
                if error.code not in _LOADING or time.monotonic() > deadline:
                    raise
            time.sleep(_LOADING_PAUSE)

    def _configs(self, kind: ResourceType, name: str) -> Mapping[str, str] | None:
        resource = ConfigResource(kind, name)
        try:
            found = self._answer(self._client.describe_configs([resource], request_timeout=self._timeout)[resource])
        except AdminError:
            return None
        return {key: entry.value for key, entry in found.items() if entry.value is not None}

    def _answer(self, future: Future[Any]) -> Any:
        try:
            # The request has its own time-out; this one is for a future that nobody would ever resolve.
            return future.result(self._timeout * 2)
        except KafkaException as raised:
            error = raised.args[0]
            if error.code() in _ABSENT:
                raise AbsentError.of(error) from None
            raise self._refusal(error) from None
        except TimeoutError:
            raise self._unanswered("timed_out", "no answer") from None

    def _refusal(self, error: KafkaError) -> AdminError:
        self._client.poll(0)  # serves _hear
        return self._unanswered(name_of(error), error.str())

    def _unanswered(self, code: str, detail: str) -> AdminError:
        if self._is_refused and code in _NOT_REACHED:
            code = REFUSED_CREDENTIALS.name
        return AdminError(code, self._last_words or detail)

    def _hear(self, error: KafkaError) -> None:
        """Keep why no broker was reached: the answer itself only says that time ran out."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._last_words = error.str()
            self._is_refused = error.code() == KafkaError._AUTHENTICATION


class AbsentError(AdminError):
    """There is nothing of that name."""


def _operations(found: Iterable[AclOperation] | None) -> frozenset[str] | None:
    return None if found is None else frozenset(operation.name for operation in found)
