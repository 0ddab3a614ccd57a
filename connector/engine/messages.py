"""What the engine is told, besides what the source says (`core.signals`), and what it says is to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from connector.core.ledger import Accepted, Entry
from connector.core.record import Headers, Partition
from connector.core.reply import Answer
from connector.core.signals import Commit, SchemaMissing, SchemaNeeded, SourceEvent, WriteFailed
from connector.engine.copy import Copy
from connector.engine.partition import Assignment, Delivery

# What happened.


class Answered(NamedTuple):
    """A `Post` came back."""

    delivery: Delivery
    answer: Answer


class Copied(NamedTuple):
    """A `Write` was acknowledged (`failed` None), or was not."""

    copy: Copy
    failed: WriteFailed | None


class Noted(NamedTuple):
    """Entries of the ledger for these were acknowledged (`failed` None), or were not; only for those that wait."""

    deliveries: Sequence[Delivery]
    failed: str | None


class Recalled(NamedTuple):
    """A `Recall` came back: what was accepted. `failed`: why not."""

    recall: Recall
    accepted: Sequence[Accepted]
    failed: str | None


class Fetched(NamedTuple):
    """A `Fetch` came back; `missing`: why there is no schema now."""

    fetch: Fetch
    missing: SchemaMissing | None


class Broken(NamedTuple):
    """What had to be done was not, by a bug of ours: its partition stops, not all the others."""

    effect: Post | Write | Fetch
    error: Exception


class CaughtUp(NamedTuple):
    """The answer to `CatchUp`."""


class Leave(NamedTuple):
    """Take nothing new, drain within `budget` seconds, and `Close`."""

    budget: float


class Tick(NamedTuple):
    """Time has passed, or something was changed from outside: a command, new credentials."""


Input = Answered | Copied | Noted | Recalled | Fetched | Broken | CaughtUp | Leave | Tick | SourceEvent


# What is to be done.


class Post(NamedTuple):
    """Post its request once; answered by `Answered`."""

    delivery: Delivery


class Write(NamedTuple):
    """Write this copy to a topic of ours; answered by `Copied`."""

    copy: Copy
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class CancelWrite(NamedTuple):
    """Nobody waits for this copy any more: where it is not in the log yet, it must not get there."""

    copy: Copy


class Note(NamedTuple):
    """Write this into the ledger; answered by `Noted` where a delivery waits for it."""

    entry: Entry
    waits: Delivery | None


class Recall(NamedTuple):
    """Ask the ledger what was accepted of this partition since then (ms since the epoch); answered by `Recalled`."""

    assignment: Assignment
    since_ms: int


class Fetch(NamedTuple):
    """Try once to get a schema; answered by `Fetched`. `newest` is the offset of the partition's last one in memory."""

    assignment: Assignment
    needed: SchemaNeeded
    newest: int
    backoff: float


class GiveRoom(NamedTuple):
    """The source may send this many more records and bytes."""

    records: int
    size: int


class SendCommit(NamedTuple):
    """Commit these; answered by `Committed`. One at a time."""

    offsets: Mapping[Partition, Commit]


class Sleep(NamedTuple):
    """Stop fetching this partition, and go back to `offset`; answered by `Asleep`."""

    partition: Partition
    offset: int


class Wake(NamedTuple):
    """Fetch it again, from the offset of its `Sleep`."""

    partition: Partition


class CatchUp(NamedTuple):
    """Tell first what has arrived already; answered by `CaughtUp`."""


class Release(NamedTuple):
    """The answer to a `Revoking`: a last commit, then let go."""

    partitions: frozenset[Partition]
    offsets: Mapping[Partition, Commit]


class Close(NamedTuple):
    """The answer to `Leave`: a last commit, then leave the group. `drained`: nothing was left under way."""

    offsets: Mapping[Partition, Commit]
    drained: bool


class GiveUp(NamedTuple):
    """The source cannot go on: the process ends. `code` is bounded, `remedy` for a person."""

    code: str
    remedy: str


Effect = (
    Post
    | Write
    | CancelWrite
    | Note
    | Recall
    | Fetch
    | GiveRoom
    | SendCommit
    | Sleep
    | Wake
    | CatchUp
    | Release
    | Close
    | GiveUp
)
