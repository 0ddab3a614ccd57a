"""The command `connector`: which commands there are, and what their exit codes mean. One file a command."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typing_extensions import override

from connector import __version__
from connector.cli.verbs import alone, imported

SUMMARIES = {
    "run": "Post invocation events from Kafka until told to stop.",
    "check": "Say what is wrong with a configuration, and how to mend it. Nobody is texted.",
    "topics": "Create the retry, dead-letter and ledger topics, or print the commands that do.",
    "status": (
        "Show every partition of the main and retry topics: committed offset, what is settled ahead of it, and lag."
    ),
    "offsets": "Export a group's committed offsets, set or translate them, or count what a start from them repeats.",
    "dlq": "Dead letters: count, look at, redrive, export and purge them.",
    "retry": "Copies that wait for their next attempt: count, look at, expedite and drop them.",
    "trace": "Tell the story of an event: when it was produced, each attempt that failed, where it is now.",
    "top": (
        "Watch a deployment's processes in the terminal: rates, lag, in flight, holds, answers, partitions; q ends it."
    ),
    "pause": "Pause everything, topics or partitions of one running connector: it takes and posts nothing new of them.",
    "resume": "Resume what `connector pause` paused in one running connector: everything, topics or partitions.",
    "config": "Show the settings in force and where each came from: default, file, environment or secret file.",
    "codes": "Show what each answer means: which fate a record has after it, why, and what to do.",
    "map": "Check a mapping against schemas, or show an event's way through it, rule by rule.",
    "render": "Print the exact request that each event would become: method, URL, headers and body; or the refusal.",
    "lint": "Say which events would be refused, and which would be posted and look wrong; by rule and producer.",
    "diff": "Make the requests of the same records twice, and say how many differ, and in which fields.",
    "post": "Post exactly one event for real and print the answer.",
    "simulate": "Play the vendor's Invoke Service API on a port, until interrupted. Nobody is texted.",
    "produce": "Encode events as Avro and write them to a topic, each with its phone number as key.",
    "demo": "Show the main job: Kafka, the connector as its own process, a simulated vendor. Nobody is texted.",
}
"""Command → the first paragraph of its help, in the order of the help: asked of the commands themselves it would cost
all their imports, a second. The module `connector.cli.NAME` has the function, or the typer app, of that name."""


class Commands(TyperGroup):
    """Imports a command when it is asked for: the others' libraries would cost `run` its first second."""

    _is_listing = False

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name) for name in SUMMARIES}  # for "did you mean"

    @override
    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List the commands without importing them."""
        self._is_listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._is_listing = False

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """The commands, in the table's order."""
        return list(SUMMARIES)

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        if cmd_name not in SUMMARIES:
            return None
        if self._is_listing:
            return TyperCommand(cmd_name, help=SUMMARIES[cmd_name])
        found = getattr(imported(f"connector.cli.{cmd_name}"), cmd_name)
        command = get_command(found if isinstance(found, typer.Typer) else alone(found))
        command.name = cmd_name
        return command

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the command; settings that cannot be used end it with exit code 2, each problem on a line."""
        from connector.config import ConfigError  # not for the help: it costs a third of a second

        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                typer.echo(f"configuration: {problem}", err=True)
            raise typer.Exit(2) from None


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
        engine = find_spec("connector.engine.engine")
        compiled = engine is not None and not str(engine.origin).endswith(".py")
        typer.echo(f"connector {__version__}{' (compiled)' if compiled else ''}")
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
