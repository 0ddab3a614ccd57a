"""The file of pauses: what its content pauses, and what is said of one that cannot be used."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest

from connector.core.pauses import EVERYTHING, Target
from connector.edge.paused_file import PausedFile
from connector.observe.events import Events
from connector.observe.logs import Logs
from connector.observe.metrics import Metrics

INVOCATIONS = frozenset({Target("invocations")})


class World:
    """A file's reader, and the lines that it writes."""

    def __init__(self) -> None:
        self._stream = io.BytesIO()
        self._logs = Logs(self._stream, lambda: 0, "debug", "json")
        events = Events(Metrics(), self._logs.logger, log_accepted=False)
        self.file = PausedFile(events, ["invocations", "invocations.retry"])

    @property
    def lines(self) -> list[dict[str, Any]]:
        self._logs.close()
        return [orjson.loads(line) for line in self._stream.getvalue().splitlines()]


def test_a_content_is_what_is_paused() -> None:
    world = World()
    assert world.file.read(b"invocations:3 # gates\n") == frozenset({Target("invocations", 3)})
    assert world.file.read(b"*") == frozenset({EVERYTHING})
    assert world.file.read(b"") == frozenset()
    assert world.lines == []


def test_without_a_file_nothing_is_paused() -> None:
    world = World()
    assert world.file.read(None) == frozenset()
    world.file.read(b"*")
    assert world.file.read(None) == frozenset()


@pytest.mark.parametrize(
    ("content", "code"), [(b"all of it", "bad_lines"), (b"\xff", "not_text"), (b"#" * 70_000, "too_large")]
)
def test_a_content_that_cannot_be_used_leaves_the_last_one_in_force(content: bytes, code: str) -> None:
    world = World()
    world.file.read(b"invocations")
    assert world.file.read(content) == INVOCATIONS
    (line,) = world.lines
    assert (line["event"], line["level"], line["code"]) == ("paused_file_unusable", "error", code)


def test_a_file_that_cannot_be_read_leaves_the_last_one_in_force() -> None:
    world = World()
    world.file.read(b"invocations")
    assert world.file.unreadable() == INVOCATIONS
    assert [line["code"] for line in world.lines] == ["unreadable"]


def test_a_first_content_that_cannot_be_used_pauses_everything() -> None:
    """What was paused before a restart must not be posted for a typing error."""
    assert World().file.read(b"all of it") == frozenset({EVERYTHING})
    assert World().file.unreadable() == frozenset({EVERYTHING})


def test_the_bad_lines_are_told_by_number_and_never_shown() -> None:
    world = World()
    world.file.read(b"invocations\n\n+12025550123\ninvocations:x\n")
    (line,) = world.lines
    assert line["bad_lines"] == 2
    assert [text.split(":")[0] for text in line["lines"]] == ["line 3", "line 4"]
    assert "2025550123" not in str(line)


def test_a_problem_is_told_once() -> None:
    """The same content is looked at every second."""
    world = World()
    world.file.read(b"all of it")
    world.file.read(b"all of it")
    assert len(world.lines) == 1


def test_a_problem_that_comes_back_is_told_again() -> None:
    world = World()
    for content in (b"all of it", None, b"all of it"):
        world.file.read(content)
    assert len(world.lines) == 2


def test_a_topic_that_is_not_read_pauses_nothing_and_is_told() -> None:
    """invocations-3 is how a log line names a partition, and would be a topic."""
    world = World()
    assert world.file.read(b"invocations-3\ninvocations\n") == INVOCATIONS
    (line,) = world.lines
    assert (line["event"], line["level"], line["names"]) == ("paused_file_unread", "warning", ["invocations-3"])
    assert line["topics"] == ["invocations", "invocations.retry"]
