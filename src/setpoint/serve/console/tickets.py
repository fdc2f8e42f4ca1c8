"""SERVE: a form that was not done when it was sent: kept for its author, never executed by itself.

Its session had ended, or had to be proven first. Guarantees: the database keeps it for whoever's session sent
it, a day long, and gives it back to that account alone, whatever way they came in again; what it holds is
shown, and sent by a button. A ticket is a random name for it. Secrets are not kept.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.errors import ForbiddenError, UnauthenticatedError
from setpoint.serve.access import sessions
from setpoint.serve.access.secret import digest
from setpoint.serve.console.forms import CSRF_FIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.serve.console.forms import Form
    from setpoint.store.database import Database

_TICKET = re.compile(r"[A-Za-z0-9_-]{43}")
#: What a form is kept of; fields with these names hold secrets.
_NEVER_KEPT = frozenset({CSRF_FIELD, "password", "current", "new", "again", "once", "answer"})


@dataclass(frozen=True)
class Kept:
    """A form as it was sent: where to, and its fields."""

    path: str
    fields: Sequence[tuple[str, str]]


def keep(database: Database, session: str, path: str, form: Form) -> str:
    """Keep a form for whoever's session sent it, and return its ticket; empty when it was nobody's.

    Args:
        database: of the plane.
        session: the secret of the session, which may have ended within a day.
        path: where the form was sent to.
        form: what was sent.
    """
    ticket = secrets.token_urlsafe(32)
    fields = [field for field in form.fields if field[0] not in _NEVER_KEPT]
    try:
        sessions.keep_form(database, session, digest(ticket), path, fields)
    except UnauthenticatedError:
        return ""
    return ticket


def is_ticket(text: str) -> bool:
    """Say whether a text can be a ticket."""
    return bool(_TICKET.fullmatch(text))


def opened(database: Database, ticket: str, session: str) -> Kept:
    """Return what is kept under a ticket for the account that has logged in.

    Raises:
        ForbiddenError: another person's session sent it, or it is no ticket of the last day.
    """
    with database.transaction(credential=session) as transaction:
        kept = sessions.kept_form(transaction, digest(ticket))
    if kept is None:
        raise ForbiddenError(
            "what was kept was typed by somebody else, or more than a day ago.",
            hint="log in as its author, or fill the form in again",
        )
    return Kept(*kept)
