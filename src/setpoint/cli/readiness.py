"""`setpoint readiness`: write a readiness file, and judge one by its form and by what really runs."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from setpoint.cli.app import AsksNothing, Json, app, catalogues, database, settings
from setpoint.cli.command_modules import options_by_command
from setpoint.cli.output import err, note, out, print_json, table, warn
from setpoint.cli.values import instant
from setpoint.errors import EXIT_FINDING, EXIT_OK, ConflictError, UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.govern.readiness.check import Checked
    from setpoint.govern.readiness.rules import Finding
    from setpoint.govern.readiness.system import System

group: typer.Typer = typer.Typer(
    help="Readiness files: write one, check it, score it, and ask whether it may end.", no_args_is_help=True
)
app.add_typer(group, name="readiness")


class Phase(StrEnum):
    """Where its pull request stands."""

    OPENING = "opening"
    MERGE = "merge"
    AFTER = "after"


File = Annotated[Path, typer.Argument(help="A readiness file: Markdown of the readiness document's form.")]
OfPhase = Annotated[
    Phase | None,
    typer.Option("--phase", help="Judge as before the pull request opens, at its merge gate, or after."),
]
At = Annotated[str, typer.Option("--at", help="Judge as if it were this UTC instant.")]
Repository = Annotated[
    Path | None,
    typer.Option("--repository", help="Where tests and written dashboards lie. Default: here, if it is one."),
]


@group.command("new")
def new_file(
    file: File,
    story: Annotated[str, typer.Option("--story", help="Name of the story.")],
    owner: Annotated[str, typer.Option("--owner", help="Who answers for it, such as @ada.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over what is there.")] = False,
    _yes: AsksNothing = False,
) -> None:
    """Write a fresh readiness file, to be filled in. Never over another file unless asked.

    Example: `setpoint readiness new docs/readiness/my-story.md --story CVN-N002 --owner @ada`
    """
    from setpoint.client.snapshot import SHARED, write_own
    from setpoint.govern.readiness.fresh_form import MARK, fresh_form

    if file.exists() and not overwrite:
        raise ConflictError(f"{file} is there already.", hint="name another file, or say --overwrite")
    write_own(file, fresh_form(story, owner, datetime.now(UTC).date()), MARK, SHARED)
    err.say(f"wrote {file}")


@group.command("check")
def check_file(
    file: File,
    phase: OfPhase = None,
    at: At = "",
    repository: Repository = None,
    note: Annotated[
        bool, typer.Option("--note", help="Keep what only a repository proves, for the Console's page.")
    ] = False,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> int:
    """Judge a readiness file: its form, and the proof of everything that it names. Exit code 1: it fails.

    Names are looked up in the database, in the commands and declarations of this release, and in the
    repository. What could not be asked is unknown, and does not pass. Without --phase the file says where its
    pull request stands: after its merge from the instant on that it names, at the merge gate once it says
    when the request was opened, and else before that.

    Examples: `setpoint readiness check docs/readiness/setpoint.md`,
    `setpoint readiness check FILE --phase merge --json`, `setpoint readiness check FILE --note`
    """
    if note and at:
        raise UsageError(
            "what is noted was found now, and --at judges another instant.", hint="leave one out"
        )
    found = _checked(file, phase, at, repository)
    if note:
        _note(found)
    if as_json:
        print_json(_document(file, found))
    else:
        _show(file, found)
    return EXIT_OK if found.passes else EXIT_FINDING


@group.command()
def score(
    file: File,
    phase: OfPhase = None,
    at: At = "",
    repository: Repository = None,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> None:
    """Say how much of a readiness file is proven, in percent, with the parts that it is counted from.

    Example: `setpoint readiness score docs/readiness/setpoint.md`
    """
    found = _checked(file, phase, at, repository)
    if as_json:
        print_json({"file": str(file), "score": found.score, "parts": found.parts})
        return
    out.say(f"{found.score} % of {file} is proven")
    table(("part", "proven", "of"), ((part.name, str(part.proven), str(part.of)) for part in found.parts))


@group.command()
def sunset(
    file: File, at: At = "", repository: Repository = None, _yes: AsksNothing = False, as_json: Json = False
) -> int:
    """Judge the conditions of a file's sunset milestone by the record. Exit code 1: one does not hold.

    Example: `setpoint readiness sunset docs/readiness/setpoint.md`
    """
    from setpoint.govern.readiness.parsing import read_file
    from setpoint.govern.readiness.sunset import judge_sunset

    judged = judge_sunset(read_file(file), _system(at, repository))
    if as_json:
        print_json({"file": str(file), "conditions": judged})
    else:
        rows = (
            (str(one.line), "holds" if one.holds else "open", one.condition, one.said, one.command)
            for one in judged
        )
        table(("line", "state", "condition", "said", "shown by"), rows)
        if not judged:
            note("the file names no condition, so nothing says that it may end")
    return EXIT_OK if judged and all(one.holds for one in judged) else EXIT_FINDING


def _note(found: Checked) -> None:
    from setpoint.change.identity import author_of
    from setpoint.govern.readiness.noted import note_proofs

    with (
        database(remind=False) as opened,
        opened.transaction(author=author_of(opened).name) as transaction,
    ):
        err.say(f"noted {note_proofs(transaction, found.proofs)} proofs for the Console's page")


def _checked(file: Path, phase: Phase | None, at: str, repository: Path | None) -> Checked:
    from setpoint.govern.readiness.check import check
    from setpoint.govern.readiness.parsing import read_file

    form = read_file(file)
    return check(form, _system(at, repository), phase.value if phase else None)


def _system(at: str, repository: Path | None) -> System:
    from setpoint.govern.checkpoints.calendar import load_calendar
    from setpoint.govern.readiness.outcomes import outcomes_of
    from setpoint.govern.readiness.system import System, read_record, repository_at

    now, record = datetime.now(UTC), None
    try:
        with database(remind=False) as opened:
            record = read_record(opened, catalogues(), load_calendar(settings().checkpoints), settings())
    except UnavailableError as problem:
        warn(f"the database was not read, so nothing on record is proven: {problem.message}")
    place = repository_at(repository)
    return System(
        at=instant(at, "--at") if at else now,
        commands=options_by_command(),
        record=record,
        repository=place,
        outcomes=outcomes_of(place) if place else None,
    )


def _show(file: Path, found: Checked) -> None:
    case = found.case
    out.say(f"{file}: {case.form.title.plain}")
    out.say(f"judged at {case.at:%Y-%m-%dT%H:%M:%SZ}, phase {case.phase}: {found.score} % is proven")
    columns = ("evidence", "name", "line", "state", "when", "shown by", "what was found")
    table(columns, (_row(one) for one in found.proofs))
    _list("owed by the merge gate", found.owed)
    _list("fails", found.findings)
    out.say("passes" if found.passes else f"fails: {len(found.findings)} findings")


def _row(proof: Any) -> tuple[Any, ...]:
    state = f"{proof.state}, planned" if proof.is_planned else proof.state
    return (proof.kind, proof.name, proof.line, state, proof.at or "", proof.command, proof.said)


def _list(title: str, findings: Iterable[Finding]) -> None:
    for one in findings:
        out.say(f"{title}: line {one.line}, {one.rule}: {one.message}")
        out.say(f"  next: {one.next_step}")


def _document(file: Path, found: Checked) -> dict[str, Any]:
    case = found.case
    return {
        "file": str(file),
        "story": case.form.header.story,
        "phase": case.phase,
        "judged_at": case.at,
        "passes": found.passes,
        "score": found.score,
        "parts": found.parts,
        "findings": found.findings,
        "owed": found.owed,
        "evidence": found.proofs,
    }
