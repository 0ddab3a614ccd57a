"""A commit that was made in another cluster: a mirror carries its metadata over, and translates its offset."""

from __future__ import annotations

from typing import Literal, NamedTuple

from connector.core.settled_map import Ignored, Run, names_cluster
from connector.core.signals import Assigned
from connector.engine.messages import GiveUp

Translated = Literal["stop", "hold", "warn"]
"""What becomes of its partition: the process ends, the partition is paused, or it goes on from that offset."""


class Doubt(NamedTuple):
    """Why a commit cannot be gone on from: as the end of the process, and for `connector status` and the page."""

    stop: GiveUp
    why: str


_ELSEWHERE = Doubt(
    GiveUp(
        "commit_translated",
        "a commit of the group was made in another cluster, and a mirror translated its offset, mostly backwards: up "
        "to the whole lag there would be posted again. Stop all processes, then `connector offsets translate` finds "
        "the place by the records; or set kafka.translated to warn, which goes on from that offset",
    ),
    "its commit was made in another cluster: stop all processes, then `connector offsets translate`",
)
_UNKNOWN = Doubt(
    GiveUp(
        "cluster_unknown",
        "a commit of the group names its cluster, and no broker told within 15 s which cluster this is: if it is "
        "another one, a mirror translated the offset. A restart asks again; `connector check` looks at the brokers",
    ),
    "its commit names a cluster, and no broker told which one this is: a restart asks again",
)


def doubt_of(event: Assigned, known: tuple[Run, ...] | Ignored) -> Doubt | None:
    """Why this commit, of which `decode` says `known`, may not be this cluster's; None: it is, or names none."""
    if known == "cluster":
        return _ELSEWHERE
    is_unknown = event.identity is None and event.cluster_id is None
    return _UNKNOWN if is_unknown and names_cluster(event.metadata) else None
