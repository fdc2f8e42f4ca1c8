"""SERVE: the Config page: values as a grid, and the edits of a person collected into one draft.

Guarantees: an edit goes into a draft of its author, which changes nothing and can be reviewed, undone and
proposed. What could not be laid over the draft is shown again with what was typed, each fault beside its
field. Only the slice that is shown is read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Query, Request
from starlette.responses import Response

from setpoint.change.conflicts import overlaps_of
from setpoint.change.documents import read_scopes, read_values
from setpoint.change.explanation import explain_everywhere
from setpoint.change.freezes import holding
from setpoint.change.history import blame_everywhere
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.errors import MissingError, SetpointError
from setpoint.record.densities import RUNS, recent_densities
from setpoint.serve.access.rules import ANYONE, WRITERS, Caller, access
from setpoint.serve.console import drafts
from setpoint.serve.console.checking import problems_of
from setpoint.serve.console.forms import Sent
from setpoint.serve.console.grid import MOST_CELLS, Sheet, grid_of, outline_of, parts_of, ranges_of, value_key
from setpoint.serve.console.pages import Words, act, go, page, router_of
from setpoint.serve.console.past import past_at
from setpoint.serve.console.tables import MOST_ROWS, is_file
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from setpoint.change.documents import Scope
    from setpoint.declare.catalogue import Catalogue, Catalogues
    from setpoint.serve.console.forms import Form
    from setpoint.serve.plane import Plane
    from setpoint.store.database import Transaction

router = router_of()


class View(NamedTuple):
    """What of the configuration a page shows, as its address or its form says."""

    scope: str = GLOBAL_SCOPE
    #: Settings of dimensions, such as ``symbol=BTCUSDC``; then what a context resolves to is shown.
    context: tuple[str, ...] = ()
    catalogue: str = ""
    part: str = ""
    search: str = ""
    columns: tuple[str, ...] = ()
    first: int = 0
    edit: bool = False
    #: The key whose layers are shown.
    explain: str = ""
    #: A revision or an instant; empty for now.
    as_of: str = ""

    @classmethod
    def of_form(cls, form: Form) -> View:
        """Return the view that a form was sent from."""
        return cls(
            scope=form.get("scope", GLOBAL_SCOPE),
            catalogue=form.get("catalogue"),
            part=form.get("part"),
            search=form.get("search"),
            columns=form.all("column"),
            edit="sheet" not in form,
        )


@router.get("/config", **access(*ANYONE))
def show_config(
    plane: PlaneOf,
    request: Request,
    caller: Caller,
    scope: Words = GLOBAL_SCOPE,
    context: Annotated[list[str] | None, Query(max_length=20)] = None,
    catalogue: Words = "",
    part: Words = "",
    search: Words = "",
    column: Annotated[list[str] | None, Query(max_length=100)] = None,
    first: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    edit: Words = "",
    explain: Words = "",
    as_of: Words = "",
) -> Response:
    """Show the values of a scope over those below it, or what a context resolves to; now or once."""
    settings = tuple(one for one in context or () if one)
    is_edited = bool(edit) and not settings and not as_of and caller.may(*WRITERS)
    columns = tuple(column or ())
    view = View(scope, settings, catalogue, part, search, columns, first, is_edited, explain, as_of)
    return _config(plane, request, caller.account, view)


@router.post("/config/draft", **access(*WRITERS))
def send_edits(plane: PlaneOf, request: Request, caller: Caller, form: Sent) -> Response:
    """Lay what was typed over the caller's draft of the scope, which is opened when there is none."""
    scope = form.get("scope", GLOBAL_SCOPE)

    def again(problem: SetpointError) -> Response:
        return _config(plane, request, caller.account, View.of_form(form), problem=problem, form=form)

    return act(
        plane,
        caller,
        lambda transaction: drafts.lay_over(transaction, plane.catalogues, caller.account, scope, form),
        then=lambda number: go(f"/changes/{number}"),
        instead=again,
    )


@router.post("/config/check", **access(*WRITERS))
def send_check(plane: PlaneOf, request: Request, caller: Caller, form: Sent) -> Response:
    """Say what would be wrong with what is typed so far; nothing is written."""
    with plane.database.transaction() as transaction:
        problems = problems_of(transaction, plane.catalogues, caller.account, form)
    return page(request, "checked.html", problems=problems)


