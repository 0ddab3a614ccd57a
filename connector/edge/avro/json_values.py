"""Events in JSON: strict and bounded where JSON's readers are not.

orjson refuses what is no JSON (bytes that are no UTF-8, half of a surrogate pair, NaN), but takes the last of two equal
keys, and makes a double of a number beyond 64 bits. So the standard library's reader reads what passed there, with an
eye on both.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from connector.core.mapping.compiled import Compiled, compiled, others
from connector.core.mapping.errors import Misfit, NotOurs
from connector.core.mapping.rules import Rules
from connector.core.redact import safe_name
from connector.core.refusal import Refusal
from connector.edge.avro.codec import MisfitError
from connector.edge.avro.decoding import UndecodableError
from connector.edge.avro.json_schema import OURS, JsonSchema

_DEEPEST = 32
_LONG = 2**63
_MOST_DIGITS = 400  # of a fraction or exponent: a double's shortest text has 24 characters


class DuplicateNameError(Exception):
    """An object with a name that comes twice. `name` is the producer's, or its place where it may hold a number."""

    def __init__(self, name: str) -> None:
        super().__init__("a name that comes twice")
        self.name = name


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
        fields = read_object(value[start:] if start else value)
        self._schema.check(fields)
        return fields


def read_object(value: bytes) -> dict[str, Any]:
    """A whole value as an object with exact numbers. Raises UndecodableError or DuplicateNameError."""
    try:
        orjson.loads(value)
        found = _READER.decode(value.decode())
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        raise UndecodableError("it is no JSON") from None
    except RecursionError:
        raise UndecodableError(_TOO_DEEP) from None
    if not isinstance(found, dict):
        raise UndecodableError("it is no JSON object")
    if value.count(b"{") + value.count(b"[") > _DEEPEST and _is_deeper(found, _DEEPEST):
        raise UndecodableError(_TOO_DEEP)
    return found


_TOO_DEEP = f"objects and arrays nested more than {_DEEPEST} deep"


def _is_deeper(value: Any, left: int) -> bool:
    """Stops at `left`, so that the depth of the calls is bounded too."""
    inner = value.values() if type(value) is dict else value
    return left == 0 or any(_is_deeper(item, left - 1) for item in inner if type(item) in (dict, list))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for place, (name, _) in enumerate(pairs, 1):
            if name in seen:
                raise DuplicateNameError(safe_name(name, place))
            seen.add(name)
    return found


def _integer(text: str) -> int:
    if len(text) <= 20 and -_LONG <= (number := int(text)) < _LONG:
        return number
    raise UndecodableError("a whole number of more than 64 bits, which has to be a string")


def _fraction(text: str) -> float:
    if len(text) <= _MOST_DIGITS:
        number = float(text)
        if repr(number) == text or Decimal(repr(number)) == Decimal(text):
            return number
    raise UndecodableError("a number with more digits than a double has, which has to be a string")


def _constant(_text: str) -> float:
    raise UndecodableError("it is no JSON")


_READER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
