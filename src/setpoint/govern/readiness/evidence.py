"""GOVERN: what proves each name of a readiness file: looked up in the running system and its repository.

Guarantees: a name is proven by something that was read just now, with its instant and the command that
shows it; stale when that is too old; missing when it is not there; failing when it is there and fails; and
unknown when nothing could be asked. Only *proven* passes.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.emergency.mechanisms import MECHANISMS
from setpoint.govern.readiness.dependencies import dependency
from setpoint.govern.readiness.found import NO_COMMANDS, NO_DATABASE, NO_REPOSITORY, Found, aged
from setpoint.govern.readiness.tested import test_run
from setpoint.observe import metrics
from setpoint.observe.runbooks import has_runbook, sections_of
from setpoint.observe.training_metrics import RESULT_COLUMNS, RESULT_METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from setpoint.govern.readiness.found import State
    from setpoint.govern.readiness.names import Kind, Name
    from setpoint.govern.readiness.system import Record, System
    from setpoint.observe.alerts import Alert


class Proof(NamedTuple):
    """What was found of a name."""

    kind: Kind
    name: str
    line: int
    is_planned: bool
    state: State
    #: The instant of what proves it; None where nothing does.
    at: datetime | None
    #: What shows it.
    command: str
    said: str


#: Counters that are there, at 0, before their event ever happens; that it never did is good news.
_AT_ZERO = {"hpo_fallback_applied": metrics.FALLBACKS}
#: Where a repository keeps what Grafana reads.
_GRAFANA = "deploy/observability/grafana"

_OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")


def prove(name: Name, system: System) -> Proof:
    """Return what proves a name, or what is wrong with it."""
    found = LOOK_UPS[name.kind](name.name, system)
    return Proof(
        name.kind, name.name, name.line, name.is_planned, found.state, found.at, found.command, found.said
    )


def _metric(name: str, system: System) -> Found:
    command = "setpoint metrics"
    metric = system.metrics.get(name)
    if metric is None:
        if name in RESULT_COLUMNS or name in {one.name for one in RESULT_METRICS}:
            found = _event("training_complete", system)
            return found._replace(said=f"training_complete carries it: {found.said}")
        return Found("missing", "no metric has this name", command)
    if system.record is None:
        return Found("unknown", NO_DATABASE, command)
    samples = system.record.samples.get(metric, ())
    if not samples:
        return Found("missing", "it is declared, and has no value", command)
    total = sum(sample.value for sample in samples)
    if metric.kind == "counter" and total == 0 and metric not in _AT_ZERO.values():
        return Found("missing", "it is counted, and nothing ever happened", command)
    said = f"it is {total:g} now" if len(samples) == 1 else f"it has {len(samples)} series now"
    return Found("proven", said, command, system.at)


def _event(name: str, system: System) -> Found:
    command = "setpoint metrics"
    if name not in system.events:
        return Found("missing", "no event has this name", command)
    if system.record is None:
        return Found("unknown", NO_DATABASE, command)
    arrived = system.record.arrivals.get(name)
    if arrived is None:
        counter = _AT_ZERO.get(name)
        if counter and system.record.samples.get(counter):
            return Found("proven", f"{counter.name} counts it, and is 0", command, system.at)
        return Found("missing", "it is declared, and none ever arrived", command)
    return aged(system.at, arrived, "the newest arrived then", command)


def _alert(name: str, system: System) -> Found:
    command = f"setpoint alerts show {name}"
    rules = [one for one in system.alerts if one.name == name]
    if not rules:
        return Found("missing", "no alert has this name", command)
    if system.at >= rules[0].expires_at:
        return Found("stale", f"its declaration ended on {rules[0].expires_at:%Y-%m-%d}", command)
    if name not in {one.heading for one in sections_of(rules[0].runbook)}:
        return Found("missing", f"{rules[0].page} has no section of it", command)
    if system.record is None:
        return Found("unknown", NO_DATABASE, command)
    if silent := _silent(rules[0], system.record):
        return Found("missing", f"it cannot fire: {', '.join(silent)} has no value", command)
    return Found("proven", f"it is judged now: {rules[0].threshold}", command, system.at)


def _silent(alert: Alert, record: Record) -> list[str]:
    """Return the metrics that an alert rests on and that have no value."""
    rested = (getattr(condition, "metric", None) for condition in alert.conditions)
    return [metric.name for metric in rested if metric and not record.samples.get(metric)]


def _dashboard(name: str, system: System) -> Found:
    command = "python docs/generate.py --check"
    if name not in {one.uid for one in system.dashboards}:
        return Found("missing", "no dashboard has this name", command)
    if system.repository is None:
        return Found("unknown", NO_REPOSITORY, command)
    written = f"{_GRAFANA}/{name}.json"
    if not (system.repository / written).is_file():
        return Found("missing", f"it is declared, and {written} is not there", command)
    return Found("proven", f"it is written as {written}", command, system.at)


def _runbook(name: str, system: System) -> Found:
    file = PurePosixPath(name).name
    shows = next((f"setpoint alerts show {one.name}" for one in system.alerts if one.runbook == file), "")
    command = shows or f"less docs/runbooks/{file}"
    if not has_runbook(file):
        return Found("missing", "no runbook has this name", command)
    return Found("proven", f"it has {len(sections_of(file)) - 1} sections", command, system.at)


def _command(name: str, system: System) -> Found:
    if system.commands is None:
        return Found("unknown", NO_COMMANDS, f"{name} --help")
    known = max((one for one in system.commands if f"{name} ".startswith(f"{one} ")), key=len, default="")
    if any(one.startswith(f"{name} ") for one in system.commands):
        return Found("proven", f"{name} is a group of commands", f"{name} --help", system.at)
    if not known:
        return Found("missing", "no command has this name", "setpoint --help")
    if foreign := [one for one in _OPTION.findall(name) if one not in system.commands[known]]:
        return Found("missing", f"{known} takes no {', '.join(foreign)}", f"{known} --help")
    return Found("proven", f"{known} is a command, and takes what is typed", f"{known} --help", system.at)


def _mechanism(name: str, system: System) -> Found:
    way = next((one for one in MECHANISMS if one.name == name), None)
    if way is None:
        return Found("missing", "no way back has this name", "setpoint rollback")
    if system.record is None:
        return Found("unknown", NO_DATABASE, way.rehearsal)
    newest = {one: system.record.rehearsals.get(one) for one in way.scenarios}
    if lacking := [one for one, held in newest.items() if held is None]:
        said = f"it was never rehearsed: no drill {', '.join(lacking)} is on record"
        return Found("missing", said, way.rehearsal)
    played = [one for one in newest.values() if one]
    if failed := [one for one in played if one.outcome != "restored"]:
        said = f"its last drill {failed[0].scenario} ended {failed[0].outcome}"
        return Found("missing", said, way.rehearsal)
    slowest = max(one.took_s for one in played)
    oldest = min(one.rehearsed_at for one in played)
    return aged(system.at, oldest, f"its last drill took {slowest:.1f} s", way.rehearsal)


LOOK_UPS: Mapping[Kind, Callable[[str, System], Found]] = {
    "metric": _metric,
    "event": _event,
    "alert": _alert,
    "dashboard": _dashboard,
    "runbook": _runbook,
    "test": test_run,
    "command": _command,
    "mechanism": _mechanism,
    "dependency": dependency,
}
