"""SERVE: the Config page: values as a grid, and the edits of a person collected into one draft.

Guarantees: an edit goes into a draft of its author, which changes nothing and can be reviewed, undone and
proposed. What could not be laid over the draft is shown again with what was typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Query, Request
from starlette.responses import Response

from setpoint.change.documents import read_document, read_scopes
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import MissingError, SetpointError
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, access
from setpoint.serve.console import drafts
from setpoint.serve.console.forms import Sent
from setpoint.serve.console.grid import Sheet, grid_of, parts_of
from setpoint.serve.console.pages import act, go, page, router_of
from setpoint.serve.console.past import past_at
from setpoint.serve.routes import LONGEST_NAME, PlaneOf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.declare.parameters import Scalar
    from setpoint.serve.console.forms import Form
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

router = router_of()
Words = Annotated[str, Query(max_length=LONGEST_NAME)]


@router.get("/config", **access(*ANYONE))
def show_config(
    plane: PlaneOf,
    request: Request,
    caller: Caller,
    scope: Words = GLOBAL_SCOPE,
    catalogue: Words = "",
    part: Words = "",
    search: Words = "",
    edit: Words = "",
    as_of: Words = "",
) -> Response:
    """Show the values of a scope, over those below it, one model at a time; now, or as they stood."""
    editing = bool(edit) and not as_of
    return _config(plane, request, caller.account, scope, catalogue, part, search, edit=editing, as_of=as_of)


@router.post("/config/draft", **access(*WRITERS))
def send_edits(plane: PlaneOf, request: Request, caller: Caller, form: Sent) -> Response:
    """Lay what was typed over the caller's draft of the scope, which is opened when there is none."""
    scope = form.get("scope", GLOBAL_SCOPE)

    def again(problem: SetpointError) -> Response:
        return _config(
            plane,
            request,
            caller.account,
            scope,
            form.get("catalogue"),
            form.get("part"),
            form.get("search"),
            edit="sheet" not in form,
            problem=problem,
            form=form,
        )

    return act(
        plane,
        caller,
        lambda transaction: drafts.lay_over(transaction, plane.catalogues, caller.account, scope, form),
        then=lambda number: go(f"/changes/{number}"),
        instead=again,
    )


def _config(
    plane: Plane,
    request: Request,
    account: str,
    scope: str,
    catalogue: str,
    part: str,
    search: str,
    *,
    edit: bool,
    as_of: str = "",
    problem: SetpointError | None = None,
    form: Form | None = None,
) -> Response:
    catalogues = plane.catalogues
    with plane.database.transaction() as transaction:
        scopes = read_scopes(transaction)
        layers = _layers(transaction, catalogues, [one.scope for one in scopes], scope)
        draft = drafts.draft_of(transaction, account, scope)
        past = None
        if as_of:
            past = past_at(transaction, catalogues, [name for name, _ in layers], as_of)
            layers = past.layers
    member = next((one for one in catalogues.members if one.name == catalogue), catalogues.members[0])
    chosen = part if part in parts_of(member) else parts_of(member)[0]
    grid = grid_of(member, chosen, Sheet(layers), search)
    return page(
        request,
        "config.html",
        problem=problem,
        tables={"values": grid.cells},
        tabs=[(one.name, name) for one in catalogues.members for name in parts_of(one)],
        grid=grid,
        scope=scope,
        scopes=scopes,
        revision=next((one.revision for one in scopes if one.scope == scope), None),
        search=search,
        edit=edit,
        as_of=as_of,
        past=past,
        draft=draft,
        typed=dict(form.starting(drafts.VALUE)) if form else {},
        sheet=form.raw("sheet") if form else "",
    )


def _layers(
    transaction: Transaction, catalogues: Catalogues, known: Sequence[str], scope: str
) -> list[tuple[str, Mapping[str, Scalar]]]:
    """Return the values of the scopes that a scope's page shows, the lower first; no other is read.

    Raises:
        MissingError: there is no such scope.
    """
    if scope != GLOBAL_SCOPE and scope not in known:
        raise MissingError(f"there is no overlay {scope}.", hint="choose one that there is")
    return [
        (name, read_document(transaction, catalogues, name).values if name in known else {})
        for name in dict.fromkeys((GLOBAL_SCOPE, scope))
    ]
