"""The chart through Argo CD's own engine, which renders it with Helm and applies it by itself."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.cluster.reader import shown
from tests.cluster.release import CHART, NAME, NAMESPACE, Release, merged
from tests.cluster.story import Seen

_KINDS = ("monitoring.coreos.com/v1", "keda.sh/v1alpha1")
_PAUSED = f"ConfigMap/{NAME}-paused"
_JOB = f"Job/{NAME}-check"


class Application:
    """One Application of Argo CD: `values` are its valuesObject."""

    def __init__(self, release: Release, values: Any) -> None:
        self._release, self.values = release, values

    def sync(self, *options: str, **changes: Any) -> Any:
        """Render and sync with these changes of the values: the engine's report."""
        self.values = merged(self.values, changes)
        kinds = [f"--api-versions={kind}" for kind in _KINDS]
        rendered = self._release.helm(
            "template", "--namespace", NAMESPACE, "--include-crds", *kinds, chart=CHART, values=self.values
        )
        assert rendered.returncode == 0, rendered.stderr
        return self._engine(rendered.stdout, *options)

    def remove(self) -> None:
        """Sync to nothing: everything is pruned."""
        told = self._engine("")
        assert told["phase"] == "Succeeded", told

    def _engine(self, manifests: str, *options: str) -> Any:
        program = str(self._release.programs / "argocd-sync")
        done = subprocess.run(
            [program, NAMESPACE, *options],
            input=manifests,
            capture_output=True,
            text=True,
            check=False,
            env=self._release.env,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def by_argo_cd(release: Release, seen: Seen) -> None:
    """What the README's section on Argo CD says, by the engine that Argo CD is made of."""
    release.uninstall()
    release.node.families = (4, 6)
    application = shown("application.yaml")
    application["metadata"]["namespace"] = NAMESPACE
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications?dryRun=All&fieldValidation=Strict"
    release.api.call("POST", path, application)
    seen.note("The README's Application", "accepted by the CRD of Argo CD 3.5.7 (dry run, strict fields)")
    app = Application(
        release,
        {
            "image": {"repository": "registry.example.com/invoke-connector"},
            "config": release.neighbours.settings(),
            "secrets": {"existingSecret": NAME},
        },
    )
    _the_first_sync(release, app, seen)
    _a_change_is_checked(release, app, seen)
    _pauses(release, app, seen)
    app.remove()
    release.wait(lambda: release.all_gone_but(0), 120, "all pruned")


def _the_first_sync(release: Release, app: Application, seen: Seen) -> None:
    what = "The engine of Argo CD 3.5, first sync"
    told = app.sync("--patience", "30s")
    assert told["phase"] == "Failed", told
    assert not release.pods()
    assert _JOB in told["hooks"], told
    seen.note(f"{what}, with defaults", f"waits for the check, whose account is not there yet: {told['message']}")
    told = app.sync(serviceAccount={"create": False})
    assert told["phase"] == "Succeeded", told
    assert told["hooks"][_JOB] == "PreSync Succeeded", told
    assert f"Pod/{NAME}-test" not in {**told["hooks"], **told["resources"]}
    release.wait(lambda: release.all_gone_but(2), 240, "two pods, both ready")
    told = app.sync("--look")
    assert told["outOfSync"] == [], told
    release.wait(lambda: release.neighbours.ledger()["distinct"] >= 1, 60, "what was there is delivered")
    before = release.neighbours.ledger()["distinct"]
    release.neighbours.produce(20, seed=30)
    release.delivered(before + 20)
    seen.note(
        f"{what}, with `serviceAccount.create: false`",
        "checked, then applied: 2 pods ready, 20 events delivered, nothing out of sync afterwards, no test's pod",
    )


def _a_change_is_checked(release: Release, app: Application, seen: Seen) -> None:
    told = app.sync(config={"log": {"level": "debug"}})
    assert (told["phase"], told["hooks"][_JOB]) == ("Succeeded", "PreSync Succeeded"), told
    release.wait(lambda: release.all_gone_but(2), 240, "both anew")
    uids = {pod["metadata"]["uid"] for pod in release.pods()}
    right = app.values
    told = app.sync(config={"kafka": {"topics": {"main": "no-such-topic"}}})
    assert (told["phase"], told["hooks"][_JOB]) == ("Failed", "PreSync Failed"), told
    assert {pod["metadata"]["uid"] for pod in release.pods()} == uids
    app.values = right
    seen.note("A sync to a topic that does not exist", "failed in its PreSync check; no pod replaced")


def _pauses(release: Release, app: Application, seen: Seen) -> None:
    uids = {pod["metadata"]["uid"] for pod in release.pods()}
    marks = release.logs(NAME).count('"event":"paused"')
    told = app.sync("--resource", f"{NAME}-paused", paused=["*"])
    assert (told["phase"], told["hooks"], list(told["resources"])) == ("Succeeded", {}, [_PAUSED]), told
    release.wait(lambda: release.logs(NAME).count('"event":"paused"') >= marks + 2, 60, "both paused")
    told = app.sync("--resource", f"{NAME}-paused", paused=[])
    assert told["phase"] == "Succeeded", told
    assert {pod["metadata"]["uid"] for pod in release.pods()} == uids
    seen.note(
        "A selective sync of the `…-paused` ConfigMap", "both pods pause and resume; no hook runs, no pod is replaced"
    )
    path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}-paused"
    release.api.patch(path, {"data": {"paused": "*"}})
    told = app.sync("--look")
    assert told["outOfSync"] == [_PAUSED], told
    told = app.sync()
    assert told["phase"] == "Succeeded", told
    assert release.api.call("GET", path)["data"]["paused"] != "*"
    seen.note("The same ConfigMap, patched by hand", "out of sync, and taken back by the next sync")
