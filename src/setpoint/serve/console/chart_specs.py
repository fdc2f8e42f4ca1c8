"""SERVE: the statistical charts of a run's trials as Vega-Lite specifications, and the SVG made of them.

Guarantees: up to ``MOST_POINTS`` trials are drawn one by one; more are counted in bins, so that a chart of
20,000 trials is as large and as readable as one of 1,000. Colours are properties of the SVG itself, for a
light and a dark surface. A chart has the width and height that its page reserves for it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter, defaultdict
from itertools import pairwise
from math import ceil, floor, log10
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.impact import LOG, Bounds
from setpoint.govern.trials import place_in, quantile, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.govern.importance import GroupImportance
    from setpoint.govern.trials import Trial, Trials, Tried

MOST_POINTS = 1000
#: Width and height of each kind, in pixels.
SIZES = {"history": (720, 280), "values": (330, 210), "parallel": (720, 340)}
#: How many bins a binned chart has across, and upwards.
ACROSS, UPWARDS = 40, 24
#: Of one axis of parallel coordinates.
STEPS = 16
#: How many points the line of the best so far has at most.
MOST_STEPS = 200
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_FONT = "Inter, system-ui, 'Segoe UI', 'Liberation Sans', sans-serif"
_INK, _MUTED, _LINE, _ACCENT, _WARN = (
    f"var(--{name})" for name in ("ink", "muted", "line", "accent", "warn")
)
#: The colours of the Console, see `console.css`: an image has no access to them.
_LIGHT = "--paper:#fff;--ink:#16191d;--muted:#555f6b;--line:#e0e4e9;--accent:#1d5fc2;--warn:#875400"
_DARK = "--paper:#14171b;--ink:#e6e9ed;--muted:#9aa5b1;--line:#2a3038;--accent:#82b1ff;--warn:#f2c462"
STYLE = f":root{{{_LIGHT}}}@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; frame-ancestors 'none'; base-uri 'none'"
_ROOT = re.compile(r'^<svg ([^>]*?) width="[^"]*" height="[^"]*"([^>]*)>')


class Chart(NamedTuple):
    """A chart that can be drawn: what it shows, and its size in pixels."""

    specification: str
    width: int
    height: int


def history(trials: Trials) -> Chart:
    """Return the optimisation history: what each trial reached, and the best so far."""
    layers: list[dict[str, Any]] = []
    title = reached_title(trials)
    x = {"field": "n", "type": "quantitative", "title": "trial", "axis": {"tickMinStep": 1, "format": "d"}}
    y = {"field": "v", "type": "quantitative", "title": title, "scale": {"zero": False}}
    points = [(trial.number, trials.reached(trial)) for trial in trials.complete]
    layers.extend(_cloud(points, x, y))
    best = _thinned(list(trials.best_so_far.items()))
    rows = [
        {"n": n, "v": quantile(values, 0.5), "a": quantile(values, 0.25), "b": quantile(values, 0.75)}
        for n, values in best
    ]
    if trials.is_pooled:
        band = {"type": "area", "interpolate": "step-after", "color": _ACCENT, "opacity": 0.18}
        ends = {"y": {**y, "field": "a"}, "y2": {"field": "b"}}
        layers.append({"data": {"values": rows}, "mark": band, "encoding": {"x": x, **ends}})
    line = {"type": "line", "interpolate": "step-after", "color": _ACCENT, "strokeWidth": 2.5}
    layers.append({"data": {"values": rows}, "mark": line, "encoding": {"x": x, "y": y}})
    return _chart({"layer": layers}, SIZES["history"])


def values(trials: Trials, tried: Tried) -> Chart:
    """Return what trials reached by the value of one parameter, with the ends of its range."""
    bounds = tried.bounds
    is_log = bounds.scale == LOG and bounds.low > 0
    domain = _padded(bounds.low, bounds.high, is_log=is_log)
    scale = {"type": "log" if is_log else "linear", "nice": False, "domain": domain, "zero": False}
    ticks: dict[str, Any] = {"labelExpr": "format(datum.value, '.4~g')", "labelOverlap": "parity"}
    ticks |= {"values": _log_ticks(bounds)} if is_log else {"tickCount": 5}
    x = {"field": "n", "type": "quantitative", "title": tried.name, "scale": scale, "axis": ticks}
    y = {"field": "v", "type": "quantitative", "title": reached_title(trials), "scale": {"zero": False}}
    members = [trial for trial in trials.complete if tried.name in trial.params]
    points = [(trial.params[tried.name], trials.reached(trial)) for trial in members]
    cloud = _cloud(points, x, y, across=bounds, good=[trial.is_good for trial in members])
    ends = [{"n": bounds.low}, {"n": bounds.high}]
    rule = {"type": "rule", "color": _WARN if tried.is_at_edge else _MUTED, "strokeDash": [4, 3]}
    edges = {"data": {"values": ends}, "mark": rule, "encoding": {"x": x}}
    return _chart({"layer": [edges, *cloud]}, SIZES["values"])


def parallel(trials: Trials) -> Chart:
    """Return parallel coordinates: an axis for each parameter, one for what was reached, a line a trial."""
    axes = [*((one.name, one) for one in trials.tried), (reached_title(trials), None)]
    reached = [trials.reached(trial) for trial in trials.complete]
    low, high = (min(reached), max(reached)) if reached else (0.0, 1.0)

    def places(trial: Trial) -> list[float | None]:
        own = [_place_of(tried, trial) for tried in trials.tried]
        return [*own, (trials.reached(trial) - low) / ((high - low) or 1.0)]

    lines = [(places(trial), trial.is_good) for trial in trials.complete]
    drawn = _bundles(lines) if len(lines) > MOST_POINTS else _lines(lines)
    names = [name for name, _ in axes]
    ends = [
        (f"{one.bounds.low:g}", f"{one.bounds.high:g}") if one else (f"{low:.3g}", f"{high:.3g}")
        for _, one in axes
    ]
    return _chart({"layer": [_axes(names), *drawn, *_ends(names, ends)]}, SIZES["parallel"])


def importance(found: GroupImportance) -> Chart:
    """Return bars of importance: by parameter its mean over units, and its lowest and highest."""
    rows = [{"p": one.param, "m": one.mean, "a": one.low, "b": one.high} for one in found.shares]
    y = {"field": "p", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 220}}
    x = {
        "field": "m",
        "type": "quantitative",
        "title": "share of importance",
        "axis": {"format": ".0%", "tickCount": 6},
    }
    bar = {
        "mark": {"type": "bar", "color": _ACCENT, "opacity": 0.75, "height": {"band": 0.6}},
        "encoding": {"x": x, "y": y},
    }
    span = {
        "mark": {"type": "rule", "color": _INK},
        "encoding": {"x": {**x, "field": "a"}, "x2": {"field": "b"}, "y": y},
    }
    return _chart({"data": {"values": rows}, "layer": [bar, span]}, importance_size(found))


def reached_title(trials: Trials) -> str:
    """Return the name of what trials are compared by."""
    return f"{trials.objective} above unit's median" if trials.is_pooled else trials.objective


def finished(drawn: bytes, chart: Chart) -> bytes:
    """Return an SVG with its colours, and the very size that its page reserves."""
    size = f'width="{chart.width}" height="{chart.height}"'
    return _ROOT.sub(rf"<svg \1 {size}\2><style>{STYLE}</style>", drawn.decode(), count=1).encode()


def importance_size(found: GroupImportance) -> tuple[int, int]:
    """Return width and height of the bars of importance, in pixels."""
    return 720, 60 + 26 * max(len(found.shares), 1)


def _chart(unit: Mapping[str, Any], size: tuple[int, int]) -> Chart:
    width, height = size
    quiet = {"labelColor": _MUTED, "titleColor": _MUTED, "domainColor": _LINE, "tickColor": _LINE}
    whole = {
        "$schema": _SCHEMA,
        "width": width,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": 4,
        **unit,
        "config": {
            "background": "var(--paper)",
            "font": _FONT,
            "aria": False,
            "axis": {
                **quiet,
                "gridColor": _LINE,
                "labelFontSize": 11,
                "titleFontSize": 11,
                "titleFontWeight": 500,
            },
            "view": {"stroke": None},
        },
    }
    return Chart(json.dumps(whole, separators=(",", ":"), sort_keys=True), width, height)


def _cloud(
    points: Sequence[tuple[float, float]],
    x: dict[str, Any],
    y: dict[str, Any],
    *,
    across: Bounds | None = None,
    good: Sequence[bool] = (),
) -> list[dict[str, Any]]:
    """Return the layers of points, or of the bins that they are counted in."""
    if len(points) > MOST_POINTS:
        return _binned(points, x, y, across or _spanned(n for n, _ in points))
    marks = good or [False] * len(points)
    rows = [{"n": n, "v": v, "g": int(is_good)} for (n, v), is_good in zip(points, marks, strict=True)]
    range_ = {"domain": [0, 1], "range": [_MUTED, _ACCENT]}
    colour = {"field": "g", "type": "nominal", "scale": range_, "legend": None}
    shown = {"type": "circle", "size": 26, "opacity": 0.5}
    return [{"data": {"values": rows}, "mark": shown, "encoding": {"x": x, "y": y, "color": colour}}]


def _binned(
    points: Sequence[tuple[float, float]], x: dict[str, Any], y: dict[str, Any], across: Bounds
) -> list[dict[str, Any]]:
    """Return bins, the darker the more trials: on the axis' own scale across, evenly upwards; and medians."""
    upwards = _spanned(v for _, v in points)
    counted: Counter[tuple[int, int]] = Counter()
    columns: dict[int, list[float]] = defaultdict(list)
    for n, v in points:
        column = _step(place_in(across, n), ACROSS)
        counted[column, _step(place_in(upwards, v), UPWARDS)] += 1
        columns[column].append(v)
    rows = [
        _ends_of("n", across, column, ACROSS) | _ends_of("v", upwards, row, UPWARDS) | {"k": number}
        for (column, row), number in sorted(counted.items())
    ]
    scale = {"type": "sqrt", "range": [0.1, 0.9]}
    many = {"field": "k", "type": "quantitative", "scale": scale, "legend": None}
    encoding = {"x": x, "x2": {"field": "n2"}, "y": y, "y2": {"field": "v2"}, "opacity": many}
    middles = [
        {"n": value_at(across, (column + 0.5) / ACROSS), "v": median(found)}
        for column, found in sorted(columns.items())
    ]
    dot = {"type": "circle", "size": 20, "opacity": 1, "color": _ACCENT}
    return [
        {"data": {"values": rows}, "mark": {"type": "rect", "color": _MUTED}, "encoding": encoding},
        {"data": {"values": middles}, "mark": dot, "encoding": {"x": x, "y": y}},
    ]


