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
from urllib.parse import quote, urlencode, urlsplit

from setpoint.change.emergency.restore_probe import ask_probe
from setpoint.client.plane.proxies import LOOPBACK
from setpoint.client.secret_files import read_secret
from setpoint.errors import UsageError
from setpoint.govern.checkpoints.readings import Child, Issue, Readings, Unread
from setpoint.govern.checkpoints.route import (
    SOURCE_S,
    NotLive,
    Route,
    next_link,
    pages_by_offset,
    pages_of,
    text_in,
)
from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from setpoint.govern.checkpoints.calendar import Calendar
    from setpoint.settings import Settings

_TOKEN = re.compile(r"[\x21-\x7e]+")


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
    """Return the open issues by the search; an answer that says it is incomplete counts as none."""
    try:
        ends_at = time.monotonic() + SOURCE_S
        pages = [*pages_of(route, issues_path(calendar), ends_at, next_link)]
        if any(page.get("incomplete_results") is not False for page in pages):
            return Unread("the search is incomplete")
        return _open_issues(one for page in pages for one in page["items"])
    except NotLive as problem:
        return Unread(str(problem))
    except (KeyError, TypeError, AttributeError, ValueError):
        return Unread("an answer that is not GitHub's")


def list_issues(calendar: Calendar, route: Route) -> tuple[Issue, ...]:
    """Return the open issues of the label that name the story, by the list of issues: it does not lag.

    Raises:
        NotLive: they cannot be read.
    """
    github = calendar.github
    asked = urlencode({"labels": github.label, "state": "open", "per_page": 100}, quote_via=quote)
    path, ends_at = f"repos/{github.repository}/issues?{asked}", time.monotonic() + SOURCE_S
    try:
        listed = [one for page in pages_of(route, path, ends_at, next_link) for one in page]
        return _open_issues(
            one for one in listed if calendar.story in text_in(one["title"]) + text_in(one["body"] or "")
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise NotLive("an answer that is not GitHub's") from None


def _open_issues(told: Iterable[Mapping[str, Any]]) -> tuple[Issue, ...]:
    """Return what is open and no pull request."""
    return tuple(
        Issue(_number(one["number"]), text_in(one["title"]), text_in(one["html_url"]))
        for one in told
        if one["state"] == "open" and "pull_request" not in one
    )


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
            Child(_number(one["id"]), text_in(one["subject"]), status_of(one))
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
