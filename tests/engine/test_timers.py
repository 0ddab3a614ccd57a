"""Deadlines: each rings once, in time's order, and not before its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.engine.timers import Now, Timers


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=200), st.lists(st.floats(0, 30), max_size=20))
def test_what_is_not_cancelled_rings_once_in_order_and_never_early(
    made: list[tuple[float, bool]], steps: list[float]
) -> None:
    now, rung = Now(), list[tuple[float, int]]()
    timers = Timers(now)
    for number, (at, cancelled) in enumerate(made):
        timer = timers.at(at, rung.append, (at, number))
        if cancelled:
            timer.cancel()
    for step in steps:
        now.seconds += step
        timers.ring()
        assert all(at <= now.seconds for at, _ in rung)
        assert timers.first > now.seconds
    now.seconds = 101
    timers.ring()
    assert rung == sorted((at, number) for number, (at, cancelled) in enumerate(made) if not cancelled)


def test_what_a_timer_puts_off_to_now_waits_for_the_next_time() -> None:
    """Or two that set each other would hold the engine for ever."""
    now, rung = Now(), list[str]()
    timers = Timers(now)

    def again() -> None:
        rung.append("rung")
        timers.after(0, again)

    again()
    timers.ring()
    timers.ring()
    assert rung == ["rung"] * 3


def test_a_timer_that_is_set_and_cancelled_again_and_again_takes_no_room() -> None:
    timers = Timers(Now())
    for _ in range(10_000):
        timers.after(60, print).cancel()
    assert len(timers) < 200
