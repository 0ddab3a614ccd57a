"""What is settled behind a slow record is not posted again by whoever gets the partition next."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from connector.core.pauses import Target
from connector.core.record import Partition
from connector.core.reply import Answer, Failure, NoReply
from connector.core.settled_map import BOUND, LogIdentity, Run, encode, read
from connector.core.signals import Commit, Lost
from tests.engine.around import PARTITIONS, Around
from tests.engine.stage import (
    ACCEPTED,
    BOUNDS,
    HOLD,
    MAIN,
    RETRY,
    TEMPORARY,
    Connector,
    ScriptedVendor,
    always,
    broker,
    event,
    feed,
    number,
    running,
)
from tests.support.clock import VirtualClock, run_virtual
from tests.support.memory import MemoryBroker

HEAD = Partition(MAIN, 0)
SLOW = number(0)


def slow_head(phone: str, _before: int) -> Answer | None:
    """The first person's post is never answered; all others are accepted."""
    return None if phone == SLOW else ACCEPTED


def stalled(clock: VirtualClock, count: int = 2000) -> tuple[MemoryBroker, ScriptedVendor]:
    """A partition whose first record is never answered."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(slow_head)
    for n in range(count):
        feed(kafka, event(n))
    return kafka, vendor


def repeats(vendor: ScriptedVendor) -> int:
    """Posts beyond one each, the slow record's left out."""
    return sum(count - 1 for phone, count in Counter(vendor.posted).items() if phone != SLOW)


def ignored(connector: Connector) -> list[object]:
    """Why maps were ignored."""
    return [line["reason"] for line in connector.log if line["event"] == "map_ignored"]


@run_virtual
async def test_a_slow_record_does_not_hold_up_what_is_behind_it(clock: VirtualClock) -> None:
    """What the map covers does not count as uncommitted: three times the bound is posted behind one slow record."""
    kafka, vendor = stalled(clock, BOUNDS.uncommitted * 3)
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(30)
    assert len(vendor.posted) == BOUNDS.uncommitted * 3
    assert connector.engine.commits.uncommitted == 0
    assert kafka.committed[HEAD].offset == 0
    await connector.leave(budget=1)


@run_virtual
async def test_a_crash_behind_a_slow_record_repeats_only_what_no_commit_said(clock: VirtualClock) -> None:
    """The next process skips what the last acknowledged commit's map says, and posts the rest."""
    kafka, vendor = stalled(clock)
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(5.01)
    first.crash()
    done = len(vendor.posted)
    assert 500 < done < 1500
    second = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    assert set(vendor.posted) == {number(n) for n in range(2000)}
    assert repeats(vendor) <= BOUNDS.in_flight * 2
    assert second.count("records_skipped") >= done - BOUNDS.in_flight * 2
    assert second.books_balance()
    await second.leave(budget=1)


@run_virtual
async def test_a_second_crash_in_a_row_forgets_nothing(clock: VirtualClock) -> None:
    """A commit carries on what the map before it said, also of records that were not reached again."""
    kafka, vendor = stalled(clock)
    for seconds in (5.01, 0.08, 0.3, 2):
        connector = Connector(kafka, vendor, clock)
        await asyncio.sleep(seconds)
        connector.crash()
    last = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    assert set(vendor.posted) == {number(n) for n in range(2000)}
    assert repeats(vendor) <= 4 * BOUNDS.in_flight * 2
    await last.leave(budget=1)


@run_virtual
async def test_a_hand_over_with_a_slow_record_repeats_that_record_only(clock: VirtualClock) -> None:
    """The last commit of a stop carries the map."""
    kafka, vendor = stalled(clock)
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(5)
    assert not await first.leave(budget=3)
    vendor.script = always(ACCEPTED)
    async with running(Connector(kafka, vendor, clock)) as second:
        await asyncio.sleep(60)
        assert Counter(vendor.posted) == Counter({**{number(n): 1 for n in range(2000)}, SLOW: 2})
        assert kafka.committed[HEAD] == Commit(2000, encode(2000, (), kafka.describe(HEAD)[0])[0])
        assert second.books_balance()


