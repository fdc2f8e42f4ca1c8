"""SERVE: the page of one unit of a run: its scores, and every parameter beside what its model holds.

Guarantees: all that was requested and all that the fitted model reports is told, each with why the two
differ; see :mod:`setpoint.govern.attested`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import Path, Request
from starlette.responses import Response

from setpoint.errors import MissingError
from setpoint.govern.attested import AS_ASKED, NOT_REQUESTED, attested_parameters
from setpoint.record.result_rows import list_failures, list_results
from setpoint.record.run_rows import read_run, read_units, unit_name
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.pages import page, router_of
from setpoint.serve.routes import PlaneOf, RunName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.client.results import UnitFacts
    from setpoint.record.run_rows import DeclaredUnit

    OfUnit = TypeVar("OfUnit", bound=UnitFacts)

router = router_of()
Position = Annotated[int, Path(ge=0, le=2**31 - 2)]
#: More results than one model has on one symbol in a run.
_RESULTS = 1_000


@router.get("/runs/{run}/units/{unit}", **access(*ANYONE))
def show_unit(plane: PlaneOf, request: Request, run: RunName, unit: Position) -> Response:
    """Show one unit of a run by its position."""
    database = plane.database
    row = read_run(database, run)
    found = read_units(database, row.id, first=unit, limit=2)
    if not found or found[0].position != unit:
        raise MissingError(f"run {row.id} has no unit {unit}.", hint="open the page of the run")
    chosen = found[0]
    results = list_results(database, run=row.id, symbol=chosen.symbol, model=chosen.model, limit=_RESULTS)
    result = _of(chosen, results)
    failures = (one for _position, one in list_failures(database, row.id, first=unit, limit=1))
    parameters = attested_parameters(result, plane.catalogues) if result else []
    return page(
        request,
        "unit.html",
        tables={"parameters": parameters},
        row=row,
        unit=chosen,
        has_next=len(found) > 1,
        result=result,
        failure=_of(chosen, failures),
        groups=(
            ("Not as requested", [one for one in parameters if one.outcome not in {AS_ASKED, NOT_REQUESTED}]),
            ("As requested", [one for one in parameters if one.outcome == AS_ASKED]),
            ("Not requested", [one for one in parameters if one.outcome == NOT_REQUESTED]),
        ),
    )


def _of(unit: DeclaredUnit, rows: Iterable[OfUnit]) -> OfUnit | None:
    return next((one for one in rows if unit_name(one) == unit.name), None)
