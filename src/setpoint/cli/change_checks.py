"""CLI: the checks of a change, as `change show` and `sweep --change` say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from setpoint.cli.output import out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def print_checks(checks: Iterable[Mapping[str, Any]]) -> None:
    """Say of each check what it showed, who reported it, and why it does not count."""
    for one in checks:
        reasons = "; ".join(one["reasons"])
        out.say(f"check {one['id']}, {one['kind']}: {one['result']}, by {one['reported_by']}: {reasons}")
        if why := one["why_not_counted"]:
            out.say(f"  does not count: {why}", style="yellow")
