"""Books that balance, and what is said of each kind that does not."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from connector.cli.demo.books import Books, DeadLetter, Expected, lines, lost, problems
from connector.cli.demo.play import Performed
from connector.cli.demo.report import report

BALANCED = Books(
    produced={
        "good": Expected(),
        "slow": Expected(posts=3),
        "bad": Expected(0, "bad_key"),
        "no": Expected(1, "blocked"),
    },
    accepted={"good": 1, "slow": 1},
    requests=5,
    dead_letters=[DeadLetter("bad", "bad_key", True), DeadLetter("no", "blocked", True)],
    exit_code=0,
)


def changed(**fields: Any) -> Books:
    return BALANCED._replace(**fields)


def test_nothing_is_said_of_books_that_balance() -> None:
    """Every record is accepted once or dead-lettered once, as expected."""
    assert list(problems(BALANCED)) == []


def test_every_line_of_balanced_books_found_what_was_planned() -> None:
    """Plan and count side by side."""
    assert [line.what for line in lines(BALANCED) if line.expected != line.found] == []


def test_the_lines_of_single_records_add_up_to_what_was_produced() -> None:
    """No record is in two lines or in none."""
    single = [line for line in lines(BALANCED) if line.what not in ("lost", "posted twice", "requests in all")]
    assert sum(line.expected for line in single) == len(BALANCED.produced)


def test_what_is_neither_accepted_nor_a_dead_letter_is_lost() -> None:
    """Whatever the connector says of it."""
    assert lost(changed(accepted={"good": 1})) == ["slow"]


@pytest.mark.parametrize(
    ("books", "words"),
    [
        (changed(accepted={"good": 1}), "1 records are lost"),
        (changed(accepted={"good": 2, "slow": 1}), "more than once: good"),
        (changed(accepted={"good": 1, "slow": 1, "who": 1}), "nobody produced: who"),
        (changed(accepted={"good": 1, "slow": 1, "bad": 1}), "should be dead letters: bad_key"),
        (changed(requests=6), "answered 6 requests where 5 were due"),
        (changed(exit_code=3), "exit code 3"),
        (changed(exit_code=None), "was killed"),
        (changed(dead_letters=[*BALANCED.dead_letters, DeadLetter("", "bad_key", False)]), "no record"),
        (changed(dead_letters=[*BALANCED.dead_letters, BALANCED.dead_letters[0]]), "topic more than once: bad"),
        (changed(dead_letters=[DeadLetter("bad", "bad_key", False), BALANCED.dead_letters[1]]), "not the key or value"),
        (
            changed(dead_letters=[DeadLetter("bad", "bad_time", True), BALANCED.dead_letters[1]]),
            "class bad_time, and bad_key was due",
        ),
        (changed(dead_letters=[*BALANCED.dead_letters, DeadLetter("good", "expired", True)]), "and acceptance was due"),
    ],
)
def test_what_does_not_balance_is_said_in_a_sentence(books: Books, words: str) -> None:
    """Each kind has its own, which names records or numbers."""
    assert any(words in problem for problem in problems(books))


def test_the_report_is_true_only_of_books_that_balance() -> None:
    """It decides the exit code, and says what does not balance."""
    screen = StringIO()
    assert report(Performed(BALANCED, []), Console(file=screen))
    assert not report(Performed(changed(requests=6), []), Console(file=screen))
    assert "The books do not balance: the simulator answered 6 requests where 5 were due." in screen.getvalue()
