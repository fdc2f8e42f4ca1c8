"""CLI: numbers and paths among options and arguments: each read by one grammar before anything converts them.

A shell expands ``~`` in ``--out ~/x`` and not in ``--out=~/x``, and makes an empty text of a variable that is
not set, which would be the folder that the command runs in.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from setpoint.cli.reach import walk
from setpoint.declare.number_text import read_float, read_int

if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[str], object]


def read_plainly(group: Any) -> None:
    """Let every number and path of every command of a group be read by its grammar; changed in place."""
    for _, command in walk(group):
        for parameter in command.params:
            if reader := _READERS.get(parameter.type_descriptor.annotation):
                parameter.process_value = partial(_processed, parameter, reader, parameter.process_value)


def _processed(
    parameter: Any, reader: Reader, convert: Callable[[Any, Any], Any], ctx: Any, value: Any
) -> Any:
    """Refuse a text that is no number or path; what converts it afterwards judges bounds."""
    try:
        if isinstance(value, str):
            value = reader(value)
        elif isinstance(value, tuple | list):
            value = [reader(one) for one in value]
    except ValueError as problem:
        raise typer.BadParameter(f"{problem}.", ctx=ctx, param=parameter) from None
    return convert(ctx, value)


def _read_path(text: str) -> str:
    if not text.strip():
        raise ValueError("an empty text is no file and no folder")
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise ValueError(f"{text!r}: nobody's home folder is known by that name here") from None


_READERS: dict[object, Reader] = {
    int: read_int,
    float: read_float,
    Path: _read_path,
    list[Path]: _read_path,
}
