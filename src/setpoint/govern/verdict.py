"""GOVERN: the canary verdict on a run: rollback, insufficient data, hold or pass.

The rule, from the readiness document, section 4, whose numbers are governed values:

- the score of a model on an asset is the mean ``f1_buy_val`` over all folds of the declared variant;
  an asset without every fold has no score;
- a model's score is the mean over its scored assets;
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

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROLLBACK, INSUFFICIENT, HOLD, PASS = "rollback", "insufficient_data", "hold", "pass"


class Rule(NamedTuple):
    """The numbers of the rule; see the module."""

    pass_f1: float
    pass_assets: int
    rollback_f1: float
    min_assets: int
    min_skill: float


class AssetScore(NamedTuple):
    """One model on one asset; scores are None until every declared fold has a result."""

    symbol: str
    f1: float | None
    always_buy: float | None
    auc: float | None
    folds_done: int
    folds: int


@dataclass(frozen=True)
class ModelScore:
    """One model over all declared assets."""

    model: str
    assets: tuple[AssetScore, ...]

    @property
    def scored(self) -> tuple[AssetScore, ...]:
        """The assets that have a score."""
        return tuple(asset for asset in self.assets if asset.f1 is not None)

    @property
    def f1(self) -> float | None:
        """Mean over the scored assets; None without any."""
        return _mean(asset.f1 for asset in self.scored)

    @property
    def always_buy(self) -> float | None:
        """The baseline's mean over the same assets."""
        return _mean(asset.always_buy for asset in self.scored)

    @property
    def auc(self) -> float | None:
        """Mean area under the ROC curve over the same assets."""
        return _mean(asset.auc for asset in self.scored)

    @property
    def skill(self) -> float | None:
        """How far the score is above always saying BUY."""
        return None if self.f1 is None or self.always_buy is None else self.f1 - self.always_buy

    def assets_at(self, floor: float) -> int:
        """Count the assets whose score reaches ``floor``, inclusive."""
        return sum(1 for asset in self.scored if asset.f1 is not None and asset.f1 >= floor)


@dataclass(frozen=True)
class Verdict:
    """A judgement with everything it rests on."""

    outcome: str
    #: ``below_pass`` or ``no_skill`` for a hold, else empty.
    cause: str
    reasons: tuple[str, ...]
    rule: Rule
    models: tuple[ModelScore, ...]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.cause}" if self.cause else self.outcome


def judge(units: Iterable[Sequence[Any]], results: Iterable[Mapping[str, Any]], rule: Rule) -> Verdict:
    """Judge a run.

    Args:
        units: every declared unit as (symbol, model, timeframe, variant, fold).
        results: rows with symbol, model, fold, f1_buy_val, always_buy_f1_val and auc_val.
        rule: the numbers, from the run's snapshot.
    """
    models = _scores(list(units), list(results))
    for outcome, cause, reasons in (
        (ROLLBACK, "", _below_rollback(models, rule)),
        (INSUFFICIENT, "", _too_few_assets(models, rule)),
        (HOLD, "below_pass", _below_pass(models, rule)),
        (HOLD, "no_skill", _no_skill(models, rule)),
    ):
        if reasons:
            return Verdict(outcome, cause, tuple(reasons), rule, models)
    reached = f"every model reaches {rule.pass_f1} on at least {rule.pass_assets} assets and beats always-BUY"
    return Verdict(PASS, "", (reached,), rule, models)


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
        f"{model.model} scores {model.f1:.4f}, always saying BUY scores {model.always_buy:.4f}"
        for model in models
        if model.skill is not None and model.skill <= rule.min_skill
    ]


def _scores(units: list[Sequence[Any]], results: list[Mapping[str, Any]]) -> tuple[ModelScore, ...]:
    names = list(dict.fromkeys(unit[1] for unit in units))
    return tuple(ModelScore(name, _assets(name, units, results)) for name in names)


def _assets(
    model: str, units: list[Sequence[Any]], results: list[Mapping[str, Any]]
) -> tuple[AssetScore, ...]:
    folds: dict[str, set[int]] = {}
    for unit in units:
        if unit[1] == model:
            folds.setdefault(unit[0], set()).add(unit[4])
    assets = []
    for symbol, declared in folds.items():
        rows = [row for row in results if row["model"] == model and row["symbol"] == symbol]
        whole = {row["fold"] for row in rows} >= declared
        assets.append(
            AssetScore(
                symbol,
                _mean(row["f1_buy_val"] for row in rows) if whole else None,
                _mean(row["always_buy_f1_val"] for row in rows) if whole else None,
                _mean(row["auc_val"] for row in rows) if whole else None,
                len(rows),
                len(declared),
            )
        )
    return tuple(assets)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
