"""A process that makes no spans, as most do: nothing of tracing is in the way of a record."""

from __future__ import annotations

from connector.engine.engine import Engine
from connector.engine.ports import Decoder
from connector.observe.histogram import Exemplars
from connector.runtime.driver import Driver, Ports


class Untraced:
    """`exemplars`: what the latency histograms name, if anything."""

    exemplars: Exemplars | None = None

    def decoder(self, decoder: Decoder) -> Decoder:
        """The decoder that the road uses."""
        return decoder

    def driver(self, ports: Ports, engine: Engine) -> Driver:
        """The driver of the process."""
        return Driver(ports, engine)

    async def close(self) -> None:
        """Let go, within a bound."""
