"""GOVERN: the sources of a calendar, read over HTTP: GitHub's issues, OpenProject's work packages, the plane.

The shapes are those of the public documentation of GitHub's REST API (version 2022-11-28) and OpenProject's
API v3. Guarantees: each source has one base address and one credential, which goes nowhere else; its pages
are followed; all of it ends within a deadline. What is no whole, well-formed answer with status 200 counts as
not live, in words that name no credential: no answer, a redirect, 401, 403, 5xx, an incomplete search.
"""

from __future__ import annotations

import math
import re
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from setpoint.change.emergency.restore_probe import ask_probe
from setpoint.client.plane.openings import ask
from setpoint.client.plane.proxies import LOOPBACK
from setpoint.client.secret_files import read_secret
from setpoint.errors import SetpointError, UsageError
from setpoint.govern.checkpoints.readings import Child, Issue, Readings, Unread
from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from setpoint.govern.checkpoints.calendar import Calendar
    from setpoint.settings import Settings

#: For all pages of one source together.
SOURCE_S = 30.0
_MOST_PAGES = 100
_LARGEST_BYTES = 8 * 2**20
_TOKEN = re.compile(r"[\x21-\x7e]+")
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
            raise NotLive(f"network: {printable(str(problem))}") from None
        except SetpointError as problem:
            raise NotLive(f"{problem.code}: {printable(problem.message)}") from None

    def _joined(self, path: str) -> str:
        """Return the address of a path; what leads elsewhere is refused, as the credential would follow."""
        url = urljoin(f"{self.address.rstrip('/')}/", path)
        if urlsplit(url)[:2] != urlsplit(self.address)[:2]:
            raise NotLive("its next page is at another address")
        return url


@dataclass(frozen=True)
class Sources:
    """The routes of a calendar."""

    calendar: Calendar
    github: Route
    openproject: Route

    def read(self, now: datetime) -> Readings:
        """Ask every source; what cannot be read says why in its place."""
        return Readings(
            now,
            read_issues(self.calendar, self.github),
            read_epic(self.calendar, self.openproject),
            read_children(self.calendar, self.openproject),
            printable(ask_probe(self.calendar.console.address).rstrip(".")),
        )


