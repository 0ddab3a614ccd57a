"""A mapping, checked against a schema's type and made of plain calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.event import InvocationEvent, event_from
from connector.core.mapping import steps
from connector.core.mapping.compiled import Compiled, compiled, others
from connector.core.mapping.errors import (
    BAD_VALUE,
    CONDITION,
    MAPPING_CODES,
    NO_ENTRY,
    NOT_OURS,
    NULL,
    OTHER_TYPE,
    Misfit,
    NotOurs,
)
from connector.core.mapping.explained import explained
from connector.core.mapping.paths import path_of
from connector.core.mapping.rules import Condition, Constant, Event, First, From, Join, Rules, Source, paths_of
from connector.core.mapping.types import (
    ANYTHING,
    Anything,
    Fields,
    Items,
    Kind,
    Leaf,
    Type,
    Values,
    distinct,
    leaf,
    resolved,
)
from connector.core.record import Partition, Record
from connector.core.refusal import Refusal, Stage

RECORD = Record(Partition("bookings", 0), 7, 1_795_968_000_000, b"+49 170 5550147", b"", (("ce_id", b"c-1"),))
NAME = "com.example.Booking"


def union(*kinds: Kind, nullable: bool = False) -> Type:
    return Type(tuple(map(Leaf, kinds)), nullable, f"[{', '.join(kinds)}]")


PASSENGER = Type(
    (Fields({"phone": leaf(Kind.TEXT, "string"), "age": leaf(Kind.INTEGER, "int")}),), False, "a passenger"
)
CONTACT = Type(
    (
        Fields(
            {
                "kind": Type((Leaf(Kind.TEXT, frozenset({"MOBILE", "MAIL"})),), False, "enum Kind"),
                "use": leaf(Kind.TEXT, "string"),
                "rank": leaf(Kind.INTEGER, "int"),
                "number": leaf(Kind.TEXT, "string"),
            }
        ),
    ),
    False,
    "a contact",
)
PARTLY = Type((Fields({"kind": ANYTHING, "number": leaf(Kind.TEXT, "string")}),), False, "a contact")
WHOLE = Type(
    (
        Fields(
            {
                "id": leaf(Kind.TEXT, "string"),
                "number": leaf(Kind.INTEGER, "long"),
                "price": leaf(Kind.DOUBLE, "double"),
                "paid": leaf(Kind.BOOLEAN, "boolean"),
                "raw": leaf(Kind.BYTES, "bytes"),
                "at": leaf(Kind.TIME, "long (timestamp-millis)"),
                "status": Type((Leaf(Kind.TEXT, frozenset({"NEW", "PAID"})),), False, "enum Status"),
                "day": Type((Leaf(Kind.TEXT, is_local=True),), True, "int (date)"),
                "dated": Type((Leaf(Kind.TEXT, is_local=True), Leaf(Kind.TEXT)), False, "[int (date), string]"),
                "mixed": union(Kind.TEXT, Kind.BYTES),
                "timed": union(Kind.TEXT, Kind.TIME),
                "unclear": union(Kind.INTEGER, Kind.TIME),
                "note": leaf(Kind.TEXT, "string", nullable=True),
                "passenger": PASSENGER._replace(nullable=True),
                "passengers": Type((Items(PASSENGER),), False, "an array"),
                "contacts": Type((Items(CONTACT),), False, "an array"),
                "words": Type((Items(leaf(Kind.TEXT, "string")),), False, "an array"),
                "loose": Type((Items(ANYTHING),), False, "an array"),
                "partly": Type((Items(PARTLY),), False, "an array"),
                "labels": Type((Values(leaf(Kind.TEXT)),), False, "a map"),
                "free": ANYTHING,
                "either": Type(
                    (Fields({"a": leaf(Kind.TEXT)}), Fields({"b": leaf(Kind.INTEGER)})), False, "[record A, record B]"
                ),
            }
        ),
    ),
    False,
    "record Booking",
)
FIELDS = {
    "id": "b-1",
    "number": 17,
    "price": 49.0,
    "paid": True,
    "raw": b"r",
    "at": 1_795_968_000_000,
    "status": "PAID",
    "mixed": "m",
    "timed": 1_795_968_000_000,
    "unclear": 1,
    "note": None,
    "passenger": {"phone": "491705550147", "age": 30},
    "passengers": [{"phone": "491705550148", "age": 31}],
    "labels": {"x": "y"},
    "free": None,
    "either": {"a": "A"},
}


def path(text: str, *then: steps.Step, default: Constant | None = None, optional: bool = False) -> Source:
    return Source(From(path_of(text), optional), then, default)


def constant(value: steps.Scalar) -> Source:
    return Source(Constant(value))


BASE = {"eventId": path("id"), "serviceId": constant("0A"), "phoneNumber": path("passenger.phone")}


def event(
    schema: str | None = NAME, when: Iterable[Condition] = (), json: Iterable[str] = (), **sources: Source
) -> Event:
    given = {name.replace("__", "."): source for name, source in sources.items()}
    return Event(schema, tuple(when), tuple(map(path_of, json)), {**BASE, **given})


def mapping(*events: Event, whole: Type = WHOLE, **rules: bool) -> Compiled:
    found = compiled(Rules(events, **rules), events[0].schema, whole)
    assert isinstance(found, Compiled), found
    return found


def mapped(one: Event, whole: Type = WHOLE, **fields: Any) -> dict[str, Any]:
    found = mapping(one, whole=whole).of({**FIELDS, **fields}, RECORD)
    assert isinstance(found, dict), found
    assert isinstance(event_from(found), InvocationEvent)
    return found


def refused(one: Event, whole: Type = WHOLE, **fields: Any) -> Refusal:
    found = mapping(one, whole=whole).of({**FIELDS, **fields}, RECORD)
    assert isinstance(found, Refusal), found
    return found


def unfit(one: Event, whole: Type = WHOLE) -> str:
    found = compiled(Rules((one,)), NAME, whole)
    assert isinstance(found, Misfit), found
    assert found.schema == NAME
    return "\n".join(found.problems)


def value_of(source: Source, whole: Type = WHOLE, **fields: Any) -> Any:
    """What a variable becomes; None: it is left out."""
    return mapped(event(variables__session__v=source), whole, **fields)["variables"].get("session", {}).get("v")


class TestOf:
    """`Compiled.of`: fields of ours, a refusal, or that it is none of ours."""

    def test_the_fields_are_ours(self) -> None:
        """All seven are there, so that nothing has to look for what is absent."""
        found = mapped(
            event(
                mobileOperatorId=path("number"),
                createdAt=path("$timestamp"),
                expiresAt=path("at", steps.plus("plus 1s", 1000)),
                variables__session__seat=path("passengers[0].phone", steps.truncate(4)),
                variables__session__note=path("note"),
                variables__user__x=path("labels.x"),
                variables__request__none=path("labels.none"),
            )
        )
        assert found == {
            "eventId": "b-1",
            "serviceId": "0A",
            "phoneNumber": "491705550147",
            "mobileOperatorId": 17,
            "variables": {"session": {"seat": "4917"}, "user": {"x": "y"}},
            "createdAt": RECORD.timestamp_ms,
            "expiresAt": FIELDS["at"] + 1000,  # type: ignore[operator]  # values of many types
        }

    def test_a_number_is_a_text_where_a_text_is_wanted(self) -> None:
        assert mapped(event(eventId=path("number")))["eventId"] == "17"
        assert mapped(event(phoneNumber=path("$key", steps.digits())))["phoneNumber"] == "491705550147"

    @pytest.mark.parametrize(
        ("source", "value"),
        [
            (path("number"), 17),
            (path("price"), 49.0),
            (path("paid"), True),
            (path("at"), "2026-11-29T16:00:00Z"),
            (path("timed"), "2026-11-29T16:00:00Z"),
            (path("raw", steps.text()), "r"),
            (path("at", steps.lower()), "2026-11-29t16:00:00z"),
            (path("either.a"), "A"),
            (path("either.b"), None),
            (path("mixed"), "m"),
            (path("nowhere", optional=True), None),
            (path("nowhere", default=Constant("d"), optional=True), "d"),
            (path("note", default=Constant("d")), "d"),
            (path("note", default=Constant(None)), None),
            (path("note", steps.upper(), steps.trim()), None),
            (path("id", steps.upper(), steps.trim()), "B-1"),
            (path("note", steps.upper(), steps.trim(), default=Constant(7)), 7),
            (path("id", steps.lookup({"b-1": "found"})), "found"),
            (path("id", steps.lookup({"x": "y"}), default=Constant("other")), "other"),
            (path("id", steps.lookup({"x": "y"}), steps.upper(), default=Constant(None)), None),
            (path("$header.ce_id"), "c-1"),
            (path("at", steps.format_time("%H", None, path_of("note"))), "16"),
            (Source(Join((path("id"), path("note"), path("number"), path("at")), "/")), "b-1/17/2026-11-29T16:00:00Z"),
            (Source(Join((path("note"), path("passenger.phone"))), (steps.truncate(2),)), "49"),
            (Source(Join((path("note"),))), None),
            (path("id", steps.null_if(frozenset({"b-1"})), steps.upper()), None),
            (path("id", steps.null_if(frozenset({"b-1"})), default=Constant("none")), "none"),
            (Source(First((path("id", steps.null_if(frozenset({"b-1"}))), path("number")))), 17),
            (Source(First((path("note"), path("number")))), 17),
            (Source(First((path("note", default=Constant("n")), path("number")))), "n"),
            (Source(First((path("note"), path("free")))), None),
        ],
    )
    def test_a_source(self, source: Source, value: object) -> None:
        assert value_of(source) == value

    def test_a_timed_union_keeps_its_text(self) -> None:
        assert value_of(path("timed"), timed="soon") == "soon"

    def test_what_is_null_and_needed_is_refused_with_its_path(self) -> None:
        found = refused(event(), passenger=None)
        assert (found.stage, found.code) == (Stage.EVENT, NULL)
        assert found.reason.startswith("phoneNumber (passenger.phone): mapping_null (null)")

    def test_every_problem_is_told_and_no_value(self) -> None:
        found = refused(
            event(
                phoneNumber=path("passenger.phone", steps.phone("DE", None)),
                variables__user__code=path("id", steps.lookup({"x": "y"})),
                variables__user__bytes=path("mixed"),
                createdAt=path("id", steps.time("iso", None, None)),
            ),
            passenger={"phone": "planted"},
            mixed=b"planted",
        )
        assert [each.code for each in found.problems] == [BAD_VALUE, NO_ENTRY, BAD_VALUE, BAD_VALUE]
        assert "planted" not in found.reason

    def test_no_more_problems_are_told_than_a_line_can_hold(self) -> None:
        many = {f"variables.user.v{n}": path("mixed") for n in range(50)}
        one = event()
        assert len(refused(one._replace(sources={**one.sources, **many}), mixed=b"").problems) == 32

    def test_only_what_names_its_schema_takes_a_record(self) -> None:
        rules = Rules((event(),))
        assert compiled(rules, "com.example.Other", WHOLE) is None
        assert compiled(rules, None, WHOLE) is None


class TestWhen:
    """Which event takes a record."""

    @pytest.mark.parametrize(
        ("condition", "holds"),
        [
            (Condition(path_of("status"), one_of=("PAID",)), True),
            (Condition(path_of("status"), one_of=("NEW",)), False),
            (Condition(path_of("status"), none_of=("NEW",)), True),
            (Condition(path_of("status"), none_of=("PAID", "NEW")), False),
            (Condition(path_of("number"), one_of=(17,)), True),
            (Condition(path_of("paid"), one_of=(True,)), True),
            (Condition(path_of("free"), one_of=(1,)), False),
            (Condition(path_of("free"), none_of=(1,)), True),
            (Condition(path_of("note"), present=False), True),
            (Condition(path_of("passenger"), present=True), True),
            (Condition(path_of("$header.ce_id"), one_of=("c-1",)), True),
            (Condition(path_of("at"), one_of=(5,)), False),
            (Condition(path_of("note"), none_of=("x",)), True),
            (Condition(path_of("passenger.phone"), differs_from=path_of("passengers[0].phone")), True),
            (Condition(path_of("note"), differs_from=path_of("passengers[1].phone")), False),
            (Condition(path_of("$header.ce_id"), differs_from=path_of("note")), True),
        ],
    )
    def test_a_condition(self, condition: Condition, holds: bool) -> None:
        found = mapping(event(when=[condition]), skips_others=True).of(dict(FIELDS), RECORD)
        assert found == NotOurs(CONDITION) if not holds else isinstance(found, dict)

    def test_a_boolean_is_no_number(self) -> None:
        """Python takes True for 1."""
        one = event(when=[Condition(path_of("free"), one_of=(1,))])
        assert isinstance(mapping(one).of({**FIELDS, "free": True}, RECORD), Refusal)
        assert isinstance(mapping(one).of({**FIELDS, "free": [1]}, RECORD), Refusal)

    def test_a_header_that_is_no_text_is_none_of_these(self) -> None:
        one = event(when=[Condition(path_of("$header.ce_id"), present=True)])
        assert isinstance(mapping(one).of(dict(FIELDS), RECORD._replace(headers=(("ce_id", b"\xff"),))), Refusal)

    def test_the_first_that_takes_it_counts(self) -> None:
        first = event(when=[Condition(path_of("status"), one_of=("NEW",))], serviceId=constant("01"))
        second = event(when=[Condition(path_of("status"), one_of=("PAID",))], serviceId=constant("02"))
        found = mapping(first, second, event(serviceId=constant("03"))).of(dict(FIELDS), RECORD)
        assert isinstance(found, dict)
        assert found["serviceId"] == "02"

    def test_what_no_event_takes_is_refused_or_passed_over(self) -> None:
        one = event(when=[Condition(path_of("note"), present=True)])
        found = mapping(one).of(dict(FIELDS), RECORD)
        assert isinstance(found, Refusal)
        assert (found.stage, found.code) == (Stage.EVENT, NOT_OURS)
        assert NAME in found.reason

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("com.example.Bokking", "nearly com.example.Booking"),
            ("org.other.Thing", "record org.other.Thing,"),
            (None, "an event without a schema"),
            ("t.T491705550147", "a record of another name"),
        ],
    )
    def test_a_type_that_is_none_of_ours_is_named(self, name: str | None, words: str) -> None:
        """Unless a phone number could hide in its name."""
        found = others(Rules((event(), event(schema=None))), name)
        assert isinstance(found, Refusal)
        assert words in found.reason

    def test_or_passed_over(self) -> None:
        assert others(Rules((event(),), skips_others=True), "org.other.Thing") == NotOurs(OTHER_TYPE)


class TestHalves:
    """Half of a number or id is another one: a join that lacks a part is null where every event needs the field."""

    @pytest.mark.parametrize("field", ["eventId", "serviceId", "phoneNumber"])
    def test_is_refused(self, field: str) -> None:
        lacking = Source(Join((path("note"), path("id"))), (steps.lower(),))
        for source in (lacking, Source(First((lacking,)))):
            sources: dict[str, Any] = {field: source}
            assert [each.code for each in refused(event(**sources)).problems] == [NULL]

    @pytest.mark.parametrize("empty", ["", " ", "\u00a0\n"])
    def test_a_part_of_nothing_but_spaces_is_half_too(self, empty: str) -> None:
        """A schema without null has an empty text where there is no country code; the rest is a stranger's number."""
        join = Source(Join((constant("+"), path("id"), constant(" "), path("passenger.phone"))))
        found = refused(event(phoneNumber=join), id=empty)
        assert "phoneNumber (join): mapping_null" in str(found.reason)

    def test_unless_a_part_has_a_default(self) -> None:
        source = Source(Join((path("note", default=Constant("0")), path("id"))))
        assert mapped(event(eventId=source))["eventId"] == "0b-1"

    @pytest.mark.parametrize(("default", "text"), [(49, "49"), (True, "true"), (0.5, "0.5")])
    def test_a_default_that_is_no_text_is_made_one_as_any_other_value(self, default: steps.Scalar, text: str) -> None:
        part = path("note", default=Constant(default))
        assert mapped(event(eventId=Source(Join((part, path("id"))))))["eventId"] == f"{text}b-1"
        assert value_of(Source(Join((part, path("id"))))) == f"{text}b-1"
        (story,) = explained(mapping(event(eventId=Source(Join((part, path("id")))))), dict(FIELDS), RECORD)
        assert story.fields is not None
        assert [each.value for each in story.fields["eventId"]] == [None, text, "b-1", f"{text}b-1"]

    def test_a_default_that_can_be_no_text_does_not_fit(self) -> None:
        part = path("note", default=Constant(2.0**53))
        assert "id: the default is a double from 2^53" in unfit(event(variables__user__id=Source(Join((part,)))))

    def test_of_a_variable_the_rest_is_taken(self) -> None:
        source = Source(Join((path("note"), path("id"))))
        assert mapped(event(variables__user__a=source))["variables"] == {"user": {"a": "b-1"}}


