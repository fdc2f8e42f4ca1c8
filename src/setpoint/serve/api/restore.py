"""SERVE: restore: bring a revision back over HTTP, and the probe that says this works.

Guarantees: a restore is a change like any other, by the same policy, validation and history, and makes a
new revision; the answer proves with the database's own hashes what it did. The probe rehearses a restore
in a transaction that writes nothing, needs no credential and shows no content.
Source: readiness document, sections 5 and 6; docs/restore-api.md is the specification.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from anyio import to_thread
from pydantic import Field
from starlette.responses import Response

from setpoint.change.history import list_revisions
from setpoint.change.proposals import Proposal
from setpoint.change.restore import RestoreProof, restore
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import (
    InvalidError,
    PreconditionFailed,
    SetpointError,
    StaleRevision,
    UnavailableError,
    UnknownScope,
)
from setpoint.serve.access.rules import WRITERS, Caller, access, public
from setpoint.serve.api.document_writes import MOST_KEYS, SOURCE, Name, require_current
from setpoint.serve.api.history_shapes import RestoreHealthShape, RestoreShape
from setpoint.serve.checks import Check
from setpoint.serve.plane import Plane
from setpoint.serve.responses import Answer, Once, base_revisions, etag, write
from setpoint.serve.routes import (
    Body,
    IfMatch,
    Number,
    PlaneOf,
    Reason,
    ScopeName,
    answers,
    router_of,
)
from setpoint.store.database import Transaction

router = router_of("restore", prefix="")
PATH = "/v1/config/{scope}/restore"
#: How long the probe's answer is kept: it may be asked by anybody, as often as they like.
PROBE_KEPT_S = 5.0


class Wanted(Body):
    """The revision to bring back."""

    revision: Number
    reason: Reason
    keys: list[Name] | None = Field(
        default=None, min_length=1, max_length=MOST_KEYS, description="Only these keys; without it, all."
    )
    skip_unfit: bool = Field(
        default=False, description="Leave keys as they are whose values today's catalogues refuse."
    )
    dry_run: bool = Field(default=False, description="Prove what it would do, and write nothing.")


@router.post(
    PATH,
    summary="Bring a revision back as a new one",
    responses={
        **answers(RestoreShape, 404, 409, 412),
        202: {"model": RestoreShape, "description": "The change waits for approval or its time."},
    },
    **access(*WRITERS),
)
def restore_revision(
    plane: PlaneOf, caller: Caller, once: Once, scope: ScopeName, wanted: Wanted, if_match: IfMatch = None
) -> Response:
    """Bring the document of that revision back, whole or some keys, and prove it by hashes.

    If-Match is optional here: a restore names what it brings back, and is judged over what stands.
    """
    bases = base_revisions(if_match) if if_match else None
    proposal = Proposal(
        scope=scope,
        reason=wanted.reason,
        restores=wanted.revision,
        keys=None if wanted.keys is None else tuple(wanted.keys),
        source=SOURCE,
    )

    def work(transaction: Transaction) -> Answer:
        if bases is not None:
            require_current(transaction, scope, bases)
        try:
            proof = restore(
                transaction,
                plane.catalogues,
                proposal,
                dry_run=wanted.dry_run,
                skip_unfit=wanted.skip_unfit,
            )
        except StaleRevision as moved:
            if bases is None:
                raise
            raise PreconditionFailed(moved.message, hint=moved.hint) from None
        return _proven(proof)

    return write(plane, caller, once, work)


@router.get(
    "/health/restore",
    tags=["health"],
    summary="Restore is live",
    responses=answers(RestoreHealthShape),
    **public(),
)
async def probe_restore(plane: PlaneOf) -> Response:
    """Rehearse bringing the newest revision's predecessor back, without writing.

    200 says that a restore would be judged and written now, 503 why not. For a probe: cheap, its answer
    is kept for some seconds, and it needs no credential.
    """
    check = plane.checks.setdefault("restore", Check(lambda: _rehearsed(plane), PROBE_KEPT_S))
    return Answer(await to_thread.run_sync(check.answer, limiter=plane.rehearsing)).response()


def note_probe(plane: Plane) -> None:
    """Keep what the probe says in the database, where a claim that the Console is down is held against it.

    Raises:
        SetpointError: the database does not take it.
    """
    try:
        is_live, said = True, str(_rehearsed(plane)["status"])
    except SetpointError as problem:
        is_live, said = False, problem.message
    plane.database.execute("note_probe", is_live=is_live, said=said)


def _proven(proof: RestoreProof) -> Answer:
    made = proof.made
    state = made.change.state if made else "dry_run"
    body = {**proof.as_json(), "dry_run": made is None, "state": state}
    if made is None:
        return Answer(body)
    if made.revision is None:
        return Answer(body, 202, {"Location": f"/v1/changes/{made.change.id}"})
    return Answer(body, headers={"ETag": etag(made.revision)})


def _rehearsed(plane: Plane) -> dict[str, Any]:
    with plane.database.transaction() as transaction:
        may = transaction.fetch_one("can_restore") or {}
        if not (may.get("writable") and may.get("allowed")):
            why = (
                "the role of the plane may not make changes" if may.get("writable") else "it takes no writes"
            )
            raise UnavailableError(f"the database cannot restore: {why}.", hint="tell an operator")
        newest = list_revisions(transaction, scope=GLOBAL_SCOPE, limit=2)
        if not newest:
            raise UnavailableError(
                "there is no revision to restore yet.", hint="seed it with `setpoint seed --apply`"
            )
        source = newest[-1].revision
        proposal = Proposal(scope=GLOBAL_SCOPE, reason="rehearsal", restores=source)
        try:
            restore(transaction, plane.catalogues, proposal, dry_run=True, skip_unfit=True)
        except InvalidError:
            pass  # it is judged, and would be refused: that is restore at work
        except UnknownScope as lost:
            raise UnavailableError("the global document is missing.", hint=lost.hint) from None
    return {
        "status": "live",
        "restore": f"POST {PATH}",
        "source_revision": source,
        "checked_at": datetime.now(UTC),
    }
