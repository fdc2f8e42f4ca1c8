"""GOVERN: what proves a test that a readiness file names: that it is there, and how its last run ended.

Guarantees: a test is proven when it passed with the very files that the repository holds now; one that failed
is failing, one that passed with other files is stale, and one of which no run is recorded is unknown.
"""

from __future__ import annotations

import ast
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from setpoint.govern.readiness.dependencies import parsed
from setpoint.govern.readiness.found import NO_REPOSITORY, Found, aged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.readiness.outcomes import Outcome, Outcomes
    from setpoint.govern.readiness.system import System

#: The other names by which the document of another repository calls tests of this one.
_ALSO = {
    "test_hyperparams_seeding_parity.py": "tests/change/test_seed_parity.py",
    "test_hyperparams_resolver.py": "tests/contract/test_resolve.py",
}


def test_run(name: str, system: System) -> Found:
    """Return what is known of a test: ``PATH``, all of a file, or ``PATH::TEST``."""
    path, _, test = name.partition("::")
    here = _ALSO.get(PurePosixPath(path).name, path)
    command = f"pytest {here}{f'::{test}' if test else ''}"
    if system.repository is None:
        return Found("unknown", NO_REPOSITORY, command)
    file = system.repository / here
    if not file.is_file():
        return Found("missing", f"the repository has no {here}", command)
    try:
        named = [one for one in _tests_in(parsed(file)) if not test or one.split("::")[-1] == test]
    except ValueError as problem:
        return Found("missing", f"{here} is no Python: {problem}", command)
    if not named:
        return Found("missing", f"{here} has no {test or 'test'}", command)
    return _ended([f"{here}::{one}" for one in named], system, command)


def _tests_in(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from (f"{node.name}::{one}" for one in _functions(node))
    yield from _functions(tree)


def _functions(node: ast.Module | ast.ClassDef) -> list[str]:
    named = [one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [one for one in named if one.startswith("test_")]


def _ended(there: list[str], system: System, command: str) -> Found:
    """Judge the outcomes of tests that are there, all of which must have passed."""
    recorded = system.outcomes
    if recorded is None or recorded.problem:
        return Found("unknown", recorded.problem if recorded else _NO_RUN, command)
    found = {name: recorded.tests[name] for name in there if name in recorded.tests}
    if failed := next((name for name, one in found.items() if one.ended == "failed"), ""):
        return Found("failing", f"{failed} failed {_where(found[failed])}", command, found[failed].at)
    if lacking := [name for name in there if name not in found or found[name].ended == "skipped"]:
        said = f"{lacking[0]} was skipped" if lacking[0] in found else _NO_RUN
        return Found("unknown", said, command)
    return _passed(list(found.values()), recorded, system, command)


def _passed(found: list[Outcome], recorded: Outcomes, system: System, command: str) -> Found:
    oldest = min(found, key=lambda one: one.at)
    if other := [one for one in found if one.source != recorded.source]:
        said = f"it passed {_where(other[0])}, and the repository has other files now"
        return Found("stale", said, command, other[0].at)
    said = f"{sum(one.passed for one in found)} cases passed {_where(oldest)}"
    return aged(system.at, oldest.at, said, command)


_NO_RUN = "it is in the repository, and no run of it is recorded"


def _where(one: Outcome) -> str:
    commit = f" at {one.commit}" if one.commit else ""
    return f"on {one.at:%Y-%m-%d}{commit}, by {one.command}"