class TestDialled:
    """A join that becomes a phone number looks at each part: what was computed with can be hidden by what follows."""

    @pytest.mark.parametrize("step", [steps.digits(), steps.phone("DE", None)])
    @pytest.mark.parametrize("separator", ["", " ", "-"])
    @pytest.mark.parametrize(
        ("first", "second"),
        [("49", "1705550147.0"), ("49.0", "1705550147"), ("+49170555.0", "0147"), ("+49", "-1705550147")],
    )
    def test_no_part_was_computed_with(self, step: steps.Step, separator: str, first: str, second: str) -> None:
        join = Source(Join((path("id"), path("status")), separator))
        for source in (
            join._replace(then=(steps.trim(), step)),
            Source(First((join,)), (step,)),
            Source(Join((join,)), (step,)),
        ):
            (problem,) = refused(event(phoneNumber=source), id=first, status=second).problems
            assert problem.code == BAD_VALUE
            assert "that is a number to compute with" in problem.shape

    def test_other_joins_take_any_text(self) -> None:
        source = Source(Join((path("id"), path("status")), "-"))
        assert mapped(event(eventId=source), id="49.0", status="1E5")["eventId"] == "49.0-1E5"
        dialled = source._replace(then=(steps.digits(),))
        assert mapped(event(phoneNumber=dialled), id="+49 170", status="555 01.00")["phoneNumber"] == "491705550100"


