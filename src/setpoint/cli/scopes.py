"""`setpoint scope` and `setpoint policy`: overlays over the global document, and who must approve what."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from setpoint.cli.app import Json, Yes, app, catalogues, database
from setpoint.cli.output import confirm, out, print_json, table
from setpoint.cli.values import FromFile, Reason, open_proposal, read_wanted
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import EXIT_OK

scopes = typer.Typer(help="Scopes: the global document and the overlays over it.", no_args_is_help=True)
policies = typer.Typer(help="Policies: how many people must approve what.", no_args_is_help=True)
app.add_typer(scopes, name="scope")
app.add_typer(policies, name="policy")

ScopeName = Annotated[str, typer.Argument(help="DIMENSION=VALUE, such as symbol=BTCUSDC.")]


@scopes.command("list")
def list_scopes(as_json: Json = False) -> None:
    """List every scope with its revision, how many keys it sets, and who wrote it last."""
    with database() as opened:
        documents = opened.fetch_all("list_scopes")
    rows = [{**row, "state": _state(row)} for row in documents]
    if as_json:
        print_json(rows)
        return
    table(
        ("scope", "revision", "keys", "state", "by", "reason"),
        (
            (
                row["scope"],
                row["revision"],
                row["keys"],
                row["state"],
                row["updated_by"],
                row["change_reason"],
            )
            for row in rows
        ),
    )


def _state(row: dict[str, Any]) -> str:
    return "in force" if row["keys"] or row["scope"] == GLOBAL_SCOPE else "retired"


@scopes.command()
def create(
    scope: ScopeName,
    reason: Reason,
    pairs: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE, as for `setpoint set`.")] = None,
    from_file: FromFile = None,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Make an overlay with its first values; a retired one comes back with them.

    Example: `setpoint scope create symbol=BTCUSDC xgb/5m/gamma=0.5 --reason "BTC overfits"`
    """
    from setpoint.change.overlays import creation

    system = catalogues()
    patch = read_wanted(system, pairs, from_file)
    with database() as opened:
        proposal = creation(opened, system, scope, patch, reason)
        return open_proposal(opened, system, proposal, yes=yes, as_json=as_json)


@scopes.command()
def retire(scope: ScopeName, reason: Reason, yes: Yes = False, as_json: Json = False) -> int:
    """Empty an overlay, so that it overrides nothing any more. Its history stays, and it can be restored.

    Example: `setpoint scope retire symbol=BTCUSDC --reason "not traded any more"`
    """
    from setpoint.change.overlays import retirement

    system = catalogues()
    with database() as opened:
        proposal = retirement(opened, system, scope, reason)
        return open_proposal(opened, system, proposal, yes=yes, as_json=as_json)


@policies.command("show")
def show_policies(as_json: Json = False) -> None:
    """Show every policy, the most specific of which decides, and the people whose approval counts."""
    with database() as opened:
        rows = opened.fetch_all("list_policies")
        people = [row["person"] for row in opened.fetch_all("list_approvers")]
    if as_json:
        print_json({"policies": rows, "approvers": people})
        return
    table(
        ("scope", "kind", "approvals", "cooling off"),
        (
            (
                row["scope"],
                row["kind"],
                "none: one person decides" if row["solo"] else row["approvals"],
                f"{row['cooling_off_s']} s",
            )
            for row in rows
        ),
    )
    out.say(f"who can approve: {', '.join(people) or 'nobody'}")


@policies.command("set")
def set_policy(
    reason: Reason,
    approvals: Annotated[int, typer.Option("--approvals", help="How many people besides the author.")],
    scope: Annotated[str, typer.Option("--scope", "-s", help="A scope, or * for any.")] = "*",
    kind: Annotated[
        str, typer.Option("--kind", help="value, range, scope, restore, policy, or * for any.")
    ] = "*",
    cooling_off: Annotated[
        str, typer.Option("--cooling-off", help="How long a change must wait, such as 30m or 1h.")
    ] = "0s",
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Open a change of policy; it needs what the policy that stands asks for.

    Example: `setpoint policy set --kind range --approvals 2 --cooling-off 1h --reason "four eyes"`
    """
    from setpoint.change.identity import author_of
    from setpoint.change.policies import parse_duration, policy_proposal
    from setpoint.change.proposals import open_and_apply, read_change

    proposal = policy_proposal(
        catalogues(),
        scope=scope,
        kind=kind,
        approvals=approvals,
        cooling_off_s=parse_duration(cooling_off),
        reason=reason,
    )
    said = f"{kind} changes of {scope}: {approvals} approval(s), cooling off {cooling_off}"
    if not yes:
        out.say(said)
        confirm("Propose this policy?")
    with database() as opened:
        with opened.transaction(author=author_of(opened).name) as transaction:
            made = open_and_apply(transaction, catalogues(), proposal)
        change = read_change(opened, made.change.id)
    state = change.row["state"]
    if as_json:
        print_json({"change": change.id, "state": state, "approvals_needed": made.requirement.approvals})
    else:
        needed = "" if state == "applied" else f", waits for {made.requirement.approvals} approval(s)"
        out.say(f"change {change.id} {state}: {said}{needed}")
    return EXIT_OK
