"""The page: what it says in each state, that nothing on it acts or comes from elsewhere, and that it stays small."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from math import inf
from pathlib import Path
from typing import Any

import pytest

from connector.core.pauses import Paused, Source, Target
from connector.core.record import Partition
from connector.engine.holds import KINDS
from connector.observe.page.glance import DUE, Answered, Glance, Held, Place, Times, Wait
from connector.observe.page.html import MOST_PLACES, page
from connector.observe.page.verdict import BY_WISH, Mood, verdict
from connector.observe.page.words import clock, count, span

ROOT = Path(__file__).parents[2]
NOW = 1_795_734_393_000  # 2026-11-26 23:06:33 UTC
HOSTILE = "\"><script>alert('1')</script><img src=x onerror=y>&amp;{0}"


def place(number: int = 0, *waits: Wait, lag: int | None = 0, topic: str = "invocations") -> Place:
    """A partition of ours."""
    return Place(Partition(topic, number), lag, 0, None, waits)


def held(kind: str = "deployment", *, minutes: int = 12, stops: bool = True, next_try: float | None = 31.2) -> Held:
    """A hold in force."""
    since = NOW - minutes * 60_000
    return Held(kind, "bad_credentials", "the password is invalid", "renew it", since, stops, 1, next_try)


def glance(**changes: Any) -> Glance:
    """A connector in peace, but for what is said."""
    peace = Glance(
        host="pod-7",
        version="1.2.3",
        group="invoke-connector",
        base_url="https://vendor.example.com",
        is_cie=False,
        now_ms=NOW,
        started_ms=NOW - 90_000,
        is_joined=True,
        is_ready=True,
        kafka_since_ms=None,
        missing=(),
        holds=(),
        paused=(),
        places=(place(0), place(1)),
        minutes=5,
        accepted_minute=240,
        accepted=1200,
        quiet=0.3,
        was_accepted=True,
        oldest=0.2,
        in_hand=3,
        in_flight=3,
        in_flight_limit=10,
        uncommitted=2,
        waiting={"lane": 0, "next_try": 4},
        answers=(Answered("accepted", 1200, 5000, "accepted"),),
        post=Times(0.25, 1.0),
        end_to_end=Times(0.5, inf),
    )
    return peace._replace(**changes)


class Reader(HTMLParser):
    """What a browser would make of it: tags, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        """Text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All of it, in one line."""
        return " ".join(" ".join(self.texts).split())


def text(look: Glance) -> str:
    """The page's words."""
    return Reader(page(look).html).text


