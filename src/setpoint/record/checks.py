"""RECORD: what `setpoint doctor` asks of runs and of who reads values: unused overlays, old snapshots."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from setpoint.client.snapshot_set import named
from setpoint.errors import DoctorFinding
from setpoint.record.snapshots import judged_holders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.record.snapshots import JudgedHolder
    from setpoint.store.database import Database

#: Holders beyond these are not looked at; the plane itself keeps no more.
_MOST = 100_000
#: A watch that was not heard for so long has ended.
_SILENT_S = 300


def unasked_overlays(database: Database) -> Iterator[DoctorFinding]:
    """Yield each overlay that no run, and no program over HTTP, ever resolved in; none before the first."""
    for row in database.fetch_all("list_unasked_scopes"):
        scope = row["scope"]
        yield DoctorFinding(
            f"{scope} overrides values, and no run has asked for it.",
            f"setpoint scope retire {shlex.quote(scope)} --reason WHY",
        )


def old_snapshots(database: Database, catalogues: Catalogues) -> Iterator[DoctorFinding]:
    """Yield each process, heard within the hour, whose snapshot is not what it would get now.

    A pin and a recorded run keep theirs by design, so they are notes. What follows the plane, still reports
    and does not move is a finding.
    """
    for one in judged_holders(database, catalogues, limit=_MOST):
        if one.is_old:
            is_run = bool(one.run) and database.fetch_one("read_run", id=one.run) is not None
            whose = f", run {one.run}" if one.run else ""
            yield DoctorFinding(
                f"process {one.pid} on {one.host} ({one.account}{whose}) holds {named(one.context)}"
                f" as of revision {one.revision}; it resolves otherwise now.",
                f"setpoint show {one.run}" if is_run else "setpoint history",
                is_note=is_run or not _still_reports(one),
            )


def _still_reports(holder: JudgedHolder) -> bool:
    """Say whether a process follows the plane: a pin is heard once, a watch each minute."""
    return holder.seen > holder.since and holder.silent_s < _SILENT_S
