"""GOVERN: what recorded runs say: their verdict, and how two or more of them differ.

Guarantees: everything is read from the database, where a run, its snapshot and its results join; the
rule is the one the run recorded before it started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.client.results import Unit
from setpoint.client.snapshot_set import named
from setpoint.declare.document import parse_text
from setpoint.govern.paired import Pair, Paired, compare_pairs
from setpoint.govern.verdict import Aggregation, Rule, Verdict, judge, unjudged
from setpoint.record.result_rows import count_ended, read_failures, read_results, read_scores
from setpoint.record.run_rows import read_contexts, read_run, read_units, unit_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from setpoint.govern.verdict import ModelScore
    from setpoint.record.result_rows import RecordedFailure, RecordedResult
    from setpoint.record.run_rows import DeclaredUnit, PinnedContext, Run
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True, kw_only=True)
class JudgedRun:
    """One run, how many of its units ended, and how the canary rule judges it."""

    row: Run
    n_results: int
    n_failures: int
    verdict: Verdict

    @property
    def run(self) -> str:
        """The run's id."""
        return self.row.id


@dataclass(frozen=True, kw_only=True)
class RunView(JudgedRun):
    """One run with everything that was recorded of its units."""

    #: The declared units in their order, each with its context and the hash of its snapshot.
    units: list[DeclaredUnit]
    #: The snapshots of the run by context, the base first.
    contexts: list[PinnedContext]
    results: list[RecordedResult]
    failures: list[RecordedFailure]


@dataclass(frozen=True, kw_only=True)
class RunVerdict(Verdict):
    """How the canary rule judges a run, with the scores it judged by."""

    run: str
    #: The weakest source among its candles: real, proxy or synthetic.
    data: str
    aggregation: Aggregation


def judge_run(reader: Database | Transaction, run: str) -> JudgedRun:
    """Judge a run by the scores of its units, and read nothing else of them; ``latest`` names the newest.

    Raises:
        UnknownRun: there is none.
    """
    row = read_run(reader, run)
    scores = read_scores(reader, row.id)
    units = [tuple(score[name] for name in Unit._fields) for score in scores]
    verdict = judge(units, (one for one in scores if one["f1_buy_val"] is not None), Rule(**row.plan["rule"]))
    if exercise := row.plan.get("exercise"):
        verdict = unjudged(verdict, f"an exercise of the fallback of {exercise['key']} is no canary")
    n_results, n_failures = count_ended(reader, row.id)
    return JudgedRun(row=row, n_results=n_results, n_failures=n_failures, verdict=verdict)


def view_run(database: Database | Transaction, run: str) -> RunView:
    """Read a run with all its units and judge it; arguments and errors as of ``judge_run``."""
    judged = judge_run(database, run)
    return RunView(
        **vars(judged),
        units=read_units(database, judged.run),
        contexts=read_contexts(database, judged.run),
        results=read_results(database, judged.run),
        failures=read_failures(database, judged.run),
    )


def run_verdict(judged: JudgedRun) -> RunVerdict:
    """Return the verdict of a run as scripts and the plane's clients read it."""
    verdict = judged.verdict
    return RunVerdict(
        **vars(verdict), run=judged.run, data=judged.row.data_label, aggregation=verdict.rule.aggregation
    )


def latest_verdict(database: Database) -> RunVerdict | None:
    """Return the verdict on the newest complete run, those of candidates aside; None before the first."""
    newest = database.fetch_one("newest_judged_run")
    return run_verdict(judge_run(database, newest["id"])) if newest else None


@dataclass(frozen=True)
class PairedRuns:
    """The verdict on a run by its rule, and beside it how it differs from another one, pair by pair."""

    verdict: RunVerdict
    #: The run that it is held against.
    against: str
    paired: Paired


def judge_against(database: Database, run: str, against: str) -> PairedRuns:
    """Judge a run, under way or ended, and hold it against another one; raises as ``view_run``."""
    new, old = judge_run(database, run), read_run(database, against)
    return PairedRuns(run_verdict(new), old.id, pair_runs(database, new.run, old.id))


def pair_runs(reader: Database | Transaction, run: str, against: str) -> Paired:
    """Hold a run against another one, unit by unit, in the order in which it scored; both are recorded."""
    rows = reader.fetch_all("list_pairs", run_id=run, against=against)
    pairs = [Pair(**row) for row in rows if row["old"] is not None and row["new"] is not None]
    return compare_pairs(
        pairs,
        old_alone=sum(row["new"] is None is not row["old"] for row in rows),
        new_alone=sum(row["old"] is None is not row["new"] for row in rows),
        mismatches=(reader.fetch_one("read_unlike", run_id=run, against=against) or {})["unlike"],
    )