STATES = {
    "peace": (glance(), Mood.WELL, "Delivering", "240 records accepted in the last minute."),
    "idle": (
        glance(accepted_minute=0, quiet=3600.0),
        Mood.WELL,
        "Nothing to deliver",
        "All that could be read and is due is settled.",
    ),
    "first records": (
        glance(accepted_minute=0, places=(place(lag=7),), quiet=59.0),
        Mood.WELL,
        "Delivering",
        "7 records under way or next.",
    ),
    "no partition": (
        glance(places=(), accepted_minute=0),
        Mood.WELL,
        "Standing by",
        "No partition is assigned to this process: others have them all.",
    ),
    "nothing accepted": (
        glance(places=(place(lag=1),), quiet=61.0, accepted_minute=0),
        Mood.BAD,
        "Not delivering",
        "Nothing was accepted for 1 min 1 s, and 1 record could be delivered.",
    ),
    "late": (
        glance(places=(place(lag=9000),), oldest=3700.0),
        Mood.WATCH,
        "Delivering late",
        "The oldest record in hand is 1 h 1 min old.",
    ),
    "one stuck for a moment": (
        glance(places=(place(0), place(1, Wait("schema", NOW - 1000)))),
        Mood.WATCH,
        "Delivering, but not all",
        "1 of 2 partitions take nothing new, as the list below says.",
    ),
    "one stuck": (
        glance(places=(place(0), place(1, Wait("schema", NOW - 61_000)))),
        Mood.BAD,
        "Delivering, but not all",
        "1 of 2 partitions take nothing new, as the list below says.",
    ),
    "one paused": (
        glance(places=(place(0), place(1, Wait("paused", NOW - 61_000)))),
        Mood.WATCH,
        "Delivering, but not all",
        "1 of 2 partitions take nothing new, as the list below says.",
    ),
    "all stuck": (
        glance(places=(place(0, Wait("fault", NOW)),)),
        Mood.BAD,
        "Not delivering",
        "Every partition waits: fault.",
    ),
    "all paused": (
        glance(places=(place(0, Wait("paused", NOW)),)),
        Mood.WATCH,
        "Not delivering",
        "Every partition waits: paused.",
    ),
    "retries asleep": (
        glance(places=(place(0), place(0, Wait(DUE, NOW, NOW + 600_000), lag=5, topic="retry")), accepted_minute=0),
        Mood.WELL,
        "Nothing to deliver",
        "All that could be read and is due is settled.",
    ),
    "brake": (
        glance(holds=(held("brake", stops=False),)),
        Mood.WATCH,
        "Delivering, but not all",
        "For 12 min: the password is invalid.",
    ),
    "topic missing": (
        glance(missing=("invocations.retry",)),
        Mood.BAD,
        "A topic is missing",
        "The brokers do not have invocations.retry. It is read once it is there.",
    ),
    "kafka away": (
        glance(kafka_since_ms=NOW - 5000),
        Mood.BAD,
        "Kafka is not reached",
        "No broker answers, for 5 s now.",
    ),
    "starting": (
        glance(is_joined=False, kafka_since_ms=NOW - 5000),
        Mood.WATCH,
        "Not in its group",
        "It is starting or stopping: nothing is read now.",
    ),
    "starting without Kafka": (
        glance(is_joined=False, kafka_since_ms=NOW - 25_000),
        Mood.BAD,
        "Kafka is not reached",
        "No broker answers, for 25 s now.",
    ),
}


@pytest.mark.parametrize(("look", "mood", "short", "sentence"), STATES.values(), ids=STATES)
def test_the_first_sentence_answers_whether_it_delivers(look: Glance, mood: Mood, short: str, sentence: str) -> None:
    assert verdict(look) == (mood, short, sentence)
    assert f"{short} {sentence}" in text(look)
    assert f'<header class="{mood}">' in page(look).html


@pytest.mark.parametrize("kind", KINDS)
def test_a_hold_is_shown_with_reason_remedy_and_since_when(kind: str) -> None:
    look = glance(holds=(held(kind),))
    assert verdict(look)[:2] == (Mood.WATCH if kind in BY_WISH else Mood.BAD, "Not delivering: held")
    assert (
        f"Hold: {kind}, bad_credentials the password is invalid. Since 22:54:33 UTC, for 12 min. "
        "Remedy: renew it. 1 record tried; the next one in 31 s."
    ) in text(look)


@pytest.mark.parametrize("kind", KINDS)
def test_the_runbook_that_a_hold_leads_to_exists(kind: str) -> None:
    html = page(glance(holds=(held(kind),), runbooks="https://git.example.com")).html
    (name,) = re.findall(r"https://git.example.com/(InvokeConnector\w+\.md)", html)
    assert (ROOT / "docs" / "runbooks" / name).exists()


def test_a_hold_that_somebody_wished_for_does_not_hide_one_that_is_broken() -> None:
    look = glance(holds=(held("manual", minutes=99), held("endpoint")))
    assert verdict(look).mood is Mood.BAD
    assert verdict(look).sentence.startswith("For 12 min:")


def test_when_a_hold_tries_a_record_is_said() -> None:
    assert "No record is tried: it ends otherwise." in text(glance(holds=(held(next_try=None),)))
    assert "the next one as soon as there is one." in text(glance(holds=(held(next_try=0.0),)))
    assert "for 12 min; it keeps back only what it is about." in text(glance(holds=(held(stops=False),)))


