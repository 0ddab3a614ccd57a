"""A stuck partition: one event meets a bug that a copy of the connector has, and its record is skipped by hand."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import connector
from tests.rehearsal.world import World
from tests.whole.stage import event, single_object

_EVENT = "the-one-that-meets-the-bug"
_WHOLE = "    return usual(event, rules) or judged(event, rules)\n"
_BUG = f'    if event.event_id == "{_EVENT}":\n        raise ZeroDivisionError\n'


_AROUND = [f"around-{n}" for n in range(40)]


async def begin(world: World) -> None:
    """Good events before it and behind it, in its partition."""
    copy = _with_the_bug(world.stage.folder / "copy")
    await world.start(before=_instead_of_ours(copy))
    values = [single_object(event(mark, n)) for n, mark in enumerate(_AROUND)]
    values.insert(10, single_object(event(_EVENT, 99)))
    world.stage.produce(values, partition=0)
    world.rate = 1


async def mend(world: World) -> None:
    """A restart tried the record again, and it stopped there once more. Then, with the process stopped, its partition's
    offset was raised by one in offsets.json, and the process started again. Nobody else's event was lost, and nobody
    was texted twice."""
    process, again = world.process, _instead_of_ours(world.stage.folder / "copy")
    await process.stop()
    await process.spawn(*again)
    await process.joins(90)
    await process.status_when(lambda status: "fault" in str(status.get("partitions")))
    await process.stop()
    await world.run("connector offsets export --config config.yaml > offsets.json")
    file = process.config.parent / "offsets.json"
    content = json.loads(file.read_text())
    (place,) = (each for each in content["offsets"] if (each["topic"], each["partition"]) == (world.stage.main, 0))
    place["offset"] += 1
    file.write_text(json.dumps(content))
    await world.run("connector offsets set --config config.yaml offsets.json")
    await world.run("connector offsets set --config config.yaml offsets.json --yes")
    await process.spawn(*again)
    await process.joins(90)
    async with asyncio.timeout(60):
        while world.stage.lost(_AROUND):  # noqa: ASYNC110 - the vendor is asked
            await asyncio.sleep(0.1)
    assert world.stage.repeats == 0, f"{world.stage.repeats} texted twice"


def _instead_of_ours(copy: Path) -> tuple[str, ...]:
    return ("env", "PYTHONSAFEPATH=1", f"PYTHONPATH={copy}")


def _with_the_bug(folder: Path) -> Path:
    """A copy of the package with the bug; what has to be in PYTHONPATH."""
    shutil.copytree(Path(connector.__file__).parent, folder / "connector")
    file = folder / "connector" / "core" / "request.py"
    text = file.read_text()
    assert text.count(_WHOLE) == 1
    file.write_text(text.replace(_WHOLE, _BUG + _WHOLE))
    return folder
