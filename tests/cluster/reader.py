"""The commands of the chart's README, as printed and in its order, by somebody who has nothing but Helm and kubectl."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tests.cluster.neighbours import PASSWORD
from tests.cluster.release import CHART, NAME, NAMESPACE, Release, merged
from tests.cluster.sandbox import ROOT
from tests.cluster.story import Seen

README = (CHART / "README.md").read_text("utf-8")
MAIN = "invocations-cie"
_NOT_HERE = "kubectl get prometheus"
"""Asks for a kind of the Prometheus operator that the chart does not make."""

_PAUSES, _RESUMES = r"paused=\{\*\}|\* +# gates|connector pause", r"paused=\[\]|\"paused\": \"\"|connector resume"


def commands() -> Iterator[str]:
    """Every line of the README's blocks of commands."""
    for block in re.findall(r"```sh\n(.*?)```", README, re.S):
        yield from (line.strip() for line in block.splitlines() if line.strip())


def shown(name: str) -> Any:
    """The YAML under the README's mark `<!-- NAME -->`."""
    (found,) = re.findall(rf"<!-- {re.escape(name)} -->\n *```yaml\n(.*?)```", README, re.S)
    return yaml.safe_load(found)


class Desk:
    """A reader's folder: the checkout's chart in it, the files of the steps, and both programs in the path."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._folder = release.folder / "desk"
        tools = self._folder / "bin"
        tools.mkdir(parents=True)
        (tools / "helm").symlink_to(release.helm_path)
        (tools / "kubectl").symlink_to(release.programs / "kubectl")
        (self._folder / "helm").symlink_to(ROOT / "helm")
        shutil.copy(ROOT / "examples" / "event.json", self._folder)
        for name in ("password", "kafka-password"):
            (self._folder / name).write_text(PASSWORD, encoding="utf-8")
        self._env = {**release.env, "PATH": f"{tools}:/usr/bin:/bin"}

    def values(self, *changes: Mapping[str, Any]) -> None:
        """`my-values.yaml` of the README with these changes."""
        values = shown("my-values.yaml")
        values["config"]["kafka"].pop("security")
        values["config"].pop("schemas")
        for one in changes:
            values = merged(values, one)
        (self._folder / "my-values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    def run(self, line: str) -> str:
        """One line: what it wrote. AssertionError with its words when it fails."""
        before, exec_, words = line.partition(" -- ")
        if exec_ and before.startswith("kubectl exec"):
            done = self._exec(words)
        else:
            done = subprocess.run(
                ["sh", "-c", line], cwd=self._folder, capture_output=True, text=True, check=False, env=self._env
            )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}{self._release.logs('check')}"
        return done.stdout + done.stderr

    def _exec(self, words: str) -> subprocess.CompletedProcess[str]:
        """In the pod's namespaces, by ourselves: there is no kubelet that could do it for the API server."""
        command, _, given = words.partition(" < ")
        text = (self._folder / given).read_text("utf-8") if given else ""
        release = self._release
        release.wait(lambda: any(pod["status"].get("phase") == "Running" for pod in release.pods()), 60, "a pod runs")
        running = [pod for pod in release.pods() if pod["status"].get("phase") == "Running"]
        return release.node.execute(running[0]["metadata"]["uid"], shlex.split(command), text)


def as_printed(release: Release, seen: Seen) -> None:
    """All commands of the README, none left out, and what each is said to do."""
    desk = Desk(release)
    neighbours = release.neighbours
    release.api.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}/secrets/{NAME}")
    neighbours.produce(10, seed=40, topic=MAIN)
    here = {"config": neighbours.settings(), "scaling": {"max": 4}}
    cie = {"config": {"kafka": {"group_id": "invoke-connector-cie", "topics": {"main": MAIN}}}}
    kafka = {"group_id": "invoke-connector-live", "topics": {"main": "invocations"}, "start": "latest"}
    live = {"config": {"kafka": kafka}}
    desk.values(here, cie)
    said: dict[str, str] = {}
    before = neighbours.ledger()["accepted"]
    for line in commands():
        if line.startswith(_NOT_HERE):
            continue
        if "env CONNECTOR_KAFKA__TOPICS__MAIN" in line:  # all of step 5 is done
            release.wait(lambda: neighbours.ledger()["accepted"] == before + 10, 60, "what was there is delivered")
        if line.startswith("helm upgrade invoke-connector"):
            desk.values(here, live)
        before_it = release.logs(NAME)
        said[line] = desk.run(line)
        for event, sign in (("paused", _PAUSES), ("resumed", _RESUMES)):
            if re.search(sign, line):
                count = before_it.count(f'"event":"{event}"')
                release.wait(lambda: release.logs(NAME).count(f'"event":"{event}"') > count, 60, line)  # noqa: B023 - asked within this turn
    _it_is_as_the_page_says(said)
    seen.note(
        "Every command of the chart's README as printed, by Helm and kubectl",
        f"{len(said)} commands done; `kubectl exec` by ourselves in the pod, `kubectl get prometheus` left out",
    )
    release.uninstall()


def _it_is_as_the_page_says(said: Mapping[str, str]) -> None:
    tested = next(text for line, text in said.items() if line.startswith("helm test"))
    assert "0 failed" in tested, tested
    logs = next(text for line, text in said.items() if line.startswith("kubectl logs"))
    assert '"event":"ready"' in logs, logs[-2000:]
