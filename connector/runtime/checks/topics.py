"""Whether the topics are what the promises need: judged from values, so that nothing here asks a broker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from connector.config.units import DAY, format_duration
from connector.edge.kafka.admin import Topic
from connector.runtime.checks.finding import Finding, Verdict

HEADER_ROOM = 8192
"""Bytes that our headers take at most: about 20 of them, two with texts of up to 1024 bytes."""

UNBOUNDED = 2_147_483_639
"""Kafka's default of max.decompressed.message.bytes, and the most that it takes."""

_AS_WRITTEN = "producer"
_DECOMPRESSED = "max.decompressed.message.bytes"
_DEAD_LETTERS_KEPT = 3 * DAY  # a long weekend, before anybody looks
_NEEDED = {
    "main": {"READ"},
    "retry": {"READ", "WRITE"},
    "dead letter": {"WRITE"},
    "ledger": {"WRITE"},
    "shadow": {"WRITE"},
    "old retry": {"READ"},
}


def judge_main(main: Topic, window: float) -> Iterator[Finding]:
    """Every check of the main topic; the retry window in seconds."""
    yield from leaders("main", main)
    yield rights("main", main)
    if main.configs is None:
        yield _invisible("main")
        return
    yield retention("main", main.configs, window)
    if "compact" in _policies(main.configs):
        yield Finding(
            "main topic cleanup.policy",
            Verdict.WARNING,
            "compaction deletes an event once a newer one with the same key is there, posted or not",
            "cleanup.policy=delete",
        )


def judge_copy(role: str, topic: Topic, main: Topic, window: float) -> Iterator[Finding]:
    """Every check of a topic that takes copies, beside the main one; the retry window in seconds."""
    yield from leaders(role, topic)
    yield rights(role, topic)
    if topic.configs is None:
        yield _invisible(role)
        return
    yield cleanup_policy(role, topic.configs)
    yield retention(role, topic.configs, window)
    yield room(role, topic.configs, main)
    yield compression(role, topic.configs, main)
    if (decompressed := decompressed_room(role, topic.configs, main)) is not None:
        yield decompressed
    yield durability(role, topic, main)
    if role == "retry":
        yield partitions(topic, main)


def judge_ledger(role: str, topic: Topic, main: Topic, *, recalled: bool = False) -> Iterator[Finding]:
    """Every check of the ledger's topic, or a shadow's, beside the main one. How long it keeps entries is for people to
    say. `recalled`: delivery.deduplicate reads there what others had accepted."""
    yield from leaders(role, topic)
    yield rights(role, topic, {"READ"} if recalled else ())
    if topic.configs is None:
        yield _invisible(role)
        return
    yield cleanup_policy(role, topic.configs)
    yield durability(role, topic, main)


def leaders(role: str, topic: Topic) -> Iterator[Finding]:
    """Partitions that no broker serves: what is in them, or shall go there, waits."""
    if topic.leaderless:
        numbers = ", ".join(map(str, topic.leaderless))
        why = f"no broker serves partition {numbers} of {topic.name}: its records wait"
        yield Finding(f"{role} topic leaders", Verdict.WARNING, why, "bring back the brokers that have its replicas")


def rights(role: str, topic: Topic, more: Iterable[str] = ()) -> Finding:
    """What we must be allowed to do, as far as the broker says what we are; `more` than ever in this role."""
    name = f"{role} topic rights"
    if topic.operations is None:
        return Finding(name, Verdict.WARNING, f"the broker does not say what we may do with {topic.name}")
    needed = _NEEDED[role].union(more)
    missing = sorted(needed - topic.operations)
    if missing:
        lacking = " and ".join(missing)
        return Finding(name, Verdict.FAILED, f"we may not {lacking} {topic.name}", f"an ACL that allows {lacking}")
    return Finding(name, Verdict.OK, f"{' and '.join(sorted(needed))} allowed on {topic.name}")


def cleanup_policy(role: str, configs: Mapping[str, str]) -> Finding:
    """Compaction would keep one copy of each end user's and delete the others; an empty policy deletes none."""
    name = f"{role} topic cleanup.policy"
    policies = _policies(configs)
    if "compact" in policies:
        why = f"{configs['cleanup.policy']}: compaction deletes all copies of a key but the last"
        return Finding(name, Verdict.FAILED, why, "cleanup.policy=delete")
    if "delete" in policies:
        return Finding(name, Verdict.OK, "delete")
    if role in ("dead letter", "ledger", "shadow"):
        return Finding(name, Verdict.OK, "empty: nothing is ever deleted")
    why = "empty: nothing is ever deleted, so copies that were posted long ago fill the disk"
    return Finding(name, Verdict.WARNING, why, "cleanup.policy=delete")


