"""SERVE: what every write of documents shares: how values are given, opened and answered.

Guarantees: JSON has one kind of number, and a JavaScript client cannot write `1.0`: an integer is taken
for a float where that loses nothing, as patch files do. Everything else that JSON tells apart stays
apart: `true` is no number, `"1"` neither, and `1.0` is no integer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field
from starlette.responses import Response

from setpoint.change.documents import revision_of
from setpoint.change.patch import Held, Patch, read_values
from setpoint.change.proposals import OpenedChange, Outcome, Proposal, Unchanged
from setpoint.declare.catalogue import Catalogues
from setpoint.errors import InvalidValue, PreconditionFailed, StaleRevision
from setpoint.serve.access.rules import Principal
from setpoint.serve.models import shape_of
from setpoint.serve.plane import Plane
from setpoint.serve.responses import Answer, WriteKey, etag, write
from setpoint.serve.routes import Body
from setpoint.store.database import Database, Transaction

#: The door of a change, as it stands on its revision.
SOURCE = "http"
MOST_KEYS = 5000
Name = Annotated[str, Field(min_length=1, max_length=200)]

#: A value that is a text: a declared choice, none of which is long.
Text = Annotated[str, Field(max_length=200)]


IsNewScope = Annotated[bool, Field(description="The scope was never used before, and is meant.")]


Evidence = Annotated[
    list[Name] | None, Field(default=None, max_length=20, description="The recorded runs that it rests on.")
]


def runs_in(evidence: list[str] | None) -> tuple[str, ...] | None:
    """Return the runs that a body cites; None where it says nothing of them."""
    return None if evidence is None else tuple(evidence)


class RangeBody(Body):
    """A search range, which is edited as one thing; without a scale the old one stays."""

    min: int | float
    max: int | float
    scale: str | None = Field(default=None, max_length=20)


Values = Annotated[
    dict[Name, bool | int | float | Text | RangeBody | None],
    Field(
        default_factory=dict,
        max_length=MOST_KEYS,
        description="By key, address (`xgb/5m/gamma`) or range (`..._RANGE`, as an object); null removes.",
    ),
]

WAITS: dict[str, Any] = {"model": shape_of(Outcome), "description": "The change waits; see `/v1/changes`."}


def patch_of(
    catalogues: Catalogues, values: dict[str, Any], removed: list[str] | None = None, held: Held = tuple
) -> Patch:
    """Read what a body wants of keys; a range's name stands for its three keys.

    ``held`` gives the keys of the document: one that no catalogue declares any more can be removed.

    Raises:
        InvalidDocument: an entry is wrong; names every problem.
        UsageError: a key is both set and removed.
    """
    given = {
        name: value.model_dump(exclude_none=True) if isinstance(value, RangeBody) else value
        for name, value in values.items()
    }
    names = removed or []
    if len(set(names)) < len(names):
        raise InvalidValue("`remove` names a key twice.", hint="name each key once")
    gone = read_values(dict.fromkeys(names), "", catalogues, "`remove`", held)
    return read_values(given, "", catalogues, "`set`", held).joined(gone)


def from_http(proposal: Proposal) -> Proposal:
    """Return a proposal as one of this door."""
    return replace(proposal, source=SOURCE)


def write_over(
    plane: Plane,
    caller: Principal,
    once: WriteKey,
    stands: Callable[[Database], object],
    work: Callable[[Transaction], Answer],
) -> Response:
    """Run a write that If-Match was sent with: whoever was faster, until it is committed, makes that fail.

    ``stands`` returns the version that stands now, for the ETag of the refusal; the rest is as of ``write``.

    Raises:
        PreconditionFailed: the precondition does not hold, or held no more when it was committed.
    """
    try:
        return write(plane, caller, once, work)
    except StaleRevision as moved:
        where = {"etag": etag(stands(plane.database))} | moved.where
        raise PreconditionFailed(moved.message, hint=moved.hint, **where) from None


def opened_answer(
    made: OpenedChange | Unchanged, status: int = 200, headers: dict[str, str] | None = None
) -> Answer:
    """Return what became of a change: ``status`` with its revision, or 202 while it waits.

    What stands already is 200, ``unchanged``, with the revision that says so.
    """
    named = {} if made.revision is None else {"ETag": etag(made.revision)}
    if isinstance(made, Unchanged):
        return Answer(made.outcome, headers=named)
    named["Setpoint-Change"] = str(made.change.id)
    if not made.in_force:
        return Answer(made.outcome, 202, {**named, "Location": f"/v1/changes/{made.change.id}"})
    return Answer(made.outcome, status, {**(headers or {}), **named})


def require_current(transaction: Transaction, scope: str, bases: frozenset[int]) -> int:
    """Hold that a scope stands at one of the revisions that If-Match names; returns it.

    Raises:
        UnknownScope: it has no document.
        PreconditionFailed: it moved.
    """
    current = revision_of(transaction, scope)
    if current not in bases:
        raise PreconditionFailed(
            f"{scope} is at revision {current}, not at {' or '.join(map(str, sorted(bases))) or 'none'}.",
            hint="GET it again, repeat the edit over what it says now, and send its ETag without any W/",
            scope=scope,
            revision=current,
            etag=etag(current),
        )
    return current
