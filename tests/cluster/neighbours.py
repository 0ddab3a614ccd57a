"""Kafka, the vendor and a producer on this machine, reached by the pods over their bridge."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.sandbox import HOST_V4, HOST_V6
from tests.support.apache_kafka import ApacheKafka
from tests.support.deadline import wait_until
from tests.support.ports import free_ports

PASSWORD = "simulated"


class Neighbours:
    """`settings` and `settings_v6` are the `config` of a release whose pods reach them by that family."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.kafka = ApacheKafka(folder / "kafka", {"num.partitions": "4"})
        self._v4, self._v6, self._vendor, self._vendor_v6 = free_ports(4)
        _listen_for_pods(folder / "kafka" / "server.properties", self._v4, self._v6)
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Kafka with the main topic and ours beside it, and the vendor in both families."""
        self.kafka.start()
        for host, port in ((HOST_V4, self._vendor), (HOST_V6, self._vendor_v6)):
            with (self._folder / f"vendor-{port}.log").open("wb") as log:
                command = _connector("simulate", "--host", host, "--port", str(port))
                self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait_until(lambda: self.ledger()["accepted"] == 0, 60, "the vendor answers")
        self.produce(1, seed=0)
        self._run("topics", "create")

    def stop(self) -> None:
        """End all of them."""
        for process in self._processes:
            process.terminate()
            process.wait()
        self.kafka.stop()

    def settings(self, family: int = 4) -> dict[str, Any]:
        """The `config` of a release."""
        v4 = family == 4
        kafka = f"{HOST_V4}:{self._v4}" if v4 else f"[{HOST_V6}]:{self._v6}"
        return {
            "kafka": {"bootstrap_servers": kafka},
            "openmarket": {
                "base_url": self._url(family),
                "allow_plain_http": True,
                "account_id": "123-456-789-12345",
                "password_file": "/etc/connector/secrets/password",
                "service_ids": ["0A1B2C3D4E5F"],
            },
            "hold": {
                "canary": {"first": "1s", "longest": "2s"},
                "endpoint": {"probes": {"first": "1s", "longest": "2s"}},
            },
        }

    def produce(self, count: int, seed: int, topic: str = "invocations") -> None:
        """Write so many good events to the main topic, or another."""
        self._run("produce", "--count", str(count), "--seed", str(seed), "--yes", topic=topic)

    def ledger(self, family: int = 4) -> Any:
        """What the vendor accepted, by event."""
        return self._ask("GET", "ledger?by=marker", family=family)

    def scenario(self, **scenario: Any) -> None:
        """Give the vendor a day."""
        self._ask("PUT", "scenario", json.dumps(scenario).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None, family: int = 4) -> Any:
        request = urllib.request.Request(f"{self._url(family)}/_simulator/{path}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except ConnectionError:
            return {"accepted": None}
        except OSError as error:
            if isinstance(getattr(error, "reason", None), ConnectionError):
                return {"accepted": None}
            raise

    def _url(self, family: int) -> str:
        return f"http://{HOST_V4}:{self._vendor}" if family == 4 else f"http://[{HOST_V6}]:{self._vendor_v6}"

    def _run(self, *command: str, topic: str = "invocations") -> None:
        settings = self.settings()
        settings["kafka"]["topics"] = {"main": topic}
        (self._folder / "password").write_text(PASSWORD, encoding="utf-8")
        settings["openmarket"]["password_file"] = str(self._folder / "password")
        settings["kafka"]["bootstrap_servers"] = self.kafka.bootstrap_servers
        (self._folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        whole = _connector(*command, "--config", str(self._folder / "config.yaml"))
        done = subprocess.run(whole, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"connector {command[0]}: {done.stdout}{done.stderr}")


def _connector(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "connector", *arguments]


def _listen_for_pods(properties: Path, v4: int, v6: int) -> None:
    """Two listeners more, one of each family, on the pods' bridge."""
    text = properties.read_text("utf-8")
    more = f"POD://{HOST_V4}:{v4},POD6://[{HOST_V6}]:{v6}"
    text = re.sub(r"(?m)^(listeners=|advertised.listeners=)", rf"\1{more},", text)
    kinds = ",".join(f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", "POD", "POD6"))
    text += f"listener.security.protocol.map={kinds}\ninter.broker.listener.name=PLAINTEXT\n"
    properties.write_text(text, encoding="utf-8")
