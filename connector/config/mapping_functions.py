"""The functions of a mapping, as `then` names them with their arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from connector.config.mapping_places import QUOTES, At, made, path_at, said, scalar_at
from connector.config.units import parse_duration
from connector.core.mapping import phones, steps, times
from connector.core.mapping.paths import Path
from connector.core.mapping.steps import Step

_LONGEST = 4096


def step_at(at: At) -> Step:
    """One entry of `then`. Raises ValueError."""
    name, argument = at.given, None
    if isinstance(at.given, dict) and len(at.given) == 1:
        name = next(iter(at.given))
        argument = at.inside(name)
    known = _WITH if argument is not None else _PLAIN
    if not isinstance(name, str) or name not in known:
        raise at.wrong(_unknown(name, with_argument=argument is not None))
    return _WITH[name](argument) if argument is not None else _PLAIN[name]()


def _unknown(name: object, *, with_argument: bool) -> str:
    if not isinstance(name, str):
        beside = "; default stands beside then" if isinstance(name, dict) and "default" in name else ""
        return f"must be one function: a name, or a mapping of one name to its argument{beside}"
    if name in _WITH and not with_argument:
        return f"needs an argument: {name}: …"
    if name in _PLAIN:
        return f"takes no argument: {name}"
    known = [*_PLAIN, *_WITH]
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    shown = name if name.isprintable() else ascii(name)
    return f"{shown} is no function; {f'did you mean {near[0]}?' if near else 'there are ' + ', '.join(known)}"


def _truncate(at: At) -> Step:
    if type(at.given) is not int or not 1 <= at.given <= _LONGEST:
        raise at.wrong(f"must be a number of characters, 1 to {_LONGEST}")
    return steps.truncate(at.given)


def _null_if(at: At) -> Step:
    texts = at.given if isinstance(at.given, list) else [at.given]
    if not texts or not all(isinstance(each, str) for each in texts):
        raise at.wrong('must be a text or a list of them, such as "" or ["", n/a]')
    return steps.null_if(frozenset(texts))


def _lookup(at: At) -> Step:
    if not isinstance(at.given, dict) or not at.given:
        raise at.wrong("must be a mapping of values to what they become")
    for key in at.given:
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise at.wrong(f"has the key {str(key).lower()}, which {QUOTES.format('no text')}")
    return steps.lookup({str(key): scalar_at(at.inside(key)) for key in at.given})


def _phone(at: At) -> Step:
    if isinstance(at.given, dict):
        given = at.mapping(("region", "region_from"), "a region, or a mapping: region, region_from")
        region = at.inside("region") if "region" in given else None
        other = path_at(at.inside("region_from")) if "region_from" in given else None
    else:
        region, other = at, None
    if region is not None:
        said(region, phones.check_region, "must be a region of two letters, such as DE (in quotes: NO is false)")
    return steps.phone(None if region is None else region.given, other)


def _time(at: At) -> Step:
    layout, zone, zone_from = _layout(at, (times.ISO, *times.PER_MS))
    return made(at, lambda: steps.time(layout, zone, zone_from))


def _format_time(at: At) -> Step:
    layout, zone, zone_from = _layout(at, ())
    return made(at, lambda: steps.format_time(layout, zone, zone_from))


def _layout(at: At, named: tuple[str, ...]) -> tuple[str, str | None, Path | None]:
    inside, zone, zone_from = at, None, None
    if isinstance(at.given, dict):
        given = at.mapping(("format", "zone", "zone_from"), "a format, or a mapping: format, zone, zone_from")
        if "format" not in given:
            example = "iso" if times.ISO in named else '"%H:%M"'
            raise at.wrong(f"needs a format as well, such as format: {example}")
        inside = at.inside("format")
        zone = at.inside("zone").given if "zone" in given else None
        zone_from = path_at(at.inside("zone_from")) if "zone_from" in given else None
    if zone is not None and not isinstance(zone, str):
        raise at.inside("zone").wrong("must be a zone, such as Europe/Berlin")
    if inside.given not in named:
        words = f"{', '.join(named)}, or a layout of strptime" if named else "a layout of strftime, such as %H:%M"
        said(inside, lambda text: times.check_format(text, reading=bool(named)), f"must be {words}")
    return inside.given, zone, zone_from


def _later(sign: int, word: str) -> Callable[[At], Step]:
    def step(at: At) -> Step:
        ms = made(at, lambda: round(parse_duration(at.given) * 1000))
        return steps.plus(f"{word} {at.given}", sign * ms)

    return step


_PLAIN: Mapping[str, Callable[[], Step]] = {
    "digits": steps.digits,
    "lower": steps.lower,
    "upper": steps.upper,
    "trim": steps.trim,
    "text": steps.text,
    "number": steps.number,
}
_WITH: Mapping[str, Callable[[At], Step]] = {
    "phone": _phone,
    "time": _time,
    "format_time": _format_time,
    "plus": _later(1, "plus"),
    "minus": _later(-1, "minus"),
    "lookup": _lookup,
    "null_if": _null_if,
    "truncate": _truncate,
}
FUNCTIONS = (*_PLAIN, *_WITH)
"""Every function that `then` knows."""


def as_entry(name: str) -> str:
    """A function as an entry of `then`."""
    return name if name in _PLAIN else f"{{{name}: …}}"
