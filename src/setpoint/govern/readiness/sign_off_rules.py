"""GOVERN: the sign-off list: nine items in their order, of which some are owed by the merge gate only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.govern.readiness.case import Problem
from setpoint.govern.readiness.form import SIGN_OFF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.readiness.case import Case
    from setpoint.govern.readiness.form import Review

#: How each of the nine begins.
ITEMS = (
    "§1",
    "§2",
    "§3",
    "§4",
    "§5",
    "§6",
    "Dependency declarations",
    "Committee pr_review",
    "Story OP comment",
)
_TBD = re.compile(r"\bTBD\b")
_LINK = re.compile(r"#[0-9]+\b|\b[0-9a-f]{8,40}\b")


def nine_items(case: Case) -> Iterator[Problem]:
    """All nine items are there, in their order."""
    section = case.form.section(SIGN_OFF)
    if section is None:
        yield Problem(case.form.title.number, "there is no sign-off checklist", "add `## Sign-off checklist`")
        return
    begun = [next((one for one in ITEMS if item.said.startswith(one)), "") for item in section.items]
    for one in ITEMS:
        if one not in begun:
            yield Problem(section.number, f"the sign-off list has no item {one}", f"add `- [ ] {one} …`")
    there = [one for one in begun if one]
    if there != [one for one in ITEMS if one in there]:
        yield Problem(section.number, f"the nine items are out of order: {', '.join(there)}", "order them")


def ticked(case: Case) -> Iterator[Problem]:
    """By the merge gate every box is ticked. A copy of a rendered page has lost its boxes."""
    for item in case.form.sign_off:
        if item.is_checked is False:
            yield Problem(item.number, f"not signed off: {item.said}", "tick it when it is so")


def nothing_to_be_done(case: Case) -> Iterator[Problem]:
    """By the merge gate nothing is TBD."""
    for line in case.form.lines:
        if _TBD.search(line.plain):
            yield Problem(line.number, f"TBD stands here: {_around_tbd(line.plain)}", "write what it became")


def _around_tbd(text: str) -> str:
    found = _TBD.search(text)
    return text[max(0, found.start() - 30) : found.end() + 30].strip() if found else ""


def pr_review(case: Case) -> Iterator[Problem]:
    """The committee's `pr_review` PASSED, in a session with an id, between the opening and the merge."""
    held = [one for one in case.form.reviews if one.kind == "pr_review"]
    best = next((one for one in held if one.verdict == "PASSED" and one.session and one.held_on), None)
    if best:
        yield from _in_time(case, best)
        return
    number = held[-1].number if held else case.form.header.number
    yield Problem(
        number,
        "no pr_review PASSED with its session id and its day",
        "write `Committee pr_review PASSED on DAY, session ID`",
    )


def _in_time(case: Case, held: Review) -> Iterator[Problem]:
    header = case.form.header
    ended = (header.merged_at or case.at).date()
    if header.opened_on is None:
        yield Problem(
            header.number,
            "no line says when the pull request was opened, so nothing can be said of the day of its review",
            "write `Pull request : #N, opened DAY`",
        )
    elif held.held_on and not header.opened_on <= held.held_on <= ended:
        yield Problem(
            held.number,
            f"the pr_review of {held.held_on} lies outside the pull request: opened {header.opened_on},"
            f" {'merged' if header.merged_at else 'today'} {ended}",
            "have what is merged judged while it is open",
        )


def sessions_linked(case: Case) -> Iterator[Problem]:
    """A comment on the story links both sessions: that of the plan and that of the pull request."""
    item = next((one for one in case.form.sign_off if one.said.startswith("Story OP comment")), None)
    if item and len(set(_LINK.findall(item.said))) < len(("plan", "pull request")):
        yield Problem(
            item.number,
            "the comment on the story links fewer than both sessions",
            "name both: `(#131 for plan, #140 for PR review)`, or their session ids",
        )
