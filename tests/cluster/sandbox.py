"""What a container runtime does for one pod: a network of its own, volumes, a user, a read-only root."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

BRIDGE = "connector-br0"
HOST_V4, HOST_V6 = "10.254.77.1", "fd00:77::1"
ROOT = Path(__file__).resolve().parents[2]
USER = 65532
"""The image's own."""
_SCRIPT = """
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/python
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
for volume in {volumes}; do
    mkdir -p "/etc/connector/${{volume##*=}}"
    mount --bind "${{volume%%=*}}" "/etc/connector/${{volume##*=}}"
done
# The interpreter may live in root's home, where nobody else may look.
mount --bind {python} /mnt/python
mount -t tmpfs -o mode=755 tmpfs /root
mkdir -p {python}
mount --bind /mnt/python {python}
mount -o remount,ro,bind /
cd {schemas}/..
exec setpriv --reuid {user} --regid {group} --groups {groups} --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def run(*command: str) -> None:
    """Run a command of the system; its words when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")


def make_bridge() -> None:
    """The pods' network on this machine."""
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{HOST_V4}/24", "dev", BRIDGE)
    run("ip", "-6", "address", "add", f"{HOST_V6}/64", "dev", BRIDGE, "nodad")
    run("ip", "link", "set", BRIDGE, "up")


def remove_bridge() -> None:
    """Take it away again."""
    run("ip", "link", "delete", BRIDGE)


class Network:
    """A pod's network namespace with one address of each family, or of one. The address is `ips[0]`."""

    def __init__(self, number: int, families: Sequence[int] = (4, 6)) -> None:
        self.name = f"connector-{uuid.uuid4().hex[:8]}"
        inside, outside = "eth0", f"cv{self.name[-8:]}"
        addresses = {4: f"10.254.77.{number}", 6: f"fd00:77::{number}"}
        self.ips = [addresses[family] for family in families]
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", self.name)
        run("ip", "link", "set", outside, "master", BRIDGE, "up")
        for family in families:
            size = {4: ["24"], 6: ["64"]}[family][0]
            extra = ["nodad"] if family == 6 else []
            address = f"{addresses[family]}/{size}"
            run("ip", "-n", self.name, f"-{family}", "address", "add", address, "dev", inside, *extra)
        run("ip", "-n", self.name, "link", "set", inside, "up")
        run("ip", "-n", self.name, "link", "set", "lo", "up")

    def close(self) -> None:
        """Take the namespace away, and its end of the bridge with it."""
        run("ip", "netns", "delete", self.name)


def write_volume(folder: Path, files: Mapping[str, bytes], mode: int, group: int) -> None:
    """As the kubelet does it: the files in a folder of their own, and `..data` swapped in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"..{uuid.uuid4().hex}"
    fresh.mkdir(mode=0o755)
    for name, content in files.items():
        (fresh / name).write_bytes(content)
        os.chown(fresh / name, 0, group)
        (fresh / name).chmod(mode)
    link = folder / "..data_tmp"
    link.symlink_to(fresh.name)
    link.rename(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")


def content(source: Mapping[str, Any]) -> dict[str, bytes]:
    """The files that a Secret or ConfigMap is."""
    if source["kind"] == "Secret":
        return {name: base64.b64decode(value) for name, value in source.get("data", {}).items()}
    return {name: value.encode() for name, value in source.get("data", {}).items()}


class Place(NamedTuple):
    """Where a container runs: its pod's network, `volumes` by their folder below /etc/connector, and as whom."""

    network: Network
    volumes: Mapping[str, Path]
    user: int
    extra_group: int

    @property
    def group(self) -> int:
        """The image's for its own user; 0 for any other, which no file of the image knows."""
        return USER if self.user == USER else 0


def start(place: Place, arguments: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """The connector with these arguments. Its process is the child itself: nothing in between takes a signal."""
    script = _SCRIPT.format(
        volumes=" ".join(f"'{folder}={name}'" for name, folder in place.volumes.items()),
        python=sys.base_prefix,
        schemas=ROOT / "schemas",
        user=place.user,
        group=place.group,
        groups=f"{place.group},{place.extra_group}",
    )
    connector = ["env", "--block-signal=TERM,INT,HUP", sys.executable, "-m", "connector", *arguments]
    command = ["ip", "netns", "exec", place.network.name, "unshare", "--mount", "sh", "-c", script, "sh", *connector]
    clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **env}
    with log.open("ab") as sink:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=clean)


def enter(pid: int, words: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
    """Run these words where that process of a pod runs, as its user, as `kubectl exec` does. `given` is their input."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    ids = {name: value.split() for name, _, value in (line.partition(":") for line in status.splitlines())}
    user = ["--reuid", ids["Uid"][0], "--regid", ids["Gid"][0], "--groups", ",".join(ids["Groups"]), "--no-new-privs"]
    command = ["nsenter", "--target", str(pid), "--mount", "--net", "setpriv", *user, *words]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        command, cwd=ROOT, input=given, capture_output=True, text=True, check=False, env={"PATH": path}
    )
