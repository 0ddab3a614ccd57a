"""A container engine's command line, Docker's or Podman's: they take the same words."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# What buildah built is in its own kind of storage. No container here needs a control group, and who runs in a container
# already may not raise limits.
_PODMAN = ["podman", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]
_BY_PODMAN = ["--cgroups", "disabled", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


class NoEngineError(Exception):
    """No engine runs containers here: why."""


class Engine:
    """The engine that has the image. Raises NoEngineError when there is none that can run it."""

    def __init__(self, image: str) -> None:
        self.image = image
        for words, running in ((["docker"], []), (_PODMAN, _BY_PODMAN)):
            self._words, self._running = words, running
            try:
                if self.run("--version").returncode == 0:
                    return
            except FileNotFoundError:
                continue
        raise NoEngineError(f"neither docker nor podman runs {image}: `make image` first")

    @property
    def name(self) -> str:
        """Its name and version."""
        return self._do("--version").stdout.strip()

    @property
    def size(self) -> int:
        """The image's, in bytes."""
        return int(self._inspect("image", self.image)["Size"])

    @property
    def labels(self) -> Mapping[str, str]:
        """The image's."""
        return dict(self._inspect("image", self.image)["Config"]["Labels"])

    def run(self, *arguments: str, mounts: Mapping[Path, str] | None = None) -> subprocess.CompletedProcess[str]:
        """A container of its own, until it ends: its exit code and what it wrote."""
        return self._do(*self._container(mounts), "--rm", self.image, *arguments)

    def create(self, name: str, *arguments: str, mounts: Mapping[Path, str] | None = None) -> None:
        """A container that does not run yet: some kinds of storage copy the whole image for it."""
        _, *options = self._container(mounts)
        self._must("create", *options, "--name", name, self.image, *arguments)

    def start(self, name: str) -> None:
        """Run it in the background, for the first time or again."""
        self._must("start", name)

    def execute(self, name: str, *words: str, user: str = "") -> str:
        """Run a program of the image in a container that runs, as its user or as `user:group`: what it wrote."""
        return self._must("exec", *(["--user", user] if user else []), name, *words)

    def stop(self, name: str, seconds: int) -> int:
        """SIGTERM to its process 1; its exit code. It is killed after so many seconds."""
        self._do("stop", "--time", str(seconds), name)
        return int(self._inspect("container", name)["State"]["ExitCode"])

    def logs(self, name: str) -> str:
        """What it wrote."""
        done = self._do("logs", name)
        return done.stdout + done.stderr

    def remove(self, *names: str) -> None:
        """Kill and forget them."""
        self._do("rm", "--force", *names)

    def _container(self, mounts: Mapping[Path, str] | None) -> Sequence[str]:
        """As little allowed as in the chart, and on the host's network."""
        words = ["run", *self._running, "--network", "host", "--read-only", "--cap-drop", "ALL"]
        words += ["--security-opt", "no-new-privileges"]
        for here, there in (mounts or {}).items():
            words += ["--volume", f"{here}:{there}:ro"]
        return words

    def _inspect(self, kind: str, name: str) -> Any:
        return json.loads(self._do(kind, "inspect", name).stdout)[0]

    def _must(self, *words: str) -> str:
        done = self._do(*words)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _do(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
        return subprocess.run([*self._words, *words], capture_output=True, text=True, check=False, env=env)
