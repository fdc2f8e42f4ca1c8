"""`setpoint history`, `diff`, `blame`, `restore`, `verify` and `anchor`: what was, and how to get it back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, Limit, Yes, app, catalogues, database, exit_code, outcome
from setpoint.cli.output import confirm, note, out, print_json, table
from setpoint.cli.values import Reason, Scope, instant, print_edits
from setpoint.declare.addresses import past_keys_of
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import EXIT_FINDING, EXIT_OK, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.change.history import Blame, KeyValue, Revision
    from setpoint.change.restore import RestoreProof
    from setpoint.change.verification import Anchor, Verified
    from setpoint.store.database import Database

ANCHOR_FILE = "setpoint-anchor.json"


@app.command()
def history(
    key: Annotated[str, typer.Argument(help="Every value of this key; without it, every revision.")] = "",
    scope: Annotated[str, typer.Option("--scope", "-s", help="Only this scope.")] = "",
    search: Annotated[
        str, typer.Option("--search", help="Only where author, reason or keys contain this.")
    ] = "",
    at: Annotated[str, typer.Option("--at", help="The revision that stood at this UTC instant.")] = "",
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Show revisions newest first, or every value one key ever had.

    Examples: `setpoint history`, `setpoint history xgb/5m/gamma`, `setpoint history --at 2026-05-11T12:00Z`
    """
    from setpoint.change.history import key_history, list_revisions, revision_at

    with database() as opened:
        if key:
            values = key_history(opened, catalogues(), key, scope=scope or None, limit=limit)
            _print_values(values, as_json=as_json)
        elif at:
            found = revision_at(opened, scope or GLOBAL_SCOPE, instant(at, "--at"))
            _print_revisions((found,) if found else (), as_json=as_json)
        else:
            revisions = list_revisions(opened, scope=scope or None, text=search or None, limit=limit)
            _print_revisions(revisions, as_json=as_json)


def _print_values(values: Sequence[KeyValue], *, as_json: bool) -> None:
    if as_json:
        print_json(values)
        return
    table(
        ("revision", "scope", "value", "before", "by", "reason", "when (UTC)"),
        (
            (one.revision, one.scope, one.new, one.old, one.updated_by, one.change_reason, _when(one))
            for one in values
        ),
    )


def _print_revisions(revisions: Sequence[Revision], *, as_json: bool) -> None:
    if as_json:
        print_json(revisions)
        return
    table(
        ("revision", "scope", "edits", "by", "review", "reason", "when (UTC)"),
        (
            (
                one.revision,
                one.scope,
                len(one.edits),
                one.updated_by,
                one.review,
                one.change_reason,
                _when(one),
            )
            for one in revisions
        ),
    )


@app.command()
def diff(
    old: Annotated[int, typer.Argument(help="A revision.")],
    new: Annotated[int, typer.Argument(help="Another revision.")],
    as_json: Json = False,
) -> None:
    """Show what turns one revision's document into another's.

    Example: `setpoint diff 1 4`
    """
    from setpoint.change.history import diff_revisions, read_revision

    with database() as opened:
        edits = diff_revisions(opened, old, new)
        first, second = (read_revision(opened, revision).scope for revision in (old, new))
    if first != second:
        note(f"note: revision {old} is one of {first}, revision {new} of {second}.")
    if as_json:
        print_json(edits)
    else:
        print_edits(edits)


@app.command()
def blame(
    match: Annotated[
        str, typer.Argument(help="Only keys that contain this text, or an address such as xgb/5m/gamma.")
    ] = "",
    scope: Scope = GLOBAL_SCOPE,
    as_json: Json = False,
) -> None:
    """Show which revision set each value of a document last, who made it, and why.

    Example: `setpoint blame XGB_5M`
    """
    from setpoint.change.history import blame as blamed

    with database() as opened:
        found = blamed(opened, catalogues(), scope, match)
    if as_json:
        print_json(found)
        return
    table(
        ("key", "value", "revision", "by", "reason", "when (UTC)"),
        ((one.key, one.value, one.revision, one.updated_by, one.change_reason, _when(one)) for one in found),
    )


