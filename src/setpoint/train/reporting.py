"""TRAIN: a run's results and events, reported to the plane over HTTP: no database is needed here.

Guarantees: every report may be repeated and counts once; each line of the run's event spool arrives
exactly once: see ``client.spool``. A plane out of reach costs nothing but time: what waits stays on disk.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from setpoint.client.plane.connection import Patience
from setpoint.client.result_parsing import as_before
from setpoint.client.results import Receipt
from setpoint.client.run_folder import run_folder
from setpoint.client.run_plan import first_page, later_pages
from setpoint.client.spool import deliver_spool
from setpoint.errors import IntegrityError, InvalidError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from setpoint.client.plane.connection import Plane
    from setpoint.client.plane.messages import Answer
    from setpoint.client.results import RunOutcome, UnitEntry
    from setpoint.client.run_plan import RunPlan
    from setpoint.client.snapshot_set import SnapshotSet

#: A sweep does not wait for its plane: it goes on, and what waits is sent with the next unit.
PATIENCE = Patience(connect_s=2.0, read_s=10.0, total_s=15.0, attempts=2)
#: Of one symbol's candles; the slower the plane is, the better is a folder that is shared.
_DOWNLOADED_WITHIN_S = 600.0
#: Refusals that the form of one unit is enough for, or that a plane gives which takes no batches.
_OF_ITS_FORM = (UsageError, InvalidError)


class PlaneRecorder:
    """Reports a sweep whose folder is in ``home``; a ``client.doors.Recorder``."""

    def __init__(self, plane: Plane, home: Path) -> None:
        self._plane = plane
        self._home = home

    def start(self, plan: RunPlan, snapshots: SnapshotSet) -> None:
        """Report the run and the snapshot set that it pins."""
        body = {"plan": first_page(plan), "snapshots": json.loads(snapshots.to_json())}
        if len(plan.units) > len(body["plan"]["units"]):
            body["n_units"] = len(plan.units)
        self._report("PUT", _address(plan), body)
        for first, units in later_pages(plan):
            self._report("PUT", f"{_address(plan)}/units", {"first": first, "units": units})

    def deliver(self, plan: RunPlan, entries: Sequence[UnitEntry]) -> list[Receipt]:
        """Report units together with the events that were written so far.

        A batch that is refused whole, by an older plane or for the form of one unit, is sent unit by unit.
        """
        try:
            return self._deliver_batch(plan, entries)
        except _OF_ITS_FORM:
            receipts = [self._deliver_one(plan, entry) for entry in entries]
            self._deliver_events(plan)
            return receipts

    def _deliver_batch(self, plan: RunPlan, entries: Sequence[UnitEntry]) -> list[Receipt]:
        """Send units, and with them the first lines that wait; the lines after these follow."""
        body: dict[str, Any] = {"entries": [asdict(entry) for entry in entries]}
        receipts: list[Receipt] = []

        def report(events: dict[str, Any] | None) -> Any:
            answer = self._report("POST", f"{_address(plan)}/units", body | {"events": events}).json()
            receipts.extend(Receipt(**receipt) for receipt in answer["units"])
            return answer["events"]

        def send(source: str, events: list[dict[str, Any]]) -> Any:
            lines = {"source": source, "events": events}
            return _send_events(self._plane, lines) if receipts else report(lines)

        deliver_spool(send, run_folder(self._home, plan.run))
        if not receipts:
            report(None)
        return receipts

    def _deliver_one(self, plan: RunPlan, entry: UnitEntry) -> Receipt:
        """Send a unit; once more to a plane that refuses its form, as the release before would have."""
        whole, before = asdict(entry), as_before(entry)
        try:
            try:
                self._send_entry(plan, whole)
            except _OF_ITS_FORM:
                if before == whole:  # nothing was added that it could not know
                    raise
                self._send_entry(plan, before)
        except (*_OF_ITS_FORM, IntegrityError) as problem:
            return Receipt.of(problem)
        return Receipt("recorded")

    def _send_entry(self, plan: RunPlan, entry: dict[str, Any]) -> None:
        self._report("POST", f"{_address(plan)}/units", {"entry": entry})

    def finish(self, plan: RunPlan, outcome: RunOutcome) -> None:
        """Report the events that are left, then how the run ended."""
        self._deliver_events(plan)
        self._report("PUT", f"{_address(plan)}/outcome", asdict(outcome))

    def candles(self, run: str, name: str) -> Callable[[], Iterator[bytes]]:
        """Return what asks the plane for the candles with this hash of a recorded run."""
        path = f"/v1/runs/{quote(run, safe='')}/candles/{name}"
        return lambda: self._plane.download(path, within_s=_DOWNLOADED_WITHIN_S)

    def _report(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        return self._plane.request(method, path, body, is_keyed=False)

    def _deliver_events(self, plan: RunPlan) -> None:
        deliver_events(self._plane, run_folder(self._home, plan.run))


def deliver_events(plane: Plane, folder: Path) -> int:
    """Send what a spool holds beyond what was delivered; returns how many lines the plane took.

    Raises:
        UnavailableError: the plane is out of reach, or the folder cannot be written.
        SetpointError: the plane refuses the whole batch, such as for want of a valid token.
    """

    def send(source: str, events: list[dict[str, Any]]) -> Any:
        return _send_events(plane, {"source": source, "events": events})

    return deliver_spool(send, folder)


def _send_events(plane: Plane, lines: dict[str, Any]) -> Any:
    return plane.request("POST", "/v1/events", lines, is_keyed=False).json()


def _address(plan: RunPlan) -> str:
    return f"/v1/runs/{quote(plan.run, safe='')}"
