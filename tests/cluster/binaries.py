"""Kubernetes' programs, etcd and Argo CD's engine, built once from their Go modules into `.cache/`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

KUBERNETES, ETCD = "v1.37.2", "v3.7.3"
ARGO_CD = "v0.0.0-20260914071520-c9c369efcc5b"
"""Argo CD's engine as of its 3.5 releases: what is newer needs Go 1.27."""

ROOT = Path(__file__).resolve().parents[2]
CACHED = ROOT / ".cache" / f"kubernetes-{KUBERNETES}-etcd-{ETCD}"
_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kubectl")
_ENGINE = "github.com/argoproj/argo-cd/gitops-engine"


def build() -> Path:
    """The folder with the programs. The first time it takes some ten minutes of two cores."""
    CACHED.mkdir(parents=True, exist_ok=True)
    if not all((CACHED / name).exists() for name in _PROGRAMS):
        _kubernetes(CACHED / "source")
    if not (CACHED / "etcd").exists():
        _etcd(CACHED / "etcd-source")
    _argo_cd(CACHED / "argocd-source")  # its source is ours, and may have changed
    return CACHED


def _kubernetes(folder: Path) -> None:
    """A module of our own that requires k8s.io/kubernetes: its go.mod replaces its parts by folders beside it."""
    module = _beside(f"k8s.io/kubernetes@{KUBERNETES}", folder)
    parts = f"v0.{KUBERNETES.removeprefix('v1.')}"
    module = re.sub(r"=> \./staging/src/(k8s\.io/[a-z-]+)", rf"=> \1 {parts}", module)
    (folder / "go.mod").write_text(module, encoding="utf-8")
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


def _argo_cd(folder: Path) -> None:
    """`argocd/main.go` with the versions of everything that Argo CD's engine is released with."""
    if not (folder / "go.mod").exists():
        (folder / "go.mod").write_text(_beside(f"{_ENGINE}@{ARGO_CD}", folder), encoding="utf-8")
        _go("mod", "edit", "-require", f"{_ENGINE}@{ARGO_CD}", folder=folder)
    shutil.copy(Path(__file__).with_name("argocd") / "main.go", folder)
    _go("build", "-mod=mod", "-trimpath", "-o", str(CACHED / "argocd-sync"), "-ldflags", "-s -w", ".", folder=folder)


def _beside(module: str, folder: Path) -> str:
    """Another module's go.mod under our name, with its go.sum in `folder`: replacements count in a main module only."""
    folder.mkdir(exist_ok=True)
    source = Path(json.loads(_go("mod", "download", "-json", module, folder=folder))["Dir"])
    (folder / "go.sum").write_bytes((source / "go.sum").read_bytes())
    return re.sub(r"(?m)^module .*", "module cluster.test", (source / "go.mod").read_text("utf-8"))


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
