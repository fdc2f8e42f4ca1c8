"""GOVERN: the six sections that must be there, and the least that each must say.

A minimum is an item of a section's list, ticked, or skipped by `SKIP — JUSTIFICATION : WHY`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from setpoint.govern.readiness.case import Problem
from setpoint.govern.readiness.form import MUST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from setpoint.govern.readiness.case import Case
    from setpoint.govern.readiness.form import Line, Section

    Judge = Callable[[Case], Iterator[Problem]]

#: For how long the person who answers for a change does, from its merge.
OWNED_FOR = timedelta(days=90)
_BARE_SKIP = re.compile(r"(?<!justified[ -])\bSKIP\b(?!\s*[—–-]+\s*JUSTIFICATION\s*:\s*\S)")  # noqa: RUF001
_ASSET = re.compile(r"\b[A-Z0-9]{5,}\b")
_VALUE = re.compile(r"\b(\w+)=(\S+)")
_DAY = re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b")
_PERSON = re.compile(r"@\w")


def sections(case: Case) -> Iterator[Problem]:
    """The six sections are there, in their order, each marked (MUST)."""
    there = [one for one in case.form.sections if one.mark in MUST]
    for mark in MUST:
        if mark not in {one.mark for one in there}:
            yield Problem(case.form.title.number, f"there is no section {mark}", f"add `## {mark}. …(MUST)`")
    if [one.mark for one in there] != sorted(one.mark for one in there):
        yield Problem(there[0].number, "the sections are not in their order", "order them from 1 to 6")
    for one in there:
        if "(MUST)" not in one.title:
            yield Problem(one.number, f"section {one.mark} is not marked (MUST)", "add `(MUST)` to its title")


def skips(case: Case) -> Iterator[Problem]:
    """Whatever is skipped says why."""
    for line in case.form.lines:
        if _BARE_SKIP.search(line.plain):
            yield Problem(line.number, "SKIP without a reason", "write `SKIP — JUSTIFICATION : WHY`")


def metrics_told(case: Case) -> Iterator[Problem]:
    """A row of section 1 says whether it is LIVE or PLANNED, what, from where, when it warns, and whose."""
    for one in case.form.metrics:
        told = {
            "status LIVE or PLANNED": one.status,
            "metric": one.name,
            "source": one.source,
            "dashboard": one.dashboard,
            "threshold": one.threshold,
            "owner": one.owner,
        }
        yield from _lacking(one.number, told)


def alerts_told(case: Case) -> Iterator[Problem]:
    """A row of section 2 names its alert, trigger, runbook, severity and channel."""
    for one in case.form.alerts:
        told = {
            "alert": one.name,
            "trigger": one.trigger,
            "runbook": one.runbook,
            "severity": one.severity,
            "channel": one.channel,
        }
        yield from _lacking(one.number, told)


def first_severity(case: Case) -> Iterator[Problem]:
    """There is at least one P1 alert."""
    section = case.form.section("2")
    if section and not any(one.severity == "P1" for one in case.form.alerts):
        yield Problem(section.number, "section 2 has no P1 alert", "declare one, with its runbook")


def first_severity_is_live(case: Case) -> Iterator[Problem]:
    """A P1 alert rests on no PLANNED metric."""
    planned = [one for one in case.form.metrics if one.status == "PLANNED"]
    for alert in case.form.alerts:
        for metric in planned if alert.severity == "P1" else ():
            if any(name in alert.trigger for name in _names_of(metric.name, metric.source)):
                yield Problem(
                    alert.number,
                    f"the P1 alert {alert.name} rests on {metric.name}, which line {metric.number} says is"
                    " PLANNED: it cannot fire",
                    f"build {metric.name} and mark it LIVE, or rest the alert on a metric that is",
                )


def _names_of(metric: str, source: str) -> list[str]:
    """Return what a trigger may call a metric: its own name, or that of the function it comes from."""
    function = re.search(r"(?<![\w.])[\w.]+\.(\w+)", source)
    return [name for name in (metric, metric.rpartition(".")[2], function[1] if function else "") if name]


def drift(case: Case) -> Iterator[Problem]:
    """Section 3 says how each drift is detected, and what is then done; or skips it, with the reason."""
    section = case.form.section("3")
    if section is None or any(line.justification for line in section.lines):
        return
    if not section.rows:
        yield Problem(section.number, "section 3 has no table of drifts", "add one, or SKIP it with a reason")
    for row in section.rows:
        told = {name: row.cell(name) for name in ("drift", "detection", "threshold", "action")}
        yield from _lacking(row.number, told)


def minimum(mark: str, pattern: str, what: str) -> Judge:
    """Return the rule that a section has an item of its minima, ticked or skipped with a reason."""

    def judge(case: Case) -> Iterator[Problem]:
        section = case.form.section(mark)
        if section is None:
            return
        item = section.find(pattern)
        if item is None:
            yield Problem(section.number, f"section {mark} has no {what}", f"add `- ✅ {what} : …`")
        elif not item.is_met:
            yield Problem(item.number, f"the {what} is not met", "meet and tick it, or SKIP it with a reason")

    judge.__doc__ = f"Section {mark} has its {what}."
    return judge


def canary_assets(case: Case) -> Iterator[Problem]:
    """The canary's assets have names."""
    item = _item(case, "4", "named canary")
    if item and not _ASSET.search(item.plain):
        yield Problem(item.number, "the canary names no asset", "name each, such as BTCUSDC")


