"""SERVE: the trials of a run: what the search reached, and where in the governed ranges.

Guarantees: a chart has an address of its own and is drawn when it is asked for, so that the page waits for
none; it is kept by its browser and named by the hash of what it shows. Each chart stands beside a table of
its numbers, which is all there is where charts cannot be drawn.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Path, Query, Request
from starlette.responses import Response

from setpoint.change.patch import Patch
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import InvalidValue, MissingError
from setpoint.govern.importance import GroupImportance, importance_by_group
from setpoint.govern.range_evidence import advise_of
from setpoint.govern.trials import EDGE_SHARE, GOOD_SHARE, MOST_TRIALS, Trials, groups_of, read_trials
from setpoint.record.dropped import TRIALS, told_of_dropped
from setpoint.record.run_rows import read_run, read_units
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, access
from setpoint.serve.chart_worker import INSTALL, can_draw
from setpoint.serve.conditional import etag_of, is_known
from setpoint.serve.console import chart_specs, chart_tables
from setpoint.serve.console.chart_specs import MOST_POINTS, Chart, reached_title
from setpoint.serve.console.drafts import lay
from setpoint.serve.console.forms import Sent
from setpoint.serve.console.pages import Words, act, go, page, refused, router_of
from setpoint.serve.responses import REVALIDATED
from setpoint.serve.routes import LONGEST_NAME, PlaneOf, RunName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from setpoint.govern.range_advice import RangeAdvice
    from setpoint.record.run_rows import Run
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

router = router_of()
Unit = Annotated[int | None, Query(ge=0, le=2**31 - 1)]


class Shown(NamedTuple):
    """What the charts of one page show."""

    run: Run
    #: Each model and timeframe that was searched.
    groups: list[tuple[str, str]]
    trials: Trials
    importance: GroupImportance | None


@router.get("/runs/{run}/charts", **access(*ANYONE))
def show_trials(
    plane: PlaneOf,
    request: Request,
    caller: Caller,
    run: RunName,
    model: Words = "",
    timeframe: Words = "",
    unit: Unit = None,
) -> Response:
    """Show what the trials of one model and timeframe reached, of all units or of one."""
    shown = _shown(plane, run, model, timeframe, unit)
    trials = shown.trials
    tables = _tables(shown)
    return page(
        request,
        "trials.html",
        tables=tables,
        row=shown.run,
        groups=shown.groups,
        trials=trials,
        dropped=told_of_dropped(plane.database, trials.run, TRIALS),
        importance=shown.importance,
        sizes=chart_specs.SIZES,
        importance_size=chart_specs.importance_size(shown.importance) if shown.importance else None,
        can_draw=can_draw(),
        install=INSTALL,
        reached=reached_title(trials),
        steps=tables["history"],
        parts={one.name: tables[f"values-{one.name}"] for one in trials.tried},
        best=chart_tables.best_of(trials),
        suggested=_advised(plane, trials) if unit is None else {},
        may_write=caller.may(*WRITERS),
        names={one.position: f"{one.symbol} fold {one.fold}" for one in trials.units},
        good_share=GOOD_SHARE,
        edge_share=EDGE_SHARE,
        most_trials=MOST_TRIALS,
        most_points=MOST_POINTS,
    )


@router.post("/runs/{run}/ranges", **access(*WRITERS))
def propose_ranges(plane: PlaneOf, request: Request, caller: Caller, run: RunName, form: Sent) -> Response:
    """Lay ranges that a run's trials suggest over the caller's draft, their evidence in its reason."""
    group = (form.get("model"), form.get("timeframe"))
    chosen = frozenset(form.all("param"))
    trials = read_trials(plane.database, plane.catalogues, run, group)
    found = [one for name, one in _advised(plane, trials).items() if one and name in chosen]

    def work(transaction: Transaction) -> int:
        if not found:
            raise InvalidValue("no range is chosen.", hint="tick a suggested range")
        patch = Patch({key: value for one in found for key, value in one.values.items()})
        why = ". ".join(one.reason(trials.run) for one in found)
        return lay(transaction, plane.catalogues, caller.account, GLOBAL_SCOPE, patch, why, (trials.run,))

    return act(
        plane,
        caller,
        work,
        then=lambda number: go(f"/changes/{number}"),
        instead=lambda problem: refused(request, problem),
    )


def _advised(plane: Plane, trials: Trials) -> dict[str, RangeAdvice | None]:
    """Return what is advised of each parameter that was searched; None for ranges that fit."""
    floor = plane.settings.best_iteration_floor
    found = {one.parameter: one for one in advise_of(plane.database, plane.catalogues, trials, floor=floor)}
    return {one.name: found.get(one.name) for one in trials.tried}


@router.get("/runs/{run}/charts/{chart}.svg", **access(*ANYONE))
async def show_chart(
    plane: PlaneOf,
    request: Request,
    run: RunName,
    chart: Annotated[str, Path(max_length=LONGEST_NAME)],
    model: Words = "",
    timeframe: Words = "",
    unit: Unit = None,
) -> Response:
    """Return one chart as SVG: `history`, `importance`, `parallel`, or the name of a parameter.

    Raises:
        MissingError: there is no such chart, or nothing to draw.
        UnavailableError: it cannot be drawn now, or not on this plane.
    """
    found = await plane.typed.run(_chart, plane, run, chart, model, timeframe, unit)
    etag = etag_of(f"{chart_specs.STYLE} {found.specification}".encode())
    headers = {
        "ETag": etag,
        "Cache-Control": REVALIDATED,
        "Content-Security-Policy": chart_specs.POLICY,
    }
    if is_known(request.headers.get("if-none-match", ""), etag):
        return Response(None, 304, headers)
    drawn = await plane.charts.draw(found.specification)
    return Response(chart_specs.finished(drawn, found), 200, headers, "image/svg+xml")


def _chart(plane: Plane, run: str, name: str, model: str, timeframe: str, unit: int | None) -> Chart:
    shown = _shown(plane, run, model, timeframe, unit)
    make = _charts(shown).get(name)
    if make is None:
        raise MissingError(f"run {shown.run.id} has no chart {name}.", hint="open the page of its trials")
    return make()


def _shown(plane: Plane, run: str, model: str, timeframe: str, unit: int | None) -> Shown:
    """Read what the charts of a model and timeframe show; of the run's first without one.

    Raises:
        UnknownRun: there is none.
        MissingError: the run has no such units.
    """
    database = plane.database
    row = read_run(database, run)
    units = read_units(database, row.id)
    groups = groups_of(units)
    chosen = next((one for one in groups if not model or one == (model, timeframe)), None)
    is_there = any((one.model, one.timeframe) == chosen and unit in {None, one.position} for one in units)
    if chosen is None or not is_there:
        raise MissingError(f"run {row.id} has no such units.", hint="open the page of its trials")
    trials = read_trials(database, plane.catalogues, row.id, chosen, unit=unit)
    importance = importance_by_group(database, row.id, model=chosen[0], timeframe=chosen[1], unit=unit)
    return Shown(row, groups, trials, next(iter(importance), None))


def _tables(shown: Shown) -> dict[str, Sequence[object]]:
    """Return the tables beside the charts by name, and every trial as a file has it."""
    trials = shown.trials
    return {
        "history": chart_tables.steps_of(trials),
        "importance": shown.importance.shares if shown.importance else (),
        "ranges": [
            {"key": one.declared.name, "range": one.bounds, "hits": one.hits, "good_hits": one.good_hits}
            for one in trials.tried
        ],
        **{f"values-{one.name}": chart_tables.parts_of(trials, one) for one in trials.tried},
        "trials": trials.complete,
    }


def _charts(shown: Shown) -> dict[str, Callable[[], Chart]]:
    """Return by name what makes each chart that there is something to draw for."""
    trials = shown.trials
    found: dict[str, Callable[[], Chart]] = {}
    if trials.complete:
        found |= {one.name: partial(chart_specs.values, trials, one) for one in trials.tried}
        found["history"] = partial(chart_specs.history, trials)
        found["parallel"] = partial(chart_specs.parallel, trials)
    if shown.importance:
        found["importance"] = partial(chart_specs.importance, shown.importance)
    return found
