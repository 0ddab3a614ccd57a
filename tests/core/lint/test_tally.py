"""What is refused is counted as it is, and each rule about what looks wrong can fire, and can be quiet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.event import InvocationEvent
from connector.core.lint import keys, phone_numbers, tally
from connector.core.lint.findings import Finding, Place, Report, Seen, Severity
from connector.core.lint.partitioners import PARTITIONERS
from connector.core.lint.tally import Expectations, Lint
from connector.core.refusal import Problem, Refusal, Stage

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
JAVA, LIBRDKAFKA, SARAMA = PARTITIONERS
PHONE = "12025550123"


class OfAmerica:
    """A world with one country, whose numbers have ten digits behind a 1."""

    def region(self, digits: str) -> str | None:
        return "US" if len(digits) == 11 and digits[0] == "1" else None

    def is_national(self, digits: str, region: str) -> bool:
        return len(digits) == 10


def event(phone: str = PHONE, **fields: Any) -> InvocationEvent:
    good = InvocationEvent("ev-1", "0A1B", phone, None, {}, None, None)
    return good._replace(**fields)


def seen(number: int = 0, given: InvocationEvent | None = None, **fields: Any) -> Seen:
    made = given or event(number_of(number))
    found = Seen(Place(0, number), "web", "id 1", lambda: {"eventId": "ev"}, NOW_MS, None, made)
    return found._replace(**fields)


def number_of(place: int) -> str:
    """Another end user for each place."""
    return f"1202{5550000 + place}"


def of(all_seen: Iterable[Seen], partitions: int | None = None, *, has_allow_list: bool = True) -> Report:
    lint = Lint(Expectations(NOW_MS, 30_000, has_allow_list), OfAmerica(), partitions)
    for each in all_seen:
        lint.add(each)
    return lint.report()


def suspects(report: Report) -> dict[str, Finding]:
    return {each.rule: each for each in report.of(Severity.SUSPECT)}


def refusal(*problems: tuple[str, str]) -> Refusal:
    return Refusal(Stage.REQUEST, tuple(Problem(code, field, "string", "mend it") for code, field in problems))


_PROBLEM = st.tuples(st.sampled_from(["bad_key", "bad_time"]), st.sampled_from(["a", "b"]))
_PROBLEMS = st.lists(_PROBLEM, min_size=1, max_size=3, unique=True)
_SEEN = st.lists(st.tuples(st.one_of(st.none(), _PROBLEMS), st.sampled_from(["web", "booking"])), max_size=60)


@given(stream=_SEEN, random=st.randoms(use_true_random=False))
def test_refusals_are_counted_by_rule_field_and_producer(
    stream: list[tuple[list[tuple[str, str]] | None, str]], random: Random
) -> None:
    """As a naive count has them, in whatever order they come."""
    all_seen = [
        seen(place, refusal=None if problems is None else refusal(*problems), producer=producer)
        for place, (problems, producer) in enumerate(stream)
    ]
    random.shuffle(all_seen)
    report = of(all_seen)
    naive = Counter((*problem, producer) for problems, producer in stream for problem in problems or ())
    found = {
        (each.rule, each.field, producer): count
        for each in report.of(Severity.REFUSED)
        for producer, count in each.producers.items()
    }
    assert found == naive
    assert report.records == len(stream)
    assert report.refused == sum(problems is not None for problems, _ in stream)
    assert all(sum(each.producers.values()) == each.events == sum(each.schemas.values()) for each in report.findings)


def test_what_may_be_named_is_bounded() -> None:
    """Producers can make up fields without end."""
    report = of(seen(place, refusal=refusal(("bad_key", f"variables.session.k{place}"))) for place in range(2000))
    assert len(report.findings) <= 501
    assert sum(each.events for each in report.findings) == 2000


def test_what_had_expired_when_it_was_written_is_refused() -> None:
    expired, in_time = seen(1, expires_ms=NOW_MS), seen(2, expires_ms=NOW_MS + HOUR_MS)
    report = of([expired, in_time])
    assert [(each.rule, each.field, each.events) for each in report.findings] == [("expired", "createdAt", 1)]
    assert report.refused == 1


@pytest.mark.parametrize(
    ("rule", "loud", "quiet"),
    [
        (
            tally.VALUE_NEAR_LIMIT,
            event(variables={"session": {"text": "x" * 4000}}),
            event(variables={"session": {"text": "x" * 3600}}),
        ),
        (
            tally.TIME_IN_FUTURE,
            event(created_at_ms=NOW_MS + HOUR_MS),
            event(created_at_ms=NOW_MS + 60_000),
        ),
        (phone_numbers.NO_COUNTRY_CODE, event("2025550123"), event()),
    ],
)
def test_an_event_looks_wrong_or_not(rule: str, loud: InvocationEvent, quiet: InvocationEvent) -> None:
    others = [seen(place) for place in range(30)]
    report = of([*others, seen(99, loud)])
    found = suspects(report)
    assert list(found) == [rule]
    assert (found[rule].events, found[rule].places) == (1, (Place(0, 99),))
    assert report.refused == 0
    assert suspects(of([*others, seen(99, quiet)])) == {}


def test_an_event_that_expires_within_one_post_looks_wrong() -> None:
    assert list(suspects(of([seen(expires_ms=NOW_MS + 29_000)]))) == [tally.EXPIRES_TOO_SOON]
    assert suspects(of([seen(expires_ms=NOW_MS + 31_000)])) == {}


def test_a_record_from_tomorrow_looks_wrong() -> None:
    """A producer's clock may be that of its record's timestamp, too."""
    tomorrow = NOW_MS + 24 * HOUR_MS
    found = suspects(of([seen(given=event(created_at_ms=tomorrow), produced_ms=tomorrow)]))
    assert [each.field for each in found.values()] == ["the record's timestamp"]
    assert found[tally.TIME_IN_FUTURE].text == "up to 1,440 minutes ahead"


@pytest.mark.parametrize(("of_one", "is_found"), [(60, True), (40, False)])
def test_one_end_user_with_half_of_the_topic_looks_wrong(of_one: int, is_found: bool) -> None:
    """The number with and without its plus is one end user's."""
    stream = [seen(0, event(PHONE if place % 2 else f"+{PHONE}")) for place in range(of_one)]
    report = of([*stream, *(seen(place) for place in range(1000, 1100 - of_one))])
    assert list(suspects(report)) == ([tally.ONE_END_USER] if is_found else [])
    assert PHONE not in str(report)


