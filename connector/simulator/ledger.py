"""What the vendor accepted: how often, and in what order. This is how a test counts losses and repeats."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from connector.simulator.rules import Invocation

_canonical = json.JSONEncoder(sort_keys=True).encode


class Entry(NamedTuple):
    """One accepted request. `at` is the server's time in seconds; `marker` is "" where the variable is missing."""

    at: float
    service_id: str
    phone_number: str
    marker: str
    identity: str
    request_id: str


def identity_of(invocation: Invocation) -> str:
    """16 hexadecimal digits, equal for requests that ask for the same: service, phone number and variables."""
    text = f"{invocation.service_id}\n{invocation.phone_number}\n{_canonical(invocation.variables)}"
    return blake2b(text.encode(), digest_size=8).hexdigest()


class Ledger:
    """Everything accepted since the last `clear`, in order of arrival. Grows with it."""

    def __init__(self, marker: str = "session.eventId") -> None:
        """`marker` is the `scope.key` of the variable by which a test knows its event; compared without case."""
        self._scope, _, self._key = marker.lower().partition(".")
        self._entries: list[Entry] = []
        self._numbers: dict[str, list[int]] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._answers: Counter[str] = Counter()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._entries = []
        self._numbers = {}
        self._counts = {by: Counter() for by in ("identity", "marker", "service_id", "phone_number")}
        self._answers = Counter()

    def marker_of(self, invocation: Invocation) -> str:
        """The marker variable's value as text, "" where it is missing."""
        return str(invocation.variables.get(self._scope, {}).get(self._key, ""))

    def accept(self, entry: Entry) -> None:
        """Count one accepted request."""
        self._numbers.setdefault(entry.phone_number, []).append(len(self._entries))
        self._entries.append(entry)
        self._counts["identity"][entry.identity] += 1
        self._counts["service_id"][entry.service_id] += 1
        self._counts["phone_number"][entry.phone_number] += 1
        if entry.marker:
            self._counts["marker"][entry.marker] += 1

    def answered(self, name: str) -> None:
        """Count one request by what became of it: `accepted`, a cause's name, or a fault's kind."""
        self._answers[name] += 1

    @property
    def accepted(self) -> int:
        """How many requests were accepted, repeats included."""
        return len(self._entries)

    @property
    def answers(self) -> Mapping[str, int]:
        """How many requests had which answer; their sum is the number of requests."""
        return dict(self._answers)

    @property
    def entries(self) -> Sequence[Entry]:
        """Everything accepted, in order of arrival."""
        return tuple(self._entries)

    def counts(self, by: str = "identity") -> Mapping[str, int]:
        """How often each `identity`, `marker`, `service_id` or `phone_number` was accepted. KeyError for others."""
        return dict(self._counts[by])

    def repeats(self, by: str = "identity") -> Mapping[str, int]:
        """Those accepted more than once, with how often."""
        return {name: count for name, count in self._counts[by].items() if count > 1}

    def order(self, phone_number: str) -> Sequence[str]:
        """The markers (identities where there is none) accepted for one phone number, in order of arrival."""
        accepted = (self._entries[number] for number in self._numbers.get(phone_number, ()))
        return [entry.marker or entry.identity for entry in accepted]
