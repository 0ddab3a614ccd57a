"""How every dashboard of ours is built: variables, annotations, links, and the kinds of panels that they have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Panel,
    Threshold,
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.promql import SCOPE, now, of_process
from dashboards.runbooks import INDEX, runbook

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "invoke-connector"

_ANYTHING = ".*"
_GREEN, _AMBER, _RED = "green", "orange", "red"


class Query(NamedTuple):
    """One query of a panel, and the name of its series."""

    expr: str
    legend: str = ""
    exemplars: bool = False
    """With the spans that the connector names beside its latencies, where it traces."""


class Step(NamedTuple):
    """From this value on a number has this colour."""

    value: float
    colour: str


def amber(value: float) -> Step:
    """Look at it in the morning."""
    return Step(value, _AMBER)


def red(value: float) -> Step:
    """Look at it now."""
    return Step(value, _RED)


def dashboard(uid: str, title: str, description: str) -> build.Dashboard:
    """A dashboard without panels."""
    made = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-3h", "now")
        .with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_choice("cluster", "Cluster", _values("build_info", "cluster", "")))
        .with_variable(_choice("namespace", "Namespace", _values("build_info", "namespace", 'cluster=~"$cluster"')))
        .with_variable(
            _choice("release", "Release", _values("build_info", "job", 'cluster=~"$cluster",namespace=~"$namespace"'))
        )
        .with_variable(_choice("topic", "Topic", _values("lag", "topic", SCOPE)))
        .with_variable(_choice("service", "Service", _values("service_answers", "service", SCOPE)))
        .with_variable(
            build.TextBoxVariable("runbooks").label("Runbooks").hide(VariableHide.HIDE_VARIABLE).default_value(RUNBOOKS)
        )
    )
    for name, colour, expr in _EVENTS:
        made.annotation(
            build.AnnotationQuery().name(name).datasource(SOURCE).enable(True).icon_color(colour).expr(expr)
        )
    return made.link(_others()).link(_page("Runbooks, by symptom", INDEX))


RUNBOOKS = "https://runbooks.invalid/invoke-connector"
"""Where runbooks are; the chart writes its own value in its place."""

_EVENTS = (
    ("Holds", _RED, f"max by (kind) ({now('hold')}) > 0"),
    ("Rebalances", "blue", f"sum (increase({now('partitions_assigned')}[1m])) > 0"),
    (
        "Deploys",
        "purple",
        f"count by (version) ((time() - {of_process('start_time_seconds')} < 60) * on (instance) "
        f"group_left (version) {now('build_info')})",
    ),
)


def lines(
    title: str,
    about: str,
    *queries: Query,
    unit: str = "short",
    wide: int = 8,
    stacked: bool = False,
    bound: float | None = None,
) -> timeseries.Panel:
    """Lines over time. `bound` is the value from which on they are drawn on red."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(wide)
        .height(8)
        .draw_style(GraphDrawStyle.LINE)
        .fill_opacity(20 if stacked else 5)
        .show_points(VisibilityMode.NEVER)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if bound is not None:
        panel.thresholds(_thresholds([Step(bound, _RED)])).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        )
    for target in _targets(queries):
        panel.with_target(target)
    if (address := runbook(title)) is not None:
        panel.links([_page("Runbook", address)])
    return panel


def number(
    title: str,
    about: str,
    expr: str,
    *steps: Step,
    unit: str = "short",
    wide: int = 4,
    legend: str = "",
    none: str = "–",
) -> stat.Panel:
    """The latest value, with the colour of the last step that it has reached; green before the first."""
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .span(wide)
        .height(4)
        .no_value(none)
        .color_mode(BigValueColorMode.BACKGROUND if steps else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
        .thresholds(_thresholds(steps))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )
    for target in _targets([Query(expr, legend)]):
        panel.with_target(target)
    if (address := runbook(title)) is not None:
        panel.links([_page("Runbook", address)])
    return panel


def states(title: str, about: str, *queries: Query, wide: int = 24) -> statetimeline.Panel:
    """When what was so: 0 is green, everything above it red."""
    panel = (
        statetimeline.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .span(wide)
        .height(6)
        .thresholds(_thresholds([Step(1, _RED)]))
        .show_value(VisibilityMode.NEVER)
        .merge_values(True)
        .fill_opacity(80)
        .legend(common.VizLegendOptions().show_legend(False).display_mode(LegendDisplayMode.LIST))
    )
    for target in _targets(queries):
        panel.with_target(target)
    if (address := runbook(title)) is not None:
        panel.links([_page("Runbook", address)])
    return panel


def finished(board: build.Dashboard) -> build.Dashboard:
    """The dashboard, its panels numbered."""
    for number_, panel in enumerate(board.build().panels or [], 1):
        panel.id_val = number_
    return board


def panels(board: build.Dashboard) -> list[Panel]:
    """Those of a dashboard that ask something."""
    return [panel for panel in board.build().panels or [] if isinstance(panel, Panel)]


def _choice(name: str, label: str, values: str) -> build.QueryVariable:
    everything = VariableOption(text="All", value="$__all", selected=True)
    return (
        build.QueryVariable(name)
        .label(label)
        .query(values)
        .datasource(SOURCE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(_ANYTHING)
        .current(everything)
    )


def _values(metric: str, label: str, where: str) -> str:
    series = now(metric).replace(SCOPE, where)
    return f"label_values({series}, {label})"


def _targets(queries: Iterable[Query]) -> Iterable[query.Dataquery]:
    for place, each in enumerate(queries):
        made = query.Dataquery().expr(each.expr).legend_format(each.legend).ref_id("ABCDEFGH"[place]).range()
        yield made.exemplar(True) if each.exemplars else made


def _thresholds(steps: Iterable[Step]) -> build.ThresholdsConfig:
    # The first step counts below its value too. Grafana writes null there, which its schema does not have.
    all_steps = [Step(0, _GREEN), *steps]
    return build.ThresholdsConfig().steps([Threshold(value=step.value, color=step.colour) for step in all_steps])


def _others() -> build.DashboardLink:
    return (
        build.DashboardLink("Invoke connector")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )


def _page(title: str, page: str) -> build.DashboardLink:
    address = f"${{runbooks}}/{page}"
    return build.DashboardLink(title).type(DashboardLinkType.LINK).url(address).icon("doc").target_blank(True)
