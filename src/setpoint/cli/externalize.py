"""`setpoint externalize`: move what the gate finds into the control plane, behaviour unchanged."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.app import Json, Yes, app, catalogues, database, err, out, print_json, settings
from setpoint.cli.values import Scope, submit_proposal
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import EXIT_FINDING, EXIT_OK, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.govern.externalize.moves import Move, Plan
    from setpoint.govern.externalize.project import Prepared, Project

FOLDER = Path("hyperparameters")
TEST = "test_externalized.py"


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
        str, typer.Option("--propose", metavar="REASON", help="File what the seed files say as a change.")
    ] = "",
    scope: Scope = GLOBAL_SCOPE,
    root: Annotated[
        Path, typer.Option("--root", help="Folder of pyproject.toml; paths are relative to it.")
    ] = Path(),
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
        Path | None, typer.Option("--parity", help="The generated test. Default: tests/test_externalized.py.")
    ] = None,
    live: Annotated[
        Path | None, typer.Option("--live", metavar="SNAPSHOT", help="Compare with a snapshot file's values.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show every file that would be written.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Move hyperparameter literals out of the source, each to the key that owns it. `--write` does it.

    The source reads `setpoint.resolve(...)` afterwards; the value goes to a seed file with file, line and
    commit; a test is generated that holds the one against the other. What cannot be moved without a doubt is
    listed with its reason. Exit code 1: a plan has something to move.

    Examples: `setpoint externalize src/training --at timeframe=5m`,
    `setpoint externalize src --at timeframe=5m --write --test "pytest -q"`,
    `setpoint externalize src --propose "values that the source had"`
    """
    from setpoint.govern.externalize.project import prepare
    from setpoint.govern.externalize.writing import write as write_all
    from setpoint.resolve.snapshot import read_snapshot

    if test and not write:
        raise UsageError("--test proves what was written.", hint="give --write too")
    project = _project(root, seeds, draft, parity, scope)
    values = read_snapshot(live).document if live else None
    prepared = prepare(project, paths or [], at or [], values)
    if write:
        write_all(prepared, project, test)
    if as_json:
        print_json(_as_json(prepared, project, written=write))
    else:
        _say(prepared, project, written=write, whole=diff)
    if propose:
        return _propose(project, propose, yes=yes, as_json=as_json)
    return EXIT_FINDING if prepared.plan.moves and not write else EXIT_OK


def _project(root: Path, seeds: Path | None, draft: Path | None, parity: Path | None, scope: str) -> Project:
    from setpoint.govern.externalize.project import Project
    from setpoint.govern.gate.config import load_config

    config = load_config(root)
    tests = Path("tests") if (root / "tests").is_dir() else FOLDER
    return Project(
        root=root,
        catalogues=config.catalogues or settings().catalogues,
        seeds=seeds or Path(config.seeds or settings().seeds or FOLDER / "seeds"),
        draft=draft or FOLDER / "draft.toml",
        parity=parity or tests / TEST,
        scope=scope,
    )


def _say(prepared: Prepared, project: Project, *, written: bool, whole: bool) -> None:
    plan = prepared.plan
    for path in plan.paths:
        _line(path, "bold")
        groups = plan.groups.get(path, ())
        covered = {place for group in groups for place in group.covers}
        for move in (move for move in plan.moves if move.path == path):
            _say_move(move, prepared, is_covered=move.place in covered)
        for group in groups:
            count, merge = len(group.covers), group.merge
            _line(f"  {merge.dict.line:>4}  {count} items of this dict  ->  **{merge.expression}")
    if plan.left:
        _line("\nleft as it stands", "bold")
        for left in plan.left:
            found = left.finding
            _line(f"  {found.path}:{found.line} {found.name} = {found.value}: {left.reason}", "yellow")
    if whole:
        for text in prepared.texts:
            out.file.write(_diff(text.path.relative_to(project.root), text.before, text.after))
    _line(("\n" if plan.moves or plan.left else "") + _summary(plan, written=written))
    for text in prepared.texts if written else ():
        _line(f"  {'wrote' if text.before is None else 'rewrote'} {text.path}")
    for step in _next_steps(prepared, project, written=written):
        err.print(f"next: {step}", highlight=False, soft_wrap=True, markup=False)


def _say_move(move: Move, prepared: Prepared, *, is_covered: bool) -> None:
    old = move.old.splitlines()[0]
    _line(f"  {move.place.line:>4}  {old}" + ("" if is_covered else f"  ->  {move.expression}"))
    for key, (value, held) in _told(move, prepared).items():
        said = "the value it has" if held == value else "new" if held is None else f"it has {held}"
        _line(f"        {key} = {value} ({said})", "dim")
    if move.note:
        _line(f"        note: {move.note}", "dim")


