"""RECORD: runs and results, written to the database once.

Guarantees: every call may be repeated; a unit delivered twice is one row. Each result joins its unit, the
unit its run, and both their snapshots, by foreign keys that cannot be empty. Both doors record through the
same three functions: ``DatabaseRecorder`` and the plane's routes. Refuses a unit that its run does not
declare, and a result made with another snapshot.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from setpoint.change.invariants import violations
from setpoint.client.results import BREAKS_INVARIANT, ParamFinding, Unit
from setpoint.client.run_plan import WEAKEST_FIRST
from setpoint.declare.document import parse_text
from setpoint.errors import ConflictError, HashMismatch, InvalidValue
from setpoint.record.run_rows import read_run, read_units, unknown_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from setpoint.client.results import RunOutcome, TrialResult, UnitEntry, UnitResult
    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Transaction

#: Columns of a run that are fields of its plan.
_PLAN_COLUMNS = ("versions", "git_commit", "seed", "processes", "threads", "universe", "host")


def record_start(
    transaction: Transaction, plan: Mapping[str, Any], snapshots: SnapshotSet, started_by: str
) -> None:
    """Record a run, its units and their snapshots, before the first; a run that goes on is running again.

    Args:
        transaction: of whoever reports.
        plan: as in the run's ``plan.json``.
        snapshots: the set it pins.
        started_by: who starts it; a run that is known keeps who started it.

    Raises:
        HashMismatch: the plan names another set, or another base.
        InvalidContext: the set lacks the context of a unit.
        ConflictError: the run is known, with another plan.
        ForbiddenError: it is another account's.
    """
    _require_pinned(plan, snapshots)
    row, units = _run_row(plan, snapshots, started_by), _unit_rows(plan, snapshots)
    # In one order for everybody: two runs with the same snapshots must not wait for each other.
    for digest, text in sorted({snapshot.hash: snapshot.text for snapshot in snapshots.snapshots}.items()):
        transaction.execute("insert_snapshot", hash=digest, text=text)
    transaction.execute("insert_snapshot_set", hash=snapshots.hash, text=snapshots.text)
    if transaction.execute("insert_run", **row):
        for context in _context_rows(snapshots):
            transaction.execute("insert_context", run_id=plan["run"], **context)
        transaction.execute("insert_units", run_id=plan["run"], units=units)
    else:
        known = vars(read_run(transaction, plan["run"]))
        kept = [vars(unit) for unit in read_units(transaction, plan["run"])]
        _require_same(row | {"units": units}, known | {"units": kept})
    _update(transaction, plan["run"], state="running", is_over=False)


def record_unit(transaction: Transaction, catalogues: Catalogues, run: str, entry: UnitEntry) -> None:
    """Record one unit of a recorded run: its result with its trials, or its failure.

    Trials are judged here, by the invariants in force: a broken one is recorded, not refused.

    Raises:
        UnknownRun: no such run is recorded.
        InvalidValue: the run does not declare this unit, or the result is of another one.
        HashMismatch: the result was made with another snapshot than the run pins for the unit.
        ForbiddenError: the run is another account's.
    """
    if transaction.fetch_one("read_run", id=run) is None:
        raise unknown_run(run)
    unit = entry.unit._asdict()
    row = transaction.fetch_one("read_unit", run_id=run, **unit)
    if row is None:
        raise InvalidValue(f"run {run} declares no unit {' '.join(map(str, unit.values()))}.")
    if entry.failure:
        transaction.execute("insert_failure", run_id=run, **unit, **vars(entry.failure))
    if entry.result:
        _require_own(run, row["snapshot_hash"], entry.unit, entry.result)
        judge = partial(_broken, catalogues, parse_text(row["text"]), entry.unit)
        _record_result(transaction, run, entry.result, judge)


def _record_result(
    transaction: Transaction,
    run: str,
    result: UnitResult,
    judge: Callable[[Mapping[str, Any]], list[dict[str, Any]]],
) -> None:
    broken = {trial.trial: judge(trial.params) for trial in result.trials}
    columns = {name: value for name, value in asdict(result).items() if name != "trials"}
    columns["findings"] = [*columns["findings"], *map(asdict, _as_findings(broken.get(result.trial_id, [])))]
    transaction.execute("insert_result", result={"run_id": run, **columns})
    named = {"run_id": run, **{name: columns[name] for name in Unit._fields}}
    trials = [named | _judged(trial, broken[trial.trial]) for trial in result.trials]
    transaction.execute("insert_trials", trials=trials)


def record_outcome(transaction: Transaction, run: str, outcome: RunOutcome) -> None:
    """Record how a run ended.

    Raises:
        UnknownRun: no such run is recorded.
        ForbiddenError: the run is another account's.
    """
    if not _update(transaction, run, **vars(outcome), is_over=True):
        raise unknown_run(run)


def _update(
    transaction: Transaction,
    run: str,
    *,
    state: str,
    is_over: bool,
    read_keys: list[str] | None = None,
    fallbacks: dict[str, int] | None = None,
) -> int:
    return transaction.execute(
        "update_run_state",
        id=run,
        state=state,
        is_over=is_over,
        read_keys=read_keys,
        fallbacks=fallbacks,
    )


def _require_pinned(plan: Mapping[str, Any], snapshots: SnapshotSet) -> None:
    for name, there in (("set_hash", snapshots.hash), ("snapshot_hash", snapshots.base.hash)):
        if plan[name] != there:
            raise HashMismatch(
                f"run {plan['run']} is planned with {name} {plan[name][:12]}, not {there[:12]}.",
                hint="send the snapshot set that the run pins",
            )


def _require_same(planned: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name in ("set_hash", "units", "plan", "data_hash", "seed"):
        if planned[name] != known[name]:
            raise ConflictError(
                f"run {planned['id']} is recorded with another {name}.", hint="start a new run"
            )


def _require_own(run: str, pinned: str, unit: Unit, result: UnitResult) -> None:
    trained = Unit(*(getattr(result, name) for name in Unit._fields))
    if trained != unit:
        raise InvalidValue(f"the result is of {trained}, its entry of {unit}.")
    if result.snapshot_hash != pinned:
        raise HashMismatch(
            f"the result was made with snapshot {result.snapshot_hash[:12]}, "
            f"but run {run} pins {pinned[:12]} for this unit.",
            hint="a unit trains with one snapshot: start another run",
        )


def _broken(
    catalogues: Catalogues,
    document: Mapping[str, Any],
    unit: Unit,
    params: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Judge a trial's suggestion as if it were the document.

    Raises:
        InvalidValue: it suggests what is no value of the parameter.
    """
    values = {}
    for declared in catalogues.groups.get((unit.model, unit.timeframe), ()):
        if declared.parameter.name in params:
            suggested = declared.parameter.coerce(params[declared.parameter.name])
            values[declared.name] = declared.parameter.check(suggested, declared.name)
        elif declared.name in document:
            values[declared.name] = document[declared.name]
    return [violation._asdict() for violation in violations(catalogues, values, values)]