def test_a_time_beside_what_no_schema_tells_is_still_a_time() -> None:
    """Of a field that takes times."""
    one = event(createdAt=Source(First((path("free"), path("at")))))
    assert mapped(one)["createdAt"] == FIELDS["at"]


class TestJson:
    """Texts that hold JSON are opened, and what is in them is looked at when it comes."""

    ONE = event(
        json=["id", "raw", "passengers[0].phone"], eventId=path("id.key"), variables__user__v=path("raw.list[0]")
    )

    def test_paths_go_on_inside(self) -> None:
        found = mapped(self.ONE, id='{"key": "k"}', raw=b'{"list": [1]}')
        assert (found["eventId"], found["variables"]) == ("k", {"user": {"v": 1}})

    @pytest.mark.parametrize(("text", "key"), [('"k"', "k"), ("17", "17"), ('{"a": 1}', None), ("[1]", None)])
    def test_what_the_json_is_as_a_whole_is_looked_at_when_it_comes(self, text: str, key: str | None) -> None:
        """It is a text in the schema, and has been opened."""
        one = event(json=["id"], eventId=Source(Join((path("id"), path("passenger.phone")), "-"), (steps.trim(),)))
        if key is None:
            assert "eventId (join): mapping_bad_value" in refused(one, id=text).reason
        else:
            assert mapped(one, id=text)["eventId"] == f"{key}-491705550147"

    def test_what_is_no_json_is_refused_with_its_path(self) -> None:
        found = refused(self.ONE, id='{"key":', passengers=[])
        assert found.reason.startswith("json: mapping_bad_value (id: string of 7 characters: it is no JSON)")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ('{"key": "k", "v": NaN}', "it is no JSON"),
            ('{"key": "k", "key": "l"}', "with key twice"),
            ('{"key": 12345678901234567890}', "more than 64 bits"),
            ('{"key": 0.12345678901234567891}', "more digits than a double has"),
            ('{"key": 1e-999999999999999999999}', "more digits than a double has"),
            ("[" * 40 + "]" * 40, "nested more than 32 deep"),
            ('"\ud83d"', "is no JSON"),
        ],
    )
    def test_json_that_says_two_things_or_less_than_was_meant_is_refused(self, text: str, words: str) -> None:
        """Whatever is asked of it, and whatever becomes of others: nobody knows what it would have said."""
        one = event(json=["id"], when=[Condition(path_of("id.key"), one_of=("other",))], eventId=path("id.key"))
        found = mapping(one, skips_others=True).of({**FIELDS, "id": text}, RECORD)
        assert isinstance(found, Refusal)
        assert words in found.reason

    def test_what_is_asked_outside_of_it_comes_first(self) -> None:
        """Another event may take the same field for plain text, and finds it as it was."""
        one = event(json=["id"], when=[Condition(path_of("status"), one_of=("NEW",))], eventId=path("id.key"))
        inside = event(json=["id"], when=[Condition(path_of("id.key"), one_of=("other",))], eventId=path("id.key"))
        plain = event(eventId=path("id", steps.truncate(4)))
        for text, first in (("no JSON", one), ('{"key": 1}', inside)):
            found = mapping(first, plain).of({**FIELDS, "id": text}, RECORD)
            assert isinstance(found, dict)
            assert found["eventId"] == text[:4]

    def test_json_may_lie_in_json(self) -> None:
        one = event(json=["id.inner", "id"], eventId=path("id.inner.key"))
        assert mapped(one, id='{"inner": "{\\"key\\": \\"k\\"}"}')["eventId"] == "k"

    def test_the_producers_event_stays_as_it_was(self) -> None:
        fields = {**FIELDS, "id": '{"key": "k"}', "raw": b"[]", "passengers": [{"phone": '{"a": 1}'}]}
        before = repr(fields)
        assert isinstance(mapping(self.ONE).of(fields, RECORD), dict)
        assert repr(fields) == before

    def test_what_the_json_holds_is_held_against_what_is_needed(self) -> None:
        found = refused(self.ONE, id='{"key": {}}', raw=b"[]")
        assert found.reason.startswith("eventId (id.key): mapping_bad_value (map of 0 entries)")
        assert isinstance(mapping(self.ONE).of({"id": '{"key": "k"}'}, RECORD), Refusal)

    def test_it_must_be_text_or_bytes(self) -> None:
        assert "json: $key: only what lies in the event can be opened" in unfit(event(json=["$key"]))
        assert "json: number: it is long, and JSON is in text or bytes" in unfit(event(json=["number"]))
        assert "json: nowhere: it has no field nowhere" in unfit(event(json=["nowhere"]))

    def test_whatever_is_there_a_record_is_mapped_or_refused(self) -> None:
        one = event(None, json=["a[0]"], eventId=path("a[0].b"))
        for a in (None, "x", [], ["{}"], [1], [{"b": 2}], {"0": 1}):
            assert isinstance(mapping(one, whole=ANYTHING).of({"a": a}, RECORD), Refusal)


