"""What a run showed, as a page: the figures first, each beside what it was to reach."""

from __future__ import annotations

import os
import platform
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.chaos import judge
from tests.chaos.books import Done, Repeat, Spread, moved_after, repeats_by_fault, slope, spread
from tests.chaos.judge import Accepted
from tests.chaos.plan import FAULT_KINDS, FaultKind, event
from tests.chaos.run import (
    DEAD_LETTER,
    DRAIN_SECONDS,
    HEARTBEAT_SECONDS,
    IN_FLIGHT,
    MAIN,
    SESSION_SECONDS,
    UNCOMMITTED,
    Seen,
)
from tests.support.apache_kafka import COORDINATES

_FIRST_POST_SECONDS = 15.0
_MEAN_PER_KILL = 100.0
_SLOPE_MB = 1.0
_LAST_SECONDS = 2400.0
_MB = 1e6
_NEW_PROCESS = 0.97
"""The share of the memory before below which it is that of a new process: resident memory never falls so fast."""


class Figures(NamedTuple):
    """All that is counted. Seconds and bytes; `slope` in MB per 10 minutes of process 0."""

    produced: int
    produced_twice: int
    accepted: int
    dead_lettered: int
    dead_lettered_twice: int
    wrongly_dead_lettered: int
    lost: int
    twice: int
    unexplained: int
    repeats: dict[FaultKind, Spread]
    moved: Spread
    stood_still: int
    first_post: Spread
    slope: float
    slope_seconds: float
    memory: tuple[int, int]


def figures(folder: Path, seen: Seen) -> Figures:
    """Count, from the files of a run that is over."""
    accepted = judge.read(folder / "accepted")
    counts = judge.counts(accepted)
    main, dead = _numbers(folder / f"{MAIN}.csv"), _numbers(folder / f"{DEAD_LETTER}.csv")
    partition_of, written = dict(main), Counter(number for number, _ in main)
    dead_counts = Counter(number for number, _ in dead)
    fates = {number: event(number, seen.given.seed).fate for number in partition_of}
    repeats = list(_repeats(accepted))
    by_fault, unexplained = repeats_by_fault(repeats, seen.done)
    moved, stood_still = _moved(accepted, partition_of, seen.done)
    rise, over, memory = _memory(folder / "memory.csv")
    return Figures(
        produced=len(main),
        produced_twice=sum(count - 1 for count in written.values()),
        accepted=len(counts),
        dead_lettered=len(dead_counts),
        dead_lettered_twice=sum(count - 1 for count in dead_counts.values()),
        wrongly_dead_lettered=sum(fates[number] == "accepted" for number in dead_counts),
        lost=sum(number not in (counts if fate == "accepted" else dead_counts) for number, fate in fates.items()),
        twice=len(repeats),
        unexplained=unexplained,
        repeats={
            kind: spread(count for count, done in zip(by_fault, seen.done, strict=True) if done.kind == kind)
            for kind in FAULT_KINDS
        },
        moved=moved,
        stood_still=stood_still,
        first_post=spread(_first_posts(accepted, seen.done)),
        slope=rise,
        slope_seconds=over,
        memory=memory,
    )