def retention(role: str, configs: Mapping[str, str], window: float) -> Finding:
    """How long records stay; one that waits for its retry, or for an outage to end, must outlive the window."""
    name = f"{role} topic retention"
    if not _policies(configs):
        return Finding(name, Verdict.OK, "for ever: cleanup.policy is empty")
    kept = _seconds(configs.get("retention.ms", "-1"))
    least = max(_DEAD_LETTERS_KEPT, window) if role == "dead letter" else window
    if kept is not None and kept <= least:
        verdict = Verdict.WARNING if role == "dead letter" else Verdict.FAILED
        why = f"records are deleted after {format_duration(kept)}, not longer than {format_duration(least)}"
        longer = "the longest outage to survive" if role != "dead letter" else "the time people take to look"
        return Finding(name, verdict, why, f"retention.ms longer than {longer} and than retry.window")
    if configs.get("retention.bytes", "-1") != "-1":
        return Finding(name, Verdict.WARNING, "a full partition deletes its oldest records early", "retention.bytes=-1")
    return Finding(name, Verdict.OK, "for ever" if kept is None else format_duration(kept))


def room(role: str, configs: Mapping[str, str], main: Topic) -> Finding:
    """Key and value of the largest record must fit with our headers, or its copy is tried for ever."""
    name = f"{role} topic max.message.bytes"
    largest = (main.configs or {}).get("max.message.bytes")
    if largest is None:
        return Finding(name, Verdict.WARNING, "the main topic's is not visible", "grant DESCRIBE_CONFIGS on it")
    needed = int(largest) + HEADER_ROOM
    given = int(configs.get("max.message.bytes", "0"))
    if given < needed:
        why = f"{given} is less than the main topic's {largest} and {HEADER_ROOM} for headers"
        return Finding(name, Verdict.FAILED, why, f"max.message.bytes={needed}")
    return Finding(name, Verdict.OK, f"{given}, the main topic's is {largest}")


def compression(role: str, configs: Mapping[str, str], main: Topic) -> Finding:
    """The topic's limit counts stored bytes: what fits the main topic compressed must fit here too."""
    name = f"{role} topic compression.type"
    kind = configs.get("compression.type", _AS_WRITTEN)
    if kind in (_AS_WRITTEN, "zstd") or kind == (main.configs or {}).get("compression.type"):
        return Finding(name, Verdict.OK, kind)
    why = f"{kind}: the brokers compress copies anew, and one that fits the main topic may then be too large here"
    verdict = Verdict.FAILED if kind == "uncompressed" else Verdict.WARNING
    return Finding(name, verdict, why, f"compression.type={_AS_WRITTEN}")


def decompressed_room(role: str, configs: Mapping[str, str], main: Topic) -> Finding | None:
    """As `room`, of the size before compression, which Kafka bounds from 4.4 on; None where the brokers do not."""
    given = configs.get(_DECOMPRESSED)
    if given is None:
        return None
    name = f"{role} topic {_DECOMPRESSED}"
    largest = (main.configs or {}).get(_DECOMPRESSED)
    if largest is None:
        return Finding(name, Verdict.WARNING, "the main topic's is not visible", "grant DESCRIBE_CONFIGS on it")
    needed = min(int(largest) + HEADER_ROOM, UNBOUNDED)
    if int(given) < needed:
        why = f"{given} is less than the main topic's {largest} and {HEADER_ROOM} for headers"
        return Finding(name, Verdict.FAILED, why, f"{_DECOMPRESSED}={needed}")
    return Finding(name, Verdict.OK, f"{given}, the main topic's is {largest}")


def durability(role: str, topic: Topic, main: Topic) -> Finding:
    """A record is settled once its copy is acknowledged, so the copy must be as safe as the original."""
    name = f"{role} topic replication"
    replicas = topic.replication_factor
    in_sync = int((topic.configs or {}).get("min.insync.replicas", "1"))
    if in_sync > replicas:
        why = f"min.insync.replicas={in_sync} with {replicas} replicas: nothing can be written"
        return Finding(name, Verdict.FAILED, why, f"min.insync.replicas={max(1, replicas - 1)}")
    if replicas < main.replication_factor:
        why = f"{replicas} replicas, fewer than the main topic's {main.replication_factor}"
        return Finding(name, Verdict.WARNING, why, "as many replicas as the main topic")
    if replicas > 1 and in_sync == 1:
        why = "min.insync.replicas=1: an acknowledged copy may be on one broker only"
        return Finding(name, Verdict.WARNING, why, "min.insync.replicas=2")
    return Finding(name, Verdict.OK, f"{replicas} replicas, {in_sync} in sync at least")


def partitions(retry: Topic, main: Topic) -> Finding:
    """Any number will do: each topic is spread over the processes by itself. Fewer only means fewer who retry."""
    told = str(retry.partitions)
    if retry.partitions < main.partitions:
        told += f": so many processes at most share the retries, {main.partitions} the main topic"
    return Finding("retry topic partitions", Verdict.OK, told)


def _invisible(role: str) -> Finding:
    return Finding(
        f"{role} topic settings",
        Verdict.WARNING,
        "we may not see them, so cleanup.policy, retention and sizes are not checked",
        "grant DESCRIBE_CONFIGS on the topic, or compare with `connector topics print`",
    )


def _policies(configs: Mapping[str, str]) -> frozenset[str]:
    """Those in force; empty where the topic has none, `delete` where the brokers do not say."""
    policies = configs.get("cleanup.policy", "delete").split(",")
    return frozenset(policy.strip() for policy in policies) - {""}


def _seconds(retention_ms: str) -> float | None:
    milliseconds = int(retention_ms)
    return None if milliseconds < 0 else milliseconds / 1000
