"""Schema ids that a real registry does not know, does not know yet, or that are none, on real Kafka."""

from __future__ import annotations

from tests.support.avro import CURRENT
from tests.support.deadline import eventually
from tests.support.registry import Apicurio
from tests.whole.stage import Stage, bare, confluent, event

HALF_A_MINUTE_AND_MORE = 60  # seconds; one half minute for each of the ids would be 97


async def test_unknown_ids_delay_their_partition_by_one_half_minute_and_nothing_else(
    stage: Stage, registry: Apicurio
) -> None:
    """What is registered while its record waits is used at once, and what has no id waits for none."""
    stage.create_topics(3)
    # Schemas of its own: the registry gives out ids one by one, to each text that it has not seen.
    known = registry.register("unknown-ids", CURRENT.replace("Asks for", "Asks now for"))
    late = known + 1
    stage.produce([b"\x00" + bytes([1, 2, 3, n]) + bare(event(f"poison-{n}")) for n in range(3)], partition=0)
    stage.produce([confluent(event("behind", 1), known)], partition=0)
    stage.produce([confluent(event("late", 2), late)], partition=1)
    named = (("apicurio.value.globalId", bytes(7) + b"\x05"),)
    stage.produce([b"\x00" + bytes([1, 3, 3, n]) + b"no frame" for n in range(3)], named, partition=2)
    stage.produce([confluent(event("beside", 3), known)], partition=2)
    connector = stage.connector(schemas={"registry": {"url": registry.url}})
    await connector.start()

    await connector.until(accepted=1, dead_lettered=3)
    await eventually(lambda: len(connector.lines("schema_unavailable")) >= 2, 60, "both ids are missed")
    assert registry.register("unknown-ids", CURRENT.replace("Asks for", "Asks later for")) == late
    await connector.until(accepted=2, dead_lettered=3)
    await connector.until(HALF_A_MINUTE_AND_MORE, accepted=3, dead_lettered=6)

    classes = [dict(letter.headers)["invoke.class"] for letter in stage.dead_letters(6)]
    assert classes == [b"bad_frame"] * 3 + [b"unknown_schema"] * 3
    line = next(line for line in connector.lines("schema_unavailable") if line["partition"] == 0)
    assert (line["topic"], line["schema_id"], line["registry"]) == (stage.main, 0x01020300, registry.url)
    assert await connector.stop() == 0
