"""What the commands make of a shadow's settings: look at what it does, and change nothing that it did not do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.cli.topic_plans import plans, unseen
from connector.config import load
from connector.core.record import Partition
from connector.core.settled_map import Run as Ahead
from connector.core.settled_map import as_shadows
from connector.edge.kafka.admin import Topic
from connector.runtime.checks.finding import Finding, Verdict
from connector.runtime.checks.live import topics
from connector.runtime.checks.offline import address
from connector.runtime.checks.probe import probe
from tests.cli.conftest import Run, Simulator
from tests.cli.test_groups import Stage, lines_of
from tests.cli.test_groups import stage as stage

Configure = Callable[..., Path]
SHADOW = {"delivery": {"mode": "shadow"}, "kafka": {"group_id": "a.shadow"}}


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "ledger-key"
    file.write_text("0123456789abcdef")
    return str(file)


async def test_check_says_that_nothing_is_delivered_and_asks_nobody(
    config_file: Configure, simulator: Simulator
) -> None:
    settings = load(config_file({"base_url": simulator.url}, **SHADOW), {})
    found = address(settings)
    assert (found.verdict, found.why) == (
        Verdict.WARNING,
        "delivery.mode: shadow delivers nothing: it posts nothing",
    )
    assert (await probe(settings)).why == "not asked: delivery.mode: shadow posts nothing"
    assert simulator.ledger.answers == {}


def test_a_shadow_needs_the_main_topic_and_its_own_and_may_write_to_no_other(config_file: Configure, key: str) -> None:
    settings = load(config_file(**SHADOW, ledger={"key_file": key}), {})
    asked: list[str] = []

    def ask(name: str) -> Topic:
        asked.append(name)
        return Topic(name, 3, 1, {}, frozenset({"READ"}))

    found: dict[str, Finding] = {finding.name: finding for finding in topics(ask, settings)}
    assert asked == ["invocations", "invocations.shadow"]
    assert found["main topic rights"].verdict is Verdict.OK
    assert found["shadow topic rights"].why == "we may not WRITE invocations.shadow"

    def write_only(name: str) -> Topic:
        return Topic(name, 3, 1, {}, frozenset({"WRITE"}))

    for more, why in (({}, "WRITE allowed"), ({"deduplicate": "10m"}, "we may not READ")):
        delivery = {**SHADOW["delivery"], **more}
        settings = load(config_file(**{**SHADOW, "delivery": delivery}, ledger={"key_file": key}), {})
        found = {finding.name: finding for finding in topics(write_only, settings)}
        assert found["shadow topic rights"].why == f"{why} {'on ' if not more else ''}invocations.shadow"
    assert [(role, plan.name) for role, plan in plans(settings, unseen("invocations")).items()] == [
        ("shadow", "invocations.shadow")
    ]


@pytest.mark.parametrize(
    "command",
    [
        "retry summary",
        "retry expedite --yes",
        "retry drop --yes",
        "dlq redrive --yes",
        "dlq purge --before 1d --yes",
        "post EVENT --yes",
        "trace gate-change-1",
    ],
)
def test_a_command_about_deliveries_is_refused(
    connector: Run, config_file: Configure, event_file: Path, simulator: Simulator, command: str
) -> None:
    """A shadow's group settled none of them; nothing was asked of Kafka, and nothing posted."""
    words = [str(event_file) if word == "EVENT" else word for word in command.split()]
    run = connector(*words, "--config", config_file({"base_url": simulator.url}, **SHADOW))
    assert run.exit_code == 2
    assert "delivery.mode is shadow" in " ".join(run.output.replace("│", " ").split())
    assert simulator.ledger.answers == {}


def test_what_a_shadow_committed_is_not_set_for_who_delivers(stage: Stage, connector: Run, tmp_path: Path) -> None:
    """Nobody posted what lies before it."""
    stage.cluster.commit(stage.partition, 7, as_shadows(stage.map_of(7)))
    file = tmp_path / "offsets.json"
    file.write_text(connector("offsets", "export", "--config", stage.config).output)
    stage.cluster.commit(stage.partition, 3)
    run = connector("offsets", "set", file, "--config", stage.config, "--yes")
    assert run.exit_code == 2
    assert "commits of a shadow" in lines_of(run.output)
    assert stage.cluster.committed(stage.partition) == 3


@pytest.mark.parametrize(("group", "metadata"), [("a.shadow", ""), ("a", as_shadows("s1:x"))])
def test_a_shadows_export_is_no_source_of_a_translation(
    stage: Stage, connector: Run, tmp_path: Path, group: str, metadata: str
) -> None:
    """It runs ahead of whoever delivers, whose group would skip what lies between."""
    place = {"topic": "invocations", "partition": 0, "offset": 7, "metadata": metadata, "records": []}
    file = tmp_path / "offsets.json"
    file.write_text(
        json.dumps(
            {"group": group, "exported_at": "2026-11-30T12:00:00Z", "topics": ["invocations"], "offsets": [place]}
        )
    )
    run = connector("offsets", "translate", "--exported", file, "--to", stage.config, "--yes")
    assert run.exit_code == 2
    assert "of a shadow's group" in lines_of(run.output)


def test_a_shadow_starts_where_another_group_is(stage: Stage, connector: Run, tmp_path: Path) -> None:
    """Without the mark of one that delivers, which a shadow does not go on from, and without its map."""
    stage.cluster.commit(stage.partition, 3, stage.map_of(3, Ahead(5, 6, 0)))
    file = tmp_path / "offsets.json"
    file.write_text(connector("offsets", "export", "--config", stage.config).output)
    stage.cluster.group = f"{stage.cluster.group}.shadow"
    run = connector("offsets", "set", file, "--config", stage.config, "--group", stage.cluster.group, "--yes")
    assert run.exit_code == 0, run.output
    assert stage.cluster.committed_with_metadata(stage.partition) == (3, "")


def test_status_shows_the_main_topic_and_what_a_shadow_settled_ahead(
    stage: Stage, connector: Run, config_file: Configure
) -> None:
    stage.cluster.group = f"{stage.cluster.group}.shadow"
    stage.cluster.commit(stage.partition, 3, as_shadows(stage.map_of(3, Ahead(5, 6, 0))))
    given = json.loads(stage.config.read_text())["kafka"]
    config = config_file(kafka={**given, "group_id": stage.cluster.group}, delivery={"mode": "shadow"})
    document = json.loads(connector("status", "--config", config, "--json").output)
    (row,) = document["partitions"]
    assert Partition(row["topic"], row["partition"]) == stage.partition
    assert (row["committed"], row["settled_runs"], document["unread_topics"]) == (3, [[5, 6]], {})
