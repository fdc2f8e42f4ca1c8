"""CLIENT: what one unit reports: the contract from a training process to its row, over HTTP and in SQL.

Guarantees: each column of ``finetune_results`` and ``finetune_trials`` that training fills is one field
here, with its type and bounds. The harness builds these, the journal keeps them as JSON, the plane's models
are derived from them, and the database takes them by field name. A new metric is a field here, a column in
the migration of runs, and what computes it. Refuses a JSON object that has other fields. Standard library
only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from setpoint.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping


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


LONGEST_NAME = 200
Scalar = bool | int | float | str
Name = Annotated[str, Sized(1, LONGEST_NAME)]
Hash = Annotated[str, Spelled(r"^[0-9a-f]{64}$")]
#: The ranges of PostgreSQL's integer and bigint.
Count = Annotated[int, Within(0, 2**31 - 1)]
Wide = Annotated[int, Within(-(2**63), 2**63 - 1)]
Share = Annotated[float, Within(0, 1)]
Duration = Annotated[float, Within(low=0)]
Params = Annotated[dict[Name, Scalar | None], Sized(most=2000)]

#: What attestation finds; see ``Finding.finding``.
Attested = Literal["differs", "ignored", "no_effect", "library_chose"]
#: The kind of finding that an invariant is which a trial's suggestion broke; recording judges it.
BREAKS_INVARIANT: Literal["breaks_invariant"] = "breaks_invariant"


@dataclass(frozen=True)
class Finding:
    """An asked value that the fitted model does not hold, or that had no effect."""

    param: Name
    #: None when nobody asked.
    asked: Scalar | None
    #: None when the model does not report it.
    effective: Scalar | None
    #: ``differs``, ``ignored`` (asked, not reported), ``no_effect`` (a declared condition does not
    #: hold), ``library_chose`` (derived by the library, nobody asked), or ``breaks_invariant``.
    finding: Attested | Literal["breaks_invariant"]


Findings = Annotated[tuple[Finding, ...], Sized(most=2000)]


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


@dataclass(frozen=True)
class Result:
    """The columns of a ``finetune_results`` row that training fills."""

    symbol: Name
    model: Name
    timeframe: Name
    variant: Name
    fold: Count
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
    #: ``val`` and ``test``: scores by name; ``trades``: trading by cost assumption. See
    #: ``observe.training_metrics``.
    metrics: dict[str, Any]


@dataclass(frozen=True)
class UnitResult(Result):
    """The result of one unit, with its trials."""

    trials: Annotated[tuple[TrialResult, ...], Sized(most=20_000)]


def parse_unit_result(found: Mapping[str, Any]) -> UnitResult:
    """Return the result that ``dataclasses.asdict`` made a JSON object of.

    Raises:
        InvalidValue: a field is missing or unknown; it is named.
    """
    trials = tuple(_trial(trial) for trial in found.get("trials", ()))
    return UnitResult(**_fields(UnitResult, found) | {"findings": _findings(found), "trials": trials})


def _trial(found: Mapping[str, Any]) -> TrialResult:
    return TrialResult(**_fields(TrialResult, found) | {"findings": _findings(found)})


def _findings(found: Mapping[str, Any]) -> tuple[Finding, ...]:
    return tuple(Finding(**_fields(Finding, one)) for one in found["findings"])


def _fields(kind: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    if wrong := names ^ found.keys():
        listed = ", ".join(sorted(wrong))
        raise InvalidValue(
            f"a {kind.__name__} has other fields than this release's: {listed}.",
            hint="report with the release that trained it, or train the unit again",
        )
    return dict(found)
