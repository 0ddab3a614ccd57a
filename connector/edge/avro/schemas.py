"""Schemas from files: those that come with this package, and those of the settings' folder."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from connector.edge.avro.canonical import fingerprints
from connector.edge.avro.schema_text import load_json

CURRENT = "invocation-event.avsc"
_JSON = "invocation-event.schema.json"
LEDGER_ENTRY = "ledger-entry.avsc"
"""Lies in the same folder; no event is written with it."""

IDS = "ids.json"
_LARGEST_ID = 2**31 - 1
_UUID_LENGTH = 36


class SchemaFolderError(Exception):
    """A folder of schemas that cannot be used; names the file and what is wrong with it."""


class SchemaFile(NamedTuple):
    """A schema and where it came from, for texts to people."""

    name: str
    text: str
    is_json: bool = False  # a JSON Schema


class SchemaFolder(NamedTuple):
    """The schema files of a folder, and those that `ids.json` names: by ids, and by UUIDs as they are written."""

    files: tuple[SchemaFile, ...]
    by_id: Mapping[int, SchemaFile]
    by_uuid: Mapping[str, SchemaFile] = MappingProxyType({})

    def over(self, other: SchemaFolder) -> SchemaFolder:
        """Both together; where both know an id, ours."""
        by_uuid = {**other.by_uuid, **self.by_uuid}
        return SchemaFolder((*self.files, *other.files), {**other.by_id, **self.by_id}, by_uuid)


def shipped_folder() -> SchemaFolder:
    """Every version of our own schema, as installed with this package."""
    return load_folder(_shipped())


def reader_schema() -> str:
    """Our own schema, which every event is read into, as installed with this package."""
    return (_shipped() / CURRENT).read_text(encoding="utf-8")


def json_schema() -> SchemaFile:
    """The JSON Schema of our own events, as installed with this package."""
    return load_file(_shipped() / _JSON)


def load_folder(folder: Path) -> SchemaFolder:
    """Read every schema of events, each `*.avsc` under a folder, in either case, and `ids.json` where there is one:
    id or UUID → file, relative to it.

    Raises SchemaFolderError for a folder or file that cannot be read, and for what is no schema or no map of ids.
    """
    if not folder.is_dir():
        raise SchemaFolderError(f"{folder} is not a folder")
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() == ".avsc")
    schemas = (path for path in found if path.name != LEDGER_ENTRY)
    files = tuple(map(load_file, schemas))
    for file in files:
        names_of(file)
    named = {key: load_file(folder / name) for key, name in _ids(folder / IDS).items()}
    by_id = {key: file for key, file in named.items() if isinstance(key, int)}
    return SchemaFolder(files, by_id, {key: file for key, file in named.items() if isinstance(key, str)})


def load_file(path: Path) -> SchemaFile:
    """Read one schema file: a JSON Schema if it is named `*.json`. Raises SchemaFolderError when it cannot be read."""
    try:
        return SchemaFile(str(path), path.read_text(encoding="utf-8"), path.suffix.lower() == ".json")
    except OSError as error:
        raise SchemaFolderError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SchemaFolderError(f"{path} is not UTF-8 text") from error


def names_of(file: SchemaFile) -> frozenset[bytes]:
    """Every fingerprint by which producers name a schema. Raises SchemaFolderError for what is no schema."""
    try:
        return fingerprints(file.text)
    except ValueError as error:
        raise SchemaFolderError(f"{file.name} is not an Avro schema") from error


def _shipped() -> Path:
    return Path(str(files("connector"))) / "schemas"


def _ids(path: Path) -> Mapping[int | str, str]:
    if not path.exists():
        return {}
    try:
        given: Any = load_json(load_file(path).text)
    except ValueError as error:
        raise SchemaFolderError(f"{path} is not JSON") from error
    if not isinstance(given, dict):
        raise SchemaFolderError(f'{path} must map ids to files, like {{"17": "invocation-event/1.avsc"}}')
    found: dict[int | str, str] = {}
    for key, name in given.items():
        if (known := _key(key)) is None or not _stays_inside(name):
            raise SchemaFolderError(
                f"{path}: each id is 0 to {_LARGEST_ID}, or an UUID, and maps to a file under the same folder"
            )
        found[known] = name
    return found


def _key(text: str) -> int | str | None:
    if text.isascii() and text.isdigit():
        return int(text) if int(text) <= _LARGEST_ID else None
    try:
        return str(UUID(text)) if len(text) == _UUID_LENGTH else None
    except ValueError:
        return None


def _stays_inside(name: object) -> bool:
    return isinstance(name, str) and not Path(name).is_absolute() and ".." not in Path(name).parts
