"""kube-apiserver, kube-controller-manager and etcd, built once from their Go modules into `.cache/`."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

KUBERNETES, ETCD = "v1.37.2", "v3.7.3"
ROOT = Path(__file__).resolve().parents[2]
CACHED = ROOT / ".cache" / f"kubernetes-{KUBERNETES}-etcd-{ETCD}"
_PROGRAMS = ("kube-apiserver", "kube-controller-manager")


def build() -> Path:
    """The folder with the three programs. The first time it takes some ten minutes of two cores."""
    if not all((CACHED / name).exists() for name in (*_PROGRAMS, "etcd")):
        CACHED.mkdir(parents=True, exist_ok=True)
        _kubernetes(CACHED / "source")
        _etcd(CACHED / "etcd-source")
    return CACHED


def _kubernetes(folder: Path) -> None:
    """A module of our own that requires k8s.io/kubernetes: its go.mod replaces its parts by folders beside it."""
    folder.mkdir(exist_ok=True)
    got = _go("mod", "download", "-json", f"k8s.io/kubernetes@{KUBERNETES}", folder=folder)
    source = Path(json.loads(got)["Dir"])
    parts = f"v0.{KUBERNETES.removeprefix('v1.')}"
    module = (source / "go.mod").read_text("utf-8")
    module = re.sub(r"(?m)^module .*", "module cluster.test", module)
    module = re.sub(r"=> \./staging/src/(k8s\.io/[a-z-]+)", rf"=> \1 {parts}", module)
    (folder / "go.mod").write_text(module, encoding="utf-8")
    (folder / "go.sum").write_bytes((source / "go.sum").read_bytes())
    packages = [f"k8s.io/kubernetes/cmd/{name}" for name in _PROGRAMS]
    imports = "\n".join(f'import _ "{package}"' for package in packages)
    (folder / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\n{imports}\n", encoding="utf-8")
    _go("mod", "edit", "-require", f"k8s.io/kubernetes@{KUBERNETES}", folder=folder)
    named = f"-X k8s.io/component-base/version.gitVersion={KUBERNETES}"
    named += "".join(
        f" -X k8s.io/component-base/version.git{part}={number}"
        for part, number in zip(("Major", "Minor"), KUBERNETES.removeprefix("v").split("."), strict=False)
    )
    _go("build", "-mod=mod", "-trimpath", "-o", f"{CACHED}/", "-ldflags", f"-s -w {named}", *packages, folder=folder)


def _etcd(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "go.mod").write_text("module etcd.test\n", encoding="utf-8")
    _go("get", f"go.etcd.io/etcd/server/v3@{ETCD}", folder=folder)
    _go(
        "build",
        "-trimpath",
        "-o",
        str(CACHED / "etcd"),
        "-ldflags",
        "-s -w",
        "go.etcd.io/etcd/server/v3",
        folder=folder,
    )


def _go(*arguments: str, folder: Path) -> str:
    done = subprocess.run(["go", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"go {arguments[0]}: {done.stdout}{done.stderr}")
    return done.stdout
