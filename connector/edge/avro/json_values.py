"""Events in JSON, by a JSON Schema."""

from __future__ import annotations

from typing import Any

from connector.core.json_text import NotJsonError, read
from connector.core.mapping.compiled import Compiled, compiled, others
from connector.core.mapping.errors import Misfit, NotOurs
from connector.core.mapping.rules import Rules
from connector.core.refusal import Refusal
from connector.edge.avro.codec import MisfitError
from connector.edge.avro.decoding import UndecodableError
from connector.edge.avro.json_schema import OURS, JsonSchema


class JsonWriter:
    """A JSON Schema that values were written with. As `codec.Writer` is of an Avro schema."""

    partly: tuple[str, ...] = ()
    written_out: tuple[str, ...] = ()

    def __init__(self, text: str, rules: Rules | None = None) -> None:
        """`rules` is the mapping: its events are those of the schema's title, or else those without a schema.

        Raises UnsafeSchemaError for a text that is no JSON Schema which can be used, MisfitError when the mapping has
        events of it and does not fit it.
        """
        self._schema = JsonSchema(text)
        self.mapping: Compiled | NotOurs | Refusal | None = None
        if rules is not None:
            self.mapping = self._mapped(rules, self._schema.title)
        self.name = None if isinstance(self.mapping, Compiled) else self._schema.title

    def _mapped(self, rules: Rules, title: str | None) -> Compiled | NotOurs | Refusal | None:
        is_named = title is not None and bool(rules.of_schema(title))
        if title == OURS and not is_named:
            return None
        found = compiled(rules, title if is_named else None, self._schema.type)
        if isinstance(found, Misfit):
            raise MisfitError(found)
        return others(rules, title) if found is None else found

    def read(self, value: bytes, start: int) -> dict[str, Any]:
        """The object from `start` to the end.

        Raises UndecodableError, DuplicateNameError or BreaksSchemaError, and nothing else whatever the bytes.
        """
        fields = read_object(value[start:] if start else value, for_mapping=isinstance(self.mapping, Compiled))
        self._schema.check(fields)
        return fields


def read_object(value: bytes, *, for_mapping: bool = False) -> dict[str, Any]:
    """A whole value as an object with exact numbers. Raises UndecodableError or DuplicateNameError."""
    try:
        found = read(value, for_mapping=for_mapping)
    except NotJsonError as error:
        raise UndecodableError(str(error)) from None
    if not isinstance(found, dict):
        raise UndecodableError("it is no JSON object")
    return found
