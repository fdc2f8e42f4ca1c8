"""`setpoint rollout`: a change in stages: shadow, canary, full; who started what, and what verdicts say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Context, Json, Limit, app, catalogues, database, parse_context
from setpoint.cli.change import ChangeId  # noqa: TC001 - typer reads annotations
from setpoint.cli.next_step import waiting_and_how
from setpoint.cli.output import out, print_json, table
from setpoint.cli.rollout_display import print_rollout, print_shadow, standing
from setpoint.errors import EXIT_FINDING, EXIT_OK, EXIT_WAITS, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.govern.rollout.acting import Staged
    from setpoint.store.database import Transaction

rollouts: typer.Typer = typer.Typer(
    help="Rollouts: a change in stages, shadow, canary and full.", no_args_is_help=True
)
app.add_typer(rollouts, name="rollout")

Reason = Annotated[str, typer.Option("--reason", "-r", help="Why, kept for ever.")]
Expected = Annotated[
    str, typer.Option(help="How long a stage should take, such as 2h: it is late afterwards.")
]
DEFAULT_EXPECTED = "2h"


@rollouts.command("start")
def start(
    change: ChangeId,
    stage: Annotated[str, typer.Argument(help="shadow or canary.")],
    context: Context = None,
    expected: Expected = DEFAULT_EXPECTED,
    words: Annotated[str, typer.Option("--reason", "-r", help="Words to go with it.")] = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Start a stage of a change's rollout, by hand: it is on record who did.

    The first step of a rollout fixes what its stages train and are judged by. A canary needs that its shadow
    passed or was skipped, and that `setpoint seed --apply` was signed at full coverage.

    Examples: `setpoint rollout start 7 shadow`, `setpoint rollout start 7 canary`
    """
    from setpoint.govern.rollout.acting import start_stage

    if stage not in {"shadow", "canary"}:
        raise UsageError(f"{stage!r} is no stage that is started by hand.", hint="shadow or canary")
    staged = _staged(change, context, expected)
    _step(
        change,
        lambda transaction: start_stage(transaction, catalogues(), staged, stage, words),  # type: ignore[arg-type]
        as_json=as_json,
    )


