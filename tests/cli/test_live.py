"""The commands that ask real brokers."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the library does not say that it exports these
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from connector.cli.avro_json import encoded
from connector.cli.generate import events
from connector.config import load
from connector.edge.avro.canonical import fingerprint
from connector.edge.kafka.admin import AdminError, KafkaAdmin, TopicPlan
from connector.runtime.checks import live
from connector.runtime.checks.finding import Finding, Verdict
from tests.cli.conftest import EVENT, PHONE_NUMBER, VALUE, Run
from tests.support.deadline import wait_until
from tests.support.kafka_broker import Kafka
from tests.support.network import needs_ipv6

_COOPERATIVE = {"partition.assignment.strategy": "cooperative-sticky"}

Configure = Callable[..., Path]


@pytest.fixture
def main(kafka: Kafka) -> str:
    """A main topic of three partitions."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    _create(kafka, name, 3)
    return name


@pytest.fixture
def config(config_file: Configure, kafka: Kafka, main: str) -> Path:
    return config_file(kafka={"bootstrap_servers": kafka.bootstrap_servers, "topics": {"main": main}})


def _create(kafka: Kafka, name: str, partitions: int, **config: str) -> None:
    """Create a topic and wait until the broker knows it too: the controller answers a moment before."""
    kafka.create_topic(name, partitions, **config)
    _wait_for(kafka, name)


def _wait_for(kafka: Kafka, *names: str) -> None:
    admin = KafkaAdmin({"bootstrap.servers": kafka.bootstrap_servers})
    wait_until(lambda: all(admin.topic(name) for name in names), 60, f"{names} are known to the broker")


def lines(output: str, name: str) -> list[str]:
    return [line for line in output.splitlines() if line.split(maxsplit=1)[-1].startswith(name)]


def test_created_topics_are_what_check_wants(connector: Run, config: Path, kafka: Kafka, main: str) -> None:
    """Every line about topics and rights is ok."""
    assert connector("topics", "create", "--config", config).exit_code == 0
    _wait_for(kafka, f"{main}.retry", f"{main}.dlq")
    checked = connector("check", "--live", "--config", config).stdout
    found = lines(checked, "retry topic") + lines(checked, "dead letter topic") + lines(checked, "group")
    assert len(found) == 19
    assert all(line.startswith("ok ") for line in found)


def test_the_ledgers_topic_is_made_and_looked_at_where_it_is_on(
    connector: Run, config_file: Configure, kafka: Kafka, main: str, tmp_path: Path
) -> None:
    key = tmp_path / "ledger-key"
    key.write_text("0123456789abcdef")
    section = {"bootstrap_servers": kafka.bootstrap_servers, "topics": {"main": main}}
    config = config_file(kafka=section, ledger={"key_file": str(key)})
    missing = connector("check", "--live", "--config", config)
    assert "connector topics create" in lines(missing.stdout, "ledger topic")[0]
    assert connector("topics", "create", "--config", config).exit_code == 0
    _wait_for(kafka, f"{main}.ledger")
    found = lines(connector("check", "--live", "--config", config).stdout, "ledger topic")
    assert len(found) == 4
    assert all(line.startswith("ok ") for line in found)


def test_missing_topics_fail_the_check(connector: Run, config: Path) -> None:
    """With the command that creates them."""
    result = connector("check", "--live", "--config", config)
    assert result.exit_code == 1
    assert "connector topics create" in lines(result.stdout, "retry topic")[0]


def test_an_existing_topic_is_left_alone_and_compared(connector: Run, config: Path, kafka: Kafka, main: str) -> None:
    """One that would break a promise ends `create` with exit code 1."""
    _create(kafka, f"{main}.retry", 3, cleanup_policy="compact")
    result = connector("topics", "create", "--config", config)
    assert result.exit_code == 1
    assert lines(result.stdout, "retry topic cleanup.policy")[0].lstrip().startswith("failed")
    topic = KafkaAdmin({"bootstrap.servers": kafka.bootstrap_servers}).topic(f"{main}.retry")
    assert topic is not None
    assert (topic.configs or {})["cleanup.policy"] == "compact"


