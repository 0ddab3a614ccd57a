"""What the adaptive limit is compared with, each as its authors wrote it, with their defaults."""

from __future__ import annotations

import math


class Rival:
    """Each of them is told of every answer in one way."""

    @property
    def limit(self) -> int:
        """Posts that may be under way."""
        raise NotImplementedError

    def seen(self, now: float, seconds: float, overloaded: bool, under_way: int) -> None:
        """One post was answered, or not."""
        raise NotImplementedError

    def answered(self, now: float, seconds: float, under_way: int) -> None:
        """One post was answered."""
        self.seen(now, seconds, False, under_way)

    def refused(self, now: float, seconds: float) -> None:
        """One was turned away."""
        self.seen(now, seconds, True, self.limit)

    def failed(self, now: float, seconds: float) -> None:
        """One had no answer in time, or an error."""
        self.seen(now, seconds, True, self.limit)


class Arc(Rival):
    """Vector's adaptive request concurrency: additive increase, multiplicative decrease, by the moving average of the
    round trips and its deviation. `src/sinks/util/adaptive_concurrency/controller.rs` of vectordotdev/vector."""

    _DECREASE = 0.9
    _ALPHA = 0.4
    _DEVIATIONS = 2.5

    def __init__(self, floor: int, ceiling: int) -> None:
        self._limit = floor
        self._floor = floor
        self._ceiling = ceiling
        self._mean = math.nan
        self._variance = 0.0
        self._update_at = 0.0
        self._clear()

    @property
    def limit(self) -> int:
        """The number now."""
        return self._limit

    def _clear(self) -> None:
        self._sum = 0.0
        self._count = 0
        self._pushed_back = False
        self._reached = False

    def seen(self, now: float, seconds: float, overloaded: bool, under_way: int) -> None:
        """Only what was accepted is measured; what was not counts against the limit."""
        if overloaded:
            self._pushed_back = True
        else:
            self._sum += seconds
            self._count += 1
        self._reached |= under_way >= self.limit
        if math.isnan(self._mean):
            if self._count:
                self._mean = self._sum / self._count
                self._update_at = now + self._mean
        elif now >= self._update_at:
            current = self._sum / self._count if self._count else None
            self._manage(current)
            if current is not None:
                difference = current - self._mean
                self._mean += self._ALPHA * difference
                self._variance = (1 - self._ALPHA) * (self._variance + self._ALPHA * difference**2)
            self._update_at = now + self._mean
            self._clear()

    def _manage(self, current: float | None) -> None:
        # Vector's own tests round to the microsecond, or equal round trips differ in the last bit and throttle.
        rounded = None if current is None else round(current, 6)
        mean = round(self._mean, 6)
        good = self._reached and not self._pushed_back and rounded is not None and rounded <= mean
        if good and self.limit < self._ceiling:
            self._limit += 1
        elif self._pushed_back or (rounded or 0.0) >= mean + self._DEVIATIONS * math.sqrt(self._variance):
            self._limit = max(self._floor, int(self._limit * self._DECREASE))


class Windowed(Rival):
    """Netflix's `WindowedLimit`: means of a second or more, of ten answers or more."""

    _SECONDS = 1.0
    _ANSWERS = 10

    def __init__(self, floor: int, ceiling: int) -> None:
        self._floor = floor
        self._ceiling = ceiling
        self._estimate = float(min(20, ceiling))
        self._update_at = 0.0
        self._clear()

    @property
    def limit(self) -> int:
        """The estimate, within its bounds."""
        return int(self._estimate)

    def _clear(self) -> None:
        self._sum = 0.0
        self._count = 0
        self._dropped = False
        self._most = 0

    def seen(self, now: float, seconds: float, overloaded: bool, under_way: int) -> None:
        """Accumulate, and update once a window."""
        self._sum += seconds
        self._count += 1
        self._dropped |= overloaded
        self._most = max(self._most, under_way)
        if now > self._update_at:
            if self._count >= self._ANSWERS:
                estimate = self._update(self._sum / self._count, self._most, self._dropped)
                self._estimate = max(self._floor, min(self._ceiling, estimate))
            self._update_at = now + self._SECONDS
            self._clear()

    def _update(self, seconds: float, under_way: int, dropped: bool) -> float:
        raise NotImplementedError


class Vegas(Windowed):
    """Netflix's `VegasLimit`: the queue is the limit's share of the time that is not the least seen."""

    def __init__(self, floor: int, ceiling: int) -> None:
        super().__init__(floor, ceiling)
        self._least = 0.0
        self._probes = 0

    def _update(self, seconds: float, under_way: int, dropped: bool) -> float:
        self._probes += 1
        # Netflix scatters the time of the probe between half and all of it.
        if self._probes >= 0.75 * 30 * self._estimate or self._least == 0 or seconds < self._least:
            self._least = seconds
            self._probes = 0 if self._probes >= 0.75 * 30 * self._estimate else self._probes
            return self._estimate
        queue = math.ceil(self._estimate * (1 - self._least / seconds))
        unit = max(1, int(math.log10(self._estimate)))
        if dropped:
            return self._estimate - unit
        if under_way * 2 < self._estimate:
            return self._estimate
        if queue <= unit:
            return self._estimate + 6 * unit
        if queue < 3 * unit:
            return self._estimate + unit
        return self._estimate - unit if queue > 6 * unit else self._estimate


class Gradient2(Windowed):
    """Netflix's `Gradient2Limit`: the ratio of a long average of the round trips to the present one."""

    _WINDOW = 600
    _WARM_UP = 10
    _QUEUE = 4
    _SMOOTHING = 0.2

    def __init__(self, floor: int, ceiling: int) -> None:
        super().__init__(floor, ceiling)
        self._long = 0.0
        self._seen = 0

    def _update(self, seconds: float, under_way: int, dropped: bool) -> float:
        self._seen += 1
        weight = 1 / self._seen if self._seen <= self._WARM_UP else 2 / (self._WINDOW + 1)
        self._long += (seconds - self._long) * weight
        ratio = self._long / seconds
        if ratio > 2:
            self._long *= 0.9
        if under_way < self._estimate / 2:
            return self._estimate
        aim = self._estimate * max(0.5, min(1.0, ratio)) + self._QUEUE
        return self._estimate * (1 - self._SMOOTHING) + aim * self._SMOOTHING


class Aimd(Rival):
    """Netflix's `AIMDLimit`: one more with each answer, a tenth less with each failure; it does not look at time."""

    def __init__(self, floor: int, ceiling: int) -> None:
        self._limit = min(10, ceiling)
        self._floor = floor
        self._ceiling = ceiling

    @property
    def limit(self) -> int:
        """The number now."""
        return self._limit

    def seen(self, now: float, seconds: float, overloaded: bool, under_way: int) -> None:
        """Each answer moves the limit."""
        if overloaded or seconds > 5:
            self._limit = max(self._floor, min(self._limit - 1, int(self._limit * 0.9)))
        elif under_way * 2 >= self.limit:
            self._limit = min(self._ceiling, self._limit + 1)
