"""CLI: numbers and paths among options and arguments: each read by one grammar before anything converts them.

A shell expands ``~`` in ``--out ~/x`` and not in ``--out=~/x``, and makes an empty text of a variable that is
not set, which would be the folder that the command runs in.
What needs no converting is not converted: the library would import pydantic for it, which takes longer than
many commands do.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from setpoint.declare.number_text import read_float, read_int

if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[str], object]

#: The largest whole number of PostgreSQL's bigint.
MOST = 2**63 - 1


def read_plainly(command: Any) -> None:
    """Let numbers and paths of a command, of all in a group, be read by their grammars; changed in place."""
    command.get_params = partial(_parameters, command.get_params)
    for parameter in command.params:
        if reader := _READERS.get(parameter.type_descriptor.annotation):
            parameter.process_value = partial(_processed, parameter, reader, parameter.process_value)
    for below in getattr(command, "commands", {}).values():
        read_plainly(below)


def _parameters(known: Callable[[Any], list[Any]], ctx: Any) -> list[Any]:
    """Return a command's parameters, with the one for help, which is made when it is asked for."""
    found = known(ctx)
    for parameter in found:
        vars(parameter).setdefault("get_runtime_param", partial(_AsGiven, parameter.get_runtime_param))
    return found


class _AsGiven(NamedTuple):
    """Stands for what converts a parameter's value, and asks for that only where there is something to do."""

    converter: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return what the command is called with: a text, texts, or a default of the very type, as it is."""
        annotation, many = param.type_descriptor.annotation, param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        if annotation == list[str] and isinstance(value, list | tuple) and {*map(type, value)} <= {str}:
            return list(value)
        if type(value) is annotation and (annotation is str or value is param.default):
            return value
        return self.converter().coerce(value, param=param, ctx=ctx)


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


def _read_whole(text: str) -> int:
    """Read a whole number that the database can hold: a larger one names nothing there."""
    number = read_int(text)
    if abs(number) > MOST:
        raise ValueError(f"{text!r} is beyond {MOST}")
    return number


_READERS: dict[object, Reader] = {
    int: _read_whole,
    float: read_float,
    Path: _read_path,
    list[Path]: _read_path,
}
