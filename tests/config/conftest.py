"""A complete configuration in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str], Path]

SMALLEST = """
openmarket:
  base_url: https://servicemanager.openmarket.com
  account_id: 123-456-789-12345
  password_file: {password}
  service_ids: [0A1B2C3D4E5F]
"""


@pytest.fixture
def password(tmp_path: Path) -> Path:
    """A secret file."""
    file = tmp_path / "password"
    file.write_text("s3cret-plant\n")
    return file


@pytest.fixture
def write(tmp_path: Path, password: Path) -> Write:
    """Writes a configuration file; `{password}` stands for the secret file's path."""

    def written(text: str) -> Path:
        file = tmp_path / "config.yaml"
        file.write_text(text.replace("{password}", str(password)))
        return file

    return written
