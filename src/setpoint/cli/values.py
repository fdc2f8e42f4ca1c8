"""`setpoint get` and `set`, and what every command that proposes shares: options, a diff, submitting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.change.patch import Held, Patch, parse_pairs, read_patch, removal
from setpoint.cli.app import (
    Context,
    Json,
    Yes,
    app,
    catalogues,
    database,
    exit_code,
    outcome,
    parse_context,
    say_unused,
)
from setpoint.cli.output import confirm, out, print_json
from setpoint.declare.addresses import RANGE, named
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.scopes import near_scopes
from setpoint.errors import UnknownScope, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from setpoint.change.proposals import OpenedChange, Proposal, Unchanged
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.document import Edit
    from setpoint.store.database import Database

Scope = Annotated[
    str, typer.Option("--scope", "-s", help="global, or DIMENSION=VALUE, such as symbol=BTCUSDC.")
]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; recorded with the revision.")]
ApplyAt = Annotated[str, typer.Option("--apply-at", help="Apply not before this UTC instant, ISO 8601.")]
New = Annotated[
    bool, typer.Option("--new", help="The scope is meant, though it was never used before: make it.")
]
FromFile = Annotated[
    Path | None, typer.Option("--from", help="A patch: .toml, .json, or .csv with the columns key,value.")
]
Unset = Annotated[
    list[str] | None, typer.Option("--unset", help="Remove this key, or KEY_RANGE. May be repeated.")
]
Evidence = Annotated[
    list[str] | None,
    typer.Option("--evidence", help="A run that it rests on, kept while it waits. May be repeated."),
]
Draft = Annotated[bool, typer.Option("--draft", help="Keep it to yourself until `change propose`.")]


@app.command()
def get(
    key: Annotated[str, typer.Argument(help="A key, or an address such as xgb/5m/gamma.")],
    context: Context = None,
    as_json: Json = False,
) -> None:
    """Print the value that a context resolves to; a range as MIN..MAX:SCALE, which `set` takes back.

    Examples: `setpoint get xgb/5m/learning_rate -c symbol=BTCUSDC`, `setpoint get cb/5m/depth_range`
    """
    from setpoint.change.documents import pin_snapshot
    from setpoint.client.environment import to_text
    from setpoint.client.hyperparams import Hyperparams

    system = catalogues()
    name, is_range = named(system, key)
    with database() as opened:
        snapshot = pin_snapshot(opened, system, parse_context(context))
    say_unused(snapshot)
    hp = Hyperparams(snapshot, system)
    if is_range:
        low, high, scale = hp.range(name)
        value, text = {"min": low, "max": high, "scale": scale}, f"{to_text(low)}..{to_text(high)}:{scale}"
    else:
        value, text = hp.value(name), to_text(hp.value(name))
    if as_json:
        print_json({"key": name + RANGE * is_range, "value": value})
    else:
        out.say(text)


@app.command("set")
def set_values(
    reason: Reason,
    pairs: Annotated[
        list[str] | None, typer.Argument(help="KEY=VALUE, or KEY_RANGE=MIN..MAX[:SCALE].")
    ] = None,
    scope: Scope = GLOBAL_SCOPE,
    from_file: FromFile = None,
    unset: Unset = None,
    apply_at: ApplyAt = "",
    draft: Draft = False,
    evidence: Evidence = None,
    new: New = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Open a change of one key or many, and apply it at once where policy allows. All of it, or nothing.

    An empty value is refused: `setpoint unset` removes a key. Exit code 0: in force, 11: recorded, and waits.

    Examples: `setpoint set CVN_HPO_XGB_5M_GAMMA=0.5 --reason "less overfitting"`,
    `setpoint set cb/1h/depth_range=4..7 lgb/5m/max_depth=7 -r "deeper" --scope symbol=BTCUSDC`,
    `setpoint set --from patch.toml --reason "tuned in March"`
    """
    from setpoint.change.proposals import Proposal

    system = catalogues()
    patch = read_wanted(system, pairs, from_file, unset, held=lambda: held_in(system, scope))
    proposal = Proposal(
        scope=scope,
        reason=reason,
        set=patch.set,
        remove=patch.remove,
        apply_at=scheduled_instant(apply_at),
        draft=draft,
        evidence=tuple(evidence or ()),
    )
    with database() as opened:
        return open_proposal(opened, system, proposal, yes=yes, as_json=as_json, new=new)


