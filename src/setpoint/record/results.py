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
    from collections.abc import Sequence

    from setpoint.change.invariants import Violation
    from setpoint.client.results import ParamFinding, TrialResult, UnitEntry, UnitResult
    from setpoint.declare.catalogue import Catalogues
    from setpoint.record.judges import Judge
    from setpoint.store.database import Transaction

    Row = dict[str, Any]
    #: A unit, and whether it is its result or its failure.
    _Named = tuple[Unit, bool]


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
    refused: dict[int, Receipt] = {}
    for place, (entry, pinned) in enumerate(zip(entries, batch.pinned(entries), strict=True)):
        try:
            batch.take(entry, pinned)
        except SetpointError as problem:
            if aloud:
                raise
            refused[place] = Receipt.of(problem)
    made = batch.write()
    return [
        refused.get(place) or Receipt("recorded" if made.pop(_named(entry), False) else "known")
        for place, entry in enumerate(entries)
    ]


class _Batch:
    """Rows of one run that are written together."""

    def __init__(self, transaction: Transaction, catalogues: Catalogues, run: str) -> None:
        self._transaction, self._catalogues, self._run = transaction, catalogues, run
        self._results: dict[Unit, Row] = {}
        self._trials: list[Row] = []
        self._failures: dict[Unit, Row] = {}

    def pinned(self, entries: Sequence[UnitEntry]) -> list[str | None]:
        """Return the hash of the snapshot that the run declares for each unit, in one look.

        Raises:
            UnknownRun, ForbiddenError: as ``record_units``.
        """
        units = [entry.unit._asdict() for entry in entries]
        rows = self._transaction.fetch_all("read_reported_units", run_id=self._run, units=units)
        if not all(row["is_there"] for row in rows):
            raise unknown_run(self._run)
        return [row["snapshot_hash"] for row in rows]

    def take(self, entry: UnitEntry, pinned: str | None) -> None:
        """Take one unit into the batch, once.

        Raises:
            InvalidValue, HashMismatch: as ``record_units``; nothing of the unit was taken.
        """
        if pinned is None:
            raise InvalidValue(f"run {self._run} declares no unit {' '.join(map(str, entry.unit))}.")
        if entry.failure:
            self._failures.setdefault(
                entry.unit, {**entry.unit._asdict(), **vars(entry.failure), **_cost(entry)}
            )
        if entry.result:
            _require_own(self._run, pinned, entry.unit, entry.result)
            if entry.unit not in self._results:
                self._take_result(entry.unit, entry.result, _cost(entry))

    def _take_result(self, unit: Unit, result: UnitResult, cost: Row) -> None:
        judge = self._judge(unit, result.snapshot_hash)
        broken = {trial.trial: judge.broken_by(trial.params) for trial in result.trials}
        named = {"run_id": self._run, **unit._asdict()}
        row = {name: value for name, value in vars(result).items() if name != "trials"}
        chosen = broken.get(result.trial_id, [])
        row |= {"findings": _found(result.findings, chosen), "metrics": vars(result.metrics)}
        trials = [_trial_row(named, trial, broken[trial.trial]) for trial in result.trials]
        self._results[unit] = named | row | cost
        self._trials += {trial["trial"]: trial for trial in reversed(trials)}.values()

    def _judge(self, unit: Unit, digest: str) -> Judge:
        return JUDGES.of(self._catalogues, digest, lambda: self._text(digest)).of(unit.model, unit.timeframe)

    def _text(self, digest: str) -> str:
        row = self._transaction.fetch_one("read_snapshot_text", hash=digest) or {}
        return str(row["text"])

    def write(self) -> dict[_Named, bool]:
        """Write what was taken; returns what was not recorded before.

        In one order for everybody: two batches with the same units must not wait for each other.
        """
        made: dict[_Named, bool] = {}
        if self._results:
            results = [self._results[unit] for unit in sorted(self._results)]
            rows = self._transaction.fetch_all("insert_results", results=results, trials=self._trials)
            made |= {(Unit(**row), True): True for row in rows}
        if self._failures:
            failures = [self._failures[unit] for unit in sorted(self._failures)]
            rows = self._transaction.fetch_all("insert_failures", run_id=self._run, failures=failures)
            made |= {(Unit(**row), False): True for row in rows}
        return made


def _cost(entry: UnitEntry) -> Row:
    return {"worker": entry.worker, "worker_time_sec": entry.worker_time_sec}


def _named(entry: UnitEntry) -> _Named:
    return entry.unit, entry.result is not None


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
