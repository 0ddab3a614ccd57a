"""The engine's side of the group's members: commands go to their threads, happenings come back to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from functools import partial

from connector.core.record import Partition
from connector.core.signals import Assigned, Commit, Committed, SourceEvent
from connector.deadline import in_time
from connector.edge.kafka.commands import Close, Command, Release, Send, Sleep, Wake
from connector.edge.kafka.credit import Credit
from connector.edge.kafka.identity import LogIdentities
from connector.edge.kafka.member import Callbacks, Member
from connector.edge.kafka.memberships import memberships
from connector.edge.kafka.starts import Subscription

_GOODBYE = 15.0
"""Seconds for the last commits and leaving the group: the chart's grace period has 20 beyond the drain."""


_HEAD_START = 1.0
"""Seconds at most that the main topic's member has before the others join. Who joins behind others waits for their next
heartbeat, 3 s by default; brokers commonly wait as long for the members of an empty group, so that it is in time."""


class KafkaSource:
    """Satisfies `engine.ports.Source`. `properties` are librdkafka's, for the connection and the group.

    A process may be several members of the group, one for each topic (`memberships`): what is theirs together is
    the credit, the commit under way and the goodbye. `on_error` is called on the event loop's thread with the bounded
    name of an error that passes by itself, `on_statistics` with those of the main topic's client.
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
        # How many of a partition's assignments the engine was told of: it can only mean the last of these.
        self._told: Counter[Partition] = Counter()
        self.credit = Credit()
        self._members: list[Member] = []
        for membership in memberships(properties, subscription.main, subscription.retry):
            callbacks = Callbacks(
                tell=partial(self._call_soon, self._receive, len(self._members)),
                report=partial(self._call_soon, on_error),
                statistics=partial(self._call_soon, on_statistics),
            )
            self._members.append(Member(membership, subscription, identities, self.credit.of_member(), callbacks))
        self._ended = [asyncio.Event() for _ in self._members]
        self._holder: dict[Partition, int] = {}
        # What each member still has to answer, oldest first.
        self._awaited: list[deque[_Merged]] = [deque() for _ in self._members]
        self._threads = [
            threading.Thread(target=self._own, args=(member,), name="kafka-consumer", daemon=True)
            for member in range(len(self._members))
        ]

    @property
    def turned_at(self) -> float:
        """When the slowest of the members' threads last turned, in seconds of `time.monotonic`."""
        return min(member.turned_at for member in self._members)

    @property
    def joined(self) -> bool:
        """Whether the group ever answered each member with an assignment, be it of nothing."""
        return all(member.joined.is_set() for member in self._members)

    @property
    def missing(self) -> frozenset[str]:
        """Topics of the subscription that the brokers do not have."""
        return frozenset().union(*(member.topics.missing for member in self._members))

    def start(self) -> None:
        """Join the group: the main topic's member first, the others soon after it, so that it can be one rebalance."""
        for thread in self._threads:
            thread.start()

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
        """Credit for this many more records and bytes; the first call sets the capacity."""
        self.credit.give(records, size)

    def commit(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit asynchronously; answered by one `Committed` once every member concerned was answered."""
        parts = self._by_member(offsets) or {0: {}}
        merged = _Merged(len(parts))
        for member, part in parts.items():
            self._awaited[member].append(merged)
            self._members[member].commands.put(Send(part))

    def release(self, partitions: frozenset[Partition], offsets: Mapping[Partition, Commit]) -> None:
        """Answer to the `Revoking` of these partitions."""
        self._ask(min(partitions), Release(offsets))

    def sleep(self, partition: Partition, offset: int) -> None:
        """Stop fetching a partition and go back to `offset`; answered by `Asleep`."""
        self._ask(partition, Sleep(partition, offset, self._told[partition]))

    def wake(self, partition: Partition) -> None:
        """Fetch a sleeping partition again."""
        self._ask(partition, Wake(partition))

    async def close(self, offsets: Mapping[Partition, Commit]) -> None:
        """Commit a last time, leave the group, all members side by side.

        Bounded: a broker that does not answer cannot keep the process.
        """
        parts = self._by_member(offsets)
        for number, member in enumerate(self._members):
            member.commands.put(Close(parts.get(number, {})))
        if self._threads[0].ident is None:
            return
        try:
            await in_time(self._all_ended(), _GOODBYE)
        except TimeoutError:
            self._on_error("close_timed_out")

    async def _all_ended(self) -> None:
        for ended in self._ended:
            await ended.wait()

    def _own(self, member: int) -> None:
        if member:
            self._members[0].joined.wait(_HEAD_START)
        self._members[member].run()
        self._call_soon(self._ended[member].set)

    def _ask(self, partition: Partition, command: Command) -> None:
        self._members[self._holder.get(partition, 0)].commands.put(command)

    def _by_member(self, offsets: Mapping[Partition, Commit]) -> dict[int, dict[Partition, Commit]]:
        """By who was assigned a partition, not by its topic: a process of an earlier version may leave it with the main
        topic's member for a moment."""
        parts: dict[int, dict[Partition, Commit]] = defaultdict(dict)
        for partition, commit in offsets.items():
            parts[self._holder.get(partition, 0)][partition] = commit
        return parts

    def _receive(self, member: int, event: SourceEvent) -> None:
        if isinstance(event, Assigned):
            self._holder[event.partition] = member
        elif isinstance(event, Committed):
            merged = self._awaited[member].popleft()
            if not merged.add(event):
                return
            event = merged.answer
        self._events.append(event)
        self._woken.set()

    def _call_soon(self, call: Callable[..., None], *arguments: object) -> None:
        """From a member's thread."""
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the event loop is closed: the process is at its end, and nobody listens
            pass


class _Merged:
    """The answers to one commit, of which several members sent their parts: refused when any of them was."""

    def __init__(self, parts: int) -> None:
        self._left = parts
        self.answer = Committed({}, None)

    def add(self, part: Committed) -> bool:
        """Whether it was the last one."""
        self._left -= 1
        self.answer = Committed({**self.answer.offsets, **part.offsets}, self.answer.error or part.error)
        return self._left == 0
