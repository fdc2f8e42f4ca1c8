"""What a change did, in some lines for a person, in the order in which it happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.cli.next_step import instant_text
from setpoint.cli.output import out
from setpoint.client.snapshot_set import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.effects import Effects, JudgedUse

_DONE = {
    "approve": "approved",
    "reject": "rejected",
    "comment": "said",
    "repeat": "asked to repeat its check",
}


def print_effects(found: Effects) -> None:
    """Print what a change did."""
    trace = f", trace {found.traceparent}" if found.traceparent else ""
    out.say(f"change {found.change} of {found.scope}: {found.state}{trace}")
    for step in found.steps:
        words = f": {step.words}" if step.words else ""
        out.say(f"{instant_text(step.at)}  {_DONE.get(step.what, step.what)} by {step.who}{words}")
    if found.revision is None:
        return
    for line in (*_told(found), *_used(found), *_undone(found)):
        out.say(line)


def _told(found: Effects) -> Iterator[str]:
    from setpoint.govern.effects import NAMED

    if not found.holders:
        yield "told to no process within the hour"
    for one in found.holders[:NAMED]:
        run = f", run {one.run}" if one.run else ""
        where = f"process {one.pid} on {one.host} of {one.account}{run}, for {named(one.context)}"
        yield f"{instant_text(one.since)}  told to {where}, as of revision {one.revision}"
    if len(found.holders) > NAMED:
        yield f"... and to more processes than {NAMED}: `setpoint doctor` names those that hold older values"


def _used(found: Effects) -> Iterator[str]:
    if not found.n_runs:
        yield "no run used a value that it set"
        return
    first, others = found.runs[-1], found.runs[:-1]
    yield f"{instant_text(first.started_at)}  first used by {_run(first)}"
    if found.n_runs > len(found.runs):
        yield f"... and by {found.n_runs - len(found.runs)} more: `setpoint runs --set-by {found.revision}`"
    for one in reversed(others):
        yield f"{instant_text(one.started_at)}  used by {_run(one)}"


def _run(one: JudgedUse) -> str:
    from setpoint.record.run_rows import MOST_EVENTS

    failed = f", {one.n_failures} failed" if one.n_failures else ""
    fell_back = f"; fell back on {', '.join(sorted(one.fallbacks))}" if one.fallbacks else "; no fallback"
    events = f"{MOST_EVENTS - 1} events and more" if one.n_events == MOST_EVENTS else f"{one.n_events} events"
    verdict = f"; verdict {one.verdict}" if one.verdict else ""
    return (
        f"run {one.id} ({one.state}, {one.n_results} of {one.n_units} trained{failed}{fell_back};"
        f" {events}{verdict})"
    )


def _undone(found: Effects) -> Iterator[str]:
    for one in found.set_anew:
        yield f"{one.key} was set anew by revision {one.revision} of {one.updated_by}"
    for undoing in found.restored_by:
        how = f"revision {undoing.restores} came back as {undoing.revision}, change {undoing.change}"
        yield f"{instant_text(undoing.applied_at)}  restored by {undoing.author}, {how}: {undoing.reason}"
    if not (found.set_anew or found.restored_by):
        yield "all that it set stands"
