"""SERVE: restore: bring a revision back over HTTP, and the probe that says this works.

Guarantees: a restore is a change like any other, by the same policy, validation and history, and makes a
new revision; the answer proves with the database's own hashes what it did. The probe rehearses a restore
in a transaction that writes nothing, needs no credential and shows no content.
Source: readiness document, sections 5 and 6; docs/restore-api.md is the specification.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field
from starlette.responses import Response

from setpoint.change.documents import revision_of
from setpoint.change.emergency.restore_probe import note_probe as keep_note
from setpoint.change.proposals import Proposal, Unchanged
from setpoint.change.restore import RestoreOutcome, RestoreProof, rehearse, restore
from setpoint.change.verification import try_writing
from setpoint.declare.addresses import past_keys_of
from setpoint.errors import (
    SetpointError,
)
from setpoint.serve.access.rules import WRITERS, Caller, access, public
from setpoint.serve.api.document_writes import MOST_KEYS, SOURCE, Name, require_current, write_over
from setpoint.serve.checks import Check
from setpoint.serve.conditional import entity_tags
from setpoint.serve.models import Shape, shape_of
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


class RestoreHealthShape(Shape):
    """Restore is live: it was rehearsed without writing."""

    status: Literal["live"]
    restore: str
    source_revision: int
    checked_at: datetime


def _keys(plane: Plane, given: list[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return tuple(key for name in given for key in past_keys_of(plane.catalogues, name))


@router.post(
    PATH,
    summary="Bring a revision back as a new one",
    responses={
        **answers(RestoreOutcome, 404, 409, 412),
        202: {"model": shape_of(RestoreOutcome), "description": "The change waits for approval or its time."},
    },
    **access(*WRITERS),
)
def restore_revision(
    plane: PlaneOf, caller: Caller, once: Once, scope: ScopeName, wanted: Wanted, if_match: IfMatch = None
) -> Response:
    """Bring the document of that revision back, whole or some keys, and prove it by hashes.

    If-Match is optional here: a restore names what it brings back, and is judged over what stands; so is one
    with ``*``.
    """
    is_over_any = not if_match or entity_tags(if_match).is_any
    bases = None if is_over_any else base_revisions(if_match)
    proposal = Proposal(
        scope=scope,
        reason=wanted.reason,
        restores=wanted.revision,
        keys=_keys(plane, wanted.keys),
        source=SOURCE,
    )

    def work(transaction: Transaction) -> Answer:
        if bases is not None:
            require_current(transaction, scope, bases)
        proof = restore(
            transaction, plane.catalogues, proposal, dry_run=wanted.dry_run, skip_unfit=wanted.skip_unfit
        )
        return _proven(proof)

    if bases is None:
        return write(plane, caller, once, work)
    return write_over(plane, caller, once, lambda reader: revision_of(reader, scope), work)


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
    return Answer(await plane.rehearsing.run(check.answer)).response()


def note_probe(plane: Plane) -> None:
    """Keep what the probe says in the database, where a claim that the Console is down is held against it.

    Raises:
        SetpointError: the database does not take it.
    """
    try:
        is_live, answer = True, str(_rehearsed(plane)["status"])
    except SetpointError as problem:
        is_live, answer = False, problem.message
    keep_note(plane.database, is_live=is_live, said=answer)


def _proven(proof: RestoreProof) -> Answer:
    made = proof.made
    if made is None:
        return Answer(proof.outcome)
    named = {} if isinstance(made, Unchanged) else {"Setpoint-Change": str(made.change.id)}
    if not (isinstance(made, Unchanged) or made.in_force):
        return Answer(proof.outcome, 202, {**named, "Location": f"/v1/changes/{made.change.id}"})
    return Answer(proof.outcome, headers={**named, "ETag": etag(made.revision)})


def _rehearsed(plane: Plane) -> dict[str, Any]:
    with plane.database.transaction() as transaction:
        source = rehearse(transaction, plane.catalogues)
        # A restore that could be judged and not be written would be no restore.
        try_writing(transaction)
    return {
        "status": "live",
        "restore": f"POST {PATH}",
        "source_revision": source,
        "checked_at": datetime.now(UTC),
    }