def _told(move: Move, prepared: Prepared) -> dict[str, tuple[object, object]]:
    """Return what each key would be and is; the three keys of a range as one, as `setpoint set` takes it."""
    values = prepared.values
    if not move.is_range:
        return {key: (value, values.get(key)) for key, value in move.sets.items()}
    told: dict[str, tuple[object, object]] = {}
    for low in (key for key in move.sets if key.endswith("_RANGE_MIN")):
        base = low.removesuffix("_MIN")
        keys = [f"{base}_{field}" for field in ("MIN", "MAX", "SCALE")]
        wanted, held = ([of.get(key) for key in keys] for of in (move.sets, values))
        told[base] = _range(wanted), None if None in held else _range(held)
    return told


def _range(bounds: Sequence[object]) -> str:
    return f"{bounds[0]}..{bounds[1]}:{bounds[2]}"


def _summary(plan: Plan, *, written: bool) -> str:
    findings = sum(len(move.findings) for move in plan.moves)
    if not findings:
        return f"nothing to move; {len(plan.left)} left" if plan.left else "nothing to move"
    verb = "moved" if written else "would move"
    keys, files = len(plan.sets), len(plan.paths)
    return f"{findings} finding(s) {verb} to {keys} key(s), {files} file(s) rewritten; {len(plan.left)} left"


def _next_steps(prepared: Prepared, project: Project, *, written: bool) -> list[str]:
    if not prepared.plan.moves:
        return []
    if not written:
        return ["the same with --write, and --test COMMAND to prove it; --diff shows every file"]
    steps = []
    names = ",".join(project.named)
    if names != project.catalogues:
        steps.append(
            f'export SETPOINT_CATALOGUES={names}, and catalogues = "{names}" in [tool.setpoint.gate]'
        )
    if settings().seeds != str(project.seeds):
        steps.append(
            f'export SETPOINT_SEEDS={project.seeds}, and seeds = "{project.seeds}" in [tool.setpoint.gate]'
        )
    steps.append("setpoint seed --apply, or --propose REASON where keys have other values; then run the")
    steps[-1] += " source under `setpoint run -- ...`"
    return steps


def _propose(project: Project, reason: str, *, yes: bool, as_json: bool) -> int:
    """File what the seed files say, and the documents do not, as one change of the scope."""
    from setpoint.change.documents import read_documents
    from setpoint.change.proposals import Proposal
    from setpoint.declare.seeds import load_seeds

    missing = set(project.named) - {name.strip() for name in settings().catalogues.split(",")}
    if missing:
        raise UsageError(
            f"{', '.join(sorted(missing))} is no catalogue of this system yet.",
            hint=f"export SETPOINT_CATALOGUES={','.join(project.named)}",
        )
    system = catalogues()
    seeds = {seed.scope: seed.values for seed in load_seeds(str(project.root / project.seeds), system)}
    wanted = {key: sourced.value for key, sourced in seeds.get(project.scope, {}).items()}
    with database() as opened:
        old = read_documents(opened, system).get(project.scope)
        held = dict(old.values) if old else {}
        edits = {key: value for key, value in wanted.items() if held.get(key) != value}
        if not edits:
            err.print(f"{project.scope}: it says all of this already", highlight=False)
            return EXIT_OK
        proposal = Proposal(scope=project.scope, reason=reason, set=edits, source="externalize")
        return submit_proposal(opened, system, proposal, yes=yes, as_json=as_json)


def _as_json(prepared: Prepared, project: Project, *, written: bool) -> dict[str, Any]:
    plan = prepared.plan
    return {
        "written": written,
        "moves": [
            {
                "path": move.path,
                "line": move.place.line,
                "column": move.place.column,
                "old": move.old,
                "new": move.expression,
                "sets": move.sets,
                "note": move.note,
                "rules": sorted({finding.rule for finding in move.findings}),
            }
            for move in plan.moves
        ],
        "groups": [
            {"path": path, "line": group.merge.dict.line, "new": f"**{group.merge.expression}"}
            for path, groups in plan.groups.items()
            for group in groups
        ],
        "left": [
            {
                "path": left.finding.path,
                "line": left.finding.line,
                "column": left.finding.column,
                "rule": left.finding.rule,
                "key": left.finding.key,
                "reason": left.reason,
            }
            for left in plan.left
        ],
        "files": [text.path.relative_to(project.root).as_posix() for text in prepared.texts],
    }


def _diff(path: Path, before: bytes | None, after: bytes) -> str:
    lines = [
        (content or b"").decode(errors="replace").splitlines(keepends=True) for content in (before, after)
    ]
    name = "/dev/null" if before is None else f"a/{path}"
    return "".join(difflib.unified_diff(lines[0], lines[1], name, f"b/{path}"))


def _line(text: str, style: str = "") -> None:
    out.print(text, style=style or None, highlight=False, soft_wrap=True, markup=False)
