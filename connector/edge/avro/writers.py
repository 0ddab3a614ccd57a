"""Texts of schemas made into what reads their values, or into why nothing is read with them."""

from __future__ import annotations

from collections.abc import Iterable

from connector.core.mapping.errors import MISFIT, OTHER_TYPE, Misfit, NotOurs
from connector.core.refusal import Problem, Refusal, Stage
from connector.edge.avro.canonical import parsing_form
from connector.edge.avro.codec import MisfitError, Reader, Writer
from connector.edge.avro.framing import Kind, Name, by_id
from connector.edge.avro.json_values import JsonWriter
from connector.edge.avro.registry_answers import REMEDIES, STRANGE, Found
from connector.edge.avro.resolution import IncompatibleError
from connector.edge.avro.schema_text import branches_in_text, name_in_text
from connector.edge.avro.schemas import SchemaFile, SchemaFolder, SchemaFolderError, names_of
from connector.edge.avro.vetting import UnsafeSchemaError

AnyWriter = Writer | JsonWriter


class UnfitFileError(SchemaFolderError):
    """A schema file that is well by itself, and that the mapping does not fit."""


def by_fingerprint(reader: Reader, files: Iterable[SchemaFile]) -> dict[bytes, Writer]:
    """The files by their fingerprints. Raises SchemaFolderError for what cannot be used, or told apart."""
    known: dict[bytes, tuple[SchemaFile, Writer]] = {}
    for file in files:
        writer = usable(reader, file)
        assert isinstance(writer, Writer)
        for name in names_of(file):
            other, same = known.setdefault(name, (file, writer))
            if same.written_out != writer.written_out or parsing_form(other.text) != parsing_form(file.text):
                raise SchemaFolderError(
                    f"{other.name} and {file.name} have the fingerprint {name.hex()} in common and mean different "
                    "things: take one of them away, or have its producers name it by an id"
                )
    return {name: writer for name, (_, writer) in known.items()}


def named(folder: SchemaFolder) -> Iterable[tuple[Name, SchemaFile]]:
    """The files of `ids.json` by their names; an UUID is both Confluent's and AWS Glue's."""
    for number, file in folder.by_id.items():
        yield by_id(number), file
    for uuid, file in folder.by_uuid.items():
        yield Name(Kind.GUID, uuid), file
        yield Name(Kind.GLUE, uuid), file


def any_writer(reader: Reader, text: str, referenced: Iterable[str] = (), *, is_json: bool) -> AnyWriter:
    """What reads values of a schema. Raises UnsafeSchemaError, IncompatibleError or MisfitError."""
    return JsonWriter(text, reader.rules) if is_json else reader.writer(text, referenced)


def usable(reader: Reader, file: SchemaFile) -> AnyWriter:
    """Return the schema of a file of ours. Raises SchemaFolderError when nothing can be read with it."""
    try:
        return any_writer(reader, file.text, is_json=file.is_json)
    except (UnsafeSchemaError, IncompatibleError) as error:
        raise SchemaFolderError(f"{file.name} cannot be used: {error}") from error
    except MisfitError as error:
        raise UnfitFileError(f"the mapping does not fit {file.name}: {error}") from error


def found_writer(reader: Reader, known_as: str, found: Found) -> AnyWriter | Refusal | Misfit | NotOurs:
    """The schema that a registry gave, or why nothing is read with it, naming the schema as `known_as`."""
    try:
        writer = any_writer(reader, found.text, found.referenced, is_json=found.is_json)
    except UnsafeSchemaError as error:
        unused = _unusable(reader, found.text, str(error))
        if unused is not None:
            return unused._replace(known_as=known_as) if isinstance(unused, Misfit) else unused
        remedy = "register a record schema as schemas/README.md describes"
        return refused("unsafe_schema", f"{known_as}: {error}", remedy)
    except IncompatibleError as error:
        remedy = "write with a compatible version of invocation-event.avsc"
        return refused("incompatible_schema", f"{known_as}: {error}", remedy)
    except MisfitError as error:
        misfit = error.misfit._replace(known_as=known_as)
        if reader.rules is not None and reader.rules.holds_misfits:
            return misfit
        return refused(MISFIT, unlike(misfit), MEND)
    moved = renamed(reader, writer)
    return writer if moved is None else moved._replace(known_as=known_as)


