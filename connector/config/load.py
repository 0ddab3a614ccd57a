"""YAML file, then environment, then the secret files that they name → settings, or every problem at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars

from connector.config.fields import BY_NAME
from connector.config.problems import explain, unknown
from connector.config.settings import Settings, too_short
from connector.config.units import parse_duration

PREFIX = "CONNECTOR_"

Tree = dict[str, Any]


class ConfigError(Exception):
    """The settings cannot be used. `problems` has every one of them, none with a value in it."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Loaded(NamedTuple):
    """The settings, and what file and environment said."""

    settings: Settings
    file: Tree
    environment: Tree

    def source(self, name: str) -> str:
        """Where the value of a setting, by its dotted name, comes from: `environment`, `file` or `default`."""
        for source, tree in (("environment", self.environment), ("file", self.file)):
            if _at(tree, name) is not _ABSENT:
                return source
        return "default"


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises ConfigError with every problem at once."""
    return load_with_sources(path, environ).settings


def load_with_sources(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Read the settings and remember where each came from. Raises ConfigError with every problem at once."""
    file = {} if path is None else _read(path)
    environment = _Environment(Settings, environ)()
    tree = _over(file, environment)
    problems = list(_unknown_variables(environ))
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += (_with_variable(problem, environment) for problem in explain(error))
        problems += too_short(lambda name: _duration(tree, name))
    if problems:
        raise ConfigError(tuple(dict.fromkeys(problems)))
    return Loaded(settings, file, environment)


class _Environment(EnvSettingsSource):
    """pydantic's reading of the environment, of the one that is passed in."""

    def __init__(self, settings: type[BaseSettings], environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(self._environ, False, False, self.env_parse_none_str)

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """What is not JSON stays a text, which the setting's type then refuses by name, with all other problems."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class _Twice(yaml.MarkedYAMLError):
    """A key that is given twice in one mapping."""


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key given twice is an error: the first would silently be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _Twice(problem=f"{key.value} is given twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _read(path: Path) -> Tree:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read ({error.strerror})",)) from None
    except UnicodeDecodeError:
        raise ConfigError((f"{path}: is not UTF-8 text",)) from None
    except _Twice as error:
        raise ConfigError((f"{path}: {error.problem}{_place(error)}",)) from None
    except yaml.YAMLError as error:
        raise ConfigError((f"{path}: is not YAML{_place(error)}",)) from None
    if not isinstance(tree, dict | None):
        raise ConfigError((f"{path}: must be a mapping of sections (kafka, openmarket, …)",))
    return {str(key): value for key, value in (tree or {}).items()}


def _place(error: yaml.YAMLError) -> str:
    """Line and column; not the parser's own words, which quote the file."""
    mark = getattr(error, "problem_mark", None)
    return f": line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    for variable in environ:
        if variable.upper().startswith(PREFIX):
            section = variable[len(PREFIX) :].split("__")[0].lower()
            if section not in Settings.model_fields:
                yield f"{variable}: {unknown(section, Settings.model_fields)}"


def _with_variable(problem: str, environment: Tree) -> str:
    """The problem, and the variable that it came by, which nobody finds in the file."""
    name = problem.partition(":")[0].partition("[")[0]
    if not name or isinstance(_at(environment, name), dict) or _at(environment, name) is _ABSENT:
        return problem
    return f"{problem} (environment: {PREFIX}{name.upper().replace('.', '__')})"


def _over(under: Tree, over: Tree) -> Tree:
    """Both trees in one; where both say something, `over` wins."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


_ABSENT = object()


def _at(tree: object, name: str) -> object:
    for part in name.split("."):
        tree = tree.get(part, _ABSENT) if isinstance(tree, dict) else _ABSENT
    return tree


def _duration(tree: Tree, name: str) -> float | None:
    """The duration at a dotted name, as given or by default; None when it is wrong by itself."""
    found = _at(tree, name)
    try:
        return BY_NAME[name].info.default if found is _ABSENT else parse_duration(found)
    except ValueError:
        return None
