"""RECORD: what `setpoint doctor` asks of runs and of who reads values: unused overlays, old snapshots."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from setpoint.change.documents import pin_snapshot
from setpoint.errors import DoctorFinding, InvalidContext

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.declare.catalogue import Catalogues
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
    now: dict[str, str] = {}
    for row in database.fetch_all("list_holders", after="", snapshot=None, limit=_MOST):
        context = json.dumps(row["context"], sort_keys=True)
        if context not in now:
            now[context] = _hash_now(database, catalogues, row["context"])
        if row["snapshot"] != now[context]:
            is_run = bool(row["run"]) and database.fetch_one("read_run", id=row["run"]) is not None
            whose = f", run {row['run']}" if row["run"] else ""
            where = ", ".join(f"{name}={value}" for name, value in row["context"].items()) or "no context"
            yield DoctorFinding(
                f"process {row['pid']} on {row['host']} ({row['account']}{whose}) holds {where}"
                f" as of revision {row['revision']}; it resolves otherwise now.",
                f"setpoint show {row['run']}" if is_run else "setpoint history",
                is_note=is_run or not _still_reports(row),
            )


def _still_reports(holder: Mapping[str, Any]) -> bool:
    """Say whether a process follows the plane: a pin is heard once, a watch each minute."""
    return bool(holder["seen"] > holder["since"] and holder["silent_s"] < _SILENT_S)


def _hash_now(database: Database, catalogues: Catalogues, context: Mapping[str, str]) -> str:
    try:
        return pin_snapshot(database, catalogues, context).hash
    except InvalidContext:
        return ""
