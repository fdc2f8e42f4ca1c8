"""RECORD: a sweep recorded straight into PostgreSQL, by the functions that the plane's routes call too."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from setpoint.client.run_plan import first_page, later_pages
from setpoint.client.spool import deliver_spool
from setpoint.record.events import Line, record_events
from setpoint.record.results import record_units
from setpoint.record.runs import declare_units, record_outcome, record_start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from setpoint.change.identity import Author
    from setpoint.client.results import Receipt, RunOutcome, UnitEntry
    from setpoint.client.run_plan import RunPlan
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database


class DatabaseRecorder:
    """Records a sweep straight into PostgreSQL.

    ``plan`` is a ``setpoint.client.run_plan.RunPlan``.
    """

    def __init__(
        self,
        database: Database,
        catalogues: Catalogues,
        author: Author,
        spool_of: Callable[[str], Path] | None = None,
    ) -> None:
        self._database = database
        self._catalogues = catalogues
        self._author = author
        #: The folder of a run's event spool; None when its events go elsewhere.
        self._spool_of = spool_of

    def start(self, plan: RunPlan, snapshots: SnapshotSet) -> None:
        """Record the run and the snapshots it pins; a resumed run is running again."""
        author, n_units = self._author.name, len(plan.units)
        with self._database.transaction(author=author) as transaction:
            record_start(transaction, first_page(plan), snapshots, author, n_units)
        for first, units in later_pages(plan):
            with self._database.transaction(author=author) as transaction:
                declare_units(transaction, plan.run, first, units)

    def deliver(self, plan: RunPlan, entries: Sequence[UnitEntry]) -> list[Receipt]:
        """Record units, results with their trials and failures, in one transaction."""
        with self._database.transaction(author=self._author.name) as transaction:
            return record_units(transaction, self._catalogues, plan.run, entries)

    def finish(self, plan: RunPlan, outcome: RunOutcome) -> None:
        """Record the run's events, how it ended, which keys it read and which fallbacks it used."""
        if self._spool_of:
            deliver_spool(self._record_events, self._spool_of(plan.run))
        with self._database.transaction(author=self._author.name) as transaction:
            record_outcome(transaction, plan.run, outcome)

    def candles(self, run: str, name: str) -> None:
        """Return None: a database keeps no candles."""

    def _record_events(self, source: str, events: list[dict[str, Any]]) -> dict[str, Any]:
        lines = [Line(event["sequence"], event["line"]) for event in events]
        with self._database.transaction(author=self._author.name) as transaction:
            return asdict(record_events(transaction, source, lines))
