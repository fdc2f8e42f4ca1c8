"""Write deploy/observability/grafana/ from the declared dashboards, by Grafana's own builders."""

from __future__ import annotations

from string import ascii_uppercase
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphTresholdsStyleMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode

from setpoint.observe.dashboards import DASHBOARDS

if TYPE_CHECKING:
    from setpoint.observe.dashboards import Dashboard, Panel

#: Chosen by whoever opens the dashboard; the first Prometheus by itself.
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_HEIGHT = 8
_LOW = 5


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    made = stat.Panel() if panel.kind == "stat" else timeseries.Panel()
    made.title(panel.title).description(panel.help).datasource(_SOURCE).unit(panel.unit)
    made.span(panel.columns).height(_LOW if panel.kind == "stat" else _HEIGHT)
    for letter, query in zip(ascii_uppercase, panel.queries, strict=False):
        asked = prometheus.Dataquery().expr(query.expression).legend_format(query.legend)
        made.with_target(asked.ref_id(letter))
    if panel.thresholds:
        steps = [Threshold(value=one.value, color=one.colour) for one in panel.thresholds]
        made.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        if isinstance(made, timeseries.Panel):
            lines = common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
            made.thresholds_style(lines)
    return made


def _dashboard(declared: Dashboard) -> str:
    made = (
        dashboard.Dashboard(declared.title)
        .uid(declared.uid)
        .tags(["setpoint"])
        .refresh("1m")
        .time("now-24h", "now")
        .timezone("utc")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for panel in declared.panels:
        made.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def written() -> dict[str, str]:
    """Return the text of each dashboard's file, by its name below deploy/observability."""
    return {f"grafana/{one.uid}.json": _dashboard(one) for one in DASHBOARDS}
