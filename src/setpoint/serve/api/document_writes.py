"""SERVE: what every write of documents shares: how values are given, opened and answered.

Guarantees: JSON has one kind of number, and a JavaScript client cannot write `1.0`: an integer is taken
for a float where that loses nothing, as patch files do. Everything else that JSON tells apart stays
apart: `true` is no number, `"1"` neither, and `1.0` is no integer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from setpoint.change.patch import Patch, read_values
from setpoint.change.proposals import OpenedChange, Proposal, open_and_apply, read_change
from setpoint.declare.catalogue import Catalogues
from setpoint.errors import InvalidValue, PreconditionFailed, StaleRevision, UnknownScope
from setpoint.serve.api.change_shapes import OutcomeShape
from setpoint.serve.responses import Answer, etag
from setpoint.serve.routes import Body
from setpoint.store.database import Transaction

#: The door of a change, as it stands on its revision.
SOURCE = "http"
MOST_KEYS = 5000
Name = Annotated[str, Field(min_length=1, max_length=200)]

#: A value that is a text: a declared choice, none of which is long.
Text = Annotated[str, Field(max_length=200)]


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

WAITS: dict[str, Any] = {"model": OutcomeShape, "description": "The change waits; see `/v1/changes`."}


def patch_of(catalogues: Catalogues, values: dict[str, Any], removed: list[str] | None = None) -> Patch:
    """Read what a body wants of keys; a range's name stands for its three keys.

    Raises:
        InvalidDocument: an entry is wrong; names every problem.
        UsageError: a key is both set and removed.
    """
    given = {
        name: value.model_dump(exclude_none=True) if isinstance(value, RangeBody) else value
        for name, value in values.items()
    }
    gone = read_values(dict.fromkeys(_range_keys(removed or [])), "", catalogues, "`remove`")
    return read_values(given, "", catalogues, "`set`").joined(gone)


def from_http(proposal: Proposal) -> Proposal:
    """Return a proposal as one of this door."""
    return replace(proposal, source=SOURCE)


def open_over(transaction: Transaction, catalogues: Catalogues, proposal: Proposal) -> OpenedChange:
    """Open what If-Match was sent with: whoever was faster makes the precondition fail."""
    try:
        return open_and_apply(transaction, catalogues, proposal)
    except StaleRevision as moved:
        raise PreconditionFailed(moved.message, hint=moved.hint, **moved.where) from None


def opened_answer(
    transaction: Transaction, made: OpenedChange, status: int = 200, headers: dict[str, str] | None = None
) -> Answer:
    """Return what became of a change: ``status`` with its revision, or 202 while it waits."""
    state = read_change(transaction, made.change.id).row["state"]
    body = {
        "change": made.change.id,
        "state": state,
        "revision": made.revision,
        "proposal_hash": made.change.proposal_hash,
        "edits": [edit._asdict() for edit in made.change.edits],
        "requirement": made.requirement._asdict(),
    }
    if state != "applied":
        return Answer(body, 202, {"Location": f"/v1/changes/{made.change.id}"})
    named = {} if made.revision is None else {"ETag": etag(made.revision)}
    return Answer(body, status, {**(headers or {}), **named})


def require_current(transaction: Transaction, scope: str, bases: frozenset[int]) -> int:
    """Hold that a scope stands at one of the revisions that If-Match names; returns it.

    Raises:
        UnknownScope: it has no document.
        PreconditionFailed: it moved.
    """
    row = transaction.fetch_one("read_scope", scope=scope)
    if row is None:
        raise no_document(scope)
    current: int = row["revision"]
    if current not in bases:
        raise PreconditionFailed(
            f"{scope} is at revision {current}, not at {' or '.join(map(str, sorted(bases)))}.",
            hint="GET it again and repeat the edit over what it says now",
            scope=scope,
            revision=current,
        )
    return current


def no_document(scope: str) -> UnknownScope:
    """Return the error that a scope has no document."""
    return UnknownScope(
        f"there is no document of {scope}.", hint="GET /v1/scopes lists them, POST makes one", scope=scope
    )


def _range_keys(names: list[str]) -> list[str]:
    found = []
    for name in names:
        whole = name.upper().endswith("_RANGE")
        found += [f"{name}_{field}" for field in ("MIN", "MAX", "SCALE")] if whole else [name]
    if len(set(found)) < len(found):
        raise InvalidValue("`remove` names a key twice.", hint="name each key once")
    return found
