"""One source of the mapping, checked against what a schema has at its path, as a chain of calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from connector.core.mapping import phones, steps, times
from connector.core.mapping.errors import UnmappableError
from connector.core.mapping.getters import Always, Defaulted, Filled, FirstOf, Getter, Joined, Linked, Run
from connector.core.mapping.paths import getter, type_around
from connector.core.mapping.rules import Constant, First, From, Join, Source, dialled
from connector.core.mapping.steps import Step
from connector.core.mapping.types import Kind, Part, Type, resolved
from connector.core.redact import shape

Texts = frozenset[tuple[Part, ...]]


class MisfitError(Exception):
    """Why a source does not fit a schema, for a person; shows nothing of an event."""


class Link(NamedTuple):
    """One function of a chain. `other` gets its second argument from the event."""

    says: str
    run: Run
    other: Getter | None = None


class Chain(NamedTuple):
    """A source: where it starts, what is done then, and all of it as one. `parts` are those of a join or a first.
    `kinds` is what can come out, besides null; `unknown`: nobody knows; `is_local`: a date or time without a zone."""

    says: str
    parts: tuple[Chain, ...]
    start: Getter
    links: tuple[Link, ...]
    default: Constant | None
    kinds: frozenset[Kind]
    unknown: bool
    shown: str
    getter: Getter
    is_local: bool = False


class Target(NamedTuple):
    """What a field of ours takes: these kinds, and those of `turned` after what turns them into one of these."""

    takes: frozenset[Kind]
    turned: Mapping[Kind, Link] = {}
    remedy: str = "name a function that makes it one: then"


_ISO = Link("as ISO 8601", lambda value, _: times.iso(value))
_AS_TEXT = Link("as text", lambda value, _: value if type(value) is str else str(value))
_READ = Link("as text", lambda value, _: steps.as_text(value))
_AS_DIALLED = Link("as dialled", lambda value, _: phones.as_dialled(value))

TEXT = Target(frozenset({Kind.TEXT}), {Kind.INTEGER: _AS_TEXT})
INTEGER = Target(frozenset({Kind.INTEGER}), remedy="then: [number] reads it from text")
TIME = Target(frozenset({Kind.INTEGER, Kind.TIME}), remedy="then: [{time: iso}] reads it from text")
_NAME_ZONE = "then: [{time: {format: iso, zone: Europe/Berlin}}] reads it as a time there"
VARIABLE = Target(
    frozenset({Kind.TEXT, Kind.INTEGER, Kind.DOUBLE, Kind.BOOLEAN}),
    {Kind.TIME: _ISO},
    remedy="then: [text] reads bytes as UTF-8",
)
_PART = Target(
    frozenset({Kind.TEXT}),
    {Kind.TIME: _ISO, Kind.INTEGER: _READ, Kind.DOUBLE: _READ, Kind.BOOLEAN: _READ},
    remedy="then: [text] reads bytes as UTF-8",
)

CHECK = "of a type that it takes"
"""The link that only looks: a story leaves it out unless it refuses."""

_PYTHON: Mapping[Kind, type] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.DOUBLE: float,
    Kind.BOOLEAN: bool,
    Kind.BYTES: bytes,
    Kind.TIME: int,
}


def chain_of(source: Source, target: Target, whole: Type, texts: Texts) -> Chain:
    """The chain of a source for one field. Raises MisfitError."""
    return _finished(_fitted(_through(source, whole, texts), target))


def _begun(source: Source, whole: Type, texts: Texts) -> Chain:
    match source.origin:
        case From(path, optional):
            found = type_around(path) or resolved(whole, path.parts, texts)
            if isinstance(found, str):
                if not optional:
                    raise MisfitError(f"{path}: {found}")
                return _start(f"{path}, which this schema lacks", Always(None))
            if not found.is_simple:
                raise MisfitError(f"{path}: it is {found.shown}, and a simple value is needed")
            return _start(str(path), getter(path))._replace(
                kinds=found.kinds,
                unknown=found.is_unknown,
                shown=f"{path} is {found.shown}",
                is_local=found.is_local,
            )
        case Constant(value):
            kinds = frozenset() if value is None else frozenset({steps.kind_of(value)})
            return _start("a constant", Always(value))._replace(kinds=kinds, shown="the constant")
        case Join():
            return _joined(source.origin, whole, texts)
        case _:
            return _first_of(source.origin, whole, texts)


def _joined(origin: Join, whole: Type, texts: Texts) -> Chain:
    chains = tuple(chain_of(part, _PART, whole, texts) for part in origin.parts)
    getters = [chain.getter for chain in chains]
    if origin.dialled:  # what stands behind a part can hide that it was computed with
        getters = [_linked(each, (_AS_DIALLED,)) for each in getters]
    if origin.complete:
        said = zip(origin.parts, getters, strict=True)
        getters = [each if isinstance(part.origin, Constant) else Filled(each) for part, each in said]
    joined = _start("join", Joined(getters, origin.separator, complete=origin.complete))
    return joined._replace(parts=chains, kinds=frozenset({Kind.TEXT}), shown="a join is text")


def _first_of(origin: First, whole: Type, texts: Texts) -> Chain:
    """What its parts are made into is decided for all of them together."""
    chains = tuple(_finished(_through(part, whole, texts)) for part in origin.parts)
    return _start("first", FirstOf([chain.getter for chain in chains]))._replace(
        parts=chains,
        kinds=frozenset().union(*(chain.kinds for chain in chains)),
        unknown=any(chain.unknown for chain in chains),
        shown=" or ".join(chain.shown for chain in chains),
    )


def _through(source: Source, whole: Type, texts: Texts) -> Chain:
    """A source with its functions and its default."""
    chain = _begun(dialled(source) if any(step.dials for step in source.then) else source, whole, texts)
    for step in source.then:
        chain = _with_step(chain, step, whole, texts, strict=source.default is None)
    if source.default is None:
        return chain
    value = source.default.value
    kinds = chain.kinds if value is None else chain.kinds | {steps.kind_of(value)}
    return chain._replace(default=source.default, kinds=kinds)


def _start(says: str, start: Getter) -> Chain:
    return Chain(says, (), start, (), None, frozenset(), unknown=False, shown=says, getter=start)


def _with_step(chain: Chain, step: Step, whole: Type, texts: Texts, *, strict: bool) -> Chain:
    if chain.kinds == {Kind.TIME} and step.reads_numbers and not chain.unknown:
        leave = "; leave it out" if Kind.TIME in step.gives else ""
        raise MisfitError(f"{chain.shown}, which is a time already; {step.says} reads a number{leave}")
    if chain.is_local and step.needs_zone:
        raise MisfitError(f"{chain.shown}, which has no zone; {_NAME_ZONE}")
    if Kind.TIME in chain.kinds and Kind.TIME not in step.takes:
        chain = _turned(chain, Kind.TIME, _ISO)
    wrong = chain.kinds - step.takes
    if wrong and wrong == chain.kinds and not chain.unknown:
        raise MisfitError(f"{chain.shown}; {step.says} takes {_listed(step.takes)}, not {_listed(wrong)}")
    if wrong or chain.unknown:
        chain = chain._replace(links=(*chain.links, _checked(step.takes)))
    other = None
    if step.other is not None:
        other = chain_of(Source(From(step.other)), TEXT, whole, texts).getter
    run = (steps.strict(step) if strict and step.table is not None else step).run
    return chain._replace(
        links=(*chain.links, Link(step.says, run, other)),
        kinds=step.gives,
        unknown=False,
        shown=f"{step.says} gives {_listed(step.gives)}",
        is_local=False,
    )


def _fitted(chain: Chain, target: Target) -> Chain:
    takes = target.takes.union(target.turned)
    wrong = chain.kinds - takes
    if wrong and wrong == chain.kinds and not chain.unknown:
        remedy = _NAME_ZONE if chain.is_local and target is TIME else target.remedy
        raise MisfitError(f"{chain.shown}; {_listed(target.takes)} is needed, not {_listed(wrong)}; {remedy}")
    if chain.unknown:
        if Kind.TIME in chain.kinds - target.takes:
            raise _untold(chain)
        takes = frozenset(takes - {Kind.TIME})
        chain = chain._replace(links=(*chain.links, _checked(takes)), kinds=takes)
    elif wrong:  # of a union some branches fit: a value of another one is refused when it comes
        takes = frozenset(takes & chain.kinds)
        chain = chain._replace(links=(*chain.links, _checked(takes)), kinds=takes)
    for kind, link in target.turned.items():
        if kind in chain.kinds:
            chain = _turned(chain, kind, link)
    return _with_default_fitted(chain, target)


def _with_default_fitted(chain: Chain, target: Target) -> Chain:
    """A default comes after all functions, so that it is turned here, once."""
    value = None if chain.default is None else chain.default.value
    if value is None or (kind := steps.kind_of(value)) in target.takes:
        return chain
    if (link := target.turned.get(kind)) is None:
        raise MisfitError(f"the default is {kind.value}; {_listed(target.takes)} is needed")
    try:
        return chain._replace(default=Constant(link.run(value, None)))
    except UnmappableError as error:
        raise MisfitError(f"the default is {error.shape}: {error.remedy}") from None


def _turned(chain: Chain, kind: Kind, link: Link) -> Chain:
    if kind is Kind.TIME and (chain.unknown or Kind.INTEGER in chain.kinds):
        raise _untold(chain)
    if kind is Kind.TIME and len(chain.kinds) > 1:
        link = Link(link.says, lambda value, _: times.iso(value) if type(value) is int else value)
    if link in chain.links[-1:]:
        return chain._replace(kinds=chain.kinds - {kind} | {Kind.TEXT})
    return chain._replace(links=(*chain.links, link), kinds=chain.kinds - {kind} | {Kind.TEXT})


def _untold(chain: Chain) -> MisfitError:
    return MisfitError(f"{chain.shown}: nothing tells a time from another number; format_time makes a text of it")


def _finished(chain: Chain) -> Chain:
    """With all of it as one."""
    linked = _linked(chain.start, chain.links)
    return chain._replace(getter=linked if chain.default is None else Defaulted(linked, chain.default.value))


def _linked(start: Getter, links: tuple[Link, ...]) -> Getter:
    return Linked(start, [(link.run, link.other) for link in links]) if links else start


def _checked(kinds: frozenset[Kind]) -> Link:
    """Lets through what is of these kinds, where no schema says so."""
    wanted = frozenset(_PYTHON[kind] for kind in kinds)
    remedy = f"write {_listed(kinds)}"

    def check(value: Any, _: Any) -> Any:
        if type(value) not in wanted:
            raise UnmappableError(shape(value), remedy)
        return value

    return Link(CHECK, check)


def _listed(kinds: frozenset[Kind]) -> str:
    return " or ".join(sorted(kind.value for kind in kinds)) or "null"
