"""One deliberately invalid request: whether the vendor accepts the credentials, with nobody texted."""

from __future__ import annotations

from connector.config.settings import Settings
from connector.core.outcome import Fate, Outcome
from connector.core.request import InvokeRequest
from connector.runtime import parts, policies
from connector.runtime.checks.finding import Finding, Verdict

_INVALID_PAYLOAD = "12002"
_WITHOUT_END_USER = b"{}"
_ANY_SERVICE = "0"


async def probe(settings: Settings) -> Finding:
    """Post a body without endUser. The vendor judges credentials before the body, so 12002 means they are accepted."""
    if not settings.posts:
        return Finding("credentials", Verdict.OK, "not asked: delivery.mode: shadow posts nothing")
    allowed = settings.openmarket.allowed_services or {}
    service_id = next(iter(allowed.values()), _ANY_SERVICE)
    try:
        invoker = parts.invoker(settings)
    except OSError:
        return Finding("credentials", Verdict.FAILED, "openmarket.tls cannot be used", "see TLS files")
    try:
        answer = await invoker.invoke(InvokeRequest(service_id, _WITHOUT_END_USER, ()))
    finally:
        await invoker.close()
    return judge(policies.outcome_table(settings.openmarket).classify(answer))


def judge(outcome: Outcome) -> Finding:
    """What the answer to a body without endUser tells of the credentials."""
    if outcome.vendor_code == _INVALID_PAYLOAD:
        return Finding(
            "credentials",
            Verdict.OK,
            "accepted: the vendor refused a body without endUser as it should (12002), and nobody was texted",
            "they do not show that a service is triggered: test each once with connector post EVENT.json --yes",
        )
    answered = f"HTTP {outcome.status}" if outcome.status is not None else "no answer"
    why = f"{outcome.code}: {outcome.why} ({answered}, X-Request-Id {outcome.request_id or 'none'})"
    if outcome.fate is Fate.ACCEPTED:
        remedy = "this is not the vendor, which refuses a body without endUser: compare openmarket.base_url"
        return Finding("credentials", Verdict.FAILED, why, remedy)
    return Finding("credentials", Verdict.FAILED, why, outcome.remedy)
