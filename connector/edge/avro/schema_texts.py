"""The schema that a value was written with, as text: for reading one field of it, and for writing it anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from connector.edge.avro.decoding import Read
from connector.edge.avro.framing import (
    CONFLUENT_LENGTH,
    SINGLE_OBJECT_LENGTH,
    ByFingerprint,
    ById,
    Framing,
    NotNamed,
    frame_of,
)
from connector.edge.avro.registry import Found
from connector.edge.avro.resolution import IncompatibleError, Resolution
from connector.edge.avro.schemas import SchemaFile, SchemaFolder, names_of
from connector.edge.avro.vetting import UnsafeSchemaError, vet

_MOST_HEADS = 1000


class Written(NamedTuple):
    """A value's schema, and where its Avro bytes begin."""

    schema: Found
    start: int


class TextOf:
    """Schemas from the folder, and from a registry where there is one; each id is asked for once."""

    def __init__(
        self,
        folder: SchemaFolder,
        framing: Framing,
        bare: SchemaFile | None,
        ask: Callable[[int], Found | None] | None,
    ) -> None:
        """`ask` asks the registry for an id, and returns None for whatever is no schema. It may block."""
        self._framing = framing
        self._bare = None if bare is None else Found(bare.text, ())
        self._ask = ask
        self._by_id: dict[int, Found | None] = {number: Found(file.text, ()) for number, file in folder.by_id.items()}
        self._by_fingerprint = {name: Found(file.text, ()) for file in folder.files for name in names_of(file)}

    def value(self, value: bytes) -> Written | None:
        """The schema of a value, or None when its frame names none that can be had."""
        match frame_of(value, self._framing):
            case ById(number):
                if number not in self._by_id:
                    self._by_id[number] = None if self._ask is None else self._ask(number)
                found, start = self._by_id[number], CONFLUENT_LENGTH
            case ByFingerprint(fingerprint):
                found, start = self._by_fingerprint.get(fingerprint), SINGLE_OBJECT_LENGTH
            case NotNamed():
                found, start = self._bare, 0
            case None:
                return None
        return None if found is None else Written(found, start)


class ServiceIds:
    """Reads the service id of an event and nothing behind it: a fifth of the price of decoding the event."""

    def __init__(self, texts: TextOf, reader: str) -> None:
        """`reader` is the text of our own schema."""
        self._texts = texts
        tree = vet(reader)
        field = next(each for each in tree["fields"] if each["name"] == "serviceId")
        self._wanted = {**tree, "fields": [field]}
        self._known: dict[bytes, tuple[Read, int] | None] = {}

    def of(self, value: bytes) -> str | None:
        """The service id; None where the event cannot be read up to it."""
        head = value[:SINGLE_OBJECT_LENGTH] if value[:1] == b"\xc3" else value[:CONFLUENT_LENGTH]
        known = self._known.get(head)
        if known is None:
            known = self._plan(head, value)
            if known is None:
                return None
        read, start = known
        try:
            found = read(value, start)[0]["serviceId"]
        except Exception:  # whatever the bytes are, they are not counted under a service
            return None
        return found if isinstance(found, str) else None

    def _plan(self, head: bytes, value: bytes) -> tuple[Read, int] | None:
        if head in self._known:
            return None
        written = self._texts.value(value)
        plan = None
        if written is not None:
            try:
                plan = (_up_to_service(written.schema, self._wanted), written.start)
            except (UnsafeSchemaError, IncompatibleError, ValueError):
                plan = None
        if len(self._known) < _MOST_HEADS:
            self._known[head] = plan
        return plan


def _up_to_service(schema: Found, wanted: Mapping[str, object]) -> Read:
    tree = vet(schema.text, schema.referenced)
    names = [field["name"] for field in tree["fields"]]
    shortened = {**tree, "fields": tree["fields"][: names.index("serviceId") + 1]}
    return Resolution(shortened, wanted, {}).read
