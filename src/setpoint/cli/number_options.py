"""CLI: options and arguments that are numbers: read by the one grammar before anything converts them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from setpoint.cli.reach import walk
from setpoint.declare.number_text import read_float, read_int

if TYPE_CHECKING:
    from collections.abc import Callable

_READERS: dict[object, Callable[[str], float]] = {int: read_int, float: read_float}


def read_plainly(group: Any) -> None:
    """Let every number of every command of a group be read by the grammar; they are changed in place."""
    for _, command in walk(group):
        for parameter in command.params:
            if reader := _READERS.get(parameter.type_descriptor.annotation):
                parameter.process_value = partial(_processed, parameter, reader, parameter.process_value)


def _processed(
    parameter: Any, reader: Callable[[str], float], convert: Callable[[Any, Any], Any], ctx: Any, value: Any
) -> Any:
    """Refuse a text that is no number; what converts it afterwards judges bounds."""
    if isinstance(value, str):
        try:
            value = reader(value)
        except ValueError as problem:
            raise typer.BadParameter(f"{problem}.", ctx=ctx, param=parameter) from None
    return convert(ctx, value)
