"""What is wrong with an event, and what was put right, as it is gathered."""

from __future__ import annotations

from collections.abc import Mapping

from connector.core.refusal import Problem, Refusal, Stage

MAX_LISTED = 32
"""Problems listed one by one: enough to correct an event by, and few enough for a log line and a header."""


class Findings:
    """What is wrong with an event, and what was put right, as it is gathered."""

    __slots__ = ("_remedies", "normalizations", "problems", "unlisted")

    def __init__(self, remedies: Mapping[str, str]) -> None:
        """`remedies` has what the producer should do about each class of problem."""
        self._remedies = remedies
        self.problems: list[Problem] = []
        self.unlisted = 0
        self.normalizations: list[str] = []

    def problem(self, code: str, name: str, seen: str) -> None:
        """`seen` says of the field `name` what it is like, and never what it says."""
        if len(self.problems) < MAX_LISTED:
            self.problems.append(Problem(code, name, seen, self._remedies[code]))
        else:
            self.unlisted += 1

    def normalized(self, name: str) -> None:
        """Something was put right."""
        if name not in self.normalizations:
            self.normalizations.append(name)

    def refusal(self) -> Refusal:
        """All that is wrong, the first 32 one by one."""
        if self.unlisted:
            code = "more_problems"
            self.problems.append(Problem(code, "event", f"{self.unlisted} further", self._remedies[code]))
        return Refusal(Stage.REQUEST, tuple(self.problems))
