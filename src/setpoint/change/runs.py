"""CHANGE: runs and results in the database: recorded once, read back whole.

Guarantees: every call may be repeated; a unit delivered twice is one row. Each result joins its run,
and the run its snapshot, by foreign keys that cannot be empty. Implements ``train.sweep.Recorder``
without importing it, as the import table asks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from setpoint.change.invariants import violations
from setpoint.errors import UnknownRun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.change.identity import Author
    from setpoint.declare.catalogue import Catalogues
    from setpoint.resolve.snapshot import Snapshot
    from setpoint.store.database import Database

#: Names the newest run wherever a run is asked for.
LATEST = "latest"
_UNIT = ("symbol", "model", "timeframe", "variant", "fold")


class DatabaseRecorder:
    """Records a sweep straight into PostgreSQL.

    ``plan`` is a ``setpoint.train.plan.Plan`` and ``entry`` a journal entry; both are described there.
    """

    def __init__(self, database: Database, catalogues: Catalogues, author: Author) -> None:
        self._database = database
        self._catalogues = catalogues
        self._author = author
        self._snapshot: Snapshot | None = None

    def start(self, plan: Any, snapshot: Snapshot) -> None:
        """Record the run and the snapshot it pins; a resumed run is running again."""
        self._snapshot = snapshot
        with self._database.transaction() as transaction:
            transaction.execute("insert_snapshot", hash=snapshot.hash, text=snapshot.text)
            transaction.execute("insert_run", **_run_row(plan, snapshot, self._author))
            transaction.execute(
                "update_run_state",
                id=plan.run,
                state="running",
                finished_at=None,
                read_keys=None,
                fallbacks=None,
            )

    def deliver(self, plan: Any, entry: Mapping[str, Any]) -> None:
        """Record one unit: its result with its trials, or its failure, in one transaction."""
        unit = dict(zip(_UNIT, entry["unit"], strict=True))
        with self._database.transaction() as transaction:
            if "failure" in entry:
                transaction.execute("insert_failure", run_id=plan.run, **unit, **entry["failure"])
                return
            result = dict(entry["result"])
            trials = result.pop("trials")
            transaction.execute("insert_result", run_id=plan.run, **result)
            transaction.execute_many(
                "insert_trial",
                [
                    {"run_id": plan.run, **unit, **trial, "violations": self._broken(unit, trial)}
                    for trial in trials
                ],
            )

    def finish(self, plan: Any, state: str, entries: list[dict[str, Any]]) -> None:
        """Record how the run ended, which keys it read and which fallbacks it used."""
        read = set(plan.read_keys).union(*(entry["read_keys"] for entry in entries))
        fallbacks: dict[str, int] = {}
        for entry in entries:
            for key, count in entry["fallbacks"].items():
                fallbacks[key] = fallbacks.get(key, 0) + count
        self._database.execute(
            "update_run_state",
            id=plan.run,
            state=state,
            finished_at=datetime.now(UTC),
            read_keys=sorted(read),
            fallbacks=fallbacks,
        )

    def _broken(self, unit: Mapping[str, Any], trial: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Judge a trial's suggestion as if it were the document: recorded, not refused."""
        group = (unit["model"], unit["timeframe"])
        chosen = {
            declared.name: trial["params"][declared.parameter.name]
            for declared in self._catalogues.groups[group]
            if declared.parameter.name in trial["params"]
        }
        early = {
            declared.name: self._document[declared.name]
            for declared in self._catalogues.groups[group]
            if declared.name not in chosen and declared.name in self._document
        }
        return [violation._asdict() for violation in violations(self._catalogues, {**early, **chosen})]

    @property
    def _document(self) -> Mapping[str, Any]:
        return self._snapshot.document if self._snapshot else {}


def read_run(database: Database, run: str) -> dict[str, Any]:
    """Return one run's row.

    Raises:
        UnknownRun: none has this id; ``latest`` names the newest.
    """
    if run == LATEST:
        newest = database.fetch_all("list_runs", state=None, limit=1)
        if not newest:
            raise UnknownRun("no run is recorded yet.", hint="start one with `setpoint sweep`", run=run)
        run = newest[0]["id"]
    row = database.fetch_one("read_run", id=run)
    if row is None:
        raise UnknownRun(f"there is no run {run}.", hint="list them with `setpoint runs`", run=run)
    return row


def _run_row(plan: Any, snapshot: Snapshot, author: Author) -> dict[str, Any]:
    hashes = "".join(f"{symbol} {entry['hash']}\n" for symbol, entry in sorted(plan.data.items()))
    return {
        "id": plan.run,
        "snapshot_hash": plan.snapshot_hash,
        "context": dict(snapshot.context),
        "layers": [
            {"scope": layer.scope, "revision": layer.revision, "hash": layer.hash, "author": layer.author}
            for layer in snapshot.layers
        ],
        "catalogues": [dict(identity) for identity in snapshot.catalogues],
        "versions": plan.versions,
        "git_commit": plan.git_commit,
        "data_hash": sha256(hashes.encode()).hexdigest(),
        "data_label": plan.data_label,
        "seed": plan.seed,
        "processes": plan.processes,
        "threads": plan.threads,
        "universe": plan.universe,
        "plan": {"units": [list(unit) for unit in plan.units], "data": plan.data, "rule": plan.rule},
        "started_by": author.name,
        "host": plan.host,
    }
