"""`make cluster`: the chart on a real API server, and what was seen there, for docs/cluster.md.

`python -m tests.cluster WORDS ...`: those chapters alone whose functions have such words in their names, and no page.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.argo import by_argo_cd
from tests.cluster.binaries import ETCD, KUBERNETES, build
from tests.cluster.control_plane import ControlPlane
from tests.cluster.neighbours import Neighbours
from tests.cluster.node import Node
from tests.cluster.openshift import as_on_openshift
from tests.cluster.reader import as_printed
from tests.cluster.release import Release
from tests.cluster.sandbox import ROOT, make_bridge, remove_bridge
from tests.cluster.story import CHAPTERS, Seen

_HEAD = f"""\
# The chart on a real API server

`make cluster` builds kube-apiserver, kube-controller-manager and kubectl {KUBERNETES}, etcd {ETCD} and Argo
CD's engine (of its 3.5 releases) from their Go modules, loads the CRDs of KEDA, the Prometheus operator and
Argo CD, has Pod Security admission enforce `restricted`, and lets Helm install, upgrade and test the chart
there, against a real Kafka and the simulator. It needs Linux, root and Go. There is no container engine in it:
a stand-in for scheduler and kubelet (`tests/cluster/node.py`) runs each pod as a process of this checkout in a
network namespace of its own, with the pod's volumes, user, read-only root, probes, log and grace period. So the
image, resource limits and `lifecycle` are not tried here (`make tryimage` tries the image), nor what KEDA, the
Prometheus operator, a network plug-in or a horizontal autoscaler does with their objects: these are accepted,
and that is all. Of Argo CD it is the engine that compares, runs hooks and applies; its controller, server and
user interface are not in it. OpenShift is two admission policies that give and refuse users and groups as its
`restricted-v2` does.

"""


def main() -> int:
    """Exit code 1 when a step does not go as it should; the page is written when all did."""
    programs = build()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="connector-cluster-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "pods").mkdir()
        plane = ControlPlane(programs, folder)
        neighbours = Neighbours(folder)
        node = Node(plane.api, folder / "pods")
        make_bridge()
        try:
            up = plane.start()
            neighbours.start()
            node.start()
            release = Release(plane, neighbours, node, folder)
            seen = Seen()
            seen.note("The API server", f"{KUBERNETES}, ready {up:.1f} s after its start")
            release.prepare()
            for chapter in _chosen():
                chapter(release, seen)
                print(f"{time.monotonic() - began:.0f} s", flush=True)  # noqa: T201 - a command's output
        finally:
            node.stop()
            neighbours.stop()
            plane.stop()
            remove_bridge()
    if sys.argv[1:]:
        return 0
    today = time.strftime("%Y-%m-%d")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    text = f"{_HEAD}Seen on {today} with the chart of commit {commit.stdout.strip()}:\n\n{seen.table()}"
    (ROOT / "docs" / "cluster.md").write_text(text, encoding="utf-8")
    return 0


def _chosen() -> list[Callable[[Release, Seen], None]]:
    every = [*CHAPTERS, by_argo_cd, as_printed, as_on_openshift]
    words = sys.argv[1:]
    return [one for one in every if not words or any(word in one.__name__ for word in words)]


if __name__ == "__main__":
    sys.exit(main())
