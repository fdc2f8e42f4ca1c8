"""Our own readiness file: written from what is declared in code, and from docs/readiness/declared.toml.

`docs/generate.py` writes it; `python docs/check_readiness.py` judges it in a throw-away system.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.change.emergency.mechanisms import MECHANISMS
from setpoint.declare.loading import load_catalogue
from setpoint.observe import metrics
from setpoint.observe.alerts import ALERTS, ALWAYS_THERE, RUNBOOKS
from setpoint.observe.dashboards import DASHBOARDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from setpoint.observe.alerts import Alert
    from setpoint.observe.metrics import Metric

FOLDER = Path(__file__).parent / "readiness"
FILE = FOLDER / "setpoint.md"
_TAUGHT = "CVN-N001-EE-S17"
#: What section 1 watches: metrics with the panels that draw them, and events with what counts each.
_METRICS = (metrics.COVERAGE, metrics.FALLBACK_RATE_24H, metrics.FALLBACK_SHARE_24H, metrics.BUY_PROBA)
_EVENTS = {
    "hpo_fallback_applied": metrics.FALLBACKS,
    "training_started": metrics.FITS_STARTED,
    "training_complete": metrics.TRAININGS_COMPLETE,
}
#: Drifts, what detects each, and what then happens.
_DRIFTS = (
    ("a literal in source", "`setpoint gate src`", "any finding", "CI fails"),
    (
        "seeds that are other values",
        "`tests/change/test_seed_parity.py::test_125_defaults_and_110_triples_are_pinned`",
        "any difference",
        "CI fails",
    ),
    ("a resolver that behaves otherwise", "`tests/contract/test_resolve.py`", "any difference", "CI fails"),
    ("a value that was tampered with", "`setpoint verify`", "any break of the chain", "exit code 6"),
    (
        "a model that does not hold what was asked",
        "`tests/train/test_boosters.py::test_what_was_asked_is_what_the_model_holds`",
        "any parameter",
        "CI fails; at run time an event",
    ),
)


def readiness_file() -> str:
    """Return the Markdown of our own readiness file."""
    parts = (_header, _monitoring, _alerting, _drift, _rollout, _rollback, _owner)
    return "\n".join(line for part in parts for line in part())


def _header() -> Iterator[str]:
    told = tomllib.loads((FOLDER / "declared.toml").read_text(encoding="utf-8"))
    yield f"# MLOps readiness: {told['story']}\n"
    yield "*Written by `docs/generate.py` from the code and `declared.toml`. Do not edit it here.*\n"
    yield (
        f"Story : {told['story']} — OP wp#{told['work_package']}."
        " It is exceptionally tracked afterwards: its issue is back-filled before the merge gate."
    )
    yield f"Owner : {metrics.OWNER} (as the readiness document of {_TAUGHT} names)"
    yield f"Filled on : {told['filled_on']}"
    yield f"Reviewed by committee : SKIP — JUSTIFICATION : {told['no_review']}\n"
    yield "What only people know here is declared in `docs/readiness/declared.toml`, and said to be.\n"


def _monitoring() -> Iterator[str]:
    yield "## 1. Production monitoring (MUST)\n"
    columns = ("Status", "Metric", "Type", "Source", "Dashboard", "Threshold (warn / crit)", "Owner")
    rows = [(f"`{one.name}`", one.kind, one) for one in _METRICS]
    rows += [(f"`event={name}`", "event", metric) for name, metric in _EVENTS.items()]
    yield _table(
        columns,
        (
            ("✅ LIVE", name, kind, f"`{one.source}`", _drawn(one), _judged(one), one.owner)
            for name, kind, one in rows
        ),
    )
    yield "Required minima coverage :\n"
    yield f"- ✅ prediction-rate metric : `{metrics.BUY_PROBA.name}`"
    yield "- ✅ outcome metric : `f1_buy_val` per fold, variant and asset"
    yield "- ✅ health metric : `event=hpo_fallback_applied`\n"


def _drawn(metric: Metric) -> str:
    """Return the dashboard that draws a metric."""
    return next(
        f"`{one.uid}`"
        for one in DASHBOARDS
        if any(metric.prometheus in query.expression for panel in one.panels for query in panel.queries)
    )


def _judged(metric: Metric) -> str:
    """Return what alerts say of a metric."""
    told = [f"{one.threshold} → {one.severity}" for one in ALERTS if metric in _rests_on(one)]
    return " ; ".join(told) or "none: it is looked at"


def _rests_on(alert: Alert) -> list[Metric]:
    return [metric for one in alert.conditions if (metric := getattr(one, "metric", None))]


def _alerting() -> Iterator[str]:
    yield "## 2. Alerting & runbooks (MUST)\n"
    shown = [
        one
        for one in ALERTS
        if one.severity.startswith("P") and _rests_on(one) and set(_rests_on(one)) <= set(ALWAYS_THERE)
    ]
    yield _table(
        ("Alert", "Trigger", "Runbook", "Severity", "Notification channel"),
        (
            (
                f"`{one.name}`",
                one.threshold,
                f"{RUNBOOKS}/{one.runbook}",
                one.severity,
                one.channel,
            )
            for one in shown
        ),
    )
    first = next(one for one in shown if one.severity == "P1")
    yield "Required minima :\n"
    yield f"- ✅ 1 P1 alert : {first.name}"
    yield f"- ✅ Runbook : {RUNBOOKS}/{first.runbook}\n"


def _drift() -> Iterator[str]:
    yield "## 3. Drift detection (MUST)\n"
    yield _table(("Drift type", "Detection method", "Threshold", "Action"), _DRIFTS)


def _rollout() -> Iterator[str]:
    assets = load_catalogue("cvntrade-training").universes["defi_top5"]
    yield "## 4. Staged rollout (MUST)\n"
    yield _table(
        ("Stage", "Traffic %", "Duration", "Pass criteria", "Rollback trigger"),
        (
            (
                "Shadow",
                "none",
                "one run",
                "`setpoint rollout shadow`: all else as before",
                "it is not",
            ),
            ("Canary (W1)", "one run", "one sweep", "`setpoint rollout judge`", "its verdict says rollback"),
            ("Full (W2)", "all", "indefinite", "`setpoint rollout promote`", "a later verdict says rollback"),
        ),
    )
    yield "Required minima :\n"
    yield "- ✅ Shadow stage : `setpoint rollout shadow`"
    yield "- ✅ Canary on a single batch first : one sweep of the candidate"
    yield f"- ✅ Named canary assets : {', '.join(assets)}"
    yield "- ✅ Operator sign-off : `setpoint seed --apply`, `setpoint rollout start` are signed\n"


def _rollback() -> Iterator[str]:
    here = [one for one in MECHANISMS if one.name in {"restore", "break_glass"}]
    elsewhere = [one for one in MECHANISMS if one not in here]
    yield "## 5. Rollback plan (MUST)\n"
    yield _table(
        ("Mechanism", "Description", "Revert SLA"),
        ((one.title.capitalize(), one.fits, one.promise) for one in here),
    )
    for one in elsewhere:
        yield (
            f"To {one.title} ({one.promise}) needs builds that a repository has not: where they are,"
            f" `{one.rehearsal}` rehearses it, and `setpoint rollback` tells when it was.\n"
        )
    yield "Required minima :\n"
    yield "- ✅ Revertable WITHOUT a code deploy : `setpoint restore`"
    yield f"- ✅ Tested revert : `{here[0].rehearsal}`, on every `make check`"
    yield "- ✅ Specific config value : cvntradeImageTag=<last good SHA, told by `setpoint rollback`>\n"


def _owner() -> Iterator[str]:
    told = tomllib.loads((FOLDER / "declared.toml").read_text(encoding="utf-8"))
    yield "## 6. Owner & DRI (MUST)\n"
    yield f"- DRI : {metrics.OWNER}"
    yield f"- Backup DRI : {metrics.OWNER}"
    yield f"- Decision authority : {metrics.OWNER}"
    yield f"- Sunset milestone : {told['sunset']}:"
    yield "    - The fallback parameter of call sites is removed"
    yield "    - The `event=hpo_fallback_applied` rate is 0"
    yield "    - The Console UI restore-from-history is live"
    yield "    - The break-glass path is emergency-only"
    yield "    - The remaining training parameters are values, too\n"
    yield "## Sign-off checklist (gate before PR merge)\n"
    yield "- [ ] §1 monitoring : declared in code, see above"
    yield "- [ ] §2 alerting : declared in code, see above"
    yield "- [ ] §3 drift : tests and the gate, see above"
    yield "- [ ] §4 rollout : `setpoint rollout`"
    yield "- [ ] §5 rollback : `setpoint rollback`"
    yield f"- [ ] §6 DRI : {metrics.OWNER}"
    yield "- [ ] Dependency declarations : H1 `deptry` is green, no new import in the resolver"
    yield "- [ ] Committee `pr_review` : owed"
    yield "- [ ] Story OP comment : owed, it links both sessions\n"


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(columns)
    lines = [head, ("---",) * len(head), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"
