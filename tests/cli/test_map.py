"""`connector map`: a mapping against schemas, and an event's way through it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Run

Configure = Callable[..., Path]

EXAMPLES = Path(__file__).parents[2] / "examples" / "mapping"
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir())
PHONES = {
    "cloudevent": "442079460018",
    "debezium": "491705550147",
    "flat-booking": "12125550147",
    "nested-order": "491715550147",
    "outbox": "61298765432",
}


def example(name: str, *more: str | Path) -> tuple[str | Path, ...]:
    folder = EXAMPLES / name
    explain = ("--explain", folder / "event.json", folder / "schema.avsc")
    return ("map", "--config", folder / "rules.yaml", *explain, *more)


@pytest.fixture
def mapping(tmp_path: Path) -> Callable[..., Path]:
    """The booking's mapping, with changes to its event."""

    def write(**changes: object) -> Path:
        tree = yaml.safe_load((EXAMPLES / "flat-booking/rules.yaml").read_text())
        tree["mapping"]["events"][0] |= changes
        file = tmp_path / "rules.yaml"
        file.write_text(json.dumps(tree))
        return file

    return write


class TestExplain:
    """`--explain`."""

    @pytest.mark.parametrize("name", NAMES)
    def test_each_example_becomes_the_event_that_it_should(self, connector: Run, name: str) -> None:
        run = connector(*example(name, "--reveal", "--json"))
        assert run.exit_code == 0, run.output
        event = json.loads(run.stdout)["event"]
        assert event["phoneNumber"] == PHONES[name]
        assert len(event["variables"]) >= 1
        assert event["createdAt"] < event["expiresAt"]

    @pytest.mark.parametrize("name", NAMES)
    def test_no_value_is_shown_unless_asked_for(self, connector: Run, name: str) -> None:
        """Neither the producer's number nor ours, nor a variable."""
        for more in ((), ("--json",)):
            run = connector(*example(name, *more))
            assert run.exit_code == 0, run.output
            shown = run.stdout
            assert PHONES[name] not in shown
            assert not any(word in shown for word in ("5550147", "555-0147", "7946 0018", "9876 5432", "Sam", "B12"))

    def test_times_are_dates_and_variables_have_a_line_each(self, connector: Run, mapping: Callable[..., Path]) -> None:
        """And what is null is called so, with values and without."""
        config = mapping(expiresAt="departure")
        arguments = ("map", "--config", config, *example("flat-booking")[3:])
        for reveal, seat in ((), "string of 3 characters"), (("--reveal",), "14C"):
            shown = connector(*arguments, *reveal).stdout
            lines = [line.split() for line in shown.splitlines()]
            assert ["expiresAt", "departure", "2026-11-29T19:15:00Z"] in lines
            assert ["expiresAt:", "2026-11-29T19:15:00Z"] in lines
            assert ["mobileOperatorId:", "null"] in lines
            assert f"  variables.session.seat: {seat}\n" in shown
            assert "None" not in shown

    @pytest.mark.parametrize("departure", ["2026-11-29T19:15:00Z", "2026-11-29T20:15:00.000+01:00", 1795979700000])
    def test_a_time_may_be_written_as_people_write_it(
        self, connector: Run, tmp_path: Path, departure: str | int
    ) -> None:
        run = connector(*self._departing(tmp_path, departure), "--json")
        assert run.exit_code == 0, run.output
        assert json.loads(run.stdout)["event"]["expiresAt"] == 1795979700000 - 30 * 60 * 1000

    @pytest.mark.parametrize("departure", ["19:15", "2026-11-30T19:15:00"])
    def test_a_time_without_its_zone_is_none(self, connector: Run, tmp_path: Path, departure: str) -> None:
        run = connector(*self._departing(tmp_path, departure))
        assert run.exit_code == 2
        shown = " ".join(run.output.replace("│", " ").split())
        assert f"departure: string of {len(departure)} characters is no time; write a number, or ISO 8601 with" in shown

    @pytest.mark.parametrize(
        ("departure", "is_past"), [("2001-01-01T00:00:00Z", True), ("2099-01-01T00:00:00Z", False)]
    )
    def test_an_event_whose_expiry_is_past_is_told_as_one(
        self, connector: Run, tmp_path: Path, departure: str, is_past: bool
    ) -> None:
        """It is mapped all the same: an example in a producer's CI grows old."""
        arguments = self._departing(tmp_path, departure)
        run = connector(*arguments)
        assert (run.exit_code, "\nexpiresAt is past: " in run.stdout) == (0, is_past)
        assert json.loads(connector(*arguments, "--json").stdout)["expired"] is is_past

    def test_a_symbol_is_no_secret(self, connector: Run, mapping: Callable[..., Path]) -> None:
        """What an enum can be stands in the schema; a text may be anything."""
        config = mapping(when=[{"path": "channel", "is": "AGENT"}, {"path": "seat", "is": "1A"}])
        shown = connector("map", "--config", config, *example("flat-booking")[3:]).stdout
        assert "channel is AGENT: does not hold, it is WEB\n" in shown
        assert "seat is 1A: does not hold, it is string of 3 characters\n" in shown

    @staticmethod
    def _departing(tmp_path: Path, departure: str | int) -> tuple[str | Path, ...]:
        folder, file = EXAMPLES / "flat-booking", tmp_path / "event.json"
        file.write_text(json.dumps(json.loads((folder / "event.json").read_text()) | {"departure": departure}))
        return ("map", "--config", folder / "rules.yaml", "--explain", file, folder / "schema.avsc")

    def test_each_step_is_told(self, connector: Run) -> None:
        lines = [line.split() for line in connector(*example("debezium")).stdout.splitlines()]
        assert ["op", "is", "u:", "holds"] in lines
        assert ["phoneNumber", "after.msisdn", "string", "of", "12", "characters"] in lines
        assert ["phone", "after.country", "string", "of", "12", "characters"] in lines

    def test_a_refusal_is_told_as_it_would_be_in_a_dead_letter(self, connector: Run, tmp_path: Path) -> None:
        """Where it happens, and with exit code 1."""
        event = json.loads((EXAMPLES / "outbox/event.json").read_text()) | {"payload": '{"patient": {"phone": "x"}}'}
        file = tmp_path / "event.json"
        file.write_text(json.dumps(event))
        folder = EXAMPLES / "outbox"
        run = connector("map", "--config", folder / "rules.yaml", "--explain", file, folder / "schema.avsc")
        assert run.exit_code == 1
        assert "refused at event: mapping_bad_value" in run.stdout
        assert "phoneNumber (payload.patient.phone): mapping_bad_value (string of 1 characters that is" in run.stdout
        as_json = connector(
            "map", "--config", folder / "rules.yaml", "--explain", file, folder / "schema.avsc", "--json"
        )
        assert json.loads(as_json.stdout)["refusal"]["class"] == "mapping_bad_value"

    def test_an_event_that_the_vendors_rules_refuse_is_told_too(
        self, connector: Run, mapping: Callable[..., Path]
    ) -> None:
        config = mapping(eventId="customerName")
        run = connector("map", "--config", config, *example("flat-booking")[3:])
        assert run.exit_code == 1
        assert "refused at request: bad_event_id" in run.stdout

    def test_what_is_passed_over_is_said(self, connector: Run, tmp_path: Path) -> None:
        """With the condition that does not hold."""
        event = json.loads((EXAMPLES / "debezium/event.json").read_text()) | {"op": "d"}
        file = tmp_path / "event.json"
        file.write_text(json.dumps(event))
        folder = EXAMPLES / "debezium"
        run = connector("map", "--config", folder / "rules.yaml", "--explain", file, folder / "schema.avsc", "--reveal")
        assert run.exit_code == 1
        assert "op is u: does not hold, it is 'd'" in run.stdout
        assert "it is passed over (mapping.others: skip)" in run.stdout

    def test_a_schema_that_is_none_of_the_mappings_is_said(self, connector: Run) -> None:
        folder, other = EXAMPLES / "debezium", EXAMPLES / "flat-booking"
        around = ("--explain", folder / "event.json", folder / "schema.avsc")
        run = connector("map", "--config", other / "rules.yaml", *around)
        assert run.exit_code == 1
        assert "mapping_not_ours" in run.stdout

    def test_json_without_a_schema_has_its_record_around_it(self, connector: Run, tmp_path: Path) -> None:
        """As of a CloudEvent in binary mode."""
        config, event = tmp_path / "rules.yaml", tmp_path / "event.json"
        config.write_text(
            "mapping: {events: [{when: [{path: $header.ce_type, is: gate}], eventId: $header.ce_id, "
            "serviceId: {value: 0A}, phoneNumber: {path: $key, then: [digits]}, variables: {user: {a: price}}}]}"
        )
        event.write_text('{"price": 1.5}')
        around = ("--key", "+12025550123", "--header", "ce_type=gate", "--header", "ce_id=c-1")
        run = connector("map", "--config", config, "--explain", event, *around, "--reveal", "--json")
        assert run.exit_code == 0, run.output
        found = json.loads(run.stdout)["event"]
        assert (found["eventId"], found["phoneNumber"], found["variables"]) == (
            "c-1",
            "12025550123",
            {"user": {"a": 1.5}},
        )

    def test_a_service_that_the_settings_do_not_allow_is_refused(
        self, connector: Run, mapping: Callable[..., Path]
    ) -> None:
        """As it will be when the event comes, where the file has the settings."""
        config = mapping()
        for service_ids, exit_code in ([["0A"], 1], [{"any": True}, 0]):
            tree = json.loads(config.read_text()) | {"openmarket": {"service_ids": service_ids}}
            config.write_text(json.dumps(tree))
            run = connector("map", "--config", config, *example("flat-booking")[3:])
            assert run.exit_code == exit_code, run.output
            assert ("service_id_not_allowed" in run.stdout) is bool(exit_code)

    def test_a_record_needs_the_whole_settings(self, connector: Run, mapping: Callable[..., Path]) -> None:
        """A producer has none, and wonders what the connector's are doing here."""
        run = connector("map", "--config", mapping(), "--explain", "0:4711")
        assert run.exit_code == 2
        assert "a record is read from Kafka, which takes the connector's whole settings" in run.output

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("[]", "is not one JSON object"),
            ("{", "is not JSON"),
            ('{"bookingId": 5}', "is no event of"),
            ('{"zzz": 5}', "zzz is no field of it"),
        ],
    )
    def test_a_file_that_is_no_event_is_a_wrong_use(
        self, connector: Run, tmp_path: Path, given: str, words: str
    ) -> None:
        file = tmp_path / "event.json"
        file.write_text(given)
        folder = EXAMPLES / "flat-booking"
        run = connector("map", "--config", folder / "rules.yaml", "--explain", file, folder / "schema.avsc")
        assert run.exit_code == 2
        assert words in " ".join(run.output.replace("│", " ").split())

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("--check", "--explain", "0:1"),
            ("--check",),
            ("--explain", "nowhere.json"),
            ("--explain", EXAMPLES / "outbox/event.json"),
            ("--explain", EXAMPLES / "outbox/event.json", "--header", "x"),
            ("--explain", "0:1", "--key", "x"),
            ("--check", EXAMPLES / "outbox/event.json"),
            ("--check", "nowhere.avsc"),
        ],
    )
    def test_a_wrong_use_has_exit_code_2(self, connector: Run, arguments: tuple[str | Path, ...]) -> None:
        assert connector("map", "--config", EXAMPLES / "outbox/rules.yaml", *arguments).exit_code == 2


