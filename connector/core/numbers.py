"""The numbers of an event: which can be the one that was meant, and how each is written for a person."""

from __future__ import annotations

from decimal import Decimal

_LONG = 2**63
_DOUBLE = 2**53


def is_exact(number: float) -> bool:
    """Whether a number, finite where it is a double, can be the one that its producer meant.

    From 2^53 up every double is whole and stands for several integers: who wrote one there may have meant another.
    """
    return abs(number) < _DOUBLE if type(number) is float else -_LONG <= number < _LONG


def value_text(value: float) -> str:
    """Return the text form of a finite number or a boolean: "true" or "false", digits, never an exponent.

    A double becomes the shortest decimal that reads back as the same double, a whole one without a fraction (49.0
    is "49"), since a person may read it in a message.
    """
    if type(value) is bool:
        return "true" if value else "false"
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")
