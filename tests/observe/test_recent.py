"""What happened lately, by looking now and then."""

from __future__ import annotations

from math import inf

from connector.observe.metrics import Metrics
from connector.observe.recent import Recent, Since


def _looked(recent: Recent, first: int, last: int) -> None:
    for second in range(first, last):
        recent.look(float(second))


def test_answers_are_counted_over_the_span_and_in_all() -> None:
    metrics = Metrics(answer_codes=["accepted", "bad_credentials"])
    recent = Recent(metrics, 0.0, span=60.0)
    metrics.counter("answers").at("accepted").value += 5
    _looked(recent, 1, 100)
    metrics.counter("answers").at("bad_credentials").value += 2
    _looked(recent, 100, 110)
    assert recent.answers() == {"accepted": (0, 5), "bad_credentials": (2, 2)}


def test_before_the_span_is_over_everything_is_recent() -> None:
    metrics = Metrics(answer_codes=["accepted"])
    recent = Recent(metrics, 0.0)
    metrics.counter("answers").at("accepted").value += 5
    _looked(recent, 1, 30)
    assert recent.answers() == {"accepted": (5, 5)}


def test_acceptances_of_a_part_of_the_span_and_the_last_one() -> None:
    metrics = Metrics()
    recent = Recent(metrics, 0.0)
    assert recent.last_accepted() is None
    metrics.counter("records_accepted").at().value += 3
    _looked(recent, 1, 100)
    assert (recent.accepted(100.0, 60.0), recent.accepted(100.0, 300.0), recent.last_accepted()) == (0, 3, 1.0)
    metrics.counter("records_accepted").at().value += 4
    recent.look(100.0)
    assert (recent.accepted(100.0, 60.0), recent.last_accepted()) == (4, 100.0)


def test_times_are_bounded_by_the_buckets_of_the_span() -> None:
    metrics = Metrics()
    recent = Recent(metrics, 0.0, span=60.0)
    post = metrics.histogram("post_seconds")
    post.observe(59.0)
    _looked(recent, 1, 100)
    assert recent.bounds("post_seconds", 0.5, 0.99) == [None, None]
    for seconds in (0.2, 0.2, 0.2, 99.0):
        post.observe(seconds)
    assert recent.bounds("post_seconds", 0.5, 0.99) == [0.25, inf]


def test_what_is_kept_does_not_grow() -> None:
    recent = Recent(Metrics(), 0.0)
    _looked(recent, 1, 2000)
    assert len(recent._states) <= 300 / 5 + 2


def test_since_is_the_first_look_that_saw_it_without_a_break() -> None:
    since = Since[str]()
    assert since.look(1000, ["a"]) == {"a": 1000}
    assert since.look(2000, ["a", "b"]) == {"a": 1000, "b": 2000}
    since.look(3000, ["b"])
    assert since.look(4000, ["a", "b"]) == {"a": 4000, "b": 2000}
