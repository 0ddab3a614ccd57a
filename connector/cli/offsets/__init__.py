"""`connector offsets`: a group's commits as a file, a file as its commits, and what either means."""

from __future__ import annotations

from connector.cli.verbs import with_verbs

offsets = with_verbs(
    "Export a group's committed offsets, set or translate them, or count what a start from them repeats.",
    {
        "export": "connector.cli.offsets.exporting:export",
        "set": "connector.cli.offsets.setting:set_offsets",
        "translate": "connector.cli.offsets.translating:translate",
        "repeats": "connector.cli.offsets.repeats:repeats",
    },
)
