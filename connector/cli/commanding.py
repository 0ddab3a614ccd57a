"""What `connector pause` and `connector resume` share: whom to command, and the table of what is in force."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table

from connector.cli.loading import load_without_password
from connector.config.section import EVERY_ADDRESS
from connector.core.pauses import EVERYTHING, Source, parse_target
from connector.edge.control_client import ControlError, command
from connector.runtime.control import deployment

Targets = Annotated[
    list[str] | None,
    typer.Argument(metavar="TARGET", help="A topic, or topic:partition. Default: everything, which is '*'."),
]
"""What to pause or resume."""

Url = Annotated[
    str,
    typer.Option("--url", metavar="URL", help="Another address than admin.control_host and admin.control_port."),
]
"""Whom to command."""

_BY_FILE = "by the file: take it out of hold.paused_file (on Kubernetes, the ConfigMap)"
_BY_COMMAND = "as a whole, by command: resume the whole"


class PausedRow(BaseModel):
    """A pause, as the listener tells it."""

    target: str
    source: str
    since_ms: int
    reason: str = ""


class HoldRow(BaseModel):
    """A hold, as the listener tells it."""

    kind: str
    why: str = ""
    remedy: str = ""
    since_ms: int


class Commanded(BaseModel):
    """Whose listener it was."""

    group: str
    topic: str


class InForce(BaseModel):
    """What the listener answers to a command that was carried out."""

    deployment: Commanded
    paused: list[PausedRow]
    holds: list[HoldRow]
    stays: list[PausedRow] = []


def written(targets: Sequence[str] | None) -> list[str]:
    """The targets as the listener reads them. Raises BadParameter for one that is none."""
    try:
        return [str(parse_target(text)) for text in targets or [str(EVERYTHING)]]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def send(config: Path, url: str, path: str, body: Mapping[str, object]) -> InForce:
    """Give a command to the connector of these settings, or at `url`, and print what is in force after it.

    Ends with exit code 1 and the remedy when it was not carried out.
    """
    settings = load_without_password(config, os.environ)
    admin = settings.admin
    meant = {"deployment": deployment(settings)._asdict()}
    token = admin.control_token_file
    try:
        answer = asyncio.run(
            command(
                url or address_of(admin.control_host, admin.control_port, "admin.control_port"),
                path,
                {**body, **meant},
                None if token is None else token.secret.get_secret_value(),
            )
        )
        in_force = InForce.model_validate(answer)
    except ControlError as error:
        raise _failed(str(error)) from None
    except ValidationError:
        raise _failed("the connector there is of another version: use its own command") from None
    _print(in_force)
    return in_force


def say_what_stays(stays: Iterable[PausedRow]) -> bool:
    """Say on standard error what a command could not resume, and how to; whether there was anything."""
    lines = [f"{each.target} stays paused {_BY_FILE if _is_of_file(each) else _BY_COMMAND}" for each in stays]
    for line in lines:
        typer.echo(line, err=True)
    return bool(lines)


def address_of(host: str, port: int, setting: str) -> str:
    """Where a listener of these settings is found from its own machine. Raises BadParameter for any free port."""
    if port == 0:
        raise typer.BadParameter(f"{setting} is 0, any free port: give --url with the one that was taken")
    # 0.0.0.0 and :: are this machine to a client that connects; the name of both together is none.
    host = "127.0.0.1" if host == EVERY_ADDRESS else host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _is_of_file(row: PausedRow) -> bool:
    return row.source == Source.FILE.value


def _failed(problem: str) -> typer.Exit:
    typer.echo(problem, err=True)
    return typer.Exit(1)


def _print(in_force: InForce) -> None:
    whose = f"group {in_force.deployment.group} on topic {in_force.deployment.topic}"
    typer.echo(f"{whose}:" if in_force.paused or in_force.holds else f"{whose}: nothing is paused, no hold is in force")
    if not in_force.paused and not in_force.holds:
        return
    table = Table("in force", "by", "since (UTC)", "why")
    for pause in in_force.paused:
        table.add_row(f"pause of {pause.target}", pause.source, _time(pause.since_ms), pause.reason)
    for hold in in_force.holds:
        why = " · ".join(text for text in (hold.why, hold.remedy) if text)
        table.add_row(f"{hold.kind} hold", "connector", _time(hold.since_ms), why)
    # Texts of people and of the vendor: no markup is meant in them.
    Console(markup=False, emoji=False, highlight=False).print(table)


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
