"""`connector simulate`: the vendor simulator on a port."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from connector.simulator.rules import ACCOUNT_ID, PASSWORD, Page
from connector.simulator.scenario import Scenario, ScenarioError, load
from connector.simulator.server import SimulatorServer
from connector.simulator.vendor import Vendor


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8080,
    scenario: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="YAML or JSON file with the vendor's day.")
    ] = None,
    account_id: Annotated[str, typer.Option(help="The account it knows.")] = ACCOUNT_ID,
    password: Annotated[str, typer.Option(help="That account's password.")] = PASSWORD,
    seed: Annotated[int | None, typer.Option(help="Draws faults and latencies; instead of the file's.")] = None,
    marker: Annotated[
        str, typer.Option(help="scope.key of the variable by which the ledger names an event.")
    ] = "session.eventId",
) -> None:
    """Play the vendor's Invoke Service API on a port, until interrupted. Nobody is texted.

    It prints its address, then a line for each request: what became of it, its X-Request-Id, the service, the last
    two digits of the phone number and the event's id. It checks what the vendor checks (path, credentials, 8000 bytes,
    the nine causes of 12002), answers 202 with an X-Request-Id, and keeps a ledger of what it accepted. A scenario
    gives it a bad day; docs/simulator.md has the whole language:

    \b
      latency: {kind: lognormal, p50: 0.05, p99: 0.4}
      rules:
        # 1010 for this number's first two posts, then accepted
        - when: {first: 2, phone_numbers: ["12025550123"]}
          do: {kind: reject, cause: temporary}
        # an outage of a minute
        - when: {after: 10, until: 70}
          do: {kind: reset, when: before_body}

    \b
    While it runs:
      GET, PUT     /_simulator/scenario
      GET, DELETE  /_simulator/ledger
      GET          /_simulator/ledger/counts?by=marker   (identity,
      GET          /_simulator/ledger/repeats?by=marker   service_id, phone_number)
      GET          /_simulator/ledger/order?phone_number=…
      POST         /_simulator/port   {"closed_for": seconds}

    Exit codes: 0 stopped, 1 the port cannot be had, 2 a wrong option or scenario.
    """
    try:
        day = load(scenario) if scenario else Scenario()
    except ScenarioError as error:
        raise typer.BadParameter(str(error), param_hint="--scenario") from None
    if seed is not None:
        day = day.model_copy(update={"seed": seed})
    vendor = Vendor(Page(account_id=account_id, password=password), day, marker)
    try:
        asyncio.run(_serve(vendor, host, port))
    except OSError as error:
        typer.echo(f"cannot listen on {host}:{port}: {error.strerror}", err=True)
        raise typer.Exit(1) from None


async def _serve(vendor: Vendor, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = SimulatorServer(vendor, tell=_tell)
    try:
        typer.echo(await server.start(host, port))
        await stopped.wait()
    finally:
        await server.stop()


def _tell(line: str) -> None:
    with suppress(BrokenPipeError):  # the reader of the lines is gone, and a request must not notice
        typer.echo(line)
