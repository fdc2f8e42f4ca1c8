"""`setpoint externalize`: move what the gate finds into the control plane, behaviour unchanged."""

from __future__ import annotations

import os
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import Json, Yes, app, catalogues, database, outcome, settings
from setpoint.cli.output import err, out, print_json
from setpoint.cli.values import New, Scope, first_use, opened_change, print_edits
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import EXIT_FINDING, EXIT_OK, EXIT_WAITS, UsageError
from setpoint.settings import install_command

if TYPE_CHECKING:
    from setpoint.change.proposals import OpenedChange, Unchanged
    from setpoint.externalize.files.project import Project
    from setpoint.externalize.preparation import Prepared

FOLDER = Path("hyperparameters")


@app.command()
def externalize(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files and folders; default: what the gate's configuration includes."),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Rewrite the source; without it, only plan.")
    ] = False,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at", metavar="PART=VALUE", help="A part of the key that the source does not say: timeframe=5m."
        ),
    ] = None,
    test: Annotated[
        str,
        typer.Option(
            "--test", metavar="COMMAND", help="With --write: must pass before and after; else all is undone."
        ),
    ] = "",
    propose: Annotated[
        bool, typer.Option("--propose", help="File what the seed files say as a change; needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; recorded with the change.")] = "",
    scope: Scope = GLOBAL_SCOPE,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            help="Folder of pyproject.toml; what is written goes below it. Default: the nearest upward.",
        ),
    ] = None,
    seeds: Annotated[
        Path | None,
        typer.Option("--seeds", help="Folder of the project's seed files. Default: hyperparameters/seeds."),
    ] = None,
    draft: Annotated[
        Path | None,
        typer.Option(
            "--draft", help="Catalogue for undeclared parameters. Default: hyperparameters/draft.toml."
        ),
    ] = None,
    parity: Annotated[
        Path | None,
        typer.Option(
            "--parity", help="The generated test. Default: tests/test_externalized.py, one for each scope."
        ),
    ] = None,
    live: Annotated[
        Path | None, typer.Option("--live", metavar="SNAPSHOT", help="Compare with a snapshot file's values.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show every file that would be written.")] = False,
    new: New = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Move hyperparameter literals out of the source, each to the key that owns it. `--write` does it.

    The source reads `setpoint.resolve(...)` afterwards; the value goes to a seed file with file, line and
    commit; a test is generated that holds the one against the other. What cannot be moved without a doubt is
    listed with its reason. Exit code 1: a plan has something to move.

    Examples: `setpoint externalize src/training --at timeframe=5m`,
    `setpoint externalize src --at timeframe=5m --write --test "pytest -q"`,
    `setpoint externalize src --propose --reason "values that the source had"`
    """
    _require_libcst()
    from setpoint.client.snapshot import read_snapshot
    from setpoint.externalize.files.project_write import write as write_all
    from setpoint.externalize.plan_report import as_document
    from setpoint.externalize.preparation import prepare

    if test and not write:
        raise UsageError("--test proves what was written.", hint="give --write too")
    if propose and not reason.strip():
        raise UsageError("--propose opens a change, and a change needs a reason.", hint="give --reason WHY")
    project = _project(root, seeds, draft, parity, scope)
    values = read_snapshot(live).document if live else None
    with err.working("reading the source ..."):
        prepared = prepare(project, paths or [], at or [], values)
    if write:
        write_all(prepared, project, test, tell=_tell)
    if not as_json:
        _say(prepared, project, written=write, whole=diff)
    proposed = _propose(project, reason, new=new, yes=yes) if propose else None
    if as_json:
        document = as_document(prepared, project, written=write)
        told = {"proposed": vars(proposed.outcome) if proposed else None} if propose else {}
        print_json({**document, **told})
    elif proposed:
        print_edits(proposed.outcome.edits)
        out.say(f"{project.scope}: {outcome(proposed)}")
    if proposed and not proposed.in_force:
        return EXIT_WAITS
    return EXIT_FINDING if prepared.plan.moves and not write else EXIT_OK


def _project(
    given: Path | None, seeds: Path | None, draft: Path | None, parity: Path | None, scope: str
) -> Project:
    from setpoint.externalize.files.parity_test import parity_name
    from setpoint.externalize.files.project import Project
    from setpoint.gate.policy.config import find_root, load_config

    root = find_root(given)
    config = load_config(root)
    tests = Path("tests") if (root / "tests").is_dir() else FOLDER
    here = settings()
    # What the configuration names is relative to the root.
    named = config.catalogues or ",".join(_catalogue(name, root) for name in here.catalogues.split(","))
    folder = Path(config.seeds) if config.seeds else here.seeds and Path(here.seeds)
    return Project(
        root=root,
        catalogues=named,
        seeds=_inside(seeds or folder or FOLDER / "seeds", root, "--seeds" if seeds else "SETPOINT_SEEDS"),
        draft=_inside(draft or FOLDER / "draft.toml", root, "--draft"),
        parity=_inside(parity or tests / parity_name(scope), root, "--parity"),
        scope=scope,
    )


def _catalogue(name: str, root: Path) -> str:
    if not name.endswith(".toml"):
        return name
    file = Path(name)
    return file.relative_to(root.absolute()).as_posix() if file.is_relative_to(root.absolute()) else str(file)


def _inside(path: Path, root: Path, option: str) -> Path:
    """Return a path relative to the root: what is written belongs to the project."""
    found = Path(os.path.normpath(root.absolute() / path))
    try:
        return found.relative_to(os.path.normpath(root.absolute()))
    except ValueError:
        raise UsageError(
            f"{path} lies outside {root.absolute()}.", hint=f"give {option} a path below --root"
        ) from None


def _say(prepared: Prepared, project: Project, *, written: bool, whole: bool) -> None:
    from setpoint.externalize import plan_report
    from setpoint.gate.policy.config import load_config

    for line in plan_report.told_plan(prepared, written=written):
        out.say(line.text, style=line.style)
    for text in prepared.texts if written else ():
        verb = "wrote" if text.before is None else "rewrote"
        out.say(f"  {verb} {os.path.relpath(text.path)}")
    for text in prepared.texts if whole else ():
        out.lines(plan_report.diff_of(text, project))
    out.flush()
    baseline = load_config(project.root).baseline
    steps = plan_report.next_steps(prepared, project, settings(), baseline, written=written)
    for step in steps:
        _tell(f"next: {step}")


def _tell(text: str) -> None:
    err.say(text)


def _propose(project: Project, reason: str, *, new: bool, yes: bool) -> OpenedChange | Unchanged | None:
    """File what the seed files say, and the documents do not, as one change of the scope."""
    from setpoint.change.documents import find_document
    from setpoint.change.proposals import Proposal
    from setpoint.declare.seeds import load_seeds

    folder = project.root / project.seeds
    if not any(folder.glob("*.toml")):
        raise UsageError(f"{folder} holds no seed files yet.", hint="give --write: it writes them")
    _require_catalogues(project)
    system = catalogues()
    seeds = {seed.scope: seed.values for seed in load_seeds(str(folder), system)}
    wanted = {key: sourced.value for key, sourced in seeds.get(project.scope, {}).items()}
    with database() as opened:
        old = find_document(opened, system, project.scope)
        held = dict(old.values) if old else {}
        edits = {key: value for key, value in wanted.items() if held.get(key) != value}
        if not edits:
            _tell(f"{project.scope}: it says all of this already, nothing to propose")
            return None
        question = first_use(opened, system, project.scope, new=new, yes=yes)
        proposal = Proposal(
            scope=project.scope,
            reason=reason,
            set=edits,
            new_scope=new or bool(question),
            source="externalize",
        )
        return opened_change(opened, system, proposal, yes=yes, question=question)


def _require_catalogues(project: Project) -> None:
    system = {_catalogue(name, project.root) for name in settings().catalogues.split(",")}
    if missing := [name for name in project.named if name not in system]:
        raise UsageError(
            f"{', '.join(missing)} is no catalogue of this system yet.",
            hint=f"export SETPOINT_CATALOGUES={shlex.quote(project.anchored)}, and propose again",
        )


def _require_libcst() -> None:
    if find_spec("libcst") is None:
        raise UsageError(
            "externalize rewrites source with LibCST, which is not installed.",
            hint=install_command("externalize"),
        )