@run_virtual
async def test_a_retry_partition_has_a_map_too(clock: VirtualClock) -> None:
    """A copy that was posted behind a slow one is skipped, and nobody waits until it would be due."""
    kafka = broker(clock, main=1)
    vendor = ScriptedVendor(lambda phone, before: TEMPORARY if not before else None if phone == SLOW else ACCEPTED)
    never = HOLD._replace(endpoint=HOLD.endpoint._replace(minimum=1000))
    for n in range(50):
        feed(kafka, event(n))
    first = Connector(kafka, vendor, clock, hold=never)
    await asyncio.sleep(20 * 60)
    first.crash()
    assert len(vendor.posted) == 100
    async with running(Connector(kafka, vendor, clock, hold=never)) as second:
        vendor.script = always(ACCEPTED)
        await asyncio.sleep(20 * 60)
        assert second.count("records_skipped") == 49
        assert Counter(vendor.posted) == Counter({**{number(n): 2 for n in range(50)}, SLOW: 3})
        assert kafka.committed[Partition(RETRY, 0)].offset == 50


@run_virtual
async def test_metadata_that_is_not_ours_costs_repeats_and_nothing_else(clock: VirtualClock) -> None:
    """Another program's text: everything from the committed offset on is posted."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED))
    for n in range(10):
        feed(kafka, event(n))
    kafka.committed[HEAD] = Commit(4, '{"offset": 9}')
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(5)
        assert vendor.posted == [number(n) for n in range(4, 10)]
        assert ignored(connector) == ["foreign"]
        assert connector.count("maps_ignored") == 1


@pytest.mark.parametrize("reason", ["topic", "cluster", "base", "unidentified"])
@run_virtual
async def test_a_map_of_another_log_skips_nothing(clock: VirtualClock, reason: str) -> None:
    """A topic that was created anew, a mirrored group, a translated offset, or no word of it: all is posted."""
    kafka, vendor = stalled(clock, 100)
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(5)
    first.crash()
    kept = kafka.committed[HEAD]
    kafka.committed[HEAD] = kept._replace(offset=1) if reason == "base" else kept
    kafka.cluster_id = {"cluster": "mirror", "unidentified": None}.get(reason, "memory")
    if reason == "topic":
        kafka.delete_topic(MAIN)
        kafka.create_topic(MAIN)
        kafka.committed[HEAD] = kept
        for n in range(100):
            feed(kafka, event(n))
    again = ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, again, clock, translated="warn")) as second:
        await asyncio.sleep(10)
        assert sorted(again.posted) == [number(n) for n in range(reason == "base", 100)]
        assert ignored(second) == [reason]


async def settled_elsewhere(clock: VirtualClock) -> MemoryBroker:
    """A group that stopped after 60 records with nothing ahead, and its mirror: another cluster, 20 records too low."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED))
    for n in range(60):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(10)
    for n in range(60, 100):
        feed(kafka, event(n))
    kafka.cluster_id = "mirror"
    kafka.committed[HEAD] = kafka.committed[HEAD]._replace(offset=40)
    return kafka


@run_virtual
async def test_a_translated_commit_ends_the_process_and_nothing_is_posted(clock: VirtualClock) -> None:
    """Every commit names its log, also one with nothing settled ahead of it."""
    kafka, vendor = await settled_elsewhere(clock), ScriptedVendor(always(ACCEPTED))
    connector = Connector(kafka, vendor, clock)
    failed = await connector.task
    await asyncio.sleep(10)
    assert failed.code == "commit_translated"
    assert "connector offsets translate" in failed.remedy
    assert vendor.posted == []
    assert kafka.committed[HEAD].offset == 40
    connector.crash()


@run_virtual
async def test_a_translated_commit_pauses_its_partition_until_somebody_resumes_it(clock: VirtualClock) -> None:
    kafka, vendor = await settled_elsewhere(clock), ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock, translated="hold")) as connector:
        await asyncio.sleep(60)
        assert vendor.posted == []
        (paused,) = connector.engine.pauser.in_force
        assert paused.target == Target(MAIN, 0)
        assert "connector offsets translate" in paused.reason
        connector.driver.resume([Target(MAIN, 0)])
        await asyncio.sleep(60)
        assert vendor.posted == [number(n) for n in range(40, 100)]


