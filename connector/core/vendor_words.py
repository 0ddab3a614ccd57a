"""Words that no variable may be called: the vendor has a meaning for them."""

from __future__ import annotations

RESERVED_WORDS = frozenset(
    {"div", "mod", "eq", "ne", "lt", "gt", "le", "ge", "and", "or", "not", "empty", "true", "false", "null"}
)
"""The likely ones, from the vendor's expression language: its own list is not at hand."""
BUILT_IN_VARIABLES = frozenset(
    {
        "user.adddate",
        "user.id",
        "user.identifiers.email",
        "user.identifiers.msisdn",
        "user.identifiers.msisdn.network",
        "session.circle",
        "session.initialkeyword.description",
        "session.initialkeyword.keyword",
        "session.initialkeyword.name",
        "request.mt.smsid",
        "request.mt.ismultipart",
        "request.mt.part[n].smsid",
    }
)
"""Those seen in the vendor's pages, in lower case: incomplete."""
