"""`setpoint export`, `import`, `plan` and `apply`: documents as a folder, reviewed like source code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.app import Json, Yes, app, catalogues, database, exit_code, outcome, settings
from setpoint.cli.output import confirm, out, print_json
from setpoint.cli.values import New, Reason, first_use, print_edits
from setpoint.errors import EXIT_FINDING, EXIT_OK, EXIT_WAITS

if TYPE_CHECKING:
    from setpoint.change.exchange.folder import Head
    from setpoint.change.exchange.plan import Applied, FolderPlan, ScopeChange, Step
    from setpoint.change.exchange.policy_plan import PolicyChange
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database


#: What a rebuilt database lacks.
NOT_EXPORTED = (
    "not in an export: accounts with their roles and tokens, providers, changes with their approvals, runs,"
    " events and the audit; `setpoint db backup` keeps them"
)
Folder = Annotated[Path, typer.Argument(help="The exported folder.")]


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write; an earlier export is brought up to date.")],
    git: Annotated[bool, typer.Option("--git", help="Commit the folder in its git repository.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite document files that were edited and not applied.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Compare every file of history, and write what is missing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write documents, history, catalogues and what governs as a folder for git. Twice gives no difference.

    What governs are policies, incident channels and quotas. What was exported before must still be true: a
    folder that knows other history is refused. History goes on from the folder's head, with the bytes of a
    whole export; what its older files say is looked at with --full alone.

    Examples: `setpoint export config --git`, `setpoint export config --full`
    """
    from setpoint.change.exchange.export import export as write
    from setpoint.cli.bars import Bars

    bars = Bars("revisions", tell_left=True)
    with database() as opened, bars:
        written = write(opened, catalogues(), folder, force=force, full=full, tell=bars.tell)
    committed = (
        _commit(folder, f"Export revision {written.head.revision}: {written.head.chain}") if git else ""
    )
    if as_json:
        head = written.head
        said = {"revision": head.revision, "chain": head.chain, "files": written.files, "git": committed}
        print_json(said | {"not_exported": NOT_EXPORTED})
        return
    out.say(
        f"revision {written.head.revision}, {len(written.head.documents)} document(s) in {folder}: "
        f"{written.files} file(s) written{f', {committed}' if committed else ''}",
    )
    out.say(NOT_EXPORTED)


@app.command("import")
def import_folder(
    folder: Folder,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why. Default: which export it is.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; exit code 1 if anything.")
    ] = False,
    documents: Annotated[
        bool, typer.Option("--documents", help="Only the documents, as changes, into an empty database too.")
    ] = False,
    new: New = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Bring an untouched export in: into an empty database its whole history, else its documents, as changes.

    History keeps every number, author, instant and hash, and needs the owner of the tables; policies,
    channels and quotas come with it. Accounts, changes, approvals and runs are in no export: a whole database
    moves with `setpoint db backup`.

    Examples: `setpoint import config --dry-run`, `setpoint import config --yes`
    """
    from setpoint.change.documents import read_scopes
    from setpoint.change.exchange.export import check_untouched
    from setpoint.change.exchange.history_import import holds_nothing

    head = check_untouched(folder)
    system = catalogues()
    with database() as opened:
        if not documents and head.revision and holds_nothing(opened):
            return _bring_history(system, folder, head, reason, dry_run=dry_run, yes=yes, as_json=as_json)
        shown = _shown(opened, system, folder, as_json=as_json and dry_run, quiet=as_json)
        if dry_run:
            return EXIT_FINDING if shown.steps else EXIT_OK
        if not shown.steps:
            _print_nothing(as_json=as_json)
            return EXIT_OK
        _confirm(opened, system, shown, new=new, yes=yes)
        why = reason or f"import of revision {head.revision}, {head.chain[:12]}"
        done = _apply(opened, system, folder, shown.steps, why, "import")
        hashes = {one.scope: one.hash for one in read_scopes(opened)}
    equal = {scope: hashes.get(scope) == found.hash for scope, found in head.documents.items()}
    _print_applied(done, as_json=as_json, equal=equal)
    return _code(done)


def _bring_history(
    system: Catalogues, folder: Path, head: Head, reason: str, *, dry_run: bool, yes: bool, as_json: bool
) -> int:
    from setpoint.change.exchange.history_import import import_history

    facts = f"{head.revision} revision(s), head {head.chain[:12]}"
    if not dry_run:
        if not yes:
            confirm(f"Bring a history of {facts} into this empty database?")
        import_history(settings(), system, folder, reason)
    if as_json:
        print_json({"revision": head.revision, "chain": head.chain, "dry_run": dry_run})
    else:
        out.say(f"{'would bring in' if dry_run else 'brought in'} {facts}")
        if not head.governance:
            how = "`setpoint policy set --approvals COUNT --reason WHY`"
            out.say(f"the export says nothing of policies: set them with {how}")
        out.say(NOT_EXPORTED)
    return EXIT_FINDING if dry_run else EXIT_OK


@app.command()
def plan(
    folder: Folder,
    out_file: Annotated[
        Path | None, typer.Option("--out", "-o", help="Save the plan, for `apply --plan`.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Show what applying a folder would change. Exit code 0: nothing, 1: something.

    Example: `setpoint plan config --out config.plan`
    """
    from setpoint.change.exchange.plan import save_plan

    with database() as opened:
        shown = _shown(opened, catalogues(), folder, as_json=as_json)
    if out_file:
        save_plan(shown, out_file)
    return EXIT_FINDING if shown.steps else EXIT_OK


