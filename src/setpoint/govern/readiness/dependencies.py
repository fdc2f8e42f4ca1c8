"""GOVERN: what feeds the item *Dependency declarations*: `deptry` (H1), and the imports of the resolver.

Guarantees: the repository is only read, and nothing of it is run; what cannot be run is unknown, never
passed.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from setpoint.govern.readiness.found import NO_REPOSITORY, Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from setpoint.govern.readiness.system import System

#: It reads a large repository within seconds.
_DEPTRY_S = 120.0
_H1 = "deptry ."


def dependency(name: str, system: System) -> Found:
    """Return what one of the two says: ``deptry`` or ``resolver``."""
    return _FED_BY[name](system)


def _deptry(system: System) -> Found:
    if system.repository is None:
        return Found("unknown", NO_REPOSITORY, _H1)
    if find_spec("deptry") is None:
        return Found("unknown", "deptry is not installed", _H1)
    return _run_deptry(system.repository, system.at)


@cache
def _run_deptry(repository: Path, at: datetime) -> Found:
    """Return what it says of a repository; asked once for each judgement."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "deptry", "--no-ansi", "."],
            cwd=repository,
            capture_output=True,
            text=True,
            check=False,
            timeout=_DEPTRY_S,
        )
    except subprocess.TimeoutExpired:
        return Found("unknown", f"deptry did not end within {_DEPTRY_S:g} s", _H1)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        first = next((line for line in said if " DEP" in line), said[-1] if said else "deptry failed")
        return Found("missing", f"H1 is not green: {first}", _H1)
    return Found("proven", "H1 is green", _H1, at)


def _resolver(system: System) -> Found:
    command = "python -X importtime -c 'import setpoint'"
    foreign = sorted({name for path in system.resolver for name in imported(path)} - _ALLOWED)
    if foreign:
        return Found("missing", f"the resolver imports {', '.join(foreign)}", command)
    said = "the resolver imports the standard library and its own package alone"
    return Found("proven", said, command, system.at)


_ALLOWED = sys.stdlib_module_names | {"setpoint"}
_FED_BY: Mapping[str, Callable[[System], Found]] = {"deptry": _deptry, "resolver": _resolver}


def parsed(path: Path) -> ast.Module:
    """Return the tree of a module; raises ``ValueError`` for what is no Python or nests too deep."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, RecursionError, MemoryError) as problem:
        raise ValueError(f"{problem}" or "it nests too deep") from None


def imported(path: Path) -> Iterator[str]:
    """Yield the package of each import of a module."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
