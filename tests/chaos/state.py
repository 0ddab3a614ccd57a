"""What a run has done so far, in its folder, so that an interrupted one can go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.books import Done
from tests.chaos.plan import Parameters


class State(NamedTuple):
    """`elapsed`: seconds of producing so far. `done`: the faults of the plan that were carried out, in order."""

    given: Parameters
    elapsed: float = 0.0
    done: tuple[Done, ...] = ()


def save(path: Path, state: State) -> None:
    """Write it whole or not at all."""
    content = {
        "given": state.given._asdict(),
        "elapsed": state.elapsed,
        "done": [fault._asdict() for fault in state.done],
    }
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(content))
    beside.replace(path)


def load(path: Path) -> State | None:
    """What was saved; None when nothing was. Raises ValueError for a file that is none of ours."""
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        done = [Done(**{**fault, "partitions": tuple(fault["partitions"])}) for fault in content["done"]]
        return State(Parameters(**content["given"]), float(content["elapsed"]), tuple(done))
    except (KeyError, TypeError, json.JSONDecodeError):
        raise ValueError(f"{path} is not the state of a run: remove the folder, or name another") from None