def test_a_few_events_of_one_end_user_are_a_test() -> None:
    assert suspects(of(seen(0) for _ in range(99))) == {}


def test_service_ids_are_unknown_without_a_list() -> None:
    """The rarest first: there the mistyped ones are."""
    stream = [seen(place, event(number_of(place), service_id="0A1B" if place else "0A1C")) for place in range(9)]
    found = suspects(of(stream, has_allow_list=False))
    assert "0A1C (1), 0A1B (8)" in found[tally.UNKNOWN_SERVICE_ID].text
    assert suspects(of(stream)) == {}


def test_numbers_of_no_country_look_wrong_where_most_are() -> None:
    """Though no country of the topic has them either."""
    odd = [seen(place, event(f"9999{place:08}")) for place in range(20)]
    assert list(suspects(of(odd))) == [phone_numbers.NO_COUNTRY_CODE]
    assert suspects(of([*odd, *(seen(place) for place in range(100, 125))])) == {}


def placed(
    count: int, partitions: int, choose: Callable[[bytes, int], int], producer: str = "web", first: int = 0
) -> list[Seen]:
    """Records where a producer of this partitioner writes them."""
    found = []
    for place in range(first, first + count):
        key = number_of(place).encode()
        found.append(seen(place, key=key, producer=producer, place=Place(choose(key, partitions), place)))
    return found


@pytest.mark.parametrize("name", list(PARTITIONERS))
def test_one_partitioner_of_all_looks_right(name: str) -> None:
    assert suspects(of(placed(300, 6, PARTITIONERS[name]), 6)) == {}


def test_a_partitioner_of_nobody_looks_right_while_it_is_the_only_one() -> None:
    assert suspects(of(placed(300, 6, lambda key, of: key[-1] % of), 6)) == {}


def test_partitioners_that_differ_between_producers_look_wrong() -> None:
    java = placed(50, 6, PARTITIONERS[JAVA], "booking")
    found = suspects(of([*java, *placed(50, 6, PARTITIONERS[LIBRDKAFKA], "web", 50)], 6))
    assert list(found) == [keys.PARTITIONERS_DIFFER]
    assert found[keys.PARTITIONERS_DIFFER].text == f"booking: {JAVA}; web: {LIBRDKAFKA}"


def test_partitioners_that_differ_are_found_where_no_producer_says_who_it_is() -> None:
    mixed = [*placed(200, 6, PARTITIONERS[JAVA]), *placed(200, 6, PARTITIONERS[SARAMA], first=200)]
    assert suspects(of(mixed, 6))[keys.PARTITIONERS_DIFFER].text == f"web: {JAVA} and {SARAMA}"


def test_a_few_keys_tell_nothing_of_partitioners() -> None:
    """However often they come."""
    few = [*placed(19, 6, PARTITIONERS[JAVA], "booking"), *placed(19, 6, PARTITIONERS[LIBRDKAFKA], "web", 50)]
    assert suspects(of([*few, *few], 6)) == {}


def test_a_key_in_two_partitions_looks_wrong() -> None:
    first, second = (seen(place, key=b"k", place=Place(place, 7)) for place in (0, 1))
    found = suspects(of([first, second], 2))
    assert list(found) == [keys.TWO_PARTITIONS]
    assert found[keys.TWO_PARTITIONS].places == (first.place, second.place)
    assert suspects(of([first, first], 2)) == {}


def test_records_without_a_key_are_spread_by_chance() -> None:
    """By some clients batch by batch, so that a sample may lie in one partition."""
    for key in (None, b""):
        stream = [seen(place, key=key, place=Place(place % 2, place)) for place in range(200)]
        assert suspects(of(stream, 6)) == {}


