"""The page of the admin listener in a real browser: Chromium without a window, as on a telephone."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import NamedTuple

from connector.listening import stop_listening

SIZE = (412, 1150)
"""Width and height of a telephone's screen, scrolled down once, in pixels."""

_SECONDS = 60.0
_REFRESHES_WITHIN = 25


class Shown(NamedTuple):
    """What the browser made of the page: its document, and what it complained about."""

    document: str
    complaints: list[str]


class Browser:
    """One profile for all looks. `chromium` must be on the PATH."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("chromium")
        if program is None:
            raise FileNotFoundError("chromium is not on the PATH: `apt-get install chromium`")
        self._base = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        self._base += [f"--user-data-dir={folder}", f"--window-size={SIZE[0]},{SIZE[1]}", "--enable-logging=stderr"]

    async def picture(self, url: str, file: Path) -> None:
        """A picture of the page."""
        await self._run(f"--screenshot={file}", url)

    async def show(self, url: str) -> Shown:
        """The document after the browser has read it."""
        output, errors = await self._run("--dump-dom", url)
        return Shown(output, [line for line in errors.splitlines() if "CONSOLE" in line])

    async def reads_again(self, url: str) -> bool:
        """Whether a browser that is left alone comes back by itself."""
        reads = 0
        host, _, port = url.removeprefix("http://").rstrip("/").partition(":")

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal reads
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
            back = asyncio.create_task(_copy(up_reader, writer))
            while chunk := await reader.read(65536):
                reads += chunk.count(b"GET / HTTP")
                up_writer.write(chunk)
            up_writer.close()
            await back

        server = await asyncio.start_server(relay, "127.0.0.1", 0)
        at = server.sockets[0].getsockname()[1]
        browser = await asyncio.create_subprocess_exec(
            *self._base,
            "--remote-debugging-port=0",
            f"http://127.0.0.1:{at}/",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            for _ in range(_REFRESHES_WITHIN * 5):
                if reads >= 2:
                    break
                await asyncio.sleep(0.2)
        finally:
            browser.kill()
            await browser.wait()
            await stop_listening(server)
        return reads >= 2

    async def _run(self, *arguments: str) -> tuple[str, str]:
        process = await asyncio.create_subprocess_exec(
            *self._base, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(_SECONDS):
            output, errors = await process.communicate()
        return output.decode(), errors.decode(errors="replace")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
        writer.close()
