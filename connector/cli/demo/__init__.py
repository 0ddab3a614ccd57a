"""`connector demo`: the main job for real, with books that must balance."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer
from rich.console import Console

from connector.cli.demo.broker import MOCK, Broker, Names, broker, names
from connector.cli.demo.mix import Scripted, script
from connector.cli.demo.play import DemoError, Performed, Play
from connector.cli.demo.report import report
from connector.cli.demo.view import Screen
from connector.core.record import Record
from connector.edge.avro.codec import Encoder
from connector.edge.avro.framing import Framing
from connector.edge.avro.schemas import reader_schema
from connector.edge.clock import SystemClock
from connector.edge.kafka.admin import AdminError

_KEPT = "Broker and topics stay up until Ctrl-C. Try, in another terminal:"
_NOT_KEPT = (
    "With --keep (`make demo DEMO=--keep`) broker and topics stay up, and these work on them in another terminal:"
)


def demo(
    kafka: Annotated[
        str,
        typer.Option(
            metavar="mock|ADDRESS",
            help="An embedded mock broker, or the brokers at an address such as localhost:9092.",
        ),
    ] = MOCK,
    events: Annotated[int, typer.Option(min=50, max=20_000, help="Records to produce.")] = 2_000,
    seed: Annotated[int, typer.Option(help="The same seed draws the same events.")] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave broker and topics up until Ctrl-C, to look at the dead letters.")
    ] = False,
) -> None:
    """Show the main job: Kafka, the connector as its own process, a simulated vendor. Nobody is texted.

    A producer writes Avro events of a realistic mix: good ones, ones that the vendor refuses for now or for good, one
    for each rule that an event can break, bytes that are no event, and an expired one. At the end what was planned is
    held against what the simulator and the dead-letter topic counted. On brokers at an address, topics and group have
    names of their own and are deleted afterwards.

    Exit codes: 0 the books balance · 1 they do not, or something broke · 2 usage.
    """
    if kafka != MOCK and ":" not in kafka:
        raise typer.BadParameter("give `mock`, or an address such as localhost:9092", param_hint="--kafka")
    logging.getLogger("librdkafka").addHandler(logging.NullHandler())  # what goes wrong comes back as a value
    console = Console()
    folder = Path(mkdtemp(prefix="connector-demo-"))
    own = names(secrets.token_hex(4))
    encode = Encoder(reader_schema(), Framing.SINGLE_OBJECT).encode
    records = script(events, seed, SystemClock().now_ms(), encode)
    try:
        with broker(kafka, own) as running:
            performed = asyncio.run(_perform(running, own, records, seed, folder, console))
            balanced = report(performed, console)
            _say_what_next(performed.dead_letters, folder, keep)
            if keep:
                _wait_to_be_stopped()
    except (asyncio.CancelledError, KeyboardInterrupt):
        shutil.rmtree(folder)
        typer.echo("Stopped.", err=True)
        raise typer.Exit(1) from None
    except (DemoError, AdminError) as error:
        typer.echo(f"The demo broke off: {error}\nWhat it left is in {folder}.", err=True)
        raise typer.Exit(1) from None
    if not balanced:
        typer.echo(f"Settings and log of the connector are in {folder}.", err=True)
        raise typer.Exit(1)
    shutil.rmtree(folder)


def _say_what_next(letters: Sequence[Record], folder: Path, keep: bool) -> None:
    """Two commands for a newcomer, which work on what the demo left behind while it is there."""
    started_as = Path(sys.argv[0])
    connector = f"{sys.executable} -m connector" if started_as.name == "__main__.py" else started_as
    config = folder / "connector.yaml"
    last = letters[-1]
    typer.echo(f"\n{_KEPT if keep else _NOT_KEPT}")
    typer.echo(f"  {connector} dlq summary --config {config if keep else '…'}")
    typer.echo(f"  {connector} dlq show {last.partition.number}:{last.offset} --config {config if keep else '…'}")


def _wait_to_be_stopped() -> None:
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    signal.sigwait(stops)


async def _perform(
    running: Broker, own: Names, records: list[Scripted], seed: int, folder: Path, console: Console
) -> Performed:
    """Ended by SIGTERM as by Ctrl-C: the connector must not outlive the demo."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with Screen(console) as screen:
        return await Play(running, own, records, seed, screen).perform(folder)
