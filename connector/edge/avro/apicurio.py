"""Apicurio's own API, for the ids that its serializers write: global ids and content ids, which differ.

Its Confluent-compatible API knows one of the two only. The connections and credentials are those of `registry`.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from connector.edge.avro.framing import Kind, Name
from connector.edge.avro.registry import ConfluentRegistry
from connector.edge.avro.registry_answers import (
    Found,
    NotAvro,
    StopError,
    Unavailable,
    Unknown,
    of_references,
    strange,
    trouble,
    walked,
)

_UNKNOWN = ("ArtifactNotFoundException", "ContentNotFoundException")  # of Apicurio Registry 2.6 and 3.1
_PATHS = {Kind.GLOBAL_ID: "globalIds", Kind.CONTENT_ID: "contentIds"}


class _Place(NamedTuple):
    """A version of an artifact, as references name it."""

    group: str
    artifact: str
    version: str


class ApicurioApi:
    """Schemas by Apicurio's ids, with what they refer to."""

    def __init__(self, registry: ConfluentRegistry, url: str) -> None:
        """`url` ends with /apis/registry/v2 or /apis/registry/v3."""
        self._registry = registry
        self._url = url.rstrip("/")
        self._content = "/content" if self._url.endswith("/v3") else ""

    async def schema(self, name: Name) -> Found | Unknown | NotAvro | Unavailable:
        """Ask once. Never raises for what the registry does."""
        path = f"/ids/{_PATHS[name.kind]}/{name.text}"
        try:
            text = await self._registry.get(self._url + path, _content)
            is_json = _is_json_schema(text)
            referenced = await self._referenced(path)
            if is_json and referenced:
                return NotAvro("JSON Schema that refers to others")
            return Found(text, referenced, is_json)
        except StopError as stop:
            return stop.answer

    async def _referenced(self, path: str) -> tuple[str, ...]:
        try:
            first = await self._registry.get(f"{self._url}{path}/references", _references)
            return await walked(first, self._reference)
        except StopError as stop:
            raise of_references(stop, "references", "no schema") from None

    async def _reference(self, place: _Place) -> tuple[str, list[_Place]]:
        group, artifact, version = (quote(part, safe="") for part in place)
        path = f"{self._url}/groups/{group}/artifacts/{artifact}/versions/{version}"
        text = await self._registry.get(path + self._content, _content)
        return text, await self._registry.get(f"{path}/references", _references)


def _content(status: int, body: bytes) -> str:
    """The text of a schema, which Apicurio gives as it is. Raises StopError."""
    if (unavailable := trouble(status)) is not None:
        raise StopError(unavailable)
    if status == 200:
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise strange("HTTP 200 without text") from None
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    name = answer.get("name") if isinstance(answer, dict) else None
    if status == 404 and name in _UNKNOWN:
        raise StopError(Unknown())
    raise strange(f"HTTP {status} without Apicurio's words")


def _references(status: int, body: bytes) -> list[_Place]:
    text = _content(status, body)
    try:
        answer: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, list):
        raise strange("HTTP 200 without references")
    return [_place(each) for each in answer]


def _place(reference: Any) -> _Place:
    match reference:
        case {"artifactId": str(artifact), "version": str(version)}:
            group = reference.get("groupId") or "default"  # 2.6 leaves it out
            if isinstance(group, str) and not {"", ".", ".."} & {group, artifact, version}:
                return _Place(group, artifact, version)
    raise strange("HTTP 200 with references that cannot be read")


def _is_json_schema(text: str) -> bool:
    """Apicurio does not say of what kind a schema is; Avro's records and JSON Schemas of objects differ in `type`."""
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError:
        if text.lstrip().startswith(("{", "[", '"', "/")):  # Avro with comments
            return False
        raise StopError(NotAvro()) from None
    return isinstance(schema, dict) and ("$schema" in schema or schema.get("type") == "object")
