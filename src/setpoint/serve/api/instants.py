"""SERVE: instants in requests: RFC 3339 texts with an offset, nothing that must be guessed."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field


def _text(given: object) -> object:
    if not isinstance(given, str):
        raise ValueError("an instant is a text such as 2026-06-01T06:00:00Z")  # noqa: TRY004 - pydantic's way to refuse
    if given.isdigit():
        raise ValueError("an instant is no number of seconds")
    return given


Instant = Annotated[
    AwareDatetime, Field(strict=False, description="RFC 3339, with its offset."), BeforeValidator(_text)
]
