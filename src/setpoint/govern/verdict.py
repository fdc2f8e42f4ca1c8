"""GOVERN: the canary verdict on a run: rollback, insufficient data, hold or pass.

The rule, from the readiness document, section 4, whose numbers are governed values:

- the score of a model on an asset is the ``aggregation`` (mean, median or worst) of ``f1_buy_val`` over all
  folds of the declared variant; an asset without every fold has no score;
- a model's score is the same aggregation over its scored assets; its skill is the aggregation of what each
  fold scores above always saying BUY on the same rows;
- **rollback**, judged first: some model's score is below ``rollback_f1``;
- **insufficient data**: some model has fewer than ``min_assets`` scored assets;
- **hold: below_pass**: some model reaches ``pass_f1`` on fewer than ``pass_assets`` assets;
- **hold: no_skill**: some model does not beat always saying BUY by more than ``min_skill``;
- **pass** otherwise.

Always saying BUY scores 2p / (1 + p), about 0.41 here, which alone would pass the 0.40 mark: that is
why skill is judged, and why the baseline stands beside every score. Refuses nothing; it is a pure
function of results, rule and declared units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from setpoint.client.results import Count  # noqa: TC001 - models of the plane are made of these annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Outcome = Literal["rollback", "insufficient_data", "hold", "pass"]
#: Of a hold; empty for every other outcome.
Cause = Literal["", "below_pass", "no_skill"]
Aggregation = Literal["mean", "median", "worst"]
#: The choices of ``CVN_FTF_VERDICT_AGGREGATION``.
AGGREGATIONS: dict[Aggregation, Callable[[list[float]], float]] = {
    "mean": fmean,
    "median": median,
    "worst": min,
}


class Rule(NamedTuple):
    """The rule's values; see the module."""

    aggregation: Aggregation
    pass_f1: float
    pass_assets: Count
    rollback_f1: float
    min_assets: Count
    min_skill: float

    def __str__(self) -> str:
        return (
            f"pass needs {self.pass_f1} on {self.pass_assets} assets for every model "
            f"and skill above {self.min_skill}; "
            f"any model below {self.rollback_f1} rolls back; {self.min_assets} assets needed"
        )


class Replication(NamedTuple):
    """How many fits a score of one model on one asset rests on: each fold is fitted with each seed."""

    folds: int
    seeds: int

    def __str__(self) -> str:
        return f"{self.folds} {'fold' if self.folds == 1 else 'folds'} x {self.seeds} seed"


class AssetScore(NamedTuple):
    """One model on one asset; scores are None until every declared fold has a result."""

    symbol: str
    f1: float | None
    always_buy: float | None
    #: How far the folds' scores are above always saying BUY.
    skill: float | None
    auc: float | None
    folds_done: int
    folds: int


@dataclass(frozen=True)
class ModelScore:
    """One model over all declared assets.

    Each number aggregates those of the assets that have a score; None when none has.
    """

    model: str
    f1: float | None
    always_buy: float | None
    #: How far the scores are above always saying BUY.
    skill: float | None
    #: The area under the ROC curve.
    auc: float | None
    assets: tuple[AssetScore, ...]

    @property
    def scored(self) -> tuple[AssetScore, ...]:
        """The assets that have a score."""
        return tuple(asset for asset in self.assets if asset.f1 is not None)

    def assets_at(self, floor: float) -> int:
        """Count the assets whose score reaches ``floor``, inclusive."""
        return sum(1 for asset in self.scored if asset.f1 is not None and asset.f1 >= floor)


@dataclass(frozen=True)
class Verdict:
    """A judgement with everything it rests on."""

    outcome: Outcome
    cause: Cause
    reasons: tuple[str, ...]
    rule: Rule
    #: How the rows were labelled, such as ``ATR0.5_1.5_H4``; of several the names with commas.
    variant: str
    replication: Replication
    models: tuple[ModelScore, ...]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.cause}" if self.cause else self.outcome


def unjudged(verdict: Verdict, why: str) -> Verdict:
    """Return the verdict of a run that is no evidence, whatever its scores."""
    return replace(verdict, outcome="insufficient_data", cause="", reasons=(why,))


def judge(units: Iterable[Sequence[Any]], results: Iterable[Mapping[str, Any]], rule: Rule) -> Verdict:
    """Judge a run.

    Args:
        units: every declared unit as (symbol, model, timeframe, variant, fold).
        results: rows with symbol, model, fold, f1_buy_val, always_buy_f1_val and auc_val.
        rule: its values, from the run's snapshot.
    """
    declared = [tuple(unit) for unit in units]
    models = _scores(declared, results, rule.aggregation)
    outcome, cause, reasons = _outcome(models, rule)
    variant = ", ".join(dict.fromkeys(unit[3] for unit in declared))
    replication = Replication(folds=len({unit[4] for unit in declared}), seeds=1)
    return Verdict(outcome, cause, reasons, rule, variant, replication, models)


