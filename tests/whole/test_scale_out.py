"""Several processes on real Kafka: what each adds, counted by the vendor."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from tests.support.connector_process import ConnectorProcess
from tests.support.deadline import eventually
from tests.whole.stage import Stage, event

RATE, SECONDS = 100, 6
PATIENCE = 60.0


async def _have(processes: Iterable[ConnectorProcess], main: int, retry: int) -> None:
    """Wait until each process has so many partitions of each topic."""
    for process in processes:
        await process.status_when(
            lambda status: status.get("main_partitions") == main and len(status.get("partitions", ())) == main + retry
        )


async def _reaches_the_rate(stage: Stage) -> None:
    """At least 95 % of it, for a while in which nobody comes or goes; a busy machine may need several tries."""
    loop = asyncio.get_running_loop()
    begin = loop.time()

    def reached() -> bool:
        now = loop.time()
        at = [entry.at for entry in stage.simulator.ledger.entries]
        return now - begin >= SECONDS and len(at) - bisect_left(at, now - SECONDS) >= 0.95 * RATE * SECONDS

    await eventually(reached, PATIENCE, "the deployment reaches its rate")


async def test_two_processes_reach_the_rate_of_the_deployment_and_never_exceed_it(stage: Stage) -> None:
    """While nothing is retried, and after one was killed and came back; each has its half of either topic."""
    stage.create_topics(4, retry=4)
    stage.produce_events(event(f"e-{n}", n % 5000) for n in range(8000))
    processes = [stage.connector(pace={"rate": RATE}) for _ in range(2)]
    await asyncio.gather(*(process.start() for process in processes))
    await _have(processes, 2, 2)
    await _reaches_the_rate(stage)
    await processes[0].kill()
    await _have(processes[1:], 4, 4)
    await processes[0].start()
    await _have(processes, 2, 2)
    await _reaches_the_rate(stage)
    at = [entry.at for entry in stage.simulator.ledger.entries]
    most = max(bisect_right(at, begin + SECONDS) - number for number, begin in enumerate(at))
    assert most <= 1.1 * RATE * SECONDS  # what a busy machine delivers late comes closer together
    for process in processes:
        assert await process.stop() == 0


async def test_a_process_without_a_partition_of_the_main_topic_says_so_and_is_well(stage: Stage) -> None:
    stage.create_topics(1, retry=2)
    processes = [stage.connector() for _ in range(2)]
    await asyncio.gather(*(process.start() for process in processes))
    await eventually(
        lambda: [process.lines("nothing_of_main_topic") for process in processes].count([]) == 1,
        PATIENCE,
        "one of them says so",
    )
    idle, busy = sorted(processes, key=lambda process: not process.lines("nothing_of_main_topic"))
    assert (await idle.status())["main_partitions"] == 0
    assert (await idle.status())["ready"]
    assert (await idle.metrics())["assigned_main_partitions"] == 0
    assert await busy.stop() == 0
    await eventually(lambda: idle.lines("main_topic_again"), PATIENCE, "it has it now")
    assert await idle.stop() == 0
