"""The programs that are compared, each as a process of its own on one core."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from benchmarks.builds import ROOT, Build
from benchmarks.events import SCHEMA_FILE, SERVICE_IDS
from benchmarks.parallel_consumer import ParallelConsumer

_STOP_SECONDS = 60.0


class Stage(NamedTuple):
    """Where a contender plays: the broker, the topic that is full, the sink, a folder for files, and its core.

    `schemas` is the folder with the schema of the events; `ca_file` signs the sink's certificate; `mapping` is that
    section of the settings.
    """

    bootstrap_servers: str
    topic: str
    base_url: str
    folder: Path
    core: int
    schemas: Path = SCHEMA_FILE.parent
    in_flight: int = 64
    service_ids: int = 1
    ca_file: Path | None = None
    ledger: Literal["optional", "required"] | None = None
    mapping: str = ""


def take_the_rest() -> int:
    """Leave one core to the contenders, its number returned; this process and its children share the others."""
    first, *rest = sorted(os.sched_getaffinity(0))
    if not rest:
        print("only one core: broker, sink and contenders share it, so that rates mean little", file=sys.stderr)
    os.sched_setaffinity(0, rest or {first})
    return first


@contextlib.contextmanager
def bare_loop(stage: Stage, group: str) -> Iterator[int]:
    """Run the bare loop; its process id. `group`, here and below, is a consumer group new to the broker."""
    arguments = {
        "bootstrap-servers": stage.bootstrap_servers,
        "topic": stage.topic,
        "base-url": stage.base_url,
        "schema-file": SCHEMA_FILE,
        "group": group,
        "in-flight": stage.in_flight,
        **({"ca-file": stage.ca_file} if stage.ca_file else {}),
    }
    words = [f"--{key}={value}" for key, value in arguments.items()]
    with _running([sys.executable, "-m", "benchmarks.bare_loop", *words], stage, group, ROOT) as pid:
        yield pid


@contextlib.contextmanager
def parallel_consumer(peer: ParallelConsumer, stage: Stage, group: str) -> Iterator[int]:
    """Run Parallel Consumer, ordered by key; its process id."""
    environment = {
        "BOOTSTRAP_SERVERS": stage.bootstrap_servers,
        "GROUP": group,
        "TOPIC": stage.topic,
        "SINK": stage.base_url,
        "IN_FLIGHT": str(stage.in_flight),
        "SCHEMA": str(SCHEMA_FILE),
    }
    with _running(peer.command, stage, group, ROOT, environment) as pid:
        yield pid


@contextlib.contextmanager
def connector(build: Build, stage: Stage, group: str, module: str = "connector") -> Iterator[int]:
    """Run `connector run` with its defaults, but for what the stage says; its process id."""
    password = stage.folder / "password"
    password.write_text("bench\n")
    settings = stage.folder / f"{group}.yaml"
    settings.write_text(
        _SETTINGS.format(
            stage=stage,
            group=group,
            password=password,
            service_ids=", ".join(SERVICE_IDS[: stage.service_ids]),
            ca_file=stage.ca_file or "null",
            uncommitted=max(500, stage.in_flight),
        )
        + _ledger(stage)
        + stage.mapping
    )
    with _running([build.python, "-m", module, "run", "--config", str(settings)], stage, group, build.folder) as pid:
        yield pid


def _ledger(stage: Stage) -> str:
    if stage.ledger is None:
        return ""
    key = stage.folder / "ledger-key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    return f"ledger: {{key_file: {key}, required: {str(stage.ledger == 'required').lower()}}}\n"


_SETTINGS = """\
kafka:
  bootstrap_servers: {stage.bootstrap_servers}
  group_id: {group}
  topics: {{main: {stage.topic}, retry: {stage.topic}.retry, dead_letter: {stage.topic}.dlq}}
schemas: {{folder: {stage.schemas}}}
openmarket:
  base_url: {stage.base_url}
  account_id: bench
  password_file: {password}
  service_ids: [{service_ids}]
  tls: {{ca_file: {ca_file}}}
delivery: {{in_flight: {stage.in_flight}, uncommitted: {uncommitted}}}
admin: {{host: 127.0.0.1, port: 0, control_port: 0}}
log: {{format: json}}
"""


@contextlib.contextmanager
def _running(
    command: Sequence[str], stage: Stage, group: str, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run it in `folder`, with its log beside the stage's files, as long as nothing is wrong."""
    file = stage.folder / f"{group}.log"
    with file.open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(stage.core), *command],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield process.pid
    except RuntimeError as error:
        end = file.read_bytes()[-2000:].decode(errors="replace")
        raise RuntimeError(f"{error}; the end of it:\n{end}") from None
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        file.unlink()
