"""The schema that a value was written with, as text: for reading one field of it, and for writing it anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from connector.core.record import Headers
from connector.edge.avro.decoding import STRING
from connector.edge.avro.foreign import looks_eight_bytes
from connector.edge.avro.framing import (
    CONFLUENT_LENGTH,
    GLUE_LENGTH,
    GUID_LENGTH,
    SINGLE_OBJECT_LENGTH,
    ByFingerprint,
    ByName,
    Frame,
    Framing,
    Kind,
    Name,
    NotNamed,
    by_id,
    eight_byte_name,
    frame_of,
    unpacked,
)
from connector.edge.avro.headers import HeaderError, name_in
from connector.edge.avro.json_values import read_object
from connector.edge.avro.registry_answers import Found
from connector.edge.avro.resolution import IncompatibleError, Resolution
from connector.edge.avro.schemas import SchemaFile, SchemaFolder, names_of
from connector.edge.avro.vetting import UnsafeSchemaError, vet
from connector.edge.avro.writers import named

_MOST_HEADS = 1000
_EIGHT_BYTES_LENGTH = 9
_TWO_BYTES = 0x80
_HEADS = {0: CONFLUENT_LENGTH, 1: GUID_LENGTH, 3: GLUE_LENGTH, 0xC3: SINGLE_OBJECT_LENGTH}


class Written(NamedTuple):
    """A value's schema, and where its data begin. `is_packed`: they are compressed."""

    schema: Found
    start: int
    is_packed: bool = False


class TextOf:
    """Schemas from the folder, and from a registry where there is one; each name is asked for once."""

    def __init__(
        self,
        folder: SchemaFolder,
        framing: Framing,
        bare: SchemaFile | None,
        ask: Callable[[Name], Found | None] | None,
        eight_bytes: Kind | None = None,
    ) -> None:
        """`ask` asks the registry for a name, and returns None for whatever is no schema. It may block.

        `eight_bytes`: what Apicurio's ids of 8 bytes are.
        """
        self.in_headers = framing is Framing.HEADER
        self._framing = framing
        self._bare = None if bare is None else _found(bare)
        self._ask = ask
        self.eight_bytes = eight_bytes
        self._by_name: dict[Name, Found | None] = {name: _found(file) for name, file in named(folder)}
        self._by_fingerprint = {name: _found(file) for file in folder.files for name in names_of(file)}

    def value(self, value: bytes, headers: Headers = ()) -> Written | None:
        """The schema of a value, or None when neither its frame nor a header names one that can be had."""
        match self.frame(value, headers):
            case ByName(name, start, is_packed):
                if name not in self._by_name:
                    self._by_name[name] = None if self._ask is None else self._ask(name)
                found = self._by_name[name]
                return None if found is None else Written(found, start, is_packed)
            case ByFingerprint(fingerprint):
                found, start = self._by_fingerprint.get(fingerprint), SINGLE_OBJECT_LENGTH
            case NotNamed():
                found, start = self._bare, 0
            case None:
                return None
        return None if found is None else Written(found, start)

    def frame(self, value: bytes, headers: Headers) -> Frame | None:
        """What names the schema."""
        if self.in_headers:
            try:
                if (name := name_in(headers)) is not None:
                    return ByName(name, 0)
            except HeaderError:
                return None
        frame = frame_of(value, self._framing)
        is_id_0 = frame == _ID_0 and self._by_name.get(_ID_0.name) is None
        if is_id_0 and self.eight_bytes is not None and looks_eight_bytes(value):
            return eight_byte_name(value, self.eight_bytes)
        return frame


_Plan = Callable[[bytes], object]
"""How the service id of the values of one schema is found; raises whatever it meets where it is not."""


class ServiceIds:
    """Reads the service id of an event and nothing behind it: a tenth of the price of decoding the event."""

    def __init__(self, texts: TextOf, reader: str) -> None:
        """`reader` is the text of our own schema."""
        self._texts = texts
        tree = vet(reader)
        field = next(each for each in tree["fields"] if each["name"] == "serviceId")
        self._wanted = {**tree, "fields": [field]}
        self._known: dict[object, _Plan | None] = {}
        self._is_simple = not texts.in_headers and texts.eight_bytes is None

    def of(self, value: bytes, headers: Headers = ()) -> str | None:
        """The service id; None where the event cannot be read up to it."""
        head: object = value[: _HEADS.get(value[0], CONFLUENT_LENGTH)] if value else b""
        if not self._is_simple:
            head = self._other_head(head, value, headers)
        known = self._known.get(head)
        if known is None:
            known = self._plan(head, value, headers)
            if known is None:
                return None
        try:
            found = known(value)
        except Exception:  # whatever the bytes are, they are not counted under a service
            return None
        return found if isinstance(found, str) else None

    def _other_head(self, head: object, value: bytes, headers: Headers) -> object:
        if self._texts.in_headers:
            return self._texts.frame(value, headers)
        return value[:_EIGHT_BYTES_LENGTH] if looks_eight_bytes(value) else head

    def _plan(self, head: object, value: bytes, headers: Headers) -> _Plan | None:
        if head in self._known:
            return None
        written = self._texts.value(value, headers)
        plan = None
        if written is not None:
            try:
                plan = _planned(written, self._wanted)
            except (UnsafeSchemaError, IncompatibleError, ValueError):
                plan = None
        if len(self._known) < _MOST_HEADS:
            self._known[head] = plan
        return plan


_ID_0 = ByName(by_id(0), CONFLUENT_LENGTH)


def _found(file: SchemaFile) -> Found:
    return Found(file.text, (), file.is_json)


def _of_object(value: bytes, at: int) -> tuple[Any, int]:
    return read_object(value[at:]), len(value)


def _planned(written: Written, wanted: Mapping[str, object]) -> _Plan:
    """Raises IncompatibleError, ValueError or UnsafeSchemaError for a schema that cannot be used."""
    schema, start, is_packed = written
    if schema.is_json:
        read: Callable[[bytes, int], tuple[Any, int]] = _of_object
    else:
        tree = vet(schema.text, schema.referenced)
        names = [field["name"] for field in tree["fields"]]
        shortened = {**tree, "fields": tree["fields"][: names.index("serviceId") + 1]}
        read = Resolution(shortened, wanted, {}).reader.read
        if not is_packed and all(field["type"] == "string" for field in shortened["fields"]):
            return _last_of_strings(len(shortened["fields"]), start)

    def plan(value: bytes) -> object:
        body, at = (unpacked(value, start), 0) if is_packed else (value, start)
        return read(body, at)[0]["serviceId"]

    return plan


def _last_of_strings(count: int, start: int) -> _Plan:
    """The last of so many strings, without a call for each: most events begin with two."""
    several = (None,) * count

    def plan(value: bytes) -> object:
        at, found = start, ""
        for _ in several:
            size = value[at]
            if size < _TWO_BYTES and not size & 1:
                begin, at = at + 1, at + 1 + (size >> 1)
                found = value[begin:at].decode()
            else:
                found, at = STRING.read(value, at)
        return found

    return plan