def test_settings_that_refuse_what_the_main_topic_took_fail_the_check(
    connector: Run, config: Path, kafka: Kafka, main: str
) -> None:
    """A value that fits compressed, in a topic that stores or counts it decompressed; and Kafka 4.4's empty policy."""
    _create(kafka, f"{main}.retry", 3, max_decompressed_message_bytes="100000", cleanup_policy="")
    _create(kafka, f"{main}.dlq", 3, compression_type="uncompressed", cleanup_policy="")
    checked = connector("check", "--live", "--config", config).stdout
    assert lines(checked, "dead letter topic compression.type")[0].startswith("failed")
    assert lines(checked, "retry topic max.decompressed.message.bytes")[0].startswith("failed")
    assert lines(checked, "retry topic cleanup.policy")[0].startswith("warning")
    assert lines(checked, "dead letter topic cleanup.policy")[0].startswith("ok ")


def test_print_has_the_main_topics_numbers(connector: Run, config: Path, main: str) -> None:
    """Two commands, and nothing is created."""
    printed = connector("topics", "print", "--config", config).stdout.splitlines()
    assert [
        f"--topic {main}.{kind} --partitions 3 --replication-factor 1" in line
        for kind, line in zip(("retry", "dlq"), printed, strict=True)
    ] == [True, True]


def test_create_without_a_main_topic_fails(connector: Run, config_file: Configure, kafka: Kafka) -> None:
    """There is nothing to be like."""
    file = config_file(kafka={"bootstrap_servers": kafka.bootstrap_servers, "topics": {"main": "there-is-none"}})
    assert connector("topics", "create", "--config", file).exit_code == 1


def test_the_new_group_protocol_is_offered_by_new_brokers(
    connector: Run, config_file: Configure, kafka: Kafka, main: str
) -> None:
    """KIP-848, brokers 4.0 and newer."""
    settings = {"bootstrap_servers": kafka.bootstrap_servers, "topics": {"main": main}, "group_protocol": "consumer"}
    result = connector("check", "--live", "--config", config_file(kafka=settings))
    assert lines(result.stdout, "group protocol") == ["ok       group protocol: consumer"]


@pytest.mark.parametrize("taken", ["pod-0", "pod-0.{}.retry"])
def test_a_static_name_that_somebody_has_is_a_warning(
    config_file: Configure, kafka: Kafka, main: str, taken: str
) -> None:
    """Whichever of a process's members it is; and one that nobody has is none."""
    group, taken = f"group-{uuid.uuid4().hex[:12]}", taken.format(main)
    shared = {"bootstrap_servers": kafka.bootstrap_servers, "topics": {"main": main}}
    settings = load(config_file(kafka={**shared, "group_id": group, "group_instance_id": "pod-0"}), {})
    member = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": group, "group.instance.id": taken})
    try:
        member.subscribe([main])
        wait_until(lambda: member.poll(0.1) is not None or member.assignment(), 60, "it is a member")
        assert _named(live.kafka(settings), "static name").verdict is Verdict.WARNING
    finally:
        member.close()
    assert _named(live.kafka(load(config_file(kafka=shared | {"group_instance_id": "pod-1"}), {})), "static name") == (
        "static name",
        Verdict.OK,
        "pod-1 is no member now",
        "",
    )