def page(found: Figures, seen: Seen, command: str, commit: str, day: str) -> str:
    """The page. Every figure that was to be reached says whether it was."""
    given = seen.given
    bound, move_bound = UNCOMMITTED + IN_FLIGHT, SESSION_SECONDS + 2 * HEARTBEAT_SECONDS + DRAIN_SECONDS
    kills, stops, joins = (found.repeats[kind] for kind in ("kill", "clean stop", "join and leave"))
    rows = [
        ("lost", "0", str(found.lost), found.lost == 0),
        ("posted twice on a clean stop, all of them", "0", _whole(stops), stops.largest == 0),
        ("posted twice when a member joins, and leaves, all of them", "0", _whole(joins), joins.largest == 0),
        (f"posted twice by a kill -9, the most (bound: {UNCOMMITTED} + {IN_FLIGHT})", f"≤ {bound}",
         f"{kills.largest:.0f}", kills.largest <= bound),
        ("posted twice by a kill -9, the mean", f"≤ {_MEAN_PER_KILL:.0f}", f"{kills.mean:.1f}",
         kills.mean <= _MEAN_PER_KILL),
        ("posted twice without a fault that explains it", "0", str(found.unexplained), found.unexplained == 0),
        ("from the broker's port open again to the first post, the longest", f"≤ {_FIRST_POST_SECONDS:.0f} s",
         f"{found.first_post.largest:.1f} s", found.first_post.largest <= _FIRST_POST_SECONDS),
        ("from a kill -9 until every partition of the dead moves elsewhere, the longest",
         f"≤ {move_bound:.0f} s (session, 2 heartbeats, drain)", f"{found.moved.largest:.1f} s",
         found.moved.largest <= move_bound and not found.stood_still),
        (f"memory, slope of the last {found.slope_seconds / 60:.0f} minutes", f"< {_SLOPE_MB:.0f} MB per 10 minutes",
         f"{found.slope:.2f} MB", found.slope < _SLOPE_MB),
    ]  # fmt: skip
    table = "\n".join(
        f"| {what} | {goal} | {value} | {'yes' if held else '**no**'} |" for what, goal, value, held in rows
    )
    by_kind = "\n".join(
        f"| {kind} | {each.times} | {each.times * each.mean:.0f} | {each.mean:.1f} | {each.median:.0f} "
        f"| {each.largest:.0f} |"
        for kind, each in found.repeats.items()
    )
    first, last = found.memory
    return (
        (Path(__file__).parent / "page.md")
        .read_text()
        .format(
            command=command,
            day=day,
            commit=commit,
            machine=_machine(),
            given=given,
            minutes=given.seconds / 60,
            session=SESSION_SECONDS,
            in_flight=IN_FLIGHT,
            uncommitted=UNCOMMITTED,
            table=table,
            found=found,
            seen=seen,
            exits=", ".join(map(str, seen.exits)),
            memory_first=first / _MB,
            memory_last=last / _MB,
            by_kind=by_kind,
        )
    )


def _whole(each: Spread) -> str:
    return f"{each.times * each.mean:.0f}"


def _repeats(accepted: Sequence[Accepted]) -> list[Repeat]:
    first: dict[int, float] = {}
    return [
        Repeat(entry.number, first[entry.number], entry.at)
        for entry in accepted
        if first.setdefault(entry.number, entry.at) != entry.at
    ]


def _moved(accepted: Sequence[Accepted], partition_of: dict[int, int], done: Sequence[Done]) -> tuple[Spread, int]:
    times: defaultdict[int, list[float]] = defaultdict(list)
    for entry in accepted:
        times[partition_of[entry.number]].append(entry.at)
    moved = [moved_after(fault, times) for fault in done if fault.kind == "kill" and fault.partitions]
    known = [seconds for seconds in moved if seconds is not None]
    return spread(known), len(moved) - len(known)


def _first_posts(accepted: Sequence[Accepted], done: Sequence[Done]) -> list[float]:
    opened = [fault.over for fault in done if fault.kind in ("broker stop", "broker kill")]
    found = (next((entry.at - over for entry in accepted if entry.at > over), None) for over in opened)
    return [seconds for seconds in found if seconds is not None]


def _memory(path: Path) -> tuple[float, float, tuple[int, int]]:
    samples = [
        (float(elapsed), int(size))
        for elapsed, number, size in (line.split(",") for line in path.read_text().splitlines())
        if number == "0"
    ]
    life = max(_lives(samples), key=len)
    start, end = life[0][0], life[-1][0]
    last = [(at, size / _MB) for at, size in life if at >= max(end - _LAST_SECONDS, start + (end - start) / 3)]
    return slope(last) * 600, last[-1][0] - last[0][0], (life[0][1], life[-1][1])


def _lives(samples: Sequence[tuple[float, int]]) -> list[list[tuple[float, int]]]:
    """The samples of each process: one that is much smaller than the one before is of a new process."""
    lives: list[list[tuple[float, int]]] = [[]]
    for sample in samples:
        if lives[-1] and sample[1] < _NEW_PROCESS * lives[-1][-1][1]:
            lives.append([])
        lives[-1].append(sample)
    return lives


def _numbers(path: Path) -> list[tuple[int, int]]:
    return [
        (int(number), int(partition)) for number, partition in (x.split(",") for x in path.read_text().splitlines())
    ]


def _machine() -> str:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    parts = ("confluent-kafka", "aiohttp", "fastavro")
    return ", ".join(
        [
            f"{os.cpu_count()} × {cpu.partition(': ')[2] or platform.machine()}",
            f"{platform.system()} {platform.release().partition('-')[0]}",
            f"Python {platform.python_version()}",
            f"Apache Kafka {COORDINATES[0].rpartition(':')[2]}",
            *(f"{name} {version(name)}" for name in parts),
        ]
    )
