"""Every link of every page leads to a file that is there, and to a heading that it has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = subprocess.run(
    ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.splitlines()
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|\[[^\]]*\]: (\S+)")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


def links(page: str) -> list[str]:
    """The links of a page that lead into this repository."""
    text = _BLOCK.sub("", (ROOT / page).read_text())
    found = [first or second for first, second in _LINK.findall(text)]
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by, as GitHub makes it of them."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text()), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {_NOT_IN_ANCHORS.sub("", heading.strip().lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", [page for page in PAGES if links(page)])
def test_every_link_leads_somewhere(page: str) -> None:
    """A page or a heading that was renamed is renamed in what links to it."""
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_what_is_looked_for_is_found() -> None:
    assert len(PAGES) > 20
    assert sum(len(links(page)) for page in PAGES) > 100
