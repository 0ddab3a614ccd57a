"""Forward proxies: which are used, and which of the environment's variables are not."""

from __future__ import annotations

from collections.abc import Mapping

from connector.config.settings import Settings
from connector.runtime.checks.finding import Finding, Verdict

_EVERY_SCHEME = frozenset({"all_proxy", "ALL_PROXY"})
_HTTPS = frozenset({"https_proxy", "HTTPS_PROXY", *_EVERY_SCHEME})
_HTTP = frozenset({"http_proxy", *_EVERY_SCHEME})  # not in upper case, which libcurl leaves to CGI programs
_VARIABLES = _HTTPS | _HTTP | {"HTTP_PROXY"}


def forward_proxies(settings: Settings, environ: Mapping[str, str]) -> Finding:
    """Which neighbours are reached through a proxy. The variables' values may hold credentials and are not shown."""
    name = "forward proxy"
    registry = settings.schemas.registry
    proxies = {"openmarket.proxy": settings.openmarket.proxy}
    if registry is not None:
        proxies["schemas.registry.proxy"] = registry.proxy
    used = [f"{setting} is {proxy.address}" for setting, proxy in proxies.items() if proxy is not None]
    direct = [setting for setting, proxy in proxies.items() if proxy is None]
    present = sorted(variable for variable in _VARIABLES if environ.get(variable))
    told = [*used, *([f"not set, so reached directly: {', '.join(direct)}"] if direct else [])]
    if present:
        told.append(f"the connector does not use {', '.join(present)} of the environment")
    told += _token_endpoint(settings, present)
    why = "; ".join(told)
    if present and direct:
        remedy = " and ".join(f"{setting}.url" for setting in direct)
        return Finding(
            name, Verdict.WARNING, why, f"set {remedy} if this network wants a proxy; else unset the variable"
        )
    return Finding(name, Verdict.OK, why)


def _token_endpoint(settings: Settings, present: list[str]) -> list[str]:
    """librdkafka asks it by libcurl, and has no property for a proxy."""
    oauth = settings.kafka.security.oauth
    if oauth is None:
        return []
    obeyed = _HTTPS if oauth.token_endpoint.startswith("https:") else _HTTP
    if not obeyed.isdisjoint(present):
        return ["but librdkafka does, for the token endpoint of kafka.security.oauth, unless NO_PROXY names its host"]
    return ["the token endpoint of kafka.security.oauth is asked directly, since librdkafka obeys the environment only"]