def _lines(lines: list[tuple[list[float | None], bool]]) -> list[dict[str, Any]]:
    """Return the layers of one line for each trial: the good ones above the others."""
    drawn = []
    for is_good in (False, True):
        rows = [
            {"a": at, "p": round(place, 4), "t": number}
            for number, (places, good) in enumerate(lines)
            for at, place in enumerate(places)
            if good == is_good and place is not None
        ]
        mark = {"type": "line", "strokeWidth": 1, "color": _ACCENT if is_good else _MUTED}
        mark["opacity"] = 0.55 if is_good else 0.16
        encoding = {**_ALONG, "detail": {"field": "t"}}
        drawn.append({"data": {"values": rows}, "mark": mark, "encoding": encoding})
    return drawn


def _bundles(lines: list[tuple[list[float | None], bool]]) -> list[dict[str, Any]]:
    """Return the layers of bundles: how many trials go from a step of one axis to one of the next."""
    drawn = []
    for is_good in (False, True):
        counted = Counter(
            (at, _step(one, STEPS), _step(two, STEPS))
            for places, good in lines
            if good == is_good
            for at, (one, two) in enumerate(pairwise(places))
            if one is not None and two is not None
        )
        most = max(counted.values(), default=1)
        rows = [
            {"a": at, "a2": at + 1, "p": (one + 0.5) / STEPS, "p2": (two + 0.5) / STEPS, "k": n / most}
            for (at, one, two), n in sorted(counted.items())
        ]
        many: dict[str, Any] = {"field": "k", "type": "quantitative", "legend": None}
        many["scale"] = {"domain": [0, 1], "range": [0.04, 0.9 if is_good else 0.35]}
        encoding = {**_ALONG, "x2": {"field": "a2"}, "y2": {"field": "p2"}, "opacity": many}
        mark = {"type": "rule", "strokeWidth": 1.5, "color": _ACCENT if is_good else _MUTED}
        drawn.append({"data": {"values": rows}, "mark": mark, "encoding": encoding})
    return drawn


