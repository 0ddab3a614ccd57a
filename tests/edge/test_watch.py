"""Files that change under us, the way Kubernetes, editors and people change them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from connector.edge.daemon import in_daemon_thread
from connector.edge.watch import Content, FileWatch, Unreadable, look
from tests.support.deadline import eventually
from tests.support.mount import Mount

MISSING = Unreadable("No such file or directory", missing=True)


class Told:
    """What a watch told, call by call."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Content]] = []
        self.threads: set[int] = set()

    async def changed(self, contents: Mapping[Path, Content]) -> None:
        self.calls.append({path.name: content for path, content in contents.items()})
        self.threads.add(threading.get_ident())


def watching(*paths: Path) -> tuple[FileWatch, Told]:
    told = Told()
    return FileWatch(look(paths), told.changed), told


async def looks(watch: FileWatch, count: int = 2) -> None:
    for _ in range(count):
        await watch.look_again()


class TestFileWatch:
    """On real files."""

    both_loops = True

    async def test_a_secret_that_kubelet_swaps_is_told_with_its_new_content(self, tmp_path: Path) -> None:
        mount = Mount(tmp_path, password="old", certificate="A")
        watch, told = watching(mount["password"], mount["certificate"])
        mount.swap(password="new", certificate="A")
        await looks(watch)
        assert told.calls == [{"password": b"new"}]

    async def test_each_of_two_swaps_is_told_though_size_and_time_of_the_file_stay_the_same(
        self, tmp_path: Path
    ) -> None:
        mount = Mount(tmp_path, password="one")
        watch, told = watching(mount["password"])
        for content in ("two", "six"):
            mount.swap(password=content)
            await looks(watch)
        assert told.calls == [{"password": b"two"}, {"password": b"six"}]

    async def test_what_is_swapped_together_is_told_together(self, tmp_path: Path) -> None:
        mount = Mount(tmp_path, certificate="A", key="a")
        watch, told = watching(mount["certificate"], mount["key"])
        mount.swap(certificate="B", key="b")
        await looks(watch)
        assert told.calls == [{"certificate": b"B", "key": b"b"}]

    async def test_a_swap_to_the_same_content_is_no_change(self, tmp_path: Path) -> None:
        mount = Mount(tmp_path, password="old")
        watch, told = watching(mount["password"])
        mount.swap(password="old")
        await looks(watch, 3)
        assert told.calls == []

    async def test_a_change_is_told_once(self, tmp_path: Path) -> None:
        (file := tmp_path / "password").write_text("old")
        watch, told = watching(file)
        file.write_text("new")
        await looks(watch, 5)
        assert told.calls == [{"password": b"new"}]

    async def test_a_change_back_is_a_change(self, tmp_path: Path) -> None:
        (file := tmp_path / "password").write_text("old")
        watch, told = watching(file)
        for content in ("new", "old"):
            file.write_text(content)
            await looks(watch)
        assert told.calls == [{"password": b"new"}, {"password": b"old"}]

    async def test_a_file_that_is_missing_for_a_moment_has_not_changed(self, tmp_path: Path) -> None:
        (file := tmp_path / "password").write_text("old")
        watch, told = watching(file)
        file.unlink()
        await watch.look_again()
        file.write_text("old")
        await looks(watch, 3)
        assert told.calls == []

    async def test_a_file_that_is_being_written_is_told_when_it_is_whole(self, tmp_path: Path) -> None:
        """Somebody who writes in place empties it first."""
        (file := tmp_path / "password").write_text("old")
        watch, told = watching(file)
        for content in ("", "half", "half and half"):
            file.write_text(content)
            await watch.look_again()
        await watch.look_again()
        assert told.calls == [{"password": b"half and half"}]

    async def test_a_file_that_stays_away_is_told_and_told_again_when_it_is_back(self, tmp_path: Path) -> None:
        (file := tmp_path / "password").write_text("old")
        watch, told = watching(file)
        file.unlink()
        await looks(watch, 4)
        file.write_text("old")
        await looks(watch)
        assert told.calls == [{"password": MISSING}, {"password": b"old"}]

    async def test_a_look_takes_no_more_memory_than_the_files(self, tmp_path: Path) -> None:
        """What each look takes for a moment the process keeps: on each thread that looked, and one does at a time."""
        (tmp_path / "password").write_text("secret\n")
        tracemalloc.start()
        try:
            assert look([tmp_path / "password"]) == {tmp_path / "password": b"secret\n"}
            assert tracemalloc.get_traced_memory()[1] < 256 * 1024
        finally:
            tracemalloc.stop()

    async def test_a_file_may_be_missing_at_first(self, tmp_path: Path) -> None:
        watch, told = watching(file := tmp_path / "paused")
        await looks(watch)
        file.write_text("*")
        await looks(watch)
        assert told.calls == [{"paused": b"*"}]

    async def test_a_change_between_the_first_look_and_the_watch_is_told(self, tmp_path: Path) -> None:
        (file := tmp_path / "password").write_text("old")
        known, told = look([file]), Told()
        file.write_text("new")
        await looks(FileWatch(known, told.changed))
        assert told.calls == [{"password": b"new"}]

    async def test_it_looks_again_and_again_and_tells_on_the_event_loops_thread(self, tmp_path: Path) -> None:
        (file := tmp_path / "password").write_text("0")
        told = Told()
        running = asyncio.create_task(FileWatch(look([file]), told.changed, every=0.001).run())
        for number in (1, 2):
            file.write_text(str(number))
            await eventually(lambda number=number: len(told.calls) == number, 60, "the change is told")  # type: ignore[misc]  # mypy cannot infer it
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert told.calls == [{"password": b"1"}, {"password": b"2"}]
        assert told.threads == {threading.get_ident()}

    async def test_a_change_that_could_not_be_taken_is_said_and_told_again(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (file := tmp_path / "password").write_text("old")
        told = Told()

        async def changed(contents: Mapping[Path, Content]) -> None:
            await told.changed(contents)
            if len(told.calls) == 1:
                raise ZeroDivisionError

        running = asyncio.create_task(FileWatch(look([file]), changed, every=0.001).run())
        file.write_text("new")
        await eventually(lambda: len(told.calls) == 2, 60, "the change is told again")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert told.calls == [{"password": b"new"}] * 2
        ours = [record.message for record in caplog.records if not record.name.startswith("librdkafka")]
        assert ours == ["watch_fault"]

    async def test_a_file_system_that_hangs_stalls_nothing_but_the_watch(self) -> None:
        asked, answer = threading.Event(), threading.Event()

        class Hanging(type(Path())):  # type: ignore[misc]  # the class of this system's paths
            def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
                asked.set()
                answer.wait()
                raise TimeoutError

        told = Told()
        running = asyncio.create_task(FileWatch({Hanging("/nfs"): b""}, told.changed, every=0.001).run())
        await eventually(asked.is_set, 60, "the file is looked at")
        assert not running.done()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        answer.set()
        assert told.calls == []


class TestLook:
    """What one look says."""

    def test_what_cannot_be_read_says_why(self, tmp_path: Path) -> None:
        assert look([tmp_path / "missing"]) == {tmp_path / "missing": MISSING}
        assert look([tmp_path]) == {tmp_path: Unreadable("not a regular file", missing=False)}

    def test_a_pipe_is_left_alone(self, tmp_path: Path) -> None:
        """Opening it would wait for somebody who writes."""
        os.mkfifo(pipe := tmp_path / "pipe")
        assert look([pipe]) == {pipe: Unreadable("not a regular file", missing=False)}

    def test_of_a_huge_file_only_the_first_4_mib_count(self, tmp_path: Path) -> None:
        with (file := tmp_path / "huge").open("wb") as huge:
            huge.truncate(64 * 1024 * 1024)
        (content,) = look([file]).values()
        assert isinstance(content, bytes)
        assert len(content) == 4 * 1024 * 1024


class TestDaemonThread:
    """Work that may hang."""

    both_loops = True

    async def test_gives_what_the_work_gives(self) -> None:
        assert await in_daemon_thread(threading.get_ident) != threading.get_ident()

    async def test_raises_what_the_work_raises(self) -> None:
        with pytest.raises(ZeroDivisionError):
            await in_daemon_thread(lambda: 1 // 0)

    async def test_who_gives_up_waiting_does_not_wait(self) -> None:
        answer = threading.Event()
        waiting = asyncio.create_task(in_daemon_thread(answer.wait))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        answer.set()

    @pytest.mark.parametrize("runner", ["asyncio", "uvloop"])
    def test_a_process_ends_though_its_work_hangs(self, runner: str) -> None:
        code = f"""
import asyncio, threading, {runner}
from connector.edge.daemon import in_daemon_thread
async def main():
    try:
        await asyncio.wait_for(in_daemon_thread(threading.Event().wait), 0.1)
    except TimeoutError:
        print("gave up")
{runner}.run(main())
"""
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "gave up\n", "")
