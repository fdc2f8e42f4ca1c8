"""`setpoint catalogue`: what the catalogues of this system give to other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from setpoint.cli.app import app, catalogues
from setpoint.cli.output import out
from setpoint.client.snapshot import SHARED, write_own
from setpoint.declare.type_stub import STUB_FILE, STUB_MARK, stub_text
from setpoint.errors import EXIT_OK

group: typer.Typer = typer.Typer(help="Catalogues: what they give to other programs.", no_args_is_help=True)
app.add_typer(group, name="catalogue")

FOLDER = "typings"


@group.command("types")
def write_types(
    folder: Annotated[
        Path, typer.Option("--out", "-o", help="The folder of stubs; pyright looks in `typings` by itself.")
    ] = Path(FOLDER),
    is_open: Annotated[
        bool, typer.Option("--open", help="Let addresses pass that a program computes: of any type.")
    ] = False,
) -> int:
    """Write a stub from which mypy and pyright know each address and the type of its value.

    For mypy, set `mypy_path = "typings"`. Write it anew when a catalogue changes.

    Examples: `setpoint catalogue types`, `setpoint catalogue types --out stubs --open`
    """
    system = catalogues()
    file = folder / STUB_FILE
    write_own(file, stub_text(system, is_open=is_open), STUB_MARK, SHARED)
    out.say(f"{file}: {len(system.addresses)} addresses")
    return EXIT_OK
