"""What a change would touch, in some lines for a person: `setpoint change impact` and `show` print it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from setpoint.cli.output import out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.change.impact import Impact, InvariantImpact, RangeImpact

SHOWN = 10


def print_impact(found: Impact, judged: Sequence[InvariantImpact] = ()) -> None:
    """Say in some lines what a change would touch."""
    touched = [context for context in found.contexts if context.keys]
    _say(f"contexts that would resolve differently: {len(touched)} of {len(found.contexts)}")
    unnamed = "every context" if len(found.contexts) == 1 else "every other context"
    for context in touched[:SHOWN]:
        named = ", ".join(f"{name}={value}" for name, value in context.context.items())
        _say(f"  {named or unnamed}: {_listed(context.keys)}")
    _more(len(touched))
    _say(f"runs that used the values: {len(found.runs)}")
    for run in found.runs[:SHOWN]:
        _say(f"  {run.id} ({run.state}): {_listed(run.keys)}")
    _more(len(found.runs))
    for changed in found.ranges:
        _say(_range(changed))
    if judged:
        counted = Counter(one.verdict for one in judged)
        told = ", ".join(f"{count} {verdict}" for verdict, count in counted.items())
        _say(f"invariants, in each context that it concerns: {told}")
    for one in [one for one in judged if one.verdict != "holds"][:SHOWN]:
        _say(f"  {one.verdict}: {one.message}")


def _range(changed: RangeImpact) -> str:
    lost = "" if changed.lost is None else f", {changed.lost:.0%} of the old range is lost"
    share = changed.outside_share
    trials = (
        "no past best trial to compare"
        if share is None
        else (f"{changed.outside} of {changed.best_trials} past best trials ({share:.0%}) would fall outside")
    )
    return f"range {changed.key}: {changed.old or 'none'} -> {changed.new or 'none'}{lost}; {trials}"


def _listed(keys: tuple[str, ...] | list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{len(keys)} keys"


def _more(count: int) -> None:
    if count > SHOWN:
        _say(f"  ... and {count - SHOWN} more; --json lists all")


def _say(text: str) -> None:
    out.say(text)
