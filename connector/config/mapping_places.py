"""Parts of the mapping as YAML gives them, each with its place in the file, which every refusal names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar

from connector.core.mapping.paths import Path, path_of
from connector.core.mapping.steps import Scalar

QUOTES = "reads as {} in YAML: put it in quotes"
_T = TypeVar("_T")


class WrongError(ValueError):
    """Something that cannot be read, at its place."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(f"{place}: {text}" if place else text)


class At(NamedTuple):
    """A part of the tree, and how somebody finds it in the file."""

    place: str
    given: Any

    def wrong(self, text: str) -> WrongError:
        return WrongError(self.place, text)

    def inside(self, key: str | int) -> At:
        joint = f"[{key}]" if isinstance(key, int) else f".{key}" if self.place else key
        return At(f"{self.place}{joint}", self.given[key])

    def mapping(self, known: tuple[str, ...], what: str) -> dict[str, Any]:
        """A mapping whose keys are all known."""
        if not isinstance(self.given, dict):
            raise self.wrong(f"must be {what}")
        for key in self.given:
            if key not in known:
                near = get_close_matches(str(key), known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
                raise self.wrong(f"has the unknown key {key if str(key).isprintable() else ascii(key)}; {hint}")
        return self.given

    def items(self, what: str) -> Iterator[At]:
        """The entries of a list."""
        if not isinstance(self.given, list):
            raise self.wrong(f"must be a list of {what}")
        return (self.inside(number) for number in range(len(self.given)))


def path_at(at: At) -> Path:
    """A path into the producer's event or the record around it. Raises ValueError, as all of these."""
    if not isinstance(at.given, str):
        raise at.wrong("must be a path, such as booking.passenger.phone")
    return made(at, lambda: path_of(at.given))


def scalar_at(at: At) -> Scalar:
    """A text, number or boolean."""
    if not isinstance(at.given, str | int | float | bool):
        raise at.wrong("must be a text, a number, true or false")
    return at.given


def said(at: At, check: Callable[[str], None], otherwise: str) -> None:
    """A text that a check takes."""
    if not isinstance(at.given, str):
        raise at.wrong(otherwise)
    made(at, lambda: check(at.given))


def made(at: At, make: Callable[[], _T]) -> _T:
    """What somebody makes of it, with the place in what they refuse."""
    try:
        return make()
    except ValueError as error:
        raise at.wrong(str(error)) from None
