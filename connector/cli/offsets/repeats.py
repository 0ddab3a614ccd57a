"""`connector offsets repeats`: what the delivery ledger says of the records behind a group's commits."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson
import typer

from connector.cli.dlq.view import time_text
from connector.cli.loading import load_of_deliveries
from connector.cli.offsets.behind import ACCEPTED, DEAD_LETTER, LATELY, REFUSED, UNREADABLE, Behind, Event, Ledger
from connector.cli.offsets.files import unanswered
from connector.cli.offsets.translation import Target, settled_here
from connector.cli.options import AsJson, ConfigFile
from connector.cli.progress import watched
from connector.cli.today import NO_SCHEMA, PASSED_OVER, Judge, Today
from connector.config.client import kafka_properties
from connector.config.settings import Settings
from connector.core.record import Partition, Record
from connector.core.redact import safe_event_id, safe_service_id
from connector.edge.avro.entries import Entries, decoded
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError
from connector.edge.kafka.scan import Scan, partitions_of
from connector.engine.recent import MOST

_HOUR_MS = 3_600_000
_OTHER_KEY = (
    "no entry has the HMAC of the end user of its event: ledger.key_file has another key than the one that they were "
    "written with, so delivery.deduplicate recognises none of them"
)
_NO_START = "the group has no commit and kafka.start is error: a connector does not start"

_Settled = Mapping[Partition, Callable[[Record], bool]]


class _Sums(NamedTuple):
    """Over all partitions. `unrecognised`: accepted, and unknown to `delivery.deduplicate`, at least; `in_one`: where
    one process has all partitions, and forgets some."""

    accepted: int
    unrecognised: int
    in_one: int
    untold: int
    unreadable: int


class _Found(NamedTuple):
    """`since_ms`: what was accepted later is within `delivery.deduplicate`. `problems`: why the figures are not to be
    relied on."""

    behind: Mapping[Partition, Behind]
    ledger: Ledger
    since_ms: int
    problems: Sequence[str]

    @property
    def sums(self) -> _Sums:
        """Of all partitions."""
        every = self.behind.values()
        forgotten_ms = self.ledger.not_remembered(self.since_ms)
        return _Sums(
            sum(each.count(ACCEPTED) for each in every),
            sum(each.unrecognised(self.since_ms) for each in every),
            sum(each.unrecognised(forgotten_ms or self.since_ms) for each in every),
            sum(each.untold for each in every),
            sum(each.count(UNREADABLE) for each in every),
        )


def repeats(file: ConfigFile, as_json: AsJson = False) -> None:
    """Say how many events a connector that starts from the group's commits posts again, as far as the ledger tells.

    For the day when the source of a mirror is gone, or a commit was set back: reads the main topic behind the commits,
    and the ledger's topic, and compares by partition and event id. Takes some 300 bytes of memory for each record
    behind them. Joins no group and changes nothing. Exit code 1 when the figures are not to be relied on: the brokers
    cannot be asked, a schema is not to be had, the ledger has another key, or the group has members.
    """
    settings = load_of_deliveries(file, os.environ)
    if settings.ledger is None:
        raise typer.BadParameter("the delivery ledger is off in this file: without the section ledger nothing is told")
    try:
        found = _found(settings, settings.ledger.key_file.secret.get_secret_value())
    except AdminError as error:
        raise unanswered(error) from None
    if as_json:
        typer.echo(_document(settings, found))
    else:
        for text in _lines(settings, found):
            typer.echo(text)
    for problem in found.problems:
        typer.echo(problem, err=True)
    if found.problems:
        raise typer.Exit(1)


def _found(settings: Settings, key: str) -> _Found:
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
        missing, oldest_ms = _read(settings, Entries(key, settings.kafka.group_id), behind, settled)
        found = _tell(settings, behind, oldest_ms or 0)
        unrest = target.unrest()
    problems = [f"{count} records cannot be read: {why}" for why, count in missing.items()]
    if any(each.compared for each in behind.values()) and not any(each.alike for each in behind.values()):
        problems.append(_OTHER_KEY)
    if settings.kafka.start == "error" and not _are_known(behind):
        problems.append(_NO_START)
    if unrest is not None:
        problems.append(f"group {settings.kafka.group_id} {unrest}")
    return found._replace(problems=problems)


def _are_known(behind: Mapping[Partition, Behind]) -> bool:
    """Whether the group has a commit on the topic; if not, `kafka.start` says where it begins."""
    return any(each.commit is not None for each in behind.values())


def _read(
    settings: Settings, entries: Entries, behind: Mapping[Partition, Behind], settled: _Settled
) -> tuple[Counter[str], int | None]:
    """Read the records. How many have a schema that is not to be had, by why; and the oldest one's time."""
    main, missing = settings.kafka.topics.main, Counter[str]()
    starts = {each: found.commit for each, found in behind.items() if found.commit is not None}
    if settings.kafka.start != "earliest" and not _are_known(behind):
        starts = dict.fromkeys(behind, sys.maxsize)
    oldest_ms: int | None = None
    with Judge(settings) as judge, Scan(kafka_properties(settings.kafka), main, starts) as scan:
        for record in watched(scan, main):
            if settled[record.partition](record):
                continue
            today = judge.of(record, record.timestamp_ms)
            if today.refusal is PASSED_OVER:
                continue
            time_ms = record.timestamp_ms or 0
            oldest_ms = time_ms if oldest_ms is None else min(oldest_ms, time_ms)
            event = _event(settings, entries, today)
            if event is not None:
                behind[record.partition].add(event)
                continue
            behind[record.partition].add_other(UNREADABLE if today.fields is None else REFUSED)
            if today.refusal is not None and today.refusal.code == NO_SCHEMA:
                missing[str(today.refusal.problems[0])] += 1
    return missing, oldest_ms


