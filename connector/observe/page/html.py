"""The page as HTML. What is put into it is escaped by its type: only what is `Markup` here is taken as it is."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from connector.core.pauses import Paused
from connector.core.redact import scrub
from connector.observe.page.glance import Answered, Glance, Held, Place, Times, Wait
from connector.observe.page.verdict import BY_WISH, verdict
from connector.observe.page.words import clock, count, span

REFRESH = 10
"""Seconds."""

MOST_PLACES = 100
"""Partitions that are listed; of the others there is a sentence."""

_MOST_LISTED = 20
"""Holds' and pauses' entries, topics in a sentence: there are hardly ever so many."""

_FOLDER = Path(__file__).parent
_PAGE = Markup((_FOLDER / "page.html").read_text(encoding="utf-8"))  # noqa: S704 - a file of ours
_STYLE = Markup((_FOLDER / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - a file of ours
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy: no script, nothing from elsewhere, this one style, in nobody's frame."""

_HELD = Markup(
    '<section class="held{wish}"><h2>Hold: {kind}, {code}</h2>\n<p>{why}. Since {since} UTC, for {lasts}{part}.</p>\n'
    "<p><strong>Remedy:</strong> {remedy}.</p>\n<p>{tries} {runbook}</p></section>"
)
_PAUSED = Markup("<tr><td>{target}</td><td>{source}</td><td>{since} UTC, for {lasts}</td><td>{reason}</td></tr>")
_PAUSES = Markup(
    "<h2>Paused by a person</h2>\n<table><tr><th>what<th>by<th>since<th>why</tr>\n{rows}\n</table>\n"
    "<p>A pause ends where it came from: by <code>connector resume</code>, or in the file.</p>"
)
_NOBODY = Markup("<p><strong>{}</strong></p>")
_FIGURE = Markup("<div><dt>{}</dt><dd>{}</dd></div>")
_ANSWER = Markup(
    '<tr><td>{0.code}<br><small>{0.meaning}</small><td class="n">{0.recent:,}<td class="n">{0.total:,}</tr>'
)
_ANSWERS = Markup('<table><tr><th>class<th class="n">last {} min<th class="n">since the start</tr>\n{}\n</table>')
_PLACE = Markup('<tr{stuck}><td>{name}<td class="n">{lag}<td class="n">{in_hand}<td class="n">{oldest}<td>{waits}</tr>')
_PLACES = Markup(
    '<table><tr><th>partition<th class="n">lag<th class="n">in hand<th class="n">oldest<th>waits for</tr>\n{}\n</table>'
)


_LINK = Markup('<a href="{}" rel="noreferrer">{}</a>')


class Page(NamedTuple):
    """HTML, and the policy that a browser is to hold it to."""

    html: str
    policy: str = POLICY


def page(glance: Glance) -> Page:
    """The whole page. Its size is bounded, whatever a process has."""
    mood, short, sentence = verdict(glance)
    places = sorted(glance.places, key=_urgency)
    stuck = [place for place in places if place.is_stuck]
    others = [*stuck[MOST_PLACES:], *places[len(stuck) :]]
    html = _PAGE.format(
        refresh=REFRESH,
        style=_STYLE,
        mood=mood,
        short=short,
        sentence=scrub(sentence),
        host=glance.host,
        at=clock(glance.now_ms, glance.now_ms),
        version=glance.version,
        up=span((glance.now_ms - glance.started_ms) / 1000),
        group=glance.group,
        base_url=glance.base_url,
        cie=_nobody(glance),
        ready="Ready." if glance.is_ready else "Not ready.",
        holds=_lines(_held(hold, glance) for hold in glance.holds),
        paused=_paused(glance.paused, glance.now_ms),
        stuck=_stuck(stuck[:MOST_PLACES], glance),
        figures=_lines(_FIGURE.format(name, value) for name, value in _figures(glance)),
        minutes=glance.minutes,
        answers=_answers(glance.answers, glance.minutes),
        places=_places(others, len(stuck), glance),
        runbooks=_runbooks(glance.runbooks),
    )
    return Page(str(html))


def _nobody(glance: Glance) -> Markup:
    """Why nobody is texted, where that is so."""
    if glance.is_shadow:
        return _NOBODY.format("A shadow: nobody is texted, and “accepted” is what would have been posted.")
    return _NOBODY.format("The vendor's test environment: nobody is texted.") if glance.is_cie else Markup()


def _lines(parts: Iterable[Markup]) -> Markup:
    return Markup("\n").join(parts)


def _held(hold: Held, glance: Glance) -> Markup:
    now_ms = glance.now_ms
    return _HELD.format(
        wish=" wish" if hold.kind in BY_WISH else "",
        kind=hold.kind,
        code=hold.code,
        why=scrub(hold.why),
        since=clock(hold.since_ms, now_ms),
        lasts=span((now_ms - hold.since_ms) / 1000),
        part="" if hold.stops_posting else "; it keeps back only what it is about",
        remedy=scrub(hold.remedy),
        tries=_tries(hold),
        runbook=_runbook(glance.runbooks, f"InvokeConnectorHold{hold.kind.title().replace('_', '')}"),
    )


def _tries(hold: Held) -> str:
    if hold.next_try is None:
        return "No record is tried: it ends otherwise."
    when = f"in {span(hold.next_try)}" if hold.next_try else "as soon as there is one"
    return f"{count(hold.tries or 0, 'record')} tried; the next one {when}."


