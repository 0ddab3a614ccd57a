"""What a person has paused: everything, a topic or a partition; by a file or by commands, which are kept apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import NamedTuple

from typing_extensions import override

from connector.core.record import Partition
from connector.core.redact import shape

LARGEST_FILE = 64 * 1024
"""Most bytes that a file of targets may have."""

UNUSABLE = ("bad_lines", "not_text", "too_large", "unreadable")
"""Why a file cannot be used."""

_ALL = -1
_LARGEST_NUMBER = 2**31 - 1  # Kafka's partition numbers are int32
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")  # org.apache.kafka.common.internals.Topic; . and .. are taken
_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")
_FORMS = "write `*` (everything), a topic's name, or `topic:partition`, such as `invocations:3`"


class Target(NamedTuple):
    """What can be paused. `topic` may be `*`, every topic; `number` -1 stands for every partition."""

    topic: str
    number: int = _ALL

    @override
    def __str__(self) -> str:
        return self.topic if self.number == _ALL else f"{self.topic}:{self.number}"

    @property
    def is_everything(self) -> bool:
        """Whether it is `*`."""
        return self == EVERYTHING

    def covers(self, place: Partition | Target) -> bool:
        """Whether a pause of this is one of all of that, too."""
        return self.topic in {EVERYTHING.topic, place.topic} and self.number in {_ALL, place.number}

    def is_read(self, topics: Collection[str]) -> bool:
        """Whether a pause of this is one of anything, where these topics are read."""
        return self == EVERYTHING or self.topic in topics


EVERYTHING = Target("*")


def parse_target(text: str) -> Target:
    """Read `*`, a topic, or `topic:partition`; `str` gives the text back.

    Raises ValueError with the text's shape and what to write; never with the text, which may be anything.
    """
    if text == EVERYTHING.topic:
        return EVERYTHING
    topic, colon, number = text.partition(":")
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise ValueError(f"{shape(topic)} is no name of a topic: {_FORMS}")
    if not colon:
        return Target(topic)
    if not _NUMBER.fullmatch(number) or int(number) > _LARGEST_NUMBER:
        raise ValueError(f"{shape(number)} after the colon is no number of a partition: {_FORMS}")
    return Target(topic, int(number))


class BadLine(NamedTuple):
    """A line, counted from 1, that is no target, and why."""

    number: int
    problem: str


class Unusable(NamedTuple):
    """A file that cannot be used as a whole. `code` is one of UNUSABLE; `lines` has every bad line."""

    code: str
    lines: tuple[BadLine, ...] = ()


def parse_file(content: bytes) -> frozenset[Target] | Unusable:
    """Read a target a line, UTF-8; what follows a `#` is a comment, and empty lines mean nothing."""
    if len(content) > LARGEST_FILE:
        return Unusable("too_large")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Unusable("not_text")
    targets: set[Target] = set()
    bad: list[BadLine] = []
    # Not splitlines: it also splits where no editor counts a line.
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        try:
            targets.add(parse_target(entry))
        except ValueError as error:
            bad.append(BadLine(number, str(error)))
    return Unusable("bad_lines", tuple(bad)) if bad else frozenset(targets)


class Source(StrEnum):
    """Who paused."""

    FILE = "file"
    COMMAND = "command"


class Paused(NamedTuple):
    """A pause in force, since when (ms since the epoch), and what the person said."""

    target: Target
    source: Source
    since_ms: int
    reason: str = ""

    def shown(self) -> dict[str, object]:
        """For people and JSON."""
        return {**self._asdict(), "target": str(self.target), "source": self.source.value}


class Change(NamedTuple):
    """What a new content of the file paused and resumed."""

    paused: tuple[Target, ...]
    resumed: tuple[Target, ...]


class Resumed(NamedTuple):
    """What a command to resume ended, and the pauses that still stand on some of what it named."""

    ended: tuple[Target, ...]
    stays: tuple[Paused, ...]


class Pauses:
    """The pauses in force.

    Law: a partition is paused while a target of the file or of a command covers it; neither source ever ends what
    the other paused.
    """

    def __init__(self) -> None:
        self._by_file: dict[Target, Paused] = {}
        self._by_command: dict[Target, Paused] = {}

    @override
    def __repr__(self) -> str:
        return f"Pauses({', '.join(f'{each.target} by {each.source}' for each in self.in_force)})"

    @property
    def everything(self) -> bool:
        """Whether `*` is paused."""
        return EVERYTHING in self._by_file or EVERYTHING in self._by_command

    @property
    def in_force(self) -> tuple[Paused, ...]:
        """Every pause, in the order of targets; the file's before the commands'."""
        return tuple(sorted([*self._by_file.values(), *self._by_command.values()], key=lambda each: each.target))

    def covers(self, partition: Partition) -> bool:
        """Whether a pause stands on this partition."""
        return any(target in self._by_file or target in self._by_command for target in _covering(partition))

    def pause(self, targets: Iterable[Target], now_ms: int, reason: str = "") -> tuple[Target, ...]:
        """Pause by command, and return what no command had paused before; the rest keeps its time and reason."""
        new = tuple(sorted(set(targets) - self._by_command.keys()))
        self._by_command.update({target: Paused(target, Source.COMMAND, now_ms, reason) for target in new})
        return new

    def resume(self, targets: Iterable[Target]) -> Resumed:
        """End what commands paused within these targets.

        A part of what was paused as a whole stays paused, and so does what the file says.
        """
        named = frozenset(targets)
        ended = tuple(sorted(each for each in self._by_command if not named.isdisjoint(_covering(each))))
        for target in ended:
            del self._by_command[target]
        wider = {target for each in named for target in _covering(each)}
        stays = (each for each in self.in_force if each.target in wider or not named.isdisjoint(_covering(each.target)))
        return Resumed(ended, tuple(stays))

    def follow_file(self, targets: frozenset[Target], now_ms: int) -> Change:
        """Pause what the file says and nothing else of it; what it said before keeps its time."""
        paused = tuple(sorted(targets.difference(self._by_file)))
        resumed = tuple(sorted(self._by_file.keys() - targets))
        for target in resumed:
            del self._by_file[target]
        self._by_file.update({target: Paused(target, Source.FILE, now_ms) for target in paused})
        return Change(paused, resumed)


def _covering(place: Partition | Target) -> tuple[Target, Target, Target]:
    """The targets that cover it; look-ups, because a file may hold thousands."""
    return EVERYTHING, Target(place.topic), Target(*place)