#: Along the axes of parallel coordinates; one scale for all layers.
_ALONG: dict[str, Any] = {
    "x": {
        "field": "a",
        "type": "quantitative",
        "axis": None,
        "scale": {"nice": False, "zero": False, "padding": 46},
    },
    "y": {
        "field": "p",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [-0.18, 1.1], "nice": False},
    },
}


def _axes(names: list[str]) -> dict[str, Any]:
    rows = [{"a": at, "p": 0, "p2": 1} for at in range(len(names))]
    encoding = {**_ALONG, "y2": {"field": "p2"}}
    return {
        "data": {"values": rows},
        "mark": {"type": "rule", "color": _LINE, "strokeWidth": 1},
        "encoding": encoding,
    }


def _ends(names: list[str], ends: list[tuple[str, str]]) -> Iterable[dict[str, Any]]:
    """Yield the words of the axes: low end, high end, and below the name, every other one a line lower."""
    words = [
        *((at, 1.06, high) for at, (_, high) in enumerate(ends)),
        *((at, -0.05, low) for at, (low, _) in enumerate(ends)),
    ]
    names_at = [(at, -0.105 if at % 2 else -0.16, name) for at, name in enumerate(names)]
    for rows, colour in ((words, _MUTED), (names_at, _INK)):
        encoding = {**_ALONG, "text": {"field": "w"}}
        told = [{"a": at, "p": place, "w": word} for at, place, word in rows]
        yield {
            "data": {"values": told},
            "mark": {"type": "text", "fontSize": 10.5, "color": colour},
            "encoding": encoding,
        }


