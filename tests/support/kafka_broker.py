"""Real Kafka for the tests: one of our own, or the one that KAFKA_BOOTSTRAP_SERVERS names."""

from __future__ import annotations

import functools
import time
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.cimpl import NewTopic

from tests.support.apache_kafka import ApacheKafka
from tests.support.deadline import wait_until

_ANSWER_SECONDS, _POLL_SECONDS = 60.0, 0.05

# Nobody is refused anything until a test writes an ACL for one topic or group.
_ACLS_BY_TOPIC = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}

NEVER_FENCED = {"broker.session.timeout.ms": "60000"}
"""For a broker that is not started again, which would have to wait for the end of its session. A busy machine is late
with a broker's heartbeats, and a fenced one leads no partition and coordinates no group for a while."""

_ANY = (ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
_EVERY_ACL = AclBindingFilter(*_ANY)  # type: ignore[arg-type]  # typed as texts; None is any


class Kafka:
    """A broker that runs already, at `bootstrap_servers`."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers

    @functools.cached_property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap_servers})

    def admin(self) -> AdminClient:
        """A client for what the methods here do not do. Always the same: answers do not outlive their client."""
        return self._admin

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        """Create a topic and wait until it is there; `max_message_bytes="1000"` sets `max.message.bytes`."""
        dotted = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dotted)
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not self._made(topic):
            assert time.monotonic() < deadline, f"{name} cannot be made: the broker is fenced"
            time.sleep(_POLL_SECONDS)
        while self.admin().list_topics(name, _ANSWER_SECONDS).topics[name].error is not None:  # made, but not told yet
            assert time.monotonic() < deadline, f"{name} was made and is not there"
            time.sleep(_POLL_SECONDS)

    def _made(self, topic: NewTopic) -> bool:
        """False while the controller holds the broker for fenced, which it does when heartbeats are late."""
        try:
            self.admin().create_topics([topic], operation_timeout=_ANSWER_SECONDS)[topic.topic].result(_ANSWER_SECONDS)
        except KafkaException as raised:
            if raised.args[0].code() != KafkaError.INVALID_REPLICATION_FACTOR:
                raise
            return False
        return True

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait for the broker's word."""
        self.admin().delete_topics([name], operation_timeout=_ANSWER_SECONDS)[name].result(_ANSWER_SECONDS)

    def rule(self, *rules: AclBinding) -> None:
        """Add rules about what clients may do, and wait until they hold: the controller answers a moment before."""
        for answer in self.admin().create_acls(list(rules)).values():
            answer.result(_ANSWER_SECONDS)
        wait_until(lambda: set(rules) <= self._rules(), _ANSWER_SECONDS, "the rules hold")

    def refuse_writes(self, topic: str) -> None:
        """Let nobody write to this topic (TOPIC_AUTHORIZATION_FAILED) until `accept_writes`."""
        self.rule(AclBinding(*_writes_to(topic), AclPermissionType.DENY))

    def accept_writes(self, topic: str) -> None:
        """Take back `refuse_writes`."""
        rule = AclBindingFilter(*_writes_to(topic), AclPermissionType.DENY)
        self.admin().delete_acls([rule])[rule].result(_ANSWER_SECONDS)
        gone = AclBinding(*_writes_to(topic), AclPermissionType.DENY)
        wait_until(lambda: gone not in self._rules(), _ANSWER_SECONDS, "the rule is gone")

    def refuse_transactions(self, transactional_id: str) -> None:
        """Let nobody write in transactions of this id (TRANSACTIONAL_ID_AUTHORIZATION_FAILED)."""
        who = ("User:ANONYMOUS", "*", AclOperation.WRITE, AclPermissionType.DENY)
        self.rule(AclBinding(ResourceType.TRANSACTIONAL_ID, transactional_id, ResourcePatternType.LITERAL, *who))

    def refuse_group(self, group: str) -> None:
        """Let nobody be a member of this group (GROUP_AUTHORIZATION_FAILED)."""
        who = ("User:ANONYMOUS", "*", AclOperation.READ, AclPermissionType.DENY)
        self.rule(AclBinding(ResourceType.GROUP, group, ResourcePatternType.LITERAL, *who))

    def allow_only(self, *rights: tuple[str, str, str]) -> None:
        """From now on clients may do nothing but this: (`TOPIC`, name, `READ`), for topics, groups and transactions.

        May be said again, for more. The broker is the same user, and keeps its place in the cluster and its topics.
        """
        kinds = ("TOPIC", "GROUP", "TRANSACTIONAL_ID")
        own = [("BROKER", "kafka-cluster", operation) for operation in ("CLUSTER_ACTION", "ALTER")]
        own += [("TOPIC", name, "CREATE") for name in ("__consumer_offsets", "__transaction_state")]
        # Whatever somebody is allowed, all others are refused.
        rules = [_allowed(kind, "*", "READ", "User:nobody") for kind in kinds]
        self.rule(*rules, *(_allowed(*right) for right in (*rights, *own)))

    def _rules(self) -> set[AclBinding]:
        """Those that hold, by the broker's own word."""
        return set(self.admin().describe_acls(_EVERY_ACL).result(_ANSWER_SECONDS))


class KafkaBroker(Kafka):
    """A broker of the test's own: start, stop, kill, freeze, thaw, and start again on the same port and data."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self._server = ApacheKafka(folder, _ACLS_BY_TOPIC | (settings or {}), short_lived=True)
        super().__init__(self._server.bootstrap_servers)
        self._folder = folder
        self.start = self._server.start
        self.stop = self._server.stop
        self.kill = self._server.kill
        self.freeze = self._server.freeze
        self.thaw = self._server.thaw

    def restart(self) -> None:
        """Stop it cleanly and start it again."""
        self.stop()
        self.start()

    def listen_on_ipv6(self) -> None:
        """Take clients on IPv6's loopback and nowhere else; to be said before the first start."""
        properties, port = self._folder / "server.properties", self.bootstrap_servers.rpartition(":")[2]
        _, _, controller = _read(properties)["listeners"].partition(",")
        self.bootstrap_servers = f"[::1]:{port}"
        at = f"PLAINTEXT://{self.bootstrap_servers}"
        _add(properties, {"listeners": f"{at},{controller}", "advertised.listeners": at})

    def second(self, folder: Path) -> KafkaBroker:
        """Another broker of this one's cluster, node 2, which must have run before; not started yet."""
        other = KafkaBroker(folder)
        joins = {
            "process.roles": "broker",
            "node.id": "2",
            "controller.quorum.voters": _read(self._folder / "server.properties")["controller.quorum.voters"],
            "listeners": f"PLAINTEXT://{other.bootstrap_servers}",
        }
        _add(folder / "server.properties", joins)
        formatted = _read(self._folder / "data" / "meta.properties")
        (folder / "data").mkdir()
        kept = {name: formatted[name] for name in ("version", "cluster.id")}
        _add(folder / "data" / "meta.properties", {**kept, "node.id": "2"})
        return other

    def create_led_by(self, topic: str, *nodes: int) -> None:
        """Create a topic with a partition for each of these nodes, each with its only replica there."""
        wanted = NewTopic(topic, len(nodes), replica_assignment=[[node] for node in nodes])
        self.admin().create_topics([wanted])[topic].result(_ANSWER_SECONDS)

    def create_on_both(self, topic: str) -> None:
        """Create a topic of one partition that this broker leads, and whose records have to be on both."""
        wanted = NewTopic(topic, 1, replica_assignment=[[1, 2]], config={"min.insync.replicas": "2"})
        self.admin().create_topics([wanted])[topic].result(_ANSWER_SECONDS)


def _allowed(kind: str, name: str, operation: str, who: str = "User:ANONYMOUS") -> AclBinding:
    pattern = ResourcePatternType.LITERAL
    return AclBinding(ResourceType[kind], name, pattern, who, "*", AclOperation[operation], AclPermissionType.ALLOW)


def _read(file: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in file.read_text().splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in lines}


def _add(file: Path, properties: dict[str, str]) -> None:
    """Of two lines of one name the later one counts."""
    with file.open("a") as opened:
        opened.writelines(f"{name}={value}\n" for name, value in properties.items())


def _writes_to(topic: str) -> tuple[ResourceType, str, ResourcePatternType, str, str, AclOperation]:
    """Clients without credentials are all `User:ANONYMOUS`, from any host."""
    return (
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:ANONYMOUS",
        "*",
        AclOperation.WRITE,
    )