def test_a_stuck_partition_comes_first_with_what_it_waits_for_and_since_when() -> None:
    waits = (Wait("dead_letter_write", NOW - 125_000), Wait("map", NOW - 3000))
    stuck = Place(Partition("invocations", 11), 3, 2, 130.0, waits)
    look = glance(places=(place(0, lag=9000), place(1, lag=None), stuck))
    rows = text(look).split("waits for")[1]
    assert rows.strip().startswith(
        "invocations-11 3 2 2 min 10 s dead letter write, for 2 min 5 s; map, for 3 s How much, how late"
    )
    assert "Partitions partition lag in hand oldest waits for invocations-0 9,000 0 invocations-1 ? 0" in text(look)
    assert "lag 9,003 at least" in text(look)


def test_during_a_hold_partitions_are_not_called_stuck_for_it() -> None:
    """The hold is shown itself, and the figures are not pushed down by a thousand partitions that wait for it."""
    look = glance(holds=(held(),), places=(place(0, Wait("hold", NOW - 720_000), lag=4), place(1)))
    assert "Partitions that take nothing new" not in text(look)
    assert "invocations-0 4 0 hold, for 12 min" in text(look)


def test_a_retry_partition_says_when_it_is_due() -> None:
    look = glance(places=(place(0, Wait(DUE, NOW - 1000, NOW + 725_000), topic="invocations.retry"),))
    assert "due time, in 12 min 5 s" in text(look)


def test_answers_come_by_class_the_most_recent_first_with_what_each_means() -> None:
    answers = (Answered("timed_out", 2, 9, "no answer in time"), Answered("accepted", 7, 7, "accepted by the vendor"))
    assert (
        "class last 5 min since the start accepted accepted by the vendor 7 7 timed_out no answer in time 2 9"
    ) in text(glance(answers=answers))
    assert "None yet." in text(glance(answers=()))


def test_how_much_and_how_late() -> None:
    words = text(glance())
    assert "accepted in 5 min 1,200 last accepted 0.3 s ago lag 0 oldest not settled 0.2 s" in words
    assert "a post takes half ≤ 0.25 s, 99% ≤ 1 s from event to accepted half ≤ 0.5 s, 99% longer" in words
    assert "wait for: next try 4" in words
    assert "wait for: lane" not in words
    assert "a post takes none lately" in text(glance(post=Times(None, None)))
    assert "last accepted none yet" in text(glance(was_accepted=False))


def test_what_people_paused_is_shown() -> None:
    paused = (Paused(Target("invocations", 3), Source.COMMAND, NOW - 60_000, "gate B twice"),)
    assert "invocations:3 command 23:05:33 UTC, for 1 min gate B twice" in text(glance(paused=paused))
    many = tuple(Paused(Target("invocations", n), Source.FILE, NOW) for n in range(50))
    assert "and 30 more: /status" in text(glance(paused=many))


def test_the_test_environment_is_named() -> None:
    assert "The vendor's test environment: nobody is texted." in text(glance(is_cie=True))
    assert "test environment" not in text(glance())


def test_a_shadow_does_not_say_that_it_delivers() -> None:
    shown = text(glance(is_shadow=True, is_cie=True))
    assert "A shadow delivers nothing" in shown
    assert "If it did: Delivering. 240 records accepted in the last minute." in shown
    assert "nobody is texted, and “accepted” is what would have been posted" in shown


def test_a_thousand_partitions_make_no_long_page() -> None:
    """The stuck ones and those that lag most are listed; of the others there is a sentence."""
    places = [place(n, lag=n) for n in range(900)]
    places += [place(n, Wait("schema", NOW), lag=1, topic="retry") for n in range(100)]
    look = glance(places=tuple(places))
    html = page(look).html
    assert len(html.encode()) < 40_000
    assert html.count('class="stuck"') == MOST_PLACES
    assert "And 900 partitions of invocations, lag 404,550; none of them is stuck: /status has all." in text(look)
    all_stuck = glance(places=tuple(place(n, Wait("schema", NOW), lag=1) for n in range(1000)))
    assert len(page(all_stuck).html.encode()) < 40_000
    assert "And 900 partitions of invocations, lag 900; 900 of them stuck: /status has all." in text(all_stuck)


