"""SERVE: instants in requests: RFC 3339 texts with an offset, nothing that must be guessed."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator, Field

#: Enough to refuse a number of seconds, which pydantic would take; pydantic judges the rest.
_RFC_3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:")


def _text(given: object) -> object:
    if not isinstance(given, str):
        raise ValueError("an instant is a text such as 2026-06-01T06:00:00Z")  # noqa: TRY004 - pydantic's way to refuse
    if not _RFC_3339.match(given):
        raise ValueError("an instant is written as 2026-06-01T06:00:00Z")
    return given


Instant = Annotated[
    AwareDatetime, Field(strict=False, description="RFC 3339, with its offset."), BeforeValidator(_text)
]
Since = Annotated[Instant | None, Query(description="Told at this instant or later.")]
Until = Annotated[Instant | None, Query(description="Told before this instant.")]
