"""An event's way through a mapping as text and as JSON: values as shapes unless somebody asks to see them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from connector.cli.dlq.view import event_view
from connector.cli.mapping_event import Event
from connector.cli.preview import refusal_text
from connector.core.mapping import times
from connector.core.mapping.errors import UnmappableError
from connector.core.mapping.explained import Asked, EventStory, Told
from connector.core.redact import shape

_INDENT = "  "
_TIMES = frozenset({"createdAt", "expiresAt"})
_PASSED = "no event of the mapping takes it: it is passed over (mapping.others: skip)"


_EXPIRED = "expiresAt is past: from then on it is not posted, but a dead letter of class expired"


def lines(event: Event, reveal: bool, now_ms: int) -> Iterator[str]:
    """For people. `now_ms`: ms since the epoch."""
    yield f"{event.place}{f', record {event.schema}' if event.schema else ''}"
    for story in event.stories:
        yield from _story(story, reveal)
    if event.fields is not None:
        yield "the event:"
        yield from (f"{_INDENT}{text}" for text in _event(event.fields, reveal))
    if event.refusal is not None:
        yield refusal_text(event.refusal)
    elif event.fields is None:
        yield _PASSED
    elif _is_past(event.fields, now_ms):
        yield _EXPIRED


def document(event: Event, reveal: bool, now_ms: int) -> Mapping[str, object]:
    """For programs. `now_ms`: ms since the epoch."""
    refusal = event.refusal
    return {
        "place": event.place,
        "schema": event.schema,
        "events": [
            {
                "event": story.says,
                "when": [{"condition": each.says, "holds": each.holds} for each in story.asked],
                "fields": None
                if story.fields is None
                else {name: [_step(each, reveal) for each in told] for name, told in story.fields.items()},
            }
            for story in event.stories
        ],
        "event": None if event.fields is None else event_view(event.fields, reveal),
        "refusal": None
        if refusal is None
        else {
            "stage": refusal.stage.value,
            "class": refusal.code,
            "problems": [str(each) for each in refusal.problems],
        },
        "passed_over": event.fields is None and refusal is None,
        "expired": event.fields is not None and _is_past(event.fields, now_ms),
    }


def _is_past(fields: Mapping[str, object], now_ms: int) -> bool:
    expires_ms = fields.get("expiresAt")
    return type(expires_ms) is int and expires_ms <= now_ms


def _event(fields: Mapping[str, object], reveal: bool) -> Iterator[str]:
    for name, value in event_view(fields, reveal).items():
        if name == "variables" and isinstance(value, dict):
            for scope, keys in value.items():
                yield from _variables(f"{name}.{scope}", keys)
        else:
            yield f"{name}: {_time(value) if name in _TIMES else _plain(value)}"


def _variables(scope: str, keys: object) -> Iterator[str]:
    if not isinstance(keys, dict):
        yield f"{scope}: {_plain(keys)}"
        return
    for key, value in keys.items():
        yield f"{scope}.{key}: {_plain(value)}"


def _time(value: object) -> str:
    """ISO 8601, whatever else is masked: a time of ours tells of nobody."""
    try:
        return times.iso(value) if type(value) is int else _plain(value)
    except UnmappableError:
        return _plain(value)


def _plain(value: object) -> str:
    """As JSON has what is no text, and on one line."""
    if isinstance(value, str) and value.isprintable():
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _story(story: EventStory, reveal: bool) -> Iterator[str]:
    verdict = "does not take it" if story.fields is None else "takes it"
    yield f"{story.says}: {verdict}"
    for asked in story.asked:
        yield f"{_INDENT}{_condition(asked, reveal)}"
    fields = story.fields or {}
    steps = [(name, number, each) for name, told in fields.items() for number, each in enumerate(told)]
    last = {name: fields[name][-1] for name in _TIMES & fields.keys() if type(fields[name][-1].value) is int}
    width = max((len(name) for name in fields), default=0)
    says = max((len(each.says) + 2 * each.depth for _, _, each in steps), default=0)
    for name, number, each in steps:
        text = f"{_INDENT * each.depth}{each.says}"
        outcome = _time(each.value) if each is last.get(name) else _outcome(each, reveal)
        yield f"{_INDENT}{'' if number else name:{width}}  {text:{says}}  {outcome}"


def _condition(asked: Asked, reveal: bool) -> str:
    if asked.holds:
        return f"{asked.says}: holds"
    return f"{asked.says}: does not hold, it is {asked.value if asked.is_symbol else _shown(asked.value, reveal)}"


def _outcome(told: Told, reveal: bool) -> str:
    if told.problem is not None:
        return f"{told.problem.code}: {told.problem.shape}; {told.problem.remedy}"
    return _shown(told.value, reveal)


def _step(told: Told, reveal: bool) -> Mapping[str, object]:
    return {
        "step": told.says,
        "depth": told.depth,
        "value": told.value if reveal else shape(told.value),
        "problem": None if told.problem is None else f"{told.problem.code}: {told.problem.shape}",
    }


def _shown(value: object, reveal: bool) -> str:
    if not reveal:
        return shape(value)
    return _plain(value) if isinstance(value, bool | None) else repr(value)
