"""Files as kubelet mounts them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class Mount:
    """A Secret as kubelet mounts it: each key is a link through `..data`, which is renamed over to swap all at once."""

    def __init__(self, folder: Path, **files: str) -> None:
        self._folder = folder
        self._turn = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.swap(**files)
        for name in files:
            (folder / name).symlink_to(Path("..data", name))

    def __getitem__(self, name: str) -> Path:
        """Where a program finds this key."""
        return self._folder / name

    def swap(self, **files: str) -> None:
        """The Secret has new content."""
        data, new = self._folder / "..data", self._folder / f"..2026_11_26_{self._turn}"
        old = data.resolve() if self._turn else None
        self._turn += 1
        new.mkdir()
        for name, content in files.items():
            (new / name).write_text(content)
            os.utime(new / name, (1, 1))
        (link := self._folder / "..data_tmp").symlink_to(new.name)
        link.rename(data)
        if old is not None:
            shutil.rmtree(old)
