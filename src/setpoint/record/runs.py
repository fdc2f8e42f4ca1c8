"""RECORD: runs, written to the database once: what they pin, the units they declare, how they end.

Guarantees: every call may be repeated. A run's units are declared in pages, each whole or not at all; a unit
joins its run, and both their snapshots, by foreign keys that cannot be empty. Both doors record through the
same functions, of this module and of ``results``: ``DatabaseRecorder`` and the plane's routes. Refuses a run
under the id of another, and to call a run complete whose units are not all declared.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from setpoint.client.results import Unit
from setpoint.client.run_plan import WEAKEST_FIRST
from setpoint.client.snapshot_set import frozen, named
from setpoint.errors import ConflictError, HashMismatch, InvalidContext, InvalidValue
from setpoint.record.run_rows import read_run, read_units, unknown_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.client.results import RunOutcome
    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.store.database import Transaction

#: Columns of a run that are fields of its plan.
_PLAN_COLUMNS = ("versions", "git_commit", "seed", "processes", "threads", "universe", "host")


def record_start(
    transaction: Transaction,
    plan: Mapping[str, Any],
    snapshots: SnapshotSet,
    started_by: str,
    n_units: int | None = None,
) -> None:
    """Record a run, its units and their snapshots, before the first; a run that goes on is running again.

    Args:
        transaction: of whoever reports.
        plan: as in the run's ``plan.json``; its units may be the first page of them.
        snapshots: the set it pins.
        started_by: who starts it; a run that is known keeps who started it.
        n_units: how many units it declares in all; None for those of the plan.

    Raises:
        HashMismatch: the plan names another set, or another base.
        InvalidContext: the set lacks the context of a unit.
        ConflictError: the run is known, with another plan.
        StaleRevision: it is registered for a change, and pins other values than it was registered for.
        ForbiddenError: it is another account's.
    """
    _require_pinned(plan, snapshots)
    row = _run_row(plan, snapshots, started_by) | {"n_units": n_units or len(plan["units"])}
    # In one order for everybody: two runs with the same snapshots must not wait for each other.
    for digest, text in sorted({snapshot.hash: snapshot.text for snapshot in snapshots.snapshots}.items()):
        transaction.execute("insert_snapshot", hash=digest, text=text)
    transaction.execute("insert_snapshot_set", hash=snapshots.hash, text=snapshots.text)
    if transaction.execute("insert_run", **row):
        for context in _context_rows(snapshots):
            transaction.execute("insert_context", run_id=plan["run"], **context)
    else:
        _require_same(row, vars(read_run(transaction, plan["run"])))
    _update(transaction, plan["run"], state="running", is_over=False)
    declare_units(transaction, plan["run"], 0, plan["units"])


def declare_units(transaction: Transaction, run: str, first: int, units: Sequence[Sequence[Any]]) -> None:
    """Declare a page of a recorded run's units, the first of them at a position; those known stay.

    Raises:
        UnknownRun: no such run is recorded.
        InvalidContext: the run pins no snapshot for the context of a unit.
        InvalidValue: the run does not declare so many.
        ConflictError: another unit has the place of one, or one has another place.
        ForbiddenError: the run is another account's.
    """
    transaction.fetch_one("may_report", run_id=run)  # refuses another's run, of which nothing may be fresh
    found = transaction.fetch_one("lock_run", id=run)
    if found is None:
        raise unknown_run(run)
    if first + len(units) > found["n_units"]:
        raise InvalidValue(
            f"run {run} declares {found['n_units']} units, not {first + len(units)}.", hint="start a new run"
        )
    rows = _unit_rows(transaction, found, first, units)
    known = {unit.position: vars(unit) for unit in read_units(transaction, run, first=first, limit=len(rows))}
    if any(known.get(row["position"], row) != row for row in rows):
        raise ConflictError(f"run {run} is recorded with other units there.", hint="start a new run")
    fresh = [row for row in rows if row["position"] not in known]
    if fresh:
        transaction.execute("insert_units", run_id=run, units=fresh)


def record_outcome(transaction: Transaction, run: str, outcome: RunOutcome) -> None:
    """Record how a run ended.

    Raises:
        UnknownRun: no such run is recorded.
        ConflictError: it is said to be complete, and not all of its units were declared.
        ForbiddenError: the run is another account's.
    """
    if not _update(transaction, run, **vars(outcome), is_over=True):
        raise unknown_run(run)
    if outcome.state == "complete":
        _require_declared(transaction, run)


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


def _require_declared(transaction: Transaction, run: str) -> None:
    row = transaction.fetch_one("count_units", run_id=run) or {}
    if row["declared"] < row["n_units"]:
        raise ConflictError(
            f"run {run} is not complete: {row['declared']} of its {row['n_units']} units are declared.",
            hint=f"resume it: setpoint sweep --resume {run}",
        )


def _require_pinned(plan: Mapping[str, Any], snapshots: SnapshotSet) -> None:
    for name, there in (("set_hash", snapshots.hash), ("snapshot_hash", snapshots.base.hash)):
        if plan[name] != there:
            raise HashMismatch(
                f"run {plan['run']} is planned with {name} {plan[name][:12]}, not {there[:12]}.",
                hint="send the snapshot set that the run pins",
            )


def _require_same(planned: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name in ("set_hash", "n_units", "plan", "data_hash", "seed"):
        if planned[name] != known[name]:
            raise ConflictError(
                f"run {planned['id']} is recorded with another {name}.", hint="start a new run"
            )


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
        "plan": {
            name: plan[name]
            for name in ("data", "dimensions", "rule", "exercise", "evidence", "trigger")
            if plan.get(name)
        },
        "started_by": started_by,
    }


def _context_rows(snapshots: SnapshotSet) -> list[dict[str, Any]]:
    return [
        {"context": dict(one.context), "snapshot_hash": one.hash, "layers": _layers(one)}
        for one in snapshots.snapshots
    ]


def _unit_rows(
    transaction: Transaction, run: Mapping[str, Any], first: int, units: Sequence[Sequence[Any]]
) -> list[dict[str, Any]]:
    rows = transaction.fetch_all("list_pinned", run_id=run["id"])
    pinned = {frozen(row["context"]): row for row in rows}
    found = []
    for position, fields in enumerate(units, start=first):
        unit = dict(zip(Unit._fields, fields, strict=True))
        context = run["context"] | {name: str(unit[name]) for name in run["dimensions"] or ()}
        if frozen(context) not in pinned:
            raise InvalidContext(
                f"run {run['id']} pins no snapshot for {named(context)}, which a unit of it resolves in.",
                hint="pin it together with the others",
            )
        found.append({**unit, "position": position, **pinned[frozen(context)]})
    return found


def _layers(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [
        {
            "scope": layer.scope,
            "revision": layer.revision,
            "hash": layer.hash,
            "author": layer.author,
            "change": layer.change,
        }
        for layer in snapshot.layers
    ]


def _weakest_source(data: Mapping[str, Mapping[str, Any]]) -> str:
    sources = {entry["source"] for entry in data.values()}
    return next(label for label in WEAKEST_FIRST if label in sources)