def member_of(catalogues: Catalogues, name: str) -> Catalogue:
    """Return the catalogue of a name; the first one for any other text."""
    return next((one for one in catalogues.members if one.name == name), catalogues.members[0])


def layers_of(catalogues: Catalogues, scopes: Sequence[Scope], view: View) -> list[str]:
    """Return the scopes whose documents lie over each other in a view, the lowest first.

    Raises:
        MissingError: there is no such scope.
        InvalidContext: the context names no dimension.
    """
    if view.context:
        return list(catalogues.scopes(dict(one.partition("=")[::2] for one in view.context)))
    if view.scope != GLOBAL_SCOPE and view.scope not in {one.scope for one in scopes}:
        raise MissingError(f"there is no overlay {view.scope}.", hint="choose one that there is")
    return list(dict.fromkeys((GLOBAL_SCOPE, view.scope)))


def _config(
    plane: Plane,
    request: Request,
    account: str,
    view: View,
    *,
    problem: SetpointError | None = None,
    form: Form | None = None,
) -> Response:
    catalogues = plane.catalogues
    outline = outline_of(
        member_of(catalogues, view.catalogue),
        view.part,
        search=view.search,
        columns=view.columns,
        first=view.first,
        most_cells=MOST_ROWS if is_file(request) else MOST_CELLS,
    )
    with plane.database.transaction() as transaction:
        scopes = read_scopes(transaction)
        layers = layers_of(catalogues, scopes, view)
        past = past_at(transaction, catalogues, layers, view.as_of) if view.as_of else None
        values = dict(past.layers) if past else read_values(transaction, catalogues, layers, outline.keys)
        draft = drafts.draft_of(transaction, account, view.scope) if not past else None
        overlaps = (
            overlaps_of(transaction, view.scope, outline.keys, draft.id if draft else 0) if not past else ()
        )
        layers_shown = _explained(transaction, catalogues, view, layers)
        problems = problems_of(transaction, catalogues, account, form) if form and problem else {}
        sheet = Sheet([(scope, values.get(scope, {})) for scope in layers])
        densities = recent_densities(
            transaction, ranges_of(member_of(catalogues, view.catalogue), outline, sheet)
        )
    grid = grid_of(outline, replace(sheet, densities=densities))
    return page(
        request,
        "config.html",
        problem=problem,
        tables={"values": grid.cells},
        tabs=[(one.name, name) for one in catalogues.members for name in parts_of(one)],
        grid=grid,
        searched_by=RUNS,
        outline=outline,
        view=view,
        scope=view.scope,
        scopes=scopes,
        dimensions=_dimensions(catalogues, scopes),
        revision=next((one.revision for one in scopes if one.scope == view.scope), None),
        past=past,
        as_of=view.as_of,
        draft=draft,
        edited={one.key: one for one in draft.edits} if draft and not view.context else {},
        edited_values={value_key(one.key) for one in draft.edits} if draft and not view.context else (),
        may_write=request.state.caller.may(*WRITERS),
        overlaps=overlaps,
        freezes=holding(plane.database, view.scope),
        touching={value_key(key): one for one in reversed(overlaps) for key in one.keys},
        explained=layers_shown,
        problems=problems,
        typed=dict(form.starting(drafts.VALUE)) if form else {},
        sheet=form.raw("sheet") if form else "",
    )


def _dimensions(catalogues: Catalogues, scopes: Sequence[Scope]) -> Mapping[str, Sequence[str]]:
    """Return by dimension the scopes that a context can be made of."""
    found: dict[str, list[str]] = {name: [] for name in catalogues.dimensions}
    for one in scopes:
        found.get(one.scope.partition("=")[0], []).append(one.scope)
    return {name: known for name, known in found.items() if known}


def _explained(
    transaction: Transaction, catalogues: Catalogues, view: View, layers: Sequence[str]
) -> Sequence[Mapping[str, object]]:
    """Return every layer of the explained key, base first, each with the revision that set it last."""
    if view.explain not in catalogues.keys:
        return ()
    context = dict(layer.split("=", 1) for layer in layers if layer != GLOBAL_SCOPE)
    found = explain_everywhere(transaction, catalogues, context, view.explain)
    last = blame_everywhere(transaction, view.explain)
    return [
        {"layer": one, "set": last.get(one.scope), "has_part": one.scope in layers}
        for one in found
        if one.value is not None or one.scope in layers
    ]
