"""CLI: a rollout, and what its shadow found, as a terminal shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.change.requirements import attempt_text
from setpoint.cli.next_step import instant_text
from setpoint.cli.output import out, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.govern.rollout.rollouts import Rollout
    from setpoint.govern.rollout.shadow import Shadow
    from setpoint.govern.rollout.stages import Stage, Step


def standing(stage: Stage) -> str:
    """Return how a stage stands, and that it is late."""
    return f"{stage.standing.replace('_', ' ')}{', LATE' if stage.late else ''}"


def print_rollout(found: Rollout) -> None:
    """Print its stages and rules, who started what, and what runs said."""
    out.say(f"change {found.change} of {found.scope}: {found.state} {found.state_reason}")
    out.say(f"by {found.author}: {found.reason}")
    table(
        ("stage", "stands", "started", "expected", "assets", "rule"),
        (
            (
                one.stage,
                standing(one),
                f"{one.started_by or ''} {instant_text(one.started_at)}" if one.started_at else "",
                f"{one.expected_s} s" if one.expected_s else "no end",
                ", ".join(one.assets),
                ", ".join(f"{name} {value}" for name, value in sorted(one.rule.items())),
            )
            for one in found.stages
        ),
    )
    for line in _done(found.steps):
        out.say(line)
    for given in found.preapprovals:
        until = instant_text(given.expires_at)
        out.say(f"restore of {', '.join(given.keys)} approved beforehand by {given.person} until {until}")
    if found.rollback:
        back = found.rollback
        by = f"change {back.restored_by}" if back.restored_by else back.mechanism
        waits = f", which waits: {back.filed_because}" if back.filed_because else ""
        out.say(f"rolled back by {back.person or 'nobody'} ({back.proof}) through {by}{waits}: {back.words}")
    if found.wanting:
        out.say(f"it may not be applied: {found.wanting}", style="yellow")


def print_shadow(found: Shadow) -> None:
    """Print what reached models otherwise, and what was not trained."""
    if found.outcome == "pass":
        out.say("nothing else differs")
        return
    if found.untrained:
        out.say(f"not trained: {', '.join(found.untrained)}")
    out.say(f"{found.outcome}: {found.differences} differences in {found.units} units; the first:")
    table(
        ("unit", "parameter", "baseline", "candidate"),
        ((" ".join(map(str, one.unit)), *one[1:]) for one in found.first),
    )


def _done(steps: Iterable[Step]) -> Iterable[str]:
    for one in steps:
        stale = "" if one.is_current else " (of earlier edits: does not count)"
        said = f"{one.outcome} by run {one.run}" if one.run else one.step
        tried = attempt_text(one.attempt, one.earlier, one.repeated_because)
        signed = f" ({tried})" if tried else ""
        if one.seeded_by and one.seeded_at:
            signed = (
                f"; seeds signed by {one.seeded_by} at revision {one.seeded_revision}, "
                f"{one.coverage_pct:.1f} %, {instant_text(one.seeded_at)}"
            )
        who = f"{one.person or 'nobody'} ({one.proof})"
        words = f": {one.words}" if one.words else ""
        yield f"{instant_text(one.stepped_at)} {one.stage}: {said}, {who}{words}{signed}{stale}"
