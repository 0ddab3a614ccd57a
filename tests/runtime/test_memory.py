"""The heap of a process, asked of the C library itself, and what the garbage collector finds in it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAPS = """
import ctypes, sys, tempfile, threading
from connector.runtime.memory import share_heap
libc = ctypes.CDLL(None)
if "shared" in sys.argv:
    share_heap()
met = threading.Barrier(8)
def allocate():
    held = bytearray(100_000)
    met.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with tempfile.NamedTemporaryFile() as file:
    libc.fopen.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap "))
"""


def _heaps(*arguments: str) -> int:
    ran = subprocess.run([sys.executable, "-c", _HEAPS, *arguments], capture_output=True, text=True, check=True)
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is not here")
def test_all_threads_share_one_heap() -> None:
    """What one thread frees another can have."""
    assert _heaps() > 1
    assert _heaps("shared") == 1


_GARBAGE = """
import gc, pathlib, sys, tempfile
from benchmarks.in_memory import MIXES, measure
with tempfile.TemporaryDirectory() as folder:
    for events in (300, 300, 1200):
        gc.collect()
        gc.disable()
        measure(MIXES["failures"], events, pathlib.Path(folder))
        print(gc.collect())
        gc.enable()
"""


def test_records_leave_nothing_behind_that_only_the_collector_finds() -> None:
    """Which is why it is asked rarely. One of a hundred is written to the retry topic, and one to the dead letters."""
    ran = subprocess.run([sys.executable, "-c", _GARBAGE], capture_output=True, text=True, check=True)
    _, few, many = map(int, ran.stdout.split())
    assert many - few < 900 / 10
