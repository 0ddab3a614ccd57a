"""`connector post`: exactly one event, for real."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.event_files import opened, single
from connector.cli.loading import refuse_shadow
from connector.cli.options import ConfigFile
from connector.cli.preview import built, refusal_text, request_text
from connector.config import Settings, load
from connector.core.outcome import Fate, Outcome
from connector.core.redact import scrub
from connector.core.refusal import Refusal
from connector.core.request import InvokeRequest
from connector.edge.clock import SystemClock
from connector.runtime import parts, policies


def post(
    event: Annotated[Path, typer.Argument(metavar="EVENT.json", help="One event; -: standard input.")],
    config: ConfigFile,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, post it: a person may be texted.")] = False,
) -> None:
    """Post exactly one event for real and print the answer.

    The vendor recommends to see each service triggered once: it accepts an id that does not exist, is disabled or
    not visible to the account, and triggers nothing. Without --yes it says what it would do.

    Exit codes: 0 accepted · 1 refused or not accepted · 2 usage or configuration, or --yes is missing.
    """
    settings = load(config, os.environ)
    if not settings.posts:
        refuse_shadow(settings, "it posts nothing")
    with opened(event) as file:
        fields = single(file)
    result = built(fields, policies.request_rules(settings.openmarket))
    if isinstance(result, Refusal):
        typer.echo(refusal_text(result))
        raise typer.Exit(1)
    asked_for, request = result
    if asked_for.expires_at_ms is not None and asked_for.expires_at_ms <= SystemClock().now_ms():
        typer.echo("refused: expired; the event's expiresAt is past")
        raise typer.Exit(1)
    typer.echo(request_text(request, settings, reveal=False))
    if not yes:
        typer.echo("\nNothing was posted: say --yes to post this for real.", err=True)
        raise typer.Exit(2)
    outcome = asyncio.run(_post(settings, request))
    typer.echo(f"\n{_answer_text(outcome, asked_for.phone_number.removeprefix('+'))}")
    if outcome.fate is not Fate.ACCEPTED:
        raise typer.Exit(1)
    if settings.openmarket.is_cie:
        typer.echo("This is CIE, the vendor's test environment: no service was triggered.")


async def _post(settings: Settings, request: InvokeRequest) -> Outcome:
    try:
        invoker = parts.invoker(settings)
    except OSError as error:
        typer.echo(f"openmarket.tls cannot be used ({type(error).__name__}): connector check says more", err=True)
        raise typer.Exit(2) from None
    try:
        answer = await invoker.invoke(request)
    finally:
        await invoker.close()
    return policies.outcome_table(settings.openmarket).classify(answer)


def _answer_text(outcome: Outcome, phone_number: str) -> str:
    request_id = outcome.request_id or "none"
    vendor_code = "" if outcome.vendor_code is None else f", vendor code {outcome.vendor_code}"
    status = "no answer" if outcome.status is None else f"HTTP {outcome.status}{vendor_code}"
    return (
        f"{status}\n"
        # Free text of whoever answered: kept as it is, unless it echoes the phone number.
        f"X-Request-Id: {scrub(request_id) if phone_number in request_id else request_id}\n"
        f"class: {outcome.code} ({outcome.fate.replace('_', ' ')})\n"
        f"why: {outcome.why}\n"
        f"remedy: {outcome.remedy}"
    )
