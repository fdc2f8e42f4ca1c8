"""GOVERN: what is written to GitHub and OpenProject: an issue, and comments on work packages.

Guarantees: nothing is sent without a credential, nor twice: a comment that stands there is found by its last
line, an issue in the list of its label; where the answer to a post is lost, both are looked for once more.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from setpoint.govern.checkpoints.route import SOURCE_S, NotLive, pages_by_offset
from setpoint.govern.checkpoints.sources import list_issues
from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.govern.checkpoints.drafts import Draft
    from setpoint.govern.checkpoints.sources import Sources


def posted(post: Callable[[], str], find: Callable[[], str]) -> str:
    """Post something and return its address; where that fails, look whether it stands all the same.

    Raises:
        NotLive: it does not, or nobody can see it.
    """
    try:
        return post()
    except NotLive as problem:
        there = ""
        with suppress(NotLive):
            there = find()
        if not there:
            raise problem from None
        return there


def find_issue(sources: Sources) -> str:
    """Return the address of an open issue of the label that names the story; empty without one.

    Raises:
        NotLive: the issues cannot be read.
    """
    found = list_issues(sources.calendar, sources.github)
    return found[-1].url if found else ""


def open_issue(sources: Sources, draft: Draft) -> str:
    """Open the issue; returns its address.

    Raises:
        NotLive: no credential, or one that may not write; nothing was opened, or nobody knows.
    """
    if not sources.github.has_credential:
        raise NotLive("no credential: SETPOINT_GITHUB_TOKEN_FILE names none")
    github = sources.calendar.github
    made = sources.github.post(
        f"repos/{github.repository}/issues",
        {"title": draft.title, "body": draft.text, "labels": [github.label]},
    )
    return _field(made, "html_url")


def find_comment(sources: Sources, package: int, last_line: str) -> str:
    """Return the address of the comment that ends with a line; empty without one.

    Raises:
        NotLive: the comments cannot be read.
    """
    try:
        for page in pages_by_offset(sources.openproject, _activities(package), time.monotonic() + SOURCE_S):
            for one in page["_embedded"]["elements"]:
                raw = (one.get("comment") or {}).get("raw") or ""
                if raw.rstrip().splitlines()[-1:] == [last_line]:
                    return _address(sources, package, one)
    except (KeyError, TypeError, AttributeError):
        raise NotLive("an answer that is not OpenProject's") from None
    return ""


def post_comment(sources: Sources, package: int, text: str) -> str:
    """Comment on a work package; returns the comment's address.

    Raises:
        NotLive: no credential, or one that may not comment; nothing was posted, or nobody knows.
    """
    if not sources.openproject.has_credential:
        raise NotLive("no credential: SETPOINT_OPENPROJECT_TOKEN_FILE names none")
    made = sources.openproject.post(_activities(package), {"comment": {"raw": text}})
    return _address(sources, package, made)


def _activities(package: int) -> str:
    return f"api/v3/work_packages/{package}/activities"


def _address(sources: Sources, package: int, activity: Any) -> str:
    number = activity["id"] if isinstance(activity, dict) and isinstance(activity.get("id"), int) else 0
    return f"{sources.calendar.openproject.address}/work_packages/{package}/activity#activity-{number}"


def _field(made: Any, name: str) -> str:
    return printable(str(made.get(name, ""))) if isinstance(made, dict) else ""
