"""CLI: the examples of `--help` in the words of the catalogue in use, where that is not the bundled one.

The help is written with names of the bundled catalogues; somebody with another one could run none of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from setpoint.cli.reach import walk
from setpoint.declare.examples import example_of

if TYPE_CHECKING:
    from setpoint.declare.catalogue import Catalogues

#: Names of the bundled catalogues in help: a range, addresses, a key, a part of one, a scope.
_NAMES = (
    (re.compile(r"\b(?:xgb|lgb|cb)/\w+/\w+_range\b"), "{address}_range"),
    (re.compile(r"\b(?:xgb|lgb|cb)/\w+/\w+"), "{address}"),
    (re.compile(r"\bxgb/5m\b"), "{address}"),
    (re.compile(r"\bCVN_HPO_\w+"), "{key}"),
    (re.compile(r"\b(?:XGB|LGB|CB)_5M\b"), "{key}"),
    (re.compile(r"\b(?:symbol|profile)=\w+"), "{scope}"),
)


def in_words_of(catalogues: Catalogues, commands: Any) -> None:
    """Put names of the catalogues in use in place of the bundled ones, in the help of every command."""
    named = example_of(catalogues)._asdict()
    named["scope"] = named["scope"] or "DIMENSION=NAME"

    def renamed(text: str | None) -> str | None:
        for pattern, form in _NAMES:
            text = text and pattern.sub(form.format(**named), text)
        return text

    for _, command in walk(commands):
        command.help = renamed(command.help)
        for parameter in command.params:
            parameter.help = renamed(getattr(parameter, "help", None))
