"""SERVE: the overview: one glance tells whether a hand is needed, and each part leads to where it is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fastapi import Request
from starlette.responses import Response

from setpoint.change.changes import count_open, list_changes
from setpoint.change.emergency.dues import list_dues
from setpoint.change.emergency.restore_probe import read_probe
from setpoint.change.history import list_revisions
from setpoint.change.recovery.checks import last_backup
from setpoint.govern.comparison import latest_verdict
from setpoint.record.coverage import audit_console_coverage, keys_by_place
from setpoint.record.fallbacks import fallback_share
from setpoint.record.snapshots import judged_holders, judged_runs
from setpoint.serve.access.rules import ANYONE, Caller, access
from setpoint.serve.checks import Check
from setpoint.serve.console.checkpoints import report_in_use
from setpoint.serve.console.pages import page, router_of
from setpoint.serve.console.tables import MOST_ROWS
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from setpoint.declare.catalogue import Catalogues
    from setpoint.record.coverage import Coverage
    from setpoint.record.snapshots import RunningRuns
    from setpoint.serve.plane import Plane

router = router_of()
LISTED = 8
#: Up to how many changes that wait for the reader are counted; beyond them it is said that there are more.
COUNTED = 100
#: Judging a run of many units takes a while.
JUDGED_KEPT_S = 10.0
FALLBACKS_OVER = timedelta(hours=24)


@router.get("/", **access(*ANYONE))
def show_overview(plane: PlaneOf, request: Request, caller: Caller) -> Response:
    """Show coverage, fallbacks, what waits for the reader, what changed, and what is owed."""
    opened = list_changes(plane.database, limit=LISTED)
    waiting = list_changes(plane.database, waits_for=caller.account, limit=COUNTED + 1)
    now = datetime.now(UTC)
    coverage = audit_console_coverage(plane.database, plane.catalogues)
    judged = plane.checks.setdefault("verdict", Check(lambda: latest_verdict(plane.database), JUDGED_KEPT_S))
    holders = plane.checks.setdefault("holders", Check(lambda: _held(plane), JUDGED_KEPT_S))
    return page(
        request,
        "overview.html",
        coverage=coverage,
        covered=_places(plane.catalogues, coverage),
        verdict=judged.answer(),
        probe=read_probe(plane.database),
        last_backup=last_backup(plane.database),
        holders=holders.answer(),
        fallbacks=fallback_share(plane.database, since=now - FALLBACKS_OVER),
        open_changes=opened,
        n_open=sum(count_open(plane.database).values()),
        waiting=waiting,
        counted_to=COUNTED,
        revisions=list_revisions(plane.database, limit=LISTED),
        dues=list_dues(plane.database),
        checkpoints=report_in_use(plane),
    )


def _held(plane: Plane) -> tuple[int, int, RunningRuns]:
    """Return how many processes hold a snapshot, how many of them an old one, and what runs hold."""
    held = list(judged_holders(plane.database, plane.catalogues, limit=MOST_ROWS + 1))
    return len(held), sum(one.is_old for one in held), judged_runs(plane.database, plane.catalogues)


@dataclass(frozen=True)
class Places:
    """How much of a catalogue has a value, by model and timeframe."""

    catalogue: str
    timeframes: tuple[str, ...]
    #: By model, for each timeframe: keys with a value, keys declared, and the first that lacks one.
    models: dict[str, list[tuple[int, int, str]]]


def _places(catalogues: Catalogues, coverage: Coverage) -> list[Places]:
    lacking = {key for one in coverage.catalogues for key in one.unseeded}
    found = []
    for member in catalogues.members:
        by_place = keys_by_place(member)
        models, timeframes = (tuple(dict.fromkeys(place[part] for place in by_place)) for part in (0, 1))
        rows = {
            model: [_place(by_place.get((model, timeframe), []), lacking) for timeframe in timeframes]
            for model in models
        }
        found += [Places(member.name, timeframes, rows)] if rows else []
    return found


def _place(keys: list[str], lacking: set[str]) -> tuple[int, int, str]:
    without = [key for key in keys if key in lacking]
    return len(keys) - len(without), len(keys), without[0] if without else ""
