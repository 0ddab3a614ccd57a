"""Commands with verbs of their own, such as `dlq`. A verb is imported when it is asked for: the others' libraries would
cost it a tenth of a second."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typing_extensions import override


def with_verbs(about: str, verbs: Mapping[str, str]) -> typer.Typer:
    """A command of these verbs: each with `module:function`, in the order of the help. `about` is the command's own."""

    class Verbs(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = {name: TyperCommand(name) for name in verbs}  # for "did you mean"

        @override
        def list_commands(self, ctx: Any) -> list[str]:
            return list(verbs)

        @override
        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in verbs:
                return None
            module, _, function = verbs[cmd_name].partition(":")
            command = get_command(alone(getattr(imported(module), function)))
            command.name = cmd_name
            return command

    app = typer.Typer(cls=Verbs, help=about, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_nothing)
    return app


def alone(function: Any) -> typer.Typer:
    """One function as a command."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(function)
    return app


def imported(name: str) -> ModuleType:
    """Import without a look for garbage, of which there is none, and keep what came out of each later one.

    It saves a fourteenth of the start, and the event loop pauses of 30 ms.
    """
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def _nothing() -> None:
    pass
