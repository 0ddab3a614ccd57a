"""What each setting refuses, and what the settings amount to."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config import ConfigError, Settings, load
from connector.config.client import consumer_properties, kafka_properties, producer_properties
from connector.config.fields import secret_files
from connector.config.files import readable_by_others
from connector.config.promised import PROMISED
from connector.core.outcome import Delivered, Fate
from connector.core.reply import Reply
from connector.runtime.policies import outcome_table, request_rules
from tests.config.conftest import SMALLEST, Write


def problem(write: Write, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(write(text if "openmarket:" in text else SMALLEST + text), {})
    assert len(raised.value.problems) == 1, raised.value.problems
    return raised.value.problems[0]


def openmarket(write: Write, text: str) -> Settings:
    return load(write(SMALLEST + "".join(f"  {line}\n" for line in text.splitlines())), {})


@pytest.mark.parametrize(
    ("text", "longer", "shorter"),
    [
        ("delivery: {drain: 30s}", "delivery.drain (30s)", "openmarket.timeouts.total (30s)"),
        ("kafka: {max_poll_interval: 40s}", "kafka.max_poll_interval (40s)", "delivery.drain (40s)"),
        ("retry: {delay: 15m, window: 15m}", "retry.window (15m)", "retry.delay (15m)"),
        ("delivery: {max_event_age: 24h}", "delivery.max_event_age (24h)", "retry.window (24h)"),
    ],
)
def test_durations_that_depend_on_each_other_are_compared(write: Write, text: str, longer: str, shorter: str) -> None:
    """Equal is too short."""
    assert problem(write, text).startswith(f"{longer} must be longer than {shorter}, ")


@pytest.mark.parametrize("duration", ["30", "1.5.5s", "-1s", "5 s", "15M", "1h30m", "٣s", "s", ""])
def test_a_duration_needs_its_unit(write: Write, duration: str) -> None:
    """Nobody can tell what a bare number means."""
    assert "with its unit" in problem(write, f"delivery: {{drain: '{duration}'}}")


@pytest.mark.parametrize("size", ["8192", "8KB", "8k", "-8KiB", "1.5MiB"])
def test_a_size_needs_its_unit(write: Write, size: str) -> None:
    """KB is refused because half of its readers take it for 1024."""
    assert "with its unit" in problem(write, f"delivery: {{buffer_bytes: {size}}}")


def test_topics_of_a_connector_are_all_different(write: Write) -> None:
    """A dead letter that is read again goes round for ever."""
    assert "different topics" in problem(write, "kafka: {topics: {main: a, dead_letter: a}}")
    assert "different topics" in problem(write, "kafka: {topics: {main: a, retry_also: [a.retry]}}")
    assert "different topics" in problem(write, "kafka: {topics: {main: a, ledger: a}}")


def test_retry_and_dead_letter_topics_follow_the_main_topic(write: Write) -> None:
    """Two connectors with two main topics do not share a retry topic by default."""
    topics = load(write(SMALLEST + "kafka: {topics: {main: gates}}"), {}).kafka.topics
    assert (topics.retry, topics.dead_letter) == ("gates.retry", "gates.dlq")


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_a_property_that_a_promise_rests_on_is_refused(write: Write, name: str) -> None:
    """With the reason."""
    assert f"{name} is refused: {PROMISED[name]}" in problem(write, f"kafka: {{client: {{{name}: x}}}}")


@pytest.mark.parametrize("name", ["sasl.password", "ssl.key.pem", "ssl.keystore.password", "sasl.oauthbearer.config"])
def test_a_secret_among_the_properties_is_refused(write: Write, name: str) -> None:
    """Secrets come from files."""
    assert f"{name} is refused" in problem(write, f"kafka: {{client: {{{name}: x}}}}")


def test_the_brokers_own_properties_are_refused_with_the_new_protocol_only(write: Write) -> None:
    """librdkafka refuses a KIP-848 client that sets a session time-out."""
    client = "client: {session.timeout.ms: 6000, heartbeat.interval.ms: 1000}"
    assert load(write(SMALLEST + f"kafka: {{{client}}}"), {}).kafka.client["session.timeout.ms"] == 6000
    with pytest.raises(ConfigError) as raised:
        load(write(SMALLEST + f"kafka: {{group_protocol: consumer, {client}}}"), {})
    assert len(raised.value.problems) == 2


@pytest.mark.parametrize(
    ("security", "complaint"),
    [
        ("protocol: sasl_ssl", "needs a mechanism"),
        ("protocol: sasl_ssl, mechanism: PLAIN, username: u", "needs username and password_file"),
        ("protocol: sasl_ssl, mechanism: OAUTHBEARER", "needs oauth"),
        ("username: u", "does not authenticate"),
        ("protocol: ssl, certificate_file: {password}", "go together"),
        ("ca_file: {password}", "no TLS"),
    ],
)
def test_security_settings_fit_together(write: Write, security: str, complaint: str) -> None:
    """What would silently be of no use is refused."""
    assert complaint in problem(write, f"kafka: {{security: {{{security}}}}}")


def test_security_becomes_librdkafka_properties(write: Write) -> None:
    """The secret is read from its file, without the trailing newline."""
    text = "security: {protocol: sasl_ssl, mechanism: SCRAM-SHA-512, username: u, password_file: {password}}"
    kafka = load(
        write(SMALLEST + f"kafka: {{{text}, client: {{linger.ms: 7, log.connection.close: false}}}}"), {}
    ).kafka
    assert kafka_properties(kafka) == {
        "linger.ms": 7,
        "log.connection.close": "false",
        "bootstrap.servers": "localhost:9092",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "s3cret-plant",
    }


def test_oauth_becomes_librdkafka_properties(write: Write) -> None:
    """librdkafka gets the tokens itself (OIDC)."""
    oauth = "{client_id: c, client_secret_file: {password}, token_endpoint: 'https://login.example/token', scope: s}"
    text = f"kafka: {{security: {{protocol: sasl_ssl, mechanism: OAUTHBEARER, oauth: {oauth}}}}}"
    properties = kafka_properties(load(write(SMALLEST + text), {}).kafka)
    assert properties["sasl.oauthbearer.client.secret"] == "s3cret-plant"
    assert properties["sasl.oauthbearer.method"] == "oidc"


def test_the_group_becomes_consumer_properties(write: Write) -> None:
    """An assignment strategy is the classic protocol's alone."""
    classic = consumer_properties(load(write(SMALLEST), {}).kafka)
    assert classic["partition.assignment.strategy"] == "cooperative-sticky"
    assert classic["max.poll.interval.ms"] == 120_000
    static = load(write(SMALLEST + "kafka: {group_protocol: consumer, group_instance_id: one}"), {}).kafka
    assert "partition.assignment.strategy" not in consumer_properties(static)
    assert consumer_properties(static)["group.instance.id"] == "one"
    assert producer_properties(static)["partitioner"] == "murmur2_random"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://servicemanager.example", "plain http"),
        ("http://127.0.0.1.example", "plain http"),
        ("ftp://servicemanager.example", "must be a URL"),
        ("servicemanager.example", "must be a URL"),
        ("https://", "must be a URL"),
        ("https://host:99999", "must be a URL"),
        ("https://[::1", "must be a URL"),
        ("https://u:p@host", "must not carry credentials"),
        ("https://host/?a=b", "must end with its path"),
        ("https://host/service/v1", "must end before /service/v1"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(write: Write, url: str, complaint: str) -> None:
    """Before the password goes there."""
    assert complaint in problem(write, SMALLEST.replace("https://servicemanager.openmarket.com", url))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "https://host/prefix/"]
)
def test_plain_http_to_this_machine_needs_no_permission(write: Write, url: str) -> None:
    """The simulator has no certificate."""
    settings = load(write(SMALLEST.replace("https://servicemanager.openmarket.com", url)), {})
    assert settings.openmarket.base_url == url.rstrip("/")


