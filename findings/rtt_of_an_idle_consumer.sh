#!/usr/bin/env bash
# librdkafka's "broker round trip" of an idle consumer is the long poll of its fetch, not the network.
#
# STATISTICS.md calls `rtt` the "broker latency / round-trip time". A fetch of an idle topic waits at the broker for
# fetch.wait.max.ms (500), and counts all the same: on a broker of the same process, microseconds away, half a second. A
# dashboard of it shows a slow broker exactly while nothing happens. A client that asks only questions shows the truth.
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0) and its own mock broker, 2026-11-30:
#
#   consumer: 0.5 s
#   admin client: below 0.1 s
#
# Exits with 1 when that has changed. Needs python3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/py"
"$work/py/bin/pip" -q install confluent-kafka==2.16.1
"$work/py/bin/python" - <<'PY'
import json, sys, time
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

broker = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
servers = next(iter(broker.list_topics(timeout=10).brokers.values()))
servers = f"{servers.host}:{servers.port}"
broker.produce("idle", b"x")
broker.flush(10)

def mean(client, turn, seconds=6.0):
    """The mean round trip of the last statistics, in seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        turn(client)
    return [b["rtt"]["avg"] / 1e6 for b in told[-1]["brokers"].values() if b["nodeid"] >= 0 and b["rtt"]["cnt"]][0]

told = []
common = {"bootstrap.servers": servers, "statistics.interval.ms": 2000, "stats_cb": lambda s: told.append(json.loads(s))}
consumer = Consumer({**common, "group.id": "g"})
consumer.assign([TopicPartition("idle", p, OFFSET_END) for p in range(4)])
idle = mean(consumer, lambda c: c.poll(0.2))
consumer.close()
told.clear()
asked = mean(AdminClient(common), lambda c: (c.list_topics("idle", timeout=10), c.poll(0.2)))
print(f"consumer: {idle:.3f} s\nadmin client: {asked:.3f} s")
sys.exit(0 if idle > 0.4 and asked < 0.1 else 1)
PY
