"""`python -m dashboards`: write both dashboards where the chart takes them from."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.delivery import delivery
from dashboards.process import process

FOLDER = Path(__file__).parents[1] / "helm" / "invoke-connector" / "files" / "dashboards"
ALL = {"delivery.json": delivery, "process.json": process}


def written(board: Dashboard) -> str:
    """A dashboard as the file has it."""
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """The command."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, made in ALL.items():
        (FOLDER / name).write_text(written(made()), encoding="utf-8")


if __name__ == "__main__":
    main()