@pytest.mark.parametrize(("cluster_id", "code"), [("mirror", "commit_translated"), (None, "cluster_unknown")])
@run_virtual
async def test_a_commit_is_recognised_as_translated_while_a_leader_is_away_and_doubted_without_a_cluster(
    clock: VirtualClock, cluster_id: str | None, code: str
) -> None:
    """It needs the cluster's id alone; where nobody tells that, the next process asks again."""
    kafka, vendor = await settled_elsewhere(clock), ScriptedVendor(always(ACCEPTED))
    kafka.tells_logs, kafka.cluster_id = False, cluster_id
    connector = Connector(kafka, vendor, clock)
    failed = await connector.task
    await asyncio.sleep(10)
    assert failed.code == code
    assert vendor.posted == []
    connector.crash()
    async with running(Connector(kafka, vendor, clock, translated="hold")) as held:
        await asyncio.sleep(60)
        assert [paused.target for paused in held.engine.pauser.in_force] == [Target(MAIN, 0)]
        assert vendor.posted == []
    async with running(Connector(kafka, vendor, clock, translated="warn")):
        await asyncio.sleep(60)
    assert vendor.posted == [number(n) for n in range(40, 100)]


@run_virtual
async def test_a_commit_of_this_cluster_is_gone_on_from_while_a_leader_is_away(clock: VirtualClock) -> None:
    kafka, vendor = await settled_elsewhere(clock), ScriptedVendor(always(ACCEPTED))
    kafka.tells_logs, kafka.cluster_id = False, "memory"
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(60)
    assert vendor.posted == [number(n) for n in range(40, 100)]


def test_a_pause_for_a_translated_commit_ends_when_its_partition_leaves_and_a_persons_stays() -> None:
    """It may have been resumed where it was meanwhile, and come back with a commit of this cluster."""
    around = Around(Random(0), translated="hold")
    mirrored, paused = PARTITIONS[:2]
    around.tell(Lost(frozenset({mirrored, paused})))
    around.engine.pauser.pause([Target(*paused)], "by hand")
    translated = encode(0, (), LogIdentity("elsewhere", "topic"))[0]
    around.metadata |= {mirrored: translated, paused: translated}
    for partition in (mirrored, paused):
        around.assign(partition)
    assert [each.target for each in around.engine.pauser.in_force] == [Target(*mirrored), Target(*paused)]
    around.tell(Lost(frozenset({mirrored, paused})))
    around.metadata.clear()
    for partition in (mirrored, paused):
        around.assign(partition)
        around.logs[partition] = [event(1, "a")]
    assert [each.target for each in around.engine.pauser.in_force] == [Target(*paused)]
    around.fetch()
    assert [post.delivery.record.partition for post in around.posts] == [mirrored]


@run_virtual
async def test_a_translated_commit_may_be_gone_on_from(clock: VirtualClock) -> None:
    """The next commit names the new log, so that it is said once."""
    kafka, vendor = await settled_elsewhere(clock), ScriptedVendor(always(ACCEPTED))
    async with running(Connector(kafka, vendor, clock, translated="warn")) as connector:
        await asyncio.sleep(60)
        assert ignored(connector) == ["cluster"]
    assert vendor.posted == [number(n) for n in range(40, 100)]
    async with running(Connector(kafka, vendor, clock)) as again:
        await asyncio.sleep(60)
        assert ignored(again) == []


@run_virtual
async def test_commits_of_earlier_versions_name_no_log_and_are_gone_on_from(clock: VirtualClock) -> None:
    """So are those that somebody set by hand. A mirror's are the same then, and cannot be recognised."""
    kafka, vendor = await settled_elsewhere(clock), ScriptedVendor(always(ACCEPTED))
    kafka.committed[HEAD] = Commit(60, "")
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(60)
        assert ignored(connector) == []
    assert vendor.posted == [number(n) for n in range(60, 100)]


