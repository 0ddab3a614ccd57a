"""The settings described: the reference page, the JSON Schema, and the values in force with their sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticUndefined, core_schema
from typing_extensions import override

from connector.config.fields import BY_NAME, Field, values
from connector.config.files import SecretFile
from connector.config.load import Loaded
from connector.config.openmarket import AnyService
from connector.config.promised import BROKERS_OWN, PROMISED, SECRET_WORDS
from connector.config.section import Section
from connector.config.settings import LONGER, Settings
from connector.config.units import DURATION, SIZE, format_duration, format_size

MASK = "********"

_HEAD = """\
# Settings

A YAML file (`--config FILE`), then the environment, then the secret files that both may name: the environment wins
over the file. A variable is `CONNECTOR_` and the name with `__` between levels, in upper case:
`kafka.topics.main` is `CONNECTOR_KAFKA__TOPICS__MAIN`. Lists and mappings are JSON there, and `null` is null.

Names that do not exist, or in another case, are refused, in the file and in the environment, with the nearest one that
does; so Kubernetes needs `enableServiceLinks: false` beside a Service named `connector`, for which it makes variables
of that prefix.
`connector config --config FILE` shows every value in force and where it came from; `--schema` prints a JSON Schema.

Durations are `500ms`, `5s`, `15m`, `48h`, `1d`; sizes `512B`, `8KiB`, `64MiB`, `1GiB`; the unit is never left out.
Relative paths start at the working directory. Secrets are never settings: a setting that ends in `_file` names the
file, which is read at start (one line of UTF-8, 64KiB at most, its line end taken off; refused with a space at an end
or characters that cannot be seen), and most of them again when they change ([operations.md](operations.md)).

One connector serves one account from a main topic of its own; several accounts are several deployments.
"""


class Row(NamedTuple):
    """One value in force, secrets masked. `source` is default, file, environment or secret file."""

    name: str
    value: str
    source: str


def in_force(loaded: Loaded) -> Iterator[Row]:
    """Every value in force, in the order of the file."""
    for field, value in values(loaded.settings):
        if field.section is None or value is None:
            yield Row(field.name, _shown(value, field), loaded.source(field.name))
        if isinstance(value, SecretFile):
            yield Row(field.name.removesuffix("_file"), MASK, "secret file")


def json_schema() -> Mapping[str, Any]:
    """JSON Schema of the file, for editors and the Helm chart.

    What JSON Schema has no word for stands under names that begin with `x-`: the bounds of durations and sizes
    (`x-minimum`, `x-maximum`), of `kafka.client` the properties that are refused and why (`x-refused`) and parts of
    names that are refused as secrets (`x-refused-parts`), and at the top the durations that must be longer than others
    (`x-longer`: longer, shorter, why).
    """
    schema = Settings.model_json_schema(schema_generator=_Generator)
    for field in BY_NAME.values():
        if field.kind is not None:
            above = BY_NAME.get(field.name.rpartition(".")[0])
            assert above is not None
            assert above.section is not None
            bounded = schema["$defs"][above.section.__name__]["properties"][field.name.rpartition(".")[2]]
            assert field.bounds is not None
            bounded["x-minimum"], bounded["x-maximum"] = map(field.kind.show, field.bounds)
    client = schema["$defs"]["Kafka"]["properties"]["client"]
    client["x-refused"], client["x-refused-parts"] = dict(PROMISED), list(SECRET_WORDS)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "x-longer": [list(rule) for rule in LONGER]}


def reference() -> str:
    """The reference page, in Markdown."""
    parts = [_HEAD]
    for name in Settings.model_fields:
        parts += [f"\n## {name}\n", f"\n{' '.join(str(BY_NAME[name].section.__doc__).split())}\n\n", *_table(name)]
    parts += ["\n## Rules between settings\n\n"]
    parts += [f"- `{longer}` is longer than `{shorter}`, {why}.\n" for longer, shorter, why in LONGER]
    parts += [_PROPERTIES, "| property | why |\n|---|---|\n"]
    parts += [f"| `{name}` | {why} |\n" for name, why in sorted(PROMISED.items())]
    parts += [f"| `{name}` | with `group_protocol: consumer` the broker decides it |\n" for name in sorted(BROKERS_OWN)]
    return "".join(parts)


_PROPERTIES = """
## Properties that `kafka.client` may not have

The promises of delivery rest on them, or they have a setting of their own. So do all whose name speaks of a password,
a secret, a PEM text or an assertion: secrets come from files.

"""


def _table(section: str) -> Iterator[str]:
    yield "| setting | value | default | meaning |\n|---|---|---|---|\n"
    for name, field in BY_NAME.items():
        if name.startswith(f"{section}.") and field.section is None:
            meaning = " ".join((field.info.description or "").split())
            yield f"| `{name}` | {_value(field)} | {_default(field)} | {meaning} |\n"


def _value(field: Field) -> str:
    """What may be written: the type, and its bounds."""
    choices = _choices(field.info.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    if field.bounds is None:
        return _TYPES.get(_plain(field.info.annotation), "list")
    low, high = field.bounds
    if field.kind is not None:
        return f"{field.kind.name}, {field.kind.show(low)} to {field.kind.show(high)}"
    if float in (field.info.annotation, *get_args(field.info.annotation)):
        return f"number, {low:g} to {high:g}"
    return f"integer, {low} to {high}"


_TYPES: Mapping[object, str] = {
    str: "text",
    bool: "`true`, `false`",
    Path: "path",
    SecretFile: "path",
    Mapping: "mapping",
}


def _plain(annotation: object) -> object:
    """The type that is left when null is taken away, and the origin of a generic one."""
    members = [member for member in get_args(annotation) if member is not NoneType]
    if NoneType in get_args(annotation) and len(members) == 1:
        annotation = members[0]
    while hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    return Mapping if get_origin(annotation) is not None and "Mapping" in str(annotation) else annotation


def _choices(annotation: object) -> tuple[object, ...]:
    for candidate in (annotation, *get_args(annotation)):
        if get_origin(candidate) is Literal:
            return get_args(candidate)
    return ()


def _default(field: Field) -> str:
    default = field.info.get_default()
    if field.info.default_factory is not None:
        return "from `main`"
    if default is PydanticUndefined:
        above = BY_NAME.get(field.name.rpartition(".")[0])
        optional = above is not None and above.info.default is None
        return "none: required in its section" if optional else "none: required"
    return f"`{_shown(default, field)}`"


def _shown(value: object, field: Field) -> str:
    """A value as somebody would write it in the file."""
    if field.kind is not None and isinstance(value, int | float):
        return field.kind.show(value)
    if isinstance(value, SecretFile):
        return str(value.path)
    if isinstance(value, AnyService):
        return "{any: true}"
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, tuple):
        return f"[{', '.join(_item(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {item}' for name, item in value.items())}}}"
    return str(value)


def _item(item: object) -> str:
    if isinstance(item, Section):
        return f"{{{', '.join(f'{name}: {part}' for name, part in item if part is not None)}}}"
    return str(item)


class _Generator(GenerateJsonSchema):
    """Writes the defaults of durations and sizes with their units."""

    @override
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        show = {DURATION: format_duration, SIZE: format_size}.get(found.get("pattern", ""))
        if show is not None and "default" in found:
            found["default"] = show(found["default"])
        return found
