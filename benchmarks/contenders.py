"""The programs that are compared, each as a process of its own on one core."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from benchmarks.events import SCHEMA_FILE, SERVICE_ID

_STOP_SECONDS = 60.0


class Stage(NamedTuple):
    """Where the contenders play: the broker, the topic that is full, the sink, a folder for files, and their core."""

    bootstrap_servers: str
    topic: str
    base_url: str
    folder: Path
    core: int


def take_the_rest() -> int:
    """Leave one core to the contenders, its number returned; this process and its children share the others."""
    first, *rest = sorted(os.sched_getaffinity(0))
    if not rest:
        print("only one core: broker, sink and contenders share it, so that rates mean little", file=sys.stderr)
    os.sched_setaffinity(0, rest or {first})
    return first


@contextlib.contextmanager
def bare_loop(stage: Stage, name: str) -> Iterator[int]:
    """Run the bare loop; its process id. `name`, here and below, is a consumer group new to the broker."""
    arguments = {
        "bootstrap-servers": stage.bootstrap_servers,
        "topic": stage.topic,
        "base-url": stage.base_url,
        "schema-file": SCHEMA_FILE,
        "group": name,
    }
    words = [f"--{key}={value}" for key, value in arguments.items()]
    with _running([sys.executable, "-m", "benchmarks.bare_loop", *words], stage, name) as pid:
        yield pid


def connector(stage: Stage, name: str) -> AbstractContextManager[int]:
    """Run `connector run` with its defaults; its process id."""
    return _connector(stage, name, log_accepted=True)


def quiet_connector(stage: Stage, name: str) -> AbstractContextManager[int]:
    """The same without a line for every accepted event."""
    return _connector(stage, name, log_accepted=False)


@contextlib.contextmanager
def _connector(stage: Stage, name: str, *, log_accepted: bool) -> Iterator[int]:
    password = stage.folder / "password"
    password.write_text("bench\n")
    settings = stage.folder / f"{name}.yaml"
    settings.write_text(
        _SETTINGS.format(
            stage=stage,
            group=name,
            schemas=SCHEMA_FILE.parent,
            password=password,
            service_id=SERVICE_ID,
            log_accepted=str(log_accepted).lower(),
        )
    )
    with _running([sys.executable, "-m", "connector", "run", "--config", str(settings)], stage, name) as pid:
        yield pid


_SETTINGS = """\
kafka:
  bootstrap_servers: {stage.bootstrap_servers}
  group_id: {group}
  topics: {{main: {stage.topic}, retry: {stage.topic}.retry, dead_letter: {stage.topic}.dlq}}
schemas: {{folder: {schemas}}}
openmarket:
  base_url: {stage.base_url}
  account_id: bench
  password_file: {password}
  service_ids: [{service_id}]
admin: {{host: 127.0.0.1, port: 0, control_port: 0}}
log: {{format: json, accepted: {log_accepted}}}
"""


@contextlib.contextmanager
def _running(command: Sequence[str], stage: Stage, name: str) -> Iterator[int]:
    with (stage.folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(stage.core), *command], stdout=log, stderr=log, env=os.environ
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)
