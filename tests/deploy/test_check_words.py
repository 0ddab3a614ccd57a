"""Settings that cannot be used are refused by the chart in the words of `connector check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.config import ConfigError, load
from tests.deploy.conftest import Chart

WRONG = {
    "names": """
openmarket: {bse_url: x, base_url: https://a.example, account_id: a, service_ids: {any: true}, tls: {key_fle: /k}}
kafka: {topics: {man: x}, bootstrapservers: x, clientid: x}
delivery: {inflight: 3, Drain: 5s, maybe_delivered: retry}
pace: {concurrency: fixed}
metrics: {}
""",
    "types": """
openmarket: {base_url: 5, account_id: 5, service_ids: [1, zz, 0A], tls: 3, reserved_words: 5, timeouts: {total: 1}}
kafka: {topics: {main: a b, retry_also: [a, b c]}, client: 4, start: now, group_id: "", bootstrap_servers: 5}
delivery: {in_flight: x, ordering: 7, buffer_bytes: 3GB, maybe_delivered_repeats: 1.5}
pace: {rate: fast}
log: {accepted: perhaps, level: loud}
admin: {ready_during_hold: 7}
""",
    "bounds": """
openmarket: {base_url: https://a.example, account_id: a, service_ids: [], timeouts: {connect: 9m, total: 1ms}}
delivery: {in_flight: 0, uncommitted: 1000000, buffer_records: 99999999}
retry: {delay: 30h}
admin: {port: 99999, host: ""}
pace: {rate: -1, burst: null, retry_share: 3, service_share: 1.5}
hold: {brake: {minimum: 0.5, share: 2, rate: 0}}
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
}

ALONE = {"image": {"repository": "registry.example.com/invoke-connector"}}


@pytest.mark.parametrize("kind", WRONG)
def test_settings_are_refused_in_the_words_of_check(chart: Chart, kind: str, tmp_path: Path) -> None:
    """Every problem that the connector has with these settings, and no other, in one refusal."""
    config = {**yaml.safe_load(WRONG[kind])}
    config["openmarket"]["password_file"] = str(tmp_path / "password")
    (tmp_path / "password").write_text("a password")
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(config))
    with pytest.raises(ConfigError) as refused:
        load(file, {})
    said = _problems(chart.refusal({**ALONE, "config": config}, base=""))
    assert said == sorted(f"config.{problem}" for problem in refused.value.problems)


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
