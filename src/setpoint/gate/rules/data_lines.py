"""GATE: SPG403 ``literal-in-settings``: a hyperparameter's value is set in lines of ``name = value``.

Such are environment files (``.env``), ini files and the configuration of LightGBM's command line.

Caught: ``LEARNING_RATE=0.1``, ``export MAX_DEPTH="8"``, ``num_leaves: 31`` under a section. Left alone:
comments, empty values, placeholders, ambiguous names with nothing of a library in their section.

Instead: start the command with ``setpoint run``, which exports the governed values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.gate.formats.embedded_texts import Pair
from setpoint.gate.formats.name_value_pairs import judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.gate.finding import Finding
    from setpoint.gate.judgement import Judge

CODE, NAME = "SPG403", "literal-in-settings"
SUFFIXES = (".env", ".ini", ".cfg", ".conf", ".properties")

_SECTION = re.compile(r"\s*\[([^\]]+)\]")
_LINE = re.compile(r"""\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*[=:]\s*(["']?)([^"'#;]*?)\2\s*(?:[#;].*)?$""")


def findings(text: str, path: str, judge: Judge) -> list[Finding]:
    """Return what the lines hold; a line of another form holds no pair."""
    return list(judged(_pairs(text), path, judge, rule=CODE, text=text))


def _pairs(text: str) -> Iterator[Pair]:
    section, mapping = "", 0
    for count, line in enumerate(text.splitlines(), start=1):
        if found := _SECTION.match(line):
            section, mapping = found[1].strip(), mapping + 1
        elif (found := _LINE.match(line)) and found[3]:
            *above, name = found[1].split(".")
            keys = (*((section,) if section else ()), *above)
            yield Pair(name, found[3], count, found.start(3) + 1, len(found[3]), keys, mapping)