def revert_is_tested(case: Case) -> Iterator[Problem]:
    """The revert was tested: on a day that it names, or by a drill, which is then looked up."""
    item = _item(case, "5", "tested revert")
    if item and not (_DAY.search(item.plain) or "setpoint drill" in item.plain):
        yield Problem(
            item.number,
            "no day and no drill says that the revert was tested",
            "try it, and write the day, or name "
            "`setpoint drill merge-revert --repository PATH --merge COMMIT`",
        )


def exact_value(case: Case) -> Iterator[Problem]:
    """The revert's value is written as `NAME=VALUE`; from the merge gate on no placeholder stands for it."""
    item = _item(case, "5", "specific config value")
    if item is None:
        return
    value = _VALUE.search(item.plain)
    if value is None or (case.is_due("merge") and value[2][0] in "<{…"):
        yield Problem(
            item.number,
            f"the revert has no exact value{f', but {value[1]} with a placeholder' if value else ''}",
            "write NAME=VALUE as it is typed when it matters",
        )


def owned_by(mark: str, pattern: str, what: str) -> Judge:
    """Return the rule that an item of section 6 names a person."""

    def judge(case: Case) -> Iterator[Problem]:
        section = case.form.section(mark)
        item = section.find(pattern) if section else None
        if section and not (item and _PERSON.search(item.plain)):
            yield Problem((item or section).number, f"no {what} is named", f"add `- {what} : @NAME`")

    judge.__doc__ = f"Section {mark} names the {what}, which may be the same person as another."
    return judge


def still_owned(case: Case) -> Iterator[Problem]:
    """The DRI answers for the change for 90 days from its merge; a file that is older is stale."""
    section, merged_at = case.form.section("6"), case.form.header.merged_at
    if case.phase != "after" or section is None:
        return
    if merged_at is None:
        yield Problem(section.number, "no line says when it was merged", "write `merge SHA ID on INSTANT`")
    elif case.at >= merged_at + OWNED_FOR:
        ended = merged_at + OWNED_FOR
        item = section.find(r"^DRI\b")
        yield Problem(
            item.number if item else section.number,
            f"stale: the DRI answered for this change until {ended:%Y-%m-%dT%H:%M:%SZ}",
            "name who answers for it from then on, in a new file, or end it: "
            "`setpoint readiness sunset FILE`",
        )


def sunset(case: Case) -> Iterator[Problem]:
    """Section 6 names a milestone, and at least one condition that then holds."""
    section = case.form.section("6")
    if section is None:
        return
    if section.find(r"^sunset milestone") is None:
        yield Problem(section.number, "section 6 has no sunset milestone", "add `- Sunset milestone : …`")
    elif not sunset_conditions(section):
        yield Problem(section.number, "the sunset milestone has no condition", "list what holds by then")


def sunset_conditions(section: Section) -> list[Line]:
    """Return the items after the sunset milestone: what must hold by then."""
    items = section.items
    begun = (n for n, item in enumerate(items, 1) if item.said.lower().startswith("sunset milestone"))
    return items[next(begun, len(items)) :]


def _item(case: Case, mark: str, pattern: str) -> Line | None:
    """Return an item of a section's minima; None where it is skipped or not there."""
    section = case.form.section(mark)
    item = section.find(pattern) if section else None
    return item if item and not item.justification else None


def _lacking(number: int, told: Mapping[str, str]) -> Iterator[Problem]:
    if lacking := [name for name, text in told.items() if not text.strip()]:
        yield Problem(number, f"this row says no {', no '.join(lacking)}", "fill in the row")
