"""What the README names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.cli.main import SUMMARIES
from connector.config.fields import BY_NAME

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_command_is_in_the_readme_and_no_other() -> None:
    """The table of commands is the table of commands."""
    assert re.findall(r"^\| `connector (\w+)` \|", README, re.MULTILINE) == list(SUMMARIES)


def test_every_setting_it_names_exists() -> None:
    """A renamed setting is renamed here too."""
    named = set(re.findall(r"`((?:kafka|openmarket|delivery|retry|hold|pace|admin|log|schemas)\.[a-z_.]+)`", README))
    assert named
    assert {name for name in named if name not in BY_NAME} == set()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make (\w+)`?", README))))
def test_every_make_target_exists(target: str) -> None:
    """What a newcomer types works."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md"])
def test_the_topics_are_created_before_they_are_checked(page: str) -> None:
    """Or a newcomer's first result is a failure."""
    text = (ROOT / page).read_text()
    assert text.index("connector topics create --config") < text.index("connector check --config")