def _place_of(tried: Tried, trial: Trial) -> float | None:
    value = trial.params.get(tried.name)
    return None if value is None else min(max(place_in(tried.bounds, value), 0.0), 1.0)


def _padded(low: float, high: float, *, is_log: bool) -> list[float]:
    """Return a domain that leaves room beside a range, so that its ends are seen."""
    if is_log:
        ratio = (high / low) ** 0.04 if high > low else 2.0
        return [low / ratio, high * ratio]
    room = (high - low) * 0.04 or abs(low) * 0.1 or 1.0
    return [low - room, high + room]


def _log_ticks(bounds: Bounds) -> list[float]:
    """Return ticks of a logarithmic axis: powers of ten, and 2 and 5 of them where there are few."""
    powers = range(floor(log10(bounds.low)), ceil(log10(bounds.high)) + 1)
    steps = (1, 2, 5) if len(powers) < 5 else (1,)
    ticks = [float(f"{step}e{power}") for power in powers for step in steps]
    return [one for one in ticks if bounds.low <= one <= bounds.high]


def _spanned(given: Iterable[float]) -> Bounds:
    known = list(given)
    return Bounds(min(known), max(known), "linear")


def _ends_of(name: str, bounds: Bounds, step: int, steps: int) -> dict[str, float]:
    return {name: value_at(bounds, step / steps), f"{name}2": value_at(bounds, (step + 1) / steps)}


def _step(place: float, steps: int) -> int:
    return min(max(int(place * steps), 0), steps - 1)


def _thinned(rows: list[tuple[int, list[float]]]) -> list[tuple[int, list[float]]]:
    """Return evenly chosen rows, the first and the last among them, when there are very many."""
    if len(rows) <= MOST_STEPS:
        return rows
    return [rows[round(at * (len(rows) - 1) / (MOST_STEPS - 1))] for at in range(MOST_STEPS)]
