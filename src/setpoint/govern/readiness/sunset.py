"""GOVERN: whether a readiness file may end: the conditions of its section 6, each judged by the record.

Guarantees: a condition is recognised by its words; one that nothing here can judge, and one whose source
was not asked, does not hold. Source: readiness document, section 6.
"""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.readiness.dependencies import parsed
from setpoint.govern.readiness.evidence import LOOK_UPS
from setpoint.govern.readiness.found import NO_DATABASE, NO_REPOSITORY
from setpoint.govern.readiness.section_rules import sunset_conditions
from setpoint.observe.metrics import COVERAGE_PART, FALLBACK_RATE_24H

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from setpoint.govern.readiness.form import ReadinessFile
    from setpoint.govern.readiness.system import System

#: A serving plane notes its restore probe far more often.
_PROBE_COUNTS_FOR = timedelta(hours=1)
#: The catalogue of what the successor story moves: thresholds, calibration, regime weighting.
_REMAINING = "cvntrade-training"


class Judged(NamedTuple):
    """A condition, whether it holds, why, and the command that shows it."""

    line: int
    condition: str
    holds: bool
    said: str
    command: str


class Answer(NamedTuple):
    """What the record says of a condition."""

    holds: bool
    said: str
    command: str


def judge_sunset(form: ReadinessFile, system: System) -> list[Judged]:
    """Return each condition of the sunset milestone, judged."""
    section = form.section("6")
    return [
        Judged(line.number, line.said, *_answer(line.said, system))
        for line in (sunset_conditions(section) if section else ())
    ]


def _answer(condition: str, system: System) -> Answer:
    for words, judge in _JUDGES:
        if words.search(condition):
            return judge(system)
    return Answer(False, "nothing on record can say so: a person judges it", "")


def _no_fallback(system: System) -> Answer:
    command = "setpoint gate src"
    if system.repository is None:
        return Answer(False, NO_REPOSITORY, command)
    found = list(calls_with_fallback(system.repository / "src"))
    said = f"call sites with a fallback: {', '.join(found[:3])}" if found else "no call site has a fallback"
    return Answer(not found, said, command)


def calls_with_fallback(folder: Path) -> Iterator[str]:
    """Yield where a value is resolved with a fallback; handing on one's own parameter is no call site."""
    for path in sorted(folder.rglob("*.py")):
        try:
            nodes = ast.walk(parsed(path)) if "fallback" in path.read_text(encoding="utf-8") else ()
        except ValueError:
            yield f"{path.relative_to(folder)}, which is no Python"
            continue
        for node in nodes:
            if isinstance(node, ast.Call) and _has_fallback(node):
                yield f"{path.relative_to(folder)}:{node.lineno}"


def _has_fallback(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
    given = next((one.value for one in call.keywords if one.arg == "fallback"), None)
    return (
        name == "resolve"
        and given is not None
        and not (isinstance(given, ast.Name) and given.id == "fallback")
    )


def _no_fallback_rate(system: System) -> Answer:
    command = "setpoint metrics"
    if system.record is None:
        return Answer(False, NO_DATABASE, command)
    rate = sum(sample.value for sample in system.record.samples.get(FALLBACK_RATE_24H, ()))
    return Answer(rate == 0, f"{rate:g} fallbacks arrived in the last 24 hours", command)


def _restore_is_live(system: System) -> Answer:
    command = "curl PLANE/health/restore"
    if system.record is None:
        return Answer(False, NO_DATABASE, command)
    probe = system.record.probe
    if probe is None:
        return Answer(False, "no plane ever noted its restore probe", command)
    said = f"the restore probe said {probe.said!r} at {probe.answered_at:%Y-%m-%dT%H:%M:%SZ}"
    return Answer(probe.is_live and probe.answered_at + _PROBE_COUNTS_FOR > system.at, said, command)


def _emergency_only(system: System) -> Answer:
    """Say whether break-glass is one way of several: the ordinary restore was rehearsed."""
    found = LOOK_UPS["mechanism"]("restore", system)
    return Answer(found.state == "proven", f"the ordinary restore: {found.said}", found.command)


def _remaining_is_declared(system: System) -> Answer:
    command = "setpoint coverage"
    if system.record is None:
        return Answer(False, NO_DATABASE, command)
    shares = [
        sample.value
        for sample in system.record.samples.get(COVERAGE_PART, ())
        if sample.labels == {"catalogue": _REMAINING, "model": "", "timeframe": ""}
    ]
    if not shares:
        return Answer(False, f"this system has no catalogue {_REMAINING}", command)
    return Answer(shares[0] == 100, f"{shares[0]:g} % of {_REMAINING} have a value", command)


_JUDGES: tuple[tuple[re.Pattern[str], Callable[[System], Answer]], ...] = (
    (re.compile(r"fallback parameter", re.IGNORECASE), _no_fallback),
    (re.compile(r"hpo_fallback_applied"), _no_fallback_rate),
    (re.compile(r"restore[ -]from[ -]history is live", re.IGNORECASE), _restore_is_live),
    (re.compile(r"emergency-only", re.IGNORECASE), _emergency_only),
    (re.compile(r"remaining training param", re.IGNORECASE), _remaining_is_declared),
)
