"""Is it delivering? The first sentence of the page, from one look."""

from __future__ import annotations

from enum import StrEnum
from itertools import repeat
from typing import NamedTuple

from connector.observe.page.glance import COMMIT, DUE, Glance, Held, Place
from connector.observe.page.words import count, span

PATIENCE = 60.0
"""Seconds without an accepted record while some could be delivered, or with a stuck partition, that are called bad."""

LATE = 60.0
"""Seconds: an older record that nobody holds back is called late."""

_STARTING = 20.0
"""Seconds from the start until it is odd that no broker was reached."""

BY_WISH = frozenset({"manual", "retry_after"})
"""Kinds of holds that somebody wished for: nothing is broken."""

_PAUSED = "paused"
"""Why a partition waits that somebody paused."""


class Mood(StrEnum):
    """How bad it is."""

    WELL = "well"
    WATCH = "watch"
    BAD = "bad"


class Verdict(NamedTuple):
    """The answer in a few words, and in a sentence."""

    mood: Mood
    short: str
    sentence: str


def verdict(glance: Glance) -> Verdict:
    """The worst that is true now; of a shadow, what would be if it delivered."""
    found = _as_if_delivering(glance)
    if not glance.is_shadow:
        return found
    return found._replace(short="A shadow delivers nothing", sentence=f"If it did: {found.short}. {found.sentence}")


def _as_if_delivering(glance: Glance) -> Verdict:
    for look in (_apart, _held, _uncommitted, _blocked, _silent, _partly):
        if (found := look(glance)) is not None:
            return found
    if not glance.places:
        return Verdict(Mood.WELL, "Standing by", "No partition is assigned to this process: others have them all.")
    if glance.accepted_minute:
        accepted = count(glance.accepted_minute, "record")
        return Verdict(Mood.WELL, "Delivering", f"{accepted} accepted in the last minute.")
    if glance.behind:
        return Verdict(Mood.WELL, "Delivering", f"{count(glance.behind, 'record')} under way or next.")
    return Verdict(Mood.WELL, "Nothing to deliver", "All that could be read and is due is settled.")


def _apart(glance: Glance) -> Verdict | None:
    down = 0.0 if glance.kafka_since_ms is None else (glance.now_ms - glance.kafka_since_ms) / 1000
    if down >= _STARTING or (down and glance.is_joined):
        return Verdict(Mood.BAD, "Kafka is not reached", f"No broker answers, for {span(down)} now.")
    if glance.missing:
        names = ", ".join(glance.missing)
        return Verdict(Mood.BAD, "A topic is missing", f"The brokers do not have {names}. It is read once it is there.")
    if not glance.is_joined:
        return Verdict(Mood.WATCH, "Not in its group", "It is starting or stopping: nothing is read now.")
    return None


def _held(glance: Glance) -> Verdict | None:
    stopping = [hold for hold in glance.holds if hold.stops_posting]
    if not stopping:
        return None
    broken = [hold for hold in stopping if hold.kind not in BY_WISH]
    first = min(broken or stopping, key=lambda hold: hold.since_ms)
    mood = Mood.BAD if broken else Mood.WATCH
    return Verdict(mood, "Not delivering: held", f"For {_lasts(glance, first)}: {first.why}.")


def _uncommitted(glance: Glance) -> Verdict | None:
    since = [wait.since_ms for place in glance.places for wait in place.waits if wait.reason == COMMIT]
    if not since:
        return None
    seconds = (glance.now_ms - min(since)) / 1000
    mood = Mood.BAD if seconds >= PATIENCE else Mood.WATCH
    what = "as much is answered and not committed as a crash may post again"
    return Verdict(mood, "Not delivering: commits", f"For {span(seconds)}: {what}.")


def _blocked(glance: Glance) -> Verdict | None:
    stuck = [place for place in glance.places if place.is_stuck]
    if not stuck or len(stuck) < len(glance.places):
        return None
    reasons = {wait.reason for place in stuck for wait in place.waits}
    mood = Mood.WATCH if reasons <= {_PAUSED, DUE} else Mood.BAD
    return Verdict(mood, "Not delivering", f"Every partition waits: {', '.join(sorted(reasons))}.")


def _silent(glance: Glance) -> Verdict | None:
    if not glance.behind or glance.quiet < PATIENCE:
        return None
    behind = count(glance.behind, "record")
    return Verdict(
        Mood.BAD, "Not delivering", f"Nothing was accepted for {span(glance.quiet)}, and {behind} could be delivered."
    )


def _partly(glance: Glance) -> Verdict | None:
    if glance.holds:
        first = glance.holds[0]
        return Verdict(Mood.WATCH, "Delivering, but not all", f"For {_lasts(glance, first)}: {first.why}.")
    if stuck := [place for place in glance.places if place.is_stuck]:
        of_all = f"{len(stuck)} of {count(len(glance.places), 'partition')}"
        mood = Mood.BAD if any(map(_is_lasting, stuck, repeat(glance.now_ms))) else Mood.WATCH
        return Verdict(mood, "Delivering, but not all", f"{of_all} take nothing new, as the list below says.")
    if glance.behind and glance.oldest >= LATE:
        return Verdict(Mood.WATCH, "Delivering late", f"The oldest record in hand is {span(glance.oldest)} old.")
    return None


def _is_lasting(place: Place, now_ms: int) -> bool:
    causes = [wait for wait in place.waits if wait.reason not in {_PAUSED, DUE}]
    return any(now_ms - wait.since_ms >= PATIENCE * 1000 for wait in causes)


def _lasts(glance: Glance, hold: Held) -> str:
    return span((glance.now_ms - hold.since_ms) / 1000)
