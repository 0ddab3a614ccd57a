"""JSON, strict and bounded where its readers are not.

orjson refuses what is no JSON (bytes that are no UTF-8, half of a surrogate pair, NaN), but takes the last of two equal
names, and makes a double of a number beyond 64 bits. So the standard library's reader reads what passed there, with an
eye on both.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from connector.core.redact import safe_name

_DEEPEST = 32
_LONG = 2**63
_MOST_DIGITS = 400  # of a fraction or exponent: a double's shortest text has 24 characters


class NotJsonError(Exception):
    """What is no JSON, or none that can be taken as it was meant. Shows nothing of it."""


class DuplicateNameError(Exception):
    """An object with a name that comes twice. `name` is the producer's, or its place where it may hold a number."""

    def __init__(self, name: str) -> None:
        super().__init__("a name that comes twice")
        self.name = name


def read(text: bytes, *, for_mapping: bool = False) -> Any:
    """A whole text with exact numbers. Raises NotJsonError or DuplicateNameError, and nothing else whatever it is.

    For a mapping 5.0 is the whole number 5, as for JSON Schema's `integer`: its text must be that of 5.
    """
    try:
        orjson.loads(text)
        found = (_WHOLE_READER if for_mapping else _READER).decode(text.decode())
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        raise NotJsonError("it is no JSON") from None
    except RecursionError:
        raise NotJsonError(_TOO_DEEP) from None
    if text.count(b"{") + text.count(b"[") > _DEEPEST and _is_deeper(found, _DEEPEST):
        raise NotJsonError(_TOO_DEEP)
    return found


_TOO_DEEP = f"objects and arrays nested more than {_DEEPEST} deep"


def _is_deeper(value: Any, left: int) -> bool:
    """Stops at `left`, so that the depth of the calls is bounded too."""
    inner = value.values() if type(value) is dict else value
    return left == 0 or any(_is_deeper(item, left - 1) for item in inner if type(item) in (dict, list))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        first = {name: place for place, (name, _) in reversed(list(enumerate(pairs, 1)))}
        raise DuplicateNameError(
            next(safe_name(name, place) for place, (name, _) in enumerate(pairs, 1) if first[name] != place)
        )
    return found


def _integer(text: str) -> int:
    if len(text) <= 20 and -_LONG <= (number := int(text)) < _LONG:
        return number
    raise NotJsonError("a whole number of more than 64 bits, which has to be a string")


def _fraction(text: str) -> float:
    if len(text) <= _MOST_DIGITS:
        number = float(text)
        try:
            if repr(number) == text or Decimal(repr(number)) == Decimal(text):
                return number
        except ArithmeticError:  # an exponent beyond Decimal's
            pass
    raise NotJsonError("a number with more digits than a double has, which has to be a string")


def _fraction_or_whole(text: str) -> float:
    number = _fraction(text)
    return int(Decimal(text)) if number.is_integer() and -_LONG <= number < _LONG else number


_READER, _WHOLE_READER = (
    json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=fraction)
    for fraction in (_fraction, _fraction_or_whole)
)
