"""What pydantic found wrong, in our words: the setting's name, what it must be, and never what was written there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from connector.config.fields import BY_NAME, Field

_TEXTS = {
    "missing": "is missing, and has no default",
    "string_type": "must be a text; put it in quotes",
    "model_type": "must be a section of settings, or left out",
    "model_attributes_type": "must be a section of settings, or left out",
    "dict_type": "must be a mapping of names to values",
    "mapping_type": "must be a mapping of names to values",
    "tuple_type": "must be a list (in the environment: as JSON)",
    "path_type": "must be a path",
}


REMOVED = {
    "admin.ready_during_hold": (
        "is gone: leave it out; a hold never fails /readyz, and invoke_connector_hold tells of one"
    ),
    "delivery.buffer_records": "is gone: leave it out; it is 10,000, and delivery.buffer_bytes bounds their size",
    "delivery.maybe_delivered": (
        "is gone: for `dead_letter` set delivery.maybe_delivered_repeats to 0, for `retry` leave it out"
    ),
    "hold.brake.rate": "is gone: leave it out; the brake goes by hold.brake.share and hold.brake.minimum",
    "hold.endpoint.share": (
        "is gone: leave it out; it is 0.9, and hold.endpoint.minimum and hold.endpoint.window say of how many posts"
    ),
    "pace.burst": "is gone: leave it out; pace.rate spaces requests evenly",
    "pace.concurrency": (
        "is gone: for `fixed` set pace.floor to what delivery.in_flight is, for `adaptive` leave it out"
    ),
    "pace.longest_pause": "is gone: leave it out; a Retry-After counts for 15 minutes at most",
}
"""Settings of older versions, and what says the same now."""


def explain(error: ValidationError) -> Iterator[str]:
    """One line a problem."""
    for found in error.errors(include_url=False, include_input=False):
        if found["type"] == "default_factory_not_called":
            continue  # a default that follows a setting which is wrong itself
        name = dotted(found["loc"])
        for line in _text(found, name).split("\n"):
            yield f"{name}: {line}" if name else line


def dotted(loc: Iterable[int | str]) -> str:
    """`kafka.topics.main` or `openmarket.outcomes[0].fate`; pydantic's names of union members are left out."""
    name = ""
    for part in loc:
        if isinstance(part, int):
            name += f"[{part}]"
        elif part not in ("list", "any") or not name.endswith("service_ids"):
            shown = part if part.isprintable() else ascii(part)
            name += f".{shown}" if name else shown
    return name


def unknown(name: str, known: Iterable[str]) -> str:
    """That a setting is unknown, with the nearest of those there are."""
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f"unknown setting; did you mean {near[0]}?" if near else f"unknown setting; known here: {', '.join(names)}"


def _text(found: Any, name: str) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        if name in BY_NAME and found["loc"][-1] != name.rpartition(".")[2]:
            return "unknown setting: a section and what is in it are keys of their own, one below the other"
        if name in REMOVED:
            return REMOVED[name]
        above, _, last = name.rpartition(".")
        return unknown(last, _known(above))
    if kind in ("greater_than_equal", "less_than_equal"):
        return _bound(BY_NAME.get(name), context)
    message: str = _TEXTS.get(kind) or found["msg"].removeprefix("Value error, ")
    return message.replace("Input should", "must").replace("String should", "must")


def _known(above: str) -> list[str]:
    prefix = f"{above}." if above else ""
    rest = [name.removeprefix(prefix) for name in BY_NAME if name.startswith(prefix)]
    return [name for name in rest if "." not in name]


def _bound(field: Field | None, context: dict[str, Any]) -> str:
    word, bound = ("at least", context["ge"]) if "ge" in context else ("at most", context["le"])
    return f"must be {word} {field.kind.show(bound) if field is not None and field.kind else bound}"
