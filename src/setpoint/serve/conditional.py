"""SERVE: conditional requests (RFC 9110, section 13): the one reading of If-Match and If-None-Match."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

#: What a list holds: an entity tag, weak or strong, whose text may itself hold a comma; or nothing.
_ELEMENT = re.compile(r'[ \t]*(?:(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|\Z)')


class EntityTags(NamedTuple):
    """What a header names: the texts between the quotes, or anything that there is."""

    texts: frozenset[str]
    is_any: bool = False


def entity_tags(header: str) -> EntityTags:
    """Return the entity tags of an If-Match or an If-None-Match; a header that is no list of them names none.

    A weak tag counts as its strong one: what compresses answers on their way weakens the tags of ours, and
    each of these names one content for ever.
    """
    if header.strip(" \t") == "*":
        return EntityTags(frozenset(), is_any=True)
    texts, at = set(), 0
    while at < len(header):
        found = _ELEMENT.match(header, at)
        if found is None or found.end() == at:
            return EntityTags(frozenset())
        texts.add(found[1])
        at = found.end()
    return EntityTags(frozenset(texts - {None}))


def unless_known(request: Request, body: bytes, headers: Mapping[str, str]) -> Response:
    """Return a JSON body with its headers, one of them its ETag; 304 and the headers when it is known."""
    if is_known(request.headers.getlist("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, "application/json")


def is_known(if_none_match: Iterable[str], etag: str) -> bool:
    """True when the client says that it has this entity: a list, weak tags and ``*`` are understood.

    Args:
        if_none_match: the header, as often as it was sent.
        etag: of the entity, quoted; strong.
    """
    named = entity_tags(",".join(if_none_match))
    return named.is_any or etag.strip('"') in named.texts


def etag_of(body: bytes) -> str:
    """Return the strong entity tag of a body, quoted."""
    return f'"{sha256(body).hexdigest()[:32]}"'
