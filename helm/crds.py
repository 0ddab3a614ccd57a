"""The schemas of other people's kinds that the chart renders, out of the Go modules that publish them.

`python helm/crds.py FOLDER` writes the CRDs as they are; `python helm/crds.py` writes their schemas, without the texts
and closed, into tests/deploy/crds. Needs Go.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

MODULES = {
    "github.com/kedacore/keda/v2@v2.21.0": (
        "config/crd/bases/keda.sh_{}.yaml",
        ("scaledobjects", "triggerauthentications"),
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_{}.yaml",
        ("podmonitors", "servicemonitors", "prometheusrules"),
    ),
    "github.com/argoproj/argo-cd/v3@v3.5.7": (  # the README shows one of these
        "manifests/crds/{}-crd.yaml",
        ("application",),
    ),
}
SCHEMAS = Path(__file__).resolve().parents[1] / "tests" / "deploy" / "crds"


def main() -> int:
    """Exit code 1 with Go's words when a module cannot be had."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    for module, (path, kinds) in MODULES.items():
        command = ["go", "mod", "download", "-json", module]
        got = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
        if got.returncode:
            sys.stderr.write(got.stdout + got.stderr)
            return 1
        for kind in kinds:
            file = Path(json.loads(got.stdout)["Dir"], path.format(kind))
            if folder is not None:
                (folder / file.name).write_bytes(file.read_bytes())
                continue
            crd = yaml.safe_load(file.read_text("utf-8"))
            (version,) = (one for one in crd["spec"]["versions"] if one["storage"])
            schema = _closed(version["schema"]["openAPIV3Schema"])
            for written_by_others in ("status", "operation"):
                schema["properties"].pop(written_by_others, None)
            schema["$comment"] = f"{module}, {path.format(kind)}, version {version['name']}; Apache-2.0"
            target = SCHEMAS / f"{crd['spec']['names']['kind']}.json"
            target.write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
    return 0


def _closed(node: Any, names: bool = False) -> Any:
    """Without descriptions; unknown keys are refused where Kubernetes would drop them. `names`: the keys are fields."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    if names:
        return {name: _closed(value) for name, value in node.items()}
    if "(?i)" in str(node.get("pattern", "")):  # Go takes the flag anywhere, Python in front only
        node = {**node, "pattern": "(?i)" + node["pattern"].replace("(?i)", "")}
    shorter = {name: _closed(value, name == "properties") for name, value in node.items() if name != "description"}
    open_ended = "additionalProperties" in node or node.get("x-kubernetes-preserve-unknown-fields")
    if node.get("properties") and not open_ended:
        shorter["additionalProperties"] = False
    return shorter


if __name__ == "__main__":
    sys.exit(main())
