"""The one place that reads the clocks of the machine."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's time, as `engine.ports.Clock`."""

    def now_ms(self) -> int:
        """Wall clock, ms since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
