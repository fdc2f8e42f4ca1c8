"""SERVE: what may be set, and what a context gets: declarations, explanations, effective values.

Guarantees: what a context resolves to is merged by PostgreSQL, as a snapshot of it would be.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path, Query, Request
from starlette.responses import Response

from setpoint.change.document_texts import typed
from setpoint.change.documents import pin_snapshot
from setpoint.change.emergency.obligations import Obligation, list_obligations
from setpoint.change.explanation import Explanation, explain
from setpoint.client.snapshot import Snapshot
from setpoint.declare.addresses import key_of, matching
from setpoint.declare.catalogue import Catalogues
from setpoint.declare.keys import Declared
from setpoint.serve.access.rules import ANYONE, access
from setpoint.serve.api.shapes import (
    CataloguesShape,
    EffectiveShape,
    KeyShape,
)
from setpoint.serve.models import page_shape
from setpoint.serve.responses import REVALIDATED, Answer, etag, foreign_cursor, name_at, page, place_of
from setpoint.serve.routes import (
    CONTEXT,
    LONGEST_NAME,
    After,
    Limit,
    PlaneOf,
    answers,
    context_of,
    router_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

router = router_of("catalogue")
KeyName = Annotated[str, Path(max_length=LONGEST_NAME, description="A declared key.")]


def _with_context(access_rule: dict[str, Any]) -> dict[str, Any]:
    return {**access_rule, "openapi_extra": {**access_rule["openapi_extra"], **CONTEXT}}


@router.get(
    "/catalogue",
    summary="What may be set",
    responses={**answers(CataloguesShape), 304: {"description": "The catalogues are the same."}},
    **access(*ANYONE),
)
def read_catalogue(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    match: Annotated[str, Query(max_length=LONGEST_NAME, description="A text in the key, in any case.")] = "",
) -> Response:
    """Return the catalogues in force and their keys: types, inclusive bounds, meanings; never a value."""
    found = list(islice(_keys_after(plane.catalogues, match, name_at(after)), limit + 1))
    listed = page(found, limit, [declared.name for declared in found]).body
    body = {
        "catalogues": [
            {"name": member.name, "version": member.version, "hash": member.hash, "keys": len(member.keys)}
            for member in plane.catalogues.members
        ],
        "dimensions": list(plane.catalogues.dimensions),
        "items": [_key(declared) for declared in listed["items"]],
        "next": listed["next"],
    }
    return Answer(body, headers=_named(plane.catalogues)).response()


@router.get(
    "/catalogue/{key}",
    summary="One declared key",
    responses={**answers(KeyShape, 404), 304: {"description": "The catalogues are the same."}},
    **access(*ANYONE),
)
def read_key(plane: PlaneOf, key: KeyName) -> Response:
    """Return what a value of it must be."""
    declared = plane.catalogues.declared(key_of(plane.catalogues, key))
    answer = Answer(_key(declared), headers=_named(plane.catalogues))
    return answer.response()


@router.get(
    "/explain/{key}",
    summary="Every layer that has a say in a value",
    responses=answers(Explanation, 404),
    **_with_context(access(*ANYONE)),
)
def explain_key(request: Request, plane: PlaneOf, key: KeyName) -> Response:
    """Return what each scope of the context says of a key, base first; the last that sets it wins."""
    system = plane.catalogues
    found = explain(plane.database, system, context_of(request, plane), key_of(system, key))
    return Answer(found).response()


@router.get(
    "/effective",
    summary="What a context resolves to",
    responses=answers(EffectiveShape, 404),
    **_with_context(access(*ANYONE)),
)
def read_effective(request: Request, plane: PlaneOf) -> Response:
    """Return every value of the context's snapshot with the scope and revision it comes from.

    It is one answer, not pages: what belongs together is one snapshot, named by `hash`.
    """
    context = context_of(request, plane)
    snapshot = pin_snapshot(plane.database, plane.catalogues, context)
    items = [
        {"key": key, "value": value, **_origin(snapshot, key)}
        for key, value in sorted(typed(snapshot.document, plane.catalogues).items())
    ]
    return Answer({"context": context, "hash": snapshot.hash, "items": items, "next": None}).response()


@router.get(
    "/obligations",
    summary="What uses of break-glass and fired checkpoints owe",
    responses=answers(page_shape(Obligation)),
    **access(*ANYONE),
)
def read_obligations(
    plane: PlaneOf,
    limit: Limit = 50,
    after: After = None,
    incident: Annotated[str | None, Query(max_length=LONGEST_NAME)] = None,
) -> Response:
    """List what is overdue or breached first, then what is open, then what was met."""
    found = list_obligations(plane.database, incident, after=place_of(after), limit=limit + 1)
    return page(found, limit, [one.id for one in found]).response()


def _keys_after(catalogues: Catalogues, match: str, after: str | None) -> Iterator[Declared]:
    """Yield the keys that are meant, after one of them, as they are declared: as many as are asked for."""
    is_meant = matching(catalogues, match) if match else bool
    following = iter(catalogues.keys.items())
    if after is not None and all(name != after for name, _ in following):
        raise foreign_cursor()
    return (declared for name, declared in following if is_meant(name))


def _named(catalogues: Catalogues) -> dict[str, str]:
    tag = "-".join(member.hash[:16] for member in catalogues.members)
    return {"ETag": etag(tag), "Cache-Control": REVALIDATED}


def _key(declared: Declared) -> dict[str, Any]:
    parameter = declared.parameter
    return {
        "key": declared.name,
        "address": declared.address,
        "catalogue": declared.catalogue,
        "parameter": parameter.name,
        "field": declared.key.field,
        "type": parameter.type,
        "doc": parameter.doc,
        "unit": parameter.unit,
        "low": parameter.low,
        "high": parameter.high,
        "choices": list(parameter.choices),
        "tuned": parameter.tuned,
        "library_name": parameter.library_name,
    }


def _origin(snapshot: Snapshot, key: str) -> dict[str, Any]:
    layers = [layer for index, layer in enumerate(snapshot.layers) if index == 0 or key in layer.keys]
    return {"scope": layers[-1].scope, "revision": layers[-1].revision}
