"""Topics judged from values: every setting that would break a promise is found."""

from __future__ import annotations

import pytest

from connector.edge.kafka.admin import Topic
from connector.runtime.checks.finding import Verdict
from connector.runtime.checks.topics import HEADER_ROOM, judge_copy, judge_main

HOUR = 3600.0
WINDOW = 24 * HOUR
ALL = frozenset({"READ", "WRITE", "DESCRIBE"})
SOUND = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * 24 * 3600 * 1000),
    "retention.bytes": "-1",
    "max.message.bytes": "1000000",
    "min.insync.replicas": "2",
    "compression.type": "producer",
    "max.decompressed.message.bytes": "5000000",
}
MAIN = Topic("invocations", 6, 3, SOUND, ALL)
ROOMY = {
    **SOUND,
    "max.message.bytes": str(1000000 + HEADER_ROOM),
    "max.decompressed.message.bytes": str(5000000 + HEADER_ROOM),
}


def copy(partitions: int = 6, replicas: int = 3, operations: frozenset[str] | None = ALL, **changed: str) -> Topic:
    configs = ROOMY | {name.replace("_", "."): value for name, value in changed.items()}
    return Topic("invocations.retry", partitions, replicas, configs, operations)


def verdicts(topic: Topic, role: str = "retry", main: Topic = MAIN) -> dict[str, Verdict]:
    return {finding.name: finding.verdict for finding in judge_copy(role, topic, main, WINDOW)}


@pytest.mark.parametrize("role", ["retry", "dead letter"])
def test_sound_topics_have_no_finding_but_ok(role: str) -> None:
    """The settings of `connector topics create`."""
    assert set(verdicts(copy(), role).values()) == {Verdict.OK}


@pytest.mark.parametrize(
    ("topic", "check", "verdict"),
    [
        (copy(cleanup_policy="compact"), "cleanup.policy", Verdict.FAILED),
        (copy(cleanup_policy="compact,delete"), "cleanup.policy", Verdict.FAILED),
        (copy(cleanup_policy=""), "cleanup.policy", Verdict.WARNING),
        (copy(compression_type="uncompressed"), "compression.type", Verdict.FAILED),
        (copy(compression_type="lz4"), "compression.type", Verdict.WARNING),
        (copy(compression_type="zstd"), "compression.type", Verdict.OK),
        (copy(max_decompressed_message_bytes="5000000"), "max.decompressed.message.bytes", Verdict.FAILED),
        (copy(retention_ms=str(24 * 3600 * 1000)), "retention", Verdict.FAILED),
        (copy(retention_ms="-1"), "retention", Verdict.OK),
        (copy(retention_bytes="1000"), "retention", Verdict.WARNING),
        (copy(max_message_bytes="1000000"), "max.message.bytes", Verdict.FAILED),
        (copy(min_insync_replicas="4"), "replication", Verdict.FAILED),
        (copy(replicas=2), "replication", Verdict.WARNING),
        (copy(min_insync_replicas="1"), "replication", Verdict.WARNING),
        (copy(partitions=3), "partitions", Verdict.OK),
        (copy(operations=frozenset({"READ"})), "rights", Verdict.FAILED),
        (copy(operations=None), "rights", Verdict.WARNING),
    ],
)
def test_each_unsound_setting_of_the_retry_topic_is_found(topic: Topic, check: str, verdict: Verdict) -> None:
    """And nothing else is wrong with it."""
    found = verdicts(topic)
    assert found[f"retry topic {check}"] is verdict
    assert [name for name, one in found.items() if one is not Verdict.OK] in ([f"retry topic {check}"], [])


def test_a_dead_letter_topic_that_forgets_early_is_a_warning() -> None:
    """People need days to look; nothing that waits is lost."""
    short = copy(retention_ms=str(72 * 3600 * 1000))
    assert verdicts(short, "dead letter")["dead letter topic retention"] is Verdict.WARNING


def test_dead_letters_that_are_never_deleted_are_fine() -> None:
    """An empty policy, which Kafka 4.4 accepts, is no compaction, and its retention.ms counts for nothing."""
    kept = copy(cleanup_policy="", retention_ms="1000")
    assert set(verdicts(kept, "dead letter").values()) == {Verdict.OK}


def test_a_topic_like_a_main_one_that_stores_nothing_compressed_is_fine() -> None:
    """What fits there fits here."""
    plain = copy(compression_type="uncompressed")
    main = MAIN._replace(configs=SOUND | {"compression.type": "uncompressed"})
    assert verdicts(plain, main=main)["retry topic compression.type"] is Verdict.OK


def test_brokers_before_4_4_have_no_bound_on_what_is_decompressed() -> None:
    """Nothing is said about it."""
    old = {name: value for name, value in ROOMY.items() if "decompressed" not in name}
    assert "retry topic max.decompressed.message.bytes" not in verdicts(copy()._replace(configs=old))


def test_a_topic_whose_settings_are_hidden_is_a_warning() -> None:
    """DESCRIBE_CONFIGS is not ours to demand."""
    assert verdicts(copy()._replace(configs=None))["retry topic settings"] is Verdict.WARNING


def test_room_cannot_be_judged_when_the_main_topic_is_hidden() -> None:
    """Neither ok nor failed."""
    found = verdicts(copy(), main=MAIN._replace(configs=None))
    assert found["retry topic max.message.bytes"] is Verdict.WARNING


def test_a_main_topic_that_forgets_within_the_window_fails() -> None:
    """An outage as long as the retry window would lose events that nobody had read."""
    short = MAIN._replace(configs={**SOUND, "retention.ms": "86400000"})
    assert [f.name for f in judge_main(short, WINDOW) if f.verdict is Verdict.FAILED] == ["main topic retention"]


def test_a_compacted_main_topic_is_a_warning() -> None:
    """A newer event of the same person deletes the older, posted or not."""
    compacted = MAIN._replace(configs={**SOUND, "cleanup.policy": "compact"})
    found = [f for f in judge_main(compacted, WINDOW) if f.verdict is Verdict.WARNING]
    assert [f.name for f in found] == ["main topic cleanup.policy"]


def test_every_finding_that_is_not_ok_has_a_remedy_or_says_what_is_hidden() -> None:
    """A verdict without a way out helps nobody."""
    bad = copy(partitions=1, replicas=1, cleanup_policy="compact", retention_ms="1", max_message_bytes="1")
    assert all(finding.remedy for finding in judge_copy("retry", bad, MAIN, WINDOW) if finding.verdict != Verdict.OK)
