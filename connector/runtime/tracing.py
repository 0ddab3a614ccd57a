"""Whether the process traces: chosen once, so that neither the engine nor the driver has to ask."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from importlib.util import find_spec

from connector.config import ConfigError
from connector.config.settings import Settings
from connector.observe.events import Events
from connector.runtime import policies
from connector.runtime.untraced import Untraced

REMEDY = "pip install 'invoke-connector[otel]', or use the image, which has it; or tracing.enabled: false"


def is_installed() -> bool:
    """Whether the extra is there."""
    try:
        return all(find_spec(f"opentelemetry.{part}") for part in ("sdk.trace", "exporter.otlp.proto.http"))
    except ImportError:
        return False


def tracing(settings: Settings, events: Callable[[], Events], hide: Callable[[Collection[str]], None]) -> Untraced:
    """As the settings say. `events` are asked for when there is something to tell. Make it on a running event loop.

    Raises ConfigError without the extra, and for a variable that the SDK cannot use.
    """
    if not settings.tracing.enabled or settings.is_shadow:  # a shadow's spans would tell of posts that nobody made
        return Untraced()
    if not is_installed():
        raise ConfigError((f"tracing.enabled: OpenTelemetry is not installed: {REMEDY}",))
    return _traced(settings, events, hide)


def _traced(settings: Settings, events: Callable[[], Events], hide: Callable[[Collection[str]], None]) -> Untraced:
    from connector.edge.otel.export import EXPORTED, FAULT, Exports, secrets
    from connector.edge.otel.spans import Spans
    from connector.runtime.traced import Traced

    loop = asyncio.get_running_loop()

    def report(result: str, count: int, reason: str | None) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody counts any more
            loop.call_soon_threadsafe(tell, result, count, reason)

    def tell(result: str, count: int, reason: str | None) -> None:
        if result == EXPORTED:
            events().spans_exported(count)
        else:
            events().spans_lost(result, count, reason)

    try:
        hide(secrets(os.environ))
        exports = Exports(report)
    except ValueError as error:
        raise ConfigError((f"tracing: a variable OTEL_… cannot be used: {error}",)) from None
    spans = Spans(
        exports.tracer,
        settings.openmarket.base_url,
        settings.kafka.group_id,
        lambda: report(FAULT, 1, None),
        parent_decides=exports.parent_decides,
    )
    return Traced(spans, policies.bounds(settings).records, exports.close)
