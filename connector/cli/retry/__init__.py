"""`connector retry`: what waits in the retry topic, and what becomes of it."""

from __future__ import annotations

from connector.cli.verbs import with_verbs

retry = with_verbs(
    "Copies that wait for their next attempt: count, look at, expedite and drop them.",
    {
        "summary": "connector.cli.retry.listing:summary",
        "list": "connector.cli.retry.listing:list_copies",
        "expedite": "connector.cli.retry.editing:expedite",
        "drop": "connector.cli.retry.editing:drop",
    },
)
