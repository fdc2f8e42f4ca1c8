"""`setpoint rollback`: the four ways back, those that apply in an incident, and which of them was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app, catalogues, database
from setpoint.cli.next_step import instant_text
from setpoint.cli.output import out, print_json, table
from setpoint.cli.values import Scope  # noqa: TC001 - typer reads annotations
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import UsageError

if TYPE_CHECKING:
    from setpoint.change.emergency.mechanisms import MechanismStanding
    from setpoint.change.emergency.offers import Offer
    from setpoint.change.emergency.rollbacks import TakenRollback
    from setpoint.store.database import Database


@app.command()
def rollback(
    incident: Annotated[str, typer.Option("--incident", help="The incident's id: what applies in it.")] = "",
    scope: Scope = GLOBAL_SCOPE,
    bad_build: Annotated[
        str, typer.Option("--bad-build", help="The commit that is wrong. Default: of the newest run.")
    ] = "",
    taken: Annotated[str, typer.Option("--take", help="Record that you take this one now.")] = "",
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; kept for ever.")] = "",
    proven: Annotated[
        str, typer.Option("--proven", help="Record what proves that it worked; its time ends now.")
    ] = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """List the four ways back, each with its promise and last rehearsal; with --incident, what applies now.

    In an incident it prints the exact commands, filled in from the record: the revision to go back to, and
    the last good build. It carries none of them out. Say which you take with --take, then what proves that
    it worked with --proven: both instants are kept, and held against the promise.

    Examples: `setpoint rollback`, `setpoint rollback --incident INC-42`
    """
    if not incident and (taken or proven or bad_build):
        raise UsageError("these options are of an --incident.", hint="setpoint rollback --incident INC-42")
    if taken and not reason.strip():
        raise UsageError("what is taken has a --reason.", hint="it is kept for ever")
    with database() as opened:
        if not incident:
            _list(opened, as_json=as_json)
            return
        _record(opened, incident, taken, reason, proven)
        _show(opened, incident, scope, bad_build, as_json=as_json)


def _record(opened: Database, incident: str, taken: str, reason: str, proven: str) -> None:
    from setpoint.change.emergency.mechanisms import mechanism_named
    from setpoint.change.emergency.rollbacks import prove, take
    from setpoint.change.identity import author_of

    if not (taken or proven):
        return
    with opened.transaction(author=author_of(opened).name) as transaction:
        if taken:
            take(transaction, incident, mechanism_named(taken), reason)
        if proven:
            prove(transaction, incident, proven)


def _list(opened: Database, *, as_json: bool) -> None:
    from setpoint.change.emergency.mechanisms import list_mechanisms

    found = list_mechanisms(opened)
    if as_json:
        print_json(found)
        return
    table(
        ("mechanism", "fits when", "promised", "rehearsed", "took", "by", "build"),
        ((one.mechanism, one.fits, one.promise, *_rehearsed(one)) for one in found),
    )
    for one in found:
        if one.state != "rehearsed":
            out.say(f"{one.mechanism}: rehearse it: `{one.rehearsal}`")


def _rehearsed(one: MechanismStanding) -> tuple[str, str, str, str]:
    """Return the state, how long its slowest scenario took, by whom, and of which build."""
    if not one.rehearsals:
        return one.state, "", "", ""
    newest = one.rehearsals[0]
    took_s = max(each.took_s for each in one.rehearsals)
    return f"{one.state}, {instant_text(newest.rehearsed_at)}", f"{took_s:.1f} s", newest.person, newest.build


def _show(opened: Database, incident: str, scope: str, bad_build: str, *, as_json: bool) -> None:
    from setpoint.change.emergency.offers import look_at, offers_in
    from setpoint.change.emergency.rollbacks import list_taken

    situation = look_at(opened, catalogues(), scope, bad_build=bad_build)
    offers, taken = offers_in(situation, incident), list_taken(opened, incident)
    if as_json:
        print_json({"situation": situation, "offers": offers, "taken": taken})
        return
    out.say(
        f"{scope} stands at revision {situation.standing}; to go back to: {situation.target or 'unknown'}"
    )
    for problem in situation.problems[:5]:
        out.say(f"  it is not sound: {problem}")
    for offer in offers:
        _say_offer(offer)
    for one in taken:
        _say_taken(one)


def _say_offer(offer: Offer) -> None:
    out.say()
    applies = "applies" if offer.applies else "does not apply"
    out.say(f"{offer.mechanism} ({offer.promise}) {applies}: {offer.because}", style="bold")
    out.say(f"  when {offer.fits}")
    for command in offer.commands if offer.applies else ():
        out.lines(f"  {command}")


def _say_taken(one: TakenRollback) -> None:
    proven = "not proven yet"
    if one.took_s is not None:
        kept = {True: ", in time", False: ", LATE", None: ""}[one.in_time]
        proven = f"proven after {one.took_s:.0f} s{kept} by {one.proven_by}: {one.proven_words}"
    out.say()
    out.say(f"taken {instant_text(one.taken_at)}: {one.mechanism} by {one.person}: {one.reason}; {proven}")
