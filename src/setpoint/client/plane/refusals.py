"""RESOLVE: what the plane refuses, as our errors.

Guarantees: a problem of the plane becomes the error of the same code, with its message, hint and facts;
any other refusal the error of its status. Whatever else a plane answers with 5xx is ``PlaneUnavailable``.
Refuses to repeat what it does not know: the text of a page that some proxy sent is in no message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from setpoint.declare.foreign_text import read_json
from setpoint.errors import (
    ConflictError,
    ForbiddenError,
    IntegrityError,
    InvalidError,
    MissingError,
    PayloadTooLarge,
    PlaneUnavailable,
    PreconditionFailed,
    PreconditionRequired,
    SetpointError,
    TooManyRequests,
    UnauthenticatedError,
    UnavailableError,
    UsageError,
    reason_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from setpoint.client.plane.messages import Answer, Request

_BY_STATUS: dict[int, type[SetpointError]] = {
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: MissingError,
    409: ConflictError,
    412: PreconditionFailed,
    413: PayloadTooLarge,
    422: InvalidError,
    428: PreconditionRequired,
    429: TooManyRequests,
}
_HINTS = {
    401: "give a valid token in SETPOINT_TOKEN or SETPOINT_TOKEN_FILE; on the plane's machine "
    "`setpoint tokens create ACCOUNT --label LABEL` makes one",
    403: "this token's roles do not allow it",
}
_LONGEST_TEXT = 4000


def refusal(url: str, request: Request, answer: Answer) -> SetpointError:
    """Return the error for an answer that is neither a success nor "not modified"."""
    status, headers, body = answer
    if 300 <= status < 400:
        return _redirected(url, status, headers.get("location", ""))
    problem = _problem(headers, body)
    kind = _kind(str(problem.get("code", "")), status)
    message, hint = problem.get("detail"), problem.get("hint")
    text = str(message)[:_LONGEST_TEXT] if message else _plainly(url, request, status)
    where = problem.get("where")
    facts = {
        name: value
        for name, value in (where if isinstance(where, dict) else {}).items()
        if name not in _TAKEN
    }
    if request_id := headers.get("x-request-id"):
        facts["request_id"] = request_id
    if status == 401 or not hint:  # what the plane tells a browser to do about a 401 helps no process
        hint = _HINTS.get(status, "")
    return kind(text, hint=str(hint)[:_LONGEST_TEXT], **facts)


def unreachable(url: str, problem: Exception | None, attempts: int) -> PlaneUnavailable:
    """Return the error for a plane that was asked and gave no usable answer."""
    text = reason_of(problem) if problem else "no answer"
    tried = f" in {attempts} attempts" if attempts > 1 else ""
    return PlaneUnavailable(
        f"the plane {url} does not answer{tried}: {text}.",
        hint="check SETPOINT_URL and the way there, or pin a file: `setpoint run --snapshot FILE -- ...`",
        plane=url,
    )


def untrusted(url: str, problem: OSError) -> IntegrityError | None:
    """Return the error for somebody who answers in the plane's place, as far as TLS can tell; None else."""
    import ssl  # noqa: PLC0415 - see ``wire``

    if not isinstance(problem, ssl.SSLCertVerificationError):
        return None
    return IntegrityError(
        f"the certificate of {url} is not trusted: {problem.verify_message}.",
        hint="name your authority's file in SSL_CERT_FILE, or check who answers there",
        plane=url,
    )


def other_kind(url: str, kind: str, asked: str) -> IntegrityError:
    """Return the error for an answer of another media type than what was asked for has."""
    what = "a stream of events" if asked == "text/event-stream" else asked
    return IntegrityError(
        f"{url} answers with {kind} where {what} was asked for.",
        hint="check that SETPOINT_URL is the plane's own address",
        plane=url,
    )


#: Names of ``SetpointError``'s own arguments, which no fact may take.
_TAKEN = {"self", "message", "hint"}


def _problem(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/problem+json":
        return {}
    try:
        problem = read_json(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def kind_of(code: str) -> type[SetpointError] | None:
    """Return the error of a code, which some other process told us; None when there is none."""
    return next((found for found in _tree(SetpointError) if found.code == code), None)


def _kind(code: str, status: int) -> type[SetpointError]:
    kind = kind_of(code)
    if status >= 500:
        return kind if kind and issubclass(kind, UnavailableError) else PlaneUnavailable
    return kind or _BY_STATUS.get(status, UsageError)


def _tree(kind: type[SetpointError]) -> Iterator[type[SetpointError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def _plainly(url: str, request: Request, status: int) -> str:
    path = request.path.partition("?")[0]
    return f"the plane {url} answers {request.method} {path} with HTTP {status}."


def _redirected(url: str, status: int, location: str) -> UsageError:
    # Only scheme and host: the rest of somebody else's address may be a secret.
    try:
        parts = urlsplit(location)
        target = f" to {parts.scheme}://{parts.hostname}" if parts.scheme and parts.hostname else ""
    except ValueError:
        target = ""
    return UsageError(
        f"{url} redirects{target} (HTTP {status}); redirects are refused, because the token would follow.",
        hint="set SETPOINT_URL to the address where the plane itself answers",
    )
