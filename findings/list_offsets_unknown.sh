#!/bin/sh
# confluent-kafka 2.16.1 (librdkafka 2.16.0), AdminClient.list_offsets, on librdkafka's own mock cluster of two brokers:
#
# 1. After a partition's leader has moved, so that its leader epoch is higher, every question is refused with
#    FENCED_LEADER_EPOCH as long as the metadata is cached (15 minutes): the refusal does not renew it. Whoever watches lag
#    sees none after a restart of a broker. Asking for metadata first (list_topics) is enough.
# 2. A partition whose leader does not answer in time is answered with offset -1001 and without an error. Whoever takes it
#    for an offset shows a lag of 0.
#
# Seen on 2026-11-30, Python 3.11:
#    before: 0 0
#    after the leader moved: FENCED_LEADER_EPOCH 0
#    and 5 s later: FENCED_LEADER_EPOCH 0
#    after list_topics: 0 0
#    one broker does not answer in time: 0 -1001
#
# Exits with 1 when this changes. Needs Python 3.11 or newer, and the package index.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check confluent-kafka==2.16.1
cat > "$folder/ask.py" <<'PYTHON'
import ctypes
import os
import sys
import time
from pathlib import Path

import confluent_kafka
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

SEEN = [
    "before: 0 0",
    "after the leader moved: FENCED_LEADER_EPOCH 0",
    "and 5 s later: FENCED_LEADER_EPOCH 0",
    "after list_topics: 0 0",
    "one broker does not answer in time: 0 -1001",
]

# The mock cluster's own functions are in the library that the wheel carries.
wheel = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
library = ctypes.CDLL(str(next(wheel.glob("librdkafka*"))))
library.rd_kafka_new.restype = library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
holder = ctypes.c_void_p(library.rd_kafka_new(0, None, None, ctypes.c_size_t(0)))
cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(holder, 2))
library.rd_kafka_mock_topic_create(cluster, b"topic", 2, 1)


def lead(partition, broker):
    library.rd_kafka_mock_partition_set_leader(cluster, b"topic", partition, broker)


def ask():
    wanted = {TopicPartition("topic", partition): OffsetSpec.latest() for partition in (0, 1)}
    told = []
    for answer in client.list_offsets(wanted, request_timeout=3).values():
        try:
            told.append(str(answer.result(20).offset))
        except KafkaException as refused:
            told.append(refused.args[0].name())
    return " ".join(told)


lead(0, 1)
lead(1, 2)
address = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
client = AdminClient({"bootstrap.servers": address, "log_level": 0})
lines = [f"before: {ask()}"]
lead(0, 2)
lead(0, 1)
lines.append(f"after the leader moved: {ask()}")
time.sleep(5)
lines.append(f"and 5 s later: {ask()}")
client.list_topics("topic", timeout=10)
lines.append(f"after list_topics: {ask()}")
library.rd_kafka_mock_broker_set_rtt(cluster, 2, 10_000)
lines.append(f"one broker does not answer in time: {ask()}")
print(*lines, sep="\n", flush=True)
os._exit(int(lines != SEEN))  # a mock cluster is not taken down
PYTHON
"$folder/venv/bin/python" "$folder/ask.py"
