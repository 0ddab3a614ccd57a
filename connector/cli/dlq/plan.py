"""What a redrive would do with each letter: the decision, and the copy that it would write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from connector.cli.dlq.listing import fitting_letter
from connector.cli.today import Judge, Today
from connector.core.destination import EXPIRED
from connector.core.letters.chosen import Filters
from connector.core.letters.letter import DeadLetter, letter_of, redriven_headers
from connector.core.letters.marks import Redriven
from connector.core.letters.patch import Change, Patch, changes_of
from connector.core.letters.redrive import (
    NOT_CHANGED,
    NOT_WRITABLE,
    REDRIVEN_BEFORE,
    WRITTEN_TWICE,
    Originals,
    RedriveRules,
    stays,
)
from connector.core.record import Record
from connector.edge.avro.splicing import NotWritableError, spliced
from connector.edge.kafka.copies import Copy

_SAMPLES = 5


class Wanted(NamedTuple):
    """What somebody asked for. `new_expiry` is for expired ones, `patch` for all; `target` has this many partitions."""

    filters: Filters
    rules: RedriveRules
    target: str
    partitions: int
    new_expiry: Patch | None = None
    patch: Patch | None = None


class Going(NamedTuple):
    """A letter that goes, as the record that is written, and what is changed of its event."""

    letter: DeadLetter
    copy: Copy
    today: Today
    changes: Mapping[str, Change]


class Refused(NamedTuple):
    """A letter that would be refused again today."""

    letter: DeadLetter
    code: str


class Stays(NamedTuple):
    """A letter that stays, and why."""

    letter: DeadLetter
    why: str


class Passed(NamedTuple):
    """Not what was asked for. `done` when nothing is left to do with it either: a mark, or redriven before."""

    done: bool


Decision = Going | Refused | Stays | Passed


class Planner:
    """Decides. `now_ms` is asked for each letter that gets a new expiry."""

    def __init__(
        self, judge: Judge, wanted: Wanted, redriven: Redriven, now_ms: Callable[[], int], max_event_age_ms: int
    ) -> None:
        self._judge = judge
        self._texts = judge.texts()
        self._wanted = wanted
        self._redriven = redriven
        self._originals = Originals()
        self._now_ms = now_ms
        self._max_event_age_ms = max_event_age_ms

    def remember(self, record: Record) -> None:
        """Take in one that is done with: a second letter of the same record may come."""
        self._originals.has_another(letter_of(record))

    def decide(self, record: Record) -> Decision:
        """What becomes of one record of the dead-letter topic."""
        if self._redriven.see(record):
            return Passed(done=True)
        letter = letter_of(record)
        is_second = self._originals.has_another(letter)
        if self._redriven.has(record) and REDRIVEN_BEFORE not in self._wanted.rules.include:
            return Passed(done=True)
        if fitting_letter(letter, self._wanted.filters, self._judge) is None:
            return Passed(done=False)
        why = WRITTEN_TWICE if is_second else stays(letter, self._wanted.rules)
        if why is not None:
            return Stays(letter, why)
        return self._judged(letter)

    def _judged(self, letter: DeadLetter) -> Decision:
        today = self._judge.today(letter)
        patch = self._wanted.patch
        if patch is None and today.refusal is not None and today.refusal.code == EXPIRED:
            patch = self._wanted.new_expiry
        if patch is not None and today.fields is not None:
            return self._patched(letter, today, patch)
        return self._going(letter, letter.record.value, today, {})

    def _patched(self, letter: DeadLetter, today: Today, patch: Patch) -> Decision:
        assert today.fields is not None
        now_ms = self._now_ms()
        changes = changes_of(patch, today.fields, now_ms, self._max_event_age_ms)
        if not changes:
            return Stays(letter, NOT_CHANGED)
        try:
            written = {name: after for name, (_, after) in changes.items()}
            value = spliced(self._texts, letter.record.value or b"", written, letter.original)
        except NotWritableError:
            return Stays(letter, NOT_WRITABLE)
        # Without createdAt its age counts from the new record on: somebody has just said how long it may live.
        born_ms = now_ms if patch.expires_in_ms is not None else letter.first_failure_ms
        after = self._judge.of(letter.first._replace(value=value), born_ms)
        if after.fields is not None and any(after.fields.get(name) != new for name, (_, new) in changes.items()):
            return Stays(letter, NOT_WRITABLE)  # a mapping makes the field of another one than that of its name
        return self._going(letter, value, after, changes)

    def _going(self, letter: DeadLetter, value: bytes | None, today: Today, changes: Mapping[str, Change]) -> Decision:
        if today.refusal is not None:
            return Refused(letter, today.refusal.code)
        target, origin = self._wanted.target, letter.origin
        at_home = (
            origin is not None
            and origin.partition.topic == target
            and (origin.partition.number < self._wanted.partitions)
        )
        partition = origin.partition.number if origin is not None and at_home else None
        headers = redriven_headers(letter.original, letter.traceparent)
        return Going(letter, Copy(target, partition, letter.record.key, value, headers), today, changes)


class Outcome:
    """Counts of what was decided, and the first few of those that go."""

    def __init__(self) -> None:
        self.going: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.stays: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.samples: list[Going] = []

    def add(self, decision: Decision) -> None:
        """Count one; those passed over are not counted."""
        match decision:
            case Going():
                self.going[decision.letter.code] += 1
                self.changed.update(decision.changes.keys())
                if len(self.samples) < _SAMPLES:
                    self.samples.append(decision)
            case Refused():
                self.refused[decision.code] += 1
            case Stays():
                self.stays[decision.why] += 1
            case Passed():
                pass
