"""SERVE: runs: reported by the machines that train, read by whoever may read.

Guarantees: each report may be repeated and has effect once, with or without an Idempotency-Key; it is
recorded whole or not at all. Trials are judged here, not by who reports them. Refuses, in the database, a
report on a run that another account started.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import Response

from setpoint.client.result_parsing import parse_unit_entry
from setpoint.client.results import RunOutcome
from setpoint.client.snapshot_set import SnapshotSet, parse_snapshot_set
from setpoint.errors import InvalidValue
from setpoint.govern.comparison import PairedRuns, RunVerdict, judge_against, judge_run, run_verdict
from setpoint.govern.range_evidence import RunAdvice, advise_run
from setpoint.record import result_rows, run_rows
from setpoint.record.coverage import Coverage, audit_console_coverage
from setpoint.record.results import record_units
from setpoint.record.run_rows import LATEST, read_run, read_units
from setpoint.record.runs import declare_units, record_outcome, record_start
from setpoint.serve.access.rules import ANYONE, REPORTERS, Caller, access
from setpoint.serve.api.events import deliver
from setpoint.serve.api.run_bodies import (
    EndedBody,
    EndedShape,
    OutcomeBody,
    ReportedShape,
    SnapshotSetBody,
    StartBody,
    UnitsBody,
    as_recorded,
)
from setpoint.serve.models import page_shape, shape_of
from setpoint.serve.responses import Answer, Once, as_json, page, place_of, write
from setpoint.serve.routes import (
    LONGEST_NAME,
    After,
    Filter,
    Limit,
    Number,
    PlaneOf,
    RunName,
    answers,
    router_of,
)

router = router_of("runs")
RUNS = page_shape(run_rows.RunSummary)
RUN = shape_of(run_rows.Run)
UNITS = page_shape(run_rows.DeclaredUnit)
RESULTS = page_shape(result_rows.RecordedResult)
TRIALS = page_shape(result_rows.RecordedTrial)
FAILURES = page_shape(result_rows.RecordedFailure)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: More than any unit has trials: a place among trials is one number.
_TRIALS = 2**32
NewRun = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="The run's id, as in its plan.")
]


@router.put(
    "/runs/{run}",
    summary="Record that a run starts, or goes on",
    responses=answers(ReportedShape, 409),
    **access(*REPORTERS),
)
def start_run(plane: PlaneOf, caller: Caller, once: Once, run: NewRun, body: StartBody) -> Response:
    """Record the plan and the snapshots it pins, before the first unit; the caller is who started it."""
    plan = as_recorded(body.plan)
    _require_named(run, plan["run"])
    snapshots = _snapshots(body.snapshots, run)

    def work(transaction: Any) -> Answer:
        record_start(transaction, plan, snapshots, caller.account, body.n_units)
        return Answer({"run": run})

    return write(plane, caller, once, work)


@router.put(
    "/runs/{run}/units",
    summary="Declare more units of a run",
    responses=answers(ReportedShape, 404, 409),
    **access(*REPORTERS),
)
def declare_run_units(plane: PlaneOf, caller: Caller, once: Once, run: NewRun, body: UnitsBody) -> Response:
    """Declare a page of those that its start counted and did not list; those that are known stay."""

    def work(transaction: Any) -> Answer:
        declare_units(transaction, run, body.first, body.units)
        return Answer({"run": run})

    return write(plane, caller, once, work)


@router.post(
    "/runs/{run}/units",
    summary="Record units that ended",
    responses=answers(EndedShape, 404, 409),
    **access(*REPORTERS),
)
def record_run_units(plane: PlaneOf, caller: Caller, once: Once, run: NewRun, body: EndedBody) -> Response:
    """Record results with their trials, or failures; a unit that is recorded stays as it is.

    What is wrong with the one `entry` is the answer; of several `entries` each is refused by itself.
    """
    if (body.entry is None) == (body.entries is None):
        raise InvalidValue("send one `entry` or a list of `entries`.")
    found = body.entries or [body.entry]
    entries = [parse_unit_entry(as_recorded(entry)) for entry in found]

    def work(transaction: Any) -> Answer:
        units = record_units(transaction, plane.catalogues, run, entries, aloud=body.entry is not None)
        delivered = body.events and deliver(transaction, body.events)
        return Answer({"run": run, "units": units, "events": delivered})

    return write(plane, caller, once, work)


@router.put(
    "/runs/{run}/outcome",
    summary="Record how a run ended",
    responses=answers(ReportedShape, 404),
    **access(*REPORTERS),
)
def end_run(plane: PlaneOf, caller: Caller, once: Once, run: NewRun, body: OutcomeBody) -> Response:
    """Record its state, the keys it read and the fallbacks it used; a run may end again, after going on."""

    def work(transaction: Any) -> Answer:
        record_outcome(transaction, run, RunOutcome(**as_recorded(body)))
        return Answer({"run": run})

    return write(plane, caller, once, work)


@router.get("/runs", summary="Recorded runs", responses=answers(RUNS), **access(*ANYONE))
def list_runs(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    state: run_rows.RunState | None = None,
    snapshot: Filter = None,
    started_by: Filter = None,
    revision: Number | None = None,
    key: Annotated[Filter, Query(description="Only runs that used its value of that revision.")] = None,
) -> Response:
    """List newest first, with how many of their units ended."""
    place = place_of(after)
    rows = run_rows.list_runs(
        plane.database,
        state=state,
        snapshot=snapshot,
        started_by=started_by,
        revision=revision,
        key=key,
        before=None if place is None else _instant(place),
        limit=limit + 1,
    )
    return page(rows, limit, [(row.started_at - _EPOCH) // _MICROSECOND for row in rows]).response()


@router.get("/runs/{run}", summary="One run", responses=answers(RUN, 404), **access(*ANYONE))
def get_run(plane: PlaneOf, run: RunName) -> Response:
    """Return what it pinned, what it rests on, and how it stands."""
    return Answer(read_run(plane.database, run)).response()


@router.get(
    "/runs/{run}/units",
    summary="The units that a run declares",
    responses=answers(UNITS, 404),
    **access(*ANYONE),
)
def list_run_units(plane: PlaneOf, run: RunName, limit: Limit = 50, after: After = None) -> Response:
    """List in the plan's order: each with the context it resolves in, and the snapshot it trains with."""
    found = read_run(plane.database, run).id
    rows = read_units(plane.database, found, limit=limit + 1, first=_next(after))
    return page(rows, limit, [row.position for row in rows]).response()


