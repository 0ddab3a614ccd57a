"""`Retry-After`, as the vendor or a gateway sent it → seconds (RFC 9110, section 10.2.3: seconds, or a date)."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,18}").fullmatch
_LONGEST_TEXT = 64  # characters; the longest date has 33


def seconds_of(text: str | None, now_ms: int, longest: float) -> float | None:
    """Seconds to wait, cut to `longest`; 0 for a date that is over; None for no header and for nonsense."""
    if text is None or len(text) > _LONGEST_TEXT:
        return None
    text = text.strip()
    if _SECONDS(text):
        return min(float(text), longest)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # A date of this form without a zone is in GMT.
    wait = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now_ms / 1000
    return min(max(wait, 0.0), longest)
