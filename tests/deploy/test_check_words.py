"""Settings that cannot be used are refused by the chart in the words of `connector check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.config import ConfigError, load
from connector.config.openmarket import HEADERS_OF_OURS
from tests.deploy.conftest import Chart

WRONG = {
    "names": """
openmarket: {bse_url: x, base_url: https://a.example, account_id: a, service_ids: {any: true}, tls: {key_fle: /k}}
kafka: {topics: {man: x}, bootstrapservers: x, clientid: x}
delivery: {inflight: 3, Drain: 5s, maybe_delivered: retry}
pace: {concurrency: fixed, burst: 1, longest_pause: 15m}
admin: {ready_during_hold: true}
hold: {brake: {rate: 7}, endpoint: {share: 0.9}}
metrics: {}
""",
    "types": """
openmarket: {base_url: 5, account_id: 5, service_ids: [1, zz, 0A], tls: 3, reserved_words: 5, timeouts: {total: 1}}
kafka: {topics: {main: a b, retry_also: [a, b c]}, client: 4, start: now, group_id: "", bootstrap_servers: 5}
delivery: {in_flight: x, ordering: 7, buffer_bytes: 3GB, maybe_delivered_repeats: 1.5}
pace: {rate: fast}
log: {accepted: perhaps, level: loud}
tracing: {enabled: 7}
""",
    "bounds": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: [], timeouts: {connect: 9m, total: 1ms}}
delivery: {in_flight: 0, uncommitted: 1000000, deduplicate: 2h}
retry: {delay: 30h}
admin: {port: 99999, host: ""}
pace: {rate: -1, floor: null, retry_share: 3, service_share: 1.5}
hold: {brake: {minimum: 0.5, share: 2}, endpoint: {minimum: 0}}
""",
    "empty": """
openmarket: {base_url: null, account_id: null, service_ids: null}
delivery:
kafka: [1]
schemas: {registry: {}}
hold: {canary: null, brake: {window: null}}
""",
    "outcomes": """
openmarket:
  base_url: https://a.example
  account_id: a
  service_ids: {any: false}
  outcomes: [{fate: x}, 3, {fate: hold, status: 200}]
kafka: {client: {"socket.nagle.disable": [1]}}
""",
    "durations": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: {any: true}, timeouts: {total: 1.5m}}
delivery: {drain: 20s, max_event_age: 24h}
kafka: {max_poll_interval: 60000ms}
retry: {delay: 24h}
""",
    "together": """
kafka:
  bootstrap_servers: user@a:1,b:2
  topics: {main: a, retry_also: [b, a.dlq]}
  security: {protocol: sasl_plaintext, ca_file: FILE}
  client: {enable.auto.commit: true, sasl.password: x, ssl.key.pem: x, client.id: a}
schemas: {framing: bare}
openmarket:
  base_url: http://vendor.example
  account_id: a:b
  service_ids: [0a, 0B, 0A]
  tls: {certificate_file: FILE}
  outcomes: [{fate: hold, status: 400, vendor_code: x}, {fate: hold, status: 401}, {fate: retry}]
