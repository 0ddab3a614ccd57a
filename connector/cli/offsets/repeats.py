"""`connector offsets repeats`: what the delivery ledger says of the records behind a group's commits."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson
import typer

from connector.cli.dlq.view import time_text
from connector.cli.loading import load_of_deliveries
from connector.cli.offsets.files import unanswered
from connector.cli.offsets.translation import Target, settled_here
from connector.cli.options import AsJson, ConfigFile
from connector.cli.progress import watched
from connector.cli.today import Judge
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.ledger import Entry, Fate, Told
from connector.core.record import Partition, Record
from connector.core.redact import safe_event_id
from connector.core.refusal import Refusal
from connector.edge.avro.entries import decoded
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.scan import Scan, partitions_of

_UNTOLD, _DEAD_LETTER, _ACCEPTED_BEFORE, _ACCEPTED = range(4)
"""What the ledger says of a record: nothing, or only that it is tried again; a dead letter; accepted, longer ago than
`delivery.deduplicate` or since. Of several entries the highest counts."""

_HOUR_MS = 3_600_000
_MOST_SECONDS = 1000
_LATELY = 10  # seconds before the last entry in which those that were accepted are counted, as a rate


@dataclass(slots=True)
class Behind:
    """The records behind a partition's commit, in their order. `commit` None: there is none, so all of them."""

    commit: int | None
    told: bytearray = field(default_factory=bytearray)

    def count(self, *which: int) -> int:
        """How many of them the ledger says this of."""
        return sum(map(self.told.count, which))

    @property
    def accepted(self) -> int:
        """Those that were accepted, whenever that was."""
        return self.count(_ACCEPTED, _ACCEPTED_BEFORE)

    @property
    def untold(self) -> int:
        """Those it says nothing of, before the last that it says something of: they may have been accepted too."""
        last = max(self.told.rfind(each) for each in (_DEAD_LETTER, _ACCEPTED_BEFORE, _ACCEPTED))
        return self.told[: last + 1].count(_UNTOLD)


