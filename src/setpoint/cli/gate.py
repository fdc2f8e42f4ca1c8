"""`setpoint gate`: no hyperparameter literal in source. The gate itself needs nothing of the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from setpoint.cli.app import app


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
)
def gate(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[OPTIONS] [PATH]...", help="See `setpoint gate --help`.")
    ] = None,
) -> int:
    """Find hyperparameter literals in source, governed variables read elsewhere, and undeclared parameters.

    The options are those of `python -m setpoint.gate`; see the gate's page.

    Examples: `setpoint gate src`, `setpoint gate --json src/training`
    """
    from setpoint.gate.__main__ import main

    return main(arguments or [])
