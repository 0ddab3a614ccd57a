"""YAML file, then environment, then the secret files that they name → settings, or every problem at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars
from typing_extensions import override

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
    file = {} if path is None else read_tree(path)
    environment = _Environment(Settings, environ)()
    tree = _over(file, environment)
    problems = list(_misspelt(environ))
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
        super().__init__(settings, case_sensitive=False)  # of variables alone; `_misspelt` looks at their case

    @override
    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(self._environ, False, False, self.env_parse_none_str)

    @override
    def _replace_field_names_case_insensitively(self, field: FieldInfo, field_values: dict[str, Any]) -> dict[str, Any]:
        return field_values  # a section given as JSON is written as in the file

    @override
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

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _Twice(problem=f"{key.value} is given twice", problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read_tree(path: Path) -> Tree:
    """A YAML file of sections. Raises ConfigError."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read ({error.strerror})",)) from None
    except UnicodeDecodeError:
        raise ConfigError((f"{path}: is not UTF-8 text",)) from None
    except _Twice as error:
        raise ConfigError((f"{path}: {error.problem}{_place(error)}",)) from None
    except yaml.YAMLError as error:
        raise ConfigError((f"{path}: is not YAML{_place(error)}{_hint(error, text)}",)) from None
    if not isinstance(tree, dict | None):
        raise ConfigError((f"{path}: must be a mapping of sections (kafka, openmarket, …)",))
    return {str(key): value for key, value in (tree or {}).items()}


def _place(error: yaml.YAMLError) -> str:
    """Line and column; not the parser's own words, which quote the file."""
    mark = getattr(error, "problem_mark", None)
    return f": line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""


_BRACKETS_IN_BRACES = re.compile(r"""\{[^"'#]*[^\s"'#,:\[]\[""")


def _hint(error: yaml.YAMLError, text: str) -> str:
    """What to do about a tab, or about a path's brackets, at the place of an error."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ""
    near = text.split("\n")[mark.line : mark.line + 2]
    tabbed = any("\t" in line[: len(line) - len(line.lstrip())] for line in near)
    if tabbed:
        return "; a tab indents there, and YAML takes spaces only"
    return "; within braces put a path with [ ] in quotes" if _BRACKETS_IN_BRACES.search(near[0]) else ""


def _misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """Variables that are none of ours, and those in another case: of two that differ in case one would be lost."""
    for variable in environ:
        if not variable.upper().startswith(PREFIX):
            continue
        parts = variable[len(PREFIX) :].split("__")
        section, meant = parts[0].lower(), _meant(variable)
        if section not in Settings.model_fields:
            problem = f"unknown setting; did you mean {meant}?" if meant else unknown(section, Settings.model_fields)
            yield f"{variable}: {problem}"
        elif not variable.startswith(_known_part(variable)):
            yield f"{variable}: the name of a setting is in upper case here: {_known_part(variable)}"


def _known_part(variable: str) -> str:
    """The variable as far as it names a setting, as it is written; what follows in a mapping is free."""
    parts = variable.upper().split("__")
    for count in range(len(parts), 1, -1):
        known = "__".join(parts[:count])
        if known in _VARIABLES.values():
            return known
    return parts[0]


def _meant(variable: str) -> str | None:
    """The variable that has the same letters, whatever joins its words."""
    return _VARIABLES.get(_letters(variable))


def _letters(variable: str) -> str:
    return re.sub("[^A-Z0-9]", "", variable.upper())


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper().replace('.', '__')}"


_VARIABLES = {_letters(_variable(name)): _variable(name) for name in BY_NAME}
"""Every setting's variable, by its letters."""


def _with_variable(problem: str, environment: Tree) -> str:
    """The problem, and the variable that it came by, which nobody finds in the file."""
    name = problem.partition(":")[0].partition("[")[0]
    if not name or isinstance(_at(environment, name), dict) or _at(environment, name) is _ABSENT:
        return problem
    variable = _variable(name)
    meant = _meant(variable)
    if name not in BY_NAME and meant and meant != variable:
        return f"{variable}: unknown setting; did you mean {meant}?"
    return f"{problem} (environment: {variable})"


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
