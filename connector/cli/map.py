"""`connector map`: a mapping against schemas, and an event's way through it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.dlq import options
from connector.cli.loading import load_without_password
from connector.cli.mapping_check import checked
from connector.cli.mapping_event import Event, from_json, from_topic, given_headers
from connector.cli.mapping_story import document, lines
from connector.cli.options import ConfigFile, json_option
from connector.config import ConfigError, Settings
from connector.config.load import read_tree
from connector.config.mapping_file import load_mapping
from connector.edge.clock import SystemClock


def map(  # noqa: A001 - the command's name
    config: ConfigFile,
    schemas: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCHEMA.avsc...", help="Writers' schemas; of the first a JSON event is one."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say whether the mapping fits each schema.")] = False,
    explain: Annotated[
        str | None,
        typer.Option(metavar="EVENT", help="PARTITION:OFFSET of a record, or a JSON file with the producer's fields."),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(metavar="NAME", help="The record's topic, other than kafka.topics.main.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="TEXT", help="The record's key, for a JSON event.")] = None,
    header: Annotated[
        list[str], typer.Option(metavar="NAME=VALUE", help="One of its headers, for a JSON event; may be repeated.")
    ] = [],  # noqa: B006 - typer's way of "none given"
    reveal: options.Reveal = False,
    as_json: Annotated[bool, json_option("docs/mapping.md")] = False,
) -> None:
    """Check a mapping against schemas, or show an event's way through it, rule by rule.

    For --check and for a JSON event FILE needs no more than the section `mapping`, so that a producer's CI can do it;
    where FILE has `openmarket.service_ids`, a JSON event is held against them.
    Joins no group, posts nothing. Exit codes: 0 every schema fits, or the event is mapped · 1 one does not, none is the
    mapping's, or the event is refused, passed over or cannot be read · 2 usage or configuration.
    """
    if check == (explain is not None):
        raise typer.BadParameter("say --check with schemas, or --explain EVENT")
    if check:
        _check(config, schemas or [], as_json)
    else:
        assert explain is not None
        _explain(_event(config, schemas or [], explain, topic, (key, header)), reveal, as_json)


def _check(config: Path, schemas: list[Path], as_json: bool) -> None:
    if not schemas:
        raise typer.BadParameter("--check needs the writers' schemas: files *.avsc")
    found = checked(load_mapping(config).mapping.rules, schemas)
    typer.echo(json.dumps(found.document(), indent=2) if as_json else "\n".join(found.lines()))
    if found.failed:
        raise typer.Exit(1)


def _event(
    config: Path, schemas: list[Path], given: str, topic: str | None, around: tuple[str | None, list[str]]
) -> Event:
    file = Path(given)
    if file.suffix != ".json" and not file.is_file():
        if schemas or around != (None, []):
            raise typer.BadParameter("a record has its own schema, key and headers")
        settings = _whole_settings(config)
        return from_topic(settings, topic or settings.kafka.topics.main, given)
    key, header = around
    return from_json(load_mapping(config), file, schemas, (key, given_headers(header)), topic)


def _whole_settings(config: Path) -> Settings:
    try:
        return load_without_password(config, os.environ)
    except ConfigError as error:
        if "openmarket" in read_tree(config):
            raise
        why = "a record is read from Kafka, which takes the connector's whole settings; an event in a file does not"
        raise ConfigError((why, *error.problems)) from None


def _explain(event: Event, reveal: bool, as_json: bool) -> None:
    now_ms = SystemClock().now_ms()
    if as_json:
        typer.echo(json.dumps(document(event, reveal, now_ms), indent=2, default=str))
    else:
        for text in lines(event, reveal, now_ms):
            typer.echo(text)
    if event.refusal is not None or event.fields is None:
        raise typer.Exit(1)
