"""How many files and connections this process may have open."""

from __future__ import annotations

import resource

OTHERS = 300
"""Beside the posts' connections: the listener's, files, and two for each broker and each of some five Kafka clients."""

REMEDY = "raise the hard limit (`ulimit -Hn`; a container's is its runtime's), or lower delivery.in_flight"


def allow(in_flight: int) -> str | None:
    """Have as many open as the system allows, as Go's runtime does. Returns why that is too few for so many posts.

    The soft limit often is 1,024 where the hard one is far above, for `select()`, which nothing here uses.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = in_flight + OTHERS
    is_bounded = hard != resource.RLIM_INFINITY
    wanted = hard if is_bounded else needed  # macOS refuses a soft limit without end (its setrlimit(2))
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if not is_bounded or hard >= needed:
        return None
    return f"the system lets this process open {hard:,} files, and {in_flight:,} posts in flight need {needed:,}"