def _event(settings: Settings, entries: Entries, today: Today) -> Event | None:
    """As the ledger has it; None where it would not be posted."""
    if today.fields is None or today.request is None:
        return None
    phone, service_id = str(today.fields.get("phoneNumber")), today.request.service_id
    is_listed = settings.openmarket.allowed_services is not None
    return Event(
        safe_event_id(str(today.fields.get("eventId")), phone),
        safe_service_id(service_id, phone, is_listed=is_listed),
        entries.hmac_of(phone.removeprefix("+")),
    )


def _tell(settings: Settings, behind: Mapping[Partition, Behind], oldest_ms: int) -> _Found:
    """Note what the entries say; those of before the oldest record say nothing of these."""
    window = settings.delivery.deduplicate
    since_ms = SystemClock().now_ms() - (_HOUR_MS if window is None else round(window * 1000))
    topic, ledger = settings.ledger_topic, Ledger(MOST)
    with Scan(kafka_properties(settings.kafka), topic) as scan:
        scan.since(max(0, oldest_ms - _HOUR_MS))  # clocks differ
        for record in watched(scan, topic):
            told = decoded(record.value)
            if told is None or told.group_id != settings.kafka.group_id:
                continue
            if (place := behind.get(told.entry.origin.partition)) is not None:
                ledger.note(record.partition, told)
                place.tell(told)
    return _Found(behind, ledger, since_ms, ())


def _lines(settings: Settings, found: _Found) -> Iterator[str]:
    for place, each in found.behind.items():
        commit = "no commit" if each.commit is None else f"commit {each.commit}"
        yield f"{place}: {commit}, {len(each.told)} records behind it: {', '.join(_known(each))}"
    sums = found.sums
    window = "" if settings.delivery.deduplicate else " of 1h, which is off"
    yield f"posted again: {sums.accepted}; with delivery.deduplicate{window}: at least {sums.unrecognised}"
    if sums.in_one != sums.unrecognised:
        yield f"a process remembers {MOST:,} events: where one has all partitions, at least {sums.in_one}"
    yield f"posted again in either case, if they were accepted: {sums.untold} of which nothing is told"
    if sums.unreadable:
        yield f"not counted: {sums.unreadable} that cannot be read"
    lasts = found.ledger.lasts
    if not lasts:
        yield "the ledger has no entry of this group that is about as young as these records"
        return
    where, first = min(lasts.items(), key=lambda last: last[1])
    at, lately = time_text(first * 1000), found.ledger.lately
    which = f" (in {where}; others have later ones)" if max(lasts.values()) - first > 1 else ""
    after = f"and all that was accepted after the last entry, of {at} UTC{which}"
    yield f"{after}: {lately} were in the {LATELY} s before it"


def _known(each: Behind) -> Iterator[str]:
    """What the ledger says of a partition's records."""
    if each.told and not each.entries:
        yield "nothing is told of this partition"
    else:
        yield f"{each.count(ACCEPTED)} accepted"
        yield f"{each.count(DEAD_LETTER)} dead letters"
        yield f"{each.untold} before the last of these of which nothing is told"
    if unreadable := each.count(UNREADABLE):
        yield f"{unreadable} cannot be read"
    if refused := each.count(REFUSED):
        yield f"{refused} would be dead letters today"


def _document(settings: Settings, found: _Found) -> str:
    sums, lasts = found.sums, found.ledger.lasts
    content = {
        "group": settings.kafka.group_id,
        "partitions": [
            {
                "topic": place.topic,
                "partition": place.number,
                "offset": each.commit,
                "records": len(each.told),
                "entries": each.entries,
                "accepted": each.count(ACCEPTED),
                "dead_letters": each.count(DEAD_LETTER),
                "untold": each.untold,
                "unreadable": each.count(UNREADABLE),
                "refused_today": each.count(REFUSED),
            }
            for place, each in found.behind.items()
        ],
        "repeats": sums.accepted,
        "repeats_with_deduplicate": sums.unrecognised,
        "repeats_with_deduplicate_in_one_process": sums.in_one,
        "untold": sums.untold,
        "unreadable": sums.unreadable,
        "last_entry_at": f"{time_text(min(lasts.values()) * 1000).replace(' ', 'T')}Z" if lasts else None,
        "accepted_in_the_10_s_before": found.ledger.lately,
        "problems": found.problems,
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
