"""Prometheus and promtool: the machine's own, or Debian's package unpacked into the cache and not installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.jars import UnavailableError, cache

_PACKAGE = "prometheus"
_FETCH_SECONDS = 120


def program(name: str) -> Path:
    """Where `prometheus` or `promtool` is, fetched once. Raises UnavailableError when it cannot be had."""
    if (installed := shutil.which(name)) is not None:
        return Path(installed)
    folder = cache() / "prometheus"
    if not (folder / "usr" / "bin" / name).is_file():
        _fetch(folder)
    return folder / "usr" / "bin" / name


def _fetch(folder: Path) -> None:
    """apt checks the package by its signed index; a list of packages that is missing or old is renewed first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        if _run(["apt-get", "download", _PACKAGE], temporary) is not None:
            _run(["apt-get", "update"], temporary)
            if (why := _run(["apt-get", "download", _PACKAGE], temporary)) is not None:
                raise UnavailableError(f"promtool is missing, and Debian's package cannot be had: {why}")
        (package,) = Path(temporary).glob("*.deb")
        unpacked = Path(temporary) / "unpacked"
        if (why := _run(["dpkg-deb", "--extract", str(package), str(unpacked)], temporary)) is not None:
            raise UnavailableError(f"{package.name} cannot be unpacked: {why}")
        if not folder.exists():  # somebody beside us may have been faster
            unpacked.replace(folder)


def _run(command: list[str], folder: str) -> str | None:
    """None when it went well, else its last words."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no word"])[-1]
