"""SERVE: two models or scopes beside each other, only what differs unless all is asked for.

Guarantees: what is compared is what each side resolves to, its scope over global; a parameter that one side
alone has is told, and counts as no difference. Only the shown parameters are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastapi import Request
from starlette.responses import Response

from setpoint.change.documents import read_scopes, read_values
from setpoint.change.impact import bounds_of
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.config import View, layers_of, member_of
from setpoint.serve.console.grid import Sheet, outline_of, parts_of
from setpoint.serve.console.pages import Words, page, router_of
from setpoint.serve.console.review import VALUES_SHOWN
from setpoint.serve.console.tables import MOST_ROWS
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.parameters import Scalar
    from setpoint.serve.console.grid import Outline

router = router_of()


class Pair(NamedTuple):
    """One parameter in one column, on both sides; an empty key says that a side does not have it."""

    parameter: str
    column: str
    left_key: str
    left: Scalar | str | None
    right_key: str
    right: Scalar | str | None

    @property
    def differs(self) -> bool:
        """Say whether both sides have it and say other things of it."""
        return bool(self.left_key and self.right_key) and self.left != self.right


@router.get("/config/compare", **access(*ANYONE))
def show_comparison(
    plane: PlaneOf,
    request: Request,
    catalogue: Words = "",
    scope: Words = GLOBAL_SCOPE,
    part: Words = "",
    other_scope: Words = "",
    other_part: Words = "",
    every: Words = "",
) -> Response:
    """Show what two sides say of the same parameters, each a scope and a model."""
    catalogues = plane.catalogues
    member = member_of(catalogues, catalogue)
    sides = ((scope, part), (other_scope or scope, other_part or part))
    outlines = [outline_of(member, one, most_cells=MOST_ROWS) for _, one in sides]
    sheets = []
    with plane.database.transaction() as transaction:
        scopes = read_scopes(transaction)
        for (named, _), outline in zip(sides, outlines, strict=True):
            layers = layers_of(catalogues, scopes, View(named))
            values = read_values(transaction, catalogues, layers, outline.keys)
            sheets.append(Sheet([(layer, values.get(layer, {})) for layer in layers]))
    pairs = list(_pairs(outlines, sheets))
    shown = pairs if every else [one for one in pairs if one.differs]
    return page(
        request,
        "config_compared.html",
        tables={"differences": shown},
        pairs=shown,
        most=VALUES_SHOWN,
        n_alike=sum(not one.differs for one in pairs if one.left_key and one.right_key),
        n_alone=sum(not (one.left_key and one.right_key) for one in pairs),
        catalogue=member.name,
        catalogues=[one.name for one in catalogues.members],
        parts_known=parts_of(member),
        scopes=[one.scope for one in scopes],
        sides=[(named, outline.part) for (named, _), outline in zip(sides, outlines, strict=True)],
        every=every,
    )


def _pairs(outlines: list[Outline], sheets: list[Sheet]) -> Iterator[Pair]:
    cells = [dict(_cells(outline, sheet)) for outline, sheet in zip(outlines, sheets, strict=True)]
    for place in dict.fromkeys((*cells[0], *cells[1])):
        left, right = (one.get(place, ("", None)) for one in cells)
        yield Pair(*place, *left, *right)


def _cells(
    outline: Outline, sheet: Sheet
) -> Iterator[tuple[tuple[str, str], tuple[str, Scalar | str | None]]]:
    merged = sheet.merged()
    for line in outline.lines:
        for column, declared in zip(outline.columns, line.declared, strict=True):
            if declared is None:
                continue
            name = line.parameter.name
            yield (name, column), (declared.name, merged.get(declared.name))
            if line.parameter.tuned:
                bounds = bounds_of(merged, declared.name)
                yield (f"{name} range", column), (declared.name, str(bounds) if bounds else None)
