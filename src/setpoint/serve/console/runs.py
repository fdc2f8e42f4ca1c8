"""SERVE: the pages of runs: what trained, how far it is, how it is judged, and how two of them differ.

Guarantees: a verdict is shown with the rule that the run recorded before it started, and each score beside
what always saying BUY scores. The full report of a run is the one that `setpoint report` writes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Annotated

from fastapi import Path, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from setpoint.client.snapshot_set import named
from setpoint.govern.comparison import compare_runs, view_run
from setpoint.govern.progress import progress_of
from setpoint.govern.report import render
from setpoint.record.dropped import told_of_dropped
from setpoint.record.fallbacks import fallback_share
from setpoint.record.run_rows import list_runs, read_reach
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.forms import instant_in
from setpoint.serve.console.pages import LISTED, page, router_of
from setpoint.serve.console.review import grouped
from setpoint.serve.console.shown import counted
from setpoint.serve.console.tables import most_rows
from setpoint.serve.routes import LONGEST_NAME, PlaneOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.record.result_rows import RecordedResult
    from setpoint.store.database import Database, Transaction

router = router_of()
RunName = Annotated[str, Path(max_length=LONGEST_NAME)]
#: How many differences in what models held a comparison shows.
DIFFERENCES = 200
STATES = ("", "running", "complete", "interrupted", "failed")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@router.get("/runs", **access(*ANYONE))
def show_runs(
    plane: PlaneOf,
    request: Request,
    state: Annotated[str, Query(max_length=20)] = "",
    snapshot: Annotated[str, Query(max_length=LONGEST_NAME)] = "",
    revision: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    key: Annotated[str, Query(max_length=LONGEST_NAME)] = "",
    set_by: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    before: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """List runs newest first, with how far each is."""
    found = list_runs(
        plane.database,
        limit=most_rows(request, LISTED),
        state=state or None,  # type: ignore[arg-type]  # a state that is none finds no run
        snapshot=snapshot or None,
        revision=revision,
        key=key or None,
        set_by=set_by,
        before=instant_in(before) if before else None,
    )
    return page(
        request,
        "runs.html",
        tables={"runs": found},
        runs=found[:LISTED],
        state=state,
        states=STATES,
        snapshot=snapshot,
        revision=revision,
        key=key,
        set_by=set_by,
        reach=read_reach(plane.database, [one.id for one in found[:LISTED]]),
        following=found[LISTED - 1].started_at.isoformat() if len(found) > LISTED else "",
    )


@router.get("/runs/compare", **access(*ANYONE))
def show_comparison(
    plane: PlaneOf,
    request: Request,
    old: Annotated[str, Query(alias="from", max_length=LONGEST_NAME)],
    new: Annotated[str, Query(alias="to", max_length=LONGEST_NAME)] = "latest",
) -> Response:
    """Show what differs between two runs, and nothing else: values, circumstances, models, scores."""
    found = compare_runs(plane.database, old, new)
    olds = {one.model: one for one in found.old.verdict.models}
    scores = [(olds.get(one.model), one) for one in found.new.verdict.models]
    return page(
        request,
        "runs_compared.html",
        tables={
            "values": found.configuration,
            "circumstances": [
                dict(zip(("what", "old", "new"), one, strict=True)) for one in found.circumstances
            ],
            "scores": [{"model": new.model, "old": old, "new": new} for old, new in scores],
            "held": [{"unit": unit, "edit": edit} for unit, edit in found.effective],
        },
        found=found,
        groups=grouped(plane.catalogues, found.configuration),
        effective=found.effective[:DIFFERENCES],
        scores=scores,
    )


@router.get("/runs/{run}", **access(*ANYONE))
def show_run(plane: PlaneOf, request: Request, run: RunName) -> Response:
    """Show one run: verdict, scores by model and asset, units, what it pinned and what it rests on."""
    view = view_run(plane.database, run)
    unmatched = _unmatched(view.results)
    return page(
        request,
        "run.html",
        tables={
            "scores": view.verdict.models,
            "held": [{"unit": unit, "finding": finding} for unit, finding in unmatched],
            "failures": view.failures,
        },
        view=view,
        row=view.row,
        verdict=view.verdict,
        contexts=[(named(one.context), one) for one in view.contexts],
        fallbacks=fallback_share(plane.database, run=view.run),
        dropped=told_of_dropped(plane.database, view.run),
        unmatched=unmatched,
        progress=progress_of(view),
    )


@router.get("/runs/{run}/report", **access(*ANYONE))
def show_report(plane: PlaneOf, run: RunName) -> Response:
    """Return the run's report as `setpoint report` writes it; its style is named by its hash."""
    text = render(view_run(plane.database, run))
    styles = [hashlib.sha256(style.encode()).digest() for style in _STYLE.findall(text)]
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in styles)
    policy = f"default-src 'none'; style-src {allowed}; frame-ancestors 'none'; base-uri 'none'"
    return HTMLResponse(text, 200, {"Content-Security-Policy": policy, "Cache-Control": "no-store"})


#: How many runs of a revision's values its page counts.
COUNTED = 100


def many_runs(reader: Database | Transaction, revision: int) -> str:
    """Return how many runs used a value that a revision set; of many, that they are more than are counted."""
    found = len(list_runs(reader, limit=COUNTED + 1, set_by=revision))
    return f"more than {COUNTED} runs" if found > COUNTED else counted(found, "run")


def _unmatched(results: Sequence[RecordedResult]) -> list[tuple[str, object]]:
    """Return the units whose models did not hold what was asked of them, with each finding."""
    return [
        (f"{one.symbol} {one.model} fold {one.fold}", finding) for one in results for finding in one.findings
    ]