@app.command("apply")
def apply_folder(
    folder: Folder,
    reason: Reason,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", help="A saved plan; refused when anything moved since.")
    ] = None,
    new: New = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Make the database what a folder's documents say, through changes and policy, in one transaction.

    Examples: `setpoint apply config --reason "pull request 12"`,
    `setpoint apply config --plan config.plan --reason "pull request 12" --yes`
    """
    from setpoint.change.exchange.plan import read_plan

    system = catalogues()
    expected = read_plan(plan_file) if plan_file else None
    with database() as opened:
        shown = _shown(opened, system, folder, as_json=False, quiet=as_json)
        if not shown.steps and not expected:
            _print_nothing(as_json=as_json)
            return EXIT_OK
        _confirm(opened, system, shown, new=new, yes=yes)
        steps = shown.steps if expected is None else expected
        done = _apply(opened, system, folder, steps, reason, "apply")
    _print_applied(done, as_json=as_json)
    return _code(done)


def _shown(
    opened: Database, system: Catalogues, folder: Path, *, as_json: bool, quiet: bool = False
) -> FolderPlan:
    """Make a plan and print it."""
    from setpoint.change.exchange.plan import plan as make

    found = make(opened, system, folder)
    if as_json:
        print_json(found.as_json())
    elif not quiet:
        for moved in found.moved:
            out.say(
                f"{moved.scope} moved since the export, from revision {moved.exported} to {moved.now}:"
                f" {', '.join(moved.keys)}"
            )
        for change in found.scopes:
            _print_change(change)
        same = {change.same_change for change in found.scopes}
        for one in found.open_changes:
            said = "waits with just these edits: apply opens no other" if one.id in same else "waits too"
            out.say(f"change {one.id} of {one.scope} by {one.author}, {one.n_edits} edit(s), {said}")
        for scope in found.absent:
            out.say(f"{scope}: has no file in {folder}, left alone")
        for policy in found.policies:
            _print_policy(policy)
        for command in found.of_owner:
            out.say(f"not applied, the owner of the database may: {command}")
        if not found.steps:
            out.say("nothing to change")
    return found


def _print_change(change: ScopeChange) -> None:
    over = f"over revision {change.step.base}" if change.step.base else "a new scope"
    out.say(f"{change.step.scope}, {over}: {len(change.edits)} edit(s)")
    print_edits(change.edits)
    if change.undoes:
        out.say(
            f"undoes what was set since the export: {', '.join(change.undoes)}",
            style="red",
        )


def _print_policy(policy: PolicyChange) -> None:
    if policy.moved:
        out.say(policy.moved)
    waits = f" (change {policy.same_change} waits with just this)" if policy.same_change else ""
    out.say(f"{policy}{waits}", style="yellow")
    if policy.undoes:
        out.say("undoes what was set since the export", style="red")


def _confirm(opened: Database, system: Catalogues, shown: FolderPlan, *, new: bool, yes: bool) -> None:
    """Ask for the plan, and for each scope that was never used before: what is made by mistake stays."""
    governed = (change.new.scope for change in shown.policies)
    scopes = dict.fromkeys((*shown.new_scopes, *governed))
    questions = [first_use(opened, system, scope, new=new, yes=yes) for scope in scopes]
    if not yes:
        for question in filter(None, questions):
            confirm(question)
        policies = f" and {len(shown.policies)} policy change(s)" if shown.policies else ""
        confirm(f"Change {len(shown.scopes)} scope(s){policies}?")


def _apply(
    opened: Database, system: Catalogues, folder: Path, steps: tuple[Step, ...], reason: str, source: str
) -> Applied:
    from setpoint.change.exchange.plan import apply_plan
    from setpoint.change.identity import author_of

    with opened.transaction(author=author_of(opened).name) as transaction:
        # Whoever got here gave --new, or was asked.
        return apply_plan(transaction, system, folder, steps, reason=reason, source=source, new_scopes=True)


def _print_nothing(*, as_json: bool) -> None:
    if as_json:
        print_json([])


def _code(done: Applied) -> int:
    policies = [made for _, made in done.policies if made is not None]
    waits = len(policies) < len(done.policies)
    return EXIT_WAITS if waits else exit_code(*(made for _, made in done.documents), *policies)


def _print_applied(
    done: Applied,
    *,
    as_json: bool,
    equal: dict[str, bool] | None = None,
) -> None:
    rows: list[dict[str, Any]] = []
    for change, made in done.documents:
        same = (equal or {}).get(change.step.scope)
        if not as_json:
            proof = ", equal to the export, byte for byte" if same else ""
            out.say(f"{change.step.scope}: {outcome(made)}{proof}")
        rows.append(
            {"scope": change.step.scope, **vars(made.outcome)} | ({} if same is None else {"equal": same})
        )
    for policy, set_ in done.policies:
        said = outcome(set_) if set_ else "waits for the policy before it; apply again then"
        if not as_json:
            out.say(f"{policy.name}: {said}")
        rows.append({"policy": policy.new} | (vars(set_.outcome) if set_ else {"state": "not opened"}))
    if as_json:
        print_json(rows)


def _commit(folder: Path, message: str) -> str:
    """Commit all of a folder; returns what was done."""
    from setpoint.change.git_commits import run_git

    run_git(folder, folder, "add", "--all", "--", ".")
    staged = run_git(folder, folder, "diff", "--cached", "--name-only", "--", ".")
    if not staged.strip():
        return "nothing to commit"
    run_git(folder, folder, "commit", "--quiet", "--message", message, "--", ".")
    return "committed"
