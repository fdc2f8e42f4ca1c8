"""GOVERN: decisions: what closes a checkpoint that fired, logged as a comment where the calendar says.

Guarantees: a decision is recorded when every comment it needs can be read at its work package, and not
before; posting is tried with the one credential, and what it may not post is handed back as a draft, to be
posted by hand and found by the next call. Refuses a second waiver, a choice that the checkpoint does not
offer, and at the hard checkpoint a decision without an open issue or without a review.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import ConflictError, ForbiddenError, InvalidValue
from setpoint.govern.checkpoints.drafts import Decided, Draft, comment_text, marker
from setpoint.govern.checkpoints.judgement import waiver_end
from setpoint.govern.checkpoints.readings import utc_text
from setpoint.govern.checkpoints.records import read_clock, read_log
from setpoint.govern.checkpoints.route import NotLive
from setpoint.govern.checkpoints.sources import list_issues
from setpoint.govern.checkpoints.trackers import find_comment, post_comment, posted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime
    from uuid import UUID

    from setpoint.govern.checkpoints.calendar import Calendar
    from setpoint.govern.checkpoints.judgement import Entry
    from setpoint.govern.checkpoints.readings import Issue
    from setpoint.govern.checkpoints.sources import Sources
    from setpoint.store.database import Transaction

_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{5,63}")


class Logged(NamedTuple):
    """What became of a decision."""

    #: In force: every comment stands.
    is_recorded: bool
    #: Addresses of the comments that stand.
    comments: tuple[str, ...]
    #: What somebody has to post by hand before it counts, and why it was not posted.
    drafts: tuple[Draft, ...] = ()
    refusals: tuple[str, ...] = ()


def require_decidable(
    calendar: Calendar, decided: Decided, log: list[Entry], now: datetime, *, issues: int
) -> None:
    """Hold that a decision may be made.

    Args:
        calendar: of the checkpoint.
        decided: what somebody decides.
        log: of the calendar.
        now: the instant.
        issues: how many are open with its label.

    Raises:
        ConflictError: the checkpoint did not fire, was decided, or has no open issue.
        InvalidValue: it does not offer the option, or a reason or review is missing.
        ForbiddenError: a second waiver, or one that would be over.
    """
    one, name = decided.checkpoint, decided.checkpoint.name
    events = {entry.event for entry in log if entry.checkpoint == name}
    if "fired" not in events or "decided" in events:
        why = "is decided already" if "decided" in events else "has not fired: there is nothing to decide"
        raise ConflictError(f"{name} {why}.", hint="`setpoint checkpoints` says how each stands")
    if decided.option == "waiver" and any(entry.option == "waiver" for entry in log):
        raise ForbiddenError(
            f"{calendar.name} had its waiver: it is single-use.", hint=f"revert PR #{calendar.pull_request}"
        )
    if decided.option not in one.options:
        raise InvalidValue(f"{name} offers no {decided.option!r}.", hint=f"one of {', '.join(one.options)}")
    if decided.option == "waiver" and now >= waiver_end(calendar, one):
        raise ForbiddenError(
            f"a waiver at {name} would have ended at {utc_text(waiver_end(calendar, one))}.",
            hint=f"revert PR #{calendar.pull_request}, or park",
        )
    if not decided.reason.strip():
        raise InvalidValue("a decision has a reason.", hint="give it with --reason")
    if one.needs_review and not _SESSION.fullmatch(decided.review):
        raise InvalidValue(
            f"{name} needs the session id of a pr_review that re-evaluates the rollback gap.",
            hint="run the review, and give its session with --review",
        )
    if one.needs_issue and not issues:
        raise ConflictError(
            f"{name} needs an open issue with the label {calendar.github.label} first, and none can be seen.",
            hint=f"open it as `setpoint checkpoint draft {name}` prints it",
        )


def decide(
    begin: Callable[[], AbstractContextManager[Transaction]], sources: Sources, decided: Decided
) -> Logged:
    """Post the comments of a decision, and record it when all of them stand; safe to repeat.

    Whether whoever speaks may decide is judged before anything is posted, and again when it is recorded. Of
    two at once one posts: the other is told who is at it.

    Args:
        begin: begins a transaction of whoever decides; none is open while a tracker is asked.
        sources: of the calendar.
        decided: what is decided.

    Raises:
        As ``require_decidable``; ConflictError also when somebody else is deciding it now, ForbiddenError
        when whoever speaks may not decide, ProofNeeded when their session was not proven lately.
    """
    calendar = sources.calendar
    issues: tuple[Issue, ...] = ()
    if decided.checkpoint.needs_issue:
        with suppress(NotLive):
            issues = list_issues(calendar, sources.github)
    asked = {"calendar": calendar.name, "checkpoint": decided.checkpoint.name, "option": decided.option}

    def claim(held: UUID | None = None) -> UUID:
        with begin() as transaction:
            log, now = read_log(transaction, calendar), read_clock(transaction)
            require_decidable(calendar, decided, log, now, issues=len(issues))
            claimed: UUID = (transaction.fetch_one("claim_posting", **asked, held=held) or {})["claim"]
            return claimed

    held = claim()
    try:
        found = log_comments(sources, decided, lambda: claim(held))
        if found.is_recorded:
            with begin() as transaction:
                evidence = list(found.comments)
                transaction.fetch_one("decide_checkpoint", **asked, said=decided.reason, evidence=evidence)
    finally:
        with begin() as transaction:
            transaction.fetch_one("release_posting", held=held)
    return found


def log_comments(sources: Sources, decided: Decided, hold: Callable[[], object]) -> Logged:
    """Find or post the comments of a decision; ``hold`` is asked before a post, and raises to forbid it."""
    calendar, one = sources.calendar, decided.checkpoint
    text = comment_text(calendar, decided, utc_text(waiver_end(calendar, one)))
    comments, drafts, refusals = [], [], []
    for package in one.comments:
        try:
            find = partial(find_comment, sources, package, marker(calendar, decided))
            there = find()
            if not there:
                hold()
            comments.append(there or posted(partial(post_comment, sources, package, text), find))
        except NotLive as problem:
            where = f"{calendar.openproject.address}/work_packages/{package}/activity"
            drafts.append(Draft(where, f"comment on work package {package}", text))
            refusals.append(str(problem))
    return Logged(not drafts, tuple(comments), tuple(drafts), tuple(refusals))
