"""`setpoint doctor`: every check of every room, each finding with the command that mends it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from setpoint.cli.app import Json, app, catalogues, database, settings
from setpoint.cli.output import out, print_json
from setpoint.errors import EXIT_FINDING, EXIT_OK, DoctorFinding, SetpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.store.database import Database

#: Of one check a terminal shows so many.
SHOWN = 10


class Patient(NamedTuple):
    """What checks may look at."""

    database: Database
    catalogues: Catalogues
    settings: Settings


@app.command()
def doctor(as_json: Json = False) -> int:
    """Look for what is not as it should be, and say for each what to do. Exit code 1: something was found.

    What is by design and worth knowing is a note, and changes no exit code.

    Values that today's declarations refuse, keys that no catalogue declares, seed files, soft policies,
    overlays that nobody asks for, old snapshots, backups, obligations, notifications that were given up,
    disk, guards, retention and versions.
    Says how old the last backup is, and the last that came back whole. Changes nothing.

    Examples: `setpoint doctor`, `setpoint doctor --json`
    """
    found, last_backup = _examined()
    sick = any(not one.is_note for findings in found.values() for one in findings)
    if as_json:
        rows = [
            {"check": check, "what": one.what, "command": one.command, "note": one.is_note}
            for check, findings in found.items()
            for one in findings
        ]
        print_json({"checks": list(found), "findings": rows, "last_backup": last_backup})
    else:
        for check, findings in found.items():
            _say(check, findings)
        if not sick:
            out.say(f"nothing found by {len(found)} checks")
        if last_backup:
            out.say(last_backup)
    return EXIT_FINDING if sick else EXIT_OK


def _examined() -> tuple[dict[str, list[DoctorFinding]], str]:
    """Return what each check found, and how old backups are; without a database, what the server tells."""
    from setpoint.change.recovery.checks import last_backup
    from setpoint.store.checks import disk, versions

    here, backups = settings(), ""
    found = {
        "versions": _found(partial(versions, here)),
        "disk": _found(partial(disk, here)),
    }
    try:
        system = catalogues()
        with database(remind=False) as opened:
            patient = Patient(opened, system, here)
            for name, check in _checks().items():
                found[name] = _found(partial(check, patient))
            backups = last_backup(opened)
    except SetpointError as problem:
        found["database"] = [_told(problem)]
    return found, backups


def _checks() -> Mapping[str, Callable[[Patient], Iterable[DoctorFinding]]]:
    """Return the checks by name, each a function of the room whose data it judges; add yours here."""
    from setpoint.change import checks as change
    from setpoint.change.emergency import checks as emergency
    from setpoint.change.recovery import checks as recovery
    from setpoint.notify import checks as notify
    from setpoint.record import checks as record
    from setpoint.serve.access.accounts import ending_tokens
    from setpoint.store import checks as store
    from setpoint.store import retention

    return {
        "refused values": lambda p: change.refused_values(p.database, p.catalogues),
        "broken invariants": lambda p: change.broken_invariants(p.database, p.catalogues),
        "orphaned keys": lambda p: change.orphaned_keys(p.database, p.catalogues),
        "seed files": lambda p: change.seed_files(p.database, p.catalogues, p.settings),
        "soft policies": lambda p: change.soft_policies(p.database),
        "unasked overlays": lambda p: record.unasked_overlays(p.database),
        "old snapshots": lambda p: record.old_snapshots(p.database, p.catalogues),
        "backups": lambda p: recovery.backups(p.database),
        "obligations": lambda p: emergency.obligations(p.database),
        "notifications": lambda p: notify.notifications(p.database, p.settings),
        "guards": lambda p: store.guards(p.database),
        "waiting rows": lambda p: retention.waiting_rows(p.database),
        "overdue months": lambda p: retention.overdue_months(p.database, p.settings),
        "ending tokens": lambda p: ending_tokens(p.database),
    }


def _found(check: Callable[[], Iterable[DoctorFinding]]) -> list[DoctorFinding]:
    """Run one check; one that cannot be made is itself a finding, and the others go on."""
    try:
        return list(check())
    except SetpointError as problem:
        return [_told(problem)]


def _told(problem: SetpointError) -> DoctorFinding:
    return DoctorFinding(problem.message, problem.hint)


def _say(check: str, findings: list[DoctorFinding]) -> None:
    for one in findings[:SHOWN]:
        out.say(f"{check}{' (note)' if one.is_note else ''}: {one.what}")
        out.say(f"  next: {one.command}")
    if len(findings) > SHOWN:
        out.say(f"{check}: ... and {len(findings) - SHOWN} more; --json lists all")