@run_virtual
async def test_records_written_in_the_place_of_lost_ones_are_posted(clock: VirtualClock) -> None:
    """An unclean election cut the log and others came under the same offsets: they have another epoch."""
    kafka, vendor = stalled(clock, 100)
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(5)
    first.crash()
    kafka.cut(HEAD, 60)
    for n in range(100, 150):
        feed(kafka, event(n))
    vendor.script = always(ACCEPTED)
    async with running(Connector(kafka, vendor, clock)) as second:
        await asyncio.sleep(10)
        assert Counter(vendor.posted) == Counter({**{number(n): 1 for n in range(150)}, SLOW: 2})
        assert second.count("records_skipped") == 59


@run_virtual
async def test_a_new_leader_who_has_everything_changes_nothing(clock: VirtualClock) -> None:
    """A newer epoch alone fits: what was written under the older one is still skipped."""
    kafka, vendor = stalled(clock, 100)
    first = Connector(kafka, vendor, clock)
    await asyncio.sleep(5)
    kafka.elect(HEAD)
    for n in range(100, 150):
        feed(kafka, event(n))
    await asyncio.sleep(5)
    first.crash()
    kafka.elect(HEAD)
    vendor.script = always(ACCEPTED)
    async with running(Connector(kafka, vendor, clock)) as second:
        await asyncio.sleep(10)
        assert Counter(vendor.posted) == Counter({**{number(n): 1 for n in range(150)}, SLOW: 2})
        assert second.count("records_skipped") == 149


def holes(kafka: MemoryBroker, count: int) -> None:
    """Every other record is of the slow person and waits behind the first; offsets lie far apart."""
    for n in range(count):
        feed(kafka, event(0 if n % 2 == 0 else n), skip=100_000)


@run_virtual
async def test_a_partition_takes_nothing_new_while_its_map_is_three_quarters_full(clock: VirtualClock) -> None:
    """Then it goes on, once the slow record is answered; nothing is posted twice, and the map never is too long."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(slow_head)
    holes(kafka, 3000)
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(30)
    posted = len(vendor.posted)
    assert 0.75 * BOUND <= len(kafka.committed[HEAD].metadata) <= BOUND
    assert 400 < posted < 700
    assert set(connector.engine.assignments[HEAD].blocks) == {"map"}
    assert not connector.engine.assignments[HEAD].queue
    assert connector.engine.commits.uncommitted == 0
    connector.crash()
    vendor.script = always(ACCEPTED)
    async with running(Connector(kafka, vendor, clock)) as second:
        await asyncio.sleep(300)
        assert repeats(vendor) == 0
        assert second.count("records_skipped") == posted - 1
        assert vendor.posted.count(SLOW) == 1500 + 1
        assert len(vendor.posted) == 3001
        assert second.books_balance()


@run_virtual
async def test_a_partition_whose_map_is_nearly_full_takes_no_room_from_the_others(clock: VirtualClock) -> None:
    """What waits in it goes back to Kafka, and is read again when the map is shorter."""
    kafka, vendor = broker(clock, main=2), ScriptedVendor(slow_head)
    holes(kafka, 3000)
    async with running(Connector(kafka, vendor, clock, bounds=BOUNDS._replace(records=900))) as connector:
        await asyncio.sleep(30)
        assert set(connector.engine.assignments[HEAD].blocks) == {"map"}
        for n in range(3000, 3300):
            feed(kafka, event(n), 1)
        await asyncio.sleep(30)
        assert kafka.committed[Partition(MAIN, 1)].offset == 300


@run_virtual
async def test_the_holes_of_a_map_that_is_nearly_full_are_filled(clock: VirtualClock) -> None:
    """They make it shorter: a partition that took none of them either would stand still for ever."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(always(ACCEPTED))
    holes(kafka, 3000)
    identity, _ = kafka.describe(HEAD)
    settled = [Run(record.offset, record.offset, 0) for record in kafka.logs[HEAD][1::2]]
    text, inside = encode(0, settled, identity)
    assert len(text) > 0.95 * BOUND
    kafka.committed[HEAD] = Commit(0, text)
    async with running(Connector(kafka, vendor, clock, bounds=BOUNDS._replace(records=20))) as connector:
        await asyncio.sleep(300)
        assert connector.count("records_skipped") == inside
        assert len(vendor.posted) == 3000 - inside


