"""RECORD: units that ended, written to the database in batches: results with their trials, and failures.

Guarantees: every batch may be repeated, in any order and in any cut; a unit that is recorded stays as it is.
What a batch costs depends on the batch, not on how many units its run declares. Trials are judged here, by
the invariants in force: a broken one is recorded, not refused. A unit that cannot be recorded is refused
alone, and holds up no other. Refuses a unit that its run does not declare, a result made with another
snapshot, and a suggestion that is no value of its parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.client.results import BREAKS_INVARIANT, Receipt, Unit
from setpoint.errors import HashMismatch, InvalidValue, SetpointError
from setpoint.record.judges import JUDGES
from setpoint.record.run_rows import unknown_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.change.invariants import Violation
    from setpoint.client.results import ParamFinding, TrialResult, UnitEntry, UnitResult
    from setpoint.declare.catalogue import Catalogues
    from setpoint.record.judges import Judge
    from setpoint.store.database import Transaction

    Row = dict[str, Any]


def record_units(
    transaction: Transaction,
    catalogues: Catalogues,
    run: str,
    entries: Sequence[UnitEntry],
    *,
    aloud: bool = False,
) -> list[Receipt]:
    """Record units of a recorded run; returns what became of each, in the order of ``entries``.

    Args:
        transaction: of whoever reports.
        catalogues: what trials are judged by.
        run: its id.
        entries: results with their trials, or failures.
        aloud: raise what is wrong with a unit, instead of telling it in its receipt.

    Raises:
        UnknownRun: no such run is recorded.
        ForbiddenError: the run is another account's.
        InvalidValue: aloud: the run does not declare this unit, the result is of another one, or a trial
            suggests what is no value.
        HashMismatch: aloud: the result was made with another snapshot than the run pins for the unit.
    """
    batch = _Batch(transaction, catalogues, run)
    receipts = []
    for entry, declared in zip(entries, batch.declared(entries), strict=True):
        try:
            receipts.append(Receipt("recorded" if batch.take(entry, declared) else "known"))
        except SetpointError as problem:
            if aloud:
                raise
            receipts.append(Receipt.of(problem))
    batch.write()
    return receipts


class _Batch:
    """Rows of one run that are written together."""

    def __init__(self, transaction: Transaction, catalogues: Catalogues, run: str) -> None:
        self._transaction, self._catalogues, self._run = transaction, catalogues, run
        self._results: dict[Unit, Row] = {}
        self._trials: list[Row] = []
        self._failures: dict[Unit, Row] = {}

    def declared(self, entries: Sequence[UnitEntry]) -> list[Row]:
        """Return what the run declares of each unit and what is recorded of it, in one look.

        Raises:
            UnknownRun, ForbiddenError: as ``record_units``.
        """
        allowed = self._transaction.fetch_one("may_report", run_id=self._run)
        if not (allowed and allowed["is_there"]):
            raise unknown_run(self._run)
        units = [entry.unit._asdict() for entry in entries]
        return self._transaction.fetch_all("read_reported_units", run_id=self._run, units=units)

    def take(self, entry: UnitEntry, declared: Mapping[str, Any]) -> bool:
        """Take one unit into the batch; False when it is recorded, here or before.

        Raises:
            InvalidValue, HashMismatch: as ``record_units``; nothing of the unit was taken.
        """
        unit = entry.unit
        if declared["snapshot_hash"] is None:
            raise InvalidValue(f"run {self._run} declares no unit {' '.join(map(str, unit))}.")
        if entry.failure:
            failure = {**unit._asdict(), **vars(entry.failure)}
            return not declared["has_failure"] and self._failures.setdefault(unit, failure) is failure
        result = entry.result
        if result is None:
            return False
        _require_own(self._run, declared["snapshot_hash"], unit, result)
        if declared["has_result"] or unit in self._results:
            return False
        self._take_result(unit, result)
        return True

    def _take_result(self, unit: Unit, result: UnitResult) -> None:
        judge = self._judge(unit, result.snapshot_hash)
        broken = {trial.trial: judge.broken_by(trial.params) for trial in result.trials}
        named = {"run_id": self._run, **unit._asdict()}
        row = {name: value for name, value in vars(result).items() if name != "trials"}
        chosen = broken.get(result.trial_id, [])
        row |= {"findings": _found(result.findings, chosen), "metrics": vars(result.metrics)}
        trials = [_trial_row(named, trial, broken[trial.trial]) for trial in result.trials]
        self._results[unit] = named | row
        self._trials += {trial["trial"]: trial for trial in reversed(trials)}.values()

    def _judge(self, unit: Unit, digest: str) -> Judge:
        return JUDGES.of(self._catalogues, digest, lambda: self._text(digest)).of(unit.model, unit.timeframe)

    def _text(self, digest: str) -> str:
        row = self._transaction.fetch_one("read_snapshot_text", hash=digest) or {}
        return str(row["text"])

    def write(self) -> None:
        """Write what was taken, in one order for everybody: two batches must not wait for each other."""
        if self._results:
            results = [self._results[unit] for unit in sorted(self._results)]
            self._transaction.fetch_all("insert_results", results=results, trials=self._trials)
        if self._failures:
            failures = [self._failures[unit] for unit in sorted(self._failures)]
            self._transaction.execute("insert_failures", run_id=self._run, failures=failures)


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


def _trial_row(named: Row, trial: TrialResult, broken: Sequence[Violation]) -> Row:
    findings = _found(trial.findings, broken)
    return {**named, **vars(trial), "findings": findings, "violations": [one._asdict() for one in broken]}


def _found(findings: Sequence[ParamFinding], broken: Sequence[Violation]) -> list[Row]:
    """Return what attestation found, and broken invariants told likewise: by name, with what they judged."""
    return [vars(finding) for finding in findings] + [
        {
            "param": one.invariant,
            "asked": ", ".join(f"{name} = {value}" for name, value in sorted(one.values.items())),
            "effective": None,
            "finding": BREAKS_INVARIANT,
        }
        for one in broken
    ]
