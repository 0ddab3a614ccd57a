"""A shadow beside the connector that delivers, with real Kafka and real processes."""

from __future__ import annotations

import time
from pathlib import Path

from connector.core.ledger import WOULD, Entry
from connector.core.record import Partition
from connector.edge.avro.entries import decoded
from tests.whole.stage import Stage, books_balance, event, single_object

KEY = "0123456789abcdef-ledger"


def entries(stage: Stage, topic: str) -> dict[int, Entry]:
    """All entries of a topic, by the offset of the producer's record."""
    partition = Partition(topic, 0)
    told = [decoded(record.value) for record in stage.cluster.read(partition, stage.cluster.end(partition))]
    return {each.entry.origin.offset: each.entry for each in told if each is not None}


async def test_a_shadow_says_what_production_did_and_does_none_of_it(stage: Stage, tmp_path: Path) -> None:
    """Events that are posted, refused for each kind of reason, stale, and written twice, read by both at once."""
    key = tmp_path / "ledger-key"
    key.write_text(KEY)
    stage.create_topics()
    ledger, shadows = f"{stage.main}.ledger", f"{stage.main}.shadow"
    for topic in (ledger, shadows):
        stage.cluster.kafka.create_topic(topic)
    past = time.time_ns() // 1_000_000 - 1000
    good = [f"good-{n}" for n in range(20)]
    refused = [
        b"no Avro",
        None,
        single_object(event("service", 30, serviceId="FFFF")),
        single_object(event("phone", 31, phoneNumber="none")),
        single_object(event("variable", 32, variables={"session": {"no space": "in a key"}})),
        single_object(event("stale", 33, expiresAt=past)),
    ]
    twice = [single_object(event("twice", 40))] * 2
    values = [*(single_object(event(mark, n)) for n, mark in enumerate(good)), *refused, *twice]
    sections = {"ledger": {"key_file": str(key)}}
    production = stage.connector(**sections, delivery={"deduplicate": "10m"})
    shadow = stage.connector(
        **sections,
        delivery={"deduplicate": "10m", "mode": "shadow"},
        kafka={"group_id": f"{stage.cluster.group}.shadow"},
    )
    await production.start()
    await shadow.start()

    stage.produce(values)

    counted = {"accepted": 21, "dead_lettered": 6, "duplicate": 1, "retried": 0}
    assert books_balance(await production.until(**counted))
    names = {f"shadow_records_{name}_total": float(count) for name, count in counted.items()}
    metrics = await shadow.shows(**names, shadow_records_in_hand=0)
    assert "records_accepted_total" not in metrics
    await production.counts("ledger_written_total", len(values))
    await shadow.counts("shadow_ledger_written_total", len(values))
    status = await shadow.status()
    assert (status["mode"], (await production.status())["mode"]) == ("shadow", "deliver")
    assert list(status["partitions"]) == [f"{stage.main}-0"]
    assert await shadow.stop() == 0
    assert await production.stop() == 0

    assert stage.accepted_once([*good, "twice"])
    assert sum(stage.simulator.ledger.answers.values()) == 21
    assert stage.cluster.end(Partition(stage.dead_letter, 0)) == 6
    assert stage.cluster.end(Partition(stage.retry, 0)) == 0
    did, would = entries(stage, ledger), entries(stage, shadows)
    assert sorted(did) == sorted(would) == list(range(len(values)))
    for offset, done in did.items():
        said = would[offset]
        assert said.fate == WOULD.get(done.fate, done.fate)
        assert (said.code, said.event_id, said.service_id, said.attempts) == (
            done.code,
            done.event_id,
            done.service_id,
            done.attempts,
        )
        assert (said.request_id, said.posted_ms) == (None, None)
    assert not any(shadow.lines(event) for event in ("accepted", "retried", "dead_lettered"))
    assert len(shadow.lines("would_post")) == 21
    assert {line["mode"] for line in shadow.lines("would_dead_letter")} == {"shadow"}
    committed, text = stage.cluster.committed_with_metadata(Partition(stage.main, 0))
    assert (committed, text[:3]) == (len(values), "s1:")
    stage.cluster.group = f"{stage.cluster.group}.shadow"
    committed, text = stage.cluster.committed_with_metadata(Partition(stage.main, 0))
    assert (committed, text[:3]) == (len(values), "w1:")


async def test_settings_of_production_with_the_mode_of_a_shadow_start_nothing(stage: Stage) -> None:
    """The one mistake that would lose events: its group would commit what nobody posted."""
    stage.create_topics()
    stage.produce([single_object(event("good"))])
    shadow = stage.connector(delivery={"mode": "shadow"})
    await shadow.spawn()
    assert await shadow.ended() == 2
    assert "delivery.mode: shadow needs a kafka.group_id of its own that ends in `.shadow`" in shadow.log
    assert stage.cluster.committed(Partition(stage.main, 0)) < 0
