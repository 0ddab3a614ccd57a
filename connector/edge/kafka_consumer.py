"""The flow's side of a group member: commands go to its thread, happenings come back to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping

from connector.core.record import Partition
from connector.core.signals import Assigned, Commit, SourceEvent
from connector.edge.kafka_commands import Close, Release, Send, Sleep, Wake
from connector.edge.kafka_identity import LogIdentities
from connector.edge.kafka_member import Ears, Member
from connector.edge.kafka_room import Room
from connector.edge.kafka_starts import Subscription

_GOODBYE = 15.0
"""Seconds for the last commit and leaving the group: the chart's grace period has 20 beyond the drain."""


class KafkaSource:
    """Satisfies `flow.ports.Source`. `properties` are librdkafka's, for the connection and the group.

    `on_error` is called on the event loop's thread with the bounded name of an error that passes by itself.
    """

    def __init__(
        self,
        properties: Mapping[str, object],
        subscription: Subscription,
        identities: LogIdentities,
        on_error: Callable[[str], None],
        on_statistics: Callable[[str], None],
    ) -> None:
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._events: deque[SourceEvent] = deque()
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()
        # How many of a partition's assignments the flow was told of: it can only mean the last of these.
        self._told: Counter[Partition] = Counter()
        ears = Ears(
            tell=lambda event: self._call_soon(self._receive, event),
            report=lambda code: self._call_soon(on_error, code),
            statistics=lambda statistics: self._call_soon(on_statistics, statistics),
        )
        self.room = Room()
        self._member = Member(properties, subscription, identities, self.room, ears)
        self._commands = self._member.commands
        self._thread = threading.Thread(target=self._own, name="kafka-consumer", daemon=True)

    @property
    def turned_at(self) -> float:
        """When the owner's thread last turned, in seconds of `time.monotonic`."""
        return self._member.turned_at

    @property
    def joined(self) -> bool:
        """Whether the group ever answered with an assignment, be it of nothing."""
        return self._member.joined

    @property
    def missing(self) -> frozenset[str]:
        """Topics of the subscription that the brokers do not have."""
        return self._member.topics.missing

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    async def next(self) -> SourceEvent:
        """Wait for the next happening."""
        while not self._events:
            self._woken.clear()
            await self._woken.wait()
        event = self._events.popleft()
        if isinstance(event, Assigned):
            self._told[event.partition] += 1
        return event

    def give_room(self, records: int, size: int) -> None:
        """Credit for so many more records and bytes; the first call sets the capacity."""
        self.room.give(records, size)

    def commit(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit asynchronously; answered by `Committed`."""
        self._commands.put(Send(dict(offsets)))

    def release(self, offsets: Mapping[Partition, Commit]) -> None:
        """Answer to `Revoking`."""
        self._commands.put(Release(offsets))

    def sleep(self, partition: Partition, offset: int) -> None:
        """Stop fetching a partition and go back to `offset`; answered by `Asleep`."""
        self._commands.put(Sleep(partition, offset, self._told[partition]))

    def wake(self, partition: Partition) -> None:
        """Fetch a sleeping partition again."""
        self._commands.put(Wake(partition))

    async def close(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit a last time, leave the group. Bounded: a broker that does not answer cannot keep the process."""
        self._commands.put(Close(offsets))
        if self._thread.ident is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE):
                await self._ended.wait()
        except TimeoutError:
            self._on_error("close_timed_out")

    def _own(self) -> None:
        self._member.run()
        self._call_soon(self._ended.set)

    def _receive(self, event: SourceEvent) -> None:
        self._events.append(event)
        self._woken.set()

    def _call_soon(self, call: Callable[..., None], *arguments: object) -> None:
        """From the owner's thread."""
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the event loop is closed: the process is at its end, and nobody listens
            pass
