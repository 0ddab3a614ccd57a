"""`connector diff` on real Kafka: two configurations, and a file between two versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer

from connector.edge.avro.codec import Encoder
from connector.edge.avro.framing import Framing
from tests.cli.conftest import Run as Command
from tests.cli.letters import ENCODE, PHONE, SERVICE, Topics, event, make
from tests.support.kafka_broker import Kafka

SAME, DIFFERING, OF_ANOTHER_SERVICE = 20, 5, 3


@pytest.fixture(scope="module")
def stage(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    """Events over two partitions: some with a number as a variable, some for a service that is not on the list, and one
    that is none."""
    stage = make(kafka, tmp_path_factory.mktemp("diff"))
    values = [event(f"ev-{number}") for number in range(SAME)]
    values += [event(f"ev-{number}", variables={"session": {"seat": number}}) for number in range(DIFFERING)]
    values += [event(f"ev-{number}", serviceId="0C2D") for number in range(OF_ANOTHER_SERVICE)]
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number, fields in enumerate(values):
        producer.produce(stage.main, ENCODE(fields), PHONE, partition=number % 2)
    producer.produce(stage.main, b"no event", PHONE, partition=0)
    assert producer.flush(60) == 0
    return stage


@pytest.fixture(scope="module")
def other(stage: Topics) -> Path:
    """Settings that write numbers as numbers, and allow another service."""
    settings = json.loads(stage.config.read_text())
    settings["openmarket"] |= {"values": "native", "service_ids": ["0A1B", "0C2D"]}
    file = stage.config.with_name("other.yaml")
    file.write_text(json.dumps(settings))
    return file


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    file = tmp_path_factory.mktemp("key") / "diff.key"
    file.write_text("0123456789abcdef0123456789abcdef\n")
    return "--key-file", file


def test_two_configurations_differ_where_they_do(stage: Topics, other: Path, connector: Command) -> None:
    """By field, by who refuses, with places, and without anybody's number or value."""
    run = connector("diff", "--config", stage.config, "--against", other, "--json")
    assert run.exit_code == 1, run.output
    found = json.loads(run.output)
    records = SAME + DIFFERING + OF_ANOTHER_SERVICE + 1
    assert (found["records"], found["same"], found["differ"]) == (records, SAME + 1, DIFFERING + OF_ANOTHER_SERVICE)
    assert [(each["field"], each["config_refuses"], each["records"]) for each in found["differences"]] == [
        ("variables.session.seat", None, DIFFERING),
        (None, "service_id_not_allowed", OF_ANOTHER_SERVICE),
    ]
    assert found["differences"][0]["places"] == ["0:10", "0:11", "0:12"]
    text = connector("diff", "--config", stage.config, "--against", other).output
    assert f"of {records} records of {stage.main} {SAME + 1} are the same, 8 differ" in text
    assert f"refused as service_id_not_allowed with {stage.config}, posted with {other}" in text
    for output in (run.output, text):
        assert PHONE not in output


def test_one_configuration_is_the_same_as_itself(stage: Topics, connector: Command) -> None:
    run = connector("diff", "--config", stage.config, "--against", stage.config, "--sample", "10")
    assert run.exit_code == 0
    assert "are the same, 0 differ" in run.output


def test_another_version_compares_by_a_file_that_holds_no_value(
    stage: Topics, other: Path, key: tuple[str, Path], connector: Command, tmp_path: Path
) -> None:
    """It reads the same offsets, whatever was written since, and finds what two configurations find."""
    file = tmp_path / "before.jsonl"
    run = connector("diff", "--config", stage.config, "--write", file, *key)
    assert run.exit_code == 0, run.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert PHONE not in file.read_text()
    same = connector("diff", "--config", stage.config, "--against", file, *key)
    assert (same.exit_code, "0 differ" in same.output) == (0, True), same.output
    differing = connector("diff", "--config", other, "--against", file, *key, "--json")
    assert differing.exit_code == 1
    found = json.loads(differing.output)
    assert [(each["field"], each["against_refuses"], each["records"]) for each in found["differences"]] == [
        ("variables.session.seat", None, DIFFERING),
        (None, "service_id_not_allowed", OF_ANOTHER_SERVICE),
    ]
    assert connector("diff", "--config", stage.config, "--write", file, *key).exit_code == 2  # it is there already


def test_the_key_lies_apart_and_is_the_same_for_both(
    stage: Topics, key: tuple[str, Path], connector: Command, tmp_path: Path
) -> None:
    """With both at hand a PIN is found by trying; with another key everything would differ."""
    file, another = tmp_path / "before.jsonl", tmp_path / "another.key"
    short = tmp_path / "short.key"
    another.write_text("f" * 32)
    short.write_text("fifteen bytes..")
    for given in ((), ("--key-file", short), ("--key-file", tmp_path / "none.key")):
        run = connector("diff", "--config", stage.config, "--write", file, *given)
        assert (run.exit_code, "--key-file" in run.output, file.exists()) == (2, True, False)
    assert connector("diff", "--config", stage.config, "--write", file, "--sample", "2", *key).exit_code == 0
    run = connector("diff", "--config", stage.config, "--against", file, "--key-file", another)
    assert (run.exit_code, "another key" in run.output) == (2, True)


def test_records_that_are_gone_are_no_difference(
    stage: Topics, key: tuple[str, Path], connector: Command, tmp_path: Path
) -> None:
    """Retention may take them between the two versions."""
    file = tmp_path / "before.jsonl"
    assert connector("diff", "--config", stage.config, "--write", file, *key).exit_code == 0
    header, first, *rest = file.read_text().splitlines()
    partition, offset, told = json.loads(first)
    older = json.dumps([partition, offset - 1, told])
    file.write_text("\n".join([header, older, *rest]) + "\n")
    run = connector("diff", "--config", stage.config, "--against", file, *key)
    assert run.exit_code == 0
    assert "2 were there for one of the two only" in run.output


