"""Files that may change: looked at again and again, and reported when their content has changed.

Kubernetes replaces a mounted Secret or ConfigMap by renaming a symlink above its files, so that neither the name nor,
now and then, size and time of a file tell that it is another one: what counts is its content.
"""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from connector.edge.daemon import in_daemon_thread

_log = logging.getLogger(__name__)

_EVERY = 0.5  # seconds; a change counts at its second look, so that it is told within one
_MOST = 4 * 1024 * 1024  # bytes; a bundle of every public authority has 250 KB, and a device has no end


class Unreadable(NamedTuple):
    """The file could not be read; `missing` when there is none."""

    why: str
    missing: bool


Content = bytes | Unreadable


def look(paths: Iterable[Path]) -> dict[Path, Content]:
    """What each file holds now, 4 MiB at most of each. A pipe is left alone: it can be read once only."""
    return {path: _content(path) for path in paths}


class FileWatch:
    """Awaits `changed` with the new content of the files that changed since `known`, a `look` at them.

    A change counts once two looks in a row saw the same: a file that is being written, or missing for a moment while
    it is replaced, is no change yet. No two calls of `changed` overlap; when one raises, the change is told again.
    """

    def __init__(
        self,
        known: Mapping[Path, Content],
        changed: Callable[[Mapping[Path, Content]], Awaitable[None]],
        *,
        every: float = _EVERY,
    ) -> None:
        """`every`: seconds between two looks."""
        self._known = dict(known)
        self._seen = known
        self._changed = changed
        self._every = every

    async def run(self) -> None:
        """Watch until cancelled. A file system that hangs stops the watching, and nothing else."""
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.look_again()
            except Exception:  # whatever it is, even a thread that cannot be had, the files are worth another look
                _log.exception("watch_fault")

    async def look_again(self) -> None:
        """Look once more, as `run` does again and again."""
        before, self._seen = self._seen, await in_daemon_thread(partial(look, tuple(self._known)))
        changes = {path: now for path, now in self._seen.items() if now == before[path] != self._known[path]}
        if changes:
            await self._changed(changes)
            self._known |= changes


def _content(path: Path) -> Content:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return Unreadable("not a regular file", missing=False)
        # Python makes room for all that it may read, and 4 MiB in each look would make the heap of the process so much
        # larger. A file that grows meanwhile is another one at the next look.
        with path.open("rb") as file:
            return file.read(min(status.st_size or _MOST, _MOST))
    except OSError as error:
        return Unreadable(error.strerror or type(error).__name__, isinstance(error, FileNotFoundError))
