"""What the neighbours of the engine tell it, and what it tells them: values only, so that neither imports the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from connector.core.record import Partition, Record
from connector.core.settled_map import LogIdentity


class Taken(NamedTuple):
    """Records that arrived, in offset order within each partition."""

    records: Sequence[Record]


class Gap(NamedTuple):
    """The log has no record from offset `first` up to `end`, which is its end now: a transaction's markers, what was
    aborted, what compaction took. All before `first` that the log has was in `Taken`."""

    partition: Partition
    first: int
    end: int


class Assigned(NamedTuple):
    """A partition is ours from `position` on. `metadata` is what its last commit carried ("" for none).

    `identity` and `end` (the offset after the last record) are those of the log, asked after the commit was read;
    None when Kafka did not tell them. `cluster_id` is told more easily: no leader has to answer.
    """

    partition: Partition
    position: int
    metadata: str
    identity: LogIdentity | None = None
    end: int | None = None
    cluster_id: str | None = None


class Revoking(NamedTuple):
    """These partitions are about to go: drain them, then `release` all of them within `budget` seconds.

    Those of different topics may be asked back side by side, each answered alone.
    """

    partitions: frozenset[Partition]
    budget: float


class Lost(NamedTuple):
    """These partitions are gone already: commit nothing for them."""

    partitions: frozenset[Partition]


class Committed(NamedTuple):
    """The answer to the one commit under way. `error` None: acknowledged; else the bounded name of the error."""

    offsets: Mapping[Partition, int]
    error: str | None


class Asleep(NamedTuple):
    """`sleep` was carried out: no record of this partition comes until `wake`."""

    partition: Partition


class Counted(NamedTuple):
    """These topics have this many partitions each, in all processes together."""

    partitions: Mapping[str, int]


class Failed(NamedTuple):
    """The source cannot go on; the process ends with exit code 1. `code` is bounded, `remedy` for a person."""

    code: str
    remedy: str


SourceEvent = Taken | Gap | Assigned | Revoking | Lost | Committed | Asleep | Counted | Failed


class Commit(NamedTuple):
    """`offset` is the next one to read (Kafka's convention); `metadata` travels with it."""

    offset: int
    metadata: str


METADATA_OF_A_REQUEST = 600_000
"""Characters of metadata that one commit request may carry: 240 partitions of 4,095 were seen to pass, 300 to fail."""


def in_requests(
    offsets: Mapping[Partition, Commit], most: int = METADATA_OF_A_REQUEST
) -> Iterator[dict[Partition, Commit]]:
    """Parts of a commit, each with at most `most` characters of metadata, but with one partition at least."""
    part: dict[Partition, Commit] = {}
    weight = 0
    for partition, commit in offsets.items():
        if part and weight + len(commit.metadata) > most:
            yield part
            part, weight = {}, 0
        part[partition] = commit
        weight += len(commit.metadata)
    if part:
        yield part


class WriteFailed(NamedTuple):
    """A copy that the broker did not acknowledge. `code` is bounded (metric label)."""

    code: str
    too_large: bool


class SchemaNeeded(NamedTuple):
    """The schema of the record at this place is not at hand: `fetch` this key, then decode again.

    `named_elsewhere`: what looks like the key may be none, since the record's headers name its schema.
    """

    key: str
    partition: Partition
    offset: int
    named_elsewhere: bool = False


class SchemaMissing(NamedTuple):
    """Why a schema cannot be had now. `code` is bounded (metric label); `cause` and `remedy` are for a person.

    `registry` is the address that was asked; it is worth asking again within `again` seconds.
    """

    code: str
    registry: str
    cause: str
    remedy: str
    again: float = 30.0