def _judged(trial: TrialResult, broken: list[dict[str, Any]]) -> dict[str, Any]:
    judged = replace(trial, findings=(*trial.findings, *_as_findings(broken)))
    return {**asdict(judged), "violations": broken}


def _as_findings(broken: list[dict[str, Any]]) -> list[ParamFinding]:
    """Return broken invariants as attestation tells what it finds: by name, with the values they judged."""
    return [
        ParamFinding(
            param=one["invariant"],
            asked=", ".join(f"{name} = {value}" for name, value in sorted(one["values"].items())),
            effective=None,
            finding=BREAKS_INVARIANT,
        )
        for one in broken
    ]


def _run_row(plan: Mapping[str, Any], snapshots: SnapshotSet, started_by: str) -> dict[str, Any]:
    hashes = "".join(f"{symbol} {entry['hash']}\n" for symbol, entry in sorted(plan["data"].items()))
    base = snapshots.base
    return {name: plan[name] for name in _PLAN_COLUMNS} | {
        "id": plan["run"],
        "snapshot_hash": base.hash,
        "set_hash": snapshots.hash,
        "context": dict(base.context),
        "layers": _layers(base),
        "catalogues": [dict(identity) for identity in base.catalogues],
        "data_hash": sha256(hashes.encode()).hexdigest(),
        "data_label": _weakest_source(plan["data"]),
        "plan": {name: plan[name] for name in ("data", "rule", "exercise") if plan.get(name)},
        "started_by": started_by,
    }


def _context_rows(snapshots: SnapshotSet) -> list[dict[str, Any]]:
    return [
        {"context": dict(one.context), "snapshot_hash": one.hash, "layers": _layers(one)}
        for one in snapshots.snapshots
    ]


def _unit_rows(plan: Mapping[str, Any], snapshots: SnapshotSet) -> list[dict[str, Any]]:
    rows = []
    for position, fields in enumerate(plan["units"]):
        unit = dict(zip(Unit._fields, fields, strict=True))
        own = {name: str(unit[name]) for name in plan["dimensions"]}
        snapshot = snapshots.for_context({**snapshots.base.context, **own})
        rows.append(
            {
                **unit,
                "position": position,
                "context": dict(snapshot.context),
                "snapshot_hash": snapshot.hash,
            }
        )
    return rows


def _layers(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [
        {"scope": layer.scope, "revision": layer.revision, "hash": layer.hash, "author": layer.author}
        for layer in snapshot.layers
    ]


def _weakest_source(data: Mapping[str, Mapping[str, Any]]) -> str:
    sources = {entry["source"] for entry in data.values()}
    return next(label for label in WEAKEST_FIRST if label in sources)
