"""The story of an event, from its records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.envelope import REDRIVES, Origin
from connector.core.ledger import Entry, Fate, Told
from connector.core.letters.letter import OURS, UNKNOWN, DeadLetter
from connector.core.letters.story import Role, Seen, story
from connector.core.record import Headers, Partition, Record

MAIN, RETRY, DLQ = Partition("main", 0), Partition("retry", 0), Partition("dlq", 0)


def produced(offset: int = 5, headers: Headers = (), waits: bool = False) -> Seen:
    record = Record(MAIN, offset, 1_000 + offset, None, b"", headers)
    return Seen(Role.MAIN, DeadLetter(record, UNKNOWN, headers, "none"), waits)


def copy(role: Role, attempts: int = 1, waits: bool = False, redriven: bool = False, origin: int = 5) -> Seen:
    partition = RETRY if role is Role.RETRY else DLQ
    letter = DeadLetter(
        Record(partition, 7, 2_000 + attempts, None, b""),
        OURS,
        (),
        "vendor_temporary",
        status=500,
        vendor_code="1010",
        request_id=f"req-{attempts}",
        attempts=attempts,
        maybe_delivered=attempts == 3,
        origin=Origin(MAIN, origin, None),
    )
    return Seen(role, letter, waits, redriven)


@pytest.mark.parametrize(
    ("seen", "now"),
    [
        ([produced(waits=True)], "not settled yet"),
        ([produced()], "accepted, unless"),
        ([copy(Role.RETRY, waits=True), produced()], "waiting for its next attempt"),
        ([copy(Role.RETRY), produced()], "accepted, unless"),
        ([produced(), copy(Role.RETRY), copy(Role.DEAD_LETTER, 0)], "a dead letter at 0:7"),
        ([copy(Role.DEAD_LETTER, 2, redriven=True)], "which was redriven"),
    ],
)
def test_where_the_event_is(seen: list[Seen], now: str) -> None:
    assert [now in text for text in story(seen).now] == [True]


def test_its_steps_come_in_the_order_of_time() -> None:
    again = produced(9_000, ((REDRIVES, b"1"),))
    told = story([copy(Role.DEAD_LETTER, 3), again, copy(Role.RETRY, 1), produced(), copy(Role.RETRY, 2)])
    assert [step.text.partition(":")[0] for step in told.steps] == [
        "produced",
        "attempt 1 failed",
        "attempt 2 failed",
        "dead letter after 3 attempts",
        "redriven (redrive 1)",
    ]
    assert "HTTP 500, vendor code 1010, X-Request-Id req-3, it may have been delivered" in told.steps[3].text
    assert (told.posts, set(told.request_ids), len(told.now)) == (3, {"req-1", "req-2", "req-3"}, 2)


def test_nothing_is_no_story() -> None:
    assert story([]) == ((), (), 0, (), 0)


def entry(fate: Fate, attempts: int, settled_ms: int = 3_000, origin: int = 5, group: str = "ours") -> Told:
    request_id, place = f"req-{attempts}", Origin(MAIN, origin, 1)
    of = Entry("e", "", "0A", fate, "c", attempts, False, request_id, settled_ms - 80, settled_ms, place)
    return Told(of, b"hmac", group)


def test_the_ledger_tells_of_accepted_posts_and_counts_them() -> None:
    """An entry that is there twice counts once; one that was accepted at two places of the log was posted twice."""
    accepted = entry(Fate.ACCEPTED, 2)
    under_another_key = accepted._replace(hmac=b"another")
    told = story([produced(), copy(Role.RETRY)], [entry(Fate.RETRY, 1), accepted, accepted, under_another_key])
    assert [step.text.partition(":")[0] for step in told.steps] == [
        "produced",
        "attempt 1 failed",
        "attempt 2 accepted after 80 ms, X-Request-Id req-2",
    ]
    assert told.now == ("accepted, as the ledger tells",)
    assert (told.posts, told.accepted, told.request_ids) == (1, 1, ("req-1", "req-2"))
    assert story([produced()], [accepted, entry(Fate.ACCEPTED, 1, origin=6)]).accepted == 2


@pytest.mark.parametrize(
    ("fate", "step", "now"),
    [
        (Fate.RETRY, "attempt 1 failed: c, X-Request-Id req-1; its copy", "accepted, unless"),
        (Fate.DEAD_LETTER, "dead letter: c, X-Request-Id req-1; its copy", "a dead letter that was deleted"),
        (Fate.DUPLICATE, "settled without a post", "settled as duplicate_event"),
    ],
)
def test_the_ledger_tells_of_copies_that_were_deleted(fate: Fate, step: str, now: str) -> None:
    told = story([], [entry(fate, 1)])
    assert told.steps[0].text.startswith(step)
    assert now in told.now[0]
    assert (told.posts, told.accepted) == (1, 0)


@pytest.mark.parametrize(
    ("fate", "step", "now"),
    [
        (Fate.ACCEPTED, "attempt 1 (group theirs) accepted", "accepted (group theirs), as"),
        (Fate.RETRY, "attempt 1 (group theirs) failed: c, X-Request-Id req-1", "to be tried again (group theirs)"),
        (Fate.DEAD_LETTER, "dead letter (group theirs): c", "a dead letter (group theirs)"),
        (Fate.DUPLICATE, "settled (group theirs) without a post", "duplicate_event, without a post (group theirs)"),
    ],
)
def test_what_another_group_did_with_the_record_is_a_story_of_its_own(fate: Fate, step: str, now: str) -> None:
    """It posts for itself: whoever is in both was texted twice."""
    told = story([produced()], [entry(Fate.ACCEPTED, 1), entry(fate, 1, 4_000, group="theirs")], "ours")
    assert [now in text for text in told.now] == [False, True]
    assert [step in each.text for each in told.steps] == [False, False, True]
    assert told.accepted == 1 + (fate is Fate.ACCEPTED)
    assert told.posts == (fate is not Fate.ACCEPTED)


@pytest.mark.parametrize(
    ("fate", "step", "now"),
    [
        (Fate.WOULD_POST, "in a shadow: would have been posted", "would have been posted, as the shadow tells"),
        (Fate.WOULD_RETRY, "in a shadow: would have been tried again, c", "would have been tried again, as the shadow"),
        (Fate.WOULD_DEAD_LETTER, "in a shadow: would have been a dead letter, c", "would have been a dead letter, as"),
    ],
)
def test_a_shadows_topic_tells_what_would_have_become_of_it(fate: Fate, step: str, now: str) -> None:
    told = story([produced()], [entry(fate, 1)])
    assert told.steps[-1].text == step
    assert told.now[0].startswith(now)
    assert told.accepted == 0


@given(
    st.lists(
        st.builds(copy, st.sampled_from([Role.RETRY, Role.DEAD_LETTER]), st.integers(0, 5), st.booleans())
        | st.builds(produced, st.integers(0, 9), st.just(()), st.booleans()),
        max_size=6,
    )
)
def test_every_record_is_a_step_and_every_chain_is_somewhere(seen: list[Seen]) -> None:
    told = story(seen)
    assert len(told.steps) == len(seen)
    times = [step.time_ms or 0 for step in told.steps]
    assert times == sorted(times)
    assert bool(told.now) == bool(seen)


def test_a_copy_that_was_written_anew_is_told_once_where_it_is_now() -> None:
    """`connector retry expedite` writes all that waits in a partition anew: the same attempt, and no other one."""
    old = copy(Role.RETRY)
    old = old._replace(letter=old.letter._replace(last_failure_ms=2_001))
    new = Seen(Role.RETRY, old.letter._replace(record=old.letter.record._replace(offset=90)), waits=True)
    told = story([produced(), old, new])
    assert [(step.partition, step.offset) for step in told.steps] == [(MAIN, 5), (RETRY, 90)]
    assert told.now == ("in the retry topic, waiting for its next attempt",)
    assert told.posts == 1
