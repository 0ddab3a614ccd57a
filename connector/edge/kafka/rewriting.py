"""Records of a topic written anew, and its group's commit moved behind the old ones, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from connector.core.record import Partition
from connector.core.signals import Commit
from connector.edge.kafka.admin import SILENT, AdminError
from connector.edge.kafka.copies import FENCED, NOT_TAKEN, PROMISED, Copy, produce
from connector.edge.kafka.errors import name_of
from connector.edge.kafka.sole import SoleMember
from connector.edge.kafka.tokens import keep

_TRANSACTION_MS = 300_000
"""A partition is one transaction. That of a killed command is ended by the next one at once, by the brokers after this
time; until then nobody reads beyond it."""

_ANSWER = 30.0
_STRANGERS = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.STALE_MEMBER_EPOCH,
    }
)
"""What the coordinator answers to a commit of a membership that is over."""

_EACH = 500
"""Records between two looks at whether the group is still ours alone."""


class Rewriting:
    """Writes for a group whose `member` this process is alone. Calls block, and raise AdminError."""

    def __init__(self, properties: Mapping[str, Any], transactional_id: str) -> None:
        """`properties` are the producers'. Ends what another process of this id has open: it can write no more."""
        transactional = {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": _TRANSACTION_MS,
            "queue.buffering.max.kbytes": 65_536,
            "batch.size": 65_536,  # far below any topic's limit: a refusal for size means a record, not its batch
        }
        self._failed: KafkaError | None = None
        try:
            self._producer = Producer({**properties, **PROMISED, **transactional}, logger=SILENT)
            keep(self._producer, properties)
            self._producer.init_transactions(_ANSWER)
        except KafkaException as raised:
            error = raised.args[0]
            if error.code() in NOT_TAKEN:
                raise AdminError(
                    name_of(error), f"this needs transactions: grant WRITE on the transactional id {transactional_id}"
                ) from None
            raise AdminError.of(error) from None

    def write(self, copies: Iterable[Copy], member: SoleMember, partition: Partition, commit: Commit) -> None:
        """Write all `copies` and make the commit, as a whole or not at all.

        Whatever `copies` raise is raised, and nothing was written.
        """
        self._failed = None
        place = TopicPartition(partition.topic, partition.number, commit.offset, commit.metadata)
        try:
            self._producer.begin_transaction()
            for number, copy in enumerate(copies):
                produce(self._producer, copy, self._report)
                if number % _EACH == 0:
                    self._producer.poll(0)
                    member.check()
            self._producer.send_offsets_to_transaction([place], member.metadata, _ANSWER)
            self._producer.commit_transaction(_ANSWER)
        except KafkaException as raised:
            self._abort()
            code = raised.args[0].code()
            if code in FENCED:
                raise AdminError("fenced", "another command like this one began meanwhile") from None
            if code in _STRANGERS:
                raise AdminError("rebalanced", "another member joined the group: a connector was started") from None
            raise AdminError.of(self._first(raised.args[0])) from None
        except BaseException:
            self._abort()
            raise

    def _first(self, error: KafkaError) -> KafkaError:
        return self._failed or error

    def _abort(self) -> None:
        with suppress(KafkaException):
            self._producer.abort_transaction(_ANSWER)

    def _report(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._failed is None:
            self._failed = error
