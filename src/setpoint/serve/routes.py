"""SERVE: what the modules of the typed API share: their routes, and the words of their models.

Guarantees: a route holds a request to its rule before it reads anything of it, and takes exactly what it
documents: an unknown or repeated query parameter is refused, and a body is read strictly. Answers are
sent as our own bytes; their models document them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Annotated, Any, get_args, get_origin

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from setpoint.declare.number_text import read_int
from setpoint.errors import InvalidValue
from setpoint.serve.access.rules import PUBLIC, judge
from setpoint.serve.bodies import MOST_BODY_BYTES, MOST_SMALL_BYTES, read_body
from setpoint.serve.models import shape_of
from setpoint.serve.plane import Plane
from setpoint.serve.strict_json import parse_body

#: `openapi_extra` of a route whose query is a context.
CONTEXT = {
    "x-setpoint-context": True,
    "parameters": [
        {
            "name": "context",
            "in": "query",
            "description": "Every query parameter is a dimension of the context, such as `symbol=BTCUSDC`.",
            "style": "form",
            "explode": True,
            "schema": {"$ref": "#/components/schemas/Context"},
        }
    ],
}
LONGEST_NAME = 200


async def _plane_of(request: Request) -> Plane:
    plane = request.app.state.plane
    assert isinstance(plane, Plane)  # noqa: S101 - put there by build_app
    return plane


PlaneOf = Annotated[Plane, Depends(_plane_of)]
Value = bool | int | float | str
ScopeName = Annotated[
    str,
    Path(max_length=LONGEST_NAME, description="`global`, or an overlay such as `symbol=BTCUSDC`."),
]
Reason = Annotated[
    str, Field(min_length=1, max_length=2000, pattern=r"\S", description="Why; kept for ever.")
]
#: The range of PostgreSQL's bigint, in which numbers of revisions and changes lie.
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]
ChangeId = Annotated[Number, Path(description="A change's number.")]
RunName = Annotated[str, Path(max_length=LONGEST_NAME, description="A run's id, or `latest`.")]
#: Of a session, a token or a passkey.
CredentialId = Annotated[int, Path(alias="id", ge=1, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
After = Annotated[
    str | None, Query(max_length=LONGEST_NAME, description="The `next` of the page before; opaque.")
]
#: The same of a list whose places are plain numbers.
AfterNumber = Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$", description="`next` of the page before.")]
#: What a list is narrowed to.
Filter = Annotated[str | None, Query(min_length=1, max_length=LONGEST_NAME)]
IfMatch = Annotated[
    str | None, Header(description="The ETag of a GET; a write without it is refused.", max_length=200)
]


class Body(BaseModel):
    """A request's body: unknown fields are refused, and nothing is converted that JSON tells apart."""

    model_config = ConfigDict(extra="forbid", strict=True)


class QueuedRoute(APIRoute):
    """A route whose endpoint, when it needs a thread, stands in line for one; see ``turns``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind the line."""
        handle = super().get_route_handler()
        if iscoroutinefunction(self.endpoint):
            return handle

        async def queued(request: Request) -> Response:
            async with request.app.state.plane.typed.turn():
                return await handle(request)

        return queued


class StrictRoute(QueuedRoute):
    """A route that takes whom its rule names, and what it documents, and nothing else."""

    #: It holds requests to its rule.
    is_judged = True

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind the rule and the reading of query and body."""
        handle = super().get_route_handler()
        known = frozenset(query_names(self.dependant))
        numbers = frozenset(number_names(self.dependant))
        declared = self.openapi_extra or {}
        takes_context = bool(declared.get("x-setpoint-context"))
        rule = declared.get("x-setpoint-roles", ())  # none lets nobody in; `describe` does not start with it
        takes_body = self.body_field is not None
        # Anybody may make us read what is public.
        most_bytes = MOST_SMALL_BYTES if tuple(rule) == PUBLIC else MOST_BODY_BYTES

        async def strict(request: Request) -> Response:
            await judge(request, rule)
            check_query(request.query_params.multi_items(), None if takes_context else known)
            check_numbers(numbers, {**request.query_params, **request.path_params})
            if takes_body and (body := await read_body(request, most_bytes)):
                _check_media_type(request.headers.get("content-type", ""))
                request._json = parse_body(body)  # noqa: SLF001 - where Starlette keeps what it has parsed
            return await handle(request)

        return strict


def router_of(tag: str, prefix: str = "/v1") -> APIRouter:
    """Return a router whose routes are strict."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=StrictRoute)


