"""`setpoint drill` and `break-glass template`: rehearse an emergency, and write down what was done."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app, catalogues, database, settings
from setpoint.cli.break_glass import glass
from setpoint.cli.output import err, out, print_json, table
from setpoint.errors import EXIT_FINDING, EXIT_OK, ConflictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.change.emergency.drill import Drill


class Paper(StrEnum):
    """What there is a template for."""

    DRILL = "drill"
    POST_MORTEM = "post-mortem"


class Scenario(StrEnum):
    """What can be rehearsed."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    ALL = "all"
    IMAGE_PIN = "image-pin"
    MERGE_REVERT = "merge-revert"
    INCIDENT = "incident"


#: How a drill's report begins, and that of a whole incident.
_DRILL = "# Break-glass drill"
_POST_MORTEM = "# Post-mortem"
#: The options that a scenario needs, and those that it takes besides.
_OPTIONS: dict[Scenario, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Scenario.IMAGE_PIN: (("last-good",), ("build", "chart")),
    Scenario.MERGE_REVERT: (("repository", "merge"), ()),
    Scenario.INCIDENT: ((), ("closed",)),
}


@glass.command()
def template(
    paper: Annotated[Paper, typer.Argument(help="What to write.")],
    incident: Annotated[str, typer.Option("--incident", help="The incident, or the drill's name.")] = "",
    file: Annotated[Path | None, typer.Option("--out", "-o", help="Default: print it.")] = None,
) -> None:
    """Write the Markdown of a post-mortem or a drill, with what is known filled in.

    Example: `setpoint break-glass template post-mortem --incident INC-42 --out inc-42.md`
    """
    from setpoint.change.emergency.incident_markdown import drill_sheet
    from setpoint.change.emergency.incident_markdown import post_mortem as write_post_mortem

    if paper is Paper.POST_MORTEM and not incident:
        raise UsageError(
            "a post-mortem is of one --incident.", hint="`setpoint break-glass status` names them"
        )
    with database() as opened:
        make = write_post_mortem if paper is Paper.POST_MORTEM else drill_sheet
        _keep(make(opened, incident), file, mark="")