@rollouts.command("skip")
def skip(
    change: ChangeId,
    reason: Reason,
    context: Context = None,
    expected: Expected = DEFAULT_EXPECTED,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Skip the shadow of a change, for a reason that is kept. A canary is not skipped, it is overridden.

    Example: `setpoint rollout skip 7 --reason "one value moves, which the canary trains"`
    """
    from setpoint.govern.rollout.acting import skip_shadow

    staged = _staged(change, context, expected)
    _step(
        change,
        lambda transaction: skip_shadow(transaction, catalogues(), staged, reason),
        as_json=as_json,
    )


@rollouts.command("shadow")
def shadow(
    change: ChangeId,
    run: Annotated[str, typer.Argument(help="A run of the change's candidate.")],
    baseline: Annotated[str, typer.Option(help="The run that it is held against.")],
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> int:
    """Judge the shadow: does anything but the change's own keys reach models otherwise?

    Joined on symbol, timeframe, strategy, fold and model; a pair that one run lacks is not equality. Exit
    code 1: something differs.

    Example: `setpoint rollout shadow 7 "$RUN" --baseline "$BASELINE"`
    """
    from setpoint.change.identity import author_of
    from setpoint.govern.rollout.shadow import judge_shadow

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        found = judge_shadow(transaction, catalogues(), change, run, baseline)
    if as_json:
        print_json({**found._asdict(), "first": [one._asdict() for one in found.first]})
    else:
        print_shadow(found)
    return EXIT_OK if found.outcome == "pass" else EXIT_FINDING


@rollouts.command("override")
def override(
    change: ChangeId,
    reason: Reason = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Let a change be applied without a passing canary: with a reason, and a second person.

    The second is one who may approve the change. Where policy declares that one person decides alone, one
    does, and the revision says that it is unreviewed.

    Example: `setpoint rollout override 7 --reason "the market data of the canary is broken"`
    """
    from setpoint.change.changes import read_change
    from setpoint.govern.rollout.acting import override_canary

    def work(transaction: Transaction) -> None:
        read = read_change(transaction, change)
        override_canary(transaction, change, read.proposal_hash, reason)

    _step(change, work, as_json=as_json)


@rollouts.command("promote")
def promote(
    change: ChangeId,
    words: Annotated[str, typer.Option("--reason", "-r", help="Words to go with it.")] = "",
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> int:
    """Promote a change to all, which is to apply it, once its canary passed or was overridden.

    Exit code 0: applied, 11: it waits.

    Example: `setpoint rollout promote 7`
    """
    from setpoint.change.applying import remark
    from setpoint.change.decisions import go_on
    from setpoint.change.identity import author_of

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        made = go_on(transaction, catalogues(), change)
        if made.in_force:
            remark(transaction, made.change, words)
    if as_json:
        print_json(made.outcome)
    else:
        step = made.next_step
        became = f"revision {made.revision}" if made.in_force else waiting_and_how(step) if step else ""
        out.say(f"change {change}: {became}")
    return EXIT_OK if made.in_force else EXIT_WAITS


@rollouts.command("judge")
def judge(_yes: AsksNothing = False, as_json: Json = False) -> None:
    """Do what verdicts say, as the clock of a running plane does: end a canary, bring keys back in full.

    Example: `setpoint rollout judge`
    """
    from setpoint.govern.rollout.acting import act_on_verdicts

    with database() as opened:
        done = act_on_verdicts(opened, catalogues())
    if as_json:
        print_json([one._asdict() for one in done])
        return
    for one in done:
        out.say(f"change {one.change}: {one.what}")
    if not done:
        out.say("no verdict says anything new")


@rollouts.command("rollback")
def rollback(
    change: ChangeId,
    mechanism: Annotated[
        str,
        typer.Option("--by", help="The mechanism, as `setpoint rollback` names it."),
    ],
    reason: Reason,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Record that you rolled a change in full back, and by which mechanism: it does none of them itself.

    Example: `setpoint rollout rollback 7 --by image_pin --reason "the release reads it wrongly"`
    """
    from setpoint.change.emergency.mechanisms import mechanism_named
    from setpoint.govern.rollout.acting import note_rollback

    _step(
        change,
        lambda transaction: note_rollback(transaction, change, mechanism_named(mechanism), reason),
        as_json=as_json,
    )


@rollouts.command("list")
def list_all(limit: Limit = 20, as_json: Json = False) -> None:
    """List rollouts, newest change first.

    Example: `setpoint rollout list --limit 5`
    """
    from setpoint.govern.rollout.rollouts import list_rollouts

    with database() as opened:
        found = list_rollouts(opened, limit=limit)
    if as_json:
        print_json(found)
        return
    table(
        ("change", "scope", "author", "reason", "stage", "stands", "lacks"),
        (
            (
                one.change,
                one.scope,
                one.author,
                one.reason,
                one.stage.stage,
                standing(one.stage),
                one.wanting or "",
            )
            for one in found
        ),
    )


@rollouts.command("show")
def show(change: ChangeId, as_json: Json = False) -> None:
    """Show a rollout: its stages and rules, who started what, and what runs said.

    Example: `setpoint rollout show 7`
    """
    from setpoint.govern.rollout.rollouts import read_rollout

    with database() as opened:
        found = read_rollout(opened, change)
    if as_json:
        print_json(found)
    else:
        print_rollout(found)


def _staged(change: int, context: list[str] | None, expected: str) -> Staged:
    from setpoint.declare.durations import parse_duration
    from setpoint.govern.rollout.acting import Staged

    return Staged(change, parse_context(context), parse_duration(expected))


def _step(change: int, work: Callable[[Transaction], object], *, as_json: bool) -> None:
    """Do one thing in a rollout, and show how it stands then."""
    from setpoint.change.identity import author_of
    from setpoint.govern.rollout.rollouts import read_rollout

    with database() as opened, opened.transaction(author=author_of(opened).name) as transaction:
        work(transaction)
        found = read_rollout(transaction, change)
    if as_json:
        print_json(found)
    else:
        print_rollout(found)
