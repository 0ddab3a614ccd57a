"""Each metric is there for a question."""

from __future__ import annotations

from connector.observe.questions import QUESTIONS
from connector.observe.table import TABLE


def test_each_metric_has_one_question_and_no_two_the_same() -> None:
    assert QUESTIONS.keys() == {row.name for row in TABLE}
    assert all(question.endswith("?") for question in QUESTIONS.values())
    assert len(set(QUESTIONS.values())) == len(QUESTIONS)