class TestCheck:
    """`--check`, in a producer's CI."""

    def test_every_example_fits_its_schema(self, connector: Run) -> None:
        for name in NAMES:
            folder = EXAMPLES / name
            run = connector("map", "--config", folder / "rules.yaml", "--check", folder / "schema.avsc")
            assert (run.exit_code, run.stdout.split()[0]) == (0, "ok"), run.output

    def test_a_field_that_vanished_fails_with_its_path(
        self, connector: Run, mapping: Callable[..., Path], tmp_path: Path
    ) -> None:
        schema = json.loads((EXAMPLES / "flat-booking/schema.avsc").read_text())
        schema["fields"] = [field for field in schema["fields"] if field["name"] != "seat"]
        file = tmp_path / "v2.avsc"
        file.write_text(json.dumps(schema))
        run = connector("map", "--config", mapping(), "--check", EXAMPLES / "flat-booking/schema.avsc", file)
        assert run.exit_code == 1
        assert "failed" in run.stdout
        assert "variables.session.seat: seat: it has no field seat" in run.stdout
        found = json.loads(connector("map", "--config", mapping(), "--check", file, "--json").stdout)
        assert [each["verdict"] for each in found["files"]] == ["failed"]

    def test_an_event_of_a_schema_that_does_not_fit_cannot_be_explained(
        self, connector: Run, mapping: Callable[..., Path]
    ) -> None:
        run = connector("map", "--config", mapping(createdAt="customerName"), *example("flat-booking")[3:])
        assert run.exit_code == 1
        assert "createdAt: customerName is string; integer or time is needed" in run.stderr

    def test_where_nothing_was_checked_nothing_is_good(self, connector: Run) -> None:
        """The mapping has no event of these files: a wrong name, perhaps."""
        ours = Path(__file__).parents[2] / "schemas/invocation-event.avsc"
        files = (EXAMPLES / "debezium/schema.avsc", ours)
        run = connector("map", "--config", EXAMPLES / "outbox/rules.yaml", "--check", *files)
        assert run.exit_code == 1
        assert "our own schema" in run.stdout
        assert "warning not checked: shop.public.outbox.Value" in run.stdout

    def test_a_version_with_another_namespace_fails(
        self, connector: Run, mapping: Callable[..., Path], tmp_path: Path
    ) -> None:
        """From a registry it holds its partition, so that a producer's CI must not pass it; nor is it passed over."""
        file = tmp_path / "v2.avsc"
        schema = json.loads((EXAMPLES / "flat-booking/schema.avsc").read_text())
        file.write_text(json.dumps(schema | {"namespace": "com.example.v2"}))
        first = EXAMPLES / "flat-booking/schema.avsc"
        run = connector("map", "--config", mapping(), "--check", first, file)
        assert run.exit_code == 1
        assert "com.example.v2.BookingConfirmed holds its partition:" in run.stdout
        assert "the mapping has an event of com.example.booking.BookingConfirmed, and none of this name" in run.stdout
        run = connector("map", "--config", mapping(), "--explain", EXAMPLES / "flat-booking/event.json", file)
        assert run.exit_code == 1
        assert "the mapping has an event of com.example.booking.BookingConfirmed" in run.stderr

    def test_unless_misfits_say_that_it_is_another_type(
        self, connector: Run, mapping: Callable[..., Path], tmp_path: Path
    ) -> None:
        config, file = mapping(), tmp_path / "v2.avsc"
        tree = json.loads(config.read_text())
        tree["mapping"]["misfits"] = "dead_letter"
        config.write_text(json.dumps(tree))
        schema = json.loads((EXAMPLES / "flat-booking/schema.avsc").read_text())
        file.write_text(json.dumps(schema | {"namespace": "com.example.v2"}))
        run = connector("map", "--config", config, "--check", EXAMPLES / "flat-booking/schema.avsc", file)
        assert (run.exit_code, run.stdout.splitlines()[1].split()[0]) == (0, "other")

    @pytest.mark.parametrize("swapped", [False, True])
    def test_an_event_in_a_schemas_place_is_a_wrong_use(self, connector: Run, swapped: bool) -> None:
        """Any object is a JSON Schema, which allows everything; or the two of `--explain` are swapped."""
        folder = EXAMPLES / "flat-booking"
        event, schema = folder / "event.json", folder / "schema.avsc"
        run = connector(
            "map", "--config", folder / "rules.yaml", *(("--explain", schema, event) if swapped else ("--check", event))
        )
        assert run.exit_code == 2
        assert "is no schema: an Avro schema is a file *.avsc" in " ".join(run.output.replace("│", " ").split())

    @pytest.mark.parametrize("of", [{"type": "object"}, {"type": ["object", "null"]}, {}])
    def test_a_json_schema_is_checked(self, connector: Run, tmp_path: Path, of: dict[str, object]) -> None:
        config, schema = tmp_path / "rules.yaml", tmp_path / "gate.json"
        config.write_text("mapping: {events: [{eventId: id, serviceId: {value: 0A}, phoneNumber: phone}]}")
        text = {"type": "string"}
        schema.write_text(json.dumps({**of, "properties": {"id": text, "phone": text}}))
        run = connector("map", "--config", config, "--check", schema)
        assert (run.exit_code, run.stdout.split()[0]) == (0, "ok")

    def test_a_file_that_is_not_there_is_named_once(self, connector: Run) -> None:
        run = connector("map", "--config", EXAMPLES / "outbox/rules.yaml", "--check", "nope.avsc")
        assert "nope.avsc cannot be read (No such file or directory)" in run.output
        assert run.output.count("nope.avsc") == 1

    def test_a_record_in_a_list_of_types_is_found(
        self, connector: Run, mapping: Callable[..., Path], tmp_path: Path
    ) -> None:
        """As Avro's plugin for Maven takes them, and public repositories have them."""
        schema = json.loads((EXAMPLES / "flat-booking/schema.avsc").read_text())
        channel, schema["fields"][1]["type"] = schema["fields"][1]["type"], "Channel"
        other = {"type": "record", "name": "com.example.Other", "fields": []}
        file = tmp_path / "types.avsc"
        file.write_text(json.dumps([channel | {"namespace": "com.example.booking"}, other, schema]))
        run = connector("map", "--config", mapping(), "--check", file)
        fits = "the mapping fits com.example.booking.BookingConfirmed, of which it has 1 event"
        warning = (
            "warning: a list, which cannot be used as the schema of a subject: register each record under a subject"
        )
        assert run.stdout == f"ok      {file}: {fits}\n        {warning} of its own\n"
        event = EXAMPLES / "flat-booking/event.json"
        run = connector("map", "--config", mapping(), "--explain", event, file)
        assert (run.exit_code, run.stdout.split("\n")[1]) == (0, "com.example.booking.BookingConfirmed: takes it")
        file.write_text(json.dumps([other, other | {"name": "com.example.Third"}]))
        assert "other  " in connector("map", "--config", mapping(), "--check", file).stdout
        run = connector("map", "--config", mapping(), "--explain", event, file)
        assert (run.exit_code, "has no records of the mapping" in run.output) == (2, True)

    def test_types_of_other_files_are_known(self, connector: Run, mapping: Callable[..., Path], tmp_path: Path) -> None:
        schema = json.loads((EXAMPLES / "flat-booking/schema.avsc").read_text())
        channel, schema["fields"][1]["type"] = schema["fields"][1]["type"], "com.example.booking.Channel"
        for name, text in ("channel.avsc", channel | {"namespace": "com.example.booking"}), ("booking.avsc", schema):
            (tmp_path / name).write_text(json.dumps(text))
        files = (tmp_path / "booking.avsc", tmp_path / "channel.avsc")
        assert connector("map", "--config", mapping(), "--check", files[0]).exit_code == 2
        assert "a type that is no record" in connector("map", "--config", mapping(), "--check", *files).stdout
