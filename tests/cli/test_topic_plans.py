"""The topics that `connector topics` makes are the ones that `connector check` wants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.cli.topic_plans import command, plans, unseen
from connector.config import Settings, load
from connector.edge.kafka.admin import Topic, TopicPlan
from connector.runtime.checks.finding import Verdict
from connector.runtime.checks.topics import judge_copy, judge_ledger

ALL = frozenset({"READ", "WRITE"})


@pytest.fixture
def settings(config_file: Callable[..., Path]) -> Settings:
    return load(config_file(), {})


@pytest.fixture(scope="module")
def any_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    password = tmp_path_factory.mktemp("secrets") / "password"
    password.write_text("x")
    openmarket = {
        "base_url": "https://servicemanager.openmarket.com",
        "account_id": "account",
        "password_file": str(password),
        "service_ids": ["0A"],
    }
    key = password.with_name("key")
    key.write_text("0123456789abcdef")
    return Settings.model_validate({"openmarket": openmarket, "ledger": {"key_file": str(key)}})


@given(
    partitions=st.integers(1, 500),
    replicas=st.integers(1, 5),
    in_sync=st.integers(1, 5),
    largest=st.integers(1, 10**8),
)
def test_what_is_planned_passes_every_check(
    any_settings: Settings, partitions: int, replicas: int, in_sync: int, largest: int
) -> None:
    """Whatever the main topic looks like, but for the replicas that it has itself."""
    configs = {"max.message.bytes": str(largest), "min.insync.replicas": str(min(in_sync, replicas))}
    main = Topic("invocations", partitions, replicas, configs, ALL)
    for role, plan in plans(any_settings, main).items():
        topic = Topic(plan.name, plan.partitions, plan.replication_factor, plan.configs, ALL)
        is_ledger = role == "ledger"
        found = list(
            judge_ledger(role, topic, main) if is_ledger else judge_copy(role, topic, main, any_settings.retry.window)
        )
        assert all(finding.verdict is not Verdict.FAILED for finding in found)
        assert replicas == 2 or all(finding.verdict is Verdict.OK for finding in found)


def test_retention_of_the_retry_topic_is_never_shorter_than_two_windows(settings: Settings) -> None:
    """Somebody who asks for less than the window would lose what waits."""
    retry = plans(settings, unseen("invocations"), retry_retention=60.0)["retry"]
    assert retry.configs["retention.ms"] == str(48 * 3600 * 1000)


def test_the_command_leaves_unknown_numbers_to_the_brokers(settings: Settings) -> None:
    """Nothing is guessed for a main topic that could not be looked at."""
    assert "--partitions" not in command(plans(settings, unseen("invocations"))["retry"], "broker:9092")


def test_the_ledgers_topic_is_made_where_the_ledger_is_on_only(settings: Settings, any_settings: Settings) -> None:
    main = unseen("invocations")
    assert list(plans(settings, main)) == ["retry", "dead letter"]
    ledger = plans(any_settings, main, ledger_retention=3600.0)["ledger"]
    assert (ledger.name, ledger.configs["retention.ms"]) == ("invocations.ledger", "3600000")


def test_the_command_is_what_somebody_types() -> None:
    """kafka-topics.sh of Kafka's distribution."""
    plan = TopicPlan("a.retry", 3, 2, {"cleanup.policy": "delete"})
    assert command(plan, "broker:9092") == (
        "kafka-topics.sh --bootstrap-server broker:9092 --create --topic a.retry"
        " --partitions 3 --replication-factor 2 --config cleanup.policy=delete"
    )
