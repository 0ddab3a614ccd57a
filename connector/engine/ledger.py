"""What is noted of each settled record, and what waits until Kafka has the note."""

from __future__ import annotations

from connector.core.destination import ToDeadLetter, ToRetry
from connector.core.ledger import Entry, Fate
from connector.engine.context import Context
from connector.engine.messages import Note, Noted
from connector.engine.partition import Delivery
from connector.engine.timers import Timer

FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 30.0
"""Seconds between tries of entries that were refused, where records wait for them."""


class Ledger:
    """Says what is to be noted. `required`: a record is settled only once its entry is acknowledged, and keeps its slot
    until then, so that what a crash may repeat stays bounded."""

    def __init__(self, *, required: bool, context: Context) -> None:
        self._required = required
        self._now, self._timers, self._outbox, self._events = context
        self._waiting: dict[Delivery, Entry] = {}
        self._refused: list[Delivery] = []
        self._again: Timer | None = None
        self._backoff = FIRST_BACKOFF

    @property
    def waiting(self) -> int:
        """Records that are settled as soon as their entries are acknowledged."""
        return len(self._waiting)

    def keeps(self, delivery: Delivery, copied: ToRetry | ToDeadLetter | None) -> bool:
        """Note what became of it (`copied` None: it was accepted); whether it has to wait for the acknowledgement."""
        entry = self._entry(delivery, copied)
        if not self._required:
            self._outbox.append(Note(entry, None))
            return False
        self._waiting[delivery] = entry
        self._outbox.append(Note(entry, delivery))
        return True

    def answered(self, noted: Noted) -> list[Delivery]:
        """These entries were acknowledged, or refused; return the records that are settled now."""
        if noted.failed is None:
            self._backoff = FIRST_BACKOFF
            return [each for each in noted.deliveries if self._waiting.pop(each, None) is not None]
        self._refused += noted.deliveries
        if self._again is None:
            self._again = self._timers.after(self._backoff, self._note_again)
            self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
        return []

    def forget_gone(self) -> list[Delivery]:
        """Partitions have left: return those of their records that waited. Whoever is next posts them again."""
        gone = [each for each in self._waiting if each.assignment.gone]
        for delivery in gone:
            del self._waiting[delivery]
            if delivery.outcome is not None:
                self._events.left_behind(delivery.record, delivery.event_id)
        return gone

    def _note_again(self) -> None:
        refused, self._refused, self._again = self._refused, [], None
        self._outbox += [Note(self._waiting[each], each) for each in refused if each in self._waiting]

    def _entry(self, delivery: Delivery, copied: ToRetry | ToDeadLetter | None) -> Entry:
        now, history = self._now, delivery.history
        was_posted = delivery.outcome is not None
        posted_ms = now.ms - round((now.seconds - delivery.began) * 1000) if was_posted else None
        if copied is None:
            outcome = delivery.outcome
            assert outcome is not None
            code, request_id, attempts, fate = outcome.code, outcome.request_id, history.attempts + 1, Fate.ACCEPTED
        else:
            code, request_id, history = copied.cause.code, copied.cause.request_id, copied.history
            attempts, fate = history.attempts, Fate.RETRY if isinstance(copied, ToRetry) else Fate.DEAD_LETTER
        return Entry(
            delivery.event_id,
            delivery.end_user,
            delivery.service_id or delivery.refused_service,
            fate,
            code,
            attempts,
            history.maybe_delivered > 0,
            request_id,
            posted_ms,
            now.ms,
            history.origin,
        )
