"""A real Apache Kafka of one node on this machine; `python -m tests.support.apache_kafka` runs one until Ctrl-C."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.support.jars import UnavailableError, class_path, java
from tests.support.ports import free_ports

COORDINATES = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
_STARTED = b"Kafka Server started"
_START_SECONDS = 120.0
_STOP_SECONDS = 20.0
_COMPILE_FAST = "-XX:TieredStopAtLevel=1"


class ApacheKafka:
    """One broker, which is its own controller, with its data in `folder`.

    `settings` are added to server.properties. `short_lived`: Java compiles fast rather than well, which halves the CPU
    that a start takes. Raises UnavailableError when it cannot be fetched or does not start.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None, *, short_lived: bool = False) -> None:
        self._folder = folder
        self._java_options = (_COMPILE_FAST,) if short_lived else ()
        self._port, controller = free_ports(2)
        self._properties = folder / "server.properties"
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        lines = _server_properties(folder / "data", self._port, controller) | dict(settings or {})
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients; the same after a restart."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Fetch (once), format (once), start, and wait until it serves. Up to a minute beside the fetching."""
        if not (self._folder / "data" / "meta.properties").exists():
            self._format()
        seen = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            command = _java(*self._java_options, "-Xms256m", "-Xmx768m", "kafka.Kafka", str(self._properties))
            # A session of its own: Ctrl-C at the terminal must reach the connector, not the broker under it.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._watcher = _watch(self._process.pid)
        self._wait_until_started(self._process, seen)

    def stop(self) -> None:
        """Stop it cleanly, within a bound; kill it after that. Frozen or gone already is no matter."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._gone()

    def kill(self) -> None:
        """End it at once, like a power cut of the process (SIGKILL). Gone already is no matter."""
        if self._process is None:
            return
        self._process.kill()
        self._gone()

    def freeze(self) -> None:
        """Let it hang with its sockets open (SIGSTOP)."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze` (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the broker is not running: call start() first")
        return self._process

    def _gone(self) -> None:
        """Reap the broker, whose end was asked for, and whoever watched over it."""
        self._running().wait()
        self._process = None
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None

    def _format(self) -> None:
        command = _java(_COMPILE_FAST, "kafka.tools.StorageTool", "format")
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ["--cluster-id", f"A{cluster[1:]}", "--config", str(self._properties)]
        run = subprocess.run([*command, *arguments], capture_output=True, check=False)
        if run.returncode != 0:
            raise UnavailableError(f"Kafka's storage cannot be formatted: {run.stderr.decode(errors='replace')}")

    def _wait_until_started(self, process: subprocess.Popen[bytes], seen: int) -> None:
        """The open port is not enough: it opens before the controller counts the broker as available."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with self._log.open("rb") as log:
                log.seek(seen)
                if _STARTED in log.read():
                    return
            time.sleep(0.05)
        self.stop()
        tail = self._log.read_bytes()[seen:][-2000:].decode(errors="replace")
        raise UnavailableError(f"Kafka did not start within {_START_SECONDS:.0f} s; the end of its log:\n{tail}")


def _java(*arguments: str) -> list[str]:
    return [str(java()), "-XX:+UseSerialGC", "-cp", class_path(COORDINATES), *arguments]


def _watch(broker: int) -> subprocess.Popen[bytes]:
    """End the broker when we are gone, however we went: the kernel then closes our end of the pipe."""
    command = ["/bin/sh", "-c", f"read -r _; kill -KILL {broker}"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _server_properties(data: Path, port: int, controller: int) -> dict[str, str]:
    """One node: every internal topic has one replica, and nobody waits for members that do not come."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": os.fspath(data),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        "group.consumer.min.session.timeout.ms": "6000",
        "group.consumer.min.heartbeat.interval.ms": "1000",
        "group.consumer.session.timeout.ms": "6000",
        "group.consumer.heartbeat.interval.ms": "1000",
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }


def main() -> None:
    """Run one with data of its own, and say where, until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="connector-kafka-") as folder:
        broker = ApacheKafka(Path(folder))
        try:
            broker.start()
            print(broker.bootstrap_servers, flush=True)  # noqa: T201 - the address is what it is for
            signal.pause()
        except KeyboardInterrupt:
            pass
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
