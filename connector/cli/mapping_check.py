"""Whether a mapping fits writers' schemas, file by file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer

from connector.core.mapping.compiled import Compiled
from connector.core.mapping.rules import Rules
from connector.edge.avro.codec import MisfitError, Reader
from connector.edge.avro.json_values import JsonWriter
from connector.edge.avro.resolution import IncompatibleError
from connector.edge.avro.schema_text import branches_in_text, load_json
from connector.edge.avro.schemas import SchemaFile, SchemaFolderError, load_file, reader_schema
from connector.edge.avro.vetting import NoRecordError, UnsafeSchemaError
from connector.edge.avro.writers import OWN_SUBJECT, AnyWriter, renamed

OK, OTHER, FAILED = "ok", "other", "failed"
_LIST = f"warning: a list, which cannot be used as the schema of a subject: {OWN_SUBJECT}"


class Checked(NamedTuple):
    """What was found of one file. `verdict`: it fits, the mapping has no event of it, or it does not fit."""

    file: Path
    verdict: str
    schema: str | None
    texts: tuple[str, ...]


class Found(NamedTuple):
    """What was found of all. `unchecked`: schemas that the mapping names and none of the files is."""

    files: tuple[Checked, ...]
    unchecked: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether a file does not fit, or nothing was checked at all."""
        verdicts = [each.verdict for each in self.files]
        return FAILED in verdicts or OK not in verdicts

    def lines(self) -> Iterator[str]:
        """For people."""
        for each in self.files:
            yield f"{each.verdict:7} {each.file}: {each.texts[0] if each.texts else ''}"
            yield from (f"        {text}" for text in each.texts[1:])
        yield from (f"warning not checked: {name}, which none of these files is" for name in self.unchecked)

    def document(self) -> Mapping[str, object]:
        """For programs."""
        return {
            "files": [
                {"file": str(each.file), "verdict": each.verdict, "schema": each.schema, "texts": list(each.texts)}
                for each in self.files
            ],
            "unchecked": list(self.unchecked),
        }


def checked(rules: Rules, files: Sequence[Path]) -> Found:
    """Check each file. Raises typer.BadParameter for one that cannot be read or is no schema."""
    reader = Reader(reader_schema(), rules)
    found = tuple(each for file in files for each in _checked(reader, file, files))
    seen = {each.schema for each in found}
    named = dict.fromkeys(event.schema for event in rules.events if event.schema is not None)
    return Found(found, tuple(name for name in named if name not in seen))


def _checked(reader: Reader, file: Path, files: Sequence[Path]) -> Iterator[Checked]:
    """A file of several types has a verdict for each that is the mapping's, with a warning: as the schema of a subject
    such a list is a union, which cannot be used."""
    found = [_verdict(reader, given, files) for given in schemas_in(file)]
    ours = [each for each in found if each.verdict != OTHER]
    if ours and branches_in_text(load_file(file).text):
        ours = [each._replace(texts=(*each.texts, _LIST)) for each in ours]
    yield from ours or found[:1]


def schemas_in(file: Path) -> tuple[SchemaFile, ...]:
    """The schema of a file, or of each record in a list of types. Raises typer.BadParameter for one that cannot be
    read."""
    try:
        loaded = load_file(file)
    except SchemaFolderError as error:  # which names the file
        raise typer.BadParameter(str(error)) from None
    try:
        given: Any = None if loaded.is_json else load_json(loaded.text)
    except (ValueError, RecursionError):
        given = None  # what reads it says why
    types = given if isinstance(given, list) else []
    records = [each for each in types if isinstance(each, dict) and each.get("type") == "record"]
    return tuple(loaded._replace(text=json.dumps(each)) for each in records) or (loaded,)


def _verdict(reader: Reader, given: SchemaFile, files: Sequence[Path]) -> Checked:
    file = Path(given.name)
    try:
        writer = writer_of(reader, given, files)
    except MisfitError as error:
        misfit = error.misfit
        texts = (f"the mapping does not fit {misfit.schema}:", *misfit.problems)
        return Checked(file, FAILED, misfit.schema, texts)
    except NoRecordError:
        return Checked(file, OTHER, None, ("a type that is no record, for others to use",))
    if (other := renamed(reader, writer)) is not None:
        return Checked(file, FAILED, other.schema, (f"{other.schema} holds its partition:", *other.problems))
    mapping = writer.mapping
    if isinstance(mapping, Compiled):
        events = len(mapping.events)
        text = f"the mapping fits {mapping.name}, of which it has {events} event{'s' if events > 1 else ''}"
        return Checked(file, OK, mapping.name, (text,))
    text = "our own schema" if mapping is None else "the mapping has no event of it: see mapping.others"
    return Checked(file, OTHER, None, (text,))


def writer_of(reader: Reader, given: SchemaFile, files: Sequence[Path]) -> AnyWriter:
    """What reads a schema, which may use types of the files. Raises MisfitError, NoRecordError, or typer.BadParameter
    for one that cannot be used."""
    try:
        if given.is_json:
            _refuse_event(given)
            return JsonWriter(given.text, reader.rules)
        try:
            return reader.writer(given.text)
        except NoRecordError:
            raise
        except UnsafeSchemaError:
            return reader.writer(given.text, others_of(given, files))
    except NoRecordError:
        raise
    except SchemaFolderError as error:  # which names the file
        raise typer.BadParameter(str(error)) from None
    except (UnsafeSchemaError, IncompatibleError) as error:
        raise typer.BadParameter(f"{given.name}: {error}") from None


def others_of(given: SchemaFile, files: Sequence[Path]) -> list[str]:
    """The texts of the files, where its types may be: its own too, if it is one of a list. Raises SchemaFolderError."""
    texts = [load_file(file).text for file in files]
    return [text for text in texts if text != given.text]


_SAYS = frozenset({"$schema", "$ref", "$defs", "definitions", "properties", "type", "allOf", "anyOf", "oneOf"})


def _refuse_event(loaded: SchemaFile) -> None:
    """A JSON Schema may say nothing at all, and then an event would be one."""
    try:
        given = load_json(loaded.text)
    except ValueError:
        return  # what reads it says why
    types = given.get("type", "object") if isinstance(given, dict) else None
    if (types != "object" and not (isinstance(types, list) and "object" in types)) or not _SAYS & given.keys():
        raise typer.BadParameter(
            f"{loaded.name} is no schema: an Avro schema is a file *.avsc, a JSON Schema says type: object or its "
            "properties; an event is for --explain EVENT.json SCHEMA.avsc"
        )
