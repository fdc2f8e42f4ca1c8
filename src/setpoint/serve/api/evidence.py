"""SERVE: the candidate of a change, the runs that train it, and the checks that they are.

Guarantees: a candidate is answered by the change's number alone, and is kept nowhere: no context resolves
it, no list of snapshots names it and nobody holds it. Refuses a machine that only reports the candidate of a
run which it did not register.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field
from starlette.responses import Response

from setpoint.change.candidates import read_candidate, register_runs, require_registered
from setpoint.change.evidence import attach_evidence
from setpoint.change.requirements import ChangeCheck
from setpoint.serve.access.rules import ANYONE, REPORTERS, Caller, access
from setpoint.serve.api.run_bodies import SnapshotSetBody
from setpoint.serve.models import page_shape
from setpoint.serve.responses import Answer, Once, write
from setpoint.serve.routes import Body, ChangeId, PlaneOf, answers, router_of
from setpoint.store.database import Transaction

router = router_of("changes")
_RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
_Dimension = Annotated[str, Field(min_length=1, max_length=200)]


class Pair(Body):
    """A run of a change's candidate, and the one of what stands; null compares nothing."""

    run: _RunId
    current: _RunId | None = None


class RegisteredShape(BaseModel):
    """A registered run, and in how many seconds one that stands alone has to end."""

    run: str
    within_s: int | None


class CandidateBody(Body):
    """Contexts, and the run that pins them; null only reads."""

    contexts: list[dict[_Dimension, _Dimension]] = Field(min_length=1, max_length=500)
    run: _RunId | None = None


class CheckedRun(Body):
    """A complete run of a change's candidate."""

    run: _RunId


@router.post(
    "/changes/{change}/runs",
    summary="Register runs for a change, before they pin",
    responses=answers(RegisteredShape, 404, 409),
    **access(*REPORTERS),
)
def register_change_runs(
    plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, pair: Pair
) -> Response:
    """Register who will train its candidate; they alone pin it."""

    def work(transaction: Transaction) -> Answer:
        within_s = register_runs(transaction, plane.catalogues, change, pair.run, pair.current)
        return Answer({"run": pair.run, "within_s": within_s})

    return write(plane, caller, once, work)


@router.post(
    "/changes/{change}/candidate",
    summary="What contexts would resolve to if a change were applied",
    responses=answers(SnapshotSetBody, 404, 409),
    **access(*ANYONE),
)
def get_candidate(plane: PlaneOf, caller: Caller, change: ChangeId, wanted: CandidateBody) -> Response:
    """Return the snapshot set of its candidate, which nothing else resolves to."""
    with plane.database.transaction() as transaction:
        if wanted.run is not None or caller.roles == {"robot"}:
            require_registered(transaction, wanted.run or "", change, caller.account)
        found = read_candidate(transaction, plane.catalogues, change, wanted.contexts)
    return Response(found.to_json(), 200, {"Setpoint-Snapshot-Set": found.hash}, "application/json")


@router.post(
    "/changes/{change}/checks",
    summary="Attach what a registered run showed",
    responses=answers(page_shape(ChangeCheck), 404, 409),
    **access(*REPORTERS),
)
def attach_checks(plane: PlaneOf, caller: Caller, once: Once, change: ChangeId, done: CheckedRun) -> Response:
    """Judge a complete run, and its pair, from what is recorded, and attach it to its change, once."""

    def work(transaction: Transaction) -> Answer:
        return Answer({"items": attach_evidence(transaction, change, done.run), "next": None})

    return write(plane, caller, once, work)
