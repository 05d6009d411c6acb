"""The parts that the dashboards are made of, as the JSON that Grafana reads."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
GRID_WIDTH = 24
# What the variables at the top of a dashboard choose.
CHOSEN = 'environment=~"$environment", instance=~"$instance"'
GREEN, ORANGE, RED = "green", "orange", "red"


@dataclass(frozen=True)
class Query:
    """One query of a panel, and how its lines are called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Row:
    """Panels side by side under a heading. They share the width."""

    title: str
    panels: tuple[Json, ...]
    height: int = 8


def metric(name: str, *labels: str) -> str:
    """A metric of the server, of the chosen servers."""
    return f"hounsfield_{name}{{{', '.join([CHOSEN, *labels])}}}"


def rate(name: str, *labels: str) -> str:
    """How fast a counter grows."""
    return f"rate({metric(name, *labels)}[$__rate_interval])"


def quantile(share: float, name: str, *labels: str, by: str = "") -> str:
    """A quantile of a histogram, over all chosen servers."""
    kept = "le" if not by else f"le, {by}"
    return f"histogram_quantile({share}, sum by ({kept}) ({rate(f'{name}_bucket', *labels)}))"


def share(part: str, whole: str) -> str:
    """A part of a whole: 0 if the part never occurred, nothing while the whole is nothing."""
    return f"(sum({part}) or vector(0)) / (sum({whole}) > 0)"


def targets(queries: tuple[Query, ...], **settings: Any) -> list[Json]:
    letters = "ABCDEFGH"
    return [
        {"refId": letter, "datasource": DATASOURCE, "expr": query.expression, "legendFormat": query.legend or "__auto"}
        | settings
        for letter, query in zip(letters, queries, strict=False)
    ]


def panel(kind: str, title: str, description: str, queries: list[Json], field: Json, options: Json) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": queries,
        "fieldConfig": {"defaults": field, "overrides": []},
        "options": options,
    }


def steps(*above: tuple[float, str], below: str = GREEN) -> Json:
    """Colours of values: `below` up to the first limit, then the colour of each limit."""
    first: list[Json] = [{"value": None, "color": below}]
    return {"mode": "absolute", "steps": first + [{"value": value, "color": colour} for value, colour in above]}


def time_series(
    title: str,
    description: str,
    unit: str,
    axis: str,
    *queries: Query,
    stacked: bool = False,
    most: float | None = None,
) -> Json:
    """Lines over time, from 0."""
    custom = {
        "axisLabel": axis,
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 8,
        "showPoints": "auto",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    field: Json = {"unit": unit, "min": 0, "custom": custom}
    if most is not None:
        field["max"] = most
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, description, targets(queries, range=True), field, options)


def with_limit(series: Json, name: str = "limit") -> Json:
    """The same panel, in which the line of this name is red and dashed."""
    override = {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": "color", "value": {"mode": "fixed", "fixedColor": RED}},
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}},
            {"id": "custom.fillOpacity", "value": 0},
        ],
    }
    return series | {"fieldConfig": series["fieldConfig"] | {"overrides": [override]}}


def stat(
    title: str,
    description: str,
    unit: str,
    query: str,
    colours: Json,
    words: dict[str, tuple[str, str]] | None = None,
    absent: str = "no data",
) -> Json:
    """One number, coloured by its value; `words` says another word and colour for some values, `absent` what to say
    without a value."""
    shown = {value: {"text": text, "color": colour, "index": 0} for value, (text, colour) in (words or {}).items()}
    field = {
        "unit": unit,
        "thresholds": colours,
        "color": {"mode": "thresholds"},
        "noValue": absent,
        "mappings": [{"type": "value", "options": shown}] if shown else [],
    }
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto",
        "colorMode": "value",
        "graphMode": "none" if shown else "area",
        "justifyMode": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    return panel("stat", title, description, targets((Query(query),), range=True), field, options)


def table(title: str, description: str, query: str, columns: dict[str, str]) -> Json:
    """A row for each series, with these labels and their headings."""
    made = panel(
        "table",
        title,
        description,
        targets((Query(query),), instant=True, range=False, format="table"),
        {"unit": "none", "custom": {"align": "auto", "inspect": False}},
        {"showHeader": True, "cellHeight": "sm"},
    )
    # Only what is named is shown, in this order.
    made["transformations"] = [
        {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
        {
            "id": "organize",
            "options": {
                "indexByName": {name: at for at, name in enumerate(columns)},
                "renameByName": columns,
                "excludeByName": {},
            },
        },
    ]
    return made


def heatmap(title: str, description: str, unit: str, axis: str, query: str) -> Json:
    """How often each value occurred, over time, from the buckets of a histogram."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "mode": "scheme",
            "scheme": "Oranges",
            "steps": 64,
            "exponent": 0.5,
            "fill": "dark-orange",
            "reverse": False,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "axisLabel": axis, "unit": unit, "reverse": False},
    }
    queries = targets((Query(query, "{{le}}"),), range=True, format="heatmap")
    return panel("heatmap", title, description, queries, {"unit": unit, "custom": {}}, options)


def variable(name: str, label: str) -> Json:
    """A choice among the values that a label has."""
    query = f'label_values(up{{job="hounsfield"}}, {name})'
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": ["All"], "value": ["$__all"], "selected": True},
    }


def laid_out(rows: tuple[Row, ...]) -> list[Json]:
    """The panels of all rows, with numbers and places."""
    placed: list[Json] = []
    top = 0
    for row in rows:
        heading = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        place = {"x": 0, "y": top, "w": GRID_WIDTH, "h": 1}
        placed.append({"id": len(placed) + 1} | heading | {"gridPos": place})
        width = GRID_WIDTH // len(row.panels)
        for at, one in enumerate(row.panels):
            place = {"x": at * width, "y": top + 1, "w": width, "h": row.height}
            placed.append({"id": len(placed) + 1} | one | {"gridPos": place})
        top += 1 + row.height
    return placed


def dashboard(uid: str, title: str, description: str, rows: tuple[Row, ...]) -> Json:
    """A whole dashboard, with a link to the others."""
    source = {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "refresh": 1}
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["hounsfield"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "title": "Hounsfield",
                "tags": ["hounsfield"],
                "asDropdown": False,
                "icon": "external link",
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": [source, variable("environment", "Environment"), variable("instance", "Server")]},
        "annotations": {"list": []},
        "panels": laid_out(rows),
    }
