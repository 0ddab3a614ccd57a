"""`connector top`: a deployment as its processes show it, live."""

from __future__ import annotations

from connector.cli.top.command import top

__all__ = ["top"]
