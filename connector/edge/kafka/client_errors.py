"""What becomes of the errors of a member's client: counted, waited out with a new client, or the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError

from connector.core.signals import Failed
from connector.edge.kafka.errors import DAMAGED, UNKNOWN_TOPIC, name_of, row_of
from connector.edge.kafka.tokens import Tokens, lacks_token
from connector.edge.kafka.topics import TopicWatch
from connector.edge.kafka.verdicts import NO_TOKEN, NOT_CONVERTIBLE, Action, Operation, Row

_RELEASE_PATIENCE = 120.0
"""Seconds that a static member waits for its name, which a broker holds for a process that died until its session
ends (KIP-848: 45 s by default)."""

_REFUSED = "authentication_failed"
_NO_SUCH_GROUP = KafkaError(KafkaError.GROUP_ID_NOT_FOUND).str()


class ClientErrors:
    """Carries out the table's rows for reading. On the owner's thread only; nothing here raises.

    `properties` are the client's. `wants_new_client` stays until `begin`.
    """

    def __init__(
        self,
        tell: Callable[[Failed], None],
        report: Callable[[str], None],
        topics: TopicWatch,
        properties: Mapping[str, object],
    ) -> None:
        self._tell = tell
        self._report = report
        self._topics = topics
        self._began_at = time.monotonic()
        self._waits_for_name = "group.instance.id" in properties
        self._joins_by_broker = properties.get("group.protocol") == "consumer"
        self._tokens = Tokens(properties)
        self.wants_new_client = False

    def begin(self) -> None:
        """A client is about to be made."""
        self.wants_new_client = False

    def joined(self) -> None:
        """The group knows us: from here on another member with our name is another process."""
        self._waits_for_name = False
        self._tokens.worked()

    def meet(self, error: KafkaError, topic: str | None = None) -> None:
        """An error that the client told by itself, of this topic where it is about one."""
        if lacks_token(error):
            self._tokens.missing(time.monotonic())
            self._report(NO_TOKEN.name)
            return
        if self._is_not_convertible(error):
            self.stop(NOT_CONVERTIBLE)
            return
        row = row_of(Operation.CONSUME, error)
        if row.name == _REFUSED and self._tokens.may_have_expired(time.monotonic()):
            self._report(NO_TOKEN.name if self._tokens.are_missing else name_of(error))
            return
        action = Action.NEW_CLIENT if self._may_be_unreleased(error) else row.action
        if row is DAMAGED and topic is None:
            action = Action.WAIT
        if action is Action.STOP:
            self.stop(row, topic)
        elif action is not Action.IGNORE:
            self.wants_new_client = self.wants_new_client or action is Action.NEW_CLIENT
            self._report(name_of(error))
        if row is UNKNOWN_TOPIC and topic:
            self._topics.miss(topic)

    def fail(self, error: KafkaError) -> None:
        """An error without which we cannot go on, whatever its row says."""
        row = row_of(Operation.CONSUME, error)
        if row.action is Action.STOP:
            self.stop(row)
        else:
            remedy = "Kafka refused what the consumer needs; `connector check --live` looks at it from outside"
            self._tell(Failed(name_of(error), remedy))

    def stop(self, row: Row, topic: str | None = None) -> None:
        """The process ends."""
        self._tell(Failed(row.name, f"topic {topic}: {row.remedy}" if topic else row.remedy))

    def _is_not_convertible(self, error: KafkaError) -> bool:
        return self._joins_by_broker and error.code() == KafkaError._FATAL and _NO_SUCH_GROUP in error.str()

    def _may_be_unreleased(self, error: KafkaError) -> bool:
        """Whether our name may still belong to a process that died: the client then only says that it is fatal."""
        fatal = error.code() == KafkaError._FATAL
        return fatal and self._waits_for_name and time.monotonic() - self._began_at < _RELEASE_PATIENCE
