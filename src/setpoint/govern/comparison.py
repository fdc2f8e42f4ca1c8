"""GOVERN: what recorded runs say: their verdict, and how two of them differ.

Guarantees: everything is read from the database, where a run, its snapshot and its results join; the
rule is the one the run recorded before it started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from setpoint.client.snapshot_set import named
from setpoint.declare.document import Edit, diff, parse_text
from setpoint.govern.verdict import Aggregation, Rule, Verdict, judge, unjudged
from setpoint.record.result_rows import read_failures, read_results
from setpoint.record.run_rows import list_runs, read_contexts, read_run, read_units, unit_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.record.result_rows import RecordedFailure, RecordedResult
    from setpoint.record.run_rows import DeclaredUnit, PinnedContext, Run
    from setpoint.store.database import Database


@dataclass(frozen=True)
class RunView:
    """One run with everything that was recorded of it."""

    row: Run
    #: The declared units in their order, each with its context and the hash of its snapshot.
    units: list[DeclaredUnit]
    #: The snapshots of the run by context, the base first.
    contexts: list[PinnedContext]
    results: list[RecordedResult]
    failures: list[RecordedFailure]
    verdict: Verdict

    @property
    def run(self) -> str:
        """The run's id."""
        return self.row.id


@dataclass(frozen=True, kw_only=True)
class RunVerdict(Verdict):
    """How the canary rule judges a run, with the scores it judged by."""

    run: str
    #: The weakest source among its candles: real, proxy or synthetic.
    data: str
    aggregation: Aggregation


def view_run(database: Database, run: str) -> RunView:
    """Read a run and judge it; ``latest`` names the newest.

    Raises:
        UnknownRun: there is none.
    """
    row = read_run(database, run)
    results = read_results(database, row.id)
    scored = [{**vars(result), "auc_val": result.metrics.val["auc"]} for result in results]
    units = read_units(database, row.id)
    verdict = judge([unit.name for unit in units], scored, Rule(**row.plan["rule"]))
    if exercise := row.plan.get("exercise"):
        verdict = unjudged(verdict, f"an exercise of the fallback of {exercise['key']} is no canary")
    contexts, failures = read_contexts(database, row.id), read_failures(database, row.id)
    return RunView(row, units, contexts, results, failures, verdict)


def run_verdict(view: RunView) -> RunVerdict:
    """Return the verdict of a run as scripts and the plane's clients read it."""
    judged = view.verdict
    return RunVerdict(
        **vars(judged), run=view.run, data=view.row.data_label, aggregation=judged.rule.aggregation
    )


def latest_verdict(database: Database) -> RunVerdict | None:
    """Return the verdict on the newest complete run; None before the first."""
    newest = list_runs(database, limit=1, state="complete")
    return run_verdict(view_run(database, newest[0].id)) if newest else None


@dataclass(frozen=True)
class Comparison:
    """How two runs differ; the first is the old one."""

    old: RunView
    new: RunView
    #: Of the bases: what concerns every unit, unless an overlay of its own says otherwise.
    configuration: tuple[Edit, ...]
    #: What differs for a context beyond that, with how people write the context.
    overlays: tuple[tuple[str, Edit], ...]
    #: Per unit and parameter: what the fitted models held.
    effective: tuple[tuple[str, Edit], ...]
    #: Facts of the runs themselves that differ: data, versions, commit, threads.
    circumstances: tuple[tuple[str, Any, Any], ...]
    #: Units whose models are identical, and units that both runs have.
    identical: int
    shared: int


def compare_runs(database: Database, old: str, new: str) -> Comparison:
    """Compare configuration, effective parameters and metrics of two runs."""
    first, second = view_run(database, old), view_run(database, new)
    pairs = _pairs(first, second)
    base = tuple(diff(_documents(first)[0], _documents(second)[0]))
    return Comparison(
        first,
        second,
        base,
        tuple(_overlay_edits(first, second, base)),
        tuple(
            (f"{a.symbol} {a.model} fold {a.fold}", edit)
            for a, b in pairs
            for edit in diff(_effective(a), _effective(b))
        ),
        tuple(_circumstances(first.row, second.row)),
        sum(a.model_hash == b.model_hash for a, b in pairs),
        len(pairs),
    )


def _documents(view: RunView) -> list[dict[str, Any]]:
    """Return the documents of a run in the order of its contexts, the base first."""
    return [parse_text(one.text) for one in view.contexts]


def _overlay_edits(first: RunView, second: RunView, base: Iterable[Edit]) -> Iterator[tuple[str, Edit]]:
    """Yield what differs between the documents of units that both runs have, where the bases do not."""
    everywhere = set(base)
    olds, news = (
        {named(one.context): parse_text(one.text) for one in view.contexts} for view in (first, second)
    )
    for old, new in _shared_contexts(first, second):
        own = (edit for edit in diff(olds[old], news[new]) if edit not in everywhere)
        yield from ((new, edit) for edit in own)


def _shared_contexts(first: RunView, second: RunView) -> list[tuple[str, str]]:
    """Return, each once, the contexts that the same unit has in both runs."""
    olds, news = ({unit.name: named(unit.context) for unit in view.units} for view in (first, second))
    return list(dict.fromkeys((olds[unit], news[unit]) for unit in olds if unit in news))


def _pairs(first: RunView, second: RunView) -> list[tuple[RecordedResult, RecordedResult]]:
    others = {unit_name(result): result for result in second.results}
    return [(one, others[unit_name(one)]) for one in first.results if unit_name(one) in others]


def _effective(result: RecordedResult) -> dict[str, Any]:
    return dict(result.effective_params)


def _circumstances(old: Run, new: Run) -> list[tuple[str, Any, Any]]:
    names = ("set_hash", "snapshot_hash", "data_hash", "data_label", "git_commit", "seed", "threads", "host")
    facts = [(name, getattr(old, name), getattr(new, name)) for name in names]
    facts += [
        (f"version of {package}", old.versions.get(package), new.versions.get(package))
        for package in sorted(old.versions.keys() | new.versions.keys())
    ]
    return [fact for fact in facts if fact[1] != fact[2]]