@pytest.mark.parametrize(
    ("theirs", "ours", "verdict"),
    [
        (_COOPERATIVE, {}, Verdict.OK),
        (_COOPERATIVE, {"assignment": "range"}, Verdict.FAILED),
        (_COOPERATIVE, {"group_protocol": "consumer"}, Verdict.WARNING),
        ({"group.protocol": "consumer"}, {"group_protocol": "consumer"}, Verdict.OK),
        ({"group.protocol": "consumer"}, {}, Verdict.WARNING),
    ],
    ids=["as they", "range", "consumer", "both consumer", "back to classic"],
)
def test_members_that_would_not_let_us_in_are_seen_before(
    config_file: Configure, kafka: Kafka, main: str, theirs: dict[str, str], ours: dict[str, str], verdict: Verdict
) -> None:
    """Or that would at a price: a live group that goes back to the classic protocol repeats what is being posted."""
    group = f"group-{main}"
    shared = {"bootstrap_servers": kafka.bootstrap_servers, "topics": {"main": main}, "group_id": group}
    settings = load(config_file(kafka={**shared, **ours}), {})
    assert _named(live.kafka(settings), "group members").verdict is Verdict.OK
    member = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": group, **theirs})
    try:
        member.subscribe([main])
        wait_until(lambda: member.poll(0.1) is not None or member.assignment(), 60, "it is a member")
        found = _named(live.kafka(settings), "group members")
        assert found.verdict is verdict
        assert ("stop all processes" in found.remedy) is (verdict is not Verdict.OK)
    finally:
        member.close()


def _named(findings: Iterable[Finding], name: str) -> Finding:
    (found,) = (finding for finding in findings if finding.name == name)
    return found


def test_a_missing_right_fails_the_check(connector: Run, config: Path, kafka: Kafka, main: str) -> None:
    """As far as the broker says what we may do."""
    connector("topics", "create", "--config", config)
    _wait_for(kafka, f"{main}.retry", f"{main}.dlq")
    only_read = AclBinding(
        ResourceType.TOPIC,
        f"{main}.dlq",
        ResourcePatternType.LITERAL,
        "User:ANONYMOUS",
        "*",
        AclOperation.READ,
        AclPermissionType.ALLOW,
    )
    kafka.rule(only_read)
    found = lines(connector("check", "--live", "--config", config).stdout, "dead letter topic rights")
    assert "we may not WRITE" in found[0]


def test_an_unreachable_broker_fails_the_check_with_the_clients_words(config_file: Configure) -> None:
    """And nothing else about Kafka is asked."""
    settings = load(config_file(kafka={"bootstrap_servers": "127.0.0.1:1"}), {})
    (found,) = live.kafka(settings, within=1.0)
    assert (found.name, found.verdict) == ("brokers", Verdict.FAILED)
    assert "Connection refused" in found.why


def test_generated_events_are_written_and_can_be_rendered(connector: Run, config_file: Configure, kafka: Kafka) -> None:
    """From their place in the topic, masked."""
    topic = f"test-{uuid.uuid4().hex[:12]}"
    _create(kafka, topic, 1)
    file = config_file(kafka={"bootstrap_servers": kafka.bootstrap_servers, "topics": {"main": topic}})
    produced = connector("produce", "--count", "3", "--seed", "7", "--yes", "--config", file)
    assert produced.stdout == f"wrote 3 events to {topic}\n"
    result = connector("render", "--topic", topic, "--offset", "2", "--config", file)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"# {topic}-0 offset 2\nPOST https://servicemanager.openmarket.com/service/v1/")
    third = [*events(3, 7)][2]
    assert str(third["phoneNumber"]) not in result.stdout
    revealed = connector("render", "--topic", topic, "--offset", "2", "--reveal", "--config", file)
    assert str(third["phoneNumber"]) in revealed.stdout


def test_render_says_that_there_is_no_record(connector: Run, config: Path, main: str) -> None:
    """Exit code 1."""
    assert connector("render", "--topic", main, "--offset", "9", "--config", config).exit_code == 1


def test_produce_wants_a_yes_for_a_topic_that_exists(connector: Run, config: Path) -> None:
    """A connector may be reading it."""
    assert connector("produce", "--count", "1", "--config", config).exit_code == 2


def test_produce_creates_a_topic_that_does_not_exist(connector: Run, config: Path, main: str) -> None:
    """Nobody reads it yet, so nobody has to say yes."""
    given = json.dumps(EVENT)
    result = connector("produce", "--topic", f"{main}-new", "--config", config, given=f"{given}\n\n{given}\n")
    assert (result.exit_code, result.stdout) == (0, f"wrote 2 events to {main}-new\n")
    assert PHONE_NUMBER not in result.output


