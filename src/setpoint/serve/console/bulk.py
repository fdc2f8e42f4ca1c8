"""SERVE: many edits at once: set, multiplied or copied, shown before they go into the draft.

Guarantees: nothing is written here: what is shown are the edits that the draft would take, and every value
that no declaration takes, with its reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Query, Request
from starlette.responses import Response

from setpoint.change.documents import read_scopes, read_values
from setpoint.change.patch import read_texts
from setpoint.declare.catalogue import GLOBAL_SCOPE
from setpoint.declare.document import Edit
from setpoint.declare.keys import range_keys
from setpoint.declare.number_text import read_float
from setpoint.errors import InvalidValue, SetpointError
from setpoint.serve.access.rules import WRITERS, Caller, access
from setpoint.serve.console.config import View, layers_of, member_of
from setpoint.serve.console.drafts import draft_of
from setpoint.serve.console.grid import Sheet, outline_of, parts_of
from setpoint.serve.console.pages import Words, page, router_of
from setpoint.serve.console.review import grouped
from setpoint.serve.console.shown import typed_text
from setpoint.serve.console.tables import MOST_ROWS
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.declare.catalogue import Catalogue
    from setpoint.declare.parameters import Scalar
    from setpoint.serve.console.grid import Line, Outline

router = router_of()
#: How many of the edits are drawn; the form carries all of them.
SHOWN = 100
#: What of a parameter is edited, by the place of its key.
FIELDS = ("value", "minimum", "maximum")
HOW = ("set", "multiply", "copy")
#: Of a float that was multiplied, how many digits are kept: more are the machine's, not the writer's.
_DIGITS = 12


class Bulk(NamedTuple):
    """What is asked for: which parameters, and what becomes of them."""

    parameters: frozenset[str]
    field: str
    how: str
    by: str
    #: Where values are copied from: ``column NAME``, or ``part NAME``.
    source: str


@router.get("/config/bulk", **access(*WRITERS))
def show_bulk(
    plane: PlaneOf,
    request: Request,
    caller: Caller,
    scope: Words = GLOBAL_SCOPE,
    catalogue: Words = "",
    part: Words = "",
    search: Words = "",
    column: Annotated[list[str] | None, Query(max_length=100)] = None,
    parameter: Annotated[list[str] | None, Query(max_length=500)] = None,
    field: Words = "value",
    how: Words = "set",
    by: Words = "",
    source: Words = "",
) -> Response:
    """Show what many edits at once would be; its button puts them into the caller's draft."""
    catalogues = plane.catalogues
    member = member_of(catalogues, catalogue)
    outline = outline_of(member, part, search=search, columns=column or (), most_cells=MOST_ROWS)
    wanted = Bulk(frozenset(parameter or ()), field, how, by, source)
    problem: SetpointError | None = None
    found: list[tuple[str, Scalar | None, str]] = []
    with plane.database.transaction() as transaction:
        scopes = read_scopes(transaction)
        layers = layers_of(catalogues, scopes, View(scope))
        read = set(outline.keys) | set(_source_keys(member, outline, wanted))
        values = read_values(transaction, catalogues, layers, read)
        draft = draft_of(transaction, caller.account, scope)
    sheet = Sheet([(layer, values.get(layer, {})) for layer in layers])
    try:
        found = list(_wanted(member, outline, sheet, wanted)) if by or source else []
    except SetpointError as refused:
        problem = refused
    edits, refusals = [], []
    for key, old, text in found:
        try:
            new = read_texts([(key, text)], catalogues, "this").set[key]
        except SetpointError as refused:
            refusals.append((key, text, refused.message.partition("\n  - ")[2] or refused.message))
        else:
            if new != old:
                edits.append(Edit("replace" if old is not None else "add", key, old, new))
    return page(
        request,
        "bulk.html",
        problem=problem,
        outline=outline,
        tabs=[(one.name, name) for one in catalogues.members for name in parts_of(one)],
        scope=scope,
        search=search,
        bulk=wanted,
        revision=next((one.revision for one in scopes if one.scope == scope), None),
        edits=edits,
        groups=grouped(catalogues, edits, most=SHOWN),
        shown=SHOWN,
        refusals=refusals,
        unchanged=len(found) - len(edits) - len(refusals),
        draft=draft,
    )


def _wanted(
    catalogue: Catalogue, outline: Outline, sheet: Sheet, bulk: Bulk
) -> Iterator[tuple[str, Scalar | None, str]]:
    """Yield key, value as it is, and text as it is to be, of every edit that is asked for.

    Raises:
        InvalidValue: what is asked for is none of the choices, or no number to multiply by.
    """
    if bulk.how not in HOW or bulk.field not in FIELDS:
        raise InvalidValue("this is no way to edit.", hint="set, multiply or copy values or ranges")
    sources = _sources(catalogue, outline, bulk)
    for line in _lines(outline, bulk):
        for number, declared in enumerate(line.declared):
            if declared is None or (bulk.field != "value" and not line.parameter.tuned):
                continue
            key = _key(declared.name, bulk.field)
            old = sheet.find(key)[0]
            if bulk.how == "set":
                yield key, old, bulk.by
            elif bulk.how == "multiply" and isinstance(old, int | float) and not isinstance(old, bool):
                yield key, old, _multiplied(old, bulk.by)
            elif bulk.how == "copy" and (source := sources.get((line.parameter.name, number))):
                value = sheet.find(_key(source, bulk.field))[0]
                if value is not None:
                    yield key, old, typed_text(value)


def _lines(outline: Outline, bulk: Bulk) -> list[Line]:
    return [one for one in outline.lines if not bulk.parameters or one.parameter.name in bulk.parameters]


def _sources(catalogue: Catalogue, outline: Outline, bulk: Bulk) -> Mapping[tuple[str, int], str]:
    """Return by parameter and column the key that is copied from; what has none is left as it is."""
    kind, _, name = bulk.source.partition(" ")
    if bulk.how != "copy":
        return {}
    if kind == "column" and name in outline.known:
        other = outline_of(catalogue, outline.part, columns=(name,))
        columns = [0] * len(outline.columns)
    elif kind == "part" and name in parts_of(catalogue):
        other = outline_of(catalogue, name, columns=outline.columns)
        columns = [other.columns.index(one) if one in other.columns else -1 for one in outline.columns]
    else:
        raise InvalidValue("this is nothing to copy from.", hint="choose a column or a model")
    named: dict[str, Line] = {one.parameter.name: one for one in other.lines}
    found = {}
    for line in outline.lines:
        for number, place in enumerate(columns):
            source = named.get(line.parameter.name)
            declared = source.declared[place] if source and place >= 0 else None
            if declared is not None:
                found[line.parameter.name, number] = declared.name
    return found


def _source_keys(catalogue: Catalogue, outline: Outline, bulk: Bulk) -> list[str]:
    try:
        return [_key(name, bulk.field) for name in _sources(catalogue, outline, bulk).values()]
    except SetpointError:
        return []  # said where the edits are made


def _key(name: str, field: str) -> str:
    return {"value": name, **dict(zip(FIELDS[1:], range_keys(name), strict=False))}.get(field, name)


def _multiplied(old: float, by: str) -> str:
    try:
        factor = read_float(by)
    except ValueError as problem:
        raise InvalidValue(f"{problem}.", hint="multiply by a number, such as 0.5") from None
    made = float(f"{old * factor:.{_DIGITS}g}")
    return str(round(made)) if isinstance(old, int) else str(made)
