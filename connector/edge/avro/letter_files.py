"""Exported letters as files: JSON lines, or an Avro container file. Both hold every byte of each record."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import fastavro
import orjson

from connector.core.letters.letter import DeadLetter
from connector.core.record import Record

_MAGIC = b"Obj\x01"

_BYTES: Any = ["null", "bytes"]
_TEXT: Any = ["null", "string"]
_LONG: Any = ["null", "long"]
SCHEMA: Any = {
    "type": "record",
    "name": "DeadLetter",
    "namespace": "invoke.connector",
    "fields": [
        {"name": "topic", "type": "string"},
        {"name": "partition", "type": "int"},
        {"name": "offset", "type": "long"},
        {"name": "timestamp_ms", "type": _LONG},
        {"name": "class", "type": "string"},
        {"name": "reason", "type": _TEXT},
        {"name": "origin_topic", "type": _TEXT},
        {"name": "origin_partition", "type": ["null", "int"]},
        {"name": "origin_offset", "type": _LONG},
        {"name": "key", "type": _BYTES},
        {"name": "value", "type": _BYTES},
        {
            "name": "headers",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Header",
                    "fields": [{"name": "name", "type": "string"}, {"name": "value", "type": _BYTES}],
                },
            },
        },
    ],
}
"""Of the container file: the record byte for byte, and what its headers say of it."""


class Exported(NamedTuple):
    """A letter that a file holds, and the digest of its value, so that it is not taken for another one's."""

    topic: str
    partition: int
    offset: int
    digest: bytes


class FileError(Exception):
    """A file that is no export, or holds not all of each record; the text says what is wrong with it."""


def exported(record: Record) -> Exported:
    """What a file would have to hold for this record."""
    return Exported(record.partition.topic, record.partition.number, record.offset, _digest(record.value))


def write_json(file: BinaryIO, letters: Iterable[DeadLetter], view: Callable[[DeadLetter], dict[str, object]]) -> int:
    """Write a line for each, of what `view` shows and all the bytes in base64; return how many."""
    count = 0
    for letter in letters:
        record = letter.record
        raw = {
            "topic": record.partition.topic,
            "timestamp_ms": record.timestamp_ms,
            "key_base64": _base64(record.key),
            "value_base64": _base64(record.value),
            "headers_base64": [[name, _base64(value)] for name, value in record.headers],
        }
        file.write(orjson.dumps(view(letter) | raw, default=str, option=orjson.OPT_APPEND_NEWLINE))
        count += 1
    return count


def write_masked(file: BinaryIO, letters: Iterable[DeadLetter], view: Callable[[DeadLetter], dict[str, object]]) -> int:
    """Write a line for each, of what `view` shows and no more; return how many."""
    count = 0
    for letter in letters:
        file.write(orjson.dumps(view(letter), default=str, option=orjson.OPT_APPEND_NEWLINE))
        count += 1
    return count


def write_avro(file: BinaryIO, letters: Iterable[DeadLetter]) -> int:
    """Write a container file and return how many letters it has."""
    count = 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal count
        for letter in letters:
            count += 1
            yield _row(letter)

    fastavro.writer(file, fastavro.parse_schema(SCHEMA), rows(), codec="deflate")
    return count


def read(path: Path) -> Iterator[Exported]:
    """The letters of a file of either kind. Raises FileError and OSError."""
    with path.open("rb") as file:
        is_avro = file.read(len(_MAGIC)) == _MAGIC
        file.seek(0)
        yield from _of_avro(file) if is_avro else _of_json(file)


def _of_avro(file: BinaryIO) -> Iterator[Exported]:
    try:
        for row in fastavro.reader(file):
            assert isinstance(row, dict)
            yield Exported(row["topic"], row["partition"], row["offset"], _digest(row["value"]))
    except (ValueError, LookupError, TypeError, EOFError, AssertionError) as error:
        raise FileError(f"it is no export, or was cut ({type(error).__name__})") from None


def _of_json(file: BinaryIO) -> Iterator[Exported]:
    for number, line in enumerate(file, 1):
        try:
            row = orjson.loads(line)
            if "value_base64" not in row:
                raise FileError("it holds no values: it was written without --reveal")
            value = row["value_base64"]
            digest = _digest(None if value is None else base64.b64decode(value, validate=True))
            yield Exported(row["topic"], row["partition"], row["offset"], digest)
        except (ValueError, LookupError, TypeError):
            raise FileError(f"line {number} is of no export") from None


def _row(letter: DeadLetter) -> dict[str, object]:
    record, origin = letter.record, letter.origin
    return {
        "topic": record.partition.topic,
        "partition": record.partition.number,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "class": letter.code,
        "reason": letter.reason,
        "origin_topic": None if origin is None else origin.partition.topic,
        "origin_partition": None if origin is None else origin.partition.number,
        "origin_offset": None if origin is None else origin.offset,
        "key": record.key,
        "value": record.value,
        "headers": [{"name": name, "value": value} for name, value in record.headers],
    }


def _digest(value: bytes | None) -> bytes:
    return b"null" if value is None else sha256(value).digest()[:16]


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
