"""What the tests of several commands share."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner, Result

from connector.cli.main import app
from connector.simulator.ledger import Ledger
from connector.simulator.rules import Page
from connector.simulator.server import SimulatorServer
from connector.simulator.vendor import Vendor

PASSWORD = "s3cret-plant"
PHONE_NUMBER = "12025550123"
VALUE = "planted-value"
EVENT = {
    "eventId": "gate-change-1",
    "serviceId": "0a1b",
    "phoneNumber": f"+{PHONE_NUMBER}",
    "variables": {"session": {"seatLocation": VALUE}},
}

ACCOUNT = "account"

Run = Callable[..., Result]


@pytest.fixture
def connector() -> Run:
    """Runs the command with the given arguments and input."""

    def run(*arguments: str | Path, given: str | None = None) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)

    return run


@pytest.fixture
def config_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a settings file; sections given by name are merged into a minimal one."""

    def write(openmarket: dict[str, object] | None = None, **sections: object) -> Path:
        password = tmp_path / "password"
        password.write_text(f"{PASSWORD}\n")
        password.chmod(0o600)
        settings = {
            "openmarket": {
                "base_url": "https://servicemanager.openmarket.com",
                "account_id": ACCOUNT,
                "password_file": str(password),
                "service_ids": ["0A1B"],
                **(openmarket or {}),
            },
            **sections,
        }
        file = tmp_path / "config.yaml"
        file.write_text(json.dumps(settings))  # JSON is YAML
        return file

    return write


@pytest.fixture
def event_file(tmp_path: Path) -> Path:
    """A file with one good event."""
    file = tmp_path / "event.json"
    file.write_text(json.dumps(EVENT))
    return file


class Simulator(NamedTuple):
    """A vendor that runs, and what it accepted."""

    url: str
    ledger: Ledger


@contextmanager
def own_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop on a thread of its own, since commands run one themselves."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """The vendor, which knows our account."""
    with own_loop() as loop:
        server = asyncio.run_coroutine_threadsafe(_vendor(), loop).result(60)
        try:
            yield Simulator(asyncio.run_coroutine_threadsafe(server.start(), loop).result(60), server.ledger)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)


async def _vendor() -> SimulatorServer:
    return SimulatorServer(Vendor(Page(account_id=ACCOUNT, password=PASSWORD)))