class TestMisfit:
    """What a schema does not have, or has of another type, shows before a record is read."""

    @pytest.mark.parametrize(
        ("field", "origin", "default", "said"),
        [
            ("createdAt", "at", "2026-11-30", "text; integer or time is needed"),
            ("expiresAt", "at", True, "boolean; integer or time is needed"),
            ("mobileOperatorId", "passenger.age", "12", "text; integer is needed"),
            ("serviceId", "note", 0.5, "double; text is needed"),
        ],
    )
    def test_a_default_that_its_field_never_takes_is_one(
        self, field: str, origin: str, default: steps.Scalar, said: str
    ) -> None:
        """Or each event without a value of its own would be refused when it comes."""
        sources: dict[str, Any] = {field: path(origin, default=Constant(default))}
        assert unfit(event(**sources)) == f"{field}: the default is {said}"

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            (path("passenger.fone"), "passenger has no field fone; did you mean phone?"),
            (path("passenger.PHONE"), "passenger has no field PHONE; did you mean phone?"),
            (
                path("zzz"),
                "it has no field zzz; it has id, number, price, paid, raw, at, status,",
            ),
            (path("id.x"), "id is string, which has no fields"),
            (path("id[0]"), "id is string, which has no items"),
            (path("passengers[0].fone"), "passengers[0] has no field fone"),
            (path("contacts[kind=MOBILE].numbr"), "contacts[kind=MOBILE] has no field numbr; did you mean number?"),
            (path("contacts[kin=MOBILE].number"), "contacts has items, of which each has no field kin; did you mean"),
            (path("contacts[rank=1].number"), "contacts has items whose rank is int, and is compared with text"),
            (
                path("contacts[kind=MOBIL].number"),
                "contacts has items whose kind is enum Kind, which has no MOBIL; did you mean MOBILE?",
            ),
            (path("passenger[kind=MOBILE].number"), "passenger is a passenger, which has no items"),
            (path("words[kind=MOBILE]"), "words has items, of which each is string, which has no fields"),
            (path("passenger"), "it is a passenger, and a simple value is needed"),
            (path("raw"), "raw is bytes; boolean or double or integer or text is needed, not bytes; then: [text]"),
            (path("paid", steps.digits()), "paid is boolean; digits takes integer or text, not boolean"),
            (path("id", steps.digits(), steps.plus("plus 1s", 1)), "digits gives text; plus 1s takes"),
            (
                path("at", steps.time("micros", None, None)),
                "which is a time already; time micros reads a number; leave",
            ),
            (
                path("at", steps.number()),
                "at is long (timestamp-millis), which is a time already; number reads a number",
            ),
            (path("at", steps.digits()), "which is a time already; digits reads a number"),
            (path("day", steps.time("iso", None, None)), "day is int (date), which has no zone; then: [{time: {format"),
            (path("at", steps.phone("DE", None)), "which is a time already; phone DE reads a number"),
            (path("unclear"), "nothing tells a time from another number"),
            (Source(First((path("at"), path("free")))), "nothing tells a time from another number; format_time makes"),
            (Source(First((path("free"), path("at"))), (steps.trim(),)), "nothing tells a time from another number"),
            (path("id", steps.phone(None, path_of("nowhere"))), "nowhere: it has no field nowhere"),
            (Source(Join((path("raw"),))), "then: [text] reads bytes as UTF-8"),
            (Source(First((path("raw"), path("id", steps.plus("plus 1s", 1))))), "id is string; plus 1s takes"),
            (Source(First((path("raw"),))), "raw is bytes;"),
            (constant(True), ""),
        ],
    )
    def test_a_source_that_does_not_fit(self, source: Source, words: str) -> None:
        found = unfit(event(variables__session__v=source, phoneNumber=path("paid")))
        assert words in found
        assert "phoneNumber: paid is boolean; text is needed, not boolean; name a function" in found

    def test_a_date_becomes_a_time_in_a_zone_only(self) -> None:
        """Without one every event would be refused when it comes; of a union the text may have its own."""
        words = (
            "day is int (date); integer or time is needed, not text; then: [{time: {format: iso, zone: Europe/Berlin}}]"
        )
        assert words in unfit(event(createdAt=path("day")))
        in_berlin = event(createdAt=path("day", steps.time("iso", "Europe/Berlin", None)))
        assert mapped(in_berlin, day="2026-12-01")["createdAt"] == 1_796_079_600_000
        either = event(createdAt=path("dated", steps.time("iso", None, None)))
        assert mapped(either, dated="2026-12-01T00:00:00Z")["createdAt"] == 1_796_083_200_000

    def test_json_cannot_be_opened_in_an_item_that_is_searched_for(self) -> None:
        words = "json: contacts[kind=MAIL].number: name the item by its place"
        assert words in unfit(event(json=["contacts[kind=MAIL].number"]))

    def test_a_path_that_a_schema_may_lack_is_checked_where_it_is_there(self) -> None:
        assert "a simple value is needed" in unfit(event(variables__user__v=path("passenger", optional=True)))

    @pytest.mark.parametrize(
        ("condition", "words"),
        [
            (Condition(path_of("stats"), one_of=("NEW",)), "when: stats: it has no field stats; did you mean status?"),
            (Condition(path_of("id"), differs_from=path_of("stats")), "when: stats: it has no field stats"),
            (
                Condition(path_of("status"), one_of=("OLD",)),
                "when: status: it is enum Status, which has no OLD; it has ",
            ),
            (Condition(path_of("status"), one_of=("new",)), "which has no new; did you mean NEW?"),
            (Condition(path_of("id"), one_of=(True,)), "is compared with boolean; put it in quotes"),
            (Condition(path_of("number"), none_of=("1",)), "is compared with text"),
        ],
    )
    def test_a_condition_that_can_never_hold(self, condition: Condition, words: str) -> None:
        """Or that always does, which is as wrong."""
        assert words in unfit(event(when=[condition]))

    def test_every_problem_of_every_event_is_told_once(self) -> None:
        wrong = event(createdAt=path("id"), expiresAt=path("gone"))
        found = compiled(
            Rules((wrong, event(when=[Condition(path_of("id"), present=True)], createdAt=path("id")))), NAME, WHOLE
        )
        assert isinstance(found, Misfit)
        assert [problem.split(":")[0] for problem in found.problems] == ["createdAt", "expiresAt"]

    def test_of_a_union_one_branch_must_fit(self) -> None:
        """As with our own schema: a value of another one is refused when it comes."""
        assert value_of(path("mixed", steps.upper())) == "M"
        assert refused(event(variables__user__v=path("mixed", steps.upper())), mixed=b"x").code == BAD_VALUE

    def test_names_in_which_a_number_could_hide_are_not_shown(self) -> None:
        whole = Type((Fields({"p491705550147": leaf(Kind.TEXT)}),), False, "record")
        assert "491705550147" not in unfit(event(), whole)


