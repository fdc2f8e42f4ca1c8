"""SERVE: answers of the typed API, and writes that can be repeated safely.

Guarantees: a number leaves as Python writes it, `1.0` with its point; a list comes in pages whose cursor
is opaque. A write that carries an `Idempotency-Key` has effect once: the answer is stored in the
transaction of the write, so there is no instant in which one exists without the other. Only what
succeeded is remembered; a refusal wrote nothing and is judged afresh.
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Header, Request
from starlette.responses import Response

from setpoint.declare.number_text import read_int
from setpoint.declare.plain_data import plain
from setpoint.errors import InvalidError, InvalidValue, PreconditionRequired
from setpoint.observe.printable import printable_json
from setpoint.serve.access.stored_answers import StoredAnswer, claim_key, read_answer, store_answer
from setpoint.serve.conditional import entity_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from setpoint.serve.access.rules import Principal
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

MEDIA_TYPE = "application/json"
#: Whatever has so many is a bigint of PostgreSQL.
_DIGITS = 18
#: `Cache-Control` of what may be kept by the client alone, and asked for again with its ETag.
REVALIDATED = "private, no-cache"
#: Of what never changes.
IMMUTABLE = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Answer:
    """A status, a body (a record or JSON; None for an empty one) and headers."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """Return it as bytes."""
        return _response(self.status, "" if self.body is None else as_json(self.body), self.headers)


def as_json(body: Any) -> str:
    """Return a body as JSON text that a terminal shows and does not obey; NaN and infinities are refused."""
    return printable_json(
        json.dumps(plain(body), default=_plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    )


def etag(version: object) -> str:
    """Return a strong entity tag."""
    return f'"{version}"'


def number_in(text: str) -> int | None:
    """Return the number of a revision, a change or a row that a text is; None when it is none."""
    with suppress(ValueError):
        number = read_int(text)
        return number if 0 <= number < 10**_DIGITS else None
    return None


def cursor(place: int | str) -> str:
    """Return the opaque cursor of a page that ended at a place."""
    return base64.urlsafe_b64encode(f"1:{place}".encode()).decode().rstrip("=")


def place_of(given: str | None) -> int | None:
    """Return the number behind a cursor; None for none.

    Raises:
        InvalidValue: this plane never gave it.
    """
    text = name_at(given)
    number = None if text is None else number_in(text)
    if text is not None and number is None:
        raise foreign_cursor()
    return number


def name_at(given: str | None) -> str | None:
    """Return the text behind a cursor, such as a key; None for none. Raises as ``place_of``."""
    if given is None:
        return None
    try:
        form, _, place = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode().partition(":")
    except ValueError:
        form = place = ""
    if form != "1" or not place or "\0" in place:
        raise foreign_cursor()
    return place


def foreign_cursor() -> InvalidValue:
    """Return what a cursor is answered with that this plane never gave."""
    return InvalidValue("the cursor is none of ours.", hint="send the `next` of the page before, unchanged")


def page(
    items: Sequence[Any],
    limit: int,
    places: Sequence[int] | Sequence[str],
    as_cursor: Callable[[int | str], str] = cursor,
) -> Answer:
    """Return a page of a list of which one more than ``limit`` was asked for, when there is one."""
    following = as_cursor(places[limit - 1]) if len(items) > limit else None
    return Answer({"items": items[:limit], "next": following})


def base_revisions(if_match: str | None) -> frozenset[int]:
    """Return the revisions any of which a write was made over; a weak tag names none.

    Raises:
        PreconditionRequired: If-Match is missing, or `*`: any revision is none, and a write needs one.
    """
    named_tags = entity_tags(if_match or "")
    if not if_match or named_tags.is_any:
        raise PreconditionRequired(
            "a write needs If-Match with the revision it was made over.", hint="GET it and send its ETag"
        )
    numbers = (number_in(text) for text in named_tags.strong)
    return frozenset(number for number in numbers if number is not None)


async def _write_key(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            pattern=r"^[ -~]+$",
            description="Names this write, so that it can be repeated: it has effect once.",
        ),
    ] = None,
) -> WriteKey:
    body = await request.body()
    fingerprint = hashlib.sha256(
        b"\0".join((request.method.encode(), request.url.path.encode(), request.url.query.encode(), body))
    )
    return WriteKey(idempotency_key or "", fingerprint.hexdigest())


@dataclass(frozen=True)
class WriteKey:
    """The key a client gave a write, empty for none, and what was asked under it."""

    key: str
    request_hash: str


Once = Annotated[WriteKey, Depends(_write_key)]


# Asynchronous: FastAPI sends every other dependency through one of the few threads.
async def _refuse_key(idempotency_key: Annotated[str | None, Header(include_in_schema=False)] = None) -> None:
    if idempotency_key is not None:
        raise InvalidError(
            "an answer that holds a secret is not kept, so it cannot be given again.",
            hint="leave out Idempotency-Key; revoke what was made twice",
        )


#: Of a write whose answer holds a secret: it takes no `Idempotency-Key`.
NO_KEY = Depends(_refuse_key)


def write(plane: Plane, caller: Principal, once: WriteKey, work: Callable[[Transaction], Answer]) -> Response:
    """Run a write as the caller, in one transaction with the memory of its answer.

    Raises:
        InvalidError: the key was used for another request.
        UnauthenticatedError, ForbiddenError: the database does not know or allow the caller.
    """
    with plane.database.transaction(credential=caller.secret) as transaction:
        if once.key and (stored := _repeated(transaction, caller, once)):
            return _response(stored.status, stored.body, {**stored.headers, "Idempotency-Replayed": "true"})
        answer = work(transaction)
        body = "" if answer.body is None else as_json(answer.body)
        if once.key:
            stored = StoredAnswer(once.request_hash, answer.status, answer.headers, body)
            store_answer(transaction, caller.account, once.key, stored)
    return _response(answer.status, body, answer.headers)


def _repeated(transaction: Transaction, caller: Principal, once: WriteKey) -> StoredAnswer | None:
    """Return what was answered to this write before; None when its key is new."""
    if claim_key(transaction, caller.account, once.key, once.request_hash):
        return None
    stored = read_answer(transaction, caller.account, once.key)
    if stored is None or stored.request_hash != once.request_hash:
        raise InvalidError(
            "this Idempotency-Key was used for another request.", hint="make a new key for each write"
        )
    return stored


def _response(status: int, body: str, headers: Mapping[str, str]) -> Response:
    return Response(body, status, {"Cache-Control": "no-store", **headers}, MEDIA_TYPE if body else None)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
