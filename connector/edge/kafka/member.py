"""A member of the consumer group: the one thread that owns its Consumer and makes every call on it.

Calls from a second thread would be serialised behind the poll under way and starve (pitfalls: over 6 s), and no
callback may raise: the batch fetched meanwhile would be thrown away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connector.core.record import Partition
from connector.core.signals import Asleep, Commit, Counted, Failed, Lost, Revoking, SourceEvent, Taken
from connector.edge.kafka.client_errors import ClientErrors
from connector.edge.kafka.commands import Close, Command, Release, Send, Sleep, Wake
from connector.edge.kafka.commits import Commits
from connector.edge.kafka.credit import MemberCredit, Verdict
from connector.edge.kafka.ends import Ends
from connector.edge.kafka.identity import LogIdentities
from connector.edge.kafka.joining import Joining
from connector.edge.kafka.leaving import leave
from connector.edge.kafka.memberships import Membership, is_eager
from connector.edge.kafka.owned import OwnedPartitions
from connector.edge.kafka.records import records_of
from connector.edge.kafka.starts import NoStartError, Starts, Subscription, first_commits
from connector.edge.kafka.topics import TopicWatch
from connector.edge.kafka.verdicts import CREATED_ANEW
from connector.edge.kafka.waits import Waits

_log = logging.getLogger(__name__)

_BATCH = 500

_RELEASE_GRACE = 5.0
"""Seconds beyond the drain's budget that a revoke waits for the engine."""

_NEW_CLIENT_PAUSE = 1.0
"""Seconds between two clients."""


class Callbacks(NamedTuple):
    """Who is told, each from the owner's thread: what happens, the names of errors that pass, and statistics."""

    tell: Callable[[SourceEvent], None]
    report: Callable[[str], None]
    statistics: Callable[[str], None]