def test_plain_http_elsewhere_can_be_said_aloud(write: Write) -> None:
    """A mesh's sidecar encrypts what leaves the pod."""
    text = SMALLEST.replace("https:", "http:") + "  allow_plain_http: true\n"
    assert load(write(text), {}).openmarket.base_url.startswith("http:")


def test_the_test_environment_is_known(write: Write) -> None:
    """A connector left on CIE is all green and reaches nobody."""
    cie = SMALLEST.replace("servicemanager.", "servicemanager-cie.")
    assert load(write(cie), {}).openmarket.is_cie
    assert not load(write(SMALLEST), {}).openmarket.is_cie


SHADOW = "delivery: {mode: shadow}\n"


@pytest.mark.parametrize("kafka", ["", "kafka: {group_id: production}\n", "kafka: {group_id: a.shadow.b}\n"])
def test_a_shadow_is_never_in_a_group_that_may_deliver(write: Write, kafka: str) -> None:
    """Nor in the default one: it would commit events that nobody posted."""
    assert "needs a kafka.group_id of its own that ends in `.shadow`" in problem(write, SHADOW + kafka)


def test_who_delivers_is_never_in_a_shadows_group(write: Write) -> None:
    """A shadow whose mode got lost would text everybody once more."""
    assert "kept for delivery.mode: shadow" in problem(write, "kafka: {group_id: a.shadow}")


