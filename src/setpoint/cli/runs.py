"""`setpoint runs`, `show`, `verdict`, `compare` and `report`: what was trained, and how it is judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.app import Json, Limit, app, database
from setpoint.cli.output import Styled, err, number, out, print_json, table
from setpoint.client.snapshot_set import named
from setpoint.errors import EXIT_FINDING, EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from setpoint.govern.comparison import Comparison, Difference, JudgedRun
    from setpoint.govern.paired import Paired
    from setpoint.record.run_rows import PinnedContext, Run

SHOWN = 15
UNITS_SHOWN = 100
RunId = Annotated[str, typer.Argument(help="A run's id, or `latest`.")]


@app.command()
def runs(
    limit: Limit = 20,
    revision: Annotated[
        int | None, typer.Option(help="Only runs that pinned this revision.", min=1, max=2**63 - 1)
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="With --revision: only runs that used the value this key had then.")
    ] = None,
    set_by: Annotated[
        int | None,
        typer.Option(help="Only runs that used a value which this revision set.", min=1, max=2**63 - 1),
    ] = None,
    as_json: Json = False,
) -> None:
    """List recorded runs, newest first.

    Examples: `setpoint runs --revision 12 --key CVN_HPO_LGB_5M_LEARNING_RATE`, `setpoint runs --set-by 12`
    """
    from setpoint.record.run_rows import list_runs

    with database() as opened:
        rows = list_runs(opened, limit=limit, revision=revision, key=key, set_by=set_by)
    if as_json:
        print_json(rows)
        return
    table(
        ("run", "state", "results", "failed", "data", "snapshot", "by"),
        (
            (
                row.id,
                row.state,
                row.n_results,
                row.n_failures,
                row.data_label,
                row.snapshot_hash[:12],
                row.started_by,
            )
            for row in rows
        ),
    )


@app.command()
def show(
    run: RunId = "latest",
    limit: Annotated[
        int, typer.Option(min=1, help="How many units to list; with --json each of them is there.")
    ] = UNITS_SHOWN,
    as_json: Json = False,
) -> None:
    """Show one run: what it pinned, what it trained, and units with their results.

    Example: `setpoint show latest`
    """
    from setpoint.govern.importance import importance_by_group
    from setpoint.record.dropped import told_of_dropped
    from setpoint.record.fallbacks import fallback_share
    from setpoint.record.result_rows import count_ended, list_failures, read_results
    from setpoint.record.run_rows import read_contexts, read_run, read_units

    most = None if as_json else limit
    with database() as opened:
        row = read_run(opened, run)
        results = read_results(opened, row.id, most)
        failures = [failure for _position, failure in list_failures(opened, row.id, limit=most)]
        fallbacks = fallback_share(opened, run=row.id)
        dropped = told_of_dropped(opened, row.id)
        if as_json:
            recorded = {"run": row, "units": read_units(opened, row.id), "results": results}
            print_json({**recorded, "failures": failures, "fallbacks": fallbacks, "dropped": dropped})
            return
        n_results, n_failures = count_ended(opened, row.id)
        contexts, importance = read_contexts(opened, row.id), importance_by_group(opened, row.id)
    _print_run(row, n_results, n_failures)
    for line in _overlays(row, contexts):
        out.say(line)
    out.say(f"fallbacks: {fallbacks}")
    for said in dropped:
        out.say(said)
    table(
        (
            "asset",
            "model",
            "fold",
            "f1 val",
            "all BUY",
            "f1 test",
            "AUC",
            "trees",
            "BUY at",
            "findings",
        ),
        (
            (
                one.symbol,
                one.model,
                one.fold,
                number(one.f1_buy_val),
                number(one.always_buy_f1_val),
                number(one.f1_buy_test),
                number(one.metrics.val["auc"]),
                one.n_trees_used,
                number(one.threshold, 2),
                ", ".join(f"{f.param}: {f.finding}" for f in one.findings) or "none",
            )
            for one in results
        ),
    )
    if n_results > len(results):
        out.say(f"... and {n_results - len(results)} more units; --limit lists more, --json all")
    for group in importance:
        out.say(f"importance {group} ({group.evaluator}; mean of {group.units} units)")
    for failed in failures:
        err.say(f"failed: {failed.symbol} {failed.model} fold {failed.fold}: {failed.code}: {failed.message}")
    if n_failures > len(failures):
        err.say(f"... and {n_failures - len(failures)} more failed")


@app.command()
def verdict(
    run: RunId = "latest",
    against: Annotated[
        str, typer.Option(help="A run with other values: say the difference, with its uncertainty.")
    ] = "",
    as_json: Json = False,
) -> int:
    """Judge a run by the canary rule. Exit code 0 is a pass, 1 anything else.

    Rollback is judged first, then insufficient data; always saying BUY is the floor to beat.

    With `--against` the difference of each model is told beside the rule, which alone decides, and whether a
    run under way is worse already: that may be asked after each unit.

    Examples: `setpoint verdict latest`, `setpoint verdict latest --against 20261123-101500-3f2a`
    """
    from setpoint.govern.comparison import judge_against, judge_run, run_verdict

    with database() as opened:
        judged = judge_run(opened, run)
        paired = judge_against(opened, run, against).paired if against else None
    if as_json:
        told = run_verdict(judged)
        print_json({**vars(told), "paired": paired} if paired else told)
    else:
        print_verdict(judged)
        if paired:
            print_paired(paired)
    return EXIT_OK if judged.verdict.outcome == "pass" else EXIT_FINDING


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(help="Two runs or more, the earliest first; `latest` is one.")],
    as_json: Json = False,
) -> None:
    """Compare two or more runs: configuration, circumstances, effective parameters and metrics.

    Of each thing that differs there is what each run says, in their order. One run alone is compared
    with the latest.

    Example: `setpoint compare 20261123-101500-3f2a latest`
    """
    from setpoint.govern.comparison import compare_runs, pair_each, view_run

    named_runs = runs if len(runs) > 1 else [*runs, "latest"]
    with database() as opened:
        found = compare_runs([view_run(opened, run) for run in named_runs])
        paired = pair_each(opened, [one.run for one in found.runs])
    if as_json:
        told = [{"run": name, "paired": one} for name, one in paired]
        print_json({**_comparison(found), "paired": told})
        return
    out.say(f"{found.identical} of {found.shared} shared units have identical models")
    for one in (*found.circumstances, *found.configuration, *found.overlays, *found.effective[:SHOWN]):
        place = f"{one.where}: " if one.where else ""
        out.say(f"{place}{one.key}: {' -> '.join(map(_told, one.values))}")
    if len(found.effective) > SHOWN:
        out.say(f"... and {len(found.effective) - SHOWN} more differences in effective parameters")
    table(("model", "run", "f1 val", "change", "all BUY", "AUC"), _score_rows(found))
    for name, one_paired in paired:
        out.say(f"{name} against {found.runs[0].run}, pair by pair:")
        print_paired(one_paired)


def _comparison(found: Comparison) -> dict[str, Any]:
    from setpoint.govern.comparison import run_verdict

    def listed(differences: Sequence[Difference], where: str = "") -> list[dict[str, Any]]:
        return [
            {**({where: one.where} if where else {}), "key": one.key, "values": one.values}
            for one in differences
        ]

    return {
        "runs": [one.run for one in found.runs],
        "configuration": listed(found.configuration),
        "overlays": listed(found.overlays, "context"),
        "circumstances": listed(found.circumstances),
        "effective": listed(found.effective, "unit"),
        "identical_models": found.identical,
        "shared_units": found.shared,
        "verdicts": [run_verdict(one) for one in found.runs],
    }


def _told(value: object) -> str:
    return "none" if value is None else str(value)


def _score_rows(found: Comparison) -> Iterator[tuple[object, ...]]:
    """Yield a line for each model in each run; the change is from what the first run has."""
    for name, scores in found.scores.items():
        before = scores[0].f1 if scores[0] else None
        for run, one in zip(found.runs, scores, strict=True):
            if one:
                change = None if before is None or one.f1 is None else one.f1 - before
                numbers = (one.f1, change, one.always_buy, one.auc)
                yield (name, run.run, *map(number, numbers))


def print_paired(paired: Paired) -> None:
    """Say how much better a run is than another one, with its uncertainty, or why that is not said."""
    for why in paired.void:
        out.say(f"no interval: {why}", style="yellow")
    for one in paired.intervals:
        out.say(f"f1 of {one}")
    if paired.bound:
        out.say(str(paired.bound))


def print_verdict(view: JudgedRun) -> None:
    """Print the verdict with its tables: per model and asset, the baseline beside each score."""
    judged = view.verdict
    _print_run(view.row, view.n_results, view.n_failures)
    symbols = [asset.symbol for asset in judged.models[0].assets] if judged.models else []
    rows = [
        (symbol, *(_cell(model.assets[index], judged.rule.pass_f1) for model in judged.models))
        for index, symbol in enumerate(symbols)
    ]
    summaries = {"f1": judged.rule.aggregation, **_SUMMARIES}
    rows.extend(
        (title, *(number(getattr(model, name)) for model in judged.models))
        for name, title in summaries.items()
    )
    table(("f1_buy_val", *(model.model for model in judged.models)), rows)
    out.say(
        f"variant: {judged.variant}, aggregation: {judged.rule.aggregation}, "
        f"replication: {judged.replication} (*: asset reaches {judged.rule.pass_f1})",
    )
    out.say(f"rule: {judged.rule}")
    colour = {"pass": "green", "rollback": "red"}.get(judged.outcome, "yellow")
    out.say("verdict: ", Styled(judged, f"bold {colour}"))
    for reason in judged.reasons:
        out.say(f"  {reason}")


def _overlays(row: Run, contexts: Iterable[PinnedContext]) -> list[str]:
    """Return which contexts train with other values than the base's, and by which overlays."""
    base = {layer["scope"] for layer in row.layers}
    lines = []
    for one in contexts:
        own = [layer for layer in one.layers if layer["scope"] not in base]
        if own:
            scopes = ", ".join(f"{layer['scope']} at revision {layer['revision']}" for layer in own)
            lines.append(f"  {named(one.context)}: snapshot {one.snapshot_hash[:12]} with {scopes}")
    return lines


