"""SERVE: what a training machine reports: the models of plans, journal entries, outcomes and events.

Guarantees: what passes can be recorded whole, so that nothing is half-written and no later verdict or
report stumbles over it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, FiniteFloat

from setpoint.client.results import Attested, UnitResult
from setpoint.client.snapshot_set import MOST_CONTEXTS
from setpoint.serve.models import Models
from setpoint.serve.routes import LONGEST_NAME, Body, Value

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Text = Annotated[str, Field(max_length=20_000)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: The ranges of PostgreSQL's integer and bigint.
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Wide = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
#: A unit by the order of its fields: symbol, model, timeframe, variant, fold.
UnitName = Annotated[tuple[Name, Name, Name, Name, Count], Field(strict=False)]  # JSON has lists, no tuples
MOST_UNITS = 20_000


class Rule(Body):
    """The rule of the canary verdict."""

    aggregation: Literal["mean", "median", "worst"]
    pass_f1: FiniteFloat
    pass_assets: Count
    rollback_f1: FiniteFloat
    min_assets: Count
    min_skill: FiniteFloat


class Candles(Body):
    """The market data of one symbol."""

    hash: Name
    source: Literal["real", "proxy", "synthetic"]
    symbol_used: Name
    bars: Count
    findings: list[Text] = Field(max_length=1000)


class ExerciseBody(Body):
    """The key whose fallback a run exercises, and the last day on which it may."""

    key: Name
    until: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class PlanBody(Body):
    """A run as it was decided before its first fit: the content of its `plan.json`."""

    run: str
    started_at: Name
    snapshot_hash: Hash
    set_hash: Hash
    dimensions: list[Literal["symbol", "model", "timeframe", "fold"]] = Field(max_length=4)
    units: list[UnitName] = Field(min_length=1, max_length=MOST_UNITS)
    market_folder: Text
    data: dict[Name, Candles] = Field(min_length=1, max_length=1000)
    universe: Name
    rule: Rule
    read_keys: list[Name] = Field(max_length=10_000)
    seed: Wide
    threads: Annotated[Count, Field(ge=1)]
    processes: Annotated[Count, Field(ge=1)]
    versions: dict[Name, Name] = Field(max_length=200)
    git_commit: Name
    host: Annotated[str, Field(max_length=LONGEST_NAME)]
    exercise: ExerciseBody | None = None


class Layer(Body):
    """Where some of a snapshot's values came from."""

    scope: Name
    revision: Annotated[int, Field(ge=1, le=2**63 - 1)] | None
    hash: Hash
    author: Name
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


class StartBody(Body):
    """A run that starts, or goes on."""

    plan: PlanBody
    snapshots: SnapshotSetBody


class Failure(Body):
    """Why a unit could not be trained."""

    code: Name
    message: Text


class Scores(Body):
    """Metrics on one part of a fold, by name; `auc` is what verdicts read."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, FiniteFloat | None]

    auc: Share


class Trades(Body):
    """Trading on the test rows at one cost assumption."""

    n_trades: Count
    return_: FiniteFloat = Field(alias="return")
    sortino: FiniteFloat | None
    win_rate: FiniteFloat | None
    expectancy: FiniteFloat | None


class Metrics(Body):
    """Every metric of a unit."""

    val: Scores
    test: Scores
    trades: dict[Name, Trades] = Field(max_length=50)


#: Metrics have a model of their own, for their names are open; who reports does not judge invariants.
bodies = Models(Body, {"UnitResult.metrics": Metrics, "Finding.finding": Attested})
ResultBody = bodies.of(UnitResult)


class EntryBody(Body):
    """The journal entry of one unit that ended: a result or a failure."""

    unit: UnitName
    result: ResultBody | None = None  # type: ignore[valid-type]  # made of UnitResult at run time
    failure: Failure | None = None
    read_keys: list[Name] = Field(max_length=10_000)
    fallbacks: dict[Name, Count] = Field(max_length=10_000)


class UnitBody(Body):
    """One unit that ended."""

    entry: EntryBody


class OutcomeBody(Body):
    """How a run ended, the keys it read, and in how many of its units each key fell back."""

    state: Literal["complete", "interrupted", "failed"]
    read_keys: list[Name] = Field(max_length=10_000)
    fallbacks: dict[Name, Count] = Field(max_length=10_000)


class EventBody(Body):
    """One line of a spool, and where it begins there, in bytes."""

    sequence: Annotated[int, Field(ge=0, le=2**63 - 1)]
    line: str


class EventsBody(Body):
    """A batch of lines of one spool; in any order, and any of them may have been sent before."""

    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{8,200}$")]
    events: list[EventBody] = Field(min_length=1, max_length=1000)


def as_recorded(body: Body) -> dict[str, Any]:
    """Return a body as `change.runs` takes it: what was not given is not there."""
    return body.model_dump(by_alias=True, exclude_unset=True)
