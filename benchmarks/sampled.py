"""The connector with a watch in it: `python -m benchmarks.sampled ARGUMENTS` runs it, and says where its CPU time goes.

A timer of CPU time (SIGPROF) interrupts it a thousand times a second; what the main thread used since the last time
goes to the function it is in, and to the nearest one of ours above it. Threads are asked of the kernel. What was found
so far is written into the file that the variable SAMPLES names, twice a second.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

import connector
from connector.__main__ import main

_EVERY = 0.001
_WRITTEN_EVERY = 0.5
_PACKAGE = str(Path(connector.__file__).parent)
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_NOT_OURS = "event loop and kernel"


class Samples:
    """Seconds of CPU time by function, of the main thread, and by thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._functions: defaultdict[str, float] = defaultdict(float)
        self._used = self._written = time.thread_time()

    def start(self) -> None:
        """Begin. On the main thread."""
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)

    def _take(self, _number: int, frame: FrameType | None) -> None:
        used = time.thread_time()
        self._functions[_function(frame)] += used - self._used
        self._used = used
        if used - self._written > _WRITTEN_EVERY:
            self._written = used
            self._write()

    def _write(self) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps({"functions": self._functions, "threads": _threads()}))
        part.replace(self._file)


def _function(frame: FrameType | None) -> str:
    """The nearest function of ours: what it calls of libraries is on its account."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(_PACKAGE) and not code.co_filename.endswith("__main__.py"):
            name = f"{Path(code.co_filename).relative_to(_PACKAGE)} {code.co_qualname}"
            return _NOT_OURS if "/run.py" in name or "/main.py" in name else name
        frame = frame.f_back
    return _NOT_OURS


def _threads() -> dict[str, float]:
    """Seconds of all threads by name; those of librdkafka begin with `rdk:`."""
    ours = {thread.native_id: thread.name for thread in threading.enumerate()}
    used: defaultdict[str, float] = defaultdict(float)
    for task in Path("/proc/self/task").iterdir():
        try:
            head, _, rest = (task / "stat").read_text().rpartition(")")
        except OSError:  # it has ended
            continue
        fields = rest.split()
        name = ours.get(int(task.name)) or head.partition("(")[2]
        used[name] += (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
    return used


if __name__ == "__main__":
    Samples(Path(os.environ["SAMPLES"])).start()
    main()
