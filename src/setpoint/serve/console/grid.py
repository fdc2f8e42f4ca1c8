"""SERVE: the grid of the Config page: parameters by the parts of their keys, each value with its range drawn.

Guarantees: values of a row share one axis, so that what stands further right is larger; a range is drawn on
the scale that it is searched on. A cell says which scope its value is from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.impact import bounds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.change.impact import Bounds
    from setpoint.declare.catalogue import Catalogue
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Parameter, Scalar

#: Of the drawing of a range, in pixels: what lies at either end for the mark of a default.
WIDTH, MARGIN = 128, 5
LOG = "log"


@dataclass(frozen=True)
class Drawing:
    """A range as it is drawn: where it begins and ends, and where the default stands, in pixels."""

    x0: float
    x1: float
    mark: float | None


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


@dataclass(frozen=True)
class Grid:
    """The parameters of one value of the first key part, such as a model, by the other parts."""

    catalogue: str
    #: The value of the first part; empty for a catalogue without parts.
    part: str
    columns: Sequence[str]
    rows: Sequence[Row]

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


def parts_of(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the values of the first key part, of which each has a grid; one empty one without parts."""
    return tuple(catalogue.parts[0].tokens) if catalogue.parts else ("",)


def grid_of(catalogue: Catalogue, part: str, sheet: Sheet, search: str = "") -> Grid:
    """Return a grid.

    Args:
        catalogue: whose parameters.
        part: a value of its first key part.
        sheet: the values.
        search: only parameters whose name or meaning has this text; empty for all.
    """
    groups = {parts: group for parts, group in catalogue.groups.items() if not parts or parts[0] == part}
    columns = tuple(" · ".join(parts[1:]) or "value" for parts in groups)
    merged = sheet.merged()
    rows = []
    for parameter in catalogue.parameters:
        declared = [_member(group, parameter) for group in groups.values()]
        wanted = search.lower() in f"{parameter.name} {parameter.doc}".lower()
        if wanted and any(declared):
            rows.append(_row(parameter, declared, sheet, merged))
    return Grid(catalogue.name, part, columns, rows)


def _member(group: Sequence[Declared], parameter: Parameter) -> Declared | None:
    # By the declaration: two models may each declare a parameter of one name in their own words.
    return next((one for one in group if one.parameter is parameter), None)


def _row(
    parameter: Parameter, declared: Sequence[Declared | None], sheet: Sheet, merged: Mapping[str, Scalar]
) -> Row:
    bounds = [bounds_of(merged, one.name) if one and parameter.tuned else None for one in declared]
    axis = _axis([one for one in bounds if one])
    shown = sheet.layers[-1][0]
    cells: list[Cell | None] = []
    for one, bound in zip(declared, bounds, strict=True):
        if one is None:
            cells.append(None)
            continue
        value, scope = sheet.find(one.name)
        drawing = _drawing(bound, value, axis) if bound and axis else None
        cells.append(Cell(one.name, value, bound, drawing, scope, scope == shown))
    return Row(parameter, cells)


def _axis(bounds: Sequence[Bounds]) -> tuple[float, float, bool] | None:
    if not bounds:
        return None
    low, high = min(one.low for one in bounds), max(one.high for one in bounds)
    is_log = low > 0 and any(one.scale == LOG for one in bounds)
    return (math.log(low), math.log(high), True) if is_log else (low, high, False)


def _drawing(bounds: Bounds, value: Scalar | None, axis: tuple[float, float, bool]) -> Drawing:
    def x(given: float) -> float:
        low, high, is_log = axis
        place = math.log(given) if is_log else given
        share = (place - low) / (high - low) if high > low else 0.5
        return round(MARGIN + min(max(share, 0.0), 1.0) * (WIDTH - 2 * MARGIN), 1)

    drawable = isinstance(value, int | float) and (value > 0 or not axis[2])
    return Drawing(x(bounds.low), x(bounds.high), x(float(value)) if drawable else None)  # type: ignore[arg-type]
