"""SERVE: every error in one shape: `application/problem+json` (RFC 9457); under `/ofrep/` in OFREP's own.

Guarantees: status and code are those of `errors.py`; an answer names its request, never a secret, a
value that was sent, or a line of our source.
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from setpoint.errors import (
    InvalidContext,
    InvalidDocument,
    PayloadTooLarge,
    PreconditionFailed,
    SetpointError,
    StorageFull,
    TooManyRequests,
    UsageError,
)
from setpoint.observe import logfmt
from setpoint.serve.methods import methods_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.applications import Starlette
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"
#: Below it errors have the shape that OFREP's clients read.
OFREP = "/ofrep/"
_LOG = logging.getLogger("setpoint.serve")
#: What a client sees of an error of the database's own, by its status.
_DATABASE_MESSAGES = {
    403: ("the database does not allow this", "look at your roles: GET /v1/me"),
    404: ("this refers to something that is not there", "make that first"),
    409: ("something else was in the way", "try again"),
    422: ("the database does not take one of these values", "look at names, texts and numbers"),
    503: ("the database is out of reach, or too busy", "try again"),
}
#: A fault may lie after the write, in what tells of it.
_UNSURE = "whether it was done is not known: look before you send it again"
#: What a status says for itself, where no error of ours was raised.
_PLAIN = {
    404: (
        "missing",
        "there is nothing at this address.",
        "the Console begins at /, and /openapi.json lists the addresses for programs",
    ),
    405: ("method_not_allowed", "this address does not take that method.", "see Allow"),
    415: (
        "unsupported_media_type",
        "the body is not JSON, as its Content-Type says.",
        "send application/json",
    ),
}


def meanings() -> dict[str, tuple[int, str]]:
    """Return what each code of a problem means, with its status: what its `type` leads to."""
    ours = {kind.code: (kind.http_status, _first_line(kind)) for kind in reversed([*_tree(SetpointError)])}
    plain = {code: (status, said) for status, (code, said, _) in _PLAIN.items() if code not in ours}
    return {**ours, **plain, **_READING}


def _tree(kind: type[SetpointError]) -> Iterator[type[SetpointError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def _first_line(kind: type[SetpointError]) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


#: Codes that no error of ours has, because FastAPI or the server reads the request first.
_READING = {
    "malformed_request": (400, "What was sent cannot be read."),
    "invalid_request": (422, "What was sent is not what this address takes."),
    "http_error": (400, "The request cannot be answered as it is."),
}


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    hint: str = "",
    request_id: str = "",
    root_path: str = "",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return an error as a response; ``more`` are further members of the problem."""
    content = {
        "type": f"{root_path}/problems/{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "hint": hint,
        "where": {},
        "request_id": request_id,
        **more,
    }
    return Response(json.dumps(content, default=str), status, dict(headers or {}), MEDIA_TYPE)


def unreadable(said: str, root_path: str) -> Response:
    """Return the refusal of bytes that are no request, which no route ever sees."""
    number = token_hex(16)
    headers = {"X-Request-ID": number, "Cache-Control": "no-store"}
    return problem(
        400,
        "malformed_request",
        said,
        hint="send HTTP/1.1",
        request_id=number,
        root_path=root_path,
        headers=headers,
    )


def problem_of(error: SetpointError, request_id: str = "", root_path: str = "") -> Response:
    """Return one of our errors as a response."""
    public = publicly(error)
    return problem(
        error.http_status,
        error.code,
        public.message,
        hint=public.hint,
        request_id=request_id,
        root_path=root_path,
        headers=_headers(error),
        where=public.where,
    )


def publicly(error: SetpointError) -> SetpointError:
    """Return an error as it may be told: without what PostgreSQL itself said of hosts, tables and values.

    Our own log has that.
    """
    state = error.where.get("sqlstate")
    if state is None:
        return error
    where = {name: value for name, value in error.where.items() if name != "sqlstate"}
    if str(state).startswith("SP"):  # raised by our own functions, for people
        return type(error)(error.message, hint=error.hint, **where)
    _LOG.warning("event=database_said code=%s text=%s", error.code, logfmt.text(error.message))
    if isinstance(error, StorageFull):
        return StorageFull(
            "the disk of the database takes no more, so nothing can be written; reading goes on.",
            hint="an operator frees space where the database lives; then repeat this",
            **where,
        )
    message, hint = _DATABASE_MESSAGES.get(error.http_status, ("the database failed on this", ""))
    return type(error)(f"{message}.", hint=hint, **where)