def test_a_bad_line_means_that_nothing_is_written(connector: Run, config: Path, kafka: Kafka, main: str) -> None:
    """Exit code 2, and no topic either."""
    result = connector("produce", "--topic", f"{main}-not", "--config", config, given=f"{json.dumps(EVENT)}\n{{}}\n")
    assert result.exit_code == 2
    assert "event 2" in result.output
    assert VALUE not in result.output
    assert KafkaAdmin({"bootstrap.servers": kafka.bootstrap_servers}).topic(f"{main}-not") is None


@pytest.mark.parametrize("number", ["12345678901234567890", "9007199254740993.0", "123456789012345678901"])
def test_a_number_that_would_be_written_as_another_is_not_written(
    connector: Run, config: Path, kafka: Kafka, main: str, number: str
) -> None:
    """Beyond 64 bits fastavro takes the union's double: exit code 2, the field named, and nothing written."""
    line = json.dumps({**EVENT, "variables": {"session": {"orderId": 0}}}).replace(
        '"orderId": 0', f'"orderId": {number}'
    )
    result = connector("produce", "--topic", f"{main}-not", "--config", config, given=f"{line}\n")
    assert result.exit_code == 2
    assert "variables.session.orderId" in result.output
    assert "number_out_of_range" in result.output
    assert number[:8] not in result.output
    assert KafkaAdmin({"bootstrap.servers": kafka.bootstrap_servers}).topic(f"{main}-not") is None


def test_render_says_that_there_is_no_topic(connector: Run, config: Path, main: str) -> None:
    """Exit code 1, with the brokers' word for it."""
    result = connector("render", "--topic", f"{main}-not", "--offset", "0", "--config", config)
    assert result.exit_code == 1
    assert "unknown_topic" in result.stderr


def test_a_topic_that_cannot_be_made_is_an_admin_error(kafka: Kafka, main: str) -> None:
    """The library's exceptions stop at the edge."""
    admin = KafkaAdmin({"bootstrap.servers": kafka.bootstrap_servers})
    with pytest.raises(AdminError, match="topic_already_exists"):
        admin.create(TopicPlan(main, 1, 1, {}))


@needs_ipv6
def test_a_vendor_at_an_address_of_ipv6_is_reached(config_file: Callable[..., Path]) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as vendor:
        where = f"[::1]:{vendor.getsockname()[1]}"
        found = live.api(load(config_file(openmarket={"base_url": f"http://{where}"}), {}))
    assert (found.verdict, found.why) == (Verdict.OK, f"{where} reached, no TLS")


def test_a_mapped_event_is_explained_and_found_by_its_own_id(
    connector: Run, config_file: Configure, kafka: Kafka, main: str, tmp_path: Path
) -> None:
    """Where it lies, and though its id and number do not stand in its bytes as they are there."""
    examples = Path(__file__).parents[2] / "examples" / "mapping" / "debezium"
    text = (examples / "schema.avsc").read_text()
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "envelope.avsc").write_text(text)
    mapping = yaml.safe_load((examples / "rules.yaml").read_text())["mapping"]
    mapping["events"][0]["serviceId"] = {"value": "0A1B"}
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    value = b"\xc3\x01" + fingerprint(text) + encoded(text, [], json.loads((examples / "event.json").read_text()))
    producer.produce(main, value, b"4711", partition=0)
    assert producer.flush(60) == 0
    settings = config_file(
        kafka={"bootstrap_servers": kafka.bootstrap_servers, "topics": {"main": main}},
        schemas={"folder": str(tmp_path / "schemas")},
        mapping=mapping,
    )
    told = connector("map", "--explain", "0:0", "--config", settings)
    assert told.exit_code == 0, told.output
    assert "phone after.country" in told.stdout
    assert "0170-5550147" not in told.stdout
    assert connector("map", "--explain", "0:9", "--config", settings).exit_code == 1
    for asked in ("booking-4711-33227720",), ("--phone", "+491705550147"):
        found = connector("trace", *asked, "--config", settings, "--json")
        assert [event["event"]["eventId"] for event in json.loads(found.stdout)["events"]] == ["booking-4711-33227720"]
