"""A forward proxy: its address, and the credentials that it is shown."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from connector.config.files import UserAndPassword
from connector.config.section import Section


def _proxy_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL such as http://proxy.example.com:3128") from None
    if parts.username is not None or parts.password is not None or "@" in url:
        raise ValueError("must not carry credentials: they belong in basic_auth_file")
    if parts.scheme != "http":
        raise ValueError("must begin with http: the proxy is spoken to in clear, and TLS goes through its tunnel")
    if not parts.hostname or not port or not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("must be a URL with host and port, such as http://proxy.example.com:3128")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must end with its port")
    return url.rstrip("/")


class Proxy(Section):
    """An HTTP proxy that opens tunnels (CONNECT)."""

    url: Annotated[str, AfterValidator(_proxy_url)]
    """Its address with its port, such as `http://proxy.example.com:3128`, without credentials."""

    basic_auth_file: UserAndPassword | None = None
    """File that holds `user:password` for the proxy (Basic, the only scheme spoken). One trailing newline is taken
    off. Default: none are shown."""

    @property
    def host(self) -> str:
        """Its name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Its port."""
        return urlsplit(self.url).port or 0

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return self.url.removeprefix("http://")

    @property
    def basic_auth(self) -> str | None:
        """`user:password`, as it was when the settings were loaded."""
        return None if self.basic_auth_file is None else self.basic_auth_file.secret.get_secret_value()
