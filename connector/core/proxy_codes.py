"""The classification table's rows for a forward proxy, which stands before the vendor: nothing was sent through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.core.outcome import Delivered, Fate, Row
from connector.core.reply import Failure

_WAY = "compare openmarket.proxy.url with the proxy's address; look at the proxy, DNS and the firewall before it"

PROXY_ROWS = (
    Row(
        "proxy_unreachable",
        Fate.RETRY,
        "no connection to the forward proxy",
        _WAY,
        failures=(Failure.PROXY_UNREACHABLE,),
        delivered=Delivered.MAYBE,
    ),
    Row(
        "proxy_timed_out",
        Fate.RETRY,
        "the forward proxy opened no tunnel in time",
        "look at the proxy's load, and at its own way to the vendor; openmarket.timeouts.connect is the bound",
        failures=(Failure.PROXY_TIMEOUT,),
        delivered=Delivered.MAYBE,
        overloaded=True,
    ),
    Row(
        "proxy_failed",
        Fate.RETRY,
        "the forward proxy opened no tunnel: it cut, answered 5xx or 429, or what came was not HTTP",
        "look at the proxy's log, and at its own way to the vendor; compare openmarket.proxy.url with its address",
        failures=(Failure.PROXY_FAILED,),
        delivered=Delivered.MAYBE,
    ),
    Row(
        "proxy_credentials",
        Fate.HOLD,
        "the forward proxy wants other credentials (HTTP 407)",
        "put user:password of the proxy in openmarket.proxy.basic_auth_file; of the schemes it may offer, only Basic "
        "is spoken",
        failures=(Failure.PROXY_CREDENTIALS,),
    ),
    Row(
        "proxy_refused",
        Fate.HOLD,
        "the forward proxy refuses the way to the vendor (HTTP 403, or another 3xx or 4xx)",
        "have the host of openmarket.base_url allowed at the proxy, for CONNECT; compare openmarket.proxy.url",
        failures=(Failure.PROXY_REFUSED,),
    ),
)
"""A refusal holds: it is the deployment's, and no record's."""


def naming(rows: Iterable[Row], proxy: str) -> Iterator[Row]:
    """The rows, those of the proxy naming it: its host and port, without credentials."""
    for row in rows:
        yield row._replace(why=f"{row.why}: {proxy}") if row in PROXY_ROWS else row
