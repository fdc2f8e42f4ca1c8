"""The runbooks as somebody follows them: the parts of an alert's section, and what is typed in each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.observe.alerts import EVERY
from setpoint.observe.runbooks import sections_of
from setpoint.serve.console.markdown import anchor
from support.pages import Block, blocks_in

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What every section says, in this order.
PARTS = ("It means", "Diagnose", "Mend", "It worked when", "Roll back")
#: What every page says once for all of its alerts.
SHARED = ("Escalate", "Who may", "When PostgreSQL is unreachable")
ALERTS = {alert.name: alert.runbook for alert in EVERY}
_PART = re.compile(rf"^\*\*({'|'.join(PARTS)})\*\*", re.MULTILINE)
_LINK = re.compile(r"\]\(#([\w-]+)\)")


def parts_of(name: str) -> dict[str, str]:
    """Return the parts of an alert's section, by name; a section that is missing has none."""
    text = next((one.text for one in sections_of(ALERTS[name]) if one.heading == name), "")
    _, *found = _PART.split(text)
    return dict(zip(found[::2], found[1::2], strict=True))


def steps_of(name: str, part: str) -> list[Block]:
    """Return what a part lets somebody type, that of sections of its page that it leads to included."""
    text = parts_of(name)[part]
    own = {anchor(one.heading): one.text for one in sections_of(ALERTS[name]) if one.heading not in ALERTS}
    led_to = (own[one] for one in _LINK.findall(text) if one in own)
    return [block for passage in (text, *led_to) for block in typed_in(passage)]


def typed_in(text: str) -> Iterator[Block]:
    """Yield the blocks of a text that somebody types."""
    return (block for block in blocks_in(text) if block.is_typed)
