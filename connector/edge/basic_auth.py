"""The header of HTTP's Basic authentication (RFC 7617): towards the vendor, a forward proxy and the registry."""

from __future__ import annotations

from base64 import b64encode


def basic_auth(user_and_password: str) -> str:
    """The header's value for `user:password`."""
    return "Basic " + b64encode(user_and_password.encode()).decode("ascii")