hold: {canary: {first: 20m}, endpoint: {probes: {first: 1m, longest: 30s}}}
admin: {port: 9465, runbooks_url: ftp://runbooks.example}
""",
    "more together": """
kafka:
  bootstrap_servers: a:1,b:70000
  group_protocol: consumer
  assignment: range
  security: {protocol: ssl, key_file: FILE, certificate_file: FILE, mechanism: PLAIN}
schemas:
  registry:
    url: https://a.example,https://b.example
    basic_auth_file: FILE
    bearer_token_file: FILE
    proxy: {url: http://proxy.example}
openmarket:
  base_url: https://a.example/service/v1
  account_id: a
  service_ids: {any: true}
  tls: {name_header: Authorization, name: a}
  proxy: {url: https://proxy.example:3128}
admin: {control_host: 0.0.0.0}
""",
    "of Kafka": """
kafka:
  group_protocol: consumer
  assignment: range
  security: {protocol: sasl_ssl, mechanism: SCRAM-SHA-512, username: a}
openmarket: {base_url: http://127.0.0.1:1, account_id: a, service_ids: [0a], proxy: {url: http://proxy.example:1}}
schemas: {registry: {url: http://a.example, certificate_file: FILE, key_file: FILE}}
""",
    "of Kafka's protocol": """
kafka: {group_protocol: consumer, assignment: range, security: {ca_file: FILE}, client: {session.timeout.ms: 6000}}
openmarket: {base_url: "https://a.example?b", account_id: a, service_ids: [0a], tls: {key_password_file: FILE}}
schemas: {registry: {url: "https://a.example?b", key_password_file: FILE}}
""",
    "of Kafka's mechanism": """
kafka:
  security:
    protocol: sasl_plaintext
    mechanism: OAUTHBEARER
    username: a
    oauth: {client_id: a, client_secret_file: FILE, token_endpoint: a}
openmarket: {base_url: https://u:p@a.example, account_id: a, service_ids: [0a], tls: {name: a}}
schemas: {registry: {url: https://u:p@a.example}}
""",
    "a mechanism alone": """
kafka: {group_protocol: consumer, assignment: range, security: {mechanism: PLAIN}}
openmarket: {base_url: a.example, account_id: a, service_ids: [0a]}
""",
    "a protocol alone": """
kafka: {security: {protocol: sasl_ssl}, topics: {main: a, retry: a}}
openmarket:
  base_url: https://a.example
  account_id: a
  service_ids: [0a]
  proxy: {url: http://u:p@proxy.example:3128}
schemas: {bare_schema: FILE, registry: {url: https://a.example, proxy: {url: http://proxy.example:3128/x}}}
""",
    "formats": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: [0a]}
schemas:
  json_schema: FILE
  registry: {url: https://a.example, eight_byte_ids: global_id}
""",
    "apicurio": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: [0a]}
schemas:
  framing: json
  registry: {url: https://a.example, guids: perhaps, eight_byte_ids: 4, apicurio_url: "https://a.example/apis/v2"}
""",
    "two mechanisms": """
kafka:
  security:
    protocol: sasl_ssl
    mechanism: OAUTHBEARER
    username: a
    oauth: {client_id: a, client_secret_file: FILE, token_endpoint: https://a.example}
openmarket: {base_url: https://a.example, account_id: a, service_ids: [0a]}
""",
    "a shadow in a group that delivers": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: [0a]}
delivery: {mode: shadow}
kafka: {group_id: a}
""",
    "a shadow without a group": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: [0a]}
delivery: {mode: shadow}
""",
    "a group of a shadow": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: [0a]}
kafka: {group_id: a.shadow}
""",
    "a shadow without a rate": """
openmarket: {base_url: "https://ServiceManager-CIE.openmarket.com/", account_id: a, service_ids: [0a]}
delivery: {mode: shadow}
kafka: {group_id: a.shadow}
""",
    "a shadow's topic": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: [0a]}
kafka: {topics: {main: a, dead_letter: a.shadow}}
""",
    "numbers": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: [0a]}
pace: {floor: 65}
""",
}

RIGHT = """
kafka:
  bootstrap_servers: "[::1]:9092,b:2,c"
  group_protocol: classic
  assignment: range
  topics: {main: a, retry: b, dead_letter: c, retry_also: [d]}
  security:
    protocol: sasl_ssl
    mechanism: OAUTHBEARER
    ca_file: FILE
    certificate_file: FILE
    key_file: FILE
    oauth: {client_id: a, client_secret_file: FILE, token_endpoint: "https://a.example:8443/t?x=y@z"}
  client: {client.id: a, session.timeout.ms: 6000}
schemas: {framing: bare, bare_schema: FILE, registry: {url: "http://[::1]:8081/a/", proxy: {url: "http://p:1/"}}}
openmarket:
  base_url: HTTPS://A.example:443/x@y
  account_id: a
  service_ids: [0a, 0b]
  tls: {name_header: X-Name, name: a}
  outcomes: [{fate: hold, status: 401}]
hold: {canary: {first: 15m}}
pace: {floor: 64}
admin: {port: 9465, control_port: 0, control_host: 127.0.0.2, runbooks_url: "https://a.example/#b"}
"""
"""Everything that looks like one of the mistakes, and is none."""

ALONE = {"image": {"repository": "registry.example.com/invoke-connector"}}


@pytest.mark.parametrize("kind", WRONG)
def test_settings_are_refused_in_the_words_of_check(chart: Chart, kind: str, tmp_path: Path) -> None:
    """Every problem that the connector has with these settings, and no other, in one refusal."""
    config, file = _written(WRONG[kind], tmp_path)
    with pytest.raises(ConfigError) as refused:
        load(file, {})
    said = _problems(chart.refusal({**ALONE, "config": config}, base=""))
    assert said == sorted(f"config.{problem}" for problem in refused.value.problems)


@pytest.mark.parametrize("name", sorted(HEADERS_OF_OURS))
def test_no_header_of_a_request_is_the_names(chart: Chart, name: str, tmp_path: Path) -> None:
    """The chart has a list of its own, which has to be the connector's."""
    tls = f"{{name_header: {name.title()}, name: a}}"
    config, file = _written(
        f"openmarket: {{base_url: 'https://a.example', account_id: a, service_ids: [0a], tls: {tls}}}", tmp_path
    )
    with pytest.raises(ConfigError) as refused:
        load(file, {})
    said = _problems(chart.refusal({**ALONE, "config": config}, base=""))
    assert said == sorted(f"config.{problem}" for problem in refused.value.problems)


def _written(text: str, folder: Path) -> tuple[dict[str, Any], Path]:
    """The settings and their file; what they call FILE is there."""
    secret = folder / "secret"
    secret.write_text("user:password")
    config: dict[str, Any] = yaml.safe_load(text.replace("FILE", str(secret)))
    config["openmarket"]["password_file"] = str(secret)
    file = folder / "config.yaml"
    file.write_text(json.dumps(config))
    return config, file


def test_settings_that_fit_together_are_refused_by_nobody(chart: Chart, tmp_path: Path) -> None:
    config, file = _written(RIGHT, tmp_path)
    load(file, {})
    chart.render({**ALONE, "config": config}, base="")


def test_what_a_variable_says_is_in_nobodys_way(chart: Chart, tmp_path: Path) -> None:
    """A section of which the environment gives a part, or may give it, is left to the check in the pod."""
    config, _ = _written(WRONG["of Kafka"], tmp_path)
    config["schemas"] = {}
    config["openmarket"].pop("proxy")
    config["delivery"] = {"drain": "20s"}
    names = ["CONNECTOR_KAFKA__ASSIGNMENT", "CONNECTOR_KAFKA__SECURITY__PASSWORD_FILE", "CONNECTOR_DELIVERY__DRAIN"]
    chart.render({**ALONE, "config": config, "env": [{"name": name, "value": "x"} for name in names]}, base="")
    chart.render({**ALONE, "config": config, "envFrom": [{"secretRef": {"name": "settings"}}]}, base="")


def _problems(stderr: str) -> list[str]:
    _, _, listed = stderr.partition("the settings cannot be used:\n")
    return sorted(line for line in listed.splitlines() if line.startswith("config."))


def test_a_setting_may_come_from_the_environment(chart: Chart) -> None:
    """What a variable gives is not missing in the file; of whole sets of variables nobody can tell here."""
    base: dict[str, Any] = {**ALONE, "config": {"openmarket": {"account_id": "a", "service_ids": {"any": True}}}}
    variables = ["CONNECTOR_OPENMARKET__BASE_URL", "CONNECTOR_OPENMARKET__PASSWORD_FILE"]
    chart.render({**base, "env": [{"name": name, "value": "x"} for name in variables]}, base="")
    chart.render({**base, "envFrom": [{"secretRef": {"name": "settings"}}]}, base="")
    missing = _problems(chart.refusal({**base, "env": [{"name": variables[0], "value": "x"}]}, base=""))
    assert missing == ["config.openmarket.password_file: is missing, and has no default"]


def test_quantities_are_refused_by_the_schema(chart: Chart) -> None:
    """`1GiB` is a size of the connector's and none of Kubernetes': a pod with it would never be made."""
    assert "'1GiB' does not match pattern" in chart.refusal({"resources": {"limits": {"memory": "1GiB"}}})
