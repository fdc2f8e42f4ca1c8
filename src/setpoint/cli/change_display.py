"""CLI: how a change reads on a terminal: what it would do, what it needs and has, and what people said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.cli.next_step import instant_text, over, waiting
from setpoint.cli.output import out
from setpoint.cli.values import print_edits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.change.changes import ChangeSummary, FullChange
    from setpoint.change.conflicts import Overlap
    from setpoint.change.requirements import NextStep, Requirement


def waiting_and_time(one: ChangeSummary) -> str:
    """Say what a change of a list waits for, and the instant before which it is not applied."""
    waits = waiting(one.next_step)
    if one.next_step is None or one.apply_at is None or one.next_step.waits_for == "schedule":
        return waits
    return f"{waits}; not before {instant_text(one.apply_at)}"


def print_facts(found: FullChange) -> None:
    """Say what a change is, by whom and why, and what it would do."""
    from setpoint.change.policies import policy_text

    out.say(f"change {found.id} of {found.scope}: {found.state} {found.state_reason}")
    out.say(f"by {found.author} ({found.proof}): {found.reason}")
    if found.traceparent:
        out.say(f"trace {found.traceparent}")
    out.say(f"over {over(found)}, proposal {found.proposal_hash[:12]}")
    if found.policy:
        out.say(f"policy: {policy_text(vars(found.policy))}")
        say_without_approval(found.leaves_without_approval)
    else:
        print_edits(found.edits)


def print_standing(found: FullChange, overlaps: Sequence[Overlap]) -> None:
    """Say what a change needs, what it waits for, what else happens to its keys, and what people said."""
    if found.apply_at:
        out.say(f"scheduled: not before {instant_text(found.apply_at)}")
    _print_requirement(found.requirement)
    if found.evidence:
        out.say(f"rests on: {', '.join(found.evidence)}")
    if found.asked:
        out.say(f"asked to approve: {', '.join(found.asked)}")
    if found.next_step:
        _print_next_step(found.next_step)
    _print_others(found, overlaps)
    print_checks(map(vars, found.checks))
    for decision in found.decisions:
        stale = "" if decision.is_current else " (of an earlier proposal: does not count)"
        out.say(f"{decision.decision} by {decision.person}{stale}: {decision.words}")


def _print_others(found: FullChange, overlaps: Sequence[Overlap]) -> None:
    """Say what else happens to the keys of a change."""
    for one in found.conflicts:
        values = ("none" if value is None else value for value in (one.base, one.theirs, one.mine))
        out.say("{}: was {}, is {} now, this sets {}".format(one.key, *values), style="yellow")
    for other in overlaps:
        out.say(f"change {other.id} of {other.author} ({other.state}) touches {', '.join(other.keys)} too")


def say_without_approval(people: Sequence[str]) -> None:
    """Say whom a policy would leave without enough people to approve their changes."""
    if people:
        out.say(f"too few people could approve changes of {', '.join(people)}")


def _print_requirement(needed: Requirement) -> None:
    if needed.cooling_off_s:
        free = f", until {instant_text(needed.free_at)}" if needed.free_at else " after it is proposed"
        out.say(f"cools off: {needed.cooling_off_s} s{free}")
    review = "a declared solo policy" if needed.solo else f"{needed.approved} of {needed.approvals} approvals"
    out.say(f"needs: {review}")
    if needed.checks:
        lacks = f", of which it lacks {' and '.join(needed.lacking)}" if needed.lacking else ", all passed"
        out.say(f"needs the checks {' and '.join(needed.checks)}{lacks}")


def _print_next_step(step: NextStep) -> None:
    if step.moved:
        out.say(f"its base moved: {step.moved}", style="yellow")
    out.say(f"waits for: {waiting(step)}")
    out.say(f"next: {step.how}")


def print_checks(checks: Iterable[Mapping[str, Any]]) -> None:
    """Say of each check what it showed, who reported it, at which attempt, and why it does not count."""
    from setpoint.change.requirements import attempt_text

    for one in checks:
        reasons = "; ".join(one["reasons"])
        out.say(f"check {one['id']}, {one['kind']}: {one['result']}, by {one['reported_by']}: {reasons}")
        if tried := attempt_text(one["attempt"], one["earlier"], one["repeated_because"]):
            out.say(f"  {tried}", style="yellow")
        if why := one["why_not_counted"]:
            out.say(f"  does not count: {why}", style="yellow")
