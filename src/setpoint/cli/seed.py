"""`setpoint seed` and `setpoint keys`: bring starting values in, and see what is declared."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import Json, Yes, app, catalogues, database, exit_code, outcome, settings
from setpoint.cli.output import confirm, err, out, print_json, table
from setpoint.declare.addresses import declared_like
from setpoint.declare.seeds import load_seeds
from setpoint.errors import EXIT_FINDING, EXIT_OK, ForbiddenError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.change.proposals import OpenedChange, Unchanged
    from setpoint.change.seeding import ScopePlan
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.document import Edit
    from setpoint.record.coverage import Coverage
    from setpoint.store.database import Database

SHOWN_EDITS = 12


@app.command()
def seed(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; writes nothing.")
    ] = False,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Write what is missing and what has a new default, in one transaction."),
    ] = False,
    force_overwrite: Annotated[
        bool, typer.Option("--force-overwrite", help="With --apply: also replace values that were tuned.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why. Default: that it is a seed.")] = "",
    fail_under: Annotated[
        float | None,
        typer.Option(
            "--fail-under",
            min=0,
            max=100,
            help="Let coverage decide: success when every catalogue's share is at least this, in percent.",
        ),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Bring starting values into the documents. **Never** overwrites a tuned value unless told to.

    `--dry-run` shows three kinds: what is new, what has a **new default** in its file while nobody touched
    the value that seeding wrote, and what was tuned. `--apply` writes the first two. Exit code 1: there is
    something to write. With `--fail-under`, for a deployment: success as soon as every catalogue is covered
    that far, whatever else there is to write or waits; else 11 when a change waits, and 1 when none does.

    Examples: `setpoint seed --dry-run`, `setpoint seed --apply`,
    `setpoint seed --apply --force-overwrite --yes`
    """
    if dry_run == apply or (force_overwrite and not apply):
        raise UsageError("give either --dry-run or --apply.", hint="setpoint seed --dry-run")
    from setpoint.change.identity import author_of
    from setpoint.change.seeding import apply_seed, plan_seed
    from setpoint.record.coverage import audit_console_coverage

    system = catalogues()
    seeds = load_seeds(settings().seeds, system)
    with database() as opened:
        plans = plan_seed(opened, system, seeds, overwrite=force_overwrite)
        if dry_run:
            audit = None if fail_under is None else audit_console_coverage(opened, system)
            return _judged(_report(plans, audit, as_json=as_json), audit, fail_under)
        overwritten = [edit for plan in plans for edit in plan.tuned if force_overwrite]
        if overwritten and not yes:
            _report(plans, None, as_json=False)
            confirm(f"Overwrite {len(overwritten)} tuned value(s)?")
        plans, changes = apply_seed(
            opened, system, seeds, author_of(opened), overwrite=force_overwrite, reason=reason
        )
        coverage = audit_console_coverage(opened, system)
        if all(made.in_force for made in changes.values()):
            _sign(opened, system)
        print_applied(plans, changes, coverage, as_json=as_json)
    return _judged(exit_code(*changes.values()), coverage, fail_under)


def _judged(code: int, coverage: Coverage | None, fail_under: float | None) -> int:
    """Return the exit code, which is the coverage's to say where ``--fail-under`` was given."""
    if coverage is None or fail_under is None:
        return code
    return EXIT_OK if coverage.lowest_pct >= fail_under else code or EXIT_FINDING


def _sign(opened: Database, system: Catalogues) -> None:
    """Record who applied the seeds, which a canary asks for; a robot seeds, and signs nothing."""
    from setpoint.change.identity import author_of
    from setpoint.govern.rollout.acting import sign_seeding

    with suppress(ForbiddenError), opened.transaction(author=author_of(opened).name) as transaction:
        sign_seeding(transaction, system)


