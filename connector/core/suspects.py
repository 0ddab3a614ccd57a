"""Records that were refused for what looks like a fault of the deployment, until it is known whether it was theirs.

A record is refused *alone* when others pass that were posted after its refusal. Times are seconds that never go back.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)

WAITS = (0.0, 1.0, 10.0)
"""Seconds before a record that was refused alone is tried again: so many times, then it is the culprit.

At once the first time, since until then the deployment is more likely to be at fault than the record."""


class _Suspect:
    __slots__ = ("at", "refusals", "witnessed")

    def __init__(self, at: float) -> None:
        self.refusals = 1
        self.at = at
        self.witnessed = False


class Judged(NamedTuple, Generic[K]):
    """What becomes of a suspect whose refusal others were witness of: again after `wait` seconds; None: the culprit."""

    suspect: K
    wait: float | None


class Suspects(Generic[K]):
    """Laws: nobody is judged for a refusal that no other record, posted after it, has passed; a culprit was refused
    once more than `WAITS` is long."""

    def __init__(self) -> None:
        self._known: dict[K, _Suspect] = {}

    def __len__(self) -> int:
        return len(self._known)

    def refused(self, suspect: K, now: float) -> bool:
        """It was refused; whether that is the deployment's fault as far as one can tell.

        False: others passed since its last refusal, so that this one is probably its own.
        """
        known = self._known.get(suspect)
        if known is None:
            self._known[suspect] = _Suspect(now)
            return True
        known.at = now
        if not known.witnessed:
            return True
        known.refusals += 1
        known.witnessed = False
        return False

    def refusals(self, suspect: K) -> int:
        """How often it was refused with others passing in between, its first time included; 0 for none."""
        known = self._known.get(suspect)
        return known.refusals if known is not None else 0

    def passed(self, witness: K, began: float) -> Iterator[Judged[K]]:
        """A post begun at `began` shows that the deployment is well: judge all others that were refused before that."""
        self.acquit(witness)
        for suspect, known in list(self._known.items()):
            if not known.witnessed and known.at <= began:
                known.witnessed = True
                wait = WAITS[known.refusals - 1] if known.refusals <= len(WAITS) else None
                yield Judged(suspect, wait)

    def acquit(self, suspect: K) -> None:
        """It was answered otherwise."""
        self._known.pop(suspect, None)

    def forget(self, gone: Callable[[K], bool]) -> None:
        """Drop those of which this is true."""
        for suspect in [suspect for suspect in self._known if gone(suspect)]:
            del self._known[suspect]
