"""Poison isolation: records refused for what looks like the deployment's fault, until it is known whose it is.

A record is refused *alone* when others pass that were posted after its refusal. Times are seconds that never go back.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)

WAITS = (0.0, 1.0, 10.0)
"""Seconds before a record that was refused alone is tried again; once it was refused after each of them, it is poison.

At once the first time, since until then the deployment is more likely to be at fault than the record."""


class _Refused:
    __slots__ = ("at", "others_passed", "refusals")

    def __init__(self, at: float) -> None:
        self.refusals = 1
        self.at = at
        self.others_passed = False


class Verdict(NamedTuple, Generic[K]):
    """What becomes of a record that was refused while others passed: again after `wait` seconds; None: it is poison."""

    record: K
    wait: float | None


class PoisonIsolation(Generic[K]):
    """Laws: no refusal counts against a record unless another one, posted after it, has passed; poison was refused
    once more than `WAITS` is long."""

    def __init__(self) -> None:
        self._known: dict[K, _Refused] = {}

    def __len__(self) -> int:
        return len(self._known)

    def refused(self, record: K, now: float) -> bool:
        """It was refused; whether that is the deployment's fault as far as one can tell.

        False: others passed since its last refusal, so the fault is probably its own.
        """
        known = self._known.get(record)
        if known is None:
            self._known[record] = _Refused(now)
            return True
        known.at = now
        if not known.others_passed:
            return True
        known.refusals += 1
        known.others_passed = False
        return False

    def refusals(self, record: K) -> int:
        """How often it was refused with others passing in between, its first time included; 0 for none."""
        known = self._known.get(record)
        return known.refusals if known is not None else 0

    def passed(self, record: K, began: float) -> Iterator[Verdict[K]]:
        """A post begun at `began` shows that the deployment is well: judge all others that were refused before that."""
        self.clear(record)
        for other, known in list(self._known.items()):
            if not known.others_passed and known.at <= began:
                known.others_passed = True
                wait = WAITS[known.refusals - 1] if known.refusals <= len(WAITS) else None
                yield Verdict(other, wait)

    def clear(self, record: K) -> None:
        """It was answered otherwise."""
        self._known.pop(record, None)

    def forget(self, gone: Callable[[K], bool]) -> None:
        """Drop those of which this is true."""
        for record in [record for record in self._known if gone(record)]:
            del self._known[record]
