"""A process that posts: `python -m tests.support.posting_process URL IN_FLIGHT TOTAL_TIMEOUT POSTS uvloop|asyncio`.

It posts POSTS times with IN_FLIGHT at once, each until it is accepted as the connector would, and prints as JSON how
many posts had which answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

import uvloop

from connector.core.reply import NoReply
from connector.core.request import InvokeRequest
from connector.edge.openmarket import OpenMarket


async def post_all(url: str, in_flight: int, total_timeout: float, posts: int) -> Counter[str]:
    """Post, and count the answers by status or failure."""
    invoker = OpenMarket(url, "123-456", "s3cret", in_flight=in_flight, total_timeout=total_timeout)
    request = InvokeRequest("0A1B2C3D4E5F", b"{}", ())
    seen: Counter[str] = Counter()
    waiting = iter(range(posts))

    async def work() -> None:
        for _ in waiting:
            answer = await invoker.invoke(request)
            seen[answer.failure.value if isinstance(answer, NoReply) else str(answer.status)] += 1

    await asyncio.gather(*(work() for _ in range(in_flight)))
    await invoker.close()
    return seen


if __name__ == "__main__":
    url, in_flight, total_timeout, posts, loop = sys.argv[1:]
    runner = uvloop.run if loop == "uvloop" else asyncio.run
    json.dump(runner(post_all(url, int(in_flight), float(total_timeout), int(posts))), sys.stdout)
