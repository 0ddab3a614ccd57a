"""What a command's help says of the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connector.cli.main import app

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", ["map", "lint", "diff"])
def test_the_page_that_json_points_to_describes_it(command: str) -> None:
    """These three have pages of their own, and docs/operations.md only leads there."""
    said = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "400", "TERM": "dumb"}).output
    pages = re.findall(r"its shape is in (docs/\S+\.md)", said)
    assert len(pages) == 1
    page = (ROOT / pages[0]).read_text()
    assert f"connector {command} --config" in page
    assert "`--json` prints one document" in page
