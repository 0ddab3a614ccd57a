"""What every section of the settings has in common."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen; unknown keys are refused; the docstring under a field is its documentation."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        # An error's text would show what was typed in, and that may be a secret in the wrong place.
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        # Nobody reads a section but as part of all: validators of its own are built when somebody does.
        defer_build=True,
    )


def together(problem: str, *values: object) -> None:
    """Raise ValueError(problem) when some of the values are given and some are not."""
    if len({value is None for value in values}) > 1:
        raise ValueError(problem)


EVERY_ADDRESS = "*"
"""To listen on: all addresses of this machine, IPv4 and IPv6."""


def one_address(url: str, example: str, credentials: str) -> SplitResult:
    """The parts of the URL of one http or https server. Raises ValueError, without showing it, for anything else.

    `credentials`: where they belong that somebody wrote into the URL.
    """
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        fit = False
    if "," in url.partition("://")[2].partition("/")[0]:
        raise ValueError(f"must be one URL, not a list: one such as {example}")
    # A password with a slash in it ends the host early: such a URL has no user, and no port that is a number.
    if "@" in url and (not fit or parts.username is not None):
        raise ValueError(f"must not carry credentials: {credentials}")
    if not fit or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError(f"must be a URL such as {example}")
    return parts


def is_loopback(host: str) -> bool:
    """Whether only this machine is reached by this host's name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
