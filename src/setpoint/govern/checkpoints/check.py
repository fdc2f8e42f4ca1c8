"""GOVERN: one check: ask the sources, judge, record what is new, and open the issue that is owed.

Guarantees: what is judged is judged at one instant of the database's clock, taken before the first source is
asked; safe to repeat and to run twice at once: a checkpoint is judged once. An issue is opened only where the
search and the list of its label have none, none was opened by an earlier check, and no other check is at it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.checkpoints.drafts import issue_draft
from setpoint.govern.checkpoints.judgement import judge
from setpoint.govern.checkpoints.readings import utc_text
from setpoint.govern.checkpoints.records import read_clock, read_log, read_report
from setpoint.govern.checkpoints.route import NotLive
from setpoint.govern.checkpoints.trackers import find_issue, open_issue, posted

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from setpoint.change.identity import Author
    from setpoint.govern.checkpoints.drafts import Draft
    from setpoint.govern.checkpoints.judgement import Report, Standing
    from setpoint.govern.checkpoints.sources import Sources
    from setpoint.store.database import Database, Transaction


class Checked(NamedTuple):
    """How a calendar stands after a check, and what the check did or left to a person."""

    report: Report
    #: The issue that was opened by this check; empty for none.
    opened: str = ""
    #: The issue that somebody has to open, and why this check did not.
    draft: Draft | None = None
    refusal: str = ""


def check(database: Database, sources: Sources, author: Author) -> Checked:
    """Ask every source and record what the answers mean.

    Raises:
        ForbiddenError: whoever speaks may not record.
    """
    calendar = sources.calendar
    now = read_clock(database)
    readings = sources.read(now)
    with database.transaction(author=author.name) as transaction:
        transaction.fetch_one("note_readings", calendar=calendar.name, readings=readings.plain())
        found = judge(calendar, now, readings, read_log(transaction, calendar))
        _record(transaction, found)
        report = read_report(transaction, calendar)
    owed = _owed_issue(report, readings.issues == ())
    return Checked(report) if owed is None else _open_once(database, sources, author, report, owed)


def _open_once(
    database: Database, sources: Sources, author: Author, report: Report, owed: Standing
) -> Checked:
    """Open the issue that is owed, unless another check is at it, or it is there by now."""
    asked = {"calendar": report.calendar.name, "checkpoint": owed.checkpoint.name, "option": None}

    def claim(held: UUID | None = None) -> UUID | None:
        with database.transaction(author=author.name) as transaction:
            told = transaction.fetch_one("claim_posting", **asked, held=held) or {}
            return None if read_report(transaction, report.calendar).issue else told["claim"]

    if not (held := claim()):
        return Checked(report)
    draft = issue_draft(report.calendar, owed)
    try:
        # The search lags, so the list is asked; nothing is posted on a claim that another took over since.
        is_there = find_issue(sources) or not (held := claim(held))
        url = "" if is_there else posted(lambda: open_issue(sources, draft), lambda: find_issue(sources))
    except NotLive as problem:
        with database.transaction(author=author.name) as transaction:
            transaction.fetch_one("release_posting", held=held)
        return Checked(report, "", draft, str(problem))
    if url:
        with database.transaction(author=author.name) as transaction:
            _say(transaction, report, owed.checkpoint.name, "issue", url)
    return Checked(report, url)


def rehearse(database: Database, sources: Sources, at: datetime) -> Checked:
    """Ask every source and judge as if it were another instant; nothing is recorded or opened."""
    log = [entry for entry in read_log(database, sources.calendar) if entry.at <= at]
    return Checked(judge(sources.calendar, at, sources.read(at), log))


def _record(transaction: Transaction, found: Report) -> None:
    for one in found.standings:
        if one.is_news:
            transaction.fetch_one(
                "judge_checkpoint",
                calendar=found.calendar.name,
                checkpoint=one.checkpoint.name,
                due_at=one.at,
                decide_by=one.at + timedelta(days=one.checkpoint.decide_within_days),
                passed=one.state == "passed",
                evidence=list(one.evidence),
            )
    if found.shipped and not any(entry.event == "shipped" for entry in read_log(transaction, found.calendar)):
        _say(transaction, found, "", "shipped", f"{utc_text(found.now)} the Epic is shipped")


def _say(transaction: Transaction, found: Report, checkpoint: str, event: str, said: str) -> None:
    transaction.fetch_one(
        "log_checkpoint",
        calendar=found.calendar.name,
        checkpoint=checkpoint,
        event=event,
        said=said,
        evidence=[utc_text(found.now)],
    )


def _owed_issue(report: Report, none_is_open: bool) -> Standing | None:
    """Return the checkpoint that fails for want of an issue; None when there is one, or nobody could look."""
    for one in report.standings:
        if one.checkpoint.needs_issue and one.state == "failing" and none_is_open and not report.issue:
            return one
    return None
