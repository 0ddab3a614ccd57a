"""Answer → outcome: one of four fates, with the class, the reason and the remedy, from one table that is data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import orjson

from connector.core.made import made
from connector.core.reply import Answer, Failure, NoReply, Reply


class Fate(StrEnum):
    """What becomes of a record that was posted, or could not be."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    DEAD_LETTER = "dead_letter"
    HOLD = "hold"


class Delivered(StrEnum):
    """What is known of the request's arrival."""

    YES = "yes"  # accepted
    NO = "no"  # answered with a refusal, so not acted on
    NEVER_SENT = "never_sent"
    MAYBE = "maybe"


class Outcome(NamedTuple):
    """The verdict on one answer. `code` is the bounded class; `why` and `remedy` are the table's own texts.

    `vendor_code` and `status` as answered (None where there was none); `retry_after` raw, for the caller that
    knows the time. `proves` and `overloaded` are the row's.
    """

    fate: Fate
    code: str
    why: str
    remedy: str
    delivered: Delivered
    status: int | None = None
    vendor_code: str | None = None
    request_id: str | None = None
    retry_after: str | None = None
    proves: bool = False
    overloaded: bool = False

    @property
    def asks_to_wait(self) -> bool:
        """Whether the same request is welcome later: it was turned away unread, and nothing was done for it."""
        return self.overloaded and self.delivered is Delivered.NO and (self.status == 429 or bool(self.retry_after))


_LONGEST_DESCRIPTION = 200  # characters of a description that are looked at
_LONGEST_CODE = 32
_SHORT_CODE = re.compile(r"[0-9]{1,5}").fullmatch  # shown though unknown: too short to echo a phone number


class When(StrEnum):
    """What else must be so for a row's statuses to match."""

    ALWAYS = "always"
    REQUEST_ID = "with X-Request-Id"
    ERROR_JSON = "with the vendor's error JSON"


class Row(NamedTuple):
    """One line of the table: an answer that matches any of the patterns has this fate.

    `vendor_codes` are compared as text; `descriptions` are first words, without case; `statuses` are exact ("403"),
    a family ("4xx") or "other", and match only `when` it says. `delivered` is what is known when no vendor code says
    that it was refused and something of the request was sent. `proves`: only an account that was let in is answered
    so. `overloaded`: it may come of posting faster than the other side can take.
    """

    code: str
    fate: Fate
    why: str
    remedy: str
    vendor_codes: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    when: When = When.ALWAYS
    delivered: Delivered = Delivered.NO
    proves: bool = False
    overloaded: bool = False


class Table:
    """The rows in force. Of two rows with the same pattern the earlier one matches.

    The body's code decides first, then the description's first words, then the HTTP status.
    """

    __slots__ = ("_accepted", "_by_code", "_by_failure", "_by_status", "_by_words", "_rows")

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = tuple(rows)
        self._by_code: dict[str, Row] = {}
        self._by_words: dict[str, Row] = {}
        self._by_status: dict[tuple[str, When], Row] = {}
        self._by_failure: dict[Failure, Row] = {}
        for row in self._rows:
            for vendor_code in row.vendor_codes:
                self._by_code.setdefault(vendor_code, row)
            for words in row.descriptions:
                self._by_words.setdefault(_folded(words), row)
            for status in row.statuses:
                self._by_status.setdefault((status, row.when), row)
            for failure in row.failures:
                self._by_failure.setdefault(failure, row)
        self._accepted = {
            int(status): row for (status, when), row in self._by_status.items() if when is When.REQUEST_ID
        }

    def rows(self) -> tuple[Row, ...]:
        """Return all rows, the first that matches first."""
        return self._rows

    def with_overrides(self, rows: Iterable[Row]) -> Table:
        """Return a table where these rows stand before the others, each among patterns of its own kind.

        Raises ValueError for the fate "accepted": only the vendor's own answer is that.
        """
        overrides = tuple(rows)
        if any(row.fate is Fate.ACCEPTED for row in overrides):
            raise ValueError("no override can make an answer accepted")
        return Table((*overrides, *self._rows))

    def classify(self, answer: Answer) -> Outcome:
        """Return the verdict on any answer. Accepted is only a 200 or 202 with an X-Request-Id."""
        if isinstance(answer, NoReply):
            return self._unanswered(answer)
        request_id = answer.request_id
        if request_id and not request_id.isspace():
            row = self._accepted.get(answer.status)
            if row is not None:
                known = row.fate, row.code, row.why, row.remedy, row.delivered
                return made(Outcome, (*known, answer.status, None, request_id, None, True, False))
        return self._rejected(answer)

    def _unanswered(self, answer: NoReply) -> Outcome:
        row = self._by_failure[answer.failure]
        delivered = row.delivered if answer.sent else Delivered.NEVER_SENT
        return Outcome(row.fate, row.code, row.why, row.remedy, delivered, overloaded=row.overloaded)

    def _rejected(self, reply: Reply) -> Outcome:
        # A 2xx carries no rejection, so its body says nothing; a cut body may be cut within a code.
        silent = 200 <= reply.status < 300 or not reply.body_complete
        error = _NO_ERROR if silent else _error_of(reply)
        row = self._by_code.get(error.code or "") or self._by_description(error.description)
        row = row or self._by_http_status(reply.status, error.is_vendors)
        known = error.code in self._by_code or (error.code and _SHORT_CODE(error.code))
        return Outcome(
            row.fate,
            row.code,
            row.why,
            row.remedy,
            Delivered.NO if error.code else row.delivered,
            reply.status,
            error.code if known else None,
            reply.request_id,
            reply.retry_after,
            row.proves,
            row.overloaded,
        )

    def _by_description(self, description: str | None) -> Row | None:
        if description is None:
            return None
        said = _folded(description[:_LONGEST_DESCRIPTION])
        return next((row for words, row in self._by_words.items() if said.startswith(words)), None)

    def _by_http_status(self, status: int, is_vendors: bool) -> Row:
        whens = (When.ERROR_JSON, When.ALWAYS) if is_vendors else (When.ALWAYS,)
        for pattern in (str(status), f"{status // 100}xx"):
            for when in whens:
                row = self._by_status.get((pattern, when))
                if row is not None:
                    return row
        return self._by_status["other", When.ALWAYS]


class _Error(NamedTuple):
    code: str | None
    description: str | None

    @property
    def is_vendors(self) -> bool:
        return self.code is not None or self.description is not None


_NO_ERROR = _Error(None, None)


def _error_of(reply: Reply) -> _Error:
    """Read `{"error": {"code": …, "description": …}}`, either of which may be missing or of a wrong type."""
    try:
        content = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return _NO_ERROR
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return _NO_ERROR
    description = error.get("description")
    return _Error(_code_of(error.get("code"), reply.status), description if isinstance(description, str) else None)


def _code_of(code: object, status: int) -> str | None:
    if isinstance(code, bool) or not isinstance(code, int | str):
        return None
    text = str(code).strip()
    # Gateways repeat the HTTP status as the code of an error object of their own.
    return text if 0 < len(text) <= _LONGEST_CODE and text != str(status) else None


def _folded(words: str) -> str:
    return " ".join(words.lower().split())
