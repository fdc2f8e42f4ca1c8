"""SERVE: conditional requests (RFC 9110, section 13): the one reading of If-None-Match."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_known(if_none_match: Iterable[str], etag: str) -> bool:
    """True when the client says that it has this entity: a list, weak tags and ``*`` are understood.

    Args:
        if_none_match: the header, as often as it was sent.
        etag: of the entity, quoted; strong.
    """
    tags = (tag.strip() for header in if_none_match for tag in header.split(","))
    return any(tag == "*" or tag.removeprefix("W/") == etag for tag in tags)
