"""NOTIFY: every kind of notification, declared once; the database holds each under the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(NamedTuple):
    """One kind; title, command and page name facts of a notification in braces."""

    #: Whom it is for, as the documentation says it.
    people: str
    title: str
    #: The command that does the next step.
    command: str
    #: Where the Console shows it, below the address of the plane.
    page: str


_CHANGE = "/changes/{change}"
_OWNERS = "who used break-glass, and who is responsible for the channel of the approval"
KINDS: Mapping[str, Kind] = {
    "approval_wanted": Kind(
        "whom its author asked to approve, else all whose approval counts",
        "Change {change} waits for approval",
        "setpoint change approve {change}",
        _CHANGE,
    ),
    "change_approved": Kind(
        "its author", "Change {change} was approved", "setpoint change show {change}", _CHANGE
    ),
    "change_rejected": Kind(
        "its author", "Change {change} was rejected", "setpoint change show {change}", _CHANGE
    ),
    "change_applied": Kind(
        "its author, when somebody else or the clock applied it",
        "Change {change} was applied",
        "setpoint change show {change}",
        _CHANGE,
    ),
    "change_suspended": Kind(
        "its author", "Change {change} is suspended", "setpoint change show {change}", _CHANGE
    ),
    "deadline_near": Kind(_OWNERS, "{incident} owes: {owes}; soon overdue", "{meets}", "/break-glass"),
    "deadline_missed": Kind(_OWNERS, "{incident} owes: {owes}; overdue", "{meets}", "/break-glass"),
    "token_ending": Kind(
        "the account that it speaks for, and who made it",
        "Token {token} of {account} ends soon",
        "setpoint tokens rotate {token}",
        "/account",
    ),
    "test": Kind(
        "whoever reads a target, when somebody tests it",
        "A test by {author}: notifications arrive here",
        "setpoint notifications list",
        "/audit/notifications",
    ),
}
