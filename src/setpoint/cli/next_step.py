"""CLI: what an open change waits for, of whom and until when: `set`, `change list` and `show` say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.change.changes import ChangeFacts
    from setpoint.change.requirements import NextStep

_WORDS = {
    "amendment": "an amendment by {who}, because its base moved",
    "proposal": "{who} to propose it",
    "approval": "{missing} approval(s) by {who}",
    "check": "a check that policy asks for, by a robot",
    "rollout": "its canary to pass, or an override",
    "cooling_off": "its cooling off, until {until}",
    "schedule": "its time, {until}",
    "freeze": "the end of a freeze, {until}",
    "application": "{who} to apply it",
}


def waiting(step: NextStep | None) -> str:
    """Say what a change waits for; the empty text for one that ended."""
    if step is None:
        return ""
    who = " or ".join(step.who) or "nobody: no approver is left"
    return _WORDS[step.waits_for].format(
        who=who, missing=step.missing, until=step.until and instant_text(step.until)
    )


def over(change: ChangeFacts) -> str:
    """Say which revision a change was made over."""
    return "no revision" if change.base_revision is None else f"revision {change.base_revision}"


def waiting_and_how(step: NextStep) -> str:
    """Say what a change waits for, and how that is done, in one line."""
    return f"waits for {waiting(step)}; next: {step.how}"


def instant_text(at: datetime) -> str:
    """Return an instant in UTC and, where clocks here say otherwise, in local time."""
    local = at.astimezone()
    here = "" if not local.utcoffset() else f" ({local:%Y-%m-%d %H:%M:%S %Z} here)"
    return f"{at:%Y-%m-%d %H:%M:%S} UTC{here}"
