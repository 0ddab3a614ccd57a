"""Keys and partitions: whether records spread over them, and whether one end user's events meet in one of them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from math import sqrt
from typing import NamedTuple

from connector.core.lint.findings import Finding, Place, Severity
from connector.core.lint.partitioners import PARTITIONERS

SPREAD = "keys_do_not_spread"
TWO_PARTITIONS = "key_in_two_partitions"
PARTITIONERS_DIFFER = "partitioners_differ"

_MOST_KEYS = 50_000
_MOST_PRODUCERS = 50
_FEWEST_RECORDS = 100
_FEWEST_KEYS = 20
"""Different keys of a producer, before anything is said of its partitioner: of two partitions a wrong one gets each
right by chance in every second case."""
_PER_PARTITION = 30
"""Records for each partition, before anything is said of how they spread: that twice as many different keys meet in one
happens by chance once in a million times, that none is there hardly ever."""
_EXPLAINED = 0.99
_SURE = 4.0
"""Standard deviations."""


class _Place(NamedTuple):
    number: int
    place: Place


class Keys:
    """The keys of a topic's records."""

    def __init__(self, partitions: int, most: int = _MOST_KEYS) -> None:
        """`partitions` is how many the topic has."""
        self._partitions = partitions
        self._most = most
        self._records: dict[int, int] = {}
        self._first: dict[bytes, _Place] = {}
        self._met: set[bytes] = set()
        self._twice: dict[bytes, tuple[Place, Place]] = {}
        self._explained: dict[str, dict[str, int]] = {}
        self._different: dict[str, int] = {}

    def add(self, producer: str, partition: int, key: bytes | None, place: Place) -> None:
        """A record."""
        if not key:
            return  # spread by chance, and by some clients batch by batch
        self._records[partition] = self._records.get(partition, 0) + 1
        name = blake2b(key, digest_size=8).digest()
        first = self._first.get(name)
        if first is None:
            if len(self._first) >= self._most:
                return
            self._first[name] = _Place(partition, place)
        elif first.number != partition:
            self._twice.setdefault(name, (first.place, place))
        self._explain(producer, partition, key)

    def findings(self) -> Iterator[Finding]:
        """What looks wrong."""
        if self._partitions > 1:
            yield from self._spread()
            yield from self._two_partitions()
            yield from self._differing()

    def _explain(self, producer: str, partition: int, key: bytes) -> None:
        if producer not in self._different and len(self._different) >= _MOST_PRODUCERS:
            return
        met = blake2b(b"%d %b %b" % (partition, producer.encode(), key), digest_size=8).digest()
        if met in self._met or len(self._met) >= 2 * self._most:
            return
        self._met.add(met)
        self._different[producer] = self._different.get(producer, 0) + 1
        explained = self._explained.setdefault(producer, dict.fromkeys(PARTITIONERS, 0))
        for name, partition_of in PARTITIONERS.items():
            explained[name] += partition_of(key, self._partitions) == partition

    def _spread(self) -> Iterator[Finding]:
        records, partitions = sum(self._records.values()), self._partitions
        if records < max(_FEWEST_RECORDS, _PER_PARTITION * partitions):
            return
        fullest = max(self._records, key=lambda each: self._records[each])
        share = self._records[fullest] / records
        empty = partitions - len(self._records)
        keys = f"{len(self._first):,}{'' if len(self._first) < self._most else ' or more'} different keys"
        remedy = "write the phone number as the key, which the producer's own partitioner spreads over all partitions"
        if share >= min(2 / partitions, (1 + 1 / partitions) / 2):
            text = f"partition {fullest} of {partitions} has {share:.0%} of the records with a key; {keys}"
            yield Finding(Severity.SUSPECT, SPREAD, "key", self._records[fullest], text, remedy)
        elif empty and len(self._first) >= _PER_PARTITION * partitions:
            text = f"{empty} of {partitions} partitions have no record with a key; {keys}"
            yield Finding(Severity.SUSPECT, SPREAD, "key", records, text, remedy)

    def _two_partitions(self) -> Iterator[Finding]:
        if not self._twice:
            return
        text = f"{len(self._twice):,} of {len(self._first):,} different keys lie in more than one partition"
        remedy = (
            "give all producers one partitioner, murmur2_random, or one end user's events are not posted in order; "
            "where partitions were added since, this passes"
        )
        places = next(iter(self._twice.values()))
        yield Finding(Severity.SUSPECT, TWO_PARTITIONS, "key", len(self._twice), text, remedy, places)

    def _differing(self) -> Iterator[Finding]:
        found = {producer: self._partitioners(producer) for producer in self._different}
        known = {producer: names for producer, names in found.items() if names}
        if len({name for names in known.values() for name in names}) < 2:
            return
        told = "; ".join(f"{producer}: {' and '.join(names)}" for producer, names in sorted(known.items()))
        remedy = "give all producers one partitioner: partitioner=murmur2_random is librdkafka's name of Java's default"
        keys = sum(self._different[producer] for producer in known)
        yield Finding(Severity.SUSPECT, PARTITIONERS_DIFFER, "key", keys, told, remedy)

    def _partitioners(self, producer: str) -> tuple[str, ...]:
        """The one that explains where this producer's keys lie; several where it takes several to; none, not known."""
        keys, explained = self._different[producer], self._explained[producer]
        if keys < _FEWEST_KEYS:
            return ()
        best = max(explained, key=lambda name: explained[name])
        if explained[best] >= _EXPLAINED * keys:
            return (best,)
        several = tuple(name for name in explained if self._beyond_chance(explained[name], keys))
        return several if len(several) > 1 else ()

    def _beyond_chance(self, hits: int, keys: int) -> bool:
        chance = 1 / self._partitions
        return hits / keys - chance > _SURE * sqrt(chance * (1 - chance) / keys)
