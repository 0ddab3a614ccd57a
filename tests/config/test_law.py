"""The law of loading: settings, or a ConfigError; nothing else comes out, whatever goes in."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import given
from hypothesis import strategies as st

from connector.config import ConfigError, load
from connector.config.fields import BY_NAME

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.binary()
keys = st.sampled_from(sorted({part for name in BY_NAME for part in name.split(".")})) | st.text(max_size=8)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | scalars, inner, max_size=4)
)
variables = st.sampled_from([f"CONNECTOR_{name.replace('.', '__').upper()}" for name in BY_NAME]) | st.from_regex(
    "CONNECTOR_[A-Z_]{0,12}", fullmatch=True
)
texts = st.text(max_size=20) | st.sampled_from(["null", "{}", "[]", "{", '{"any": 1}', "[null]", "1e999", "15m", "-1"])


def loads_or_refuses(path: Path | None, environ: dict[str, str]) -> None:
    problems: tuple[str, ...] = ("it loaded",)
    try:
        load(path, environ)
    except ConfigError as error:
        problems = error.problems
    assert problems
    assert all("\n" not in problem for problem in problems)


@given(st.dictionaries(st.sampled_from(["kafka", "openmarket", "delivery", "retry", "log", "schemas"]), trees))
def test_any_yaml_loads_or_is_refused(tree: dict[str, object]) -> None:
    """Also with lists where mappings belong, keys that are no text, and dates."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(yaml.safe_dump(tree))
        loads_or_refuses(path, {})


@given(st.binary(max_size=60))
def test_any_bytes_load_or_are_refused(content: bytes) -> None:
    """A file that is no YAML at all is one problem."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_bytes(content)
        loads_or_refuses(path, {})


@given(st.dictionaries(variables, texts, max_size=6))
def test_any_environment_loads_or_is_refused(environ: dict[str, str]) -> None:
    """A variable may set a section, a field of it and something below that field at the same time."""
    loads_or_refuses(None, environ)