class Member:
    """`run` is the owner's thread. Others may put `commands`, read `turned_at` and `topics.missing`, and wait for
    `joined`: the group answered with an assignment, be it of nothing."""

    def __init__(
        self,
        membership: Membership,
        subscription: Subscription,
        identities: LogIdentities,
        credit: MemberCredit,
        callbacks: Callbacks,
    ) -> None:
        self._properties = membership.properties
        self._incremental = not is_eager(membership.properties)
        self._reads = list(membership.topics)
        self._subscription = subscription
        self._identities = identities
        self._credit = credit
        self._callbacks = callbacks
        self._tell = callbacks.tell
        self._starts = Starts(self._properties, subscription, identities, self._is_being_asked)
        self._commits = Commits(callbacks.tell, callbacks.report, is_shadow=subscription.is_shadow)
        self._owned = OwnedPartitions()
        self._ends = Ends()
        self._waits = Waits()
        self._consumer: Consumer
        self._deferred: deque[Command] = deque()
        self._closing = False
        self.commands: SimpleQueue[Command] = SimpleQueue()
        self.topics = TopicWatch(identities.admin, membership.topics)
        self._joining = Joining(identities.admin, membership.properties)
        self._errors = ClientErrors(callbacks.tell, callbacks.report, self.topics, membership.properties)
        self.turned_at = time.monotonic()
        self.joined = threading.Event()

    def run(self) -> None:
        """From joining to leaving; a last `Failed` when it cannot go on."""
        try:
            while not self._closing:
                self._live_one_life()
        except KafkaException as raised:
            self._errors.fail(raised.args[0])
        except Exception as raised:  # whatever it is, the engine must learn that nothing more will come
            self._say_fault(raised)

    def _live_one_life(self) -> None:
        """One client's; it ends before we are told to close when only a new client can go on."""
        self._errors.begin()
        self._consumer = Consumer(
            {
                **self._properties,
                "on_commit": self._commits.answered,
                "error_cb": self._errors.meet,
                "stats_cb": self._callbacks.statistics,
            },
            logger=logging.getLogger("librdkafka"),
        )
        self._identities.ask(self._reads[0])
        self._consumer.subscribe(
            self._reads,
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        while not (self._closing or self._errors.wants_new_client):
            self._turn()
        leave(self._consumer, self._properties)
        self._commits.give_up()
        if not self._closing:
            self._wait_for_command(_NEW_CLIENT_PAUSE)

    def _turn(self) -> None:
        self.turned_at = time.monotonic()
        if self.topics.turn(self.turned_at):
            self._give_up_other_lives()
            self._tell(Counted(dict(self.topics.partitions)))
        while self._deferred:
            self._carry_out(self._deferred.popleft())
        while not self.commands.empty():
            self._carry_out(self.commands.get_nowait())
        if self._closing:
            return
        if not self.joined.is_set() and self._joining.turn(self.turned_at, self._consumer.memberid()):
            self._has_joined()
        verdict = self._credit.look(self.turned_at)
        if verdict is Verdict.PAUSE:
            self._consumer.pause(_native(self._owned.awake))
        elif verdict is Verdict.RESUME:
            self._consumer.resume(_native(self._owned.awake))
        if verdict is Verdict.WAIT or verdict is Verdict.PAUSE:
            self._wait_while_full()
        else:
            self._poll()

    def _poll(self) -> None:
        busy = self._commits.under_way or self._credit.is_in_use
        first = self._consumer.poll(self._waits.look(self.turned_at, busy=busy))
        if first is not None:
            # poll and then take the rest: consume(500, 0.2) would sit out its time-out unless 500 come (pitfalls).
            self._take([first, *self._consumer.consume(_BATCH - 1, 0)])

    def _wait_while_full(self) -> None:
        has_answer = not self._commits.under_way
        self._wait_for_command(self._waits.look(self.turned_at, busy=True, woken=has_answer))
        # The engine may wait for a commit's answer before it makes room, and a hold can last: only poll brings the
        # answer, lets the group ask partitions back, and tells it that we live. At most one record too many a turn
        # comes with it, and none while everything is paused.
        must_poll = self._commits.under_way or self._credit.paused
        if must_poll and (message := self._consumer.poll(0)) is not None:
            self._take([message])

    def _wait_for_command(self, seconds: float) -> None:
        try:
            self._carry_out(self.commands.get(timeout=seconds))
        except Empty:
            pass

    def _take(self, messages: list[Message]) -> None:
        records, size, errors = records_of(messages)
        ends: dict[Partition, int | None] = {}
        for message in errors:
            self._meet(message, ends)
        if records:
            self._credit.use(len(records), size)
            self._ends.hand_over(records)
            self._tell(Taken(records))
        for gap in self._ends.reach(ends):
            self._tell(gap)

    def _meet(self, message: Message, ends: dict[Partition, int | None]) -> None:
        """It is an error, or that the client is at the end of a log: noted in `ends`, and None for what is in doubt."""
        error, topic, number = message.error(), message.topic(), message.partition()
        assert error is not None
        is_end = error.code() == KafkaError._PARTITION_EOF
        if topic is not None and number is not None:
            partition = Partition(topic, number)
            is_sure = is_end and ends.get(partition, 0) is not None
            ends[partition] = message.offset() if is_sure else None
        if not is_end:
            self._errors.meet(error, topic)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Send(offsets):
                # What went before the engine heard of it may have been committed by its next owner since: the broker
                # would take ours all the same, and that commit would go back.
                self._commits.send(self._consumer, {p: commit for p, commit in offsets.items() if self._owned.has(p)})
                self._waits.committing(time.monotonic())
            case Sleep(partition, offset, assignment):
                self._put_to_sleep(partition, offset, assignment)
            case Wake(partition):
                if self._owned.wake(partition) and not self._credit.paused:
                    self._consumer.resume(_native([partition]))
            case Close(offsets):
                self._closing = True
                self._commits.send_last(self._consumer, offsets, self._owned.has)
            case Release():
                # The revoke that it answers was given up meanwhile: these partitions are not ours to commit.
                pass

    def _put_to_sleep(self, partition: Partition, offset: int, assignment: int) -> None:
        if not self._owned.fall_asleep(partition, assignment):
            # It went, and may have come back: moved to that offset now, what lies before it would be skipped.
            return
        self._consumer.pause(_native([partition]))
        self._consumer.seek(TopicPartition(partition.topic, partition.number, offset))
        self._ends.begin(partition, offset)
        self._tell(Asleep(partition))

    def _give_up_other_lives(self) -> None:
        """A topic that was created anew: what we know and would commit is of a log that is no more."""
        gone = self._owned.of_another_life(self.topics.ids)
        if gone:
            self._owned.go(gone)
            self._tell(Lost(gone))
            # The client went on at the old one's offset, and what we committed since lies behind records nobody read.
            self._commits.send_unasked(self._consumer, {partition: Commit(0, "") for partition in gone})
            self._errors.stop(CREATED_ANEW, min(gone).topic)

    def _has_joined(self) -> None:
        self.joined.set()
        self._errors.joined()

    # Callbacks: none may raise.

    def _on_assign(self, consumer: Consumer, native: list[TopicPartition]) -> None:
        try:
            assign = consumer.incremental_assign if self._incremental else consumer.assign
            starts = self._starts.of(consumer, native)
            places = [start.native for start in starts]
            assign(places)
            # A partition that was paused when it went comes back paused, and would deliver nothing (pitfalls).
            # While the engine is full it is paused like the others, or nobody would let it go on when there is room.
            (consumer.pause if self._credit.paused else consumer.resume)(places)
        except KafkaException as raised:
            self._errors.fail(raised.args[0])
            return
        except NoStartError as refused:
            self._errors.stop(refused.row, refused.topic)
            with suppress(KafkaException):
                # The client takes them by itself otherwise, and their records come. With none of them taken it could
                # not leave the group.
                assign(native)
                consumer.pause(native)
            return
        except Exception as raised:  # raised from here it would cost a batch, and the close would hang (pitfalls)
            self._say_fault(raised)
            return
        self._has_joined()
        self.topics.look_anew()
        # At once: a crash before the first commit must not move the start to a later end of the log.
        self._commits.send_unasked(consumer, first_commits(starts))
        for assigned in (start.assigned for start in starts):
            identity = assigned.identity
            self._owned.come(assigned.partition, None if identity is None else identity.topic_id)
            self._ends.begin(assigned.partition, assigned.position)
            self.topics.see(assigned.partition.topic)
            self._tell(assigned)

    def _on_revoke(self, consumer: Consumer, native: list[TopicPartition]) -> None:
        """The drain happens inside this callback: when it returns, the partitions are gone."""
        partitions = _partitions(native)
        self._owned.go(partitions)
        if self._closing or not partitions:
            return
        budget = self._subscription.drain
        self._tell(Revoking(partitions, budget))
        deadline = time.monotonic() + budget
        while True:
            self.turned_at = now = time.monotonic()
            # The grace begins when the end of the budget is noticed: after a stall of the process the answers that
            # came in time are still on their way through the event loop.
            left = max(deadline - now, 0.0)
            try:
                command = self.commands.get(timeout=min(left, 1.0) or _RELEASE_GRACE)
            except Empty:
                if not left:
                    return
                continue
            match command:
                case Release(offsets):
                    # Asynchronous: librdkafka finishes it before it rejoins, and its answer is not served in here.
                    self._commits.send_unasked(consumer, offsets)
                    return
                case Close(offsets):
                    # Told to stop in the middle of a hand-over: after this callback it is too late to commit these.
                    self._commits.send_unasked(consumer, offsets)
                    self._deferred.append(command)
                    return
                case Send(offsets):
                    self._commits.send(consumer, offsets)
                case _:
                    self._deferred.append(command)

    def _on_lost(self, _consumer: Consumer, native: list[TopicPartition]) -> None:
        partitions = _partitions(native)
        self._owned.go(partitions)
        self._tell(Lost(partitions))

    def _is_being_asked(self, error: KafkaError | None) -> None:
        """A start is being looked up. A coordinator that does not answer is no reason to restart this process."""
        self.turned_at = time.monotonic()
        if error is not None:
            self._errors.meet(error)

    def _say_fault(self, raised: Exception) -> None:
        _log.exception("consumer_fault")
        self._tell(Failed("consumer_fault", f"a bug of ours ({type(raised).__name__}): report it"))


def _native(partitions: Collection[Partition]) -> list[TopicPartition]:
    return [TopicPartition(partition.topic, partition.number) for partition in partitions]


def _partitions(native: list[TopicPartition]) -> frozenset[Partition]:
    return frozenset(Partition(tp.topic, tp.partition) for tp in native)
