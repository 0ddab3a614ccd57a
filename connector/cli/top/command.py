"""The command: whom to look at, how often, and the keys."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.live import Live

from connector.cli.commanding import address_of
from connector.cli.loading import load_without_password
from connector.cli.options import AsJson, MaybeConfigFile
from connector.cli.top.frame import Frame, frame
from connector.cli.top.screen import screen
from connector.edge.status_client import Shown, StatusClient

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_WIDTH, _HEIGHT = 160, 200
"""Of a frame that no terminal bounds."""

_NOT_SEEN = Shown(0.0, None, {})


def top(
    urls: Annotated[
        list[str],
        typer.Option(
            "--url",
            metavar="URL",
            help="A process's listener for probes, such as http://10.0.0.7:9464; a name stands for all its addresses. "
            "May be repeated. Default: the one of admin.host and admin.port.",
        ),
    ] = [],  # noqa: B006 - typer's way of "none given"
    file: MaybeConfigFile = None,
    every: Annotated[float, typer.Option(min=0.1, max=3600, metavar="SECONDS", help="Between two looks.")] = 2.0,
    partitions: Annotated[int, typer.Option(min=1, max=10_000, help="Partitions at most, those furthest behind.")] = 20,
    once: Annotated[bool, typer.Option("--once", help="Print one frame, of two looks, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch a deployment's processes in the terminal: rates, lag, in flight, holds, answers, partitions; q ends it.

    Asks each process for `/status` and `/metrics`, and changes nothing. One that does not answer is shown as away.
    --json prints one frame, as --once does.

    Exit codes: 0 done · 1 no process answered (--once) · 2 usage or configuration.
    """
    addresses = [_checked(url) for url in urls]
    if not addresses:
        if file is None:
            raise typer.BadParameter("say --url for each process, or --config for the one on this machine")
        addresses = [_address(file)]
    if once or as_json:
        found = asyncio.run(_once(addresses, every, partitions))
        if as_json:
            typer.echo(json.dumps(_document(found), indent=2))
        else:
            Console(width=None if sys.stdout.isatty() else _WIDTH).print(screen(found, _HEIGHT))
        if all(each.problem is not None for each in found.processes):
            raise typer.Exit(1)
        return
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise typer.BadParameter("this is no terminal: say --once, or --json")
    asyncio.run(_live(addresses, every, partitions))


async def _once(urls: Sequence[str], every: float, most: int) -> Frame:
    async with StatusClient() as client:
        before = await client.look(urls)
        await asyncio.sleep(every)
        return _frame(before, await client.look(urls), most)


def _frame(before: Mapping[str, Shown], now: Mapping[str, Shown], most: int) -> Frame:
    """Processes may have come since the look before, and have no rates then; others are gone."""
    earlier = [before.get(url, _NOT_SEEN) for url in now]
    return frame(list(now), earlier, list(now.values()), most)


async def _live(urls: Sequence[str], every: float, most: int) -> None:
    console = Console()
    with _keys() as told, Live(console=console, screen=True, auto_refresh=False) as live:
        async with StatusClient() as client:
            before: Mapping[str, Shown] = {}
            while not told.is_set():
                now = await client.look(urls)
                live.update(screen(_frame(before, now, most), console.height), refresh=True)
                before = now
                try:
                    await asyncio.wait_for(told.wait(), every)
                except TimeoutError:
                    continue


@contextmanager
def _keys() -> Iterator[asyncio.Event]:
    """Set by q or Ctrl-C. What is typed is not shown meanwhile."""
    told = asyncio.Event()
    loop, keyboard = asyncio.get_running_loop(), sys.stdin.fileno()

    def pressed() -> None:
        typed = os.read(keyboard, 64)
        if not typed or b"q" in typed.lower():  # nothing: the terminal is gone
            told.set()

    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    loop.add_reader(keyboard, pressed)
    for each in _SIGNALS:
        loop.add_signal_handler(each, told.set)
    try:
        yield told
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _document(found: Frame) -> Mapping[str, object]:
    return {
        "processes": [each._asdict() for each in found.processes],
        "rates": found.rates,
        "post_seconds": None
        if found.post_seconds is None
        else {"half": found.post_seconds[0], "99_of_100": found.post_seconds[1]},
        "answers": {code: each._asdict() for code, each in found.answers.items()},
        "partitions": [each._asdict() for each in found.partitions],
        "partitions_in_all": found.partitions_in_all,
    }


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_place = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:  # of a port that is none
        is_place = False
    if not is_place:
        raise typer.BadParameter("--url takes http://HOST:PORT")
    return url.rstrip("/")


def _address(file: Path) -> str:
    admin = load_without_password(file, os.environ).admin
    return address_of(admin.host, admin.port, "admin.port")