@run_virtual
async def test_a_map_that_the_broker_does_not_take_shrinks_and_commits_go_on(clock: VirtualClock) -> None:
    """`offset.metadata.max.bytes` is 500 there: what the shorter map leaves out counts as uncommitted again."""
    kafka, vendor = broker(clock, main=1), ScriptedVendor(slow_head)
    kafka.max_metadata = 500
    holes(kafka, 900)
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    kept = read(kafka.committed[HEAD].metadata)
    assert not isinstance(kept, str)
    assert len(kept.runs) > 20
    assert connector.count("maps_refused") == 1
    covered = len(vendor.posted) - 1 - connector.engine.commits.uncommitted
    assert covered == sum(
        any(run.first <= record.offset <= run.last for run in kept.runs) for record in kafka.logs[HEAD]
    )
    connector.crash()
    vendor.script = always(ACCEPTED)
    async with running(Connector(kafka, vendor, clock)):
        await asyncio.sleep(300)
        assert kafka.committed[HEAD].offset == kafka.logs[HEAD][-1].offset + 1
        assert repeats(vendor) <= connector.engine.commits.uncommitted


@run_virtual
async def test_a_broker_that_takes_no_metadata_at_all_gets_none(clock: VirtualClock) -> None:
    """Then the bound of what is uncommitted holds posting back, as ever."""
    kafka, vendor = stalled(clock)
    kafka.max_metadata = 0
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    assert BOUNDS.uncommitted <= connector.engine.commits.uncommitted < BOUNDS.uncommitted + BOUNDS.in_flight
    assert len(vendor.posted) <= BOUNDS.uncommitted + BOUNDS.in_flight
    vendor.latency = 0.05
    await connector.leave(budget=1)


@run_virtual
async def test_a_map_that_is_not_taken_any_more_leaves_the_record_it_waits_for_its_next_try(
    clock: VirtualClock,
) -> None:
    """What it covered is far above the bound then, and nothing but that record can make room."""
    unsent = NoReply(Failure.CONNECT, sent=False)
    kafka = broker(clock, main=1)
    vendor = ScriptedVendor(lambda who, before: unsent if who == SLOW and before < 7 else ACCEPTED)
    for n in range(2000):
        feed(kafka, event(n))
    async with running(Connector(kafka, vendor, clock)) as connector:
        await asyncio.sleep(8)
        assert len(vendor.posted) > BOUNDS.uncommitted + 2 * BOUNDS.in_flight
        kafka.max_metadata = 0
        await asyncio.sleep(60)
        assert kafka.committed[HEAD].offset == 2000
        assert connector.count("records_accepted") == 2000


@run_virtual
async def test_a_log_that_is_not_known_gets_no_map(clock: VirtualClock) -> None:
    """Nothing is written that could not be told from another log's."""
    kafka, vendor = stalled(clock)
    kafka.cluster_id = None
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    assert HEAD not in kafka.committed
    assert len(vendor.posted) <= BOUNDS.uncommitted + BOUNDS.in_flight
    await connector.leave(budget=1)


@run_virtual
async def test_a_commit_request_that_is_too_large_is_split(clock: VirtualClock) -> None:
    """Kafka answers `unknown` to it: the maps come in several commits then, and each is as long as before."""
    kafka, vendor = (
        broker(clock, main=6),
        ScriptedVendor(lambda phone, _before: None if phone < number(6) else ACCEPTED),
    )
    kafka.max_commit = 200
    for n in range(600):
        feed(kafka, event(n), n % 6)
    connector = Connector(kafka, vendor, clock)
    await asyncio.sleep(60)
    assert connector.engine.commits.uncommitted == 0
    for number_ in range(6):
        kept = read(kafka.committed[Partition(MAIN, number_)].metadata)
        assert not isinstance(kept, str)
        assert kept.runs[0][:2] == (1, 99)
    await connector.leave(budget=1)
