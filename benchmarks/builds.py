"""Which connector is measured: this one, or the one of another commit."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
_LOCK = "requirements/run.txt"


class Build(NamedTuple):
    """A folder with the project in it, and the interpreter that has what it needs."""

    name: str
    folder: Path
    python: str


HERE = Build("connector", ROOT, sys.executable)
COMPILED = Build("connector, compiled", ROOT / "build" / "compiled", sys.executable)


def compiled() -> Build:
    """Ours, compiled now as for the image. Raises CalledProcessError where it cannot be, as without a C compiler."""
    subprocess.run(
        [ROOT / "scripts" / "compiled", "--only"],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHON": sys.executable},
    )
    return COMPILED


@contextlib.contextmanager
def of_commit(revision: str) -> Iterator[Build]:
    """The project as of a commit, in a folder that is gone afterwards. Raises CalledProcessError for no commit.

    It shares our virtual environment while both lock the same libraries; else it gets one of its own, in a minute.
    """
    with tempfile.TemporaryDirectory(prefix="connector-at-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "project"
        archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="tar")
        python = sys.executable
        if (folder / _LOCK).read_text() != (ROOT / _LOCK).read_text():
            python = _environment(Path(name) / "venv", folder)
        yield Build(f"connector at {revision}", folder, python)


def _environment(venv: Path, folder: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = str(venv / "bin" / "python")
    install = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes"]
    subprocess.run([*install, "-r", str(folder / _LOCK)], check=True)
    return python
