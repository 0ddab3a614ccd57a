"""Schemas from files: those that come with this package, and those of the settings' folder."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from connector.edge.avro.canonical import fingerprints
from connector.edge.avro.schema_text import load_json

CURRENT = "invocation-event.avsc"
LEDGER_ENTRY = "ledger-entry.avsc"
"""Lies in the same folder; no event is written with it."""

IDS = "ids.json"
_LARGEST_ID = 2**31 - 1


class SchemaFolderError(Exception):
    """A folder of schemas that cannot be used; names the file and what is wrong with it."""


class SchemaFile(NamedTuple):
    """A schema and where it came from, for texts to people."""

    name: str
    text: str


class SchemaFolder(NamedTuple):
    """The schema files of a folder, and those that the ids of `ids.json` name."""

    files: tuple[SchemaFile, ...]
    by_id: Mapping[int, SchemaFile]

    def over(self, other: SchemaFolder) -> SchemaFolder:
        """Both together; where both know an id, ours."""
        return SchemaFolder((*self.files, *other.files), {**other.by_id, **self.by_id})


def shipped_folder() -> SchemaFolder:
    """Every version of our own schema, as installed with this package."""
    return load_folder(_shipped())


def reader_schema() -> str:
    """Our own schema, which every event is read into, as installed with this package."""
    return (_shipped() / CURRENT).read_text(encoding="utf-8")


def load_folder(folder: Path) -> SchemaFolder:
    """Read every schema of events, each `*.avsc` under a folder, in either case, and `ids.json` where there is one:
    id → file, relative to it.

    Raises SchemaFolderError for a folder or file that cannot be read, and for what is no schema or no map of ids.
    """
    if not folder.is_dir():
        raise SchemaFolderError(f"{folder} is not a folder")
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() == ".avsc")
    schemas = (path for path in found if path.name != LEDGER_ENTRY)
    files = tuple(map(load_file, schemas))
    for file in files:
        names_of(file)
    by_id = {number: load_file(folder / name) for number, name in _ids(folder / IDS).items()}
    return SchemaFolder(files, by_id)


def load_file(path: Path) -> SchemaFile:
    """Read one schema file. Raises SchemaFolderError when it cannot be read."""
    try:
        return SchemaFile(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaFolderError(f"{path} cannot be read: {type(error).__name__}") from error


def names_of(file: SchemaFile) -> frozenset[bytes]:
    """Every fingerprint by which producers name a schema. Raises SchemaFolderError for what is no schema."""
    try:
        return fingerprints(file.text)
    except ValueError as error:
        raise SchemaFolderError(f"{file.name} is not an Avro schema") from error


def _shipped() -> Path:
    return Path(str(files("connector"))) / "schemas"


def _ids(path: Path) -> Mapping[int, str]:
    if not path.exists():
        return {}
    try:
        given: Any = load_json(load_file(path).text)
    except ValueError as error:
        raise SchemaFolderError(f"{path} is not JSON") from error
    if not isinstance(given, dict):
        raise SchemaFolderError(f'{path} must map ids to files, like {{"17": "invocation-event/1.avsc"}}')
    for number, name in given.items():
        if not (number.isascii() and number.isdigit() and int(number) <= _LARGEST_ID and _stays_inside(name)):
            raise SchemaFolderError(f"{path}: each id is 0 to {_LARGEST_ID} and maps to a file under the same folder")
    return {int(number): name for number, name in given.items()}


def _stays_inside(name: object) -> bool:
    return isinstance(name, str) and not Path(name).is_absolute() and ".." not in Path(name).parts
