"""Kafka's own MirrorMaker between two clusters on this machine: records, and the commits of groups."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.jars import class_path, java

COORDINATES = ("org.apache.kafka:connect-mirror:4.3.1", "org.slf4j:slf4j-simple:1.7.36")
_STOP_SECONDS = 20.0
_SOON = 1
"""Seconds between two looks at topics, groups and commits; by default 600, 600 and 60."""


class MirrorMaker:
    """Copies all topics from `source` to `target`, by their own names, and translates the commits of all groups."""

    def __init__(self, folder: Path, source: str, target: str) -> None:
        """The clusters by their addresses."""
        folder.mkdir(parents=True, exist_ok=True)
        self._properties = folder / "mirror-maker.properties"
        self._log = folder / "mirror-maker.log"
        self._process: subprocess.Popen[bytes] | None = None
        internal = ("checkpoints.topic", "heartbeats.topic", "offset-syncs.topic")
        storage = ("offset.storage", "status.storage", "config.storage")
        lines = {
            "clusters": "source,target",
            "source.bootstrap.servers": source,
            "target.bootstrap.servers": target,
            "source->target.enabled": "true",
            "target->source.enabled": "false",
            "source->target.topics": ".*",
            "source->target.groups": ".*",
            "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
            "sync.group.offsets.enabled": "true",
            "emit.checkpoints.interval.seconds": str(_SOON),
            "sync.group.offsets.interval.seconds": str(_SOON),
            "refresh.topics.interval.seconds": str(_SOON),
            "refresh.groups.interval.seconds": str(_SOON),
            "replication.factor": "1",
            **{f"{name}.replication.factor": "1" for name in (*internal, *storage)},
        }
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def start(self) -> None:
        """Fetch (once) and start. Raises UnavailableError."""
        command = [str(java()), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp"]
        command += [class_path(COORDINATES), "org.apache.kafka.connect.mirror.MirrorMaker", str(self._properties)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> None:
        """Stop it cleanly, within a bound; kill it after that."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