@dataclass(slots=True)
class Ledger:
    """When the group's entries were settled: how many were accepted in each of the last seconds, since the epoch."""

    seconds: Counter[int] = field(default_factory=Counter)

    def note(self, entry: Entry) -> None:
        """One more."""
        self.seconds[entry.settled_ms // 1000] += entry.fate is Fate.ACCEPTED
        if len(self.seconds) > _MOST_SECONDS:
            kept = sorted(self.seconds)[-_LATELY - 1 :]
            self.seconds = Counter({each: self.seconds[each] for each in kept})

    @property
    def last(self) -> int | None:
        """The last of these seconds; None: there is no entry."""
        return max(self.seconds, default=None)

    @property
    def lately(self) -> int:
        """Accepted in the seconds before."""
        last = self.last or 0
        return sum(self.seconds[each] for each in range(last - _LATELY, last))


def repeats(file: ConfigFile, as_json: AsJson = False) -> None:
    """Say how many events a connector that starts from the group's commits posts again, as far as the ledger tells.

    For the day when the source of a mirror is gone, or a commit was set back: reads the main topic behind the commits,
    and the ledger's topic, and compares by partition and event id. Takes some 150 bytes of memory for each record
    behind them. Joins no group and changes nothing. Exit code 1 when the brokers cannot be asked.
    """
    settings = load_of_deliveries(file, os.environ)
    if settings.ledger is None:
        raise typer.BadParameter("the delivery ledger is off in this file: without the section ledger nothing is told")
    try:
        found, ledger = _found(settings)
    except AdminError as error:
        raise unanswered(error) from None
    if as_json:
        typer.echo(_document(settings, found, ledger))
        return
    for text in _lines(settings, found, ledger):
        typer.echo(text)


def _found(settings: Settings) -> tuple[dict[Partition, Behind], Ledger]:
    main, properties = settings.kafka.topics.main, kafka_properties(settings.kafka)
    partitions = [Partition(main, number) for number in range(partitions_of(properties, main))]
    with Target(settings.kafka, partitions) as target:
        behind: dict[Partition, Behind] = {}
        settled = {}
        for each in partitions:
            commit = target.committed.get(each)
            if isinstance(commit, str) or each in target.unknown:
                raise AdminError(str(commit or target.unknown[each]), f"{each} is not told now")
            behind[each] = Behind(None if commit is None else commit.offset)
            settled[each] = settled_here(commit, target, each)
    places: dict[tuple[int, str], list[int]] = {}
    oldest_ms: int | None = None
    starts = {each: found.commit for each, found in behind.items() if found.commit is not None}
    with Judge(settings) as judge, Scan(properties, main, starts) as scan:
        for record in watched(scan, main):
            if settled[record.partition](record):
                continue
            told = behind[record.partition].told
            if (name := _event_id(judge, record)) is not None:
                places.setdefault((record.partition.number, name), []).append(len(told))
            told.append(_UNTOLD)
            oldest_ms = min(oldest_ms or record.timestamp_ms or 0, record.timestamp_ms or 0)
    return behind, _tell(settings, behind, places, oldest_ms or 0)


def _event_id(judge: Judge, record: Record) -> str | None:
    """As the ledger has it."""
    fields = judge.fields(record)
    if isinstance(fields, Refusal):
        return None
    return safe_event_id(str(fields.get("eventId")), str(fields.get("phoneNumber")))


def _tell(
    settings: Settings, behind: Mapping[Partition, Behind], places: Mapping[tuple[int, str], list[int]], oldest_ms: int
) -> Ledger:
    """Note what the entries say; those of before the oldest record say nothing of these."""
    window = settings.delivery.deduplicate
    since_ms = SystemClock().now_ms() - (_HOUR_MS if window is None else round(window * 1000))
    main, topic, ledger = settings.kafka.topics.main, settings.ledger_topic, Ledger()
    with Scan(kafka_properties(settings.kafka), topic) as scan:
        scan.since(max(0, oldest_ms - _HOUR_MS))  # clocks differ
        for record in watched(scan, topic):
            told = decoded(record.value)
            if told is None or told.group_id != settings.kafka.group_id or told.entry.origin.partition.topic != main:
                continue
            said = _said(told, since_ms)
            ledger.note(told.entry)
            partition = told.entry.origin.partition
            for place in places.get((partition.number, str(told.entry.event_id)), ()) if said else ():
                notes = behind[partition].told
                notes[place] = max(said, notes[place])
    return ledger


def _said(told: Told, since_ms: int) -> int:
    match told.entry.fate:
        case Fate.ACCEPTED:
            return _ACCEPTED if told.entry.settled_ms >= since_ms else _ACCEPTED_BEFORE
        case Fate.DEAD_LETTER:
            return _DEAD_LETTER
    return _UNTOLD


def _lines(settings: Settings, found: Mapping[Partition, Behind], ledger: Ledger) -> Iterator[str]:
    for place, each in found.items():
        commit = "no commit" if each.commit is None else f"commit {each.commit}"
        yield (
            f"{place}: {commit}, {len(each.told)} records behind it: {each.accepted} accepted, "
            f"{each.count(_DEAD_LETTER)} dead letters, {each.untold} before the last of these of which nothing is told"
        )
    accepted, before, untold = _sums(found)
    window = "" if settings.delivery.deduplicate else " of 1h, which is off"
    yield f"posted again: {accepted}; with delivery.deduplicate{window}: {before}"
    yield f"posted again in either case, if they were accepted: {untold} of which nothing is told"
    if ledger.last is None:
        yield "there is no entry of this group"
        return
    at, lately = time_text(ledger.last * 1000), ledger.lately
    yield f"and all that was accepted after the last entry, of {at} UTC: {lately} were in the {_LATELY} s before it"


def _sums(found: Mapping[Partition, Behind]) -> tuple[int, int, int]:
    """Accepted, accepted longer ago than `delivery.deduplicate`, not told of."""
    every = found.values()
    before = sum(each.count(_ACCEPTED_BEFORE) for each in every)
    return sum(each.accepted for each in every), before, sum(each.untold for each in every)


def _document(settings: Settings, found: Mapping[Partition, Behind], ledger: Ledger) -> str:
    accepted, before, untold = _sums(found)
    content = {
        "group": settings.kafka.group_id,
        "partitions": [
            {
                "topic": place.topic,
                "partition": place.number,
                "offset": each.commit,
                "records": len(each.told),
                "accepted": each.accepted,
                "accepted_before_deduplicate": each.count(_ACCEPTED_BEFORE),
                "dead_letters": each.count(_DEAD_LETTER),
                "untold": each.untold,
            }
            for place, each in found.items()
        ],
        "repeats": accepted,
        "repeats_with_deduplicate": before,
        "untold": untold,
        "last_entry_at": None if ledger.last is None else f"{time_text(ledger.last * 1000).replace(' ', 'T')}Z",
        "accepted_in_the_10_s_before": ledger.lately,
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