def test_what_a_schema_does_not_say_is_looked_at_when_it_comes() -> None:
    """Events without a schema, such as JSON."""
    one = event(None, mobileOperatorId=path("n"), createdAt=path("t"), variables__user__v=path("v"))
    fields = {"id": 5, "passenger": {"phone": "4917055501"}, "n": 1, "t": 2, "v": 0.5}
    compiled_one = mapping(one, whole=ANYTHING)
    found = compiled_one.of(dict(fields), RECORD)
    assert isinstance(found, dict)
    assert (found["eventId"], found["variables"]) == ("5", {"user": {"v": 0.5}})
    for name, wrong in {"id": [], "n": "1", "t": "2026-11-29", "v": {}, "passenger": "x"}.items():
        assert isinstance(compiled_one.of({**fields, name: wrong}, RECORD), Refusal)


def test_every_path_is_known_before_a_record_is_read() -> None:
    one = event(
        when=[Condition(path_of("status"), present=True)],
        json=["raw"],
        variables__a__b=Source(Join((path("x.y", steps.phone(None, path_of("c"))), constant("k")))),
        variables__a__c=Source(First((path("z"),))),
        createdAt=path("$timestamp"),
    )
    assert {each.text for each in paths_of(one)} == {"raw", "status", "id", "passenger.phone", "x.y", "c", "z"}


