"""DECLARE: durations as people type them."""

from __future__ import annotations

import re

from setpoint.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,18})([smhd])")


def parse_duration(text: str) -> int:
    """Return the seconds of ``90s``, ``30m``, ``1h`` or ``2d``.

    Raises:
        UsageError: it is none of them.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise UsageError(f"{text!r} is no duration.", hint="for example 90s, 30m, 1h or 2d")
    return int(found[1]) * _SECONDS[found[2]]
