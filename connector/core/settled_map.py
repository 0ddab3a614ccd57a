"""Whose commit it is, and what is settled beyond its offset, as text that travels in the commit's metadata.

A record is known by its topic's id, its offset and its leader epoch: the log may be cut and written anew at the same
offsets, but never under the same epoch (Kafka's KIP-101). So the map holds the epoch of its records, and a reader
compares it with that of each record; a map that does not fit costs repeats, never losses.

A commit with nothing settled beyond it is a map without runs: it names its log all the same, so that who finds it in
another cluster, translated by a mirror, knows that its offset is not ours.

A shadow's commits (`delivery.mode: shadow`) have a mark of their own, so that nobody who delivers goes on from them.

The text is `s1:` (a shadow's: `w1:`) and base64url of a CRC-32 (4 bytes), the base offset, the cluster id, the topic
id, and then groups of runs of one epoch: the epoch, twice the number of runs or of bytes (odd: of bytes), and either
the runs as pairs of gap and length, or where the first begins and a bitmap. Numbers are unsigned LEB128, texts have
their length in front.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Literal, NamedTuple
from zlib import crc32

BOUND = 4095
"""Characters of a map: Kafka's default `offset.metadata.max.bytes` is 4096, and 4095 is what it was seen to take."""

NO_EPOCH = -1
"""The epoch of a record whose broker does not tell it: such a record never is in a map, nor found in one."""

_MARK = "s1:"
_SHADOW = "w1:"
"""The mark of a shadow's commit: what lies before its offset was never posted by its group."""
_SHORT = tuple(bytes([value]) for value in range(0x80))
_LONGEST_NUMBER = 9
"""Bytes of the longest number: 63 bits, as Kafka's offsets."""

Ignored = Literal["foreign", "damaged", "base", "unidentified", "cluster", "topic", "end"]
"""Why a map is not used (metric label): another program's text or another version's; damaged on its way; of another
commit; the log's identity is not known now; of another cluster (a mirrored group, whose offset is a translated one); of
a topic that was created anew; beyond the end of the log."""

IGNORED: tuple[Ignored, ...] = ("foreign", "damaged", "base", "unidentified", "cluster", "topic", "end")


class Run(NamedTuple):
    """Every record that the log has from offset `first` up to and including `last` is settled; all have one epoch."""

    first: int
    last: int
    epoch: int


class LogIdentity(NamedTuple):
    """What no other log has: the cluster's id, and the topic's, which a topic that is created anew gets anew."""

    cluster_id: str
    topic_id: str


class SettledMap(NamedTuple):
    """A map as it was read: `runs` rise, do not touch unless their epochs differ, and begin at `base` or later."""

    base: int
    identity: LogIdentity
    runs: tuple[Run, ...]


def encode(base: int, runs: Sequence[Run], identity: LogIdentity | None, bound: int = BOUND) -> tuple[str, int]:
    """Return the text, at most `bound` characters, and how many of `runs`, from the first on, are in it.

    `runs` are as in `SettledMap`. The text is empty when the log's identity is not known, or does not fit itself.
    """
    if identity is None:
        return "", 0
    head = _number(base) + _name(identity)
    if not runs:
        text = _sealed(head)
        return (text, 0) if len(text) <= bound else ("", 0)
    known = next((index for index, run in enumerate(runs) if run.epoch < 0), len(runs))
    text = _written(head, base, runs[:known])
    if len(text) <= bound:
        return text, known
    least, most = 0, known  # texts of `least` runs fit, those of `most` do not
    while most - least > 1:
        middle = (least + most) // 2
        if len(_written(head, base, runs[:middle])) <= bound:
            least = middle
        else:
            most = middle
    text = _written(head, base, runs[:least])
    return (text, least) if len(text) <= bound else ("", 0)


def decode(
    text: str, base: int, identity: LogIdentity | None, end: int | None, cluster_id: str | None = None
) -> tuple[Run, ...] | Ignored:
    """The runs of a map that fits the commit at `base` and a log of this `identity` and `end`, else why it does not.

    `end` is the offset after the log's last record, `cluster_id` that of the cluster where the log's identity is not
    known. An empty text is a map without runs.
    """
    if not text:
        return ()
    found = read(text)
    if isinstance(found, str):
        return found
    cluster = cluster_id if identity is None else identity.cluster_id
    if cluster is not None and found.identity.cluster_id != cluster:
        return "cluster"
    if identity is None or end is None:
        return "unidentified" if found.runs else ()
    if found.base != base:
        return "base"
    if found.identity.topic_id != identity.topic_id:
        return "topic"
    if found.runs and found.runs[-1].last >= end:
        return "end"
    return found.runs


def read(text: str) -> SettledMap | Literal["foreign", "damaged"]:
    """What a text says, whether it fits anything or not. Never raises."""
    if not text.startswith(_MARK) or len(text) > BOUND:
        return "foreign"
    try:
        return _parsed(_from_base64(text[len(_MARK) :]))
    except ValueError:
        return "damaged"


