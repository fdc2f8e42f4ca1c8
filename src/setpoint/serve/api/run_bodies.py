"""SERVE: what a training machine reports: the models of plans, journal entries, outcomes and events.

Guarantees: what passes can be recorded whole, so that nothing is half-written and no later verdict or
report stumbles over it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from setpoint.client.results import Attested, Receipt, RunOutcome, UnitEntry
from setpoint.client.run_plan import RunPlan
from setpoint.client.snapshot_set import MOST_CONTEXTS
from setpoint.govern.verdict import Rule
from setpoint.record.events import Delivered
from setpoint.serve.models import Models, Shape, shape_of
from setpoint.serve.routes import LONGEST_NAME, Body, Value

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Layer(Body):
    """Where some of a snapshot's values came from."""

    scope: Name
    revision: Annotated[int, Field(ge=1, le=2**63 - 1)] | None
    hash: Hash
    author: Name
    written_at: str = Field("", max_length=40, description="When the revision was written, in UTC.")
    change: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    keys: dict[Name, Value] = Field(max_length=10_000)


class Member(Body):
    """One context of a snapshot set; `hash` names its text."""

    context: dict[Name, Name] = Field(max_length=50)
    hash: Hash
    layers: list[Layer] = Field(min_length=1, max_length=50)


class SnapshotSetBody(Body):
    """The content of a snapshot set's file; `hash` names its contexts with their snapshots."""

    format: Name
    hash: Hash
    catalogues: list[dict[Name, Name]] = Field(max_length=50)
    texts: dict[Hash, str] = Field(max_length=MOST_CONTEXTS)
    members: list[Member] = Field(min_length=1, max_length=MOST_CONTEXTS)


#: JSON has lists, no tuples: a unit is sent as the values of its fields.
_UnitList = Annotated[
    tuple[Name, Name, Name, Name, Annotated[int, Field(ge=0, le=2**31 - 1)]], Field(strict=False)
]
_UnitLists = Annotated[list[_UnitList], Field(min_length=1, max_length=20_000)]
_LAST = 2**31 - 1
#: Who reports does not judge invariants.
bodies = Models(
    Body,
    {
        "RunPlan.units": _UnitLists,
        "RunPlan.rule": Models(Body).of(Rule),
        "UnitEntry.unit": _UnitList,
        "ParamFinding.finding": Attested,
    },
)
PlanBody = bodies.of(RunPlan)
EntryBody = bodies.of(UnitEntry)
OutcomeBody = bodies.of(RunOutcome)


class StartBody(Body):
    """A run that starts, or goes on."""

    plan: PlanBody  # type: ignore[valid-type]  # made at run time
    snapshots: SnapshotSetBody
    n_units: int | None = Field(None, ge=1, le=_LAST, description="All; null: those of the plan.")


class UnitsBody(Body):
    """More units of a run, the first of them at a position."""

    first: Annotated[int, Field(ge=0, le=_LAST)]
    units: _UnitLists


class ReportedShape(Shape):
    """A report that was taken: what it is about."""

    run: str


class EndedShape(ReportedShape):
    """What became of each unit, in their order, and of the lines."""

    units: list[shape_of(Receipt)]  # type: ignore[valid-type]  # made at run time
    events: shape_of(Delivered) | None  # type: ignore[valid-type]  # made at run time


class EventBody(Body):
    """One line of a spool, and where it begins there, in bytes."""

    sequence: Annotated[int, Field(ge=0, le=2**63 - 1)]
    line: str


class EventsBody(Body):
    """A batch of lines of one spool; in any order, and any of them may have been sent before."""

    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{8,200}$")]
    events: list[EventBody] = Field(min_length=1, max_length=1000)


class EndedBody(Body):
    """Units that ended: one, which is refused aloud, or a batch, and lines of their run's spool."""

    entry: EntryBody | None = None  # type: ignore[valid-type]  # made at run time
    entries: list[EntryBody] | None = Field(None, min_length=1, max_length=500)  # type: ignore[valid-type]  # as above
    events: EventsBody | None = None


def as_recorded(body: Body) -> dict[str, Any]:
    """Return a body as JSON: what was not given is not there."""
    return body.model_dump(exclude_unset=True)
