"""Events as JSON: the fields of `schemas/invocation-event.avsc`, times in ms since the epoch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson
import typer

from connector.core.event import FIELD_NAMES

Fields = dict[str, object]


class Line(NamedTuple):
    """One event and its line, from 1."""

    number: int
    fields: Fields


def opened(file: Path | None) -> AbstractContextManager[BinaryIO]:
    """The file, or standard input for none and for `-`. Raises typer.BadParameter for one that cannot be read."""
    # typer's own check (`exists`) would refuse the dash: its `allow_dash` knows none in a Path.
    if file is None or file == Path("-"):
        return nullcontext(sys.stdin.buffer)
    try:
        return file.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None


def lines(file: BinaryIO) -> Iterator[Line]:
    """Each line's event; empty lines are passed over. Raises typer.BadParameter for one that is not an object."""
    for number, text in enumerate(file, 1):
        if text.strip():
            yield Line(number, _object(text, f"line {number}"))


def single(file: BinaryIO) -> Fields:
    """The one event of a file. Raises typer.BadParameter when it is not exactly one JSON object."""
    return _object(file.read(), "the file")


def _object(text: bytes, place: str) -> Fields:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:  # its text quotes nothing, but its place in the line is of little use
        raise typer.BadParameter(f"{place} is not one JSON object") from None
    if not isinstance(fields, dict):
        raise typer.BadParameter(f"{place} is not one JSON object")
    if set(fields) - set(FIELD_NAMES):
        # A misspelt expiresAt would make an event that never expires.
        raise typer.BadParameter(f"{place} has a field that no event has; there are {', '.join(FIELD_NAMES)}")
    return fields