def test_a_shadow_in_its_own_group_reads_the_main_topic_and_posts_nothing(write: Write) -> None:
    text = SMALLEST + SHADOW + "kafka: {group_id: a.shadow, topics: {main: m, retry_also: [r]}}\n"
    settings = load(write(text), {})
    assert (settings.posts, settings.read_topics, settings.ledger_topic) == (False, ("m",), "m.shadow")
    delivers = load(write(SMALLEST + "kafka: {topics: {main: m, retry_also: [r]}}\n"), {})
    assert (delivers.posts, delivers.read_topics, delivers.ledger_topic) == (True, ("m", "m.retry", "r"), "m.ledger")


def test_a_shadow_posts_to_the_test_environment_at_a_rate(write: Write) -> None:
    """Which the vendor does not want to be load-tested."""
    cie = SMALLEST.replace("servicemanager.", "servicemanager-cie.")
    text = cie + SHADOW + "kafka: {group_id: a.shadow}\n"
    assert "set pace.rate" in problem(write, text)
    assert load(write(text + "pace: {rate: 2}\n"), {}).posts


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        ("[]", "at least one"),
        ("['../../admin']", "hexadecimal"),
        ("['0a', '0A']", "twice"),
        ("[123456789012]", "put it in quotes"),
        ("{any: false}", "must be True"),
        ("0A1B", "must be a list"),
    ],
)
def test_the_allow_list_must_be_meant(write: Write, ids: str, complaint: str) -> None:
    """An id that does not exist is accepted by the vendor, and nothing after that can tell."""
    assert complaint in problem(write, SMALLEST.replace("[0A1B2C3D4E5F]", ids))


def test_any_service_can_be_said_aloud(write: Write) -> None:
    """Then there is no allow-list."""
    settings = load(write(SMALLEST.replace("[0A1B2C3D4E5F]", "{any: true}")), {})
    assert settings.openmarket.allowed_services is None


def test_service_ids_are_sent_as_listed(write: Write) -> None:
    """And found without case."""
    settings = load(write(SMALLEST.replace("0A1B2C3D4E5F", "0a1B")), {})
    assert request_rules(settings.openmarket).service_ids == {"0A1B": "0a1B"}


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff", b"\xef\xbb\xbfx", b"x" * 65537])
def test_a_secret_file_without_a_usable_secret_is_refused(write: Write, password: Path, content: bytes) -> None:
    """Found at start and not by the vendor's 401."""
    password.write_bytes(content)
    assert problem(write, SMALLEST).startswith("openmarket.password_file: the file ")


@pytest.mark.parametrize(
    ("content", "secret"), [("a\n", "a"), ("a", "a"), ("a\r\n", "a"), ("a b\n", "a b"), ("ü", "ü")]
)
def test_one_trailing_newline_is_taken_off(write: Write, password: Path, content: str, secret: str) -> None:
    """Everything else is part of the password."""
    password.write_bytes(content.encode())
    assert load(write(SMALLEST), {}).openmarket.password.get_secret_value() == secret


@pytest.mark.parametrize(
    "content", ["a\n\n", "a ", "a \n", " a", "\na", "a\r", "a\t\n", "a\nb", "a\x00b", "a\N{ZERO WIDTH SPACE}", "\xa0a"]
)
def test_a_secret_with_what_nobody_sees_is_refused_with_the_remedy(write: Write, password: Path, content: str) -> None:
    """Sent as it is, it would be a wrong password that looks right."""
    password.write_bytes(content.encode())
    told = problem(write, SMALLEST)
    assert told.startswith("openmarket.password_file: the file ")
    assert told.endswith("write the secret alone (`printf %s`), or with one line end")


def test_a_secret_that_everybody_may_read_is_seen(write: Write, password: Path) -> None:
    """For `connector check` to warn of: Kubernetes mounts Secrets so by default, so it is no error."""
    (name, file), *others = secret_files(load(write(SMALLEST), {}))
    assert (name, file.path, others) == ("openmarket.password_file", password, [])
    password.chmod(0o644)
    assert readable_by_others(password)
    password.chmod(0o640)
    assert not readable_by_others(password)
    assert not readable_by_others(password / "none")


