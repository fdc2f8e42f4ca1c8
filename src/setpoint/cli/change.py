"""`setpoint change ...`: what was proposed, by whom, how it stands; and deciding on it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from setpoint.change.patch import Patch
from setpoint.cli.app import AsksNothing, Json, Limit, app, catalogues, database
from setpoint.cli.change_display import print_facts, print_standing, waiting_and_time
from setpoint.cli.next_step import over, waiting_and_how
from setpoint.cli.output import note, out, print_json, table
from setpoint.cli.values import (
    ApplyAt,
    Evidence,
    FromFile,
    Unset,
    print_edits,
    read_wanted,
    scheduled_instant,
)
from setpoint.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.change.changes import Change
    from setpoint.store.database import Transaction

changes: typer.Typer = typer.Typer(
    help="Changes: what was proposed, by whom, and how it stands.", no_args_is_help=True
)
app.add_typer(changes, name="change")

ChangeId = Annotated[int, typer.Argument(help="The change's number.")]
Words = Annotated[str, typer.Option("--reason", "-r", "--comment", "-m", help="Words to go with it.")]


@changes.command("list")
def list_changes(
    state: Annotated[
        str, typer.Option(help="open, draft, proposed, suspended, applied, rejected, withdrawn or all.")
    ] = "open",
    limit: Limit = 20,
    trace: Annotated[
        str, typer.Option(help="Only those of this trace: its 32 digits, or a traceparent.")
    ] = "",
    as_json: Json = False,
) -> None:
    """List changes, newest first; the open ones unless asked otherwise.

    Example: `setpoint change list --state all --trace 0af7651916cd43dd8448eb211c80319c`
    """
    from setpoint.change.changes import State
    from setpoint.change.changes import list_changes as read_changes
    from setpoint.observe.trace_context import trace_id

    if state not in (states := ("open", *get_args(State), "all")):
        raise UsageError(f"{state!r} is no state of a change.", hint=f"give one of {', '.join(states)}")
    with database() as opened:
        found = read_changes(opened, state=state, trace=trace_id(trace) or trace or None, limit=limit)
    if as_json:
        print_json(found)
        return
    table(
        ("change", "scope", "kinds", "edits", "state", "author", "reason", "revision", "waits for"),
        (
            (
                one.id,
                one.scope,
                ", ".join(one.kinds),
                one.n_edits,
                one.state,
                one.author,
                one.reason,
                one.applied_revision or "",
                waiting_and_time(one),
            )
            for one in found
        ),
    )


@changes.command()
def show(change: ChangeId, as_json: Json = False) -> None:
    """Show one change: what it would do, what it needs, and what people said.

    Example: `setpoint change show 7`
    """
    from setpoint.change.changes import OPEN, full_change_of, read_change
    from setpoint.change.conflicts import overlaps_of
    from setpoint.change.impact import impact_of, invariants_of
    from setpoint.cli.impact import print_impact

    with database() as opened:
        read = read_change(opened, change)
        found, touched = full_change_of(opened, read), impact_of(opened, catalogues(), read)
        judged = invariants_of(opened, catalogues(), read)
        keys = [edit.key for edit in found.edits] if found.state in OPEN else []
        overlaps = overlaps_of(opened, found.scope, keys, change)
    if as_json:
        print_json({**vars(found), "impact": touched, "invariants": judged, "overlaps": overlaps})
        return
    print_facts(found)
    if found.state in OPEN and not found.policy:
        print_impact(touched, judged)
    print_standing(found, overlaps)


@changes.command("diff")
def diff_changes(
    old: Annotated[int, typer.Argument(help="A change.")],
    new: Annotated[int, typer.Argument(help="Another change.")],
    as_json: Json = False,
) -> None:
    """Show what another change asks for that this one does not, of the keys that either touches.

    Example: `setpoint change diff 7 9`
    """
    from setpoint.change.changes import diff_changes as compare
    from setpoint.change.changes import read_change

    with database() as opened:
        edits = compare(opened, old, new)
        first, second = read_change(opened, old), read_change(opened, new)
    if as_json:
        print_json(edits)
        return
    print_edits(edits)
    if first.scope != second.scope:
        note(f"note: change {old} is one of {first.scope}, change {new} of {second.scope}.")
    elif first.base_revision != second.base_revision:
        note(f"note: change {old} is over {over(first)}, change {new} over {over(second)}.")


@changes.command()
def amend(
    change: ChangeId,
    pairs: Annotated[
        list[str] | None, typer.Argument(help="As for `set`; without any, the edits stay as they are.")
    ] = None,
    from_file: FromFile = None,
    unset: Unset = None,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Without it, the old one.")] = "",
    apply_at: ApplyAt = "",
    mine: Annotated[
        list[str] | None,
        typer.Option(help="Of a key that others wrote since, keep the change's edit."),
    ] = None,
    theirs: Annotated[list[str] | None, typer.Option(help="Leave this key as it is now.")] = None,
    evidence: Evidence = None,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> int:
    """Edit an open change of yours, over the document as it is now. Approvals given so far no longer count.

    Examples: `setpoint change amend 7 xgb/5m/gamma=0.25`, `setpoint change amend 7` (when its base moved),
    `setpoint change amend 7 --mine xgb/5m/gamma --theirs xgb/5m/max_depth` (when others wrote these keys)
    """
    from setpoint.change.changes import read_change
    from setpoint.change.decisions import Amendment, amend_over
    from setpoint.change.documents import held_keys
    from setpoint.change.identity import author_of
    from setpoint.change.requirements import next_step

    system = catalogues()
    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        found = read_change(transaction, change)
        patch = Patch({})
        if pairs or from_file or unset:
            held = partial(held_keys, transaction, system, found.scope)
            patch = read_wanted(system, pairs, from_file, unset, held=held)
        runs = tuple(evidence) if evidence else None
        amendment = Amendment(patch, reason, scheduled_instant(apply_at), mine or (), theirs or (), runs)
        made = amend_over(transaction, system, found, amendment)
        step = next_step(transaction, change)
    if as_json:
        print_json({"change": change, "edits": made.edits, "next_step": step})
    else:
        print_edits(made.edits)
        waits = f"; {waiting_and_how(step)}" if step else ""
        out.say(f"change {change}: {made.state}, approvals start again{waits}")
    return EXIT_OK


@changes.command()
def ask(
    change: ChangeId,
    people: Annotated[list[str], typer.Argument(help="Who may approve it, and is asked to.")],
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Ask people to approve a change of yours; anybody else who may still can.

    Example: `setpoint change ask 7 bo eve`
    """
    from setpoint.change.proposals import ask_approvers

    _move(change, lambda transaction, number: ask_approvers(transaction, number, people), "", as_json=as_json)