def test_an_event_says_what_it_is() -> None:
    conditions = [
        Condition(path_of("a"), one_of=("x", "y")),
        Condition(path_of("b"), none_of=(1,)),
        Condition(path_of("c"), present=True),
        Condition(path_of("d"), present=False),
        Condition(path_of("e"), differs_from=path_of("f")),
    ]
    says = "a is x or y and b is not 1 and c is there and d is not there and e differs from f"
    assert str(event(when=conditions)) == f"{NAME} when {says}"
    assert str(event(None)) == "events without a schema"


def test_a_story_tells_each_step() -> None:
    """And stops where something cannot be taken."""
    skipped = event(when=[Condition(path_of("note"), present=True)])
    one = event(
        when=[Condition(path_of("status"), one_of=("PAID",))],
        variables__user__a=Source(Join((path("id"),), ""), (steps.upper(),)),
        variables__user__b=path("note", steps.upper(), default=Constant("d")),
        variables__user__c=path("mixed"),
        variables__user__d=path("timed", steps.format_time("%H", None, path_of("note"))),
    )
    stories = list(explained(mapping(skipped, one, event()), {**FIELDS, "mixed": b""}, RECORD))
    assert [(story.asked[0].holds, story.fields is None) for story in stories] == [(False, True), (True, False)]
    assert len(list(explained(mapping(skipped), dict(FIELDS), RECORD))) == 1
    told = stories[1].fields
    assert told is not None
    assert [(each.says, each.depth, each.value) for each in told["variables.user.a"]] == [
        ("id", 1, "b-1"),
        ("join", 0, "b-1"),
        ("upper", 0, "B-1"),
    ]
    assert [each.value for each in told["variables.user.b"]] == [None, "d"]
    assert told["variables.user.c"][-1].problem is not None
    assert told["variables.user.d"][-1].value == "16"


