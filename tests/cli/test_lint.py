"""`connector lint` on real Kafka, where producers of several kinds have written; and for a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from confluent_kafka import Producer
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from connector.core.lint.partitioners import PARTITIONERS
from tests.cli.conftest import Run as Command
from tests.cli.letters import ENCODE, Topics, event, make
from tests.support.kafka_broker import Kafka

JAVA, LIBRDKAFKA, SARAMA = PARTITIONERS
PARTITIONER_OF = {"booking": "murmur2_random", "web": "consistent_random", "gates": "fnv1a_random"}
"""Producer → librdkafka's name of its partitioner."""
EACH = 40


def phone_of(producer: str, number: int) -> str:
    return f"1{ {'booking': 202, 'web': 206, 'gates': 212}[producer] }555{number:04}"


def write(kafka: Kafka, topic: str, producer: str, values: Iterable[tuple[str | None, bytes | None]]) -> None:
    client = Producer({"bootstrap.servers": kafka.bootstrap_servers, "partitioner": PARTITIONER_OF[producer]})
    for key, value in values:
        client.produce(topic, value, key, headers=[("x-app", producer.encode())])
    assert client.flush(60) == 0


@pytest.fixture(scope="module")
def stage(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    """Good events of three producers, and of one of them some that are refused."""
    stage = make(kafka, tmp_path_factory.mktemp("lint"), partitions=6)
    for producer in PARTITIONER_OF:
        numbers = [phone_of(producer, number) for number in range(EACH)]
        write(kafka, stage.main, producer, [(phone, ENCODE(event("ev-1", phone, createdAt=None))) for phone in numbers])
    bad = phone_of("web", 0)
    write(
        kafka,
        stage.main,
        "web",
        [
            (bad, ENCODE(event("a b", bad, serviceId="0C2D", createdAt=None))),
            (bad, ENCODE(event("ev-1", f"0{bad}", createdAt=None))),
            (bad, None),
            (bad, bad.encode()),
        ],
    )
    return stage


def lint(connector: Command, stage: Topics, *options: str) -> tuple[int, str]:
    run = connector("lint", "--config", stage.config, "--producer-header", "x-app", *options)
    return run.exit_code, run.output


def test_lint_says_what_would_be_refused_of_whom_and_what_to_do(stage: Topics, connector: Command) -> None:
    code, output = lint(connector, stage, "--json")
    assert code == 1
    found = json.loads(output)
    assert (found["records"], found["refused"]) == (3 * EACH + 4, 4)
    refused = {each["rule"]: each for each in found["findings"] if each["severity"] == "refused"}
    assert {rule: (each["field"], each["producers"]) for rule, each in refused.items()} == {
        "bad_event_id": ("eventId", {"web": 1}),
        "service_id_not_allowed": ("serviceId", {"web": 1}),
        "national_phone_number": ("phoneNumber", {"web": 1}),
        "tombstone": ("value", {"web": 1}),
        "bad_frame": ("value", {"web": 1}),
    }
    assert next(iter(refused["bad_event_id"]["schemas"])).startswith("invoke.connector.InvocationEvent (fingerprint ")
    assert refused["bad_event_id"]["example"]["phoneNumber"] == "…00"
    assert all(each["remedy"] for each in found["findings"])


def test_lint_knows_the_partitioners_of_real_producers(stage: Topics, connector: Command) -> None:
    """Though none of them wrote a key of another one's."""
    _, output = lint(connector, stage, "--json")
    (found,) = (each for each in json.loads(output)["findings"] if each["severity"] == "suspect")
    assert found["rule"] == "partitioners_differ"
    assert found["text"] == f"booking: {JAVA}; gates: {SARAMA}; web: {LIBRDKAFKA}"


def test_what_lint_names_can_be_looked_at(stage: Topics, connector: Command) -> None:
    """With the command that it prints, and without --reveal nobody's number is shown."""
    code, output = lint(connector, stage)
    assert code == 1
    command = output.strip().rpartition("to see the first of them: connector ")[2].split()
    shown = connector(*command)
    assert shown.exit_code == 1
    assert "refused at" in shown.output
    for text in (output, shown.output):
        assert not any(phone_of(producer, number) in text for producer in PARTITIONER_OF for number in range(EACH))


def test_lint_reads_a_sample_of_each_partition_or_what_is_not_older(stage: Topics, connector: Command) -> None:
    """And a topic with nothing to find fault with is exit code 0."""
    _, output = lint(connector, stage, "--sample", "30", "--json")
    assert 30 <= json.loads(output)["records"] <= 36
    code, output = lint(connector, stage, "--since", "2100-01-01")
    assert (code, output.strip()) == (0, f"{stage.main}: 0 records, 0 of them would be refused")


GOOD = {"eventId": "ev-1", "serviceId": "0A1B", "phoneNumber": "12025550123", "createdAt": 1_700_000_000_000}


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A good event, one that would be refused, and two lines that are none."""
    file = tmp_path / "the events.jsonl"
    lines = [GOOD, {**GOOD, "phoneNumber": "0123456789"}, {**GOOD, "expiresat": 1}]
    file.write_text("\n".join([*map(json.dumps, lines), "", "no event"]))
    return file


def test_a_file_is_linted_without_settings(events: Path, connector: Command) -> None:
    run = connector("lint", "--file", events, "--json")
    assert run.exit_code == 1
    found = json.loads(run.output)
    assert (found["records"], found["refused"]) == (4, 3)
    places = {each["rule"]: each["places"] for each in found["findings"]}
    assert places == {"national_phone_number": ["line 2"], "unknown_field": ["line 3"], "bad_line": ["line 5"]}


def test_with_settings_the_services_of_a_file_have_to_be_allowed(
    events: Path, connector: Command, config_file: Command
) -> None:
    events.write_text(json.dumps({**GOOD, "serviceId": "0C2D"}))
    assert connector("lint", "--file", events).exit_code == 0
    run = connector("lint", "--file", events, "--config", config_file())
    assert (run.exit_code, "service_id_not_allowed" in run.output) == (1, True)


def test_what_looks_wrong_fails_with_strict_only(events: Path, connector: Command) -> None:
    soon = {**GOOD, "expiresAt": GOOD["createdAt"] + 1000}  # type: ignore[operator]  # an int among objects
    events.write_text(json.dumps(soon))
    assert connector("lint", "--file", events).exit_code == 0
    assert connector("lint", "--file", events, "--strict").exit_code == 1


def test_junit_has_a_test_for_each_finding(events: Path, connector: Command) -> None:
    run = connector("lint", "--file", events, "--format", "junit")
    assert run.exit_code == 1
    (suite,) = ElementTree.fromstring(run.output)
    cases = {str(case.get("name")): [part.tag for part in case] for case in suite}
    assert cases == {
        "every event can be posted": ["failure"],
        "bad_line in line": ["failure"],
        "national_phone_number in phoneNumber": ["failure"],
        "unknown_field in expiresat": ["failure"],
    }
    assert (suite.get("tests"), suite.get("failures")) == ("4", "4")


def test_junit_of_a_clean_file_has_one_test_that_passed(events: Path, connector: Command) -> None:
    events.write_text(json.dumps(GOOD))
    run = connector("lint", "--file", events, "--format", "junit")
    assert run.exit_code == 0
    (suite,) = ElementTree.fromstring(run.output)
    assert [(case.get("name"), len(case)) for case in suite] == [("every event can be posted", 0)]


def test_sarif_names_the_line_and_the_rule(events: Path, connector: Command) -> None:
    """As SARIF 2.1.0 says: rules by their index, levels of its own words, lines from 1, names of files as URIs."""
    run = connector("lint", "--file", events, "--format", "sarif")
    assert run.exit_code == 1
    document = json.loads(run.output)
    assert document["version"] == "2.1.0"
    (found,) = document["runs"]
    rules = found["tool"]["driver"]["rules"]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in found["results"])
    place = found["results"][1]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 2}
    assert place["artifactLocation"]["uri"].endswith("/the%20events.jsonl")
    assert {each["level"] for each in found["results"]} == {"error"}


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--file", "none.jsonl"),
        ("--file", "-", "--since", "2h"),
        ("--file", "-", "--json", "--format", "sarif"),
    ],
)
def test_what_makes_no_sense_together_is_refused(options: tuple[str, ...], connector: Command) -> None:
    assert connector("lint", *options).exit_code == 2


def test_sarif_is_valid(events: Path, connector: Command) -> None:
    """By models that were made from the published schema, and know no further members."""
    run = connector("lint", "--file", events, "--format", "sarif")
    assert Sarif.model_validate_json(run.output).version.value == "2.1.0"
