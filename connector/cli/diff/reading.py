"""Records of a topic, in the order of their places, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.cli.progress import Progress
from connector.cli.sampling import Stretch
from connector.cli.today import PASSED_OVER, Judge
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.comparison import Fate, values_of
from connector.core.record import Partition, Record
from connector.edge.kafka.scan import Scan

_EVERY = 1000
PASSED_OVER_CODE = "passed_over"
Ranges = Mapping[int, tuple[int, int]]
"""Partition → the first offset to read, and the one after the last."""


def ranges_of(settings: Settings, topic: str, stretch: Stretch) -> Ranges:
    """The offsets of a stretch, as the log is now. Raises AdminError."""
    with Scan(kafka_properties(settings.kafka), topic) as scan:
        stretch.begin(scan)
        return {each.number: (start, scan.bounds[each].readable) for each, start in sorted(scan.starts.items())}


def in_order(settings: Settings, topic: str, ranges: Ranges) -> Iterator[Record]:
    """One partition after the other, so that two readings have one order. What is gone by now is left out.

    Raises AdminError.
    """
    total = sum(end - start for start, end in ranges.values())
    with Progress(f"reading {topic}", total) as progress:
        for number, (start, end) in sorted(ranges.items()):
            partition = Partition(topic, number)
            if start >= end:
                continue
            with Scan(kafka_properties(settings.kafka), topic, {partition: start}) as scan:
                if partition not in scan.bounds:
                    continue
                scan.only_before({partition: end})
                for count, record in enumerate(scan.records(), 1):
                    yield record
                    if count % _EVERY == 0:
                        progress.advance(_EVERY)


def fate_of(record: Record, judge: Judge) -> Fate:
    """What becomes of it, whenever that is. Never raises, whatever the bytes."""
    made = judge.made(record, record.timestamp_ms)
    if made.refusal is PASSED_OVER:
        return Fate(None, PASSED_OVER_CODE)
    if made.event is None or made.request is None:
        return Fate(None, "refused" if made.refusal is None else made.refusal.code)
    return Fate(values_of(made.request, made.event.event_id, made.expires_ms))