class TestTypes:
    """What is at a path."""

    def test_what_is_behind_something_nullable_is_nullable(self) -> None:
        found = resolved(WHOLE, ("passenger", "phone"))
        assert isinstance(found, Type)
        assert found.nullable

    def test_nothing_is_known_of_what_json_holds(self) -> None:
        assert resolved(WHOLE, ("id", "x", 0), frozenset({("id",)})) == ANYTHING

    def test_items_have_places_and_fields_have_names(self) -> None:
        assert isinstance(resolved(WHOLE, ("labels", 0)), str)
        assert isinstance(resolved(WHOLE, ("passengers", "phone")), str)

    def test_each_branch_is_there_once(self) -> None:
        assert distinct([Anything(), Fields({}), Anything(), Fields({})]) == (Anything(), Fields({}))


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
LAW = event(
    None,
    json=["free"],
    eventId=path("id"),
    phoneNumber=path("passenger.phone", steps.digits()),
    mobileOperatorId=path("number"),
    createdAt=path("at", steps.time("seconds", None, None)),
    expiresAt=path("at", steps.plus("plus 1s", 1000)),
    variables__user__a=Source(Join((path("id"), path("price"), path("paid")), "-"), (steps.truncate(10),)),
    variables__user__b=Source(First((path("free.x"), path("note", steps.lookup({"a": 1}), default=Constant("b"))))),
    variables__user__c=path("timed", steps.time("iso", "UTC", None), steps.format_time("%d", None, path_of("note"))),
    variables__user__d=path("raw", steps.text()),
    variables__user__e=path("mixed", steps.number()),
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), values | st.just({"phone": "491705550147"})))
def test_an_event_of_ours_or_a_refusal_and_nothing_else(fields: dict[str, Any]) -> None:
    """Whatever a producer writes where no schema binds it: its types are those that an event of ours has."""
    found = mapping(LAW, whole=ANYTHING).of(fields, RECORD)
    if isinstance(found, Refusal):
        assert {each.code for each in found.problems} <= MAPPING_CODES
    else:
        assert isinstance(found, dict)
        assert isinstance(event_from(found), InvocationEvent)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("com.example.v2.Booking", "com.example.Booking"),
        ("Booking", "com.example.Booking"),
        ("com.example.Booking", None),
        ("com.example.Audit", None),
        ("other.bookings.Envelope", "shop.bookings.Envelope"),
        ("shop.seats.Envelope", None),
        (None, None),
    ],
)
def test_a_name_with_the_same_last_part_may_be_a_version_of_a_mapped_one(name: str | None, known: str | None) -> None:
    """But each of Debezium's tables has an Envelope."""
    events = tuple(Event(schema, (), (), {}) for schema in ("com.example.Booking", "shop.bookings.Envelope", None))
    assert Rules(events).namesake(name) == known


class TestWhatIsAtFault:
    """A refusal names the path that is wrong, and what to do about it."""

    @pytest.mark.parametrize(
        ("region", "shape"),
        [
            ("UK", "note: string of 2 characters that is no region"),
            ("Germany", "note: string of 7 characters that is no region"),
            ("", "note: null or empty"),
            (None, "note: null or empty"),
        ],
    )
    def test_an_unknown_region_is(self, region: str | None, shape: str) -> None:
        one = event(phoneNumber=path("passenger.phone", steps.phone(None, path_of("note"))))
        (problem,) = refused(one, note=region, passenger={"phone": "0170 5550147"}).problems
        assert problem.shape == shape
        assert "ISO 3166's two letters, such as GB" in problem.remedy

    def test_where_the_region_is_known_the_number_is(self) -> None:
        one = event(phoneNumber=path("passenger.phone", steps.phone(None, path_of("note"))))
        (problem,) = refused(one, note="de", passenger={"phone": "x"}).problems
        assert problem.shape == "string of 1 characters that is no number of this region"

    def test_an_unknown_zone_is(self) -> None:
        one = event(variables__user__v=path("at", steps.format_time("%H:%M", None, path_of("note"))))
        (problem,) = refused(one, note="Berlin").problems
        assert problem.shape == "note: string of 6 characters that is no zone"

    @pytest.mark.parametrize(
        ("field", "remedy"),
        [
            ("phoneNumber", "leave such events out: when: [{path: note, present: true}] with others: skip"),
            ("eventId", "leave such events out: when: [{path: note, present: true}] with others: skip"),
            ("serviceId", "give the mapping a default"),
        ],
    )
    def test_null_has_a_remedy_that_texts_nobody_else(self, field: str, remedy: str) -> None:
        """A default number would be texted everybody's news."""
        (problem,) = refused(event()._replace(sources={**BASE, field: path("note")})).problems
        assert problem.remedy == f"write it, or {remedy}"

    def test_a_service_id_without_its_braces_is(self) -> None:
        found = unfit(event(serviceId=path("0A1B2C3D4E5F")))
        assert found.endswith("; a constant is {value: …}")