@app.command()
def restore(
    revision: Annotated[int, typer.Argument(help="The revision to bring back.")],
    reason: Reason = "",
    scope: Scope = GLOBAL_SCOPE,
    key: Annotated[
        list[str] | None, typer.Option("--key", "-k", help="Only this key. May be repeated.")
    ] = None,
    skip_unfit: Annotated[
        bool, typer.Option("--skip-unfit", help="Leave out keys that today's catalogues refuse.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would do; writes nothing.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Bring a revision back as a **new** revision, whole or some keys. Nothing is ever deleted.

    Goes through the same policy, validation and history as any change, and prints a proof.

    Examples: `setpoint restore 1 --dry-run`, `setpoint restore 1 --reason "back to the seed" --yes`
    """
    from setpoint.change.identity import author_of
    from setpoint.change.proposals import Proposal
    from setpoint.change.restore import restore as bring_back

    if not dry_run and not reason.strip():
        raise UsageError("a restore needs --reason.", hint=f'setpoint restore {revision} --reason "..."')
    system = catalogues()
    keys = tuple(found for name in key for found in past_keys_of(system, name)) if key else None
    with database() as opened:
        proposal = Proposal(scope=scope, reason=reason or "dry run", restores=revision, keys=keys)
        if not (dry_run or yes):
            with opened.transaction() as transaction:
                seen = bring_back(transaction, system, proposal, dry_run=True, skip_unfit=skip_unfit)
            _print_proof(seen)
            if seen.edits:
                confirm(f"Bring revision {revision} of {scope} back?")
        with opened.transaction(author=author_of(opened).name) as transaction:
            proof = bring_back(transaction, system, proposal, dry_run=dry_run, skip_unfit=skip_unfit)
    if as_json:
        print_json(proof.outcome)
    else:
        _print_proof(proof)
    if proof.made is None:
        return EXIT_FINDING if proof.unfit else EXIT_OK
    return exit_code(proof.made)


@app.command()
def verify(
    anchor: Annotated[
        Path | None, typer.Option("--anchor", help="Go on from this anchor, once it holds.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Walk from the first revision all the same.")] = False,
    as_json: Json = False,
) -> int:
    """Walk the chain over history; names the first broken revision and what differs. Exit code 1 if any.

    Without an anchor, or with --full, every revision is read. With one the walk goes on from the anchored
    revision: those before it are counted, and an altered one among them is not found. An anchor that history
    departed from is a finding, and all is read. Documents as they stand are always held against history.
    Lists breached obligations of break-glass too; `setpoint break-glass status` fails for them.

    Examples: `setpoint verify`, `setpoint verify --anchor setpoint-anchor.json`,
    `setpoint verify --anchor setpoint-anchor.json --full`
    """
    from setpoint.change.emergency.obligations import breaches, list_obligations
    from setpoint.change.verification import read_anchor

    held = read_anchor(anchor) if anchor else None
    with database() as opened:
        found = _walked(opened, held, full=full)
        breached = breaches(list_obligations(opened, open_only=True))
    if as_json:
        facts = {name: getattr(found, name) for name in ("revisions", "walked_from", "head", "problems")}
        print_json(facts | {"breaches": breached})
    else:
        for problem in found.problems:
            out.say(problem, style="red")
        state = "broken" if found.problems else "whole"
        out.say(f"history of {found.revisions} revision(s) is {state}; head {found.head[:12]}")
        if held and found.walked_from > 1:
            out.say(
                f"read from revision {found.walked_from} on; those before it were counted, and trusted for"
                f" the anchor of {held.written_at}: --full reads them"
            )
        for line in breached:
            out.say(f"breached, {line}")
    return EXIT_FINDING if found.problems else EXIT_OK


def _walked(opened: Database, anchor: Anchor | None, *, full: bool) -> Verified:
    from setpoint.change.verification import verify as walk
    from setpoint.change.verification import verify_since
    from setpoint.cli.bars import Bars

    bars = Bars("revisions", tell_left=True)
    with bars:
        if anchor is None or full:
            return walk(opened, anchor, bars.tell)
        return verify_since(opened, anchor, bars.tell)


@app.command()
def anchor(
    file: Annotated[Path | None, typer.Option("--out", "-o", help=f"Default: {ANCHOR_FILE} here.")] = None,
    git: Annotated[bool, typer.Option("--git", help="Commit the file in its git repository.")] = False,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Write the chain's head to a file outside the database, so that a cut-off history is seen.

    Example: `setpoint anchor --out anchors/setpoint-anchor.json --git`
    """
    from setpoint.change.anchoring import commit_anchor
    from setpoint.change.verification import write_anchor

    target = file or Path(ANCHOR_FILE)
    with database() as opened:
        written = write_anchor(opened, target)
    if git:
        commit_anchor(target, written)
    if as_json:
        print_json({"revision": written.revision, "chain": written.chain, "file": str(target)})
    else:
        out.say(f"anchored revision {written.revision}, {written.chain[:12]}, in {target}")


def _print_proof(proof: RestoreProof) -> None:
    print_edits(proof.edits)
    for key, problem in proof.unfit:
        out.say(f"{key} does not fit today: {problem}", style="red")
    out.say(f"source: revision {proof.source_revision}, {proof.source_hash[:12]}")
    out.say(f"before: {proof.hash_before[:12]}")
    if proof.made:
        out.say(f"{proof.scope}: {outcome(proof.made)}")
    if proof.hash_after:
        equal = "equal to the source, byte for byte" if proof.equal else "not the whole source"
        out.say(f"after:  {proof.hash_after[:12]}, {equal}")
    if proof.runs_affected:
        out.say(f"runs that pinned a later revision: {', '.join(proof.runs_affected)}")


def _when(one: Blame | Revision | KeyValue) -> str:
    return f"{one.created_at:%Y-%m-%d %H:%M:%S}"
