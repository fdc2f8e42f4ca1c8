"""GOVERN: what a run of a change's candidate, and its pair, say of the change: its checks.

- **smoke**: every unit of the candidate was trained;
- **canary**: the verdict on the candidate over the units of its pair. The rule is that of the values which
  stand: a change of the rule does not judge itself;
- **ranges**: no best trial of the pair, which searched the ranges that stand, lies outside the candidate's.

Guarantees: everything is read from rows that the runs' own reporter wrote, and the same rows say the same.
What a check is worth for its change is judged in the database, whenever it is asked. Refuses runs that are
not complete, or that nobody registered for the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from setpoint.change.candidates import (
    attach_check,
    read_candidate,
    read_registered,
    register_runs,
    require_registered,
)
from setpoint.change.changes import list_checks
from setpoint.change.identity import author_of
from setpoint.change.impact import bounds_of
from setpoint.client.doors import ChangeDoor
from setpoint.client.snapshot_set import frozen
from setpoint.declare.document import parse_text
from setpoint.errors import MissingError
from setpoint.govern.comparison import view_run
from setpoint.govern.verdict import Rule, judge
from setpoint.record.run_rows import unit_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from setpoint.change.changes import ChangeCheck, CheckKind
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.govern.comparison import RunView
    from setpoint.record.result_rows import RecordedResult
    from setpoint.store.database import Database, Transaction

#: How many trials that a range cuts off are named.
_NAMED = 3
_OF_VERDICT: dict[str, Literal["pass", "hold", "fail"]] = {"pass": "pass", "rollback": "fail"}


class Shown(NamedTuple):
    """What a pair of runs shows of one kind."""

    kind: CheckKind
    result: Literal["pass", "hold", "fail"]
    reasons: tuple[str, ...]


def attach_evidence(
    transaction: Transaction, catalogues: Catalogues, change: int, run: str
) -> tuple[ChangeCheck, ...]:
    """Attach what a complete run of a change's candidate showed, once; returns its checks.

    Committed by the caller.

    Raises:
        MissingError: the run is not registered for the candidate of this change.
        ForbiddenError: somebody else registered it.
        ConflictError: it, or its pair, is not complete.
    """
    registered = read_registered(transaction, run)
    if registered is None or (registered.change, registered.arm) != (change, "candidate"):
        raise MissingError(
            f"run {run} trains no candidate of change {change}.",
            hint="a sweep of a change registers its runs before they pin",
        )
    candidate = view_run(transaction, run)
    current = view_run(transaction, registered.other) if registered.other else None
    for one in shown_by(catalogues, candidate, current):
        attach_check(transaction, run, one.kind, one.result, one.reasons)
    return tuple(check for check in list_checks(transaction, change) if check.run == run)


def shown_by(catalogues: Catalogues, candidate: RunView, current: RunView | None) -> Iterator[Shown]:
    """Yield what a candidate's run shows, and with its pair, what the two show."""
    yield _smoke(candidate)
    if current is not None:
        yield _canary(candidate, current)
        yield _ranges(catalogues, candidate, current)


def change_door(database: Database, catalogues: Catalogues) -> ChangeDoor:
    """Return what makes runs evidence for changes, over an open database."""
    author = author_of(database).name

    def register(change: int, run: str, current: str | None) -> None:
        with database.transaction(author=author) as transaction:
            register_runs(transaction, catalogues, change, run, current)

    def candidate(change: int, run: str, contexts: Sequence[dict[str, str]]) -> SnapshotSet:
        with database.transaction(author=author) as transaction:
            require_registered(transaction, run, change, author)
            return read_candidate(transaction, catalogues, change, contexts)

    def attach(change: int, run: str) -> list[dict[str, Any]]:
        with database.transaction(author=author) as transaction:
            return [vars(check) for check in attach_evidence(transaction, catalogues, change, run)]

    return ChangeDoor(register, candidate, attach)


def _smoke(candidate: RunView) -> Shown:
    missing = len(candidate.units) - len(candidate.results)
    if not missing:
        return Shown("smoke", "pass", (f"{len(candidate.results)} units were trained",))
    said = [f"{_unit(one)}: {one.message}" for one in candidate.failures[:1]]
    return Shown("smoke", "fail", (f"{missing} of {len(candidate.units)} units were not trained", *said))


def _canary(candidate: RunView, current: RunView) -> Shown:
    units = [unit.name for unit in current.units]
    if {unit.name for unit in candidate.units} != set(units):
        return Shown("canary", "hold", ("the candidate has other units than what stands",))
    verdict = judge(units, map(_scored, candidate.results), Rule(**current.row.plan["rule"]))
    return Shown("canary", _OF_VERDICT.get(verdict.outcome, "hold"), (f"{verdict}", *verdict.reasons))


def _ranges(catalogues: Catalogues, candidate: RunView, current: RunView) -> Shown:
    texts = {frozen(one.context): one.text for one in candidate.contexts}
    declared = {unit.name: unit.context for unit in candidate.units}
    judged = [one for one in current.results if unit_name(one) in declared]
    if not judged:
        return Shown("ranges", "hold", ("no unit of both was trained",))
    documents = {name: parse_text(texts[frozen(context)]) for name, context in declared.items()}
    cut = [said for one in judged for said in _cut_off(catalogues, documents[unit_name(one)], one)]
    if not cut:
        return Shown("ranges", "pass", (f"no best trial of {len(judged)} units lies outside a range",))
    more = (f"and {len(cut) - _NAMED} more",) if len(cut) > _NAMED else ()
    return Shown("ranges", "fail", (*cut[:_NAMED], *more))


def _cut_off(catalogues: Catalogues, document: Mapping[str, Any], best: RecordedResult) -> Iterator[str]:
    """Yield each value of a unit's best trial that lies outside the range which a document gives."""
    for one in catalogues.groups.get((best.model, best.timeframe), ()):
        value, bounds = best.model_hyperparams.get(one.parameter.name), bounds_of(document, one.name)
        if bounds and isinstance(value, int | float) and not bounds.contains(value):
            yield f"{one.parameter.name} {value} of {_unit(best)} lies outside {bounds}"


def _scored(result: RecordedResult) -> dict[str, Any]:
    """Return a result as the rule of a verdict reads it."""
    return {**vars(result), "auc_val": result.metrics.val["auc"]}


def _unit(row: Any) -> str:
    return " ".join(map(str, unit_name(row)))
