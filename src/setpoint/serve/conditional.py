"""SERVE: conditional requests (RFC 9110, section 13): the one reading of If-Match and If-None-Match.

Guarantees: every answer to a GET or a HEAD that carries an entity tag is judged here, whatever route made it;
a list is a set, several lines of a header are one list, and a header that is no list of tags names none.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

#: What a list holds: an entity tag, weak or strong, whose text may itself hold a comma; or nothing.
_ELEMENT = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|\Z)')


class EntityTags(NamedTuple):
    """What a header names: the texts between the quotes, or anything that there is."""

    strong: frozenset[str]
    weak: frozenset[str]
    is_any: bool = False


def entity_tags(header: str) -> EntityTags:
    """Return the entity tags of an If-Match or If-None-Match; a header that is no list of them names none."""
    if header.strip(" \t") == "*":
        return EntityTags(frozenset(), frozenset(), is_any=True)
    found: dict[str | None, set[str]] = {None: set(), "W/": set()}
    at = 0
    while at < len(header):
        element = _ELEMENT.match(header, at)
        if element is None or element.end() == at:
            return EntityTags(frozenset(), frozenset())
        if element[2] is not None:
            found[element[1]].add(element[2])
        at = element.end()
    return EntityTags(frozenset(found[None]), frozenset(found["W/"]))


def is_known(if_none_match: str, etag: str) -> bool:
    """True when the client says that it has this entity, in the weak comparison.

    Args:
        if_none_match: the header, its lines joined.
        etag: of the entity, quoted; strong.
    """
    named = entity_tags(if_none_match)
    return named.is_any or etag.strip('"') in named.strong | named.weak


def stands(if_match: str, etag: str) -> bool:
    """True when this entity is one that the client names, in the strong comparison: a weak tag names none."""
    named = entity_tags(if_match)
    return named.is_any or etag.strip('"') in named.strong


def status_of(if_match: str | None, if_none_match: str | None, etag: str) -> int:
    """Return what a GET that would be answered with 200 is answered with: 200, 304 or 412.

    Args:
        if_match: the header, its lines joined; None for none.
        if_none_match: the same.
        etag: of the answer, quoted and strong; empty for an answer without one.
    """
    if if_match is not None and not (stands(if_match, etag) if etag else if_match.strip(" \t") == "*"):
        return 412
    return 304 if if_none_match is not None and etag and is_known(if_none_match, etag) else 200


def etag_of(body: bytes) -> str:
    """Return the strong entity tag of a body, quoted."""
    return f'"{sha256(body).hexdigest()[:32]}"'