@app.command()
def unset(
    keys: Annotated[list[str], typer.Argument(help="A key, an address, or KEY_RANGE for all of a range.")],
    reason: Reason,
    scope: Scope = GLOBAL_SCOPE,
    apply_at: ApplyAt = "",
    draft: Draft = False,
    evidence: Evidence = None,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Remove keys from a document, as a change like `set`; history keeps what they were.

    Exit code 0: in force, 11: recorded, and waits.

    Examples: `setpoint unset xgb/5m/gamma --scope symbol=BTCUSDC --reason "as everywhere"`,
    `setpoint unset cb/1h/depth_range --reason "not tuned any more"`
    """
    from setpoint.change.documents import find_document
    from setpoint.change.first_use import known_scopes
    from setpoint.change.proposals import Proposal

    system = catalogues()
    with database() as opened:
        old = find_document(opened, system, scope)
        if old is None and scope != GLOBAL_SCOPE:
            alike = near_scopes(scope, list(known_scopes(opened, scope)))
            like_it = f"; like it: {', '.join(alike)}" if alike else ""
            raise UnknownScope(f"there is no scope {scope}{like_it}.")
        gone = removal(system, keys, lambda: old.values if old else ()).remove
        at = scheduled_instant(apply_at)
        proposal = Proposal(
            scope=scope, reason=reason, remove=gone, apply_at=at, draft=draft, evidence=tuple(evidence or ())
        )
        return open_proposal(opened, system, proposal, yes=yes, as_json=as_json)


def read_wanted(
    system: Catalogues,
    pairs: list[str] | None,
    from_file: Path | None,
    unset: list[str] | None = None,
    *,
    held: Held = tuple,
) -> Patch:
    """Return what the pairs, the file and the removals of a command ask for, together."""
    if not (pairs or from_file or unset):
        raise UsageError("there is nothing to set.", hint="give KEY=VALUE, or --from FILE")
    patch = parse_pairs(system, pairs or []).joined(removal(system, unset or [], held))
    return patch.joined(read_patch(from_file, system, held)) if from_file else patch


def held_in(system: Catalogues, scope: str) -> Collection[str]:
    """Return the keys that a scope's document holds."""
    from setpoint.change.documents import held_keys

    with database(remind=False) as opened:
        return held_keys(opened, system, scope)


def open_proposal(
    opened: Database, system: Catalogues, proposal: Proposal, *, yes: bool, as_json: bool, new: bool = False
) -> int:
    """Show what a proposal would do, ask unless told not to, open it and say what became of it.

    ``new`` says that the scope is meant to be one that was never used before.
    """
    question = first_use(opened, system, proposal.scope, new=new, yes=yes)
    meant = replace(proposal, new_scope=new or bool(question))
    made = opened_change(opened, system, meant, yes=yes, question=question)
    if as_json:
        print_json(made.outcome)
    else:
        print_edits(made.outcome.edits)
        out.say(f"{proposal.scope}: {outcome(made)}")
    return exit_code(made)


def first_use(opened: Database, system: Catalogues, scope: str, *, new: bool, yes: bool) -> str:
    """Return the question that a scope calls for which was never used before; empty where none does.

    Raises:
        InvalidContext: the text names no scope of this system.
        NeverUsedScope: nobody is to be asked, and nothing says that it is meant.
    """
    from setpoint.change.first_use import known_scopes, never_used

    refused = None if new else never_used(system, known_scopes(opened, scope), scope)
    if refused and yes:
        raise refused
    return f"{refused.message} Is it meant?" if refused else ""


def opened_change(
    opened: Database, system: Catalogues, proposal: Proposal, *, yes: bool, question: str = ""
) -> OpenedChange | Unchanged:
    """Open a change; first show what it would do and ask, unless told not to."""
    from setpoint.change.documents import find_document
    from setpoint.change.identity import author_of
    from setpoint.change.proposals import open_and_apply
    from setpoint.declare.document import diff

    if not yes:
        old = find_document(opened, system, proposal.scope)
        values = dict(old.values) if old else {}
        after = {k: v for k, v in values.items() if k not in proposal.remove} | dict(proposal.set)
        if edits := diff(values, after):
            print_edits(edits)
            confirm(question or f"Change {proposal.scope}?")
    with opened.transaction(author=author_of(opened).name) as transaction:
        return open_and_apply(transaction, system, proposal)


def print_edits(edits: Sequence[Edit], shown: int = 40) -> None:
    """Print a diff, one line for each edit."""
    for edit in edits[:shown]:
        colour = {"add": "green", "remove": "red"}.get(edit.op, "yellow")
        out.say(edit, style=colour)
    if len(edits) > shown:
        out.say(f"... and {len(edits) - shown} more; --json lists all")
    if not edits:
        out.say("no difference")


def scheduled_instant(text: str, option: str = "--apply-at") -> datetime | None:
    """Parse what an option was given; None for the empty text.

    Whether it is to come, the database says: by its clock the change will be applied.
    """
    return instant(text, option) if text else None


def instant(text: str, option: str) -> datetime:
    """Parse an instant, in UTC unless it says otherwise.

    Raises:
        UsageError: no ISO 8601; names the option.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is not an ISO 8601 instant.", hint="for example 2026-06-01T06:00Z"
        ) from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
