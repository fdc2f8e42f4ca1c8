"""CHANGE: the Markdown of a post-mortem or a drill, with what the database knows filled in.

Guarantees: who, when, which revisions with their hashes, what changed, who approved, what is still
owed. What only people know is left open, as a line that starts with ``TODO``. What people wrote stands
there as text, never as Markdown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.change.emergency.drill import PROMISE_S, SCENARIOS, TITLES, list_drills
from setpoint.change.emergency.mechanisms import MECHANISMS, promise_of
from setpoint.change.emergency.obligations import list_obligations, list_uses
from setpoint.change.emergency.rollbacks import list_taken
from setpoint.errors import MissingError
from setpoint.observe.printable import printable
from setpoint.observe.printable import printable_markdown as _shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from setpoint.change.emergency.drill import Drill, RecordedDrill
    from setpoint.change.emergency.obligations import ProbeAnswers, Use
    from setpoint.change.emergency.rollbacks import TakenRollback
    from setpoint.store.database import Database

_SHOWN_EDITS = 50


class Told(NamedTuple):
    """What only people know of an incident."""

    happened: str = "TODO: symptoms, impact, cause."
    noticed: str = "TODO"
    lesson: str = "TODO"


def post_mortem(database: Database, incident: str, told: Told | None = None) -> str:
    """Return the post-mortem of an incident.

    Raises:
        MissingError: no way back was recorded for it, and break-glass was never used.
    """
    told = told or Told()
    taken = list_taken(database, incident)
    uses = _uses(database, incident, may_lack=bool(taken))
    lines = [f"# Post-mortem {_shown(incident)}", "", "## What happened", "", told.happened, ""]
    if taken:
        lines += ["## Which way back was taken", "", *_taken(taken), ""]
    if uses:
        lines += ["## What break-glass did", ""]
    for use in uses:
        lines += _use(use)
    lines += ["## What is owed", "", *_owed(database, incident), ""]
    lines += ["## Times", "", "| what | when (UTC) |", "|---|---|", f"| noticed | {told.noticed} |"]
    lines += [f"| {one.mechanism} taken | {_when(one.taken_at)} |" for one in reversed(taken)]
    lines += [f"| revision {use.revision} written | {_when(use.used_at)} |" for use in uses]
    lines += ["", "## What we change so that it does not happen again", "", told.lesson, ""]
    return "\n".join(lines)


def _uses(database: Database, incident: str, *, may_lack: bool) -> list[Use]:
    try:
        return list_uses(database, incident)
    except MissingError:
        if not may_lack:
            raise
        return []


def _taken(taken: Iterable[TakenRollback]) -> Iterator[str]:
    yield from ("| way back | by | because | took | promised | what proves it |", "|---|---|---|---|---|---|")
    promises = {one.name: one.promise for one in MECHANISMS}
    for one in taken:
        took = "not proven" if one.took_s is None else f"{one.took_s:.1f} s"
        proof = f"{_shown(one.proven_words)}, says {_shown(one.proven_by or '')}" if one.proven_words else "-"
        cells = (one.mechanism, _shown(one.person), _shown(one.reason), took, promises[one.mechanism], proof)
        yield f"| {' | '.join(cells)} |"


def drill_sheet(database: Database, incident: str) -> str:
    """Return the record of the newest drill of each scenario, to be discussed and filed."""
    drills = list_drills(database)
    title = f"# Break-glass drill {_shown(incident)}".rstrip()
    return "\n".join((title, "", *drill_lines(drills), "## Discussed", "", "TODO: who, what was slow.", ""))


def drill_lines(drills: Iterable[Drill | RecordedDrill]) -> Iterator[str]:
    """Yield the Markdown of drills."""
    known = {drill.scenario: drill for drill in drills}
    titles = {name: title for name, title in TITLES.items() if name in {*SCENARIOS, *known}}
    yield from ("| scenario | outcome | took | promised |", "|---|---|---|---|")
    for scenario, meaning in titles.items():
        drill = known.get(scenario)
        cells = f"{drill.outcome} | {drill.took_s:.1f} s" if drill else "never rehearsed | -"
        promise_s = promise_of(scenario) or PROMISE_S
        yield f"| {scenario}: {meaning} | {cells} | under {promise_s / 60:.0f} min |"
    yield from ("", "Times are the machine's; reading, deciding and asking for approval come on top.", "")
    for scenario, drill in known.items():
        yield from (f"## {scenario}: {TITLES[scenario]}, {_when(drill.started_at)} UTC", "")
        yield from (f"- {step.took_s:.2f} s: {step.name}: {_shown(step.note)}" for step in drill.steps)
        yield ""


def _use(use: Use) -> Iterator[str]:
    lost = "" if use.in_history else ", a row that history lost"
    yield f"### Revision {use.revision} of {_shown(use.scope)}{lost}"
    yield ""
    back = f"brought revision {use.restores} back" if use.restores else "set values"
    yield f"- {_shown(use.person)} ({use.proof}) {back} on {_when(use.used_at)} UTC"
    yield f"- because: {use.circumstance}; failed: {use.failed or 'not stated'}"
    yield f"- approved by: <{_address(use.approved_by)}>, where {_shown(use.responsible)} is responsible"
    yield f"- the restore probe said: {_probe(use.probe)}"
    yield f"- hash before `{use.base_hash or '-'}` (revision {use.base_revision or '-'})"
    yield f"- hash after `{use.hash or '-'}`"
    yield ""
    yield "```diff"
    yield from (printable(str(edit)) for edit in use.edits[:_SHOWN_EDITS])
    if len(use.edits) > _SHOWN_EDITS:
        yield f"... {len(use.edits) - _SHOWN_EDITS} more: setpoint diff {use.base_revision} {use.revision}"
    yield from ("```", "")


def _probe(probe: ProbeAnswers) -> str:
    noted = probe.noted
    answer = (
        f"{'live' if noted.is_live else _shown(noted.said)} at {_when(noted.answered_at)} UTC"
        if noted
        else "nothing"
    )
    return f"{_shown(probe.asked or 'not asked')}; a plane noted: {answer}"


def _owed(database: Database, incident: str) -> Iterator[str]:
    yield from ("| obligation | revision | due (UTC) | met (UTC) | by |", "|---|---|---|---|---|")
    for owed in list_obligations(database, incident):
        met = _when(owed.met_at) + (", late" if owed.met_late else "") if owed.met_at else "open"
        by = _shown(owed.met_by or "")
        yield f"| {owed.kind} | {owed.revision} | {_when(owed.due_at)} | {met} | {by} |"
        if breach := owed.breach:
            yield f"| breached | {breach.revision} | - | {_when(breach.at)} | {_shown(breach.person)} |"


def _address(url: str) -> str:
    """Return an address that ends where the brackets around it end."""
    return printable(url).replace("<", "%3C").replace(">", "%3E")


def _when(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}"
