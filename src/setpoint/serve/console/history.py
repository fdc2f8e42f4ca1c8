"""SERVE: the pages of history: revisions, what differs between two, one key's life, and bringing one back.

Guarantees: what the button `Restore version N` brings back is shown before, as the edits that it would make
now; it opens a change like any other, so policy judges it, and the page of that change proves the hashes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import Path, Query, Request
from starlette.responses import Response

from setpoint.change.documents import read_scopes, read_values
from setpoint.change.explanation import explain_everywhere
from setpoint.change.history import (
    blame_everywhere,
    diff_of_scope,
    diff_revisions,
    key_history,
    list_revisions,
    read_full_revision,
    revision_at,
)
from setpoint.change.proposals import Proposal
from setpoint.change.restore import restore
from setpoint.declare.addresses import past_keys_of
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.keys import range_keys
from setpoint.errors import InvalidValue, SetpointError
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, access
from setpoint.serve.console.drafts import MOST_REASON, SOURCE
from setpoint.serve.console.forms import Sent, instant_in, reason_in
from setpoint.serve.console.pages import LISTED, Words, act, go, page, router_of
from setpoint.serve.console.review import EDITS_SHOWN, VALUES_SHOWN, grouped
from setpoint.serve.console.runs import many_runs
from setpoint.serve.console.steps import steps_of
from setpoint.serve.console.tables import most_rows
from setpoint.serve.console.undo import asked_of
from setpoint.serve.responses import cursor, number_in, place_of
from setpoint.serve.routes import LONGEST_NAME, Number, PlaneOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.change.history import Blame, Revision
    from setpoint.change.restore import RestoreProof
    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.keys import Declared
    from setpoint.declare.parameters import Scalar
    from setpoint.serve.access.rules import Principal
    from setpoint.serve.console.forms import Form
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

router = router_of()
RevisionId = Annotated[Number, Path(description="A revision's number.")]
#: How many values of a key its page shows.
VALUES = 200


@router.get("/history", **access(*ANYONE))
def show_history(
    plane: PlaneOf,
    request: Request,
    scope: Words = "",
    search: Words = "",
    at: Annotated[str, Query(max_length=40)] = "",
    after: Words = "",
) -> Response:
    """List revisions newest first: of a scope, with a text in them, or the one that stood at an instant."""
    problem = None
    found: tuple[Revision, ...] = ()
    try:
        if at:
            stood = revision_at(plane.database, scope or GLOBAL_SCOPE, instant_in(at))
            found = (stood,) if stood else ()
        else:
            found = list_revisions(
                plane.database,
                scope=scope or None,
                text=search or None,
                before=place_of(after or None),
                limit=most_rows(request, LISTED),
            )
    except InvalidValue as refused:
        problem = refused
    more = len(found) > LISTED
    return page(
        request,
        "history.html",
        problem=problem,
        tables={"revisions": found},
        revisions=found[:LISTED],
        scopes=read_scopes(plane.database),
        scope=scope,
        search=search,
        instant_typed=at,
        following=cursor(found[LISTED - 1].revision) if more else "",
    )


@router.get("/history/compare", **access(*ANYONE))
def show_difference(
    plane: PlaneOf,
    request: Request,
    old: Annotated[Number, Query(alias="from")],
    new: Annotated[Number, Query(alias="to")],
) -> Response:
    """Show what turns one revision's document into another's, the older first, of two scopes too."""
    first, second = sorted((old, new))
    with plane.database.transaction() as transaction:
        before = read_full_revision(transaction, plane.catalogues, first)
        after = read_full_revision(transaction, plane.catalogues, second)
        edits = diff_revisions(transaction, first, second)
    return page(
        request,
        "compare.html",
        tables={"edits": edits},
        old=before,
        new=after,
        groups=grouped(plane.catalogues, edits, most=EDITS_SHOWN),
        edits=edits,
        shown=EDITS_SHOWN,
    )


@router.get("/history/{revision}", **access(*ANYONE))
def show_revision(
    plane: PlaneOf,
    request: Request,
    caller: Caller,
    revision: RevisionId,
    key: Words = "",
    undo: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """Show what was written, by whom and why, and what bringing it back would change now.

    With ``key`` that alone is ticked; with ``undo``, what undoes that revision, which was written over it.
    """
    return _revision(
        plane, request, caller, revision, keys=(key,) if key else (), undo=undo, part=bool(key or undo)
    )


@router.post("/history/{revision}/restore", **access(*WRITERS))
def send_restore(
    plane: PlaneOf, request: Request, caller: Caller, revision: RevisionId, form: Sent
) -> Response:
    """Bring a revision back, whole or the ticked keys, as a change; or try it and write nothing."""
    is_trial = "dry_run" in form
    undo, part = number_in(form.get("undo")), "part" in form

    def work(transaction: Transaction) -> RestoreProof:
        if part and not form.all("key"):
            raise InvalidValue(
                "no key is ticked.", hint=f"tick one, or open revision {revision} to restore all"
            )
        scope = read_full_revision(transaction, plane.catalogues, revision).scope
        wanted = Proposal(
            scope=scope,
            reason="trial" if is_trial else reason_in(form),
            restores=revision,
            keys=form.all("key") or None,
            source=SOURCE,
        )
        return restore(
            transaction,
            plane.catalogues,
            wanted,
            dry_run=is_trial,
            skip_unfit="skip_unfit" in form,
        )

    shown = partial(
        _revision, plane, request, caller, revision, keys=form.all("key"), undo=undo, part=part, form=form
    )

    def then(proof: RestoreProof) -> Response:
        made = proof.outcome.change
        if made is None:
            return shown(proof=proof)
        return go(f"/changes/{made}")

    def again(problem: SetpointError) -> Response:
        return shown(problem=problem)

    return act(plane, caller, work, then=then, instead=again)


@router.get("/keys/{key:path}", **access(*ANYONE))
def show_key(
    plane: PlaneOf, request: Request, key: Annotated[str, Path(max_length=LONGEST_NAME)]
) -> Response:
    """Show what a key means, what each scope says of it, and every value it had."""
    catalogues = plane.catalogues
    with plane.database.transaction() as transaction:
        values = key_history(transaction, catalogues, key, limit=most_rows(request, VALUES))
        name = past_keys_of(catalogues, key)[0]
        declared = catalogues.keys.get(name)
        layers = explain_everywhere(transaction, catalogues, {}, name) if declared else ()
        setters = blame_everywhere(transaction, name)
        limits = _range_of(transaction, catalogues, declared) if declared else {}
    now = {one.scope: one.value for one in layers} or {one: setters[one].value for one in sorted(setters)}
    said = [vars(setters[one]) | {"scope": one, "value": now[one]} for one in now if one in setters]
    return page(
        request,
        "key.html",
        tables={"scopes": said, "values": values},
        key=name,
        declared=declared,
        said=said,
        now=now,
        limits=limits,
        values=values[:VALUES],
        is_cut=len(values) > VALUES,
        steps=steps_of([one for one in values if one.scope == GLOBAL_SCOPE], datetime.now(UTC)),
    )


def _range_of(
    transaction: Transaction, catalogues: Catalogues, declared: Declared
) -> dict[str, tuple[Scalar, Blame]]:
    """Return what global says of a tuned parameter's range, by its keys, and which revision set it."""
    if not declared.parameter.tuned or declared.key.field:
        return {}
    keys = range_keys(declared.name)
    values = read_values(transaction, catalogues, (GLOBAL_SCOPE,), frozenset(keys)).get(GLOBAL_SCOPE, {})
    found = {key: blame_everywhere(transaction, key).get(GLOBAL_SCOPE) for key in keys if key in values}
    return {key: (values[key], last) for key, last in found.items() if last}


