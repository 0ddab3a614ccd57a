"""`make tryimage`: the image as a container engine runs it, on real Kafka and its own simulator, and what was seen."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import yaml

from connector import __version__
from tests.image.engine import Engine, NoEngineError
from tests.support.apache_kafka import ApacheKafka
from tests.support.deadline import wait_until
from tests.support.ports import free_port

EVENTS = 200
STOPS = 5
ASSIGNED = "1000650000:0"
CONFIG, SECRETS = "/etc/connector/config.yaml", "/etc/connector/secrets"
_PATIENCE = 120.0
_GRACE = 60
_INSIDE = "IN_A_MOUNT_NAMESPACE"


class Trial:
    """The image beside a Kafka; `vendor` and `connector` are containers of it, under names of their own."""

    def __init__(self, engine: Engine, kafka: ApacheKafka, folder: Path) -> None:
        self.engine = engine
        run = uuid.uuid4().hex[:8]
        self._vendor, self._connector = f"vendor-{run}", f"connector-{run}"
        self._vendor_port, self._port = free_port(), free_port()
        settings = {
            "kafka": {"bootstrap_servers": kafka.bootstrap_servers},
            "openmarket": {
                "base_url": f"http://127.0.0.1:{self._vendor_port}",
                "account_id": "123-456-789-12345",
                "password_file": f"{SECRETS}/password",
                "service_ids": ["0A1B2C3D4E5F"],
            },
            "admin": {"port": self._port, "control_port": 0},
        }
        config, secrets = folder / "config.yaml", folder / "secrets"
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        secrets.mkdir()
        (secrets / "password").write_text("simulated", encoding="utf-8")
        folder.chmod(0o755)
        self._mounts = {config: CONFIG, secrets: SECRETS}

    def prepare(self) -> None:
        """The vendor, and the topics: the main one is made by writing to it."""
        self.engine.create(self._vendor, "simulate", "--port", str(self._vendor_port), mounts=self._mounts)
        self.engine.start(self._vendor)
        wait_until(lambda: self._ask(self._vendor_port, "_simulator/ledger"), _PATIENCE, "the vendor answers")
        self.produces(seed=0)
        self.command("topics", "create")
        self.engine.create(self._connector, mounts=self._mounts)

    def produces(self, seed: int) -> None:
        """Write events to the main topic."""
        self.command("produce", "--count", str(EVENTS), "--seed", str(seed), "--yes")

    def command(self, *words: str, user: str = "") -> str:
        """A command beside the vendor, with the settings: what it wrote."""
        return self.engine.execute(self._vendor, "connector", *words, "--config", CONFIG, user=user)

    def starts(self) -> float:
        """Start the connector; the seconds from the engine's command until it says that it is ready."""
        began = time.monotonic()
        self.engine.start(self._connector)
        wait_until(lambda: self._ask(self._port, "readyz") is not None, _PATIENCE, "the connector is ready")
        return time.monotonic() - began

    def delivers(self, count: int) -> Any:
        """The vendor's books, once it has accepted so many events."""
        wait_until(lambda: self.books()["distinct"] >= count, _PATIENCE, f"{count} are accepted")
        return self.books()

    def books(self) -> Any:
        """What the vendor accepted, by event."""
        return json.loads(self._ask(self._vendor_port, "_simulator/ledger?by=marker") or "{}")

    def stops(self) -> tuple[int, float]:
        """SIGTERM to process 1: the exit code, and the seconds that it took."""
        began = time.monotonic()
        code = self.engine.stop(self._connector, _GRACE)
        took = time.monotonic() - began
        assert "Traceback" not in self.engine.logs(self._connector)
        return code, took

    def close(self) -> None:
        """End what runs."""
        self.engine.remove(self._vendor, self._connector)

    def _ask(self, port: int, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
                return str(answer.read(), "utf-8")
        except (OSError, urllib.error.HTTPError):
            return None


def tell(what: str, seen: str) -> None:
    """A row of the table in docs/image.md."""
    print(f"| {what} | {seen} |", flush=True)  # noqa: T201 - a command's output


def attempt(trial: Trial) -> None:
    """What docs/image.md says of the image, in order."""
    engine = trial.engine
    tell("engine", engine.name)
    tell("size", f"{engine.size / 1e6:.0f} MB")
    tell("revision", engine.labels["org.opencontainers.image.revision"])
    tell("`--version`", engine.run("--version").stdout.strip())
    trial.prepare()
    tell("`check --live`", trial.command("check", "--live").strip().splitlines()[-1])
    assigned = trial.command("check", "--live", user=ASSIGNED).strip().splitlines()[-1]
    tell(f"the same as {ASSIGNED}, as OpenShift assigns one", assigned)
    tell("start to ready", f"{trial.starts():.1f} s, with the engine's own time")
    books = trial.delivers(EVENTS)
    assert books["repeated"] == 0, books
    tell(f"{EVENTS} events", f"{books['distinct']} accepted by the simulator, none twice")
    code, took = trial.stops()
    assert code == 0, code
    tell("SIGTERM to process 1", f"exit code 0 after {took:.1f} s")
    for stop in range(1, STOPS + 1):
        trial.produces(seed=stop)
        trial.starts()
        code, _ = trial.stops()
        assert code == 0, code
    trial.starts()
    books = trial.delivers((STOPS + 1) * EVENTS)
    assert books["repeated"] == 0, books
    assert trial.stops()[0] == 0
    tell(f"{STOPS} stops while it posts", "exit code 0 each time; then all accepted, none twice")


def in_a_mount_namespace() -> None:
    """Start anew in one where control groups of version 2 are not mounted: crun refuses a machine that has both."""
    if os.environ.get(_INSIDE) or not Path("/sys/fs/cgroup/unified").is_dir() or shutil.which("podman") is None:
        return
    script = 'umount /sys/fs/cgroup/unified; exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-m", "tests.image", *sys.argv[1:]]
    os.execvpe(words[0], words, {**os.environ, _INSIDE: "yes"})  # noqa: S606 - fixed words


def main() -> int:
    """Exit code 1 when something is not as it should be."""
    in_a_mount_namespace()
    image = sys.argv[1] if len(sys.argv) > 1 else f"invoke-connector:{__version__}"
    try:
        engine = Engine(image)
    except NoEngineError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's output
        return 1
    with tempfile.TemporaryDirectory(prefix="connector-image-") as name:
        kafka = ApacheKafka(Path(name) / "kafka", {"num.partitions": "4"})
        trial = Trial(engine, kafka, Path(name))
        try:
            kafka.start()
            attempt(trial)
        finally:
            trial.close()
            kafka.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
