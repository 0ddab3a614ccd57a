"""Confluent Parallel Consumer, where a JDK and Maven are there to build it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from benchmarks.builds import ROOT

_PROJECT = ROOT / "benchmarks" / "peers" / "parallel-consumer"
_NEEDS = ("java", "javac", "mvn")


class ParallelConsumer(NamedTuple):
    """A build of it, and the command that runs it."""

    command: tuple[str, ...]


def missing() -> str | None:
    """What it would need and this machine has not."""
    absent = [name for name in _NEEDS if shutil.which(name) is None]
    return ", ".join(absent) or None


def build(folder: Path) -> ParallelConsumer:
    """Compile it in a new folder. Its libraries come from Maven Central, once. Raises RuntimeError."""
    shutil.copytree(_PROJECT, folder)
    listing = folder / "class-path"
    goals = ["compile", "dependency:build-classpath", f"-Dmdep.outputFile={listing}"]
    built = subprocess.run(["mvn", "-q", "-B", *goals], cwd=folder, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise RuntimeError(f"Maven cannot build {_PROJECT}:\n{built.stdout[-2000:]}")
    class_path = os.pathsep.join([str(folder / "target" / "classes"), listing.read_text().strip()])
    options = ("-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
    return ParallelConsumer(("java", *options, "-cp", class_path, "peer.Main"))
