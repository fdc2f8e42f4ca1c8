"""NOTIFY: one notification as text and as data: what happened, where, who, why, and the next step.

Guarantees: what people wrote stays text: one line for each fact, every character seen and none obeyed, and
no longer than ``LONGEST``. Whoever makes markup of it escapes it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.emergency.obligations import meeting_command
from setpoint.notify.kinds import KINDS
from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: Of one fact, in characters.
LONGEST = 2000
#: Names of people beyond these are counted.
_MOST_PEOPLE = 20
#: What is told of a notification, in this order, with the name it has in a text.
_TOLD = {
    "scope": "scope",
    "kinds": "kind",
    "author": "author",
    "reason": "reason",
    "actor": "by",
    "words": "words",
    "revision": "revision",
    "owes": "owed",
    "label": "label",
    "until": "until",
}


class Notification(NamedTuple):
    """What is to be told to some people; ``key`` is the same however often it is sent."""

    key: str
    kind: str
    subject: str
    people: tuple[str, ...]
    facts: Mapping[str, Any]
    made_at: datetime


class Message(NamedTuple):
    """A notification as one reads it; nothing in it is markup."""

    notification: Notification
    title: str
    #: Name and text of each.
    facts: tuple[tuple[str, str], ...]
    command: str
    #: Empty where nobody said under which address the plane is reached.
    link: str

    @property
    def text(self) -> str:
        """All of it as plain text of some lines."""
        lines = [self.title, "", *(f"{name}: {said}" for name, said in self.facts)]
        lines += ["", *([f"see: {self.link}"] if self.link else []), f"next: {self.command}"]
        return "\n".join(lines)


def message_of(told: Notification, public_url: str) -> Message:
    """Return a notification as people read it.

    Args:
        told: as the database has it.
        public_url: where the plane is reached; empty: no link.
    """
    kind = KINDS[told.kind]
    facts = {name: _said(value) for name, value in told.facts.items()}
    if "incident" in told.facts:
        given = told.facts
        facts["meets"] = printable(meeting_command(given["owes"], given["incident"], given["scope"]))
    shown = [(name, facts[fact]) for fact, name in _TOLD.items() if facts.get(fact)]
    if told.people:
        shown.append(("for", _said(told.people)))
    link = f"{public_url.rstrip('/')}{kind.page.format_map(facts)}" if public_url else ""
    return Message(told, kind.title.format_map(facts), tuple(shown), kind.command.format_map(facts), link)


def _said(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        names = ", ".join(map(str, value[:_MOST_PEOPLE]))
        value = f"{names} and {len(value) - _MOST_PEOPLE} more" if len(value) > _MOST_PEOPLE else names
    return printable(str(value))[:LONGEST]
