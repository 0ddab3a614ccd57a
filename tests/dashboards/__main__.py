"""`make watchday`: a day with every fault, watched by a real Prometheus and looked at in a real browser.

Writes docs/dashboards.md and the pictures of docs/images. Exit code 1 when a query told nothing in trouble that is not
on the list with a reason, or when the browser complained. Needs `prometheus` and `chromium` (Debian's), and some twelve
minutes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from connector.simulator.server import SimulatorServer
from dashboards.__main__ import ALL, FOLDER
from tests.dashboards.browser import Browser
from tests.dashboards.day import Day, Phase
from tests.dashboards.judge import SILENT, Seen, asked, see
from tests.dashboards.page import DRAWN, page
from tests.dashboards.picture import Panel, svg
from tests.dashboards.prometheus import Prometheus
from tests.support.connector_process import ConnectorProcess
from tests.support.kafka_broker import KafkaBroker
from tests.whole.stage import ListeningVendor, Stage

DOCS = Path(__file__).parents[2] / "docs"
IMAGES = DOCS / "images"
_KEPT = {
    "peace": "page-peace.png",
    "the password is refused": "page-held.png",
    "a schema cannot be had": "page-stuck.png",
}


class Looker:
    """Looks at the page in each part of the day."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.headlines: dict[str, str] = {}
        self.complaints: list[str] = []

    async def look(self, phase: str, process: ConnectorProcess) -> None:
        """In the middle of it."""
        url = process.url("")
        shown = await self._browser.show(url)
        self.complaints += [f"{phase}: {line}" for line in shown.complaints]
        header = shown.document.partition("<h1>")[2].partition("</h1>")
        self.headlines[phase] = f"{header[0]}. {header[2].partition('<p>')[2].partition('</p>')[0]}"
        print(f"{phase}: {self.headlines[phase]}", flush=True)  # noqa: T201 - a program: this is its output
        if phase in _KEPT:
            await self._browser.picture(url, IMAGES / _KEPT[phase])
        if phase == "peace" and not await self._browser.reads_again(url):
            self.complaints.append("the page did not renew itself")


async def watch(kafka: KafkaBroker, folder: Path) -> tuple[list[Seen], list[Phase], Looker]:
    """The day, and what was seen of it."""
    simulator = SimulatorServer(ListeningVendor())
    stage = Stage(kafka, folder / "stage", simulator, await simulator.start())
    looker = Looker(Browser(folder / "chromium"))
    day = Day(kafka, stage, folder, looker.look)
    targets = {each.url("").removeprefix("http://").rstrip("/"): f"pod-{n}" for n, each in enumerate(day.processes)}
    prometheus = Prometheus(folder / "prometheus", targets)
    try:
        await prometheus.start()
        await day.live()
        dashboards = {name: json.loads((FOLDER / name).read_text()) for name in ALL}
        return [await see(prometheus, query, day.phases) for query in asked(dashboards)], day.phases, looker
    finally:
        await prometheus.stop()
        await stage.close()


def main() -> int:
    """The command."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="connector-day-", ignore_cleanup_errors=True) as name:
        kafka = KafkaBroker(Path(name) / "kafka")
        kafka.start()
        try:
            seen, phases, looker = asyncio.run(watch(kafka, Path(name)))
        finally:
            kafka.stop()
    for file, titles in DRAWN.items():
        drawn = [Panel(title, [each for each in seen if each.asked.panel == title]) for title in titles]
        (IMAGES / file).write_text(svg(drawn, phases), encoding="utf-8")
    (DOCS / "dashboards.md").write_text(page(seen, phases, looker.headlines), encoding="utf-8")
    silent = {each.asked.names for each in seen if each.phase is None}
    unexplained = [names[1] for names in silent if not SILENT.keys() & set(names)]
    for text in (
        *(f"told nothing, and is not on the list: {name}" for name in sorted(unexplained)),
        *looker.complaints,
    ):
        print(text)  # noqa: T201 - as above
    return 1 if unexplained or looker.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
