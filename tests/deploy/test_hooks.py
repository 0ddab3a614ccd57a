"""What runs before an upgrade, before a start, and by `helm test`: a check that posts nothing."""

from __future__ import annotations

import pytest

from tests.deploy.conftest import CHART, Chart, connector, pod

CHECK = ["check", "--live", "--config", "/etc/connector/config/config.yaml"]
"""Nobody is texted by `check` without `--probe`."""


def test_an_upgrade_is_checked_first_with_the_new_settings(chart: Chart) -> None:
    """The release's own ConfigMap still holds those in force, so the hook brings its own, before the job."""
    resources = chart.render({"config": {"log": {"level": "debug"}}})
    job, settings = resources["Job-check"], resources["ConfigMap-check"]
    hooks = [one["metadata"]["annotations"] for one in (settings, job)]
    assert [hook["helm.sh/hook"] for hook in hooks] == ["pre-upgrade"] * 2
    assert int(hooks[0]["helm.sh/hook-weight"]) < int(hooks[1]["helm.sh/hook-weight"])
    assert settings["data"] == resources["ConfigMap"]["data"]
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["args"] == CHECK
    assert container["image"] == connector(resources)["image"]
    assert container["volumeMounts"] == connector(resources)["volumeMounts"]
    assert next(one for one in spec["volumes"] if one["name"] == "config")["configMap"]["name"].endswith("-check")
    assert "ConfigMap-check" not in chart.render({"checks": {"beforeUpgrade": False}})


def test_the_check_is_not_taken_for_a_connector(chart: Chart) -> None:
    """Its pod is not counted by the Deployment, scraped, or guarded by the budget."""
    resources = chart.render()
    selector = resources["Deployment"]["spec"]["selector"]["matchLabels"]
    for metadata in (resources["Job-check"]["spec"]["template"]["metadata"], resources["Pod-test"]["metadata"]):
        assert not selector.items() <= metadata["labels"].items()


def test_helm_test_posts_nothing(chart: Chart) -> None:
    """`check --live` with the settings in force."""
    test = chart.render()["Pod-test"]
    assert test["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = test["spec"]["containers"]
    assert container["args"] == CHECK
    assert test["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("wanted", [False, True])
def test_a_start_is_checked_when_asked_for(chart: Chart, wanted: bool) -> None:
    first = pod(chart.render({"checks": {"beforeStart": wanted}})).get("initContainers", [])
    assert [one["args"] for one in first] == ([CHECK] if wanted else [])


def test_the_changelog_has_the_charts_version() -> None:
    version = (CHART / "Chart.yaml").read_text("utf-8").split("\nversion: ")[1].splitlines()[0]
    assert f"## {version}" in (CHART / "CHANGELOG.md").read_text("utf-8")
