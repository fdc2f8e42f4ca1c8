"""CLI: what `--help` says an option takes: a word for people, nothing for one that takes nothing."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIST = re.compile(r"<list\[(.*)\]>")
_WORDS = {"<str>": "<text>"} | dict.fromkeys(("<int>", "<float>", "<int range>", "<float range>"), "<number>")


def name_types(command: Any) -> None:
    """Let the help of a command, and of all within a group, name types plainly; they are changed in place."""
    for one in _all_of(command):
        one.get_help_option = partial(_plain_help, one.get_help_option)
        for parameter in one.params:
            _name_type(parameter)


def _all_of(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from _all_of(inner)


def _plain_help(made: Callable[[Any], Any], ctx: Any) -> Any:
    if option := made(ctx):
        _name_type(option)
    return option


def _name_type(parameter: Any) -> None:
    if not getattr(parameter.display_type_rich, "func", None):
        parameter.display_type_rich = partial(_plainly, parameter, parameter.display_type_rich)


def _plainly(parameter: Any, told: Callable[..., str | None], ctx: Any) -> str | None:
    if parameter.type_descriptor.annotation is bool:
        return None
    said = _LIST.sub(r"<\1>", told(ctx=ctx) or "")
    return _WORDS.get(said, said)
