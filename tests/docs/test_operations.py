"""The operations page lists exactly the log lines that exist."""

from __future__ import annotations

import re
from pathlib import Path

from connector.config.fields import BY_NAME
from connector.observe.shadow import LINES
from connector.runtime.renewal import AT_START_ONLY, RENEWED

ROOT = Path(__file__).parents[2]
SAID = re.compile(r'(?:_?log(?:ger)?\.(?:debug|info|warning|error|exception)|level|\)) ?\(\s*"([a-z_]+)"')


def lines_of_the_page() -> set[str]:
    table = (ROOT / "docs/operations.md").read_text().split("## Log lines")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE))


def test_every_log_line_is_on_the_page_and_no_other() -> None:
    """Whoever greps a line's name in the docs finds what to do."""
    sources = [*ROOT.glob("connector/observe/events/*.py"), ROOT / "connector/cli/run.py"]
    sources += [
        ROOT / "connector/observe/logs.py",
        ROOT / "connector/edge/kafka/ledger.py",
        ROOT / "connector/edge/kafka/member.py",
        ROOT / "connector/edge/watch.py",
    ]
    said = {name for source in sources for name in SAID.findall(source.read_text())}
    assert lines_of_the_page() == said | {"accepted"} | set(LINES.values())


def test_the_page_says_of_every_secret_whether_a_change_needs_a_restart() -> None:
    """As the connector does it."""
    table = (ROOT / "docs/operations.md").read_text().split("## Secrets and certificates")[1].split("\n## ")[0]
    said: dict[str, str] = {}
    for row in re.findall(r"^\| (.+?) \| (.+?) \|", table, re.MULTILINE):
        said |= dict.fromkeys(re.findall(r"`([a-z_]+\.[a-z_.]+_file)`", row[0]), row[1].split(",")[0])
    files = [name for name in BY_NAME if name.endswith("_file")]
    done = {name: "read again" for name in files if name.rpartition(".")[0] in RENEWED}
    done |= {name: "restart" for name in files if name.rpartition(".")[0] in AT_START_ONLY}
    assert said == done
