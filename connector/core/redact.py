"""How to speak of an event without showing it: masks, shapes and names that carry no phone number and no value."""

from __future__ import annotations

import hashlib
import re

from connector.core.service_id import is_service_id

_SHORTEST_NUMBER = 6  # digits; vendor page: a phone number has 6 to 16
_TELLING_TAIL = 7  # digits; with country code, without it, or with separators in between, the end is the same

# Dots and colons do not join digits: the addresses and times in an error text must survive it.
_NUMBER = re.compile(r"\+?\(?\d(?:[ \-()/]{0,2}\d){5,}")
# With two characters mistyped at most, as a UUID is written, with spaces around it; other words are not shown.
_LIKE_AN_ID = re.compile(r"(?=.{4,64}\Z)[0-9A-Fa-f .:{}-]*(?:[A-Za-z_][0-9A-Fa-f .:{}-]*){0,2}")
_NOT_DIGITS = re.compile(r"[^0-9]+")
# At most five digits in all, so that no phone number hides in a name, however it is cut up.
_SAFE_NAME = re.compile(r"(?=.{1,64}\Z)(?:[A-Za-z_.\-]*[0-9]){0,5}[A-Za-z_.\-]*")


is_event_id = re.compile(r"[A-Za-z0-9._:-]{1,64}").fullmatch
"""Takes a text; true of an event id that is well-formed."""


def mask_phone(text: str) -> str:
    """Return "…" and the last two characters, or "…" alone for a text too short to be a phone number."""
    return f"…{text[-2:]}" if len(text) >= _SHORTEST_NUMBER else "…"


def scrub(text: str) -> str:
    """Replace every run of 6 or more digits, also when split by spaces, hyphens, slashes or parentheses.

    For free text of others, such as an exception's. Ids go through `safe_event_id`, or this would ruin them.
    """
    return _NUMBER.sub("[number]", text)


def safe_event_id(event_id: str, phone_number: str, *, is_well_formed: bool = False) -> str:
    """Return an event id as it is, or its hash when it is not well-formed or holds its event's phone number.

    `is_well_formed`: somebody looked already, and it is.

    The hash is "sha256:" and the first 16 hex digits, so that `sha256sum` over a known id finds its event. It is a
    pseudonym and no secret: phone numbers can be tried one by one.
    """
    if (is_well_formed or is_event_id(event_id)) and not _holds(event_id, phone_number):
        return event_id
    digest = hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"sha256:{digest[:16]}"


def safe_service_id(service_id: str, phone_number: str, *, is_listed: bool = False) -> str | None:
    """Return a service id as its event has it, or None where it may be a phone number, or a text in the wrong field.

    A hexadecimal one with a letter in it is no phone number, unless it holds its event's. `is_listed`: the settings
    name it, so that it is known to be none.
    """
    if is_listed:
        return service_id
    is_id = is_service_id(service_id) and not service_id.isdecimal()
    is_like_one = _LIKE_AN_ID.fullmatch(service_id) and scrub(service_id) == service_id
    return service_id if (is_id or is_like_one) and not _holds(service_id, phone_number) else None


def _holds(event_id: str, phone_number: str) -> bool:
    digits = phone_number if phone_number.isdecimal() else _NOT_DIGITS.sub("", phone_number)
    if len(digits) < _SHORTEST_NUMBER:
        return False
    bare = event_id.replace("-", "").replace(".", "").replace("_", "").replace(":", "")
    return digits[-_TELLING_TAIL:] in bare


def shape(value: object) -> str:
    """Describe a value by type and size, never by content: "string of 17 characters"."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return f"string of {len(value)} characters"
        case bytes():
            return f"{len(value)} bytes"
        case dict():
            return f"map of {len(value)} entries"
        case list():
            return f"list of {len(value)} items"
        case _:
            return type(value).__name__


def safe_name(name: object, position: int) -> str:
    """Return a producer's name for something where it can hold no phone number, else its place, from 1: "[3]"."""
    return name if isinstance(name, str) and _SAFE_NAME.fullmatch(name) else f"[{position}]"
