"""etcd, the API server and the controllers as processes of this machine, each with its log in a folder."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.api import Api, ApiError

_PATIENCE = 120.0
_CONTROLLERS = (
    "deployment-controller,replicaset-controller,statefulset-controller,job-controller,disruption-controller,"
    "serviceaccount-controller,namespace-controller,garbage-collector-controller,endpointslice-controller"
)


class ControlPlane:
    """Started by `start`, ended by `stop`. `kubeconfig` is a file for Helm; `programs` is where kubectl is."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self._folder = programs, folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._etcd, self._peer, port = _free_ports(3)
        self.api = Api(port, secrets.token_hex(16))
        self.kubeconfig = folder / "kubeconfig"

    def start(self) -> float:
        """Start all three; the seconds that it took until the API server was ready."""
        began = time.monotonic()
        self._keys()
        self._run(
            "etcd",
            f"--data-dir={self._folder}/etcd",
            f"--listen-client-urls=http://127.0.0.1:{self._etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{self._etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{self._peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{self._peer}",
            f"--initial-cluster=default=http://127.0.0.1:{self._peer}",
            "--unsafe-no-fsync",
        )
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd}",
            f"--secure-port={self.api.port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self._folder}/certificates",
            f"--token-auth-file={self._folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={self._folder}/account.key",
            f"--service-account-key-file={self._folder}/account.pub",
            "--service-cluster-ip-range=10.254.0.0/16,fd00:254::/108",
        )
        self._wait_until_ready()
        took = time.monotonic() - began
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={_CONTROLLERS}",
            f"--service-account-private-key-file={self._folder}/account.key",
            "--leader-elect=false",
            "--secure-port=0",
        )
        return took

    def stop(self) -> None:
        """End them, the API server before its store."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, program: str, *arguments: str) -> None:
        with (self._folder / f"{program}.log").open("wb") as log:
            command = [str(self.programs / program), *arguments]
            self._processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                if self.api.call("GET", "/readyz") == "ok":
                    return
            except (OSError, ApiError):
                pass
            time.sleep(0.1)
        raise RuntimeError((self._folder / "kube-apiserver.log").read_text("utf-8")[-3000:])

    def _keys(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = serialization.Encoding.PEM
        private, public = serialization.PrivateFormat, serialization.PublicFormat
        (self._folder / "account.key").write_bytes(
            key.private_bytes(pem, private.TraditionalOpenSSL, serialization.NoEncryption())
        )
        (self._folder / "account.pub").write_bytes(key.public_key().public_bytes(pem, public.SubjectPublicKeyInfo))
        (self._folder / "tokens.csv").write_text(f'{self.api.token},admin,1,"system:masters"\n', encoding="utf-8")
        cluster = {"server": f"https://127.0.0.1:{self.api.port}", "insecure-skip-tls-verify": True}
        context = {"cluster": "here", "user": "admin", "namespace": "messaging"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.api.token}}],
            "contexts": [{"name": "here", "context": context}],
            "current-context": "here",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
        self.kubeconfig.chmod(0o600)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
