"""The heap of a process, asked of the C library itself."""

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
