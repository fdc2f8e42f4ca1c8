"""CHANGE: what `setpoint doctor` asks of backups: the age of the last, and of the last that came back."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from setpoint.errors import DoctorFinding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from setpoint.store.database import Database

#: History that is older than this and was never backed up is a finding.
GRACE = timedelta(days=7)
#: A plan may be late by as much again before that is a finding.
LATE = 2
_PLAN = "setpoint db backup --every 1d --keep 14"


def backups(database: Database) -> Iterator[DoctorFinding]:
    """Yield that none was made in time, that none came back whole in time, and what did not."""
    told = _judged(database)
    now, made_at, every_s = told["now"], told["made_at"], told["every_s"]
    if every_s is None:
        if made_at is None and told["since"] and now - told["since"] > GRACE:
            yield DoctorFinding(
                f"no backup was ever made, and history goes back {(now - told['since']).days} days.", _PLAN
            )
    else:
        late = now - timedelta(seconds=LATE * every_s)
        if max(made_at or told["declared_at"], told["declared_at"]) < late:
            yield DoctorFinding(
                f"one backup is due every {timedelta(seconds=every_s)}, and {last_backup(database)}.",
                "setpoint db backup --due",
            )
    if told["proof"]:
        yield DoctorFinding(
            f"the last backup does not come back whole: {told['proof']}", "setpoint db backup"
        )
    elif _lacks_proof(told):
        yield DoctorFinding(
            f"{last_backup(database)}.", f"setpoint db prove-backup {shlex.quote(told['path'])}"
        )


def last_backup(database: Database) -> str:
    """Say how old the last backup is, and the last that came back whole."""
    told = _judged(database)
    if told["made_at"] is None:
        return "no backup was made yet"
    made, proven = (_age(told["now"], told[what]) for what in ("made_at", "proven_at"))
    proof = f"one came back whole {proven} ago" if proven else "none was proven"
    return f"the last backup is {made} old, {proof}"


def _lacks_proof(told: dict[str, Any]) -> bool:
    """Say whether the last backup that came back whole is too long ago."""
    if told["made_at"] is None or told["proof"] == "":
        return False
    patience = timedelta(seconds=LATE * told["every_s"]) if told["every_s"] else GRACE
    return bool((told["proven_at"] or told["made_at"]) < told["now"] - patience)


def _judged(database: Database) -> dict[str, Any]:
    return database.fetch_one("judge_backups") or {}


def _age(now: datetime, instant: datetime | None) -> str:
    if instant is None:
        return ""
    seconds = int((now - instant).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"