def refusal_of(error: SetpointError, asked: Mapping[str, Any], request_id: str) -> Response:
    """Return one of our errors in the shape of the address that was asked; ``asked`` is its ASGI scope."""
    if asked["path"].startswith(OFREP):
        return flag_refusal(error)
    return problem_of(error, request_id, asked["root_path"])


def flag_refusal(error: SetpointError, key: str | None = None) -> Response:
    """Return one of our errors in OFREP's shape; ``key`` names the flag that was asked for."""
    public = publicly(error)
    details = f"{public.message} next: {public.hint}" if public.hint else public.message
    if isinstance(error, InvalidContext):
        return flag_failure(400, "INVALID_CONTEXT", details, key)
    if isinstance(error, UsageError | InvalidDocument):
        status = 413 if isinstance(error, PayloadTooLarge) else 400
        return flag_failure(status, "PARSE_ERROR", details, key)
    return flag_failure(error.http_status, "GENERAL", details, key, _headers(error))


def flag_failure(
    status: int, code: str, details: str, key: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a failure in OFREP's shape."""
    content = {"errorCode": code, "errorDetails": details}
    text = json.dumps({"key": key} | content if key else content)
    return Response(text, status, dict(headers or {}), "application/json")


def install(api: Starlette) -> None:
    """Make an application answer every error in this shape."""
    api.add_exception_handler(SetpointError, _on_ours)
    api.add_exception_handler(RequestValidationError, _on_unreadable)
    api.add_exception_handler(HTTPException, _on_status)
    api.add_exception_handler(Exception, _on_failure)


def _headers(error: SetpointError) -> dict[str, str]:
    if isinstance(error, PreconditionFailed) and error.where.get("etag"):
        return {"ETag": str(error.where["etag"])}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.where.get("retry_after_s", 1))}
    return {"Retry-After": "1"} if error.http_status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def _id_of(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def _root_of(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


async def _on_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, SetpointError)  # noqa: S101 - Starlette's handlers are typed for Exception
    return problem_of(error, _id_of(request), _root_of(request))


async def _on_unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    # What was sent is not repeated: it may hold a password.
    found = [
        {"loc": ".".join(map(str, one["loc"])), "msg": one["msg"], "type": one["type"]}
        for one in error.errors()
    ]
    malformed = any(one["type"] == "json_invalid" for one in found)
    message = "; ".join(f"{one['loc']}: {one['msg']}" for one in found[:5])
    return problem(
        400 if malformed else 422,
        "malformed_request" if malformed else "invalid_request",
        f"the request is not what this address takes. {message}",
        hint="GET /openapi.json describes each request",
        request_id=_id_of(request),
        root_path=_root_of(request),
        errors=found,
    )


async def _on_status(request: Request, error: Exception) -> Response:
    """Answer what no route answers, and a method that none takes."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    code, detail, hint = _PLAIN.get(error.status_code, ("http_error", str(error.detail), ""))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(methods_at(request.app.routes, request.scope))
    if request.url.path.startswith(OFREP):
        return flag_failure(error.status_code, "GENERAL", detail, headers=headers)
    return problem(
        error.status_code,
        code,
        detail,
        hint=hint,
        request_id=_id_of(request),
        root_path=_root_of(request),
        headers=headers,
    )


async def _on_failure(request: Request, error: Exception) -> Response:
    """Answer with our own fault, of which the log says more."""
    _LOG.error("request_id=%s failed", _id_of(request), exc_info=error)
    is_read = request.method in {"GET", "HEAD"}
    fault = SetpointError(
        f"the plane failed on this request; {'nothing was written' if is_read else _UNSURE}.",
        hint="tell an operator the request_id: the server's log says more",
    )
    return problem_of(fault, _id_of(request), _root_of(request))
