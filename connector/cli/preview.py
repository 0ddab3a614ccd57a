"""A request as it would be posted, or the refusal, as text: masked unless somebody asks to see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from connector import __version__
from connector.config.settings import Settings
from connector.core.event import InvocationEvent, event_from
from connector.core.redact import mask_phone, safe_name, shape
from connector.core.refusal import Refusal
from connector.core.request import InvokeRequest, RequestRules, build
from connector.core.trace import TraceContext
from connector.runtime import parts

_MASKED_CREDENTIAL = "Basic ***"


def built(fields: Mapping[str, object], rules: RequestRules) -> tuple[InvocationEvent, InvokeRequest] | Refusal:
    """The event and its request, or why there is none."""
    event = event_from(fields)
    if isinstance(event, Refusal):
        return event
    request = build(event, rules)
    return request if isinstance(request, Refusal) else (event, request)


def request_text(request: InvokeRequest, settings: Settings, trace: TraceContext | None = None, *, reveal: bool) -> str:
    """Method, URL, the headers that are ours, and the body. The credential is never shown."""
    return "\n".join(_request_lines(request, settings, trace, reveal))


def refusal_text(refusal: Refusal) -> str:
    """Every problem on a line; none shows a value."""
    return "\n".join([f"refused at {refusal.stage}: {refusal.code}", *(f"  {problem}" for problem in refusal.problems)])


def _request_lines(
    request: InvokeRequest, settings: Settings, trace: TraceContext | None, reveal: bool
) -> Iterator[str]:
    yield f"POST {settings.openmarket.base_url}/service/v1/invokeService/{request.service_id}"
    for name, value in headers(request, settings, trace, reveal=reveal).items():
        yield f"{name}: {value}"
    yield ""
    yield request.body.decode() if reveal else masked_body(request.body)
    if request.normalizations:
        yield f"(put right: {', '.join(request.normalizations)})"


def headers(
    request: InvokeRequest, settings: Settings, trace: TraceContext | None = None, *, reveal: bool = False
) -> dict[str, str]:
    """The request's headers but `Host`, with the credential masked."""
    name = parts.name_header(settings)
    sent = {
        "Authorization": _MASKED_CREDENTIAL,
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"invoke-connector/{__version__}",
        "Content-Length": str(len(request.body)),
    }
    sent |= dict([name]) if name is not None else {}
    if trace is None:
        return sent
    return sent | (trace if reveal or trace.state is None else trace._replace(state=shape(trace.state))).headers()


def masked_body(body: bytes) -> str:
    """A request's body with the number masked and the values as shapes."""
    content = orjson.loads(body)
    content["endUser"]["phoneNumber"] = mask_phone(content["endUser"]["phoneNumber"])
    for keys in content.get("variables", {}).values():
        shapes = {safe_name(key, place): shape(value) for place, (key, value) in enumerate(keys.items(), 1)}
        keys.clear()
        keys.update(shapes)
    return orjson.dumps(content).decode()