def test_an_outcome_can_be_overridden(write: Write) -> None:
    """The row stands in front of the table's own."""
    settings = openmarket(
        write, "outcomes: [{vendor_code: 1000, fate: retry, why: told so}, {status: 504, fate: hold}]"
    )
    table = outcome_table(settings.openmarket)
    answer = table.classify(Reply(500, "id", b'{"error": {"code": 1000}}'))
    assert (answer.fate, answer.code, answer.why) == (Fate.RETRY, "configured_retry", "told so")
    assert table.classify(Reply(504, None, b"")).delivered is Delivered.MAYBE


@pytest.mark.parametrize(
    "outcome",
    [
        "{status: 504, fate: accepted}",
        "{status: 202, fate: retry}",
        "{fate: hold}",
        "{status: 404, vendor_code: 1, fate: hold}",
    ],
)
def test_an_override_that_would_lose_events_is_refused(write: Write, outcome: str) -> None:
    """Only a 200 or 202 with a request id is accepted, and that is not for settings to change."""
    assert "openmarket.outcomes[0]" in problem(write, SMALLEST + f"  outcomes: [{outcome}]\n")


@pytest.mark.parametrize(
    "tls",
    ["{name: x}", "{name_header: Authorization, name: x}", "{key_file: /dev/null}", '{name_header: "a b", name: x}'],
)
def test_tls_settings_fit_together(write: Write, tls: str) -> None:
    """What could not work is refused at start."""
    assert problem(write, SMALLEST + f"  tls: {tls}\n").startswith("openmarket.tls")


def test_bare_events_need_their_schema(write: Write) -> None:
    """Bare bytes are never guessed."""
    assert "go together" in problem(write, "schemas: {framing: bare}")


def test_a_json_schema_is_for_json(write: Write) -> None:
    """Elsewhere nothing would be held against it."""
    assert "json_schema needs framing: json" in problem(write, "schemas: {json_schema: event.json}")
    assert load(write(SMALLEST + "schemas: {framing: json, json_schema: event.json}"), {}).schemas.framing == "json"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("eight_byte_ids: global_id", "eight_byte_ids needs apicurio_url"),
        ("apicurio_url: https://a.example/apis/ccompat/v7", "must end with /apis/registry/v2 or /apis/registry/v3"),
        ("apicurio_url: https://u:p@a.example/apis/registry/v2", "must not carry credentials"),
    ],
)
def test_apicurios_ids_need_its_own_api(write: Write, given: str, words: str) -> None:
    """Its Confluent-compatible API knows one kind of ids only."""
    assert words in problem(write, f"schemas: {{registry: {{url: https://a.example, {given}}}}}")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "connector.example"])  # noqa: S104 - what is tested
def test_commands_from_elsewhere_need_a_token(write: Write, host: str) -> None:
    """Loopback is guarded by who is on the machine, or in the pod."""
    assert "control_token_file" in problem(write, f"admin: {{control_host: {host}}}")
    assert load(write(SMALLEST + "admin: {control_host: '::1'}"), {}).admin.control_token_file is None


@pytest.mark.parametrize("token", ["fifteen-letters", "two words of sixteen", "ü" * 16])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(write: Write, tmp_path: Path, token: str) -> None:
    """It goes into a header; the remedy is a command that makes one."""
    (tmp_path / "token").write_text(f"{token}\n")
    told = problem(write, f"admin: {{control_token_file: {tmp_path}/token}}")
    assert "openssl rand -hex 32" in told
    assert token not in told


def test_a_token_is_a_secret(write: Write, tmp_path: Path) -> None:
    """The log takes it out wherever it appears."""
    (tmp_path / "token").write_text("planted-token-0123\n")
    settings = load(write(SMALLEST + f"admin: {{control_token_file: {tmp_path}/token}}"), {})
    assert "admin.control_token_file" in dict(secret_files(settings))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hold: {canary: {first: 1h, longest: 1m}}", "longest must not be shorter than first"),
        ("hold: {endpoint: {probes: {first: 10s, longest: 5s}}}", "longest must not be shorter than first"),
        ("delivery: {deduplicate: 2h}", "delivery.deduplicate: must be at most 1h"),
        ("pace: {floor: 65}", "pace.floor (65) must not be above delivery.in_flight (64)"),
        ("admin: {port: 9465}", "port and control_port must be different"),
    ],
)
def test_settings_of_holds_and_pace_fit_together(write: Write, text: str, complaint: str) -> None:
    assert complaint in problem(write, text)