def says_ahead(text: str) -> bool:
    """Whether it is a map with runs, which are of no use unless the log's identity is known."""
    found = read(text)
    return not isinstance(found, str) and bool(found.runs)


def names_cluster(text: str) -> bool:
    """Whether it says in which cluster the commit was made."""
    return not isinstance(read(text), str)


def is_shadows(text: str) -> bool:
    """Whether a shadow made the commit."""
    return text.startswith(_SHADOW)


def is_deliverers(text: str) -> bool:
    """Whether a process that delivers made the commit, as far as that shows: older versions left no text."""
    return text.startswith(_MARK)


def as_shadows(text: str) -> str:
    """The text of a commit as a shadow makes it; not a character longer, but for one that was empty."""
    return _SHADOW + text.removeprefix(_MARK)


def without_shadow(text: str) -> str:
    """What `as_shadows` was given; any other text as it is."""
    if not is_shadows(text):
        return text
    return _MARK + text.removeprefix(_SHADOW) if text != _SHADOW else ""


def _written(head: bytes, base: int, runs: Sequence[Run]) -> str:
    body = bytearray(head)
    cursor = base
    for epoch, group in groupby(runs, key=attrgetter("epoch")):
        members = list(group)
        body += _number(epoch)
        body += _smaller(cursor, members)
        cursor = members[-1].last + 1
    return _sealed(body)


def _sealed(body: bytes | bytearray) -> str:
    return _MARK + urlsafe_b64encode(crc32(body).to_bytes(4) + body).rstrip(b"=").decode()


def _smaller(cursor: int, runs: list[Run]) -> bytes:
    """The runs of one epoch behind `cursor`, in the form that needs fewer bytes."""
    gap, size = _number(runs[0].first - cursor), (runs[-1].last - runs[0].first) // 8 + 1
    pairs = bytearray(_number(len(runs) << 1))
    for run in runs:
        pairs += _number(run.first - cursor) + _number(run.last - run.first)
        cursor = run.last + 1
    if len(pairs) <= size:
        return bytes(pairs)
    return _number(size << 1 | 1) + gap + _bits(runs).to_bytes(size, "little")


def _bits(runs: list[Run]) -> int:
    """Bit n is 1 when the offset n behind the first is in a run."""
    digits: list[str] = []
    cursor = runs[0].first
    for run in runs:
        digits.append("0" * (run.first - cursor))
        digits.append("1" * (run.last - run.first + 1))
        cursor = run.last + 1
    return int("".join(digits)[::-1], 2)


class _Reader:
    """Takes numbers and texts off bytes. Raises ValueError where there are none."""

    def __init__(self, content: bytes) -> None:
        self.rest = content

    def number(self) -> int:
        value = 0
        for index, byte in enumerate(self.rest[:_LONGEST_NUMBER]):
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                self.rest = self.rest[index + 1 :]
                return value
        raise ValueError("no number")

    def bytes(self, size: int) -> bytes:
        if size > len(self.rest):
            raise ValueError("too short")
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def text(self) -> str:
        return self.bytes(self.number()).decode()


def _parsed(content: bytes) -> SettledMap:
    reader = _Reader(content)
    if int.from_bytes(reader.bytes(4)) != crc32(reader.rest):
        raise ValueError("the checksum differs")
    base = reader.number()
    identity = LogIdentity(reader.text(), reader.text())
    runs: list[Run] = []
    while reader.rest:
        cursor = runs[-1].last + 1 if runs else base
        runs += _group(reader, cursor)
    return SettledMap(base, identity, tuple(runs))


def _group(reader: _Reader, cursor: int) -> list[Run]:
    epoch, count = reader.number(), reader.number()
    if not count >> 1:
        raise ValueError("a group without runs")
    if count & 1:
        first = cursor + reader.number()
        return _runs_of(reader.bytes(count >> 1), first, epoch)
    runs: list[Run] = []
    for _ in range(count >> 1):
        first = cursor + reader.number()
        runs.append(Run(first, first + reader.number(), epoch))
        cursor = runs[-1].last + 1
    return runs


def _runs_of(bitmap: bytes, first: int, epoch: int) -> list[Run]:
    digits = f"{int.from_bytes(bitmap, 'little'):b}"[::-1]
    runs = [Run(first + ones.start(), first + ones.end() - 1, epoch) for ones in re.finditer("1+", digits)]
    if not runs:
        raise ValueError("an empty bitmap")
    return runs


def _from_base64(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _number(value: int) -> bytes:
    if value < 0x80:
        return _SHORT[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@lru_cache(maxsize=256)
def _name(identity: LogIdentity) -> bytes:
    return _text(identity.cluster_id) + _text(identity.topic_id)


def _text(value: str) -> bytes:
    content = value.encode()
    return _number(len(content)) + content