_SUMMARIES = {
    "always_buy": "always-BUY",
    "skill": "skill over always-BUY",
    "auc": "AUC",
}


def _cell(asset: Any, mark: float) -> str:
    if asset.f1 is None:
        return f"{asset.folds_done}/{asset.folds} folds"
    return f"{asset.f1:.3f}{'*' if asset.f1 >= mark else ''}"


def _print_run(row: Run, n_results: int, n_failures: int) -> None:
    label, style = {
        "synthetic": ("SYNTHETIC data: these numbers say nothing about a market", "bold yellow"),
        "proxy": ("proxy data: another dollar quote stands in", ""),
    }.get(row.data_label, (f"{row.data_label} data", ""))
    out.say(
        f"run {row.id} ({row.state}): snapshot set {row.set_hash[:12]}, "
        f"base {row.snapshot_hash[:12]}, "
        f"{n_results} results, {n_failures} failed; ",
        Styled(label, style),
    )
    if trigger := row.plan.get("trigger"):
        out.say(f"triggered by {trigger['person']}, as {trigger['asserted_by']} says: {trigger['reference']}")


@app.command()
def report(
    run: RunId = "latest",
    file: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default: setpoint-<run>.html here.")
    ] = None,
) -> None:
    """Write one self-contained HTML file with a run's verdict, tables and charts.

    Example: `setpoint report latest --out report.html`
    """
    from setpoint.client.snapshot import SHARED, write_own
    from setpoint.govern.report import REPORT_MARK, read_report, render

    with database() as opened:
        view = read_report(opened, run)
    target = file or Path(f"setpoint-{view.run}.html")
    write_own(target, render(view), REPORT_MARK, SHARED)
    out.say(f"wrote {target}")