def _revision(
    plane: Plane,
    request: Request,
    caller: Principal,
    number: int,
    *,
    keys: Sequence[str] = (),
    undo: int | None = None,
    part: bool = False,
    form: Form | None = None,
    proof: RestoreProof | None = None,
    problem: SetpointError | None = None,
) -> Response:
    with plane.database.transaction() as transaction:
        found = read_full_revision(transaction, plane.catalogues, number)
        newest = list_revisions(transaction, scope=found.scope, limit=1)[0]
        listed = list_revisions(transaction, scope=found.scope, before=number + 1, limit=1)[0]
        back = diff_of_scope(transaction, found.scope, newest.revision, number).edits
        n_runs = many_runs(transaction, number)
        asked = asked_of(transaction, found, back, keys, undo)
    planned = proof.edits if proof else asked.ticked
    reason = f"undo of revision {undo}: {asked.undone.change_reason}"[:MOST_REASON] if asked.undone else ""
    return page(
        request,
        "revision.html",
        problem=problem,
        tables={
            "edits": found.edits,
            "edits-back": back,
            "document": [{"key": key, "value": value} for key, value in sorted(found.values.items())],
        },
        revision=found,
        listed=listed,
        newest=newest,
        most_values=VALUES_SHOWN,
        groups=grouped(plane.catalogues, found.edits, most=EDITS_SHOWN),
        back=grouped(plane.catalogues, back, most=EDITS_SHOWN),
        n_back=len(back),
        n_runs=n_runs,
        shown=EDITS_SHOWN,
        proof=proof,
        asked=asked,
        part=part,
        ticked={edit.key for edit in asked.ticked},
        offered=grouped(plane.catalogues, asked.offered),
        planned=grouped(plane.catalogues, planned, most=EDITS_SHOWN),
        n_planned=len(planned),
        typed=form.get("words") if form else reason,
        skips_unfit=form is not None and "skip_unfit" in form,
        may_write=caller.may(*WRITERS),
    )
