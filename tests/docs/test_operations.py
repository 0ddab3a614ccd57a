"""The operations page lists exactly the log lines that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAID = re.compile(r'(?:_?log(?:ger)?\.(?:debug|info|warning|error|exception)|level|\)) ?\(\s*"([a-z_]+)"')


def lines_of_the_page() -> set[str]:
    table = (ROOT / "docs/operations.md").read_text().split("## Log lines")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE))


def test_every_log_line_is_on_the_page_and_no_other() -> None:
    """Whoever greps a line's name in the docs finds what to do."""
    sources = [*ROOT.glob("connector/observe/events.py"), ROOT / "connector/cli/run.py"]
    sources += ROOT.glob("connector/edge/kafka_member.py")
    said = {name for source in sources for name in SAID.findall(source.read_text())}
    assert lines_of_the_page() == said | {"accepted"}