def _outcome(models: tuple[ModelScore, ...], rule: Rule) -> tuple[Outcome, Cause, tuple[str, ...]]:
    for reasons, outcome, cause in _failures(models, rule):
        if reasons:
            return outcome, cause, tuple(reasons)
    reached = f"every model reaches {rule.pass_f1} on at least {rule.pass_assets} assets and beats always-BUY"
    return "pass", "", (reached,)


def _failures(models: tuple[ModelScore, ...], rule: Rule) -> Iterator[tuple[list[str], Outcome, Cause]]:
    yield _below_rollback(models, rule), "rollback", ""
    yield _too_few_assets(models, rule), "insufficient_data", ""
    yield _below_pass(models, rule), "hold", "below_pass"
    yield _no_skill(models, rule), "hold", "no_skill"


def _below_rollback(models: Iterable[ModelScore], rule: Rule) -> list[str]:
    return [
        f"{model.model} scores {model.f1:.4f}, below the rollback floor {rule.rollback_f1}"
        for model in models
        if model.f1 is not None and model.f1 < rule.rollback_f1
    ]


def _too_few_assets(models: Sequence[ModelScore], rule: Rule) -> list[str]:
    if not models:
        return ["the run declares no unit"]
    return [
        f"{model.model} has {len(model.scored)} of {rule.min_assets} assets with every fold done"
        for model in models
        if len(model.scored) < rule.min_assets
    ]


def _below_pass(models: Iterable[ModelScore], rule: Rule) -> list[str]:
    return [
        f"{model.model} reaches {rule.pass_f1} on {model.assets_at(rule.pass_f1)} assets, "
        f"{rule.pass_assets} are needed"
        for model in models
        if model.assets_at(rule.pass_f1) < rule.pass_assets
    ]


def _no_skill(models: Iterable[ModelScore], rule: Rule) -> list[str]:
    return [
        f"{model.model} scores {model.f1:.4f}, always saying BUY scores {model.always_buy:.4f}: "
        f"skill {model.skill:.4f}"
        for model in models
        if model.skill is not None and model.skill <= rule.min_skill
    ]


def _scores(
    units: list[tuple[Any, ...]], results: Iterable[Mapping[str, Any]], aggregation: Aggregation
) -> tuple[ModelScore, ...]:
    # Each unit and each result is looked at once, however many models and assets there are.
    folds: dict[str, dict[str, set[int]]] = {}
    for symbol, model, _timeframe, _variant, fold in units:
        folds.setdefault(model, {}).setdefault(symbol, set()).add(fold)
    rows: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in results:
        rows.setdefault((row["model"], row["symbol"]), []).append(row)
    return tuple(
        _model(
            model,
            tuple(
                _asset(symbol, rows.get((model, symbol), []), declared, aggregation)
                for symbol, declared in assets.items()
            ),
            aggregation,
        )
        for model, assets in folds.items()
    )


def _model(name: str, assets: tuple[AssetScore, ...], aggregation: Aggregation) -> ModelScore:
    scored = [asset for asset in assets if asset.f1 is not None]
    f1, always_buy, skill, auc = (
        aggregated(aggregation, (getattr(asset, number) for asset in scored))
        for number in ("f1", "always_buy", "skill", "auc")
    )
    return ModelScore(name, f1, always_buy, skill, auc, assets)


def _asset(
    symbol: str, rows: list[Mapping[str, Any]], declared: set[int], aggregation: Aggregation
) -> AssetScore:
    scored = rows if {row["fold"] for row in rows} >= declared else []

    def over_folds(value: Callable[[Mapping[str, Any]], float]) -> float | None:
        return aggregated(aggregation, map(value, scored))

    return AssetScore(
        symbol,
        f1=over_folds(lambda row: row["f1_buy_val"]),
        always_buy=over_folds(lambda row: row["always_buy_f1_val"]),
        skill=over_folds(lambda row: row["f1_buy_val"] - row["always_buy_f1_val"]),
        auc=over_folds(lambda row: row["auc_val"]),
        folds_done=len(rows),
        folds=len(declared),
    )


def aggregated(aggregation: Aggregation, values: Iterable[float | None]) -> float | None:
    """Return one score of several by one of ``AGGREGATIONS``, leaving out None; None of none."""
    known = [value for value in values if value is not None]
    return AGGREGATIONS[aggregation](known) if known else None
