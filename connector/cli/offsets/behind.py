"""The records behind a group's commits, and what the delivery ledger says of each of them."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Final, NamedTuple

from connector.core.ledger import Entry, Fate, Told
from connector.core.record import Partition

UNTOLD, DEAD_LETTER, ACCEPTED, REFUSED, UNREADABLE = range(5)
"""What is known of a record: nothing, or only that it is tried again; what became of it, of several entries the highest
counts; that it is a dead letter today, so that it is not posted; or that it cannot be read."""

_SAID: Final = {Fate.ACCEPTED: ACCEPTED, Fate.DEAD_LETTER: DEAD_LETTER}
_MOST_SECONDS = 1000
LATELY = 10
"""Seconds before the last entry in which those that were accepted are counted, as a rate."""


class Event(NamedTuple):
    """What the ledger knows an event by, if it is written under the key of now."""

    event_id: str
    service_id: str | None
    hmac: bytes


@dataclass(slots=True)
class Behind:
    """Those of one partition, in their order. `commit` None: there is none.

    `entries` are all that the ledger has of the partition. `compared` of them have the event id of a record behind the
    commit and an HMAC, and `alike` of these have the record's.
    """

    commit: int | None
    told: bytearray = field(default_factory=bytearray)
    entries: int = 0
    compared: int = 0
    alike: int = 0
    _places: dict[str, list[int]] = field(default_factory=dict)
    _services: list[str | None] = field(default_factory=list)
    _users: array[int] = field(default_factory=lambda: array("Q"))
    # When it was accepted, by the newest entry that `delivery.deduplicate` would go by; 0: there is none.
    _known_ms: array[int] = field(default_factory=lambda: array("q"))

    def add(self, event: Event) -> None:
        """The next record, which would be posted."""
        self._places.setdefault(event.event_id, []).append(len(self.told))
        self._append(UNTOLD, event.service_id, _short(event.hmac))

    def add_other(self, what: int) -> None:
        """The next record, which is REFUSED or UNREADABLE."""
        self._append(what, None, 0)

    def tell(self, told: Told) -> None:
        """Note an entry of this partition."""
        self.entries += 1
        entry, said = told.entry, _SAID.get(told.entry.fate, UNTOLD)
        places = () if entry.event_id is None else self._places.get(entry.event_id, ())
        for place in places:
            self.told[place] = max(said, self.told[place])
            if told.hmac is None:
                continue
            self.compared += 1
            if self._users[place] != _short(told.hmac):
                continue
            self.alike += 1
            if said == ACCEPTED and entry.service_id is not None and entry.service_id == self._services[place]:
                self._known_ms[place] = max(self._known_ms[place], entry.settled_ms)

    def count(self, what: int) -> int:
        """Of how many of them this is known."""
        return self.told.count(what)

    @property
    def untold(self) -> int:
        """Of how many nothing is known, before the last that was accepted or became a dead letter: they may have been
        accepted too."""
        last = max(self.told.rfind(each) for each in (DEAD_LETTER, ACCEPTED))
        return self.told[: last + 1].count(UNTOLD)

    def unrecognised(self, since_ms: int) -> int:
        """How many event ids of those that were accepted `delivery.deduplicate` does not know, if it only goes by what
        was accepted after `since_ms`."""
        return sum(
            any(self.told[place] == ACCEPTED and self._known_ms[place] <= since_ms for place in places)
            for places in self._places.values()
        )

    def _append(self, what: int, service_id: str | None, user: int) -> None:
        self.told.append(what)
        self._services.append(service_id)
        self._users.append(user)
        self._known_ms.append(0)


class Ledger:
    """When the group's entries were settled, by the partition of the ledger: in a mirror each may lag on its own."""

    def __init__(self, most: int) -> None:
        """The newest `most` entries are told from the others."""
        self._most = most
        self._seconds: dict[Partition, Counter[int]] = {}
        self._newest: list[int] = []

    def note(self, place: Partition, told: Told) -> None:
        """One more entry, of this partition of the ledger."""
        entry = told.entry
        seconds = self._seconds.setdefault(place, Counter())
        seconds[entry.settled_ms // 1000] += entry.fate is Fate.ACCEPTED
        if len(seconds) > _MOST_SECONDS:
            kept = sorted(seconds)[-LATELY - 1 :]
            self._seconds[place] = Counter({each: seconds[each] for each in kept})
        if _can_be_recalled(entry) and told.hmac is not None:
            if len(self._newest) <= self._most:
                heappush(self._newest, entry.settled_ms)
            else:
                heappushpop(self._newest, entry.settled_ms)

    def not_remembered(self, since_ms: int) -> int | None:
        """Up to when (ms) a process forgets what was accepted after `since_ms`, as there is too much of it; None: it
        remembers all."""
        is_full = len(self._newest) > self._most and self._newest[0] > since_ms
        return self._newest[0] if is_full else None

    @property
    def lasts(self) -> dict[Partition, int]:
        """The second (since the epoch) of the last entry in each of the ledger's partitions that has any."""
        return {place: max(seconds) for place, seconds in self._seconds.items()}

    @property
    def lately(self) -> int:
        """Accepted in the seconds before the last entry of each partition."""
        return sum(
            self._seconds[place][each] for place, last in self.lasts.items() for each in range(last - LATELY, last)
        )


def _can_be_recalled(entry: Entry) -> bool:
    return entry.fate is Fate.ACCEPTED and entry.event_id is not None and entry.service_id is not None


def _short(hmac: bytes) -> int:
    """64 bits of it: enough to compare the few of one event id."""
    return int.from_bytes(hmac[:8])
