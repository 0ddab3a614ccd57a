"""The settings' documentation says what the settings are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from connector.config import Settings, load
from connector.config.fields import BY_NAME
from connector.config.reference import reference

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("helm/*/README.md")]
_A_SETTING = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)(?:: [^`]*)?`")


def test_the_reference_page_is_the_generated_one() -> None:
    """`connector config --reference > docs/settings.md` was run after the last change of a setting."""
    assert (ROOT / "docs" / "settings.md").read_text() == reference()


@pytest.mark.parametrize("name", BY_NAME)
def test_every_setting_is_explained(name: str) -> None:
    """A field without a docstring has no unit, no bounds and no why."""
    field = BY_NAME[name]
    assert field.info.description or "." not in name


@pytest.mark.parametrize("name", BY_NAME)
def test_every_setting_is_in_the_example(name: str) -> None:
    """Somebody who copies the example sees all there is; optional sections are there as comments."""
    text = (ROOT / "config.example.yaml").read_text()
    value = yaml.safe_load(text)
    for part in name.split("."):
        if value is None:
            assert f"#   {part}:" in text
            return
        assert part in value
        value = value[part]


def test_the_pages_name_settings_that_there_are() -> None:
    """One that went, or was renamed, is named in the changelog only, and where a page says what is no setting."""
    sections = {name.split(".")[0] for name in BY_NAME}
    parts = {name.rsplit(".", cut)[0] for name in BY_NAME for cut in range(name.count(".") + 1)}
    named = {
        (page.relative_to(ROOT), name)
        for page in PAGES
        if page.name
        not in ("CHANGELOG.md", "settings.md")  # the latter is generated, and names the client's properties
        for name in _A_SETTING.findall(page.read_text())
        if name.split(".")[0] in sections
    }
    assert len(named) > 100
    assert {each for each in named if each[1] not in parts} == set()


def test_the_example_shows_the_defaults() -> None:
    """Only the account and its address are not defaults; copying the file changes nothing else."""
    text = (ROOT / "config.example.yaml").read_text()
    absolute = text.replace("examples/simulator-password", str(ROOT / "examples" / "simulator-password"))
    tree = yaml.safe_load(absolute)
    required = ("base_url", "account_id", "password_file", "service_ids")
    smallest = {"openmarket": {name: tree["openmarket"][name] for name in required}}
    assert Settings.model_validate(tree) == Settings.model_validate(smallest)


def test_the_example_loads_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the repository's own folder, where its relative paths begin."""
    monkeypatch.chdir(ROOT)
    assert load(Path("config.example.yaml"), {}).openmarket.password.get_secret_value() == "simulated"
