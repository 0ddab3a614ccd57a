"""Why an event cannot be mapped: of one value, and of a schema as a whole."""

from __future__ import annotations

from typing import NamedTuple

NULL = "mapping_null"
BAD_VALUE = "mapping_bad_value"
NO_ENTRY = "mapping_no_entry"
NOT_OURS = "mapping_not_ours"
MISFIT = "mapping_misfit"

MAPPING_CODES = frozenset({NULL, BAD_VALUE, NO_ENTRY, NOT_OURS, MISFIT})
"""Classes of refusals of a mapping."""

LEAVE_OUT = "leave such events out: when: [{{path: {}, present: true}}] with others: skip"
"""What to do about events that lack what has no default; to be filled with a path."""


class UnmappableError(Exception):
    """A value that a rule cannot take. Shows no value: `shape` describes it, `remedy` says what to write."""

    def __init__(self, shape: str, remedy: str, code: str = BAD_VALUE) -> None:
        super().__init__(shape)
        self.shape = shape
        self.remedy = remedy
        self.code = code


TOO_STRANGE = (ValueError, TypeError, ArithmeticError)
"""What a function raises of a value that nobody thought of, such as a year beyond the calendar's."""


def strange(error: Exception) -> UnmappableError:
    """The same as what is wrong with the value."""
    return UnmappableError(f"a value that cannot be worked on ({type(error).__name__})", "write an ordinary one")


class Misfit(NamedTuple):
    """A writer's schema that the mapping does not fit, with every reason: which rule, which path, what is there.

    `known_as` is what the registry knows it by.
    """

    schema: str | None
    problems: tuple[str, ...]
    known_as: str = ""


class NotOurs(NamedTuple):
    """A record that the settings say to pass over. `reason` is bounded: one of REASONS."""

    reason: str


OTHER_TYPE, CONDITION, TOMBSTONE = "other_type", "condition", "tombstone"
REASONS = (OTHER_TYPE, CONDITION, TOMBSTONE)
"""Why none of the mapping's events takes a record: none names its schema, no `when` holds, or its value is null."""
