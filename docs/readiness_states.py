"""What the readiness map says of each row is computed from the row's evidence, never typed.

Evidence is a test of this repository, a registered command, an operation of the HTTP API or a target of the
Makefile, each between backticks; whatever else stands there is an error, and so is a test that is gone.

| evidence | missing | state |
|---|---|---|
| some | - | built |
| some | some | partly built |
| - | some | planned |
| - | - | outside, and then nothing stands under *here* either |
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

ROOT = Path(__file__).parents[1]
COLUMNS = ("in the readiness document", "here", "evidence", "missing", "state")
NOTHING = "-"
_SPAN = re.compile(r"`([^`]+)`")


def with_states(text: str, known: Collection[str]) -> str:
    """Return the map with the state of each row filled in.

    Args:
        text: the page.
        known: every command and operation, such as ``setpoint change show`` and ``GET /v1/snapshot``.

    Raises:
        SystemExit: a row names evidence that is not there; says which.
    """
    lines = [
        _row(line, known) if line.startswith("| ") and COLUMNS[0] not in line else line
        for line in text.splitlines()
    ]
    return "\n".join(lines) + "\n"


def _row(line: str, known: Collection[str]) -> str:
    cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    if len(cells) != len(COLUMNS):
        raise SystemExit(f"the readiness map: expected {len(COLUMNS)} cells: {line}")
    theirs, here, evidence, missing, _ = cells
    for one in _SPAN.findall(evidence):
        if not (one in known or _is_test(one) or _is_target(one)):
            raise SystemExit(f"the readiness map: {theirs}: no such evidence: {one}")
    named = bool(_SPAN.search(evidence))
    if not named and evidence != NOTHING:
        raise SystemExit(f"the readiness map: {theirs}: evidence is named between backticks, or is {NOTHING}")
    return f"| {' | '.join((theirs, here, evidence, missing, _state(here, missing, named=named)))} |"


def _state(here: str, missing: str, *, named: bool) -> str:
    if named:
        return "built" if missing == NOTHING else "partly built"
    if missing != NOTHING:
        return "planned"
    if here != NOTHING:
        raise SystemExit(f"the readiness map: {here!r} has neither evidence nor says what is missing")
    return "outside"


def _is_test(name: str) -> bool:
    """Say whether a name such as ``tests/test_docs.py::test_x``, or a whole file of tests, is there."""
    path, _, test = name.partition("::")
    tests = _tests_of(path) if path.startswith("tests/") else frozenset()
    return bool(tests) if not test else test in tests


@cache
def _tests_of(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in named if name.startswith("test_"))


def _is_target(name: str) -> bool:
    told = (ROOT / "Makefile").read_text(encoding="utf-8")
    return name.startswith("make ") and f"\n{name.removeprefix('make ')}:" in told
