"""SERVE: a form whose session had ended when it was sent: kept with its author, never executed by itself.

The ticket travels in the login page. It names the session by its secret's hash, which nobody knows but the
browser that held it and the database. Guarantees: whoever opens a ticket is the account whose session sent
the form, within a day of that session's end; what it holds is shown, and sent by a button.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from setpoint.declare.foreign_text import read_json
from setpoint.errors import ForbiddenError, InvalidError
from setpoint.serve.access import sessions
from setpoint.serve.access.rules import cookie_name
from setpoint.serve.access.secret import digest
from setpoint.serve.console.forms import CSRF_FIELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request

    from setpoint.serve.console.forms import Form
    from setpoint.store.database import Database

#: What a form is kept of; fields with these names hold secrets.
_NEVER_KEPT = frozenset({CSRF_FIELD, "password", "current", "new", "again", "once"})


@dataclass(frozen=True)
class Ticket:
    """A form as it was sent: whose session by hash, where to, and its fields."""

    session: str
    path: str
    fields: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, request: Request, form: Form) -> Ticket:
        """Return the ticket of a form that came under the cookie of a session which had ended."""
        cookie = request.cookies.get(cookie_name(request), "")
        kept = tuple(field for field in form.fields if field[0] not in _NEVER_KEPT)
        return cls(digest(cookie).hex(), request.scope["path"], kept)

    def sealed(self) -> str:
        """Return it as the value of a form's field."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def opened(cls, text: str, database: Database, account: str) -> Ticket:
        """Read a ticket for the account that has logged in.

        Raises:
            InvalidError: it is none.
            ForbiddenError: another person's session sent the form, or it ended more than a day ago.
        """
        try:
            read = read_json(base64.urlsafe_b64decode(text))
            fields = tuple((str(name), str(value)) for name, value in read["fields"])
            ticket = cls(str(read["session"]), str(read["path"]), fields)
            session = bytes.fromhex(ticket.session)
        except (ValueError, TypeError, KeyError):
            raise InvalidError("the kept form cannot be read.", hint="fill it in again") from None
        author = sessions.ended(database, session)
        # A path of another host would be one that begins with two slashes.
        if author != account or not ticket.path.startswith("/") or ticket.path.startswith("//"):
            raise ForbiddenError(
                "what was kept was typed by somebody else, or more than a day ago.",
                hint="log in as its author, or fill the form in again",
            )
        return ticket