def keyed(count: int, partition_of: Callable[[int], int]) -> list[Seen]:
    """Records of a key each."""
    return [seen(place, key=b"%d" % place, place=Place(partition_of(place), place)) for place in range(count)]


def test_few_records_for_each_partition_tell_nothing_of_how_they_spread() -> None:
    assert suspects(of(keyed(200, lambda place: place % 50), 100)) == {}


@pytest.mark.parametrize(("share", "is_found"), [(0.6, True), (0.3, False)])
def test_keys_that_do_not_spread_look_wrong(share: float, is_found: bool) -> None:
    """A partition with more than twice its part."""
    many = int(200 * share)
    stream = keyed(200, lambda place: 0 if place < many else 1 + place % 3)
    found = suspects(of(stream, 4))
    assert list(found) == ([keys.SPREAD] if is_found else [])


def test_a_partition_that_no_key_reaches_looks_wrong() -> None:
    """As where partitions were added, and a producer did not hear of it."""
    found = suspects(of(placed(300, 4, lambda key, of: key[-1] % 3), 4))
    assert found[keys.SPREAD].text == "1 of 4 partitions have no record with a key; 300 different keys"


def test_a_topic_of_one_partition_has_nothing_to_spread() -> None:
    assert suspects(of([seen(place, key=b"%d" % place) for place in range(200)], 1)) == {}


@pytest.mark.parametrize(("of_the_first", "is_found"), [(80, True), (70, False)])
def test_of_two_partitions_one_may_have_three_quarters(of_the_first: int, is_found: bool) -> None:
    stream = keyed(100, lambda place: int(place >= of_the_first))
    assert list(suspects(of(stream, 2))) == ([keys.SPREAD] if is_found else [])


def test_an_empty_partition_may_be_chance_while_there_are_few_keys() -> None:
    stream = placed(60, 4, lambda key, of: key[-1] % 3)
    assert suspects(of([*stream, *stream], 4)) == {}


def test_a_finding_counts_all_and_names_the_largest_and_the_first_ten() -> None:
    long, longer = (event(variables={"session": {"text": "x" * size}}) for size in (4000, 4090))
    found = suspects(of([seen(0, longer), *(seen(place, long) for place in range(1, 12))]))[tally.VALUE_NEAR_LIMIT]
    assert (found.events, found.text) == (12, "up to 4,090 characters")
    assert [each.number for each in found.places] == list(range(10))


def test_a_doubtful_number_is_counted_as_often_as_it_comes() -> None:
    stream = [*(seen(place) for place in range(30)), seen(98, event("2025550123")), seen(99, event("2025550123"))]
    found = suspects(of(stream))[phone_numbers.NO_COUNTRY_CODE]
    assert (found.events, found.producers) == (2, {"web": 2})


def test_keys_are_remembered_up_to_a_bound() -> None:
    few = keys.Keys(2, most=50)
    for place in range(200):
        few.add("web", int(place >= 160), b"%d" % place, Place(0, place))
    (found,) = few.findings()
    assert found.text == "partition 0 of 2 has 80% of the records with a key; 50 or more different keys"


def test_producers_of_the_same_keys_are_known_each() -> None:
    java, web = PARTITIONERS[JAVA], placed(50, 6, PARTITIONERS[LIBRDKAFKA], "web", 50)
    found = suspects(of([*placed(50, 6, java, "booking"), *placed(50, 6, java, "gates"), *web], 6))
    assert found[keys.PARTITIONERS_DIFFER].text == f"booking: {JAVA}; gates: {JAVA}; web: {LIBRDKAFKA}"


def test_a_few_numbers_of_nobody_are_no_pattern() -> None:
    assert suspects(of(seen(place, event(f"9999{place:08}")) for place in range(19))) == {}


def test_doubtful_numbers_are_remembered_up_to_a_bound() -> None:
    report = of(seen(place, event(f"9999{place:08}")) for place in range(1500))
    assert suspects(report)[phone_numbers.NO_COUNTRY_CODE].events == 1000


def test_a_record_without_an_event_that_nothing_refused_is_only_counted() -> None:
    assert of([seen()._replace(event=None)]).records == 1


def test_of_many_producers_the_partitioners_of_the_first_fifty_are_explained() -> None:
    found = keys.Keys(4)
    for producer in range(60):
        for number in range(8):
            found.add(f"p{producer}", number % 4, b"k%d" % number, Place(0, number))
    assert len(found._different) == 50


def test_a_record_that_run_leaves_alone_is_counted_and_not_looked_at() -> None:
    lint = Lint(Expectations(NOW_MS, 30_000, has_allow_list=True), OfAmerica(), None)
    lint.pass_over()
    report = lint.report()
    assert (report.records, report.passed_over, report.refused, report.findings) == (1, 1, 0, ())


def test_a_place_is_said_as_other_commands_take_it() -> None:
    assert str(Place(2, 17)) == "2:17"
    assert str(Place(None, 17)) == "line 17"
