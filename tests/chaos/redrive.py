"""A large redrive, killed (-9) again and again, on a broker of its own: how many letters were lost, and how many twice.

`python -m tests.chaos.redrive [--letters 100000] [--kills 3]`; prints what it counted, exit code 1 unless both are 0.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from tests.cli.letters import ENCODE, Letter, Topics, event, make
from tests.support.kafka_broker import KafkaBroker

_PARTITIONS = 2
_FIRST_SECONDS = 60.0


def _written(stage: Topics) -> int:
    """Offsets of the main topic, markers of transactions included: enough to see that it goes on."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the client's classes have no types
    asked = {TopicPartition(stage.main, number): latest for number in range(_PARTITIONS)}
    found = stage.kafka.admin().list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED)
    return sum(answer.result(60).offset for answer in found.values())


def _killed(stage: Topics, command: list[str], share: int) -> int:
    """Start it, kill it when about so many more are written, and say how many the main topic then has."""
    before = _written(stage)
    process = subprocess.Popen(command)
    deadline = time.monotonic() + _FIRST_SECONDS
    while _written(stage) < before + share and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return _written(stage)


def main() -> int:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=3)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        broker = KafkaBroker(Path(folder) / "kafka")
        broker.start()
        try:
            return _count(make(broker, Path(folder)), given.letters, given.kills)
        finally:
            broker.stop()


def _count(stage: Topics, letters: int, kills: int) -> int:
    values = [ENCODE(event(f"ev-{number}")) for number in range(letters)]
    stage.write(Letter(value, partition=number % _PARTITIONS) for number, value in enumerate(values))
    command = [sys.executable, "-m", "connector", "dlq", "redrive", "--yes", "--rate", "1000000"]
    command += ["--config", str(stage.config)]
    for number in range(1, kills + 1):
        offsets = _killed(stage, command, letters // (kills + 1))
        print(f"killed {number} times: the main topic ends at {offsets:,}", flush=True)  # noqa: T201 - its output
    began = time.monotonic()
    done = subprocess.run(command, check=False).returncode
    seconds = time.monotonic() - began
    found = Counter(value for _, value, _ in stage.read(stage.main))
    lost = sum(1 for value in values if value not in found)
    twice = sum(number - 1 for number in found.values())
    print(f"the last run took {seconds:.1f} s, exit code {done}")  # noqa: T201 - its output
    print(f"{letters:,} letters, {kills} kills: {lost} lost, {twice} redriven twice")  # noqa: T201 - its output
    return int(bool(lost or twice or done))


if __name__ == "__main__":
    sys.exit(main())
