"""GATE: files that are no Python: which of them the gate reads, and who reads them.

Guarantees: every format has one rule, and a file has one format. Refuses to pass what it cannot read.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from setpoint.gate.rules import data_json, data_lines, data_notebook, data_toml, data_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.gate.finding import Finding
    from setpoint.gate.judgement import Judge

_FORMATS: dict[str, Callable[[str, str, Judge], list[Finding]]] = {
    suffix: rule.findings
    for rule in (data_json, data_lines, data_toml, data_yaml)
    for suffix in rule.SUFFIXES
}
#: Formats by suffix; ``.env.local`` and the like are recognised by their beginning.
SUFFIXES = frozenset({*_FORMATS, *data_notebook.SUFFIXES})


def is_data(path: str) -> bool:
    """Say whether a file is one of the formats."""
    return suffix_of(path) in SUFFIXES


def findings_in_data(
    text: str, path: str, judge: Judge, python: Callable[[str, str], list[Finding]]
) -> list[Finding]:
    """Return what a data file holds.

    Args:
        text: the whole file.
        path: it, as findings shall say it; its name says the format.
        judge: knows the names and the values they have.
        python: what judges Python (text, path), for the cells of a notebook.

    Raises:
        Unjudgeable: it is not what its name says, or has a form that its scanner does not follow.
    """
    suffix = suffix_of(path)
    if suffix in data_notebook.SUFFIXES:
        return data_notebook.findings(text, path, python)
    return _FORMATS[suffix](text, path, judge)


def suffix_of(path: str) -> str:
    """Return what tells a file's format: its ending in lower case, ``.env`` for ``.env.local`` too."""
    name = PurePosixPath(path).name
    return ".env" if name == ".env" or name.startswith(".env.") else PurePosixPath(name).suffix.lower()
