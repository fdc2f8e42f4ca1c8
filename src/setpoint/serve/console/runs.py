"""SERVE: the pages of runs: what trained, how far it is, how it is judged, and how they differ.

Guarantees: a verdict is shown with the rule that the run recorded before it started, and each score beside
what always saying BUY scores. The full report of a run is the one that `setpoint report` writes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from setpoint.client.snapshot_set import named
from setpoint.errors import InvalidValue
from setpoint.govern.attested import FINDING_WORDS
from setpoint.govern.comparison import compare_runs, pair_each, view_run
from setpoint.govern.progress import endings_to_look_at, progress_of
from setpoint.govern.report import read_report, render
from setpoint.record.dropped import told_of_dropped
from setpoint.record.fallbacks import fallback_share
from setpoint.record.result_rows import newest_endings, read_workers
from setpoint.record.run_rows import list_runs, read_reach, unit_name
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.console.forms import instant_in
from setpoint.serve.console.pages import LISTED, page, router_of
from setpoint.serve.console.review import grouped
from setpoint.serve.console.shown import counted
from setpoint.serve.console.tables import most_rows
from setpoint.serve.routes import LONGEST_NAME, PlaneOf, RunName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from setpoint.govern.comparison import Difference, RunView
    from setpoint.govern.paired import Paired
    from setpoint.record.result_rows import RecordedResult
    from setpoint.record.run_rows import RunReach, RunSummary
    from setpoint.store.database import Database, Transaction

router = router_of()
#: How many differences in what models held a comparison shows.
DIFFERENCES = 200
#: How many runs one page compares.
MOST_COMPARED = 8
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
    reach = read_reach(plane.database, [one.id for one in found])
    return page(
        request,
        "runs.html",
        tables={"runs": [_reaching(one, reach[one.id]) for one in found]},
        runs=found[:LISTED],
        state=state,
        states=STATES,
        snapshot=snapshot,
        revision=revision,
        key=key,
        set_by=set_by,
        reach=reach,
        following=found[LISTED - 1].started_at.isoformat() if len(found) > LISTED else "",
    )


def _reaching(run: RunSummary, reach: RunReach) -> dict[str, object]:
    """Return a run as a file has it: with every context that it pinned, and when it was last heard of."""
    contexts = [named(one) for one in reach.contexts] or [named(run.context)]
    return {**asdict(run), "contexts": "; ".join(contexts), "last_heard": reach.heard_at}


@router.get("/runs/compare", **access(*ANYONE))
def show_comparison(
    plane: PlaneOf,
    request: Request,
    run: Annotated[list[RunName], Query(max_length=MOST_COMPARED)] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Show in which way runs differ, the earliest first, and nothing else: values, circumstances, scores."""
    if len(run) < 2:
        raise InvalidValue(
            f"a comparison takes two runs or more; this address names {counted(len(run), 'run')}.",
            hint="tick runs in the list of runs, then compare them",
        )
    views = [view_run(plane.database, one) for one in run]
    found = compare_runs(sorted(views, key=lambda one: one.row.started_at))
    names = [one.run for one in found.runs]
    scores = found.scores.items()
    paired = pair_each(plane.database, names)
    return page(
        request,
        "runs_compared.html",
        tables={
            "values": _lines(names, found.configuration),
            "overlays": _lines(names, found.overlays),
            "circumstances": _lines(names, found.circumstances),
            "scores": [{"model": model, **dict(zip(names, ofs, strict=True))} for model, ofs in scores],
            "paired": interval_rows(paired),
            "held": _lines(names, found.effective),
        },
        found=found,
        paired=paired,
        groups=grouped(plane.catalogues, found.configuration),
        effective=found.effective[:DIFFERENCES],
    )


def interval_rows(paired: Iterable[tuple[str, Paired]]) -> list[dict[str, object]]:
    """Return the intervals of runs as rows of a file."""
    return [{"run": name, **interval._asdict()} for name, one in paired for interval in one.intervals]


def _lines(names: Sequence[str], differences: Sequence[Difference]) -> list[dict[str, object]]:
    """Return differences as rows of a file, with a column for each run."""
    return [
        {"where": one.where, "what": one.key, **dict(zip(names, one.values, strict=True))}
        for one in differences
    ]


@router.get("/runs/{run}", **access(*ANYONE))
def show_run(plane: PlaneOf, request: Request, run: RunName) -> Response:
    """Show one run: verdict, scores by model and asset, units, what it pinned and what it rests on."""
    view = view_run(plane.database, run)
    unmatched = _unmatched(view.results)
    workers = read_workers(plane.database, view.run)
    ended = newest_endings(plane.database, view.run, endings_to_look_at(workers))
    return page(
        request,
        "run.html",
        tables={
            "scores": view.verdict.models,
            "held": [{"unit": unit, "finding": finding} for unit, finding in unmatched],
            "failures": view.failures,
            "units": _units(view),
            "workers": workers,
        },
        view=view,
        row=view.row,
        verdict=view.verdict,
        contexts=[(named(one.context), one) for one in view.contexts],
        fallbacks=fallback_share(plane.database, run=view.run),
        dropped=told_of_dropped(plane.database, view.run),
        unmatched=unmatched,
        progress=progress_of(view, ended, workers),
        workers=workers,
        units=_units(view),
        finding_words=FINDING_WORDS,
    )


@router.get("/runs/{run}/report", **access(*ANYONE))
def show_report(plane: PlaneOf, run: RunName) -> Response:
    """Return the run's report as `setpoint report` writes it; its style is named by its hash."""
    text = render(read_report(plane.database, run))
    styles = [hashlib.sha256(style.encode()).digest() for style in _STYLE.findall(text)]
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in styles)
    policy = f"default-src 'none'; style-src {allowed}; frame-ancestors 'none'; base-uri 'none'"
    return HTMLResponse(text, 200, {"Content-Security-Policy": policy, "Cache-Control": "no-store"})


class UnitLine(NamedTuple):
    """One declared unit of a run, and how it ended so far."""

    position: int
    unit: str
    state: str
    f1: float | None
    trees: int | None
    findings: int | None


def _units(view: RunView) -> list[UnitLine]:
    results = {unit_name(one): one for one in view.results}
    failed = set(map(unit_name, view.failures))
    lines = []
    for one in view.units:
        ended, said = results.get(one.name), f"{one.symbol} {one.model} {one.timeframe} fold {one.fold}"
        state = "trained" if ended else "failed" if one.name in failed else "to go"
        numbers = (ended.f1_buy_val, ended.n_trees_used, len(ended.findings)) if ended else (None,) * 3
        lines.append(UnitLine(one.position, said, state, *numbers))
    return lines


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
