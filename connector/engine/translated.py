"""A commit that was made in another cluster: a mirror carries its metadata over, and translates its offset."""

from __future__ import annotations

from typing import Literal

from connector.engine.messages import GiveUp

Translated = Literal["stop", "hold", "warn"]
"""What becomes of its partition: the process ends, the partition is paused, or it goes on from that offset."""

WHY = "its commit was made in another cluster: stop all processes, then `connector offsets translate`"
"""Why the partition is paused, for `connector status` and the page."""

STOP = GiveUp(
    "commit_translated",
    "a commit of the group was made in another cluster, and a mirror translated its offset, mostly backwards: up to "
    "the whole lag there would be posted again. Stop all processes, then `connector offsets translate` finds the place "
    "by the records; or set kafka.translated to warn, which goes on from that offset",
)
