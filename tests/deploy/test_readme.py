"""What the chart's README shows to copy is accepted as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tests.deploy.conftest import CHART, OPERATORS, Chart

TEXT = (CHART / "README.md").read_text("utf-8")


def shown(name: str) -> Any:
    """The YAML under the mark `<!-- NAME -->`."""
    (found,) = re.findall(rf"<!-- {re.escape(name)} -->\n *```yaml\n(.*?)```", TEXT, re.S)
    return yaml.safe_load(found)


def test_the_values_to_begin_with_render_what_they_promise(chart: Chart) -> None:
    """On a cluster with KEDA and the Prometheus operator."""
    resources = chart.render(shown("my-values.yaml"), base="", apis=OPERATORS)
    assert {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule"} <= set(resources)
    assert resources["PodMonitor"]["metadata"]["labels"]["release"] == "prometheus"
    assert resources["PrometheusRule"]["metadata"]["labels"]["release"] == "prometheus"
    assert resources["ScaledObject"]["spec"]["maxReplicaCount"] == 12


def test_the_application_is_one_of_argo_cds_and_its_values_render(chart: Chart) -> None:
    """By the schema of its CRD; and its check before a sync needs no account that is not there yet."""
    application = shown("application.yaml")
    schema = Path(__file__).with_name("crds") / "Application.json"
    jsonschema.validate(application, json.loads(schema.read_text("utf-8")))
    helm = application["spec"]["source"]["helm"]
    resources = chart.render(helm["valuesObject"], base="")
    assert "ServiceAccount" not in resources
    assert resources["Job-check"]["spec"]["template"]["spec"]["serviceAccountName"] == "default"


def test_the_refusals_that_it_quotes_are_those_that_helm_prints(chart: Chart) -> None:
    """All three in one go."""
    (quoted,) = re.findall(r"```\n( *config\.kafka\.topics\.man.*?)```", TEXT, re.S)
    wrong = {
        "kafka": {"topics": {"man": "invocations"}},
        "openmarket": {"bse_url": "https://servicemanager.openmarket.com"},
        "delivery": {"drain": "20s"},
    }
    refused = chart.refusal({"config": wrong})
    for line in filter(None, map(str.strip, quoted.splitlines())):
        assert line in refused
