"""The command `connector`: which commands there are, and what their exit codes mean. One file a command."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command
from typing_extensions import override

from connector import __version__
from connector.config import ConfigError

COMMANDS = {
    "run": "connector.cli.run",
    "check": "connector.cli.check",
    "topics": "connector.cli.topics",
    "status": "connector.cli.status",
    "offsets": "connector.cli.offsets",
    "dlq": "connector.cli.dlq",
    "retry": "connector.cli.retry",
    "pause": "connector.cli.pause",
    "resume": "connector.cli.resume",
    "config": "connector.cli.config",
    "codes": "connector.cli.codes",
    "render": "connector.cli.render",
    "post": "connector.cli.post",
    "simulate": "connector.cli.simulate",
    "produce": "connector.cli.produce",
    "demo": "connector.cli.demo",
}
"""Command → the module whose function (or typer app) of the same name it is, in the order of the help."""


class Commands(TyperGroup):
    """Imports a command when it is asked for: the others' libraries would cost `run` its first second."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """The commands, in the table's order."""
        return [name for name, module in COMMANDS.items() if find_spec(module)]

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        command = get_command(found if isinstance(found, typer.Typer) else _single(found))
        command.name = cmd_name
        return command

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the command; settings that cannot be used end it with exit code 2, each problem on a line."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                typer.echo(f"configuration: {problem}", err=True)
            raise typer.Exit(2) from None


def _single(function: Any) -> typer.Typer:
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command()(function)
    return alone


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    # Its tracebacks show local variables, and those hold secrets and phone numbers.
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done · 1 failed · 2 usage or configuration. `run` has more: see its help.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"connector {__version__}")
        raise typer.Exit


@app.callback()
def connector(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Post Avro invocation events from Kafka to the Invoke Service API.

    Begin with `connector check --config FILE`, which says what is wrong with a configuration and how to mend it.
    """


def main() -> None:
    """Entry point: exits with 0 done, 1 failed, 2 usage or configuration.

    At once: the interpreter's own end would destroy Kafka's clients, which waits for whatever they wait for.
    """
    code: object = 1
    try:
        app(prog_name="connector")
    except SystemExit as ending:
        code = ending.code
    except BaseException:  # whatever it is, this is where it would be printed anyway
        traceback.print_exc()
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
