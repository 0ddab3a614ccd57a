"""`connector dlq`: what lies in the dead-letter topic, and what becomes of it."""

from __future__ import annotations

from connector.cli.verbs import with_verbs

dlq = with_verbs(
    "Dead letters: count, look at, redrive, export and purge them.",
    {
        "summary": "connector.cli.dlq.summary:summary",
        "list": "connector.cli.dlq.listing:list_letters",
        "show": "connector.cli.dlq.show:show",
        "redrive": "connector.cli.dlq.redrive:redrive",
        "edit": "connector.cli.dlq.edit:edit",
        "export": "connector.cli.dlq.export:export",
        "purge": "connector.cli.dlq.purge:purge",
    },
)
