"""GOVERN: what a readiness file names that can be looked up: metrics, alerts, tests, ways back and others.

Guarantees: each name once, with the first line that names it; a name that the file itself calls planned is
marked so, unless another line rests on it. Names in tables are found by their column, in prose by their
shape: a path, or a command between backticks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.readiness.form import Line, ReadinessFile

Kind = Literal[
    "metric", "event", "alert", "dashboard", "runbook", "test", "command", "mechanism", "dependency"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_EVENT = re.compile(r"event=(\w+)")
_AFTER_COLON = re.compile(r":\s*([A-Za-z_][\w.]*)")
# Each begins where a word does: a search from within words takes the square of a long one's length.
_DASHBOARD = re.compile(r"(?<![\w-])([a-z0-9]+(?:-[a-z0-9]+)+)\b")
_RUNBOOK = re.compile(r"(?<![\w./-])[\w./-]*runbooks/[\w.-]+\.md")
_TEST = re.compile(r"(?<![\w./-])(?:[\w.-]+/)*test_\w+\.py(?:::test_\w+)?")
_COMMAND = re.compile(r"`(setpoint [a-z][^`]*)`")
#: What the readiness document calls commands.
_CALLED = {"gate G5": "setpoint gate", "seeding script": "setpoint seed"}
#: By the ways back the words by which a table calls them.
MECHANISMS = {
    "revert": re.compile(r"revert merge|merge revert", re.IGNORECASE),
    "image_pin": re.compile(r"tag pin|image pin", re.IGNORECASE),
    "break_glass": re.compile(r"break-glass", re.IGNORECASE),
    "restore": re.compile(r"console rollback|restore", re.IGNORECASE),
}


class Name(NamedTuple):
    """Something that a file names."""

    kind: Kind
    name: str
    line: int
    #: The file says itself that it is not there yet.
    is_planned: bool = False


def named(form: ReadinessFile) -> list[Name]:
    """Return everything that a file names, by kind, then in the order of its lines."""
    found: dict[tuple[Kind, str], Name] = {}
    for one in (*_in_tables(form), *_in_minima(form), *_in_prose(form)):
        known = found.setdefault((one.kind, one.name), one)
        found[one.kind, one.name] = known._replace(is_planned=known.is_planned and one.is_planned)
    return sorted(found.values(), key=lambda one: (KINDS.index(one.kind), one.line))


def _in_tables(form: ReadinessFile) -> Iterator[Name]:
    for metric in form.metrics:
        is_planned = metric.status == "PLANNED"
        if metric.name:
            yield Name("event" if metric.is_event else "metric", metric.name, metric.number, is_planned)
        if dashboard := _DASHBOARD.search(metric.dashboard):
            yield Name("dashboard", dashboard[1], metric.number, is_planned)
    for alert in form.alerts:
        if alert.name:
            yield Name("alert", alert.name, alert.number)
    for way in form.mechanisms:
        name = next((name for name, words in MECHANISMS.items() if words.search(way.name)), way.name)
        yield Name("mechanism", name, way.number, way.is_planned)


def _in_minima(form: ReadinessFile) -> Iterator[Name]:
    """Yield the metric or event that each minimum of section 1 rests on."""
    section = form.section("1")
    for item in section.items if section else ():
        if event := _EVENT.search(item.plain):
            yield Name("event", event[1], item.number)
        if (metric := _AFTER_COLON.search(item.plain)) and metric[1] != "event":
            yield Name("metric", metric[1].rstrip("."), item.number)


def _in_prose(form: ReadinessFile) -> Iterator[Name]:
    for line in form.lines:
        yield from _of_line(line)


def _of_line(line: Line) -> Iterator[Name]:
    for path in _RUNBOOK.findall(line.text):
        yield Name("runbook", path, line.number)
    for test in _TEST.findall(line.text):
        yield Name("test", test, line.number)
    for command in _COMMAND.findall(line.text):
        yield Name("command", command, line.number)
    if line.said.startswith("Dependency declarations"):
        yield from (Name("dependency", one, line.number) for one in ("deptry", "resolver"))
    for called, command in _CALLED.items():
        if called in line.plain:
            yield Name("command", command, line.number)
