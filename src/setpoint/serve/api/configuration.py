"""SERVE: documents: read a scope with its revision, edit it over that revision, make and retire overlays.

Guarantees: a write is one change, judged as the commands judge it. JSON has one kind of number, and a
JavaScript client cannot write `1.0`: an integer is taken for a float where that loses nothing, as patch
files do. Everything else that JSON tells apart stays apart: `true` is no number, `"1"` neither, and
`1.0` is no integer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import Response

from setpoint.change.documents import typed
from setpoint.change.overlays import creation, retirement
from setpoint.change.patch import Patch, read_values
from setpoint.change.policies import policy_proposal
from setpoint.change.proposals import Proposal, Submitted, read_change, submit
from setpoint.declare.catalogue import GLOBAL_SCOPE, Catalogues
from setpoint.declare.document import parse_text
from setpoint.errors import InvalidValue, PreconditionFailed, StaleRevision, UnknownScope
from setpoint.serve.access import ANYONE, WRITERS, Caller, access
from setpoint.serve.answers import REVALIDATED, Answer, Once, base_revision, etag, page_of, write
from setpoint.serve.api.instants import Instant
from setpoint.serve.api.shapes import DocumentShape, OutcomeShape, PoliciesShape, PolicyKind, ScopesShape
from setpoint.serve.api.shared import (
    After,
    Body,
    IfMatch,
    IfNoneMatch,
    Limit,
    PlaneOf,
    Reason,
    ScopeName,
    Value,
    answers,
    refusals,
    router_of,
)
from setpoint.store.database import Transaction

router = router_of("configuration")
#: The door of a change, as it stands on its revision.
SOURCE = "http"
MOST_KEYS = 5000
Name = Annotated[str, Field(min_length=1, max_length=200)]


class RangeBody(Body):
    """A search range, which is edited as one thing; without a scale the old one stays."""

    min: int | float
    max: int | float
    scale: str | None = Field(default=None, max_length=20)


Values = Annotated[
    dict[Name, Value | RangeBody | None],
    Field(
        default_factory=dict,
        max_length=MOST_KEYS,
        description="By key, address (`xgb/5m/gamma`) or range (`..._RANGE`, as an object); null removes.",
    ),
]


class Edits(Body):
    """What to set and what to remove, together or not at all."""

    set: Values
    remove: list[Name] = Field(default_factory=list, max_length=MOST_KEYS)
    reason: Reason
    apply_at: Instant | None = Field(default=None, description="Apply not before; the change waits (202).")
    draft: bool = Field(default=False, description="Keep it to its author until it is proposed (202).")


class NewScope(Body):
    """An overlay and its first values."""

    scope: Name
    set: Values
    reason: Reason


class PolicyBody(Body):
    """A policy: no approvals declare that one person decides alone."""

    approvals: int = Field(ge=0, le=100)
    cooling_off_s: int = Field(default=0, ge=0, le=365 * 86400)
    reason: Reason


WAITS: dict[str, Any] = {"model": OutcomeShape, "description": "The change waits; see `/v1/changes`."}


@router.get(
    "/scopes", summary="Every scope that has a document", responses=answers(ScopesShape), **access(*ANYONE)
)
def list_scopes(plane: PlaneOf, limit: Limit = 50, after: After = None) -> Response:
    """List the scopes, the global one first; an overlay without keys is retired."""
    rows = plane.database.fetch_all("list_scopes")
    items = [{**row, "retired": not row["keys"] and row["scope"] != GLOBAL_SCOPE} for row in rows]
    return page_of(items, limit, after).response()


@router.post(
    "/scopes",
    summary="Make an overlay with its first values",
    status_code=201,
    responses={201: {"model": OutcomeShape}, 202: WAITS, **refusals(409)},
    **access(*WRITERS),
)
def create_scope(plane: PlaneOf, caller: Caller, once: Once, wanted: NewScope) -> Response:
    """Open the change that makes it, and apply it where policy allows; a retired overlay comes back so."""
    patch = patch_of(plane.catalogues, wanted.set)

    def work(transaction: Transaction) -> Answer:
        proposal = creation(transaction, plane.catalogues, wanted.scope, patch, wanted.reason)
        made = submit(transaction, plane.catalogues, from_http(proposal))
        return submitted(transaction, made, 201, {"Location": f"/v1/config/{quote(wanted.scope, safe='=')}"})

    return write(plane, caller, once, work)


@router.get(
    "/config/{scope}",
    summary="One scope's document",
    responses={**answers(DocumentShape, 404), 304: {"description": "The revision still stands."}},
    **access(*ANYONE),
)
def read_config(plane: PlaneOf, scope: ScopeName, if_none_match: IfNoneMatch = None) -> Response:
    """Return the values of one scope, typed, with its revision as ETag."""
    row = plane.database.fetch_one("read_scope", scope=scope)
    if row is None:
        raise _no_document(scope)
    body = {name: row[name] for name in ("scope", "revision", "hash")}
    body["values"] = typed(parse_text(row["text"]), plane.catalogues)
    headers = {"ETag": etag(row["revision"]), "Cache-Control": REVALIDATED}
    return Answer(body, headers=headers).response(if_none_match)


@router.patch(
    "/config/{scope}",
    summary="Edit a scope over the revision in If-Match",
    responses={**answers(OutcomeShape, 404, 409, 412, 428), 202: WAITS},
    **access(*WRITERS),
)
def edit_config(
    plane: PlaneOf, caller: Caller, once: Once, scope: ScopeName, edits: Edits, if_match: IfMatch = None
) -> Response:
    """Propose the edits as one change and apply it where policy allows; otherwise it waits (202)."""
    base = base_revision(if_match)
    patch = patch_of(plane.catalogues, edits.set, edits.remove)
    if not patch.keys:
        raise InvalidValue("there is nothing to set or remove.", hint="give `set` or `remove`")

    def work(transaction: Transaction) -> Answer:
        require_current(transaction, scope, base)
        proposal = Proposal(
            scope=scope,
            reason=edits.reason,
            set=patch.set,
            remove=patch.remove,
            base=base,
            apply_at=edits.apply_at,
            draft=edits.draft,
            source=SOURCE,
        )
        return submitted(transaction, submit_over(transaction, plane.catalogues, proposal))

    return write(plane, caller, once, work)


@router.delete(
    "/config/{scope}",
    summary="Retire an overlay",
    responses={**answers(OutcomeShape, 404, 409, 412, 428), 202: WAITS},
    **access(*WRITERS),
)
def retire_scope(
    plane: PlaneOf,
    caller: Caller,
    once: Once,
    scope: ScopeName,
    reason: Annotated[str, Query(min_length=1, max_length=2000, pattern=r"\S", description="Why.")],
    if_match: IfMatch = None,
) -> Response:
    """Empty it through a change, so that it overrides nothing; its history stays, and it can be restored."""
    base = base_revision(if_match)

    def work(transaction: Transaction) -> Answer:
        proposal = retirement(transaction, plane.catalogues, scope, reason)
        require_current(transaction, scope, base)
        return submitted(transaction, submit_over(transaction, plane.catalogues, from_http(proposal)))

    return write(plane, caller, once, work)


@router.get(
    "/policies",
    summary="Who must approve what",
    responses=answers(PoliciesShape),
    **access(*ANYONE),
)
def list_policies(plane: PlaneOf) -> Response:
    """List every policy, the most general first, and the people whose approval counts."""
    with plane.database.transaction() as transaction:
        rows = transaction.fetch_all("list_policies")
        people = [row["person"] for row in transaction.fetch_all("list_approvers")]
    return Answer({"items": rows, "approvers": people, "next": None}).response()


@router.put(
    "/policies/{scope}/{kind}",
    summary="Change a policy, under the policy that stands",
    responses={**answers(OutcomeShape), 202: WAITS},
    **access("admin"),
)
def set_policy(
    plane: PlaneOf,
    caller: Caller,
    once: Once,
    scope: Annotated[str, Path(max_length=200, description="A scope, or `*` for any.")],
    kind: Annotated[PolicyKind, Path(description="A kind of change, or `*` for any.")],
    policy: PolicyBody,
) -> Response:
    """Open a change of kind `policy`; it needs what today's policy asks of that kind."""
    proposal = policy_proposal(
        plane.catalogues,
        scope=scope,
        kind=kind,
        approvals=policy.approvals,
        cooling_off_s=policy.cooling_off_s,
        reason=policy.reason,
    )

    def work(transaction: Transaction) -> Answer:
        return submitted(transaction, submit(transaction, plane.catalogues, from_http(proposal)))

    return write(plane, caller, once, work)


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


def submit_over(transaction: Transaction, catalogues: Catalogues, proposal: Proposal) -> Submitted:
    """Submit what If-Match was sent with: whoever was faster makes the precondition fail."""
    try:
        return submit(transaction, catalogues, proposal)
    except StaleRevision as moved:
        raise PreconditionFailed(moved.message, hint=moved.hint, **moved.where) from None


def submitted(
    transaction: Transaction, made: Submitted, status: int = 200, headers: dict[str, str] | None = None
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


def require_current(transaction: Transaction, scope: str, base: int) -> None:
    """Hold that a scope stands where If-Match says.

    Raises:
        UnknownScope: it has no document.
        PreconditionFailed: it moved.
    """
    row = transaction.fetch_one("read_scope", scope=scope)
    if row is None:
        raise _no_document(scope)
    if row["revision"] != base:
        raise PreconditionFailed(
            f"{scope} is at revision {row['revision']}, not at {base}.",
            hint="GET it again and repeat the edit over what it says now",
            scope=scope,
            revision=row["revision"],
        )


def _no_document(scope: str) -> UnknownScope:
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