@pytest.mark.parametrize(
    "content", ['{"connector_diff":2,"topic":"t"}', '{"connector_diff":1,"version":"1","topic":"t","key":"x"}']
)
def test_a_file_of_another_kind_is_refused(
    stage: Topics, key: tuple[str, Path], connector: Command, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "before.jsonl"
    file.write_text(content)
    assert connector("diff", "--config", stage.config, "--against", file, *key).exit_code == 2


def test_either_compare_or_write(stage: Topics, connector: Command, tmp_path: Path) -> None:
    assert connector("diff", "--config", stage.config).exit_code == 2
    both = ("--against", stage.config, "--write", tmp_path / "new")
    assert connector("diff", "--config", stage.config, *both).exit_code == 2


BOOKING = {
    "type": "record",
    "name": "Booking",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "phone", "type": "string"},
        {"name": "seat", "type": ["null", "string"]},
    ],
}
OTHER_TYPE = {"type": "record", "name": "Other", "fields": []}


def mapping(seat: str) -> dict[str, object]:
    """From a booking to an event; with this text where it has no seat."""
    session = {"seat": {"path": "seat", "default": seat}}
    event = {"schema": "Booking", "eventId": "id", "serviceId": {"value": SERVICE}, "phoneNumber": "phone"}
    return {"events": [event | {"variables": {"session": session}}], "others": "skip"}


@pytest.fixture(scope="module")
def bookings(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    """Events of a producer's own schema, two of them without a seat, and a record of another type, to be mapped."""
    folder = tmp_path_factory.mktemp("bookings")
    stage = make(kafka, folder)
    (folder / "schemas").mkdir()
    for schema in (BOOKING, OTHER_TYPE):
        (folder / f"schemas/{schema['name']}.avsc").write_text(json.dumps(schema))
    encode = Encoder(json.dumps(BOOKING), Framing.SINGLE_OBJECT).encode
    seats = [None, None, "12A", "12B", "12C", "12D"]
    values = [encode({"id": f"b-{place}", "phone": PHONE, "seat": seat}) for place, seat in enumerate(seats)]
    values.append(Encoder(json.dumps(OTHER_TYPE), Framing.SINGLE_OBJECT).encode({}))
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for value in values:
        producer.produce(stage.main, value, PHONE, partition=0)
    assert producer.flush(60) == 0
    settings = json.loads(stage.config.read_text()) | {"schemas": {"folder": str(folder / "schemas")}}
    for file, seat in ((stage.config, "not yet assigned"), (folder / "next.yaml", "none")):
        file.write_text(json.dumps(settings | {"mapping": mapping(seat)}))
    return stage


def test_two_mappings_differ_where_they_do(bookings: Topics, connector: Command) -> None:
    """What both pass over is the same."""
    run = connector("diff", "--config", bookings.config, "--against", bookings.config.with_name("next.yaml"))
    assert run.exit_code == 1
    expected = f"of 7 records of {bookings.main} 5 are the same, 2 differ in variables.session.seat"
    assert run.output.splitlines()[0] == expected


def test_lint_judges_mapped_events_and_counts_what_is_passed_over(bookings: Topics, connector: Command) -> None:
    run = connector("lint", "--config", bookings.config)
    assert run.exit_code == 0, run.output
    assert run.output.splitlines()[0] == f"{bookings.main}: 7 records, 0 of them would be refused, 1 passed over"


def changed(bookings: Topics, file: Path, others: str, **event: object) -> Path:
    """The bookings' settings with another mapping, in a file beside them."""
    settings = json.loads(bookings.config.read_text())
    rules = mapping("none")
    rules["events"] = [{**rules["events"][0], **event}]  # type: ignore[index]  # what a mapping holds is any JSON
    file.write_text(json.dumps(settings | {"mapping": rules | {"others": others}}))
    return file


def test_what_one_mapping_passes_over_is_not_called_refused(
    bookings: Topics, tmp_path: Path, connector: Command
) -> None:
    other = changed(bookings, tmp_path / "other.yaml", "dead_letter")
    run = connector("diff", "--config", bookings.config, "--against", other)
    assert f"1 × passed over with {bookings.config}, refused as mapping_not_ours with {other}" in run.output


def test_lint_names_the_schema_of_what_a_mapping_refuses_and_how_to_see_its_way(
    bookings: Topics, tmp_path: Path, connector: Command
) -> None:
    """It was decoded, so that its schema is known; and the command that it prints shows which rule refused it."""
    config = changed(bookings, tmp_path / "refusing.yaml", "skip", eventId="seat")
    output = connector("lint", "--config", config).output
    assert "mapping_null in eventId (seat)" in output
    assert "schemas: Booking (fingerprint " in output
    command = output.strip().rpartition("to see the first of them: connector ")[2].split()
    assert command[0] == "map"
    shown = connector(*command)
    assert shown.exit_code == 1
    assert "refused at event: mapping_null" in shown.output


def test_the_help_of_a_rule_in_sarif_has_each_remedy_that_was_found(
    bookings: Topics, tmp_path: Path, connector: Command
) -> None:
    """A class of a mapping has one for each function."""
    session = {"seat": {"path": "seat", "then": ["digits"]}, "day": {"path": "id", "then": [{"time": "iso"}]}}
    config = changed(bookings, tmp_path / "two.yaml", "skip", variables={"session": session})
    (run,) = json.loads(connector("lint", "--config", config, "--format", "sarif").output)["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    remedies = {each["message"]["text"].partition("; ")[2] for each in run["results"]}
    assert len(remedies) == 2
    assert set(rule["help"]["text"].split("; or ")) == remedies
