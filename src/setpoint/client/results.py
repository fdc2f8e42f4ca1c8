"""CLIENT: what one unit reports: the contract from a training process to its row, over HTTP and in SQL.

Guarantees: each column of ``finetune_results`` and ``finetune_trials`` that training fills is one field
here, with its type and bounds. The harness builds these, the journal keeps them as JSON, the plane's models
are derived from them, and the database takes them by field name. A new metric is a field here, a column in
the migration of runs, and what computes it. ``result_parsing`` reads them from JSON. Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from setpoint.errors import SetpointError


class Within(NamedTuple):
    """The bounds of a number, both inclusive; None for none."""

    low: float | None = None
    high: float | None = None


class Sized(NamedTuple):
    """How many characters, items or entries there are, both inclusive."""

    least: int = 0
    most: int | None = None


class Spelled(NamedTuple):
    """The regular expression that a text matches."""

    pattern: str


class Holding(NamedTuple):
    """The entries that an object has at least, by name, with their types; others have its own."""

    #: Of the object.
    name: str
    entries: dict[str, Any]


LONGEST_NAME = 200
Scalar = bool | int | float | str
Name = Annotated[str, Sized(1, LONGEST_NAME)]
Text = Annotated[str, Sized(most=20_000)]
Hash = Annotated[str, Spelled(r"^[0-9a-f]{64}$")]
#: The ranges of PostgreSQL's integer and bigint.
Count = Annotated[int, Within(0, 2**31 - 1)]
Wide = Annotated[int, Within(-(2**63), 2**63 - 1)]
Share = Annotated[float, Within(0, 1)]
Duration = Annotated[float, Within(low=0)]
Params = Annotated[dict[Name, Scalar | None], Sized(most=2000)]

#: What attestation finds; see ``ParamFinding.finding``.
Attested = Literal["differs", "ignored", "no_effect", "library_chose"]
#: The kind of finding that an invariant is which a trial's suggestion broke; recording judges it.
BREAKS_INVARIANT: Literal["breaks_invariant"] = "breaks_invariant"


@dataclass(frozen=True)
class ParamFinding:
    """An asked value that the fitted model does not hold, or that had no effect."""

    param: Name
    #: None when nobody asked.
    asked: Scalar | None
    #: None when the model does not report it.
    effective: Scalar | None
    #: ``differs``, ``ignored`` (asked, not reported), ``no_effect`` (a declared condition does not
    #: hold), ``library_chose`` (derived by the library, nobody asked), or ``breaks_invariant``.
    finding: Attested | Literal["breaks_invariant"]


Findings = Annotated[tuple[ParamFinding, ...], Sized(most=2000)]


@dataclass(frozen=True)
class TrialResult:
    """One tuning trial."""

    trial: Count
    params: Params
    #: What the search maximises; None when the trial failed.
    value: float | None
    state: Name
    n_trees_used: Count | None
    findings: Findings


#: Scores on one part of a fold by name, such as ``f1_buy``; ``auc`` is what verdicts read.
Scores = Annotated[dict[Name, float], Holding("Scores", {"auc": Share})]
#: Trading on the test rows at one cost assumption.
Trades = Annotated[
    dict[Name, float | None],
    Holding(
        "Trades",
        {
            "n_trades": Count,
            "return": float,
            "sortino": float | None,
            "win_rate": float | None,
            "expectancy": float | None,
        },
    ),
]


@dataclass(frozen=True)
class Metrics:
    """Every metric of a unit; what each means is in ``observe.training_metrics``."""

    val: Scores
    test: Scores
    #: By the name of the cost assumption.
    trades: Annotated[dict[Name, Trades], Sized(most=50)]


@dataclass(frozen=True)
class UnitFacts:
    """Which unit of its run a record is about."""

    symbol: Name
    model: Name
    timeframe: Name
    variant: Name
    fold: Count


@dataclass(frozen=True, kw_only=True)
class Result(UnitFacts):
    """The columns of a ``finetune_results`` row that training fills.

    A field that a later release adds has a default, so that a plane takes a result of the release before; and
    a plane of that release is sent the result once more without it.
    """

    #: The number of the trial whose model this is.
    trial_id: Count
    snapshot_hash: Hash
    model_hyperparams: Params
    effective_params: Params
    findings: Findings
    feature_hash: Name
    model_hash: Name
    seed: Wide
    #: As the library reports it; ``n_trees_used`` is the same for all.
    best_iteration: Count | None
    n_trees_used: Count
    stopped_early: bool
    training_time_sec: Duration
    n_train: Count
    n_val: Count
    n_test: Count
    threshold: float
    f1_buy_val: Share
    f1_buy_test: Share
    always_buy_f1_val: Share
    always_buy_f1_test: Share
    metrics: Metrics
    #: How much each searched parameter mattered, by the search library; empty of fewer than two trials.
    importance: Annotated[dict[Name, Share], Sized(most=2000)] = field(default_factory=dict)
    #: The library's evaluator, its release and its seed; empty where nobody said.
    importance_by: Annotated[str, Sized(most=LONGEST_NAME)] = ""


@dataclass(frozen=True)
class UnitResult(Result):
    """The result of one unit, with its trials."""

    trials: Annotated[tuple[TrialResult, ...], Sized(most=20_000)]


class Unit(NamedTuple):
    """The smallest piece of a run that is trained, recorded and resumed; its fields are its name."""

    symbol: Name
    model: Name
    timeframe: Name
    variant: Name
    fold: Count

    def __str__(self) -> str:
        return f"{self.symbol} {self.model} {self.timeframe} {self.variant} fold {self.fold}"


@dataclass(frozen=True)
class UnitFailure:
    """Why a unit could not be trained, with the code of the error."""

    code: Name
    message: Text


#: More keys than any system declares; a run that read them all says so in some 4 MB.
MOST_KEYS = 100_000
ReadKeys = Annotated[list[Name], Sized(most=MOST_KEYS)]


@dataclass(frozen=True)
class UnitEntry:
    """The journal entry of one unit that ended: its result or its failure, one of them.

    A sweep's journal also holds entries with neither: of units that their worker has recorded itself.
    """

    unit: Unit
    read_keys: ReadKeys
    #: How often each key fell back.
    fallbacks: Annotated[dict[Name, Count], Sized(most=MOST_KEYS)]
    result: UnitResult | None = None
    failure: UnitFailure | None = None
    #: What trained it, as ``host:process``; empty where nobody said.
    worker: Annotated[str, Sized(most=LONGEST_NAME)] = ""
    #: How long that took the worker, whichever way it ended; preparing a symbol counts for its first unit.
    worker_time_sec: Duration = 0.0


@dataclass(frozen=True)
class Receipt:
    """What became of one unit of a batch: recorded now, known before, or refused, with the error."""

    state: Literal["recorded", "known", "refused"]
    #: Of the error; None where there is none.
    code: str | None = None
    problem: str | None = None
    hint: str | None = None

    @classmethod
    def of(cls, problem: SetpointError) -> Receipt:
        """Return the receipt of a unit that was refused."""
        return cls("refused", problem.code, problem.message, problem.hint)


EndState = Literal["complete", "interrupted", "failed"]


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended, the keys it read, and in how many of its units each key fell back."""

    state: EndState
    read_keys: ReadKeys
    fallbacks: Annotated[dict[Name, Count], Sized(most=MOST_KEYS)]
