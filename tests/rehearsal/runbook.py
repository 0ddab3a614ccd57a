"""A runbook, read as somebody at 3 a.m. would: its commands and queries, as printed."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.connector_process import ConnectorProcess

PAGES = Path(__file__).parents[2] / "docs/runbooks"
_PATIENCE = 120.0


class Runbook(NamedTuple):
    """The lines of a page's blocks, by the heading that they are under."""

    lines: dict[str, list[str]]

    @classmethod
    def of(cls, alert: str) -> Runbook:
        """The page of an alert."""
        parts = re.split(r"^## (.+)$", (PAGES / f"{alert}.md").read_text(), flags=re.MULTILINE)[1:]
        return cls({head: _lines(text) for head, text in zip(parts[::2], parts[1::2], strict=True)})

    def commands(self, head: str) -> list[str]:
        """The connector's own under a heading, and what is asked of `/status`."""
        return [line for line in self.lines[head] if line.startswith(("connector ", "curl "))]

    def queries(self, head: str) -> list[str]:
        """Those for Prometheus."""
        return [line for line in self.lines[head] if "invoke_connector" in line and not line.startswith("connector ")]


def _lines(text: str) -> list[str]:
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


async def run(command: str, process: ConnectorProcess) -> tuple[int, str]:
    """Run it in a shell beside the process's settings, which are there as `config.yaml`; exit code and output."""
    folder = process.config.parent
    link = folder / "config.yaml"
    if not link.exists():
        link.symlink_to(process.config.name)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    at = process.url("").removeprefix("http://").rstrip("/")
    shell = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", command.replace("POD:9464", at)),
        cwd=folder,
        env={**environment, "PATH": path, "COLUMNS": "150", "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(_PATIENCE):
        printed, _ = await shell.communicate()
    assert shell.returncode is not None
    return shell.returncode, printed.decode()


def has_a_gap(command: str) -> bool:
    """Whether a person has to fill in something first."""
    words = shlex.split(command)
    return bool({"TOPIC", "0:17", "event.json", "offsets.json", "KAFKA"} & set(words)) or "--help" in words
