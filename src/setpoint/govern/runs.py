"""GOVERN: what recorded runs say: their verdict, and how two of them differ.

Guarantees: everything is read from the database, where a run, its snapshot and its results join; the
rule is the one the run recorded before it started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from setpoint.change.runs import read_run
from setpoint.declare.document import Edit, diff, parse_text
from setpoint.govern.verdict import Rule, Verdict, judge

if TYPE_CHECKING:
    from setpoint.store.database import Database


@dataclass(frozen=True)
class RunView:
    """One run with everything that was recorded of it."""

    row: dict[str, Any]
    results: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    verdict: Verdict

    @property
    def run(self) -> str:
        """The run's id."""
        return str(self.row["id"])


def view_run(database: Database, run: str) -> RunView:
    """Read a run and judge it; ``latest`` names the newest.

    Raises:
        UnknownRun: there is none.
    """
    row = read_run(database, run)
    results = database.fetch_all("list_results", run_id=row["id"])
    failures = database.fetch_all("list_failures", run_id=row["id"])
    scored = [{**result, "auc_val": result["metrics"]["val"]["auc"]} for result in results]
    verdict = judge(row["plan"]["units"], scored, Rule(**row["plan"]["rule"]))
    return RunView(row, results, failures, verdict)


def verdict_document(view: RunView) -> dict[str, Any]:
    """Return a verdict as scripts read it."""
    judged = view.verdict
    return {
        "run": view.run,
        "data": view.row["data_label"],
        "outcome": judged.outcome,
        "cause": judged.cause,
        "reasons": list(judged.reasons),
        "variant": judged.variant,
        "aggregation": judged.rule.aggregation,
        "replication": judged.replication._asdict(),
        "rule": judged.rule._asdict(),
        "models": [
            {
                "model": model.model,
                "f1": model.f1,
                "always_buy": model.always_buy,
                "skill": model.skill,
                "auc": model.auc,
                "assets": [asset._asdict() for asset in model.assets],
            }
            for model in judged.models
        ],
    }


@dataclass(frozen=True)
class Comparison:
    """How two runs differ; the first is the old one."""

    old: RunView
    new: RunView
    configuration: tuple[Edit, ...]
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
    return Comparison(
        first,
        second,
        diff(_document(database, first), _document(database, second)),
        tuple(
            (f"{a['symbol']} {a['model']} fold {a['fold']}", edit)
            for a, b in pairs
            for edit in diff(a["effective_params"], b["effective_params"])
        ),
        tuple(_circumstances(first.row, second.row)),
        sum(a["model_hash"] == b["model_hash"] for a, b in pairs),
        len(pairs),
    )


def _document(database: Database, view: RunView) -> dict[str, Any]:
    row = database.fetch_one("read_snapshot", hash=view.row["snapshot_hash"])
    return parse_text(row["text"]) if row else {}


def _pairs(first: RunView, second: RunView) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    names = ("symbol", "model", "timeframe", "variant", "fold")
    others = {tuple(result[name] for name in names): result for result in second.results}
    keyed = ((tuple(result[name] for name in names), result) for result in first.results)
    return [(result, others[key]) for key, result in keyed if key in others]


def _circumstances(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    names = ("snapshot_hash", "data_hash", "data_label", "git_commit", "seed", "threads", "host")
    changed = [(name, old[name], new[name]) for name in names if old[name] != new[name]]
    packages = sorted(old["versions"].keys() | new["versions"].keys())
    return changed + [
        (f"version of {package}", old["versions"].get(package), new["versions"].get(package))
        for package in packages
        if old["versions"].get(package) != new["versions"].get(package)
    ]
