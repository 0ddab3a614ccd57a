"""Brings into the chart what is written elsewhere: the settings' schema, and the README's table of `values.yaml`.

`python helm/generate.py` writes; `--check` writes nothing and exits 1, naming the files that would change.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from connector.config.reference import json_schema

CHART = Path(__file__).resolve().parent / "invoke-connector"
TABLE = re.compile(r"(?<=<!-- values -->\n).*(?=<!-- /values -->)", re.S)
_HEAD = "| value | default | meaning |\n|---|---|---|\n"
WHOLE = {"resources", "podSecurityContext", "securityContext", "behavior", "labels"}
"""Values that people set as one."""


def main() -> int:
    """Exit code 1 with `--check` when something would change."""
    changed = [path for path, text in generated().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        sys.stderr.writelines(f"{path.relative_to(CHART)}: run python helm/generate.py\n" for path in changed)
        return 1 if changed else 0
    for path in changed:
        path.write_text(generated()[path], encoding="utf-8")
    return 0


def generated() -> dict[Path, str]:
    """What each generated file must hold."""
    settings = json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"
    readme = CHART / "README.md"
    table = "".join(rows((CHART / "values.yaml").read_text("utf-8")))
    return {
        CHART / "files" / "settings.schema.json": settings,
        CHART / "values.schema.json": json.dumps(_values_schema(), indent=1, ensure_ascii=False) + "\n",
        readme: TABLE.sub(lambda _: f"{_HEAD}{table}", readme.read_text("utf-8")),
    }


def _values_schema() -> dict[str, Any]:
    """The chart's own schema, with the settings' definitions as they are printed today."""
    schema: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    settings = dict(json_schema())
    schema["$defs"] = {**settings.pop("$defs"), "Settings": settings}
    return schema


def rows(text: str) -> Iterator[str]:
    """A row of the table for each value of `values.yaml`; its meaning is the comment above it. Raises ValueError for a
    value without one."""
    values = yaml.safe_load(text)
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        found = re.match(r"^((?:  )*)([A-Za-z]\w*):", line)
        if line.strip().startswith("# "):
            comment.append(line.strip().removeprefix("# "))
        elif not line.strip():
            comment = []
        elif found:
            depth = len(found[1]) // 2
            if depth > len(path) or WHOLE & set(path[:depth]):
                continue
            path = [*path[:depth], found[2]]
            value = _at(values, path)
            if not isinstance(value, dict) or not value or path[-1] in WHOLE:
                if not comment:
                    raise ValueError(f"{'.'.join(path)} has no comment")
                yield f"| `{'.'.join(path)}` | `{json.dumps(value)}` | {' '.join(comment)} |\n"
            comment = []


def _at(values: Any, path: list[str]) -> Any:
    for name in path:
        values = values[name]
    return values


if __name__ == "__main__":
    sys.exit(main())
