"""What the commands that read topics cost beside `kcat` (Debian's) on the same topics: `python -m benchmarks.readers`.

A dead-letter topic is read by `dlq summary` and `trace`, a main topic by `trace`; by turns, with nothing else to do.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, NamedTuple

import typer
from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from benchmarks.events import SCHEMA_FILE, SERVICE_IDS, Shape, create_topics, encoder, events, fill
from benchmarks.measure import shared_out_bytes
from benchmarks.report import machine
from connector.core.envelope import Cause, History, Names, Origin, dead_letter_headers
from connector.core.record import Headers, Partition
from connector.core.refusal import Stage
from tests.support.apache_kafka import ApacheKafka

_PARTITIONS = 4
_CAUSES = (
    Cause(Stage.INVOKE, "retries_exhausted", "retry.window is over; temporary", 500, "1010", "8a9f3c5e"),
    Cause(Stage.INVOKE, "rejected", "the vendor refused it: invalid variable", 400, "12002", "8a9f3c5f"),
    Cause(Stage.REQUEST, "bad_phone_number", "phoneNumber: 15 digits at most, with the country code, were expected"),
)
_KCAT = "kcat"
_LOOK_SECONDS = 0.1
_HEADERS = 8  # of the producer's own


_SETTINGS = f"""\
kafka:
  bootstrap_servers: {{servers}}
  topics: {{{{main: {{topics.main}}, retry: bench.retry, dead_letter: {{topics.dead_letter}}}}}}
schemas: {{{{folder: {SCHEMA_FILE.parent}}}}}
openmarket:
  base_url: http://127.0.0.1:1
  account_id: bench
  password_file: {{folder}}/password
  service_ids: [{SERVICE_IDS[0]}]
"""


class _Topics(NamedTuple):
    main: str
    dead_letter: str


_TOPICS = {"letters": _Topics("bench.empty", "bench.dlq"), "records": _Topics("bench", "bench.none")}


class Read(NamedTuple):
    """One run of a command."""

    what: str
    by: str
    seconds: float
    cpu: float
    peak_bytes: int


def readers(
    letters: Annotated[int, typer.Option(min=1, help="Dead letters.")] = 1_000_000,
    records: Annotated[int, typer.Option(min=1, help="Records of the main topic.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each, by turns.")] = 3,
) -> None:
    """Measure time, CPU and memory of the commands that read topics, beside kcat."""
    if shutil.which("kcat") is None:
        sys.exit("kcat is missing: apt-get install kcat")
    with tempfile.TemporaryDirectory(prefix="connector-readers-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        broker = ApacheKafka(folder / "kafka")
        broker.start()
        try:
            _prepare(folder, broker.bootstrap_servers, letters, records)
            runs = [run for _ in range(rounds) for run in _round(broker.bootstrap_servers, folder, letters // 2)]
        finally:
            broker.stop()
    _show(runs, letters, records)


def _prepare(folder: Path, servers: str, letters: int, records: int) -> None:
    create_topics(servers, _PARTITIONS, "bench.retry", *(topic for pair in _TOPICS.values() for topic in pair))
    _write_letters(servers, letters)
    fill(servers, _TOPICS["records"].main, records, Shape())
    (folder / "password").write_text("bench\n")
    for name, topics in _TOPICS.items():
        (folder / f"{name}.yaml").write_text(_SETTINGS.format(servers=servers, topics=topics, folder=folder))


def _write_letters(servers: str, count: int) -> None:
    encode = encoder().encode
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20, "compression.type": "zstd"})
    own: Headers = tuple((f"x-trace-{number}", b"0123456789abcdef") for number in range(_HEADERS))
    now_ms = time.time_ns() // 1_000_000
    for number, event in enumerate(events(count)):
        origin = Origin(Partition(_TOPICS["letters"].main, number % _PARTITIONS), number // _PARTITIONS, now_ms)
        history = History(origin, attempts=3, first_failure_ms=now_ms)
        headers = next(dead_letter_headers(own, history, _CAUSES[number % len(_CAUSES)], Names("bench"), now_ms))
        while True:
            try:
                producer.produce(
                    _TOPICS["letters"].dead_letter,
                    encode(event),
                    str(event["phoneNumber"]).encode(),
                    headers=list(headers),
                )
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def _round(servers: str, folder: Path, number: int) -> Iterator[Read]:
    """One run of each."""
    event = f"bench-{number:09d}"
    letters, records = str(folder / "letters.yaml"), str(folder / "records.yaml")
    ours = [sys.executable, "-m", "connector"]
    yield _kcat("letters", servers, _TOPICS["letters"].dead_letter)
    yield _run("letters", "dlq summary", [*ours, "dlq", "summary", "--config", letters])
    yield _run("letters", "trace", [*ours, "trace", event, "--config", letters])
    yield _kcat("records", servers, _TOPICS["records"].main)
    yield _run("records", "trace", [*ours, "trace", event, "--config", records])


def _kcat(what: str, servers: str, topic: str) -> Read:
    return _run(what, _KCAT, ["kcat", "-C", "-e", "-q", "-b", servers, "-t", topic, "-o", "beginning"])


def _run(what: str, by: str, command: Sequence[str]) -> Read:
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ended = peak = 0
    while not ended:  # ru_maxrss would be ours: it is handed down through fork and exec
        with contextlib.suppress(OSError, IndexError):  # it has just ended
            peak = max(peak, shared_out_bytes(process.pid))
        time.sleep(_LOOK_SECONDS)
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
    seconds = time.monotonic() - begun
    if status:
        raise RuntimeError(f"{by} ended with {os.waitstatus_to_exitcode(status)}")
    read = Read(what, by, seconds, used.ru_utime + used.ru_stime, peak)
    typer.echo(f"{what}: {by}: {seconds:.1f} s, {read.cpu:.1f} s of CPU, {read.peak_bytes / 1e6:.0f} MB")
    return read


def _show(runs: Sequence[Read], letters: int, records: int) -> None:
    table = Table("topic", "read by", title="Medians; by the clock", title_justify="left")
    for heading in ("seconds", "x kcat", "CPU s", "peak MB"):
        table.add_column(heading, justify="right")
    counts = {"letters": f"{letters:,} dead letters", "records": f"{records:,} records"}
    for what, by in dict.fromkeys((run.what, run.by) for run in runs):
        mine = [run for run in runs if (run.what, run.by) == (what, by)]
        kcat = median(run.seconds for run in runs if (run.what, run.by) == (what, _KCAT))
        seconds = median(run.seconds for run in mine)
        cpu, peak = median(run.cpu for run in mine), max(run.peak_bytes for run in mine)
        row = f"{seconds:.1f}", f"{seconds / kcat:.2f}", f"{cpu:.1f}", f"{peak / 1e6:.0f}"
        table.add_row(counts[what], by, *row)
    console = Console(width=110)
    console.print(machine())
    console.print(table)


if __name__ == "__main__":
    typer.run(readers)
