"""SERVE: the grid of the Config page: parameters by the parts of their keys, each value with its range drawn.

Guarantees: values of a row share one axis, so that what stands further right is larger; a range is drawn on
the scale that it is searched on. A cell says which scope its value is from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from setpoint.change.impact import bounds_of
from setpoint.declare.addresses import RANGE
from setpoint.declare.keys import range_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from setpoint.change.impact import Bounds
    from setpoint.declare.catalogue import Catalogue
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Parameter, Scalar

#: Of the drawing of a range, in pixels: what lies at either end for the mark of a default.
WIDTH, MARGIN = 128, 5
#: Of the density behind it: where it stands, and how high it is.
BASE, HEIGHT = 13, 12
LOG = "log"
#: The parts of keys whose ranges trials search.
TRIED_BY = ("model", "timeframe")
#: What a page holds of a large catalogue: columns side by side, and values.
MOST_COLUMNS, MOST_CELLS = 12, 360


@dataclass(frozen=True)
class Drawing:
    """A range as it is drawn: where it begins and ends, and where the default stands, in pixels."""

    x0: float
    x1: float
    mark: float | None
    #: The outline of where recent trials lie, as an SVG path; empty when there are none.
    density: str


@dataclass(frozen=True)
class Cell:
    """One value of the grid."""

    key: str
    value: Scalar | None
    bounds: Bounds | None
    drawing: Drawing | None
    #: The scope that says it; empty when none does.
    scope: str
    #: Said by the shown scope itself, and not by one below it.
    own: bool


@dataclass(frozen=True)
class Row:
    """A parameter with its value in each column; None where it does not apply."""

    parameter: Parameter
    cells: Sequence[Cell | None]

    @property
    def keys(self) -> frozenset[str]:
        """The keys of its values."""
        return frozenset(cell.key for cell in self.cells if cell)


@dataclass(frozen=True)
class Line:
    """A parameter, and what declares it in each column; None where it does not apply."""

    parameter: Parameter
    declared: Sequence[Declared | None]

    @property
    def keys(self) -> list[str]:
        """Every key of the line, with those of its ranges."""
        names = [one.name for one in self.declared if one]
        return [key for name in names for key in (name, *(range_keys(name) if self.parameter.tuned else ()))]


@dataclass(frozen=True)
class Outline:
    """What a grid shows of a catalogue, before any value is read: all of its lines, and a slice of them."""

    catalogue: str
    #: The value of the first part; empty for a catalogue without parts.
    part: str
    #: Every column that there is, and those that are shown.
    known: Sequence[str]
    columns: Sequence[str]
    lines: Sequence[Line]
    #: The first line of the slice, and how many it has at most.
    first: int
    most: int

    @property
    def shown(self) -> Sequence[Line]:
        """The lines of the slice."""
        return self.lines[self.first : self.first + self.most]

    @property
    def keys(self) -> list[str]:
        """Every key of the slice."""
        return [key for line in self.shown for key in line.keys]


@dataclass(frozen=True)
class Grid:
    """The values of an outline's slice."""

    outline: Outline
    rows: Sequence[Row]

    @property
    def is_drawn(self) -> bool:
        """Whether a range of it is drawn."""
        return any(one and one.drawing for row in self.rows for one in row.cells)

    @property
    def cells(self) -> list[dict[str, object]]:
        """The values one by one, as a file of the grid has them."""
        return [
            {"key": one.key, "value": one.value, "scope": one.scope, "range": one.bounds}
            for row in self.rows
            for one in row.cells
            if one
        ]


@dataclass(frozen=True)
class Sheet:
    """Layers of values, the shown scope's last: ``(scope, values)``, later wins."""

    layers: Sequence[tuple[str, Mapping[str, Scalar]]]
    #: By key, how many recent trials lie in even parts of its range.
    densities: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def find(self, key: str) -> tuple[Scalar | None, str]:
        """Return a key's value and the scope that says it."""
        for scope, values in reversed(self.layers):
            if key in values:
                return values[key], scope
        return None, ""

    def merged(self) -> dict[str, Scalar]:
        """Return every value that stands."""
        found: dict[str, Scalar] = {}
        for _, values in self.layers:
            found.update(values)
        return found


def value_key(key: str) -> str:
    """Return the key of the value that a key belongs to: itself, or of a range's field its parameter's."""
    name, separator, _ = key.rpartition(f"{RANGE}_")
    return name if separator else key