def open_sources(calendar: Calendar, settings: Settings, within_s: float = math.inf) -> Sources:
    """Return the routes of a calendar with the credentials that the settings name.

    Args:
        calendar: whose routes.
        settings: name the files of its credentials.
        within_s: all that is asked over the routes ends so many seconds from now; what did not is not live.

    Raises:
        UsageError: a credential cannot be read, or would travel over unencrypted http.
    """
    github = _secret(settings.github_token_file, "SETPOINT_GITHUB_TOKEN_FILE", calendar.github.address)
    project = _secret(
        settings.openproject_token_file, "SETPOINT_OPENPROJECT_TOKEN_FILE", calendar.openproject.address
    )
    last_s = time.monotonic() + within_s
    basic = b64encode(f"apikey:{project}".encode()).decode()
    return Sources(
        calendar,
        _route(
            calendar.github.address,
            f"Bearer {github}" if github else "",
            {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
            last_s,
        ),
        _route(
            calendar.openproject.address,
            f"Basic {basic}" if project else "",
            {"Accept": "application/hal+json"},
            last_s,
        ),
    )


def issues_path(calendar: Calendar) -> str:
    """Return the search for open issues with the calendar's label that name its story."""
    github = calendar.github
    asked = f"repo:{github.repository} is:issue is:open label:{github.label} {calendar.story}"
    return f"search/issues?{urlencode({'q': asked, 'per_page': 100}, quote_via=quote)}"


def epic_path(calendar: Calendar) -> str:
    """Return where the Epic is."""
    return f"api/v3/work_packages/{calendar.openproject.epic}"


def children_path(calendar: Calendar) -> str:
    """Return the search for the Epic's children, percent-encoded as the readiness document has it."""
    filters = f'[{{"parent":{{"operator":"=","values":["{calendar.openproject.epic}"]}}}}]'
    return f"api/v3/work_packages?filters={quote(filters, safe='')}"


def read_issues(calendar: Calendar, route: Route) -> tuple[Issue, ...] | Unread:
    """Return the open issues; an answer that says it is incomplete counts as none."""
    try:
        found = []
        ends_at = time.monotonic() + SOURCE_S
        for page in _pages(route, issues_path(calendar), ends_at, _next_link):
            if page.get("incomplete_results") is not False:
                return Unread("the search is incomplete")
            found += [
                Issue(_number(one["number"]), _text(one["title"]), _text(one["html_url"]))
                for one in page["items"]
                if one["state"] == "open" and "pull_request" not in one
            ]
        return tuple(found)
    except NotLive as problem:
        return Unread(str(problem))
    except (KeyError, TypeError, AttributeError, ValueError):
        return Unread("an answer that is not GitHub's")


def read_epic(calendar: Calendar, route: Route) -> str | Unread:
    """Return the Epic's status."""
    try:
        status = status_of(route.get(epic_path(calendar), time.monotonic() + SOURCE_S)[0])
    except NotLive as problem:
        return Unread(str(problem))
    except (TypeError, AttributeError):
        return Unread("an answer that is not OpenProject's")
    return status or Unread("it tells no status")


def read_children(calendar: Calendar, route: Route) -> tuple[Child, ...] | Unread:
    """Return the Epic's children, of all pages."""
    try:
        return tuple(
            Child(_number(one["id"]), _text(one["subject"]), status_of(one))
            for page in pages_by_offset(route, children_path(calendar), time.monotonic() + SOURCE_S)
            for one in page["_embedded"]["elements"]
        )
    except NotLive as problem:
        return Unread(str(problem))
    except (KeyError, TypeError, AttributeError, ValueError):
        return Unread("an answer that is not OpenProject's")


def status_of(package: Mapping[str, Any]) -> str:
    """Return a work package's status: the embedded name, else the link's title; empty where neither is."""
    embedded = ((package.get("_embedded") or {}).get("status") or {}).get("name")
    linked = ((package.get("_links") or {}).get("status") or {}).get("title")
    return printable(embedded or linked or "") if isinstance(embedded or linked, str) else ""


def pages_by_offset(route: Route, path: str, ends_at: float) -> Iterator[Any]:
    """Yield each page of a collection of OpenProject.

    Raises:
        NotLive: one of them cannot be read, or they do not end.
    """
    return _pages(route, path, ends_at, _next_offset)


def _pages(
    route: Route, path: str, ends_at: float, next_of: Callable[[Any, Mapping[str, str]], str | None]
) -> Iterator[Any]:
    for _ in range(_MOST_PAGES):
        page, headers = route.get(path, ends_at)
        yield page
        following = next_of(page, headers)
        if not following:
            return
        path = following
    raise NotLive(f"more than {_MOST_PAGES} pages")


def _next_link(_page: Any, headers: Mapping[str, str]) -> str | None:
    found = _NEXT.search(headers.get("link", ""))
    return found[1] if found else None


def _next_offset(page: Any, _headers: Mapping[str, str]) -> str | None:
    following = (page.get("_links") or {}).get("nextByOffset")
    return _text(following["href"]) if following else None


def _text(told: object) -> str:
    if not isinstance(told, str):
        raise TypeError
    return printable(told)


def _number(told: object) -> int:
    if not isinstance(told, int):
        raise TypeError
    return told


def _route(address: str, authorization: str, headers: Mapping[str, str], last_s: float) -> Route:
    given = {"Authorization": authorization} if authorization else {}
    return Route(address, {**headers, **given}, bool(authorization), last_s)


def _secret(path: str, variable: str, address: str) -> str:
    """Return the token of a file; empty where no file is named.

    Raises:
        UsageError: it cannot be read, is none, or would travel unencrypted.
    """
    if not path:
        return ""
    text = read_secret(path, variable)
    if not _TOKEN.fullmatch(text):
        raise UsageError(f"{variable}={path} holds no token.", hint="write the token alone into it")
    parts = urlsplit(address)
    if parts.scheme != "https" and not LOOPBACK.fullmatch(parts.hostname or ""):
        raise UsageError(
            f"the token of {variable} may not travel to {parts.hostname} over unencrypted http.",
            hint="write the address in the calendar with https",
        )
    return text
