"""`setpoint change approve|reject|comment|repeat`: what people say of a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, catalogues, database
from setpoint.cli.change import ChangeId, Words, changes
from setpoint.cli.next_step import waiting_and_how
from setpoint.cli.output import out, print_json
from setpoint.cli.values import scheduled_instant
from setpoint.errors import EXIT_OK, EXIT_WAITS

if TYPE_CHECKING:
    from datetime import datetime


@changes.command()
def approve(
    change: ChangeId,
    words: Words = "",
    restore_until: Annotated[
        str,
        typer.Option(
            help="Until this instant, approve also that its keys are brought back, if a verdict says so."
        ),
    ] = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> int:
    """Approve a change as it is now, and apply it when that was the last approval it needed.

    The approval names the proposal's hash: any edit afterwards leaves it behind. Exit code 0: applied, 11: it
    waits for more.

    Example: `setpoint change approve 7 --restore-until 2026-12-24T00:00:00Z`
    """
    return _decide(change, "approve", words, as_json=as_json, until=scheduled_instant(restore_until))


@changes.command()
def reject(change: ChangeId, words: Words = "", _yes: AsksNothing = False, as_json: Json = False) -> int:
    """Reject a change; it ends there.

    Example: `setpoint change reject 7 --reason "the range is too wide"`
    """
    return _decide(change, "reject", words, as_json=as_json)


@changes.command()
def comment(change: ChangeId, words: Words, _yes: AsksNothing = False, as_json: Json = False) -> int:
    """Say something about a change.

    Example: `setpoint change comment 7 --reason "which run shows it?"`
    """
    return _decide(change, "comment", words, as_json=as_json)


@changes.command()
def repeat(
    change: ChangeId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, kept with the change.")],
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Say why the candidate of a change is trained once more with the same data; the next attempt may begin.

    A person says so, who may write or approve it: repeated until one passes, checks pass by chance.

    Example: `setpoint change repeat 7 --reason "the machine was short of memory"`
    """
    from setpoint.change.changes import read_change
    from setpoint.change.decisions import repeat_check
    from setpoint.change.identity import author_of

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        repeat_check(transaction, read_change(transaction, change), reason)
    if as_json:
        print_json({"change": change, "decision": "repeat"})
    else:
        out.say(f"change {change}: one more attempt at its candidate may begin")


def _decide(change: int, decision: str, words: str, *, as_json: bool, until: datetime | None = None) -> int:
    from setpoint.change.changes import read_change
    from setpoint.change.decisions import decide
    from setpoint.change.identity import author_of
    from setpoint.change.requirements import next_step

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        found = read_change(transaction, change)
        after, revision = decide(
            transaction,
            catalogues(),
            found,
            decision,
            proposal_hash=found.proposal_hash,
            words=words,
            restore_until=until,
        )
        step = next_step(transaction, change)
    done = {"approve": "approved", "reject": "rejected", "comment": "noted"}[decision]
    code = EXIT_WAITS if decision == "approve" and after.state != "applied" else EXIT_OK
    if as_json:
        print_json({"change": change, "decision": decision, "revision": revision, "next_step": step})
        return code
    became = f", revision {revision}" if revision else f", {waiting_and_how(step)}" if step else ""
    out.say(f"change {change}: {done}{became}")
    return code
