"""An event's way through a mapping as text and as JSON: values as shapes unless somebody asks to see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.cli.dlq.view import event_view
from connector.cli.mapping_event import Event
from connector.cli.preview import refusal_text
from connector.core.mapping.explained import Asked, EventStory, Told
from connector.core.redact import shape

_INDENT = "  "
_PASSED = "no event of the mapping takes it: it is passed over (mapping.others: skip)"


def lines(event: Event, reveal: bool) -> Iterator[str]:
    """For people."""
    yield f"{event.place}{f', record {event.schema}' if event.schema else ''}"
    for story in event.stories:
        yield from _story(story, reveal)
    if event.fields is not None:
        yield "the event:"
        for name, value in event_view(event.fields, reveal).items():
            yield f"{_INDENT}{name}: {value}"
    if event.refusal is not None:
        yield refusal_text(event.refusal)
    elif event.fields is None:
        yield _PASSED


def document(event: Event, reveal: bool) -> Mapping[str, object]:
    """For programs."""
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
    }


def _story(story: EventStory, reveal: bool) -> Iterator[str]:
    verdict = "does not take it" if story.fields is None else "takes it"
    yield f"{story.says}: {verdict}"
    for asked in story.asked:
        yield f"{_INDENT}{_condition(asked, reveal)}"
    fields = story.fields or {}
    steps = [(name, number, each) for name, told in fields.items() for number, each in enumerate(told)]
    width = max((len(name) for name in fields), default=0)
    says = max((len(each.says) + 2 * each.depth for _, _, each in steps), default=0)
    for name, number, each in steps:
        text = f"{_INDENT * each.depth}{each.says}"
        yield f"{_INDENT}{'' if number else name:{width}}  {text:{says}}  {_outcome(each, reveal)}"


def _condition(asked: Asked, reveal: bool) -> str:
    return f"{asked.says}: {'holds' if asked.holds else f'does not hold, it is {_shown(asked.value, reveal)}'}"


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
    return repr(value) if reveal else shape(value)
