"""GOVERN: what is written to GitHub and OpenProject: an issue, and comments on work packages.

Guarantees: nothing is sent without a credential, nor twice: a comment that stands there is found by its last
line. What a tracker refuses was not written.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from setpoint.govern.checkpoints.sources import SOURCE_S, NotLive, pages_by_offset
from setpoint.observe.printable import printable

if TYPE_CHECKING:
    from setpoint.govern.checkpoints.drafts import Draft
    from setpoint.govern.checkpoints.sources import Sources


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
