"""Processes that post to one vendor, on virtual time: the simulator's own queue, and what a limiter makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from statistics import NormalDist
from typing import NamedTuple, Protocol

from connector.simulator.capacity import Queue
from connector.simulator.scenario import Capacity, Fixed, Latency, Lognormal, Servers, Uniform

TIME_OUT = 30.0
"""Seconds after which a post is given up."""

_SIGMAS_TO_P99 = NormalDist().inv_cdf(0.99)


class Limiter(Protocol):
    """What is compared."""

    @property
    def limit(self) -> int:
        """Posts that may be under way."""

    def answered(self, now: float, seconds: float, under_way: int) -> None:
        """One post was answered."""

    def refused(self, now: float, seconds: float) -> None:
        """One was turned away for want of capacity."""

    def failed(self, now: float, seconds: float) -> None:
        """One had no answer in time, or an error for which the load may be the reason."""


class Vendor(NamedTuple):
    """A vendor and the way to it. Seconds throughout."""

    servers: tuple[tuple[float, int], ...]
    """(From when on, how many work side by side)."""
    service: tuple[tuple[float, Latency], ...] = ((0.0, Fixed(seconds=0.02)),)
    """(From when on, how long one is busy with a post)."""
    waiting: int = 10
    network: float = 0.002
    """There and back."""
    retry_after: float = 0.0
    """Seconds for which a 429 stops the process that got it."""
    failing: float = 0.0
    """Share of the posts that are answered 503 for reasons that have nothing to do with the load."""
    hangs: tuple[float, float] = (math.inf, math.inf)
    """(From, until): posts of this time are never answered."""
    bound: float = math.inf
    """Posts a second above which it answers 429, whatever its servers do."""

    def capacity_at(self, now: float, most: int) -> float:
        """Posts a second that can be accepted, with at most so many under way."""
        servers = [count for after, count in self.servers if after <= now][-1]
        service = _mean(self.service_at(now))
        if self.hangs[0] <= now < self.hangs[1]:
            return 0.0
        return min(servers / service, most / (service + self.network), self.bound) * (1 - self.failing)

    def service_at(self, now: float) -> Latency:
        """How long a post that begins now takes."""
        return [service for after, service in self.service if after <= now][-1]


class Load(NamedTuple):
    """Posts that come to each process: `size` at once, every `every` seconds. The default never ends."""

    size: float = math.inf
    every: float = math.inf
    at_random: bool = False
    """Whether they come at random times, `every` seconds apart in the mean."""


class Answer(NamedTuple):
    """One post's end: when, after how many seconds, and whose it was."""

    at: float
    seconds: float
    work: float
    """Of an accepted post: the work it was for the vendor, 1 in the mean. 0: it was not accepted."""
    process: int

    @property
    def accepted(self) -> bool:
        """Whether it was."""
        return self.work > 0


class Process:
    """One connector: its backlog, what it has under way, its limiter, and the slow start after its start."""

    def __init__(self, limiter: Limiter, starts: float, slow_start: bool) -> None:
        self.limiter = limiter
        self.backlog = 0.0
        self.under_way = 0
        self.starts = starts
        self.paused_until = starts
        self.ramp = 1.0 if slow_start else math.inf

    def may_post(self, now: float) -> bool:
        """Whether there is a post and room for it."""
        return (
            self.backlog >= 1
            and self.under_way < self.limiter.limit
            and self.under_way < self.ramp
            and now >= self.paused_until
        )


class Simulation:
    """Everything that happens in one run."""

    def __init__(self, vendor: Vendor, processes: list[Process], load: Load, seed: int) -> None:
        self._vendor = vendor
        self._processes = processes
        self._load = load
        self._chance = Random(seed)
        servers = tuple(Servers(after=after, count=count) for after, count in vendor.servers)
        self._queue = Queue(Capacity(servers=servers, queue=vendor.waiting))
        self._number = 0
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._allowed_at = 0.0
        self.answers: list[Answer] = []
        self.limits: list[tuple[float, int, int]] = []

    def run(self, seconds: float) -> list[Answer]:
        """Let so many seconds go by."""
        for number, process in enumerate(self._processes):
            self._at(process.starts, self._arrivals(number))
        while self._events and self._events[0][0] <= seconds:
            now, _, happens = heappop(self._events)
            happens(now)
        return self.answers

    def _at(self, when: float, happens: Callable[[float], None]) -> None:
        self._number += 1
        heappush(self._events, (when, self._number, happens))

    def _arrivals(self, number: int) -> Callable[[float], None]:
        def arrive(now: float) -> None:
            self._processes[number].backlog += self._load.size
            if self._load.every < math.inf:
                apart = self._chance.expovariate(1 / self._load.every) if self._load.at_random else self._load.every
                self._at(now + apart, arrive)
            self._post(number, now)

        return arrive

    def _post(self, number: int, now: float) -> None:
        process = self._processes[number]
        while process.may_post(now):
            process.backlog -= 1
            process.under_way += 1
            seconds, work = self._serve(now)
            self._at(now + seconds, self._answer(number, seconds, work))

    def _serve(self, now: float) -> tuple[float, float]:
        vendor = self._vendor
        if vendor.hangs[0] <= now < vendor.hangs[1]:
            return TIME_OUT, 0.0
        if vendor.failing and self._chance.random() < vendor.failing:
            return vendor.network, 0.0
        if vendor.bound < math.inf:
            # A bucket of a tenth of a second's posts.
            self._allowed_at = max(self._allowed_at, now - 0.1)
            if self._allowed_at > now:
                return vendor.network, 0.0
            self._allowed_at += 1 / vendor.bound
        service = vendor.service_at(now)
        drawn = draw(service, self._chance)
        served = self._queue.offer(now, drawn)
        if served is None:
            return vendor.network, 0.0
        seconds = served + vendor.network
        return (seconds, drawn / _mean(service)) if seconds < TIME_OUT else (TIME_OUT, 0.0)

    def _answer(self, number: int, seconds: float, work: float) -> Callable[[float], None]:
        def answer(now: float) -> None:
            process = self._processes[number]
            if work:
                process.limiter.answered(now, seconds, process.under_way)
            elif seconds >= TIME_OUT or self._vendor.failing:
                process.limiter.failed(now, seconds)
            else:
                process.limiter.refused(now, seconds)
            process.under_way -= 1
            self.limits.append((now, number, process.limiter.limit))
            if work:
                process.ramp += 1
            else:
                process.backlog += 1
            self.answers.append(Answer(now, seconds, work, number))
            if not work and self._vendor.retry_after:
                process.paused_until = now + self._vendor.retry_after
                self._at(process.paused_until, lambda then: self._post(number, then))
            self._post(number, now)

        return answer


def draw(latency: Latency, chance: Random) -> float:
    """Seconds, drawn from a distribution."""
    match latency:
        case Fixed(seconds=seconds):
            return seconds
        case Uniform(low=low, high=high):
            return chance.uniform(low, high)
        case _:
            return latency.p50 * math.exp(_sigma(latency) * chance.gauss(0, 1))


def _mean(latency: Latency) -> float:
    match latency:
        case Fixed(seconds=seconds):
            return seconds
        case Uniform(low=low, high=high):
            return (low + high) / 2
        case _:
            return latency.p50 * math.exp(_sigma(latency) ** 2 / 2)


def _sigma(latency: Lognormal) -> float:
    return math.log(latency.p99 / latency.p50) / _SIGMAS_TO_P99
