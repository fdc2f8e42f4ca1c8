"""SERVE: documents: read a scope with its revision, and edit it over that revision."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import Field
from starlette.responses import Response

from setpoint.change.documents import read_documents
from setpoint.change.proposals import Proposal, Submitted, submit
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import PreconditionFailed, UnknownScope
from setpoint.serve.access import ANYONE, WRITERS, Caller, access
from setpoint.serve.answers import Answer, Once, base_revision, etag, write
from setpoint.serve.api.shared import Body, PlaneOf, Reason, ScopeName, Value, refusals

router = APIRouter(prefix="/v1", tags=["configuration"])
IfMatch = Annotated[str | None, Header(description='The ETag of a GET, such as `"17"`.', max_length=200)]
#: The door of a change, as it stands on its revision.
SOURCE = "http"


class Edits(Body):
    """What to set and what to remove, together or not at all."""

    set: dict[str, Value] = Field(default_factory=dict, max_length=5000)
    remove: list[str] = Field(default_factory=list, max_length=5000)
    reason: Reason


@router.get("/scopes", summary="Every scope that has a document", responses=refusals(), **access(*ANYONE))
def list_scopes(plane: PlaneOf) -> Response:
    """List the scopes, the global one first."""
    rows = plane.database.fetch_all("read_scopes")
    items = [
        {name: row[name] for name in ("scope", "revision", "hash", "updated_by", "updated_at") if name in row}
        for row in sorted(rows, key=lambda row: (row["scope"] != GLOBAL_SCOPE, row["scope"]))
    ]
    return Answer({"items": items, "next": None}).response()


@router.get("/config/{scope}", summary="One scope's document", responses=refusals(404), **access(*ANYONE))
def read_config(plane: PlaneOf, scope: ScopeName) -> Response:
    """Return the values of one scope, typed, with its revision as ETag."""
    document = read_documents(plane.database, plane.catalogues).get(scope)
    if document is None:
        raise UnknownScope(f"there is no document of {scope}.", hint="GET /v1/scopes lists them", scope=scope)
    body = {
        "scope": scope,
        "revision": document.revision,
        "hash": document.hash,
        "values": dict(document.values),
    }
    return Answer(body, headers={"ETag": etag(document.revision)}).response()


@router.patch(
    "/config/{scope}",
    summary="Edit a scope over the revision in If-Match",
    responses={**refusals(404, 409, 412, 428), 202: {"description": "The change waits; see `change`."}},
    **access(*WRITERS),
)
def edit_config(
    plane: PlaneOf, caller: Caller, once: Once, scope: ScopeName, edits: Edits, if_match: IfMatch = None
) -> Response:
    """Propose the edits as one change and apply it where policy allows; otherwise it waits (202)."""
    proposal = Proposal(
        scope=scope,
        reason=edits.reason,
        set=edits.set,
        remove=tuple(edits.remove),
        base=base_revision(if_match),
        source=SOURCE,
    )

    def work(transaction: Any) -> Answer:
        _require_current(transaction, scope, proposal.base)
        return submitted(submit(transaction, plane.catalogues, proposal))

    return write(plane, caller, once, work)


def submitted(made: Submitted) -> Answer:
    """Return what became of a change: 200 with its revision, or 202 while it waits."""
    needed = made.requirement
    body = {
        "change": made.change.id,
        "state": "applied" if made.revision is not None else made.change.row["state"],
        "revision": made.revision,
        "proposal_hash": made.change.proposal_hash,
        "edits": [edit._asdict() for edit in made.change.edits],
        "requirement": needed._asdict(),
    }
    headers = {} if made.revision is None else {"ETag": etag(made.revision)}
    return Answer(body, 202 if made.revision is None else 200, headers)


def _require_current(transaction: Any, scope: str, base: int | None) -> None:
    standing = {row["scope"]: row["revision"] for row in transaction.fetch_all("read_scopes")}.get(scope)
    if standing is None:
        raise UnknownScope(
            f"there is no document of {scope}.", hint="make it with POST /v1/scopes", scope=scope
        )
    if standing != base:
        raise PreconditionFailed(
            f"{scope} is at revision {standing}, not at {base}.",
            hint="GET it again and repeat the edit over what it says now",
            scope=scope,
            revision=standing,
        )