@app.command()
def drill(
    scenario: Annotated[Scenario, typer.Argument(help="Which scenario of the runbook.")],
    report: Annotated[Path | None, typer.Option("--report", help="Also write it as Markdown.")] = None,
    build: Annotated[
        Path | None, typer.Option("--build", help="Of image-pin: the build of now. Default: this one.")
    ] = None,
    last_good: Annotated[
        Path | None, typer.Option("--last-good", help="Of image-pin: the build to pin.")
    ] = None,
    chart: Annotated[
        Path | None, typer.Option("--chart", help="Of image-pin: the Helm chart, rendered with both tags.")
    ] = None,
    repository: Annotated[
        Path | None, typer.Option("--repository", help="Of merge-revert: a clone of Setpoint.")
    ] = None,
    merge: Annotated[str, typer.Option("--merge", help="Of merge-revert: the commit to take back.")] = "",
    closed: Annotated[
        bool, typer.Option("--closed", help="Of incident: the ordinary way is closed, too.")
    ] = False,
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> int:
    """Rehearse a way back on a throw-away copy, and time it. The live database is only read.

    A: a corrupted document. B: the Console is down, psql alone. C: an operator's typo. D: history itself
    is damaged; `all` plays these four. image-pin switches from one installed build of the plane to another
    and back, and proves each by its banner; a build is an environment, its Python, or a folder of sources.
    merge-revert takes a commit back in a throw-away clone, and serves what is left.
    incident plays a whole one, from a bad value to the post-mortem, in a home of its own, and records
    nothing. Exit code 1 when something could not be restored within its promise.

    Examples: `setpoint drill all --report drill.md`, `setpoint drill image-pin --last-good ../before`
    """
    from setpoint.change.emergency.drill import record
    from setpoint.change.emergency.incident_markdown import drill_lines
    from setpoint.change.identity import author_of

    _check_options(
        scenario,
        {
            "last-good": last_good,
            "build": build,
            "repository": repository,
            "merge": merge,
            "closed": closed,
            "chart": chart,
        },
    )
    if scenario is Scenario.INCIDENT:
        return _play_incident(report, is_closed=closed, as_json=as_json)
    with database() as opened:
        if last_good:
            drills = [_pinned(build or Path(sys.executable), last_good, chart)]
        elif repository:
            drills = [_reverted(repository, merge)]
        else:
            drills = _broken(scenario)
        for one in drills:
            record(opened, author_of(opened), one)
    if report:
        _keep("\n".join((_DRILL, "", *drill_lines(drills))), report, mark=_DRILL)
    if as_json:
        print_json([one.as_json() for one in drills])
    else:
        _print_drills(drills)
    return EXIT_OK if all(one.outcome == "restored" for one in drills) else EXIT_FINDING


def _check_options(scenario: Scenario, given: Mapping[str, object]) -> None:
    """Hold that a scenario has the options that it needs, and no other's.

    Raises:
        UsageError: it has not; says which.
    """
    needed, taken = _OPTIONS.get(scenario, ((), ()))
    missing = [f"--{name}" for name in needed if not given[name]]
    foreign = [f"--{name}" for name, value in given.items() if value and name not in {*needed, *taken}]
    if missing or foreign:
        wrong = f"lacks {', '.join(missing)}" if missing else f"takes no {', '.join(foreign)}"
        raise UsageError(f"{scenario.value} {wrong}.", hint="`setpoint drill --help` says what is whose")


def _pinned(build: Path, last_good: Path, chart: Path | None) -> Drill:
    from setpoint.change.emergency.drill_image_pin import rehearse_pin

    return rehearse_pin(settings(), (build, last_good), catalogues, _progress, chart=chart)


def _reverted(repository: Path, merge: str) -> Drill:
    from setpoint.change.emergency.drill_merge_revert import rehearse_revert

    return rehearse_revert(settings(), repository, merge, catalogues, _progress)


def _broken(scenario: Scenario) -> list[Drill]:
    from setpoint.change.emergency.drill import SCENARIOS, rehearse

    chosen = tuple(SCENARIOS) if scenario is Scenario.ALL else (scenario.value,)
    return rehearse(settings(), chosen, catalogues, _progress)


def _play_incident(report: Path | None, *, is_closed: bool, as_json: bool) -> int:
    from setpoint.govern.incident_drill import rehearse_incident

    played = rehearse_incident(settings(), catalogues(), _progress, is_closed=is_closed)
    if report:
        _keep(played.post_mortem, report, mark=_POST_MORTEM)
    if as_json:
        print_json(played.as_json())
        return EXIT_OK if played.kept else EXIT_FINDING
    table(
        ("what", "took", "promised", "kept"),
        ((one.what, f"{one.took_s:.1f} s", one.promise, "yes" if one.kept else "NO") for one in played.times),
    )
    if played.problem:
        out.say(f"failed: {played.problem}", style="red")
    return EXIT_OK if played.kept else EXIT_FINDING


def _print_drills(drills: Sequence[Drill]) -> None:
    from setpoint.change.emergency.drill import TITLES

    table(
        ("scenario", "what", "outcome", "took", "promised", "problem"),
        (
            (
                one.scenario,
                TITLES[one.scenario],
                one.outcome,
                f"{one.took_s:.1f} s",
                f"< {one.promise_s:.0f} s",
                one.problem,
            )
            for one in drills
        ),
    )


def _progress(line: str) -> None:
    err.say(line)


def _keep(text: str, file: Path | None, mark: str) -> None:
    """Print a text, or write it to a file: over what holds the mark; without one, over nothing at all."""
    from setpoint.client.snapshot import SHARED, write_own

    if file is None:
        out.lines(text)
        return
    if not mark and file.is_file() and file.read_text(encoding="utf-8", errors="replace") != text:
        raise ConflictError(
            f"{file} says something else already.", hint="name another file: a form is filled in once"
        )
    write_own(file, text, mark, SHARED)
    err.say(f"wrote {file}")
