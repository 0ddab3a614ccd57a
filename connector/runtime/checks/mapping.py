"""What the settings and files alone can tell of a mapping."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.config import ConfigError
from connector.config.settings import Settings
from connector.core.mapping.compiled import Compiled
from connector.core.mapping.rules import Constant, Event, constants
from connector.edge.avro.codec import Reader
from connector.edge.avro.schemas import SchemaFolderError, reader_schema
from connector.edge.avro.writers import AnyWriter, usable
from connector.runtime import parts
from connector.runtime.checks.finding import Finding, Verdict

_NAME = "mapping"


def schema_files(settings: Settings) -> list[tuple[str, AnyWriter]]:
    """Every schema at hand, by its file's name. Raises SchemaFolderError for one that cannot be used."""
    known, bare = parts.schema_folder(settings), parts.bare_schema(settings)
    reader = Reader(reader_schema(), parts.rules(settings))
    files = {*known.files, *known.by_id.values(), *known.by_uuid.values(), *([] if bare is None else [bare])}
    return [(file.name, usable(reader, file)) for file in files]


def mapping(settings: Settings) -> Iterator[Finding]:
    """That the schemas which it names are at hand, and that it asks for services which may be triggered."""
    rules = parts.rules(settings)
    if rules is None:
        return
    try:
        writers = [writer for _, writer in schema_files(settings)]
    except (ConfigError, SchemaFolderError):
        return  # told with the schemas
    found = [*_unseen(settings, rules.events, writers), *_not_allowed(settings, rules.events)]
    yield from found
    if not found:
        count, others = len(rules.events), "skip" if rules.skips_others else "dead_letter"
        fits = ", ".join(dict.fromkeys(str(event.schema or "events without a schema") for event in rules.events))
        misfits = "hold" if rules.holds_misfits else "dead_letter"
        why = f"{count} event{'s' if count > 1 else ''}; fits {fits}; others: {others}, misfits: {misfits}"
        yield Finding(_NAME, Verdict.OK, why)


def _unseen(settings: Settings, events: Iterable[Event], writers: Iterable[AnyWriter]) -> Iterator[Finding]:
    """The schemas that it names and nothing at hand is: a name may be misspelt, and be skipped for ever."""
    seen = {writer.mapping.name for writer in writers if isinstance(writer.mapping, Compiled)}
    named = dict.fromkeys(event.schema for event in events if event.schema is not None)
    if unseen := [name for name in named if name not in seen]:
        why = f"has events of {', '.join(unseen)}, which no schema file is; only a registry can tell of it"
        verdict = Verdict.FAILED if settings.schemas.registry is None else Verdict.WARNING
        remedy = (
            "put the producer's schema into schemas.folder, or name its registry; compare mapping.events[].schema with "
            "the full name of the record"
        )
        yield Finding(_NAME, verdict, why, remedy)


def _not_allowed(settings: Settings, events: Iterable[Event]) -> Iterator[Finding]:
    """Services that it can ask for by name and that are not listed: every such event would be a dead letter."""
    allowed = settings.openmarket.allowed_services
    if allowed is None:
        return
    for event in events:
        source = event.sources["serviceId"]
        wrong = [str(each) for each in constants(source) if each is not None and str(each).upper() not in allowed]
        if not wrong:
            continue
        name = (event.schema or "an event without a schema").rpartition(".")[2]
        is_all = isinstance(source.origin, Constant)
        why = f"{name}.serviceId {'is' if is_all else 'can be'} {', '.join(dict.fromkeys(wrong))}"
        yield Finding(
            _NAME,
            Verdict.FAILED if is_all else Verdict.WARNING,
            f"{why}, which openmarket.service_ids does not allow",
            "list it there, or correct mapping.events: such events become dead letters of class service_id_not_allowed",
        )