def _unusable(reader: Reader, text: str, why: str) -> Misfit | NotOurs | None:
    """What a schema that cannot be used is by its name: a version of the mapped events', or a union with one, so that
    its records wait; or of a type that is passed over. None: neither."""
    name, branches, rules = name_in_text(text), branches_in_text(text), reader.rules
    if rules is None:
        return None
    for each in branches or filter(None, (name,)):
        if rules.of_schema(each) or rules.namesake(each) is not None:
            remedy = f"; {OWN_SUBJECT}" if branches else ""
            return Misfit(each, (f"the schema cannot be used: {why}{remedy}",)) if rules.holds_misfits else None
    return NotOurs(OTHER_TYPE) if rules.skips_others and name is not None else None


def renamed(reader: Reader, writer: AnyWriter) -> Misfit | None:
    """Why records of a schema from a registry wait: a version of the mapped events' may come with another name.

    Of a file somebody here said that it is used, and the start is no time to wait.
    """
    if writer.mapping is None or reader.rules is None or not reader.rules.holds_misfits:
        return None
    if (known := reader.rules.namesake(writer.name)) is None:
        return None
    return Misfit(writer.name, (f"the mapping has an event of {known}, and none of this name; {_ADD}",))


def unlike(misfit: Misfit) -> str:
    """What of a schema from a registry the mapping does not fit."""
    return f"the mapping does not fit {misfit.schema}, {misfit.known_as}: {'; '.join(misfit.problems)}"


def refused(code: str, shape: str, remedy: str) -> Refusal:
    """A dead letter for its schema."""
    return Refusal(Stage.DECODE, (Problem(code, "schema", shape, remedy),))


def nobody_to_ask(name: Name) -> Refusal:
    """What becomes of a name that no file has, where the settings name no one who may know it."""
    match name.kind:
        case Kind.ID:
            shape, remedy = f"id {name.text} of no file, and there is no registry to ask", _NO_REGISTRY
        case Kind.GUID:
            shape, remedy = "a GUID of no file, and the registry is not asked for GUIDs", _NO_GUIDS
        case Kind.GLUE:
            shape, remedy = "a schema version of AWS Glue that no file has", _NO_GLUE
        case Kind.GLOBAL_ID | Kind.CONTENT_ID:
            shape, remedy = f"{shown(name)} of Apicurio, which is not asked", _NO_APICURIO
    return refused("unknown_schema", shape, remedy)


def shown(name: Name) -> str:
    """Of an UUID only that it is one: it may be any bytes of somebody's value."""
    return "a GUID" if name.kind in (Kind.GUID, Kind.GLUE) else f"{name.kind.value} {name.text}"


def remedy_of(code: str, name: Name) -> str:
    """What to do while a schema cannot be had."""
    if code == STRANGE and name.kind is Kind.GUID:
        return f"{REMEDIES[code]}; {_OLD_REGISTRY}"
    if code == STRANGE and name.kind in (Kind.GLOBAL_ID, Kind.CONTENT_ID):
        return f"{REMEDIES[code]}; compare schemas.registry.apicurio_url"
    return REMEDIES[code]


REGISTER = "register the schema, or map its id in ids.json of schemas.folder; the id is asked for again meanwhile"
MEND = "correct mapping.events (connector map --check), or have the producer go back to a schema that it fits"
OWN_SUBJECT = "register each record under a subject of its own"
NOT_READ = "write events in Avro, or in JSON with a schema that refers to no other"
_ADD = "add one, or set mapping.misfits to dead_letter if this is another type"
_NO_REGISTRY = "set schemas.registry, or map the id in ids.json of schemas.folder"
_NO_GUIDS = (
    "map the GUID in ids.json of schemas.folder, set schemas.registry.guids where the registry serves GUIDs, or set "
    "value.schema.id.serializer=io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer in the producer"
)
_NO_GLUE = "map the version's UUID in ids.json of schemas.folder, and restart: it is read at start"
_NO_APICURIO = "set schemas.registry.apicurio_url"
_OLD_REGISTRY = "registries before Confluent Platform 8 serve no GUIDs: map them in ids.json, without registry.guids"
UNKNOWN_FINGERPRINT = refused(
    "unknown_schema",
    "a fingerprint of no schema file",
    "put the writer's schema into schemas.folder, and restart: it is read at start",
)