def print_applied(
    plans: Sequence[ScopePlan],
    changes: dict[str, OpenedChange | Unchanged],
    coverage: Coverage,
    *,
    as_json: bool,
) -> None:
    """Say what was written and what is covered now."""
    if as_json:
        revisions = {scope: made.revision for scope, made in changes.items()}
        print_json({**_as_json(plans), "revisions": revisions, "coverage": coverage})
        return
    for plan in plans:
        made = changes.get(plan.seed.scope)
        done = f"{outcome(made)}: {len(plan.edits)} written" if made else "nothing to write"
        out.say(f"{plan.seed.scope}: {done}, {plan.unchanged} unchanged, {len(plan.kept)} tuned kept")
    _say_coverage(coverage)


def _say_coverage(coverage: Coverage) -> None:
    for member in coverage.catalogues:
        out.say(f"coverage {member.name}: {member.seeded} of {member.declared} ({member.coverage_pct:.1f} %)")


def _report(plans: Sequence[ScopePlan], coverage: Coverage | None, *, as_json: bool) -> int:
    if as_json:
        print_json(_as_json(plans) | ({"coverage": coverage} if coverage else {}))
    else:
        rows = [
            (
                plan.seed.scope,
                len(plan.seed.values),
                plan.unchanged,
                len(plan.new),
                len(plan.new_defaults),
                len(plan.tuned),
            )
            for plan in plans
        ]
        overwrite = any(plan.overwrite for plan in plans)
        tuned = "tuned, to overwrite" if overwrite else "tuned, kept"
        table(("scope", "seeded values", "unchanged", "new", "new default", tuned), rows)
        for plan in plans:
            _list_edits(plan)
        if coverage:
            _say_coverage(coverage)
    return EXIT_FINDING if any(plan.edits for plan in plans) else EXIT_OK


def _list_edits(plan: ScopePlan) -> None:
    for edit in plan.edits[:SHOWN_EDITS]:
        kind = "" if edit in plan.new else f"{_kind(plan, edit)}: "
        err.say(
            f"{plan.seed.scope}: {edit}  ({kind}{plan.seed.values[edit.key].source})",
        )
    if len(plan.edits) > SHOWN_EDITS:
        err.say(f"... and {len(plan.edits) - SHOWN_EDITS} more; --json lists all")
    for edit in plan.kept:
        err.say(
            f"{plan.seed.scope}: kept {edit.key} = {edit.old} (seed: {edit.new})",
        )


def _kind(plan: ScopePlan, edit: Edit) -> str:
    """Say what a difference is: new, a new default over a value nobody touched, or tuned."""
    kinds = {"new": plan.new, "new default": plan.new_defaults, "tuned": plan.tuned}
    return next(kind for kind, edits in kinds.items() if edit in edits)


def _as_json(plans: Sequence[ScopePlan]) -> dict[str, object]:
    return {
        "scopes": [
            {
                "scope": plan.seed.scope,
                "unchanged": plan.unchanged,
                "edits": [
                    {
                        **edit._asdict(),
                        "kind": _kind(plan, edit),
                        "source": plan.seed.values[edit.key].source,
                    }
                    for edit in plan.edits
                ],
                "kept": [edit._asdict() for edit in plan.kept],
            }
            for plan in plans
        ]
    }


@app.command()
def keys(
    match: Annotated[
        str,
        typer.Argument(help="Show only keys that contain this text, or are at an address, xgb/5m."),
    ] = "",
    as_json: Json = False,
) -> None:
    """List the declared keys with their types and bounds.

    Example: `setpoint keys LGB_5M`
    """
    found = declared_like(catalogues(), match)
    if as_json:
        print_json(
            [
                {
                    "key": declared.name,
                    "catalogue": declared.catalogue,
                    "type": declared.parameter.type,
                    "low": declared.parameter.low,
                    "high": declared.parameter.high,
                    "choices": declared.parameter.choices,
                    "unit": declared.parameter.unit,
                    "doc": declared.parameter.doc,
                }
                for declared in found
            ]
        )
        return
    table(
        ("key", "type", "accepts", "unit", "what it does"),
        (
            (
                declared.name,
                declared.parameter.type,
                ", ".join(declared.parameter.choices)
                or (
                    f"{declared.parameter.low} to {declared.parameter.high}"
                    if declared.parameter.low is not None
                    else "true, false"
                ),
                declared.parameter.unit,
                declared.parameter.doc,
            )
            for declared in found
        ),
    )
