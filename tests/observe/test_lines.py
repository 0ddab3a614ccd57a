"""Lines on real pipes and files: whoever writes one never waits, and what could not be written is counted."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Barrier, Thread
from typing import Any

import pytest

from connector.observe.lines import Lines
from tests.support.deadline import wait_until

PATIENCE = 20.0
MOST = 1 << 18


class Pipe:
    """A pipe with somebody who writes lines, and a reader who reads when asked."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe()
        self._stream = open(writing, "wb", buffering=0)  # noqa: SIM115 - closed with the pipe
        self.told: list[int] = []
        self.lines = Lines(self._stream, self._tell, MOST)
        self._read = b""

    def _tell(self, count: int) -> None:
        self.told.append(count)
        self.lines.write(b"dropped %d\n" % count)

    def does_not_block(self) -> None:
        """As somebody else who has the same stream may have set it."""
        os.set_blocking(self._stream.fileno(), False)

    def read_until(self, last: bytes) -> list[bytes]:
        """All that was read so far, once that line came."""
        while not self._read.endswith(last):
            self._read += os.read(self._reading, 1 << 16)
        return self._read.splitlines(keepends=True)

    def read_all(self) -> list[bytes]:
        """Everything, once the writer has closed its end."""
        self._stream.close()
        while more := os.read(self._reading, 1 << 16):
            self._read += more
        return self._read.splitlines(keepends=True)

    def walk_away(self) -> None:
        """The reader ends."""
        os.close(self._reading)
        self._reading = os.open(os.devnull, os.O_RDONLY)

    def close(self) -> None:
        self.lines.close()
        self._stream.close()
        os.close(self._reading)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.walk_away()  # frees a writer that waits for it
    pipe.close()


def numbered(count: int) -> list[bytes]:
    """More than a pipe and the buffer hold together, from 500 a thousand on."""
    return [b"%06d %s\n" % (number, b"x" * 500) for number in range(count)]


def test_a_line_that_may_wait_is_written_by_itself(pipe: Pipe) -> None:
    pipe.lines.write_soon(b"one\n")
    pipe.lines.write_soon(b"two\n")
    assert pipe.read_until(b"two\n") == [b"one\n", b"two\n"]


def test_a_line_takes_those_with_it_that_wait_in_their_order(pipe: Pipe) -> None:
    pipe.lines.write_soon(b"one\n")
    pipe.lines.write(b"two\n")
    pipe.lines.write_soon(b"three\n")
    pipe.lines.close()
    assert pipe.read_all() == [b"one\n", b"two\n", b"three\n"]


def test_lines_of_many_threads_keep_the_order_of_each(pipe: Pipe) -> None:
    start = Barrier(4)

    def write(name: bytes) -> None:
        start.wait()
        for number in range(300):
            pipe.lines.write(b"%s %d\n" % (name, number))

    threads = [Thread(target=write, args=(name,)) for name in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    start.wait()
    for number in range(300):
        pipe.lines.write_soon(b"soon %d\n" % number)
    for thread in threads:
        thread.join()
    pipe.lines.close()
    written = pipe.read_all()
    for name in (b"a", b"b", b"c", b"soon"):
        assert [line for line in written if line.startswith(name)] == [b"%s %d\n" % (name, n) for n in range(300)]


def test_a_reader_that_stands_still_costs_lines_and_nobodys_time(pipe: Pipe) -> None:
    """Nobody reads, and all is handed over nevertheless. Once somebody does, whole lines come, and how many do not."""
    lines = numbered(2000)
    for line in lines:
        pipe.lines.write_soon(line)
    kept = 2000 - int(pipe.lines.dropped.value)
    assert MOST // 1000 < kept < (MOST + (1 << 17)) // 500
    *written, told = pipe.read_until(b"dropped %d\n" % (2000 - kept))
    assert written == lines[:kept]
    assert told == b"dropped %d\n" % (2000 - kept)
    assert pipe.told == [2000 - kept]


def test_once_there_is_room_again_lines_are_written_as_before(pipe: Pipe) -> None:
    for line in numbered(2000):
        pipe.lines.write(line)
    pipe.read_until(b"dropped %d\n" % pipe.lines.dropped.value)
    pipe.lines.write(b"again\n")
    assert pipe.read_until(b"again\n")[-1] == b"again\n"


def test_at_the_end_a_reader_that_stands_still_is_left(pipe: Pipe) -> None:
    """`close` returns, which is the test: nobody ever reads."""
    for line in numbered(2000):
        pipe.lines.write(line)
    pipe.lines.close()


def test_a_stream_that_does_not_block_is_waited_for_by_the_writer_alone(pipe: Pipe) -> None:
    """Whoever shares a terminal or a pipe may set it so, and then a full one is no error."""
    pipe.does_not_block()
    lines = numbered(400)
    for line in lines:
        pipe.lines.write(line)
    assert pipe.read_until(lines[-1]) == lines
    assert pipe.lines.dropped.value == 0


def test_a_reader_that_is_gone_stops_nothing_and_is_counted(pipe: Pipe) -> None:
    pipe.walk_away()
    pipe.lines.write(b"one\n")
    pipe.lines.write(b"two\n")
    pipe.lines.close()
    assert pipe.lines.dropped.value == 2


def test_a_full_disk_stops_nothing_and_is_counted() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        lines = Lines(full, lambda count: None)
        lines.write(b"one\n")
        lines.close()
    assert lines.dropped.value == 1


def test_a_stream_that_was_closed_stops_nothing_and_is_counted() -> None:
    stream = open(os.devnull, "wb", buffering=0)  # noqa: SIM115 - closed too early is the case
    stream.close()
    lines = Lines(stream, lambda count: None)
    lines.write(b"one\n")
    lines.close()
    assert lines.dropped.value == 1


class FillsUp(io.BytesIO):
    """A disk with so many bytes left, until somebody makes room."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def write(self, data: Any, /) -> int:
        if not self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = bytes(data)[: self.left]
        self.left -= len(part)
        return super().write(part)


@contextmanager
def on_disk(left: int) -> Iterator[tuple[FillsUp, Lines]]:
    disk = FillsUp(left)
    lines = Lines(disk, lambda count: lines.write(b"dropped %d\n" % count))
    yield disk, lines
    lines.close()


def test_a_line_that_was_cut_by_a_full_disk_does_not_run_into_the_next_one() -> None:
    with on_disk(6) as (disk, lines):
        lines.write(b"one\n")
        lines.write(b"two\n")
        wait_until(lambda: lines.dropped.value, PATIENCE, "the disk is full")
        disk.left = 1000
        lines.write(b"three\n")
    assert disk.getvalue() == b"one\ntw\nthree\ndropped 1\n"
