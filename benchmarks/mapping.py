"""`python -m benchmarks.mapping`: what a mapping of ten fields costs, beside the same ten of our own schema.

Decoding alone, in short runs by turns of which the fastest counts: other work on the machine then matters little.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from timeit import timeit

from benchmarks.in_memory import MIXES, logs_of, settings_of
from connector.core.record import Record
from connector.edge.avro.decoder import AvroDecoder
from connector.edge.clock import SystemClock
from connector.runtime import parts

_RECORDS = 200
_RUNS = 1500


def main() -> None:
    """Print microseconds an event."""
    fastest: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="connector-mapping-") as folder:
        contenders = {name: _contender(name, Path(folder)) for name in ("ten", "mapped")}
    for _ in range(_RUNS):
        for name, (decoder, records) in contenders.items():
            seconds = timeit(partial(_decode, decoder, records), number=1)
            fastest[name] = min(fastest.get(name, seconds), seconds)
    for name, seconds in fastest.items():
        print(f"{MIXES[name].says}: {seconds / _RECORDS * 1e6:.2f} µs")


def _contender(name: str, folder: Path) -> tuple[AvroDecoder, list[Record]]:
    clock = SystemClock()
    decoder = parts.decoder(settings_of(MIXES[name], folder), clock, None)
    records = [record for log in logs_of(MIXES[name], _RECORDS, clock).values() for record in log]
    assert all(isinstance(decoder.decode(record), dict) for record in records)
    return decoder, records


def _decode(decoder: AvroDecoder, records: list[Record]) -> None:
    for record in records:
        decoder.decode(record)


if __name__ == "__main__":
    main()