def pair_each(reader: Database | Transaction, runs: Sequence[str]) -> tuple[tuple[str, Paired], ...]:
    """Hold each later run against the first, by its name; the rule of a verdict decides, this informs."""
    first, *later = runs
    return tuple((one, pair_runs(reader, one, first)) for one in later)


class Difference(NamedTuple):
    """One thing of which runs say different things."""

    key: str
    #: What each run says, in the order of the runs; None for nothing.
    values: tuple[Any, ...]
    #: For which context or unit it is so; empty for the whole run.
    where: str = ""

    @property
    def is_other(self) -> tuple[bool, ...]:
        """Say of each run whether it says another thing than the first."""
        return tuple(_is_other(self.values[0], value) for value in self.values)


@dataclass(frozen=True)
class Comparison:
    """How runs differ, each from the first."""

    runs: tuple[RunView, ...]
    #: Of the bases: what concerns every unit, unless an overlay of its own says otherwise.
    configuration: tuple[Difference, ...]
    #: What differs for a context beyond that.
    overlays: tuple[Difference, ...]
    #: Per unit and parameter: what the fitted models held.
    effective: tuple[Difference, ...]
    #: Facts of the runs themselves that differ: data, versions, commit, threads.
    circumstances: tuple[Difference, ...]
    #: Units whose models are identical in all runs, and units that all have.
    identical: int
    shared: int

    @property
    def scores(self) -> dict[str, tuple[ModelScore | None, ...]]:
        """What each run scores, by model; None where a run does not train it."""
        by_run = [{one.model: one for one in run.verdict.models} for run in self.runs]
        names = dict.fromkeys(name for one in by_run for name in one)
        return {name: tuple(one.get(name) for one in by_run) for name in names}


def compare_runs(runs: Sequence[RunView]) -> Comparison:
    """Compare configuration, effective parameters and metrics of two runs or more."""
    units = _shared_results(runs)
    base = tuple(_differences([parse_text(run.contexts[0].text) for run in runs]))
    return Comparison(
        tuple(runs),
        base,
        tuple(_overlays(runs, base)),
        tuple(
            found
            for results in units
            for found in _differences(
                [one.effective_params for one in results],
                f"{results[0].symbol} {results[0].model} fold {results[0].fold}",
            )
        ),
        tuple(_differences([_circumstances(run.row) for run in runs])),
        sum(len({one.model_hash for one in results}) == 1 for results in units),
        len(units),
    )


def _differences(said: Sequence[Mapping[str, Any]], where: str = "") -> Iterator[Difference]:
    """Yield what is not the same in all of these, sorted by key."""
    for key in sorted(set().union(*said)):
        found = Difference(key, tuple(one.get(key) for one in said), where)
        if any(found.is_other):
            yield found


def _is_other(first: object, value: object) -> bool:
    """Say whether a value is another one; an int and a float are, even when equal."""
    return first != value or type(first) is not type(value)


def _overlays(runs: Sequence[RunView], base: Iterable[Difference]) -> Iterator[Difference]:
    """Yield what differs between the documents of units that all runs have, where the bases do not."""
    everywhere = set(base)
    documents = [{named(one.context): parse_text(one.text) for one in run.contexts} for run in runs]
    for contexts in _shared_contexts(runs):
        own = [document[name] for document, name in zip(documents, contexts, strict=True)]
        for found in _differences(own):
            if found not in everywhere:
                yield found._replace(where=contexts[-1])


def _shared_contexts(runs: Sequence[RunView]) -> list[tuple[str, ...]]:
    """Return, each once, the contexts that the same unit has in all runs."""
    known = [{unit.name: named(unit.context) for unit in run.units} for run in runs]
    shared = (tuple(one[unit] for one in known) for unit in known[0] if all(unit in one for one in known))
    return list(dict.fromkeys(shared))


def _shared_results(runs: Sequence[RunView]) -> list[tuple[RecordedResult, ...]]:
    """Return the results of each unit that ended in all runs."""
    known = [{unit_name(result): result for result in run.results} for run in runs]
    return [tuple(one[unit] for one in known) for unit in known[0] if all(unit in one for one in known)]


def _circumstances(run: Run) -> dict[str, Any]:
    names = ("set_hash", "snapshot_hash", "data_hash", "data_label", "git_commit", "seed", "threads", "host")
    versions = {f"version of {package}": version for package, version in run.versions.items()}
    return {name: getattr(run, name) for name in names} | versions
