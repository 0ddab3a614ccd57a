"""What a registry's answers mean: a status and a body in, a schema or a reason why there is none out.

"Unknown" is only the registry's own word: a 404 of a proxy or of a wrong address must not send a topic into the dead
letters. Whatever else is not a schema is `Unavailable`: the partition waits, and somebody looks at the registry.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import orjson

from connector.core.redact import scrub

UNREACHABLE = "registry_unreachable"
TIMEOUT = "registry_timeout"
REFUSED = "registry_refused"
BUSY = "registry_busy"
FAILED = "registry_failed"
STRANGE = "registry_strange"
PROXY = "registry_proxy"
_COMPARE = "compare schemas.registry.url and its ca_file with the registry"
REMEDIES = {
    UNREACHABLE: f"{_COMPARE}; look at DNS, firewall and the registry itself",
    TIMEOUT: f"look at the registry's load and at the network; {_COMPARE}",
    REFUSED: "compare basic_auth_file, bearer_token_file or certificate_file of schemas.registry with what it expects, "
    "and the rights to read schemas and subjects",
    BUSY: "the registry limits requests: raise its limit, or ask it less (ids.json in schemas.folder)",
    FAILED: "look at the registry's own log",
    STRANGE: f"{_COMPARE}: a proxy may answer in its place, or the path be wrong",
    PROXY: "compare schemas.registry.proxy with the proxy (url, basic_auth_file), and have the registry allowed there",
}
"""Why a schema cannot be had now, and what to do."""

UNAVAILABLE_CODES = frozenset(REMEDIES)

_AVRO, _JSON = "AVRO", "JSON"
"""Confluent API reference, `schemaType`: left out, it is Avro. Others write null, or in other case."""
Place = TypeVar("Place", bound=Hashable)
_MOST_REFERENCES = 50
_VERSIONS_SHOWN = 3
_LONGEST_SUBJECT = 200
_SCHEMA_NOT_FOUND = 40403  # Confluent API reference, GET /schemas/ids/{id} and /schemas/guids/{guid}


class Found(NamedTuple):
    """The text of a schema, Avro's or a JSON Schema, and the texts of those that it refers to, directly or not."""

    text: str
    referenced: tuple[str, ...]
    is_json: bool = False


class Unknown(NamedTuple):
    """The registry itself says that it has no such id."""


class NotAvro(NamedTuple):
    """The id is that of a schema which is not read; `kind` says of what kind it is."""

    kind: str = "Protobuf"


class Unavailable(NamedTuple):
    """No answer that can be used now; `code` is one of UNAVAILABLE_CODES, `cause` says for a person what came."""

    code: str
    cause: str


class StopError(Exception):
    """An answer that ends the look-up."""

    def __init__(self, answer: Unknown | NotAvro | Unavailable) -> None:
        self.answer = answer


def strange(cause: str) -> StopError:
    """What is no answer of a registry."""
    return StopError(Unavailable(STRANGE, cause))


def trouble(status: int) -> Unavailable | None:
    """What a status says of the registry, whatever was asked for."""
    if status in (401, 403, 407):
        return Unavailable(REFUSED, f"HTTP {status}")
    if status == 429:
        return Unavailable(BUSY, f"HTTP {status}")
    return Unavailable(FAILED, f"HTTP {status}") if status >= 500 else None


def read_answer(status: int, body: bytes) -> dict[str, Any]:
    """The JSON of a Confluent-compatible registry's answer. Raises StopError for all but a 200."""
    if (unavailable := trouble(status)) is not None:
        raise StopError(unavailable)
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise strange(f"HTTP {status} without JSON of a registry")
    if status == 200:
        return answer
    code = answer.get("error_code")
    if status == 404 and code == _SCHEMA_NOT_FOUND:
        raise StopError(Unknown())
    raise strange(f"HTTP {status}, error_code {code}" if type(code) is int else f"HTTP {status} without error_code")


def schema_of(answer: dict[str, Any]) -> tuple[str, bool]:
    """The text, and whether it is a JSON Schema. Raises StopError."""
    kind = answer.get("schemaType")
    if isinstance(kind, str) and kind.upper() not in (_AVRO, _JSON):
        raise StopError(NotAvro())
    if not isinstance(kind, str | None) or not isinstance(text := answer.get("schema"), str):
        raise strange("HTTP 200 without a schema")
    return text, kind is not None and kind.upper() == _JSON


def avro_of(answer: dict[str, Any]) -> str:
    """The text of a schema that has to be Avro's. Raises StopError."""
    text, is_json = schema_of(answer)
    if is_json:
        raise StopError(NotAvro())
    return text


def references_of(answer: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Subject and version of each schema that it refers to. Raises StopError."""
    references = answer.get("references") or []
    for reference in references if isinstance(references, list) else [None]:
        match reference:
            case {"subject": str(subject), "version": int(version)} if subject not in ("", ".", ".."):
                yield subject, version
            case _:
                raise strange("HTTP 200 with references that cannot be read")


def versions_of(status: int, body: bytes) -> str | None:
    """Subjects and versions that have an id, in words: `orders-value version 3`. None where none is told."""
    try:
        answer = orjson.loads(body) if status == 200 else None
    except orjson.JSONDecodeError:
        answer = None
    told = [text for each in answer if (text := _version_of(each))] if isinstance(answer, list) else []
    if not told:
        return None
    more = f" and {len(told) - _VERSIONS_SHOWN} more" if len(told) > _VERSIONS_SHOWN else ""
    return ", ".join(told[:_VERSIONS_SHOWN]) + more


def _version_of(place: Any) -> str | None:
    match place:
        case {"subject": str(subject), "version": int(version)} if subject.isprintable() and version >= 0:
            return f"{scrub(subject[:_LONGEST_SUBJECT])} version {version}"
    return None


async def walked(
    first: Iterable[Place], ask: Callable[[Place], Awaitable[tuple[str, Iterable[Place]]]]
) -> tuple[str, ...]:
    """The texts of all that is referred to from these places, each once. `ask` gives the text at a place and what that
    refers to. Raises StopError."""
    texts: dict[Place, str] = {}
    waiting = list(first)
    while waiting:
        place = waiting.pop()
        if place in texts:
            continue
        if len(texts) >= _MOST_REFERENCES:
            raise strange(f"more than {_MOST_REFERENCES} references")
        texts[place], further = await ask(place)
        waiting.extend(further)
    return tuple(texts.values())


def of_references(stop: StopError, what: str, otherwise: str) -> StopError:
    """What ends a look-up of references. The id is known, so that one which is not there, `otherwise`, is the
    registry's fault and not the record's."""
    answer = stop.answer if isinstance(stop.answer, Unavailable) else Unavailable(STRANGE, otherwise)
    return StopError(answer._replace(cause=f"{answer.cause}, asked for its {what}"))
