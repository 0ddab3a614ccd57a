"""One look at a deployment: what its processes show, and what happened since the look before."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from connector.edge.status_client import Shown


class _HoldShown(BaseModel):
    kind: str
    why: str = ""


class _PauseShown(BaseModel):
    target: str


class _PartitionShown(BaseModel):
    committable: int = 0
    lag: int | None = None
    oldest_seconds: float | None = None
    queued: int = 0
    in_hand: int = 0
    waits_for: list[str] = []


class _PaceShown(BaseModel):
    in_flight_limit: float = 0


class _Status(BaseModel):
    """Of `/status` what is shown here; what another version does not tell is left out."""

    version: str
    mode: str = ""
    ready: bool
    holds: list[_HoldShown] = []
    paused: list[_PauseShown] = []
    pace: _PaceShown = _PaceShown()
    records: dict[str, int]
    in_hand: int = 0
    in_flight: int = 0
    uncommitted: int = 0
    oldest_unsettled_seconds: float = 0.0
    answers: dict[str, int] = {}
    partitions: dict[str, _PartitionShown] = {}


class Partition(NamedTuple):
    """`rate` is settled offsets a second; rate and `lag` are None while they are not known, `oldest_seconds` where
    nothing of it waits."""

    name: str
    process: str
    rate: float | None
    lag: int | None
    in_hand: int
    queued: int
    oldest_seconds: float | None
    waits_for: Sequence[str]


class Process(NamedTuple):
    """`problem` is why a process shows nothing. `rates` are records a second by what became of them; empty at the first
    look, and when the process was started since. `is_shadow`: what it accepted is what it would have posted."""

    url: str
    problem: str | None
    version: str = ""
    is_shadow: bool = False
    ready: bool = False
    rates: Mapping[str, float] = {}
    in_flight: int = 0
    in_flight_limit: float = 0
    in_hand: int = 0
    uncommitted: int = 0
    lag: int = 0
    oldest_seconds: float = 0.0
    holds: Sequence[str] = ()
    paused: Sequence[str] = ()
    partitions: int = 0


class Answers(NamedTuple):
    """Answers of one class since the processes began, and a second (None: not known)."""

    total: int
    rate: float | None


class Frame(NamedTuple):
    """`partitions` are those furthest behind, of `partitions_in_all`. `post_seconds`: half of the posts of between the
    looks took no longer, and 99 of 100; None without posts."""

    processes: Sequence[Process]
    rates: Mapping[str, float]
    post_seconds: tuple[float, float] | None
    answers: Mapping[str, Answers]
    partitions: Sequence[Partition]
    partitions_in_all: int


_Looked = tuple[str, Shown, _Status | None, str | None]


def frame(urls: Sequence[str], before: Sequence[Shown], now: Sequence[Shown], most: int) -> Frame:
    """What the looks `now` show, and what happened since those `before` (none at the first); `most` partitions."""
    earlier = [_read(url, shown) for url, shown in zip(urls, before, strict=False)]
    earlier += [(url, Shown(0.0, None, {}), None, None) for url in urls[len(before) :]]
    pairs = list(zip(earlier, [_read(*each) for each in zip(urls, now, strict=True)], strict=True))
    processes = [_process(old, new) for old, new in pairs]
    rates: dict[str, float] = defaultdict(float)
    for process in processes:
        for name, rate in process.rates.items():
            rates[name] += rate
    partitions = sorted((each for pair in pairs for each in _partitions(*pair)), key=_behind)
    return Frame(
        processes,
        dict(rates),
        _post_seconds((old[1], new[1]) for old, new in pairs),
        _answers(pairs),
        partitions[:most],
        len(partitions),
    )


def _read(url: str, shown: Shown) -> _Looked:
    if shown.status is None:
        return url, shown, None, shown.problem
    try:
        return url, shown, _Status.model_validate(shown.status), None
    except ValidationError:
        return url, shown, None, "shows no status that this version can read"


def _process(before: _Looked, now: _Looked) -> Process:
    url, _, status, problem = now
    if status is None:
        return Process(url, problem)
    return Process(
        url,
        None,
        status.version,
        status.mode == "shadow",
        status.ready,
        {name: rate for name in status.records if (rate := _rate(before, now, name)) is not None},
        status.in_flight,
        status.pace.in_flight_limit,
        status.in_hand,
        status.uncommitted,
        sum(each.lag or 0 for each in status.partitions.values()),
        status.oldest_unsettled_seconds,
        [each.kind for each in status.holds],
        [each.target for each in status.paused],
        len(status.partitions),
    )


def _rate(before: _Looked, now: _Looked, name: str) -> float | None:
    if (seconds := _seconds(before, now)) is None:
        return None
    assert before[2] is not None
    assert now[2] is not None
    return (now[2].records[name] - before[2].records.get(name, 0)) / seconds


def _seconds(before: _Looked, now: _Looked) -> float | None:
    """Between two looks at one and the same process: its counters never go back."""
    (_, then, old, _), (_, shown, new, _) = before, now
    if old is None or new is None or shown.at <= then.at:
        return None
    if any(new.records.get(name, 0) < count for name, count in old.records.items()):
        return None
    return shown.at - then.at


def _partitions(before: _Looked, now: _Looked) -> Iterator[Partition]:
    url, _, status, _ = now
    seconds = _seconds(before, now)
    known = before[2].partitions if seconds is not None and before[2] is not None else {}
    for name, each in (status.partitions if status is not None else {}).items():
        was = known.get(name)
        moved = None if was is None or seconds is None else (each.committable - was.committable) / seconds
        yield Partition(
            name,
            url,
            None if moved is None or moved < 0 else moved,
            each.lag,
            each.in_hand,
            each.queued,
            each.oldest_seconds,
            each.waits_for,
        )


def _behind(partition: Partition) -> tuple[bool, int, float, str]:
    """Those first of which the lag is not known, then by lag, which is some seconds old: more may be in hand."""
    lag = max(partition.lag or 0, partition.in_hand + partition.queued)
    return partition.lag is not None, -lag, -(partition.oldest_seconds or 0.0), partition.name


def _answers(pairs: Iterable[tuple[_Looked, _Looked]]) -> Mapping[str, Answers]:
    totals: Counter[str] = Counter()
    rates: dict[str, float] = defaultdict(float)
    known = False
    for before, now in pairs:
        if now[2] is None:
            continue
        totals.update(now[2].answers)
        if (seconds := _seconds(before, now)) is not None and before[2] is not None:
            known = True
            for code, count in now[2].answers.items():
                rates[code] += (count - before[2].answers.get(code, 0)) / seconds
    return {code: Answers(total, rates[code] if known else None) for code, total in totals.most_common()}


def _post_seconds(pairs: Iterable[tuple[Shown, Shown]]) -> tuple[float, float] | None:
    counts: dict[float, float] = defaultdict(float)
    for before, now in pairs:
        if before.posts and all(now.posts.get(edge, 0) >= count for edge, count in before.posts.items()):
            for edge, count in now.posts.items():
                counts[edge] += count - before.posts.get(edge, 0)
    edges = sorted(counts)
    if not edges or not counts[edges[-1]]:
        return None
    return _quantile(counts, edges, 0.5), _quantile(counts, edges, 0.99)


def _quantile(counts: Mapping[float, float], edges: Sequence[float], share: float) -> float:
    """The bound below which so large a share is, as Prometheus' `histogram_quantile` has it."""
    wanted = share * counts[edges[-1]]
    lower, fewer = 0.0, 0.0
    for edge in edges:
        if counts[edge] >= wanted:
            if edge == float("inf"):
                return lower
            return lower + (edge - lower) * (wanted - fewer) / max(counts[edge] - fewer, 1.0)
        lower, fewer = edge, counts[edge]
    return lower
