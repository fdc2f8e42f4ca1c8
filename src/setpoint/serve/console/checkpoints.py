"""SERVE: the page of dated checkpoints: when each is due, what was seen, what closes it, and what is owed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import Path, Request
from starlette.responses import Response

from setpoint.change.emergency.dues import list_dues
from setpoint.change.emergency.mechanisms import title_of
from setpoint.change.freezes import MOST_AT_ONCE, list_freezes
from setpoint.errors import InvalidValue, ProofNeeded, SetpointError, UnauthenticatedError
from setpoint.govern.checkpoints.calendar import OPTIONS
from setpoint.govern.checkpoints.conditions import HOLDS_WHEN
from setpoint.govern.checkpoints.decisions import decide
from setpoint.govern.checkpoints.drafts import Decided
from setpoint.govern.checkpoints.records import read_clock, read_report
from setpoint.govern.checkpoints.sources import open_sources
from setpoint.govern.checkpoints.standings import is_in_use, told
from setpoint.serve.access.rules import ANYONE, Caller, access
from setpoint.serve.console.forms import Sent, reason_in, typed_in
from setpoint.serve.console.months import Mark, months_of
from setpoint.serve.console.pages import go, needs_role, page, router_of
from setpoint.serve.routes import PlaneOf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.change.emergency.dues import Due
    from setpoint.change.freezes import Freeze
    from setpoint.govern.checkpoints.calendar import Option
    from setpoint.govern.checkpoints.drafts import Draft
    from setpoint.govern.checkpoints.judgement import Report, State
    from setpoint.serve.access.rules import Principal
    from setpoint.serve.console.forms import Form
    from setpoint.serve.console.months import Tone
    from setpoint.serve.plane import Plane

router = router_of()
DECIDERS = ("config_write", "approver", "admin")
_TONES: dict[State, Tone] = {
    "failing": "bad",
    "passed": "good",
    "decided": "good",
    "reverted": "good",
    "waived": "warn",
    "parked": "warn",
}
#: A form holds a thread of the plane: what the tracker did not take by then, the same form finds or posts.
DECIDED_WITHIN_S = 10.0


@router.get("/checkpoints", **access(*ANYONE))
def show_checkpoints(plane: PlaneOf, request: Request, caller: Caller) -> Response:
    """Show each checkpoint with its countdown, evidence and what closes it, and everything that is owed."""
    return _shown(plane, request, caller)


@router.post("/checkpoints/{checkpoint}/decide", **access(*DECIDERS))
def send_decision(
    plane: PlaneOf, request: Request, caller: Caller, checkpoint: Annotated[str, Path()], form: Sent
) -> Response:
    """Log the decision that closes a checkpoint: its comments are posted, then it is recorded.

    What the plane's credential may not post is shown, to be posted by hand: the same form then finds it.
    """
    try:
        one = plane.calendar.named(checkpoint)
        decided = Decided(one, _option_in(form), reason_in(form), form.get("review"), caller.account)
        begin = partial(plane.database.transaction, credential=caller.secret)
        sources = open_sources(plane.calendar, plane.settings, DECIDED_WITHIN_S)
        logged = decide(begin, sources, decided)
    except (UnauthenticatedError, ProofNeeded):
        raise
    except SetpointError as problem:
        return _shown(plane, request, caller, problem=problem, form=form)
    if logged.is_recorded:
        return go("/checkpoints")
    drafts = tuple(zip(logged.drafts, logged.refusals, strict=True))
    return _shown(plane, request, caller, form=form, drafts=drafts)


def _option_in(form: Form) -> Option:
    """Return what is chosen, which is kept for ever, so that nothing stands in for what is not known."""
    chosen = form.get("option")
    for option in OPTIONS:
        if option == chosen:
            return option
    raise InvalidValue(f"{chosen!r} decides nothing.", hint=f"one of {', '.join(OPTIONS)}")


def _shown(
    plane: Plane,
    request: Request,
    caller: Principal,
    *,
    problem: SetpointError | None = None,
    form: Form | None = None,
    drafts: tuple[tuple[Draft, str], ...] = (),
) -> Response:
    report = report_in_use(plane)
    owed = list_dues(plane.database)
    standings = told(report).checkpoints if report else ()
    marks = _marks(report, owed, list_freezes(plane.database, limit=MOST_AT_ONCE))
    return page(
        request,
        "checkpoints.html",
        problem=problem,
        tables={"checkpoints": standings, "owed": owed},
        report=report,
        owed=owed,
        marks=marks,
        months=months_of(marks, read_clock(plane.database)),
        drafts=drafts,
        title_of=title_of,
        holds_when=HOLDS_WHEN,
        refusal=needs_role(caller, *DECIDERS),
        typed=typed_in(form, ("option", "review", "words")),
    )


def _marks(report: Report | None, owed: Sequence[Due], freezes: Sequence[Freeze]) -> tuple[Mark, ...]:
    """Return the dates of the page, by instant, each with the row that tells it."""
    found = [
        Mark(one.at, f"{one.checkpoint.name} {one.state}", f"#checkpoint-{number}", _TONES.get(one.state, ""))
        for number, one in enumerate(report.standings if report else (), 1)
    ]
    for number, due in enumerate(owed, 1):
        if due.due_at:
            said, tone = f"{title_of(due.of)}: {due.what}", _urgency(due)
            found.append(Mark(due.due_at, said, f"#owed-{number}", tone))
    for one in freezes:
        said = f"freeze of {'every scope' if one.scope == '*' else one.scope}"
        found.append(Mark(one.starts_at, said, f"/freezes#freeze-{one.id}", "warn", one.ends_at))
    return tuple(sorted(found, key=lambda mark: mark.at))


def _urgency(due: Due) -> Tone:
    return "bad" if due.overdue else "warn"


def report_in_use(plane: Plane) -> Report | None:
    """Return how the plane's calendar stands; None while nobody uses one."""
    report = read_report(plane.database, plane.calendar)
    return report if is_in_use(report, plane.settings) else None
