"""What the vendor answers when it refuses: a table of causes, each with its status, code and words."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import orjson


class Cause(NamedTuple):
    """Why a request is refused. `code` None where the vendor's page gives no number."""

    name: str
    status: int
    code: int | None
    description: str


def _invalid_json(name: str, specific: str) -> Cause:
    return Cause(name, 400, 12002, f"Invalid JSON in the payload. {specific}")


PERMANENT = Cause(
    "permanent", 500, 1000, "An error occurred while processing the request. Please contact OpenMarket Support."
)
TEMPORARY = Cause(
    "temporary",
    500,
    1010,
    "An error occurred while processing the request. Please retry. "
    "If retries continue to fail, contact OpenMarket Support.",
)
UNAUTHORIZED = Cause(
    "unauthorized",
    403,
    12001,
    "Account is not authorized to use this API. Correct your account or contact OpenMarket Support.",
)
METHOD = Cause("method", 405, 12003, "Invalid HTTP method.")
VERSION = Cause("version", 404, 12004, "Invalid API version.")
URL = Cause("url", 404, None, "Invalid request URL.")
QUERY = Cause("query", 400, None, "Invalid query parameter.")
TOO_LARGE = Cause("too_large", 413, None, "The request body exceeds the maximum size of 8K.")
BLOCKED = Cause("blocked", 403, None, "The request was blocked. Please contact OpenMarket Support.")
CREDENTIALS = Cause("credentials", 401, None, "The username or password is invalid.")
CERTIFICATE = Cause("certificate", 401, None, "Unable to authenticate.")

MALFORMED = _invalid_json("malformed", "The JSON is malformed.")
# The nine causes that the page names for 12002.
END_USER = _invalid_json("end_user", "The endUser object is missing or malformed.")
PHONE_NUMBER = _invalid_json("phone_number", "The phoneNumber property is missing or malformed.")
OPERATOR = _invalid_json("operator", "The value of the mobileOperatorId property is malformed.")
EMPTY = _invalid_json("empty", "The variables object is specified but is empty.")
SCOPE = _invalid_json("scope", "A scope is invalid or specified more than once.")
KEY = _invalid_json(
    "key",
    "A key property uses a character outside of the defined list of accepted characters, "
    "or the character length of the key is too long or too short.",
)
RESERVED = _invalid_json("reserved", "A key property uses a reserved word.")
BUILT_IN = _invalid_json("built_in", "A variable is a built-in variable.")
VALUE = _invalid_json(
    "value",
    "A value property uses a character outside of the defined list of accepted characters, "
    "or the character length is too long.",
)

CAUSES = {
    cause.name: cause
    for cause in (
        PERMANENT,
        TEMPORARY,
        UNAUTHORIZED,
        METHOD,
        VERSION,
        URL,
        QUERY,
        TOO_LARGE,
        BLOCKED,
        CREDENTIALS,
        CERTIFICATE,
        MALFORMED,
        END_USER,
        PHONE_NUMBER,
        OPERATOR,
        EMPTY,
        SCOPE,
        KEY,
        RESERVED,
        BUILT_IN,
        VALUE,
    )
}

# From the vendor's expression language and pages; its own lists are not published.
RESERVED_WORDS = frozenset(["div", "mod", "eq", "ne", "lt", "gt", "le", "ge", "and", "or", "not", "empty"]) | {
    "true",
    "false",
    "null",
}
BUILT_IN_VARIABLES = frozenset(
    [
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
    ]
)


@lru_cache(maxsize=256)
def error_body(code: int | str | None, description: str) -> bytes:
    """The vendor's rejection: `{"error": {"code": …, "description": …}}`, `code` left out where None."""
    error = {"description": description} if code is None else {"code": code, "description": description}
    return orjson.dumps({"error": error})