@pytest.mark.parametrize("error", [OverflowError, TypeError])
def test_a_value_that_a_function_was_not_made_for_is_refused_and_not_shown(error: type[Exception]) -> None:
    """Not a bug that stops a partition, whatever the function raises of it."""

    def strange(_value: Any, _other: Any) -> Any:
        raise error("12015550001")

    step = steps.upper()._replace(run=strange)
    one = event(variables__user__a=path("id", step))
    found = mapping(one).of(dict(FIELDS), RECORD)
    assert isinstance(found, Refusal)
    assert f"a value that cannot be worked on ({error.__name__})" in found.reason
    assert "12015550001" not in found.reason
    (story,) = explained(mapping(one), dict(FIELDS), RECORD)
    assert story.fields is not None
    assert story.fields["variables.user.a"][-1].problem is not None


@pytest.mark.parametrize(
    "condition",
    [
        Condition(path_of("id.key"), one_of=("other",)),
        Condition(path_of("id.key"), none_of=("k",)),
        Condition(path_of("id.key"), present=False),
        Condition(path_of("id.key"), differs_from=path_of("id.same")),
    ],
)
def test_a_story_tells_what_was_found_inside_json_and_why_it_was_not_taken(condition: Condition) -> None:
    outside = Condition(path_of("status"), one_of=("PAID",))
    one = event(json=["id"], when=[condition, outside], eventId=path("id.key"))
    fields = {**FIELDS, "id": '{"key": "k", "same": "k"}'}
    (story,) = explained(mapping(one), fields, RECORD)
    assert story.fields is None
    assert [(each.value, each.holds) for each in story.asked] == [("PAID", True), ("k", False)]
    (story,) = explained(mapping(one), {**fields, "status": "NEW"}, RECORD)
    assert [(each.value, each.holds) for each in story.asked] == [("NEW", False)], "nothing was opened"


def test_a_story_tells_of_the_parts_that_were_looked_at() -> None:
    bad, good, none = path("id", steps.number()), path("id"), path("note")
    one = event(
        variables__user__first=Source(First((none, good, bad))),
        variables__user__raised=Source(First((bad, good))),
        variables__user__join=Source(Join((none, good))),
        variables__user__half=Source(First((Source(Join((good, none, bad), complete=True)), good))),
    )
    (story,) = explained(mapping(one), dict(FIELDS), RECORD)
    assert story.fields is not None
    told = {
        name: [(each.value, each.problem is None) for each in story.fields[f"variables.user.{name}"]]
        for name in ("first", "raised", "join", "half")
    }
    assert told == {
        "first": [(None, True), ("b-1", True), ("b-1", True)],
        "raised": [("b-1", True), (None, False), (None, False)],
        "join": [(None, True), ("b-1", True), ("b-1", True)],
        "half": [("b-1", True), (None, True), (None, True), ("b-1", True), ("b-1", True)],
    }


def test_a_story_ends_where_a_text_is_no_json() -> None:
    one = event(json=["id"], eventId=path("id.key"))
    condition = Condition(path_of("id.key"), present=False)
    for each in (one, one._replace(when=(condition,))):
        (story,) = explained(mapping(each, event()), {**FIELDS, "id": "{"}, RECORD)
        assert (story.asked, story.fields) == ((), None)


def test_each_condition_inside_json_has_to_hold() -> None:
    conditions = [Condition(path_of("id.key"), one_of=("k",)), Condition(path_of("id.more"), present=True)]
    one = event(json=["id"], when=conditions, eventId=path("id.key"))
    assert isinstance(mapping(one).of({**FIELDS, "id": '{"key": "k", "more": 1}'}, RECORD), dict)
    found = mapping(one, skips_others=True).of({**FIELDS, "id": '{"key": "k"}'}, RECORD)
    assert found == NotOurs(CONDITION)


class TestItem:
    """An item of an array by a field of it: which of a person's numbers is the mobile one."""

    CONTACTS: ClassVar = [
        {"kind": "MAIL", "use": "at work", "rank": 1, "number": "a@example.com"},
        {"kind": "MOBILE", "use": "at home", "rank": 2, "number": "491705550149"},
    ]

    @pytest.mark.parametrize("text", ["contacts[kind=MOBILE].number", 'contacts[use="at home"].number'])
    def test_its_number_is_taken(self, text: str) -> None:
        assert mapped(event(phoneNumber=path(text)), contacts=self.CONTACTS)["phoneNumber"] == "491705550149"

    def test_an_event_without_it_is_refused_or_left_out(self) -> None:
        """Never another item's number."""
        one = event(phoneNumber=path("contacts[kind=MOBILE].number"))
        refusal = refused(one, contacts=self.CONTACTS[:1])
        assert refusal.code == NULL
        assert "[{path: 'contacts[kind=MOBILE].number', present: true}]" in refusal.problems[0].remedy
        when = [Condition(path_of("contacts[kind=MOBILE]"), present=True)]
        left_out = mapping(one._replace(when=tuple(when)), skips_others=True)
        assert isinstance(left_out.of({**FIELDS, "contacts": []}, RECORD), NotOurs)

    @pytest.mark.parametrize("array", ["loose", "partly", "free"])
    def test_what_no_schema_tells_is_searched_when_it_comes(self, array: str) -> None:
        source = path(f"{array}[kind=MOBILE].number")
        assert value_of(source, WHOLE, **{array: self.CONTACTS}) == "491705550149"
        assert value_of(source, WHOLE, **{array: []}) is None
