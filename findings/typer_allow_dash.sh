#!/usr/bin/env bash
# typer: allow_dash never allows a dash where the parameter is a Path.
#
# typer 0.29.2 compares the converted value with "-" (typer/_param_types.py, coerce_cli_path): a Path is never equal to a
# text, so that `exists=True, allow_dash=True` refuses "-" with "file '-' does not exist". With click's own Path(path_type=Path)
# the comparison comes before the conversion. Seen on 2026-11-30. Exits with 1 when typer takes the dash.
# Usage: findings/typer_allow_dash.sh [VERSION]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/py"
"$work/py/bin/pip" -q install "typer==${1:-0.29.2}"
cat >"$work/main.py" <<'PY'
from pathlib import Path
from typing import Annotated

import typer


def main(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, allow_dash=True)]) -> None:
    print("taken:", file)


typer.run(main)
PY
cd "$work"
py/bin/python main.py - >said 2>&1 || true
cat said
grep -q "does not exist" said