@router.get(
    "/runs/{run}/results", summary="A run's results", responses=answers(RESULTS, 404), **access(*ANYONE)
)
def list_run_results(
    plane: PlaneOf,
    run: RunName,
    limit: Limit = 50,
    after: After = None,
    symbol: Filter = None,
    model: Filter = None,
) -> Response:
    """List in the order in which units ended."""
    found = read_run(plane.database, run).id
    return _results(plane, limit, after, run=found, symbol=symbol, model=model)


@router.get("/results", summary="Results of every run", responses=answers(RESULTS), **access(*ANYONE))
def list_results(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    snapshot: Annotated[Filter, Query(description="The whole hash of the snapshot that made them.")] = None,
    symbol: Filter = None,
    model: Filter = None,
) -> Response:
    """List in the order in which they were recorded."""
    return _results(plane, limit, after, snapshot=snapshot, symbol=symbol, model=model)


@router.get("/runs/{run}/trials", summary="A run's trials", responses=answers(TRIALS, 404), **access(*ANYONE))
def list_trials(plane: PlaneOf, run: RunName, limit: Limit = 50, after: After = None) -> Response:
    """List in the order of units, with the invariants each broke; a run that trains may repeat some."""
    place, found = place_of(after), read_run(plane.database, run).id
    begin = result_rows.BEFORE_ALL if place is None else divmod(place, _TRIALS)
    rows = result_rows.list_trials(plane.database, found, after=begin, limit=limit + 1)
    places = [position * _TRIALS + trial for (position, trial), _row in rows]
    return page([row for _place, row in rows], limit, places).response()


@router.get(
    "/runs/{run}/failures",
    summary="Units that could not be trained",
    responses=answers(FAILURES, 404),
    **access(*ANYONE),
)
def list_failures(plane: PlaneOf, run: RunName, limit: Limit = 50, after: After = None) -> Response:
    """List in the order of units."""
    found = read_run(plane.database, run).id
    rows = result_rows.list_failures(plane.database, found, limit=limit + 1, first=_next(after))
    return page([row for _at, row in rows], limit, [position for position, _row in rows]).response()


@router.get(
    "/runs/{run}/verdict",
    summary="The canary verdict on a run",
    responses=answers(RunVerdict, 404),
    **access(*ANYONE),
)
def get_verdict(plane: PlaneOf, run: RunName) -> Response:
    """Judge it by the rule it recorded: rollback first, then insufficient data, hold, pass."""
    return Answer(run_verdict(judge_run(plane.database, run))).response()


@router.get(
    "/runs/{run}/paired",
    summary="The verdict on a run, and its difference from another one",
    responses=answers(PairedRuns, 404),
    **access(*ANYONE),
)
def get_paired(
    plane: PlaneOf,
    run: RunName,
    against: Annotated[str, Query(max_length=LONGEST_NAME, description="A run.")],
) -> Response:
    """The rule alone decides; the intervals, and a bound for every look at a run under way, inform."""
    return Answer(judge_against(plane.database, run, against)).response()


@router.get(
    "/runs/{run}/advice",
    summary="What a run's trials advise of its ranges",
    responses=answers(RunAdvice, 404),
    **access(*ANYONE),
)
def get_advice(plane: PlaneOf, run: RunName) -> Response:
    """Tell each range, what another one would cut and cost, and why; it is for a person to decide on."""
    floor = plane.settings.best_iteration_floor
    return Answer(advise_run(plane.database, plane.catalogues, run, floor=floor)).response()


@router.get(
    "/coverage", summary="Declared, seeded, read", responses=answers(shape_of(Coverage)), **access(*ANYONE)
)
def get_coverage(plane: PlaneOf) -> Response:
    """Audit the documents against the catalogues and against what runs read."""
    return Answer(audit_console_coverage(plane.database, plane.catalogues)).response()


def _results(plane: Any, limit: int, after: str | None, **filters: str | None) -> Response:
    rows = result_rows.list_results(plane.database, after=place_of(after) or 0, limit=limit + 1, **filters)
    return page(rows, limit, [row.id for row in rows]).response()


def _next(after: str | None) -> int:
    """Return the position behind that of a cursor; the first without one."""
    place = place_of(after)
    return 0 if place is None else min(place + 1, _TRIALS)


def _instant(microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise InvalidValue("the cursor is none of ours.", hint="send `next` unchanged") from None


def _require_named(run: str, planned: str) -> None:
    if planned != run or run == LATEST:
        raise InvalidValue(f"the plan is of run {planned[:100]!r}, the address of {run!r}.")


def _snapshots(body: SnapshotSetBody, run: str) -> SnapshotSet:
    found = parse_snapshot_set(as_json(as_recorded(body)), f"of run {run}")
    if not all(snapshot.document for snapshot in found.snapshots):
        raise InvalidValue("a snapshot holds no value.", hint="pin them with `setpoint sweep`")
    return found
