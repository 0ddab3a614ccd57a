"""What the Dockerfile promises. The build itself is `make image`."""

from __future__ import annotations

import json
import re

from connector.config.sections import Admin
from tests.deploy.conftest import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
FINAL = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


def _instruction(name: str) -> str:
    (text,) = re.findall(rf"^{name} (.+)$", FINAL, re.M)
    return str(text)


def test_the_entry_point_is_process_1() -> None:
    """Exec form: a shell in between would not pass SIGTERM on, and no stop would ever drain.

    What is in front becomes the connector, and blocks the signals until that takes them.
    """
    assert json.loads(_instruction("ENTRYPOINT")) == ["env", "--block-signal=TERM,INT,HUP", "connector"]
    assert json.loads(_instruction("CMD")) == ["run", "--config", "/etc/connector/config.yaml"]
    assert _instruction("STOPSIGNAL") == "SIGTERM"


def test_the_user_is_numeric_and_high() -> None:
    """Kubernetes can prove runAsNonRoot of a number only."""
    user, group = map(int, _instruction("USER").split(":"))
    assert min(user, group) > 10_000


def test_the_port_is_the_settings_default() -> None:
    assert int(_instruction("EXPOSE")) == Admin().port


def test_everything_that_is_copied_is_sent_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M)
    assert {path.rstrip("/") for line in copied for path in line.split()} == sent


def test_everything_from_an_index_is_checked_by_its_hash() -> None:
    installs = [line for line in re.split(r"&&|\nRUN ", DOCKERFILE) if "--requirement" in line]
    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)


def test_the_image_says_what_it_is() -> None:
    """By the OCI's names: `docker inspect` and a registry show them."""
    labels = set(re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", FINAL))
    named = {"title", "description", "version", "revision", "created", "source", "licenses", "base.name"}
    assert labels == named
    script = (ROOT / "scripts" / "image").read_text(encoding="utf-8")
    for argument in ("VERSION", "REVISION", "CREATED", "SOURCE"):
        assert f"ARG {argument}" in FINAL
        assert f'"{argument}=' in script
