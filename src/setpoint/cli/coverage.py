"""`setpoint coverage`: declared, seeded, read."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.app import Json, app, catalogues, database
from setpoint.cli.output import err, print_json, table
from setpoint.errors import EXIT_FINDING, EXIT_OK

SHOWN_KEYS = 10


@app.command()
def coverage(
    fail_under: Annotated[
        float,
        typer.Option(
            "--fail-under",
            min=0,
            max=100,
            help="Exit with 1 when a catalogue's seeded share is below this, in percent.",
        ),
    ] = 0.0,
    as_json: Json = False,
) -> int:
    """Audit which keys are declared, seeded and really read.

    With `--json`, `coverage_pct` is the share of the hyperparameters, `lowest_pct` that of the catalogue
    with the lowest one.

    Example: `setpoint coverage --fail-under 95`
    """
    from setpoint.record.coverage import audit_console_coverage

    with database() as opened:
        audit = audit_console_coverage(opened, catalogues())
    if as_json:
        print_json(audit)
    else:
        table(
            ("catalogue", "declared", "seeded", "coverage", "read by runs"),
            (
                (
                    m.name,
                    m.declared,
                    m.seeded,
                    f"{m.coverage_pct:.1f} %",
                    "no run yet" if m.read is None else m.read,
                )
                for m in audit.catalogues
            ),
        )
        for member in audit.catalogues:
            missing = tuple(key for key in member.unseeded if key not in member.refused)
            _list(f"{member.name}: declared, but without a value", missing)
            _list(f"{member.name}: with a value that is refused (setpoint doctor)", member.refused)
            _list(f"{member.name}: seeded, but read by no recorded run", member.unread)
        _list(
            "stored, but declared by no catalogue",
            tuple(f"{one.scope}: {one.key}" for one in audit.undeclared),
        )
        if any(member.unseeded for member in audit.catalogues):
            err.say("  next: setpoint seed --dry-run")
    return EXIT_FINDING if audit.lowest_pct < fail_under else EXIT_OK


def _list(finding: str, names: tuple[str, ...]) -> None:
    if names:
        more = f", and {len(names) - SHOWN_KEYS} more (--json lists all)" if len(names) > SHOWN_KEYS else ""
        err.say(
            f"{finding} ({len(names)}): {', '.join(names[:SHOWN_KEYS])}{more}",
        )