def context_of(request: Request, plane: Plane) -> dict[str, str]:
    """Return the context that a query names.

    Raises:
        InvalidContext: see ``SnapshotCache.context_of``.
    """
    return dict(plane.live.cache.context_of(request.query_params.multi_items()))


def query_names(dependant: Dependant) -> Iterator[str]:
    """Yield the query parameters that a route takes, itself or for what it depends on."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from query_names(inner)


def number_names(dependant: Dependant) -> Iterator[str]:
    """Yield the parameters of a path or a query that are whole numbers."""
    for field in (*dependant.query_params, *dependant.path_params):
        if _is_whole(field.field_info.annotation):
            yield field.alias
    for inner in dependant.dependencies:
        yield from number_names(inner)


def _is_whole(annotation: Any) -> bool:
    return annotation is int or any(map(_is_whole, get_args(annotation)))


def check_numbers(names: frozenset[str], given: Mapping[str, str]) -> None:
    """Refuse a text that pydantic would take for a number, though nobody wrote it so.

    Raises:
        InvalidValue: a parameter is no number of the grammar.
    """
    for name in names & given.keys():
        try:
            read_int(given[name])
        except ValueError as problem:
            raise InvalidValue(f"{name}: {problem}.") from None


def list_names(dependant: Dependant) -> Iterator[str]:
    """Yield the query parameters of a route that may stand several times."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if list in {get_origin(one) for one in (annotation, *get_args(annotation))}:
            yield field.alias
    for inner in dependant.dependencies:
        yield from list_names(inner)


def check_query(
    given: Sequence[tuple[str, str]],
    known: frozenset[str] | None,
    lists: frozenset[str] = frozenset(),
) -> None:
    """Hold that a query names each parameter once, unless it is a list, and only known ones; None takes any.

    Raises:
        InvalidValue: it does not.
    """
    names = [name for name, _ in given if name not in lists]
    repeated = {name for name in names if names.count(name) > 1} if len(names) < LONGEST_NAME else set(names)
    unknown = set() if known is None else set(names) - known
    if repeated or unknown:
        wrong = min(repeated or unknown)[:40]
        raise InvalidValue(
            f"the query parameter {wrong!r} is {'given twice' if repeated else 'not known here'}.",
            hint=f"this address takes {', '.join(sorted(known)) or 'none'}" if known is not None else "",
        )


def _check_media_type(given: str) -> None:
    media_type = given.partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise HTTPException(415)


class Problem(BaseModel):
    """`application/problem+json`, the one shape of an error."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    where: dict[str, Any]
    request_id: str


Responses = dict[int | str, dict[str, Any]]


def refusals(*statuses: int) -> Responses:
    """Return the documentation of an operation's errors; those of every operation are included."""
    return {
        status: {
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        }
        for status in sorted({400, 401, 403, 413, 422, 429, 503, *statuses})
    }


def answers(shape: type, *statuses: int, **more: dict[str, Any]) -> Responses:
    """Return the documentation of an operation that answers 200 with a shape, and of its errors.

    Args:
        shape: the body of a 200: the record that is sent, or a model.
        *statuses: of errors, besides those of every operation.
        **more: other answers, such as ``s202={"model": ...}``.
    """
    others: Responses = {int(name.removeprefix("s")): documented for name, documented in more.items()}
    return {200: {"model": shape_of(shape)}, **others, **refusals(*statuses)}


def created(shape: type, *statuses: int) -> dict[str, Any]:
    """Return the status of an operation that makes something, and the documentation of what it answers."""
    return {"status_code": 201, "responses": {201: {"model": shape_of(shape)}, **refusals(*statuses)}}