def parts_of(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the values of the first key part, of which each has a grid; one empty one without parts."""
    return tuple(catalogue.parts[0].tokens) if catalogue.parts else ("",)


def outline_of(
    catalogue: Catalogue,
    part: str = "",
    *,
    search: str = "",
    columns: Collection[str] = (),
    first: int = 0,
    most_cells: int = MOST_CELLS,
) -> Outline:
    """Return what a grid shows.

    Args:
        catalogue: whose parameters.
        part: a value of its first key part; the first one for any other text.
        search: only parameters whose name or meaning has this text; empty for all.
        columns: only these; none for as many as a page holds.
        first: the first line of the slice.
        most_cells: how many values the slice holds, at least a line.
    """
    part = part if part in parts_of(catalogue) else parts_of(catalogue)[0]
    groups = {
        " · ".join(parts[1:]) or "value": group
        for parts, group in catalogue.groups.items()
        if not parts or parts[0] == part
    }
    wanted = [name for name in groups if name in columns] or list(groups)[:MOST_COLUMNS]
    lines = []
    for parameter in catalogue.parameters:
        declared = [_member(groups[name], parameter) for name in wanted]
        if search.lower() in f"{parameter.name} {parameter.doc}".lower() and any(declared):
            lines.append(Line(parameter, declared))
    most = max(most_cells // len(wanted), 1)
    start = first if 0 <= first < len(lines) else 0
    return Outline(catalogue.name, part, tuple(groups), wanted, lines, start, most)


def ranges_of(catalogue: Catalogue, outline: Outline, sheet: Sheet) -> list[tuple[Declared, Bounds]]:
    """Return the ranges of an outline's slice whose keys name a model and a timeframe, as trials do."""
    if tuple(part.name for part in catalogue.parts) != TRIED_BY:
        return []
    merged = sheet.merged()
    tuned = (one for line in outline.shown for one in line.declared if one and one.parameter.tuned)
    return [(one, bounds) for one in tuned if (bounds := bounds_of(merged, one.name))]


def grid_of(outline: Outline, sheet: Sheet) -> Grid:
    """Return the values of an outline's slice."""
    merged = sheet.merged()
    return Grid(outline, [_row(line, sheet, merged) for line in outline.shown])


def _member(group: Sequence[Declared], parameter: Parameter) -> Declared | None:
    # By the declaration: two models may each declare a parameter of one name in their own words.
    return next((one for one in group if one.parameter is parameter), None)


def _row(line: Line, sheet: Sheet, merged: Mapping[str, Scalar]) -> Row:
    parameter, declared = line.parameter, line.declared
    bounds = [bounds_of(merged, one.name) if one and parameter.tuned else None for one in declared]
    axis = _axis([one for one in bounds if one])
    shown = sheet.layers[-1][0]
    cells: list[Cell | None] = []
    for one, bound in zip(declared, bounds, strict=True):
        if one is None:
            cells.append(None)
            continue
        value, scope = sheet.find(one.name)
        drawing = _drawing(bound, value, axis, sheet.densities.get(one.name, ())) if bound and axis else None
        cells.append(Cell(one.name, value, bound, drawing, scope, scope == shown))
    return Row(parameter, cells)


def _axis(bounds: Sequence[Bounds]) -> tuple[float, float, bool] | None:
    if not bounds:
        return None
    low, high = min(one.low for one in bounds), max(one.high for one in bounds)
    is_log = low > 0 and any(one.scale == LOG for one in bounds)
    return (math.log(low), math.log(high), True) if is_log else (low, high, False)


def _drawing(
    bounds: Bounds, value: Scalar | None, axis: tuple[float, float, bool], density: Sequence[int]
) -> Drawing:
    def x(given: float) -> float:
        low, high, is_log = axis
        place = math.log(given) if is_log else given
        share = (place - low) / (high - low) if high > low else 0.5
        return round(MARGIN + min(max(share, 0.0), 1.0) * (WIDTH - 2 * MARGIN), 1)

    drawable = isinstance(value, int | float) and (value > 0 or not axis[2])
    mark = x(float(value)) if drawable else None  # type: ignore[arg-type]  # a number is drawable
    return Drawing(x(bounds.low), x(bounds.high), mark, _outline(x(bounds.low), x(bounds.high), density))


def _outline(x0: float, x1: float, density: Sequence[int]) -> str:
    """Return the steps of a density between two places, its highest bin as high as the drawing."""
    if not any(density):
        return ""
    width, most = (x1 - x0) / len(density), max(density)
    steps = "".join(
        f"V{round(BASE - HEIGHT * count / most, 1)}H{round(x0 + width * (at + 1), 1)}"
        for at, count in enumerate(density)
    )
    return f"M{x0} {BASE}{steps}V{BASE}Z"
