"""GOVERN: a route to a source of a calendar: one base address, one credential, its pages, and a deadline.

Guarantees: the credential goes nowhere else; what is no whole answer with the status that was asked for is
not live, in words that name no credential.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from setpoint.client.plane.openings import ask
from setpoint.errors import SetpointError, reason_of
from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: For all pages of one source together.
SOURCE_S = 30.0
_MOST_PAGES = 100
_LARGEST_BYTES = 8 * 2**20
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?')


class NotLive(Exception):
    """A source did not answer as it must; the text says how."""


@dataclass(frozen=True, repr=False)
class Route:
    """One base address and the headers that carry its one credential; never printed."""

    address: str
    headers: Mapping[str, str]
    #: Whether a credential is given.
    has_credential: bool
    #: On the clock of ``time.monotonic``, when all that is asked over it has to have ended.
    last_s: float = math.inf

    def get(self, path: str, ends_at: float) -> tuple[Any, Mapping[str, str]]:
        """Return the parsed answer to a GET and its headers.

        Args:
            path: below the base address, or what a page named as the next one.
            ends_at: on the clock of ``time.monotonic``.

        Raises:
            NotLive: no answer with status 200 that is JSON.
        """
        return self._asked(path, None, ends_at, 200)

    def post(self, path: str, document: Mapping[str, Any]) -> Any:
        """Send a document; returns what was created.

        Raises:
            NotLive: it was not created.
        """
        return self._asked(path, document, time.monotonic() + SOURCE_S, 201)[0]

    def _asked(
        self, path: str, document: Mapping[str, Any] | None, ends_at: float, wanted: int
    ) -> tuple[Any, Mapping[str, str]]:
        url = self._joined(path)
        left_s = min(ends_at, self.last_s) - time.monotonic()
        if left_s <= 0:
            raise NotLive("it did not end in time")
        try:
            answer = ask(url, left_s, document=document, headers=self.headers, largest_bytes=_LARGEST_BYTES)
            if answer.status != wanted:
                raise NotLive(f"HTTP {answer.status}")
            return answer.json(), answer.headers
        except OSError as problem:
            raise NotLive(f"network: {printable(reason_of(problem))}") from None
        except SetpointError as problem:
            raise NotLive(f"{problem.code}: {printable(problem.message)}") from None

    def _joined(self, path: str) -> str:
        """Return the address of a path; what leads elsewhere is refused, as the credential would follow."""
        url = urljoin(f"{self.address.rstrip('/')}/", path)
        if urlsplit(url)[:2] != urlsplit(self.address)[:2]:
            raise NotLive("its next page is at another address")
        return url


def pages_by_offset(route: Route, path: str, ends_at: float) -> Iterator[Any]:
    """Yield each page of a collection of OpenProject.

    Raises:
        NotLive: one of them cannot be read, or they do not end.
    """
    return pages_of(route, path, ends_at, _next_offset)


def pages_of(
    route: Route, path: str, ends_at: float, next_of: Callable[[Any, Mapping[str, str]], str | None]
) -> Iterator[Any]:
    """Yield each page, as ``next_of`` leads from one to the next.

    Raises:
        NotLive: one of them cannot be read, or they do not end.
    """
    for _ in range(_MOST_PAGES):
        page, headers = route.get(path, ends_at)
        yield page
        following = next_of(page, headers)
        if not following:
            return
        path = following
    raise NotLive(f"more than {_MOST_PAGES} pages")


def next_link(_page: Any, headers: Mapping[str, str]) -> str | None:
    """Return the address of GitHub's next page; None of the last."""
    found = _NEXT.search(headers.get("link", ""))
    return found[1] if found else None


def _next_offset(page: Any, _headers: Mapping[str, str]) -> str | None:
    following = (page.get("_links") or {}).get("nextByOffset")
    return text_in(following["href"]) if following else None


def text_in(told: object) -> str:
    """Return a text of an answer, fit to print.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(told, str):
        raise TypeError
    return printable(told)
