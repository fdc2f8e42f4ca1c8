"""SERVE: the forms that pages send: read within limits, and kept when the session behind one has ended.

Guarantees: a form is one of the plane's own pages' (its CSRF token is the session's, or it comes from no
other site); nothing of it is executed that was not posted under a session that stands.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from setpoint.errors import InvalidError, InvalidValue
from setpoint.serve.bodies import MOST_SMALL_BYTES, read_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MEDIA_TYPE = "application/x-www-form-urlencoded"
#: Of one field of a form that anybody may send.
LONGEST_FIELD = 1024
MOST_FIELDS = 20
#: Of the forms of people who are logged in: a grid of a whole catalogue, or a pasted sheet.
LONGEST_TEXT = 200_000
MOST_CELLS = 5_000
MOST_FORM_BYTES = 1024 * 1024
CSRF_FIELD = "csrf_token"


class Form:
    """The fields of a form, in the order in which the page has them; a name may stand several times."""

    def __init__(self, fields: tuple[tuple[str, str], ...]) -> None:
        self.fields = fields
        self._last: Mapping[str, str] = dict(fields)

    def get(self, name: str, default: str = "") -> str:
        """Return a field without the space around it."""
        return self._last.get(name, default).strip()

    def raw(self, name: str) -> str:
        """Return a field as it was typed; empty when there is none."""
        return self._last.get(name, "")

    def all(self, name: str) -> tuple[str, ...]:
        """Return every field of a name: what was ticked of several boxes."""
        return tuple(value for given, value in self.fields if given == name)

    def starting(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield the fields whose names begin with a prefix, without it."""
        for name, value in self.fields:
            if name.startswith(prefix):
                yield name.removeprefix(prefix), value

    def __contains__(self, name: object) -> bool:
        return name in self._last


async def read_form(request: Request, *, small: bool = False) -> Form:
    """Return the form that a request carries.

    Args:
        request: of a page.
        small: the limits of forms that anybody may send.

    Raises:
        InvalidError: it is none, or larger than any of ours.
        PayloadTooLarge: it is much larger.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise InvalidError("this takes a form.", hint=f"send it as {MEDIA_TYPE}, or use the API")
    most_fields, longest = (MOST_FIELDS, LONGEST_FIELD) if small else (MOST_CELLS, LONGEST_TEXT)
    try:
        text = (await read_body(request, MOST_SMALL_BYTES if small else MOST_FORM_BYTES)).decode("ascii")
        fields = tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=most_fields))
    except ValueError:
        raise InvalidError("the form cannot be read.", hint="send it from the page") from None
    if any(len(value) > longest for _, value in fields):
        raise InvalidError("a field of the form is too long.", hint=f"{longest} characters at most")
    return Form(tuple((name, value.replace("\r\n", "\n")) for name, value in fields))


def instant_in(text: str) -> datetime:
    """Read an instant as a page's field or address has it: UTC where it names no zone.

    Raises:
        InvalidValue: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{text!r} is no instant.", hint="write it as 2026-06-01T06:00, in UTC") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def typed_in(form: Form | None, names: Iterable[str]) -> dict[str, str]:
    """Return what was typed into fields, for a page that shows a form again; empty texts for a fresh one."""
    return {name: form.get(name) if form else "" for name in names}


def reason_in(form: Form) -> str:
    """Return why somebody wants what a form sends.

    Raises:
        InvalidValue: it does not say.
    """
    if not (words := form.get("words")):
        raise InvalidValue("this needs its reason.", hint="say why, for whoever reads it in a year")
    return words


async def _sent(request: Request) -> Form:
    form: Form = request.state.form  # read by the route, see ``pages.PageRoute``
    return form


Sent = Annotated[Form, Depends(_sent)]
