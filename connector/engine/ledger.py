"""What is noted of each settled record, and what waits until Kafka has the note."""

from __future__ import annotations

from typing import Final

from connector.core.destination import ToDeadLetter, ToRetry
from connector.core.ledger import Entry, Fate
from connector.core.made import made
from connector.engine.commits import Commits
from connector.engine.context import Context
from connector.engine.messages import Note, Noted
from connector.engine.partition import Delivery
from connector.engine.timers import Timer

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 30.0
"""Seconds between tries of entries that were refused, where records wait for them."""

ACCEPTED: Final = Fate.ACCEPTED
"""Kept, since an Enum finds its members by a function of Python."""


class Ledger:
    """Says what is noted. `required`: a record is settled only once its entry is acknowledged; until then it takes
    no slot, and counts as answered and uncommitted, so that what a crash may repeat stays bounded."""

    def __init__(self, commits: Commits, context: Context, *, required: bool) -> None:
        self._required = required
        self._commits = commits
        self._now, self._timers, self._outbox, self._events = context
        self._waiting: dict[Delivery, Entry] = {}
        self._refused: list[Delivery] = []
        self._again: Timer | None = None
        self._backoff = FIRST_BACKOFF

    @property
    def waiting(self) -> int:
        """Records that are settled as soon as their entries are acknowledged."""
        return len(self._waiting)

    def keeps(self, delivery: Delivery, fate: Fate, copied: ToRetry | ToDeadLetter | None = None) -> bool:
        """Note what became of it; whether it has to wait for the acknowledgement."""
        now, outcome = self._now, delivery.outcome
        history, request_id = delivery.history, None
        if copied is not None:
            history, code, request_id = copied.history, copied.cause.code, copied.cause.request_id
        elif fate is ACCEPTED and outcome is not None:
            code, request_id = outcome.code, outcome.request_id
        else:
            code = fate.value
        entry = made(
            Entry,
            (
                delivery.event_id,
                delivery.end_user,
                delivery.shown_service,
                fate,
                code,
                history.attempts + (fate is ACCEPTED),
                history.maybe_delivered > 0,
                request_id,
                None if outcome is None else now.ms - int((now.seconds - delivery.began) * 1000 + 0.5),
                now.ms,
                history.origin,
            ),
        )
        if not self._required:
            self._outbox.append(made(Note, (entry, None)))
            return False
        self._waiting[delivery] = entry
        self._commits.waiting_copies += 1
        self._outbox.append(made(Note, (entry, delivery)))
        return True

    def answered(self, noted: Noted) -> list[Delivery]:
        """These entries were acknowledged, or refused; return the records that are settled now."""
        if noted.failed is None:
            self._backoff = FIRST_BACKOFF
            return [each for each in noted.deliveries if self._is_over(each)]
        self._refused += noted.deliveries
        if self._again is None:
            self._again = self._timers.after(self._backoff, self._note_again)
            self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
        return []

    def leave(self) -> None:
        """Partitions are about to leave: write what was refused again at once, and soon again, for the next owner
        posts again what is not acknowledged by then."""
        self._backoff = FIRST_BACKOFF
        if self._again is not None:
            self._again.cancel()
            self._note_again()

    def forget_gone(self) -> list[Delivery]:
        """Partitions have left: return those of their records that waited. The next owner posts them again."""
        gone = [each for each in self._waiting if each.assignment.gone]
        for delivery in gone:
            self._is_over(delivery)
            if delivery.outcome is not None:
                self._events.left_behind(delivery.record, delivery.event_id)
        return gone

    def _is_over(self, delivery: Delivery) -> bool:
        if self._waiting.pop(delivery, None) is None:
            return False
        self._commits.waiting_copies -= 1
        return True

    def _note_again(self) -> None:
        refused, self._refused, self._again = self._refused, [], None
        self._outbox += [Note(self._waiting[each], each) for each in refused if each in self._waiting]