@changes.command()
def propose(change: ChangeId, words: Words = "", _yes: AsksNothing = False, as_json: Json = False) -> None:
    """Propose a draft of yours.

    Example: `setpoint change propose 7`
    """
    from setpoint.change.proposals import propose as hand_over

    _move(change, hand_over, words, as_json=as_json)


@changes.command()
def withdraw(change: ChangeId, words: Words = "", _yes: AsksNothing = False, as_json: Json = False) -> None:
    """Take a change of yours back.

    Example: `setpoint change withdraw 7 --reason "another change has it"`
    """
    from setpoint.change.proposals import withdraw as take_back

    _move(change, take_back, words, as_json=as_json)


@changes.command("apply")
def apply_change(
    change: ChangeId,
    words: Words = "",
    break_freeze: Annotated[
        str, typer.Option("--break-freeze", help="Why it is applied in a freeze, by somebody who may.")
    ] = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Apply a change that is allowed to be: approved, due, held by no freeze, over a base that stands.

    Example: `setpoint change apply 7 --break-freeze "the exchange moves its tick size tonight"`
    """
    from setpoint.change.applying import apply, remark
    from setpoint.change.changes import read_change
    from setpoint.change.freezes import break_freeze as let_through
    from setpoint.change.identity import author_of

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        found = read_change(transaction, change)
        if break_freeze:
            let_through(transaction, found, break_freeze)
        revision = apply(transaction, catalogues(), found)
        remark(transaction, found, words)
    if as_json:
        print_json({"change": change, "revision": revision})
    else:
        out.say(f"change {change}: " + (f"revision {revision}" if revision else "policy in force"))


@changes.command("due")
def apply_due(words: Words = "", _yes: AsksNothing = False, as_json: Json = False) -> None:
    """Apply every scheduled change whose time has come; one whose base moved is suspended, not applied.

    Example: `setpoint change due`
    """
    from setpoint.change.applying import apply_due as run_due
    from setpoint.change.identity import author_of

    with database() as opened:
        ended = run_due(opened, catalogues(), author_of(opened).name, words)
    if as_json:
        print_json([{"change": change, "outcome": outcome} for change, outcome in ended])
    for change, outcome in [] if as_json else ended:
        out.say(f"change {change}: {outcome}")


def _move(change: int, move: Callable[[Transaction, int], Change], words: str, *, as_json: bool) -> None:
    from setpoint.change.applying import remark
    from setpoint.change.identity import author_of
    from setpoint.change.requirements import next_step

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        moved = move(transaction, change)
        remark(transaction, moved, words)
        step = next_step(transaction, change)
    if as_json:
        print_json({"change": change, "state": moved.state, "next_step": step})
        return
    out.say(f"change {change}: {moved.state}" + (f", {waiting_and_how(step)}" if step else ""))


@changes.command()
def effects(change: ChangeId, as_json: Json = False) -> None:
    """Show what a change did: decided by whom, applied, told to whom, used by which runs, restored by what.

    Example: `setpoint change effects 12`
    """
    from setpoint.cli.effects import print_effects
    from setpoint.govern.effects import effects_of

    with database() as opened, opened.transaction() as transaction:
        found = effects_of(transaction, change)
    if as_json:
        print_json(found)
    else:
        print_effects(found)


@changes.command()
def impact(change: ChangeId, as_json: Json = False) -> None:
    """Show what a change would touch: runs made with the values it replaces, contexts, ranges, best trials.

    Example: `setpoint change impact 12`
    """
    from setpoint.change.changes import read_change
    from setpoint.change.impact import impact_of, invariants_of
    from setpoint.cli.impact import print_impact

    with database() as opened:
        read = read_change(opened, change)
        found, judged = impact_of(opened, catalogues(), read), invariants_of(opened, catalogues(), read)
    if as_json:
        print_json({**vars(found), "invariants": judged})
    else:
        print_impact(found, judged)
