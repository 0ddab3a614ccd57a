"""Files that settings name: secrets, read when the settings are loaded, and certificates, read by TLS itself.

No error text names the path: somebody may have written the secret there in its file's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainValidator, SecretStr, WithJsonSchema

_MOST = 64 * 1024
_PART_OF_IT = "which would become part of the secret: write the secret alone (`printf %s`), or with one line end"


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A secret and the file it came from; the file may change under us (Kubernetes swaps a symlink)."""

    path: Path
    secret: SecretStr


def read_secret(value: object) -> SecretFile:
    """Read a secret file: UTF-8, 1 byte to 64 KiB, one trailing newline taken off. Raises ValueError, also for a value
    that a slip made: with a space or a line end at an end of it, or with characters that nobody sees.

    One that was read before is read anew, unless it is a pipe, which can be read once only.
    """
    if isinstance(value, SecretFile) and value.path.is_fifo():
        return value
    path = _path(value.path if isinstance(value, SecretFile) else value)
    content = _content(path)
    if content.startswith("\ufeff"):
        raise ValueError("the file begins with a byte order mark, which would become part of the secret")
    secret = content.removesuffix("\n").removesuffix("\r") if content.endswith("\n") else content
    if not secret:
        raise ValueError("the file is empty")
    if secret != secret.strip():
        raise ValueError(f"the file begins or ends with a space, a tab or an empty line, {_PART_OF_IT}")
    if not secret.isprintable():
        raise ValueError(f"the file has a second line, a tab or another character that cannot be seen, {_PART_OF_IT}")
    return SecretFile(path, SecretStr(secret))


def readable_by_others(path: Path) -> bool:
    """Whether every user of the machine may read the file (mode o+r); False when it cannot be looked at."""
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:
        return False


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("must be the path of a file")
    return Path(value)


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(error) from None
    if len(raw) > _MOST:
        raise ValueError("the file is larger than 64KiB: not a secret")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8 text") from None


def _unreadable(error: Exception) -> ValueError:
    reason = error.strerror if isinstance(error, OSError) else "not a path"
    return ValueError(f"the file cannot be read ({reason})")


def _openable(path: Path) -> Path:
    try:
        with path.open("rb"):
            return path
    except (OSError, ValueError) as error:
        raise _unreadable(error) from None


Secret = Annotated[SecretFile, PlainValidator(read_secret), WithJsonSchema({"type": "string", "format": "path"})]
"""A path in the file; the secret it holds in the program."""


def _user_and_password(file: SecretFile) -> SecretFile:
    if ":" not in file.secret.get_secret_value():
        raise ValueError("the file must hold user:password")
    return file


UserAndPassword = Annotated[Secret, AfterValidator(_user_and_password)]
"""A path in the file; `user:password` in the program."""

ReadableFile = Annotated[Path, AfterValidator(_openable)]
"""A path that could be opened when the settings were loaded."""
