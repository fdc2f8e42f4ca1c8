"""`setpoint drill` and `break-glass template`: rehearse an emergency, and write down what was done."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

import typer

from setpoint.cli.app import AsksNothing, Json, app, catalogues, database, settings
from setpoint.cli.break_glass import glass
from setpoint.cli.output import err, out, print_json, table
from setpoint.errors import EXIT_FINDING, EXIT_OK, ConflictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

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


#: How a drill's report begins.
_DRILL = "# Break-glass drill"


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
    _yes: AsksNothing = False,
    as_json: Json = False,
) -> int:
    """Rehearse break-glass on a throw-away copy, and time it. The live database is only read.

    A: a corrupted document. B: the Console is down, psql alone. C: an operator's typo. D: history itself
    is damaged. Exit code 1 when something could not be restored within ten minutes.

    Example: `setpoint drill all --report drill.md`
    """
    from setpoint.change.emergency.drill import SCENARIOS, record, rehearse
    from setpoint.change.emergency.incident_markdown import drill_lines
    from setpoint.change.identity import author_of

    chosen = tuple(SCENARIOS) if scenario is Scenario.ALL else (scenario.value,)
    with database() as opened:
        drills = rehearse(settings(), chosen, catalogues, _progress)
        for one in drills:
            record(opened, author_of(opened), one)
    if report:
        _keep("\n".join((_DRILL, "", *drill_lines(drills))), report, mark=_DRILL)
    if as_json:
        print_json([one.as_json() for one in drills])
    else:
        _print_drills(drills)
    return EXIT_OK if all(one.outcome == "restored" for one in drills) else EXIT_FINDING


def _print_drills(drills: Sequence[Drill]) -> None:
    from setpoint.change.emergency.drill import PROMISE_S, SCENARIOS

    table(
        ("scenario", "what", "outcome", "took", "promised", "problem"),
        (
            (
                one.scenario,
                SCENARIOS[one.scenario],
                one.outcome,
                f"{one.took_s:.1f} s",
                f"< {PROMISE_S:.0f} s",
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
    if not mark and file.exists() and file.read_text(encoding="utf-8", errors="replace") != text:
        raise ConflictError(
            f"{file} says something else already.", hint="name another file: a form is filled in once"
        )
    write_own(file, text, mark, SHARED)
    err.say(f"wrote {file}")
