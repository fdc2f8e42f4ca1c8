"""RESOLVE: what is sent to the plane, and what it answers.

Guarantees: a request's headers, which hold the token, are in no text that anybody prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.declare.foreign_text import read_json
from setpoint.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Request(NamedTuple):
    """What is sent; ``headers`` hold the token, so a request is never printed."""

    method: str
    path: str
    payload: bytes | None
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path.partition('?')[0]})"


class Answer(NamedTuple):
    """What the plane answered: a status below 300, or 304."""

    status: int
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the parsed body.

        Raises:
            IntegrityError: it is no JSON, which a captive portal or a proxy may have sent instead.
        """
        try:
            return read_json(self.body)
        except ValueError as problem:
            kind = self.headers.get("content-type", "no content type")
            raise IntegrityError(
                f"the plane's answer ({len(self.body)} bytes of {kind}) is no JSON: {problem}.",
                hint="check that SETPOINT_URL is the plane's own address and nothing answers in its place",
            ) from None
