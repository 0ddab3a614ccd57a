"""What can be done about the letters of a class, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from connector.core.codes import DEFAULT_TABLE
from connector.core.destination import EXPIRED, MAYBE_DELIVERED, REFUSED_ALONE, RETRIES_EXHAUSTED
from connector.core.letters.retry import OPERATOR_DROPPED
from connector.core.outcome import Table
from connector.core.request import REMEDIES

_OWN: Mapping[str, str] = {
    EXPIRED: "find out what held it up; `dlq redrive --new-expiry` posts it late, if that still helps anybody",
    RETRIES_EXHAUSTED: "look whether the vendor works again, then `dlq redrive`",
    REFUSED_ALONE: "ask the vendor's support about the X-Request-Id: it is this number or this content",
    OPERATOR_DROPPED: f"ask the person who dropped it; `dlq redrive --include {OPERATOR_DROPPED}` posts it after all",
    MAYBE_DELIVERED: "ask the vendor's support about the X-Request-Id first: it may have been delivered",
}


def remedy_of(code: str, reason: str, table: Table = DEFAULT_TABLE) -> str:
    """The remedy of a class; a refusal's own where it names one. Empty for classes of others."""
    if code in _OWN:
        return _OWN[code]
    if code in REMEDIES:
        return REMEDIES[code]
    for row in table.rows():
        if row.code == code:
            return row.remedy
    _, semicolon, remedy = reason.partition(" · ")[0].rpartition("; ")
    return remedy if semicolon else ""