def test_whatever_text_comes_in_stays_text() -> None:
    quiet = Reader(page(glance()).html)
    hold = Held(HOSTILE, HOSTILE, HOSTILE, HOSTILE, NOW, True)
    look = glance(
        host=HOSTILE,
        version=HOSTILE,
        group=HOSTILE,
        base_url=HOSTILE,
        holds=(hold,),
        paused=(Paused(Target(HOSTILE), Source.FILE, NOW, HOSTILE),),
        places=(Place(Partition(HOSTILE, 0), 1, 1, 1.0, (Wait(HOSTILE, NOW),)),) * (MOST_PLACES + 1),
        waiting={HOSTILE: 1},
        answers=(Answered(HOSTILE, 1, 1, HOSTILE),),
        runbooks=HOSTILE,
    )
    hostile = Reader(page(look).html)
    assert set(hostile.tags) - set(quiet.tags) <= {"section", "strong", "code"}
    assert {name for name, _ in hostile.attributes} - {name for name, _ in quiet.attributes} <= {"colspan", "rel"}
    assert hostile.text.count("<script>") > 10


def test_no_number_of_a_person_is_shown_in_what_somebody_wrote() -> None:
    look = glance(
        holds=(held()._replace(why="by command: 12015550187 called", remedy="ask 1-201-555-0187"),),
        paused=(Paused(Target("invocations"), Source.COMMAND, NOW, "for +1 (201) 555-0187"),),
    )
    assert "0187" not in page(look).html
    assert text(look).count("[number]") == 4


def test_nothing_on_it_acts_or_comes_from_elsewhere() -> None:
    """No script, no form, no picture; links stay on this listener, also behind a proxy's path."""
    found = Reader(page(glance(holds=(held(),))).html)
    assert not {"script", "form", "input", "button", "img", "iframe", "link", "object"} & set(found.tags)
    links = [value for name, value in found.attributes if name in {"href", "src", "action"}]
    assert links == ["status", "metrics"]
    assert ("content", "10") in found.attributes


def test_the_policy_knows_the_style_of_the_page_and_nothing_else() -> None:
    html, policy = page(glance())
    style = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert len(style) == 1
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def test_runbooks_are_linked_where_the_settings_say_where_they_are() -> None:
    assert "docs/runbooks of this version" in text(glance())
    runbooks = "https://git.example.com/runbooks/"
    stuck = place(1, Wait("schema", NOW))
    html = page(glance(runbooks=runbooks, holds=(held("retry_after"),), places=(place(0), stuck))).html
    links = re.findall(r'<a href="([^"]+)" rel="noreferrer">', html)
    assert links == [
        "https://git.example.com/runbooks/InvokeConnectorHoldRetryAfter.md",
        "https://git.example.com/runbooks/InvokeConnectorPartitionStuck.md",
        "https://git.example.com/runbooks/README.md",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1.0, "0 s"),
        (0.00002, "0 s"),
        (0.005, "0.005 s"),
        (0.25, "0.25 s"),
        (9.99, "9.99 s"),
        (42.9, "42 s"),
        (60.0, "1 min"),
        (61.0, "1 min 1 s"),
        (3600.0, "1 h"),
        (90_061.0, "1 d 1 h"),
        (inf, "longer"),
    ],
)
def test_a_span_has_two_units_at_most(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_numbers_and_times_in_words() -> None:
    assert count(1, "record") == "1 record"
    assert count(1234, "record") == "1,234 records"
    assert clock(NOW, NOW) == "23:06:33"
    assert clock(NOW - 86_400_000, NOW) == "2026-11-25 23:06:33"
