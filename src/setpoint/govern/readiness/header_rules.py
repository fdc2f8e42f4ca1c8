"""GOVERN: what a readiness file says of itself: its story, its owner, who judged it, what it closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.govern.readiness.case import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.govern.readiness.case import Case


def story(case: Case) -> Iterator[Problem]:
    """The header names the story."""
    if not case.form.header.story:
        yield Problem(case.form.header.number, "the header names no story", "write `Story : NAME`")


def owner(case: Case) -> Iterator[Problem]:
    """The header names a person as owner."""
    if not case.form.header.owner.startswith("@"):
        yield Problem(case.form.header.number, "the header names no owner", "write `Owner : @NAME`")


def filled_on(case: Case) -> Iterator[Problem]:
    """The header says on which day the file was filled in, and that day is not to come."""
    day = case.form.header.filled_on
    if day is None:
        yield Problem(case.form.header.number, "no day says when it was filled in", "write `Filled on : DAY`")
    elif day > case.at.date():
        yield Problem(case.form.header.number, f"it was filled in on {day}, which is to come", "mend the day")


def plan_review(case: Case) -> Iterator[Problem]:
    """The committee's `plan_review` passed; before the pull request opens a SKIP may say why none was."""
    number = case.form.header.number
    held = [one for one in case.form.reviews if one.kind == "plan_review"]
    if not held:
        if not (case.form.header.no_review and case.phase == "opening"):
            yield Problem(
                number,
                "`Reviewed by committee` names no plan_review",
                "add `- plan_review (DAY) — session ID PASSED, WORD consensus, N experts, N recommendations"
                " addressed`",
            )
    elif not any(one.verdict == "PASSED" for one in held):
        yield Problem(held[-1].number, "no plan_review PASSED", "mend the plan, and have it judged again")


def plan_review_told(case: Case) -> Iterator[Problem]:
    """A `plan_review` is told whole: day, session, verdict, consensus, experts, recommendations addressed."""
    for one in case.form.reviews:
        if one.kind == "plan_review":
            told = {
                "day": one.held_on,
                "session id": one.session,
                "verdict": one.verdict,
                "consensus": one.consensus,
                "number of experts": one.experts,
                "number of recommendations addressed": one.recommendations,
            }
            if lacking := [name for name, value in told.items() if value in {None, ""}]:
                yield Problem(
                    one.number, f"this plan_review names no {', no '.join(lacking)}", "add what is missing"
                )


def references(case: Case) -> Iterator[Problem]:
    """`OP wp#` and `Closes #` are there before the request opens; an exceptional file back-fills them."""
    header = case.form.header
    if case.phase == "opening" and header.is_exceptional:
        return
    for name, value in (("OP wp#", header.work_package), ("Closes #", header.issue)):
        if value is None:
            yield Problem(
                header.number,
                f"the header has no `{name}` with a number"
                + (": it was to be back-filled before the merge gate" if header.is_exceptional else ""),
                f"add `{name}N` to the story"
                + ("" if case.phase != "opening" else ", or say that it is exceptionally tracked afterwards"),
            )
