"""Counts of streams that may hold anything, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")
W = TypeVar("W")
OTHER = "other"


class Most(NamedTuple, Generic[K, W]):
    """The most frequent: how often it came at least, and where it came first as far as is remembered."""

    key: K
    times: int
    where: W


class Frequent(Generic[K, W]):
    """The most frequent of a stream (Misra and Gries, 1982).

    Exact while at most `most` differ; after that a count is too low by `error` at most, which is never more than
    `total` / (`most` + 1).
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[K, tuple[int, W]] = {}
        self.total = 0
        self.error = 0

    def add(self, key: K, where: W) -> None:
        """It came once more."""
        self.total += 1
        known = self._counts.get(key)
        if known is not None:
            self._counts[key] = known[0] + 1, known[1]
        elif len(self._counts) < self._most:
            self._counts[key] = 1, where
        else:
            self.error += 1
            self._counts = {each: (count - 1, place) for each, (count, place) in self._counts.items() if count > 1}

    @property
    def first(self) -> Most[K, W] | None:
        """The most frequent one."""
        return max((Most(key, *found) for key, found in self._counts.items()), key=lambda one: one.times, default=None)

    def __iter__(self) -> Iterator[Most[K, W]]:
        """All that are remembered."""
        return (Most(key, *found) for key, found in self._counts.items())


class Counts:
    """How often each text came; from the `most`-th different one on they are counted together as `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, int] = {}

    def add(self, text: str, times: int = 1) -> None:
        """It came this many times more."""
        if text not in self._counts and len(self._counts) >= self._most:
            text = OTHER
        self._counts[text] = self._counts.get(text, 0) + times

    def most_common(self) -> dict[str, int]:
        """Text → count, the most frequent first."""
        return dict(sorted(self._counts.items(), key=lambda one: (-one[1], one[0])))
