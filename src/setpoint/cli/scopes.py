"""`setpoint scope` and `setpoint policy`: overlays over the global document, and who must approve what."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from setpoint.cli.app import Json, Yes, app, catalogues, database, exit_code, outcome
from setpoint.cli.change_display import say_without_approval
from setpoint.cli.output import confirm, out, print_json, table
from setpoint.cli.values import FromFile, New, Reason, first_use, open_proposal, read_wanted

scopes: typer.Typer = typer.Typer(
    help="Scopes: the global document and the overlays over it.", no_args_is_help=True
)
policies: typer.Typer = typer.Typer(help="Policies: how many people must approve what.", no_args_is_help=True)
app.add_typer(scopes, name="scope")
app.add_typer(policies, name="policy")

ScopeName = Annotated[str, typer.Argument(help="DIMENSION=VALUE, such as symbol=BTCUSDC.")]


@scopes.command("list")
def list_scopes(as_json: Json = False) -> None:
    """List every scope with its revision, how many keys it sets, and who wrote it last.

    Example: `setpoint scope list`
    """
    from setpoint.change.documents import read_scopes

    with database() as opened:
        found = read_scopes(opened)
    if as_json:
        print_json(found)
        return
    table(
        ("scope", "revision", "keys", "state", "by", "reason"),
        (
            (
                one.scope,
                one.revision,
                one.keys,
                "retired" if one.retired else "in force",
                one.updated_by,
                one.change_reason,
            )
            for one in found
        ),
    )


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
        return open_proposal(opened, system, proposal, yes=yes, as_json=as_json, new=True)


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
    """Show every policy, the most specific of which decides, and the people whose approval counts.

    Example: `setpoint policy show`
    """
    from setpoint.change.policies import read_policies

    with database() as opened:
        found = read_policies(opened)
    if as_json:
        print_json({"policies": found.items, "approvers": found.approvers})
        return
    table(
        ("scope", "kind", "approvals", "cooling off", "checks"),
        (
            (
                one.scope,
                one.kind,
                "none: one person decides" if one.solo else one.approvals,
                f"{one.cooling_off_s} s",
                ", ".join(
                    f"smoke within {one.smoke_s} s" if check == "smoke" else check for check in one.checks
                ),
            )
            for one in found.items
        ),
    )
    out.say(f"who can approve: {', '.join(found.approvers) or 'nobody'}")


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
    check: Annotated[
        list[str] | None,
        typer.Option("--check", help="A check to pass: canary, smoke, ranges or rollout. Repeatable."),
    ] = None,
    smoke_within: Annotated[
        str, typer.Option("--smoke-within", help="How long a smoke run may take, such as 2m.")
    ] = "2m",
    new: New = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Open a change of policy; it needs what the policy that stands asks for.

    A check is evidence that `setpoint sweep --change ID` makes of a change before it is applied.

    Examples: `setpoint policy set --kind range --approvals 2 --cooling-off 1h --reason "four eyes"`,
    `setpoint policy set --kind range --approvals 2 --check ranges --reason "no good trial is cut off"`
    """
    from setpoint.change.identity import author_of
    from setpoint.change.policies import without_approval
    from setpoint.change.policy_proposals import policy_proposal
    from setpoint.change.proposals import open_and_apply
    from setpoint.declare.durations import parse_duration

    proposal = policy_proposal(
        catalogues(),
        scope=scope,
        kind=kind,
        approvals=approvals,
        cooling_off_s=parse_duration(cooling_off),
        checks=check or (),
        smoke_s=parse_duration(smoke_within),
        reason=reason,
    )
    passed = f", checks {' and '.join(check)}" if check else ""
    passed += f", smoke runs within {smoke_within}" if "smoke" in (check or ()) else ""
    line = f"{kind} changes of {scope}: {approvals} approval(s), cooling off {cooling_off}{passed}"
    with database() as opened:
        question = first_use(opened, catalogues(), scope, new=new, yes=yes)
        left = without_approval(opened, proposal.set)
    if not as_json:
        say_without_approval(left)
    if not yes:
        out.say(line)
        confirm(question or "Propose this policy?")
    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        made = open_and_apply(transaction, catalogues(), replace(proposal, new_scope=new or bool(question)))
    if as_json:
        print_json({**vars(made.outcome), "leaves_without_approval": left})
    else:
        out.say(f"{line}: {outcome(made)}")
    return exit_code(made)