def _paused(paused: Sequence[Paused], now_ms: int) -> Markup:
    if not paused:
        return Markup()
    rows = [
        _PAUSED.format(
            target=str(each.target),
            source=each.source.value,
            since=clock(each.since_ms, now_ms),
            lasts=span((now_ms - each.since_ms) / 1000),
            reason=scrub(each.reason),
        )
        for each in paused[:_MOST_LISTED]
    ]
    if more := len(paused) - len(rows):
        rows.append(Markup('<tr><td colspan="4">and {} more: /status</tr>').format(more))
    return _PAUSES.format(rows=_lines(rows))


def _figures(glance: Glance) -> Iterable[tuple[str, str]]:
    known = [place for place in glance.places if place.lag is not None]
    partial = "" if len(known) == len(glance.places) else " at least"
    yield f"accepted in {glance.minutes} min", f"{glance.accepted:,}"
    yield "last accepted", f"{span(glance.quiet)} ago" if glance.was_accepted else "none yet"
    yield "lag", f"{glance.lag:,}{partial}"
    yield "oldest not settled", span(glance.oldest)
    yield "a post takes", _bounds(glance.post)
    yield "from event to accepted", _bounds(glance.end_to_end)
    yield "posts under way", f"{glance.in_flight:,} of {glance.in_flight_limit:,}"
    yield "in hand", f"{glance.in_hand:,}"
    yield "not committed yet", f"{glance.uncommitted:,}"
    for reason, number in glance.waiting.items():
        if number:
            yield f"wait for: {reason.replace('_', ' ')}", f"{number:,}"


def _bounds(times: Times) -> str:
    if times.half is None or times.most is None:
        return "none lately"
    return f"half {_within(times.half)}, 99% {_within(times.most)}"


def _within(edge: float) -> str:
    return "longer" if edge == float("inf") else f"≤ {span(edge)}"


def _answers(answers: Sequence[Answered], minutes: int) -> Markup:
    if not answers:
        return Markup("<p>None yet.</p>")
    rows = sorted(answers, key=lambda each: (-each.recent, -each.total, each.code))
    return _ANSWERS.format(minutes, _lines(map(_ANSWER.format, rows)))


def _stuck(places: Sequence[Place], glance: Glance) -> Markup:
    if not places:
        return Markup()
    page = _runbook(glance.runbooks, "InvokeConnectorPartitionStuck")
    return Markup("<h2>Partitions that take nothing new</h2>\n{}\n{}").format(_table(places, glance.now_ms), page)


def _places(places: Sequence[Place], stuck: int, glance: Glance) -> Markup:
    """Those that are not listed as stuck; with them as many as may be listed."""
    if not glance.places:
        return Markup("<p>None is assigned to this process.</p>")
    room = max(0, MOST_PLACES - stuck)
    listed, rest = places[:room], places[room:]
    parts = [_table(listed, glance.now_ms)] if listed else []
    parts += [_rest(rest)] if rest else []
    return _lines(parts) or Markup("<p>All are listed above.</p>")


def _table(places: Sequence[Place], now_ms: int) -> Markup:
    return _PLACES.format(_lines(_place(place, now_ms) for place in places))


def _urgency(place: Place) -> tuple[bool, int, float, object]:
    """Who is stuck comes first, then who lags most; where nothing is known comes before where nothing waits."""
    return not place.is_stuck, -(1 if place.lag is None else place.lag), -(place.oldest or 0.0), place.partition


def _place(place: Place, now_ms: int) -> Markup:
    return _PLACE.format(
        stuck=Markup(' class="stuck"') if place.is_stuck else "",
        name=str(place.partition),
        lag="?" if place.lag is None else f"{place.lag:,}",
        in_hand=f"{place.in_hand:,}",
        oldest="" if place.oldest is None else span(place.oldest),
        waits="; ".join(_wait(wait, now_ms) for wait in place.waits),
    )


def _wait(wait: Wait, now_ms: int) -> str:
    if wait.due_ms is not None:
        return f"{wait.reason}, in {span((wait.due_ms - now_ms) / 1000)}"
    return f"{wait.reason.replace('_', ' ')}, for {span((now_ms - wait.since_ms) / 1000)}"


def _rest(rest: Sequence[Place]) -> Markup:
    """What is not listed, by topic."""
    numbers = Counter(place.partition.topic for place in rest)
    lags: dict[str, int] = defaultdict(int)
    for place in rest:
        lags[place.partition.topic] += place.lag or 0
    stuck = sum(place.is_stuck for place in rest)
    topics = [f"{count(number, 'partition')} of {topic}, lag {lags[topic]:,}" for topic, number in numbers.items()]
    waits = f"; {stuck:,} of them stuck" if stuck else "; none of them is stuck"
    return Markup('<p>And {}{}: <a href="status">/status</a> has all.</p>').format(
        "; ".join(topics[:_MOST_LISTED]), waits
    )


def _runbooks(address: str | None) -> Markup:
    if address is None:
        return Markup('<span class="faint">runbooks: docs/runbooks of this version</span>')
    return _LINK.format(f"{address.rstrip('/')}/README.md", "runbooks, by symptom")


def _runbook(address: str | None, alert: str) -> Markup:
    return Markup() if address is None else _LINK.format(f"{address.rstrip('/')}/{alert}.md", "Runbook")
