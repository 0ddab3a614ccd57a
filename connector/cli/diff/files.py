"""The file in which one version leaves what it makes of some records, for another one to compare: digests, no values.

JSON lines, readable for its owner only: a header, then `[partition, offset, class]` for what is refused and
`[partition, offset, {field: digest}]` for a request, in the order of partitions and offsets.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b, sha256
from pathlib import Path
from typing import BinaryIO, Literal

import orjson
import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector import __version__
from connector.core.comparison import Fate, Placed, Values

LARGEST_FILE = 1_000_000
"""Records."""
_BEGINS = b'{"connector_diff":'
_SHORTEST_KEY = 16  # bytes


class Header(BaseModel):
    """What a file was made of: topic, the offsets read of each partition, and the digest of nothing under its key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connector_diff: Literal[1] = 1
    version: str = __version__
    topic: str
    key_check: str = Field(pattern="^[0-9a-f]{16}$")
    partitions: dict[int, tuple[int, int]]


def key_of(path: Path | None) -> bytes:
    """The key of the digests, from a file of its own: where both are at hand, a short value is found by trying.

    Raises typer.BadParameter.
    """
    if path is None:
        raise typer.BadParameter("needs a secret: --key-file, such as `openssl rand -hex 32 > diff.key` makes")
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise typer.BadParameter(f"--key-file: {path}: {error.strerror}") from None
    if len(key) < _SHORTEST_KEY:
        raise typer.BadParameter(f"--key-file: {path}: {len(key)} bytes, and {_SHORTEST_KEY} are needed")
    return sha256(key).digest()


def check_of(key: bytes) -> str:
    """What shows that two files were made with the same key."""
    return blake2b(key=key, digest_size=8).hexdigest()


def is_ours(path: Path) -> bool:
    """Whether this is such a file, rather than settings. Raises typer.BadParameter for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINS)) == _BEGINS
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None


def write(path: Path, header: Header, fates: Iterable[Placed]) -> int:
    """Write a new file, whole or not at all, and return how many records it has. Raises OSError."""
    part = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with open(part, "wb", opener=_for_us_alone) as out:
            out.write(header.model_dump_json().encode() + b"\n")
            for (partition, offset), fate in fates:
                out.write(orjson.dumps([partition, offset, _shown(fate)]) + b"\n")
                count += 1
            out.flush()
            os.fsync(out.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def header_of(file: BinaryIO) -> Header:
    """Read a file's first line. Raises typer.BadParameter for one of another version."""
    try:
        return Header.model_validate_json(file.readline())
    except ValidationError:
        raise typer.BadParameter("the file was written by a version of the connector that compares otherwise") from None


def fates_of(file: BinaryIO) -> Iterator[Placed]:
    """The lines after the header. Raises typer.BadParameter for one that cannot be read."""
    for number, line in enumerate(file, 2):
        try:
            partition, offset, told = orjson.loads(line)
            values = {name: bytes.fromhex(digest) for name, digest in told.items()} if isinstance(told, dict) else None
            yield (int(partition), int(offset)), Fate(values, None if values is not None else str(told))
        except (ValueError, TypeError, AttributeError):
            raise typer.BadParameter(f"line {number} is not as `connector diff --write` writes it") from None


def _shown(fate: Fate) -> object:
    values: Values | None = fate.values
    return fate.refused if values is None else {name: digest.hex() for name, digest in values.items()}


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o600)
