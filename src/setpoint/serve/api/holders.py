"""SERVE: who holds which snapshot: said by a process that holds one, and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from setpoint.errors import InvalidValue, TooManyRequests
from setpoint.serve.access.rules import ANYONE, admitted, hot_access
from setpoint.serve.access.secret import digest
from setpoint.serve.bodies import read_object
from setpoint.serve.holders import CLIENT_ID, SNAPSHOT_HASH, Holder, Holders
from setpoint.serve.responses import Answer, number_in

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request

PAGE, LARGEST_PAGE = 50, 500
_FIELDS = {"snapshot", "context", "host", "pid", "run", "revision"}


def routes(holders: Holders) -> list[Route]:
    """Return the routes of holders."""

    @hot_access(*ANYONE, summary="What a process holds")
    async def report(request: Request) -> Response:
        """What a process holds now."""
        caller = await admitted(request, *ANYONE)
        given = _typed(await read_object(request))
        holder = Holder(client=request.path_params["client"], credential=digest(caller.secret), **given)
        if not holders.note(holder):
            raise TooManyRequests(
                "too many processes of this credential said what they hold just now.",
                hint="say it once a minute for each process",
                retry_after_s=2,
            )
        return Response(status_code=204)

    @hot_access(*ANYONE, summary="Who holds what")
    async def listed(request: Request) -> Response:
        """Who holds what."""
        await admitted(request, *ANYONE)
        limit, after, snapshot = _page(request.query_params)
        found = await holders.held(limit=limit + 1, after=after, snapshot=snapshot)
        following = found[limit - 1].client if len(found) > limit else None
        return Answer({"items": found[:limit], "next": following}).response()

    return [
        Route("/v1/holders", listed, methods=["GET"]),
        Route("/v1/holders/{client}", report, methods=["PUT"]),
    ]


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    found = {"context": {}, "host": "", "pid": 0, "run": "", "revision": 0} | given
    context = found["context"]
    sound = (
        set(found) == _FIELDS
        and all(type(found[name]) is str for name in ("snapshot", "host", "run"))
        and all(type(found[name]) is int for name in ("pid", "revision"))
        and isinstance(context, dict)
        and all(isinstance(value, str) for value in context.values())
    )
    if not sound:
        raise InvalidValue(
            "a holder is not described so.", hint=f"send {', '.join(sorted(_FIELDS))}, no more"
        )
    return found


def _page(query: QueryParams) -> tuple[int, str, str | None]:
    """Return limit, cursor and snapshot of a listing."""
    if len(query.multi_items()) != len(query) or not query.keys() <= {"limit", "after", "snapshot"}:
        raise InvalidValue("the query gives something unknown, or twice.", hint="give limit, after, snapshot")
    limit, after, snapshot = query.get("limit", str(PAGE)), query.get("after", ""), query.get("snapshot")
    if not 1 <= (number_in(limit) or 0) <= LARGEST_PAGE:
        raise InvalidValue("limit is out of range.", hint=f"give a number from 1 to {LARGEST_PAGE}")
    if after and not CLIENT_ID.fullmatch(after):
        raise InvalidValue("after is no cursor of ours.", hint="give `next` of the page before")
    if snapshot is not None and not SNAPSHOT_HASH.fullmatch(snapshot):
        raise InvalidValue("snapshot is no hash.", hint="give 64 hexadecimal digits")
    return number_in(limit) or PAGE, after, snapshot
