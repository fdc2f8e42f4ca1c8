"""TRAIN: what a fitted model is worth: a trial's score, and the metrics of a unit's best model.

Guarantees: the calibration and the threshold are chosen on the judge rows alone, and the test rows are
scored once with both; every metric stands beside the always-BUY baseline of the same rows. Refuses
nothing by itself: labels of one class were refused before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.client.results import Metrics
from setpoint.train.calibration import fit_calibration
from setpoint.train.metrics import best_threshold, classification_metrics
from setpoint.train.trades import simulate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from setpoint.train.labels import Labels
    from setpoint.train.recipe import Recipe


class Judged(NamedTuple):
    """Rows of one part of a fold with a model's uncalibrated probabilities, each of shape ``(n_rows,)``."""

    #: Bar indices.
    bars: NDArray[np.int64]
    y: NDArray[np.int8]
    p: NDArray[np.floating]


def trial_metrics(recipe: Recipe, judge: Judged) -> dict[str, float]:
    """Score a trial on the judge rows, uncalibrated, at its best threshold."""
    threshold, _ = best_threshold(judge.y, judge.p, **recipe.threshold)
    return classification_metrics(judge.y, judge.p, threshold, ece_bins=recipe.setting("ece_bins"))


def unit_metrics(recipe: Recipe, judge: Judged, test: Judged, labels: Labels) -> dict[str, Any]:
    """Calibrate, choose the threshold on the judge rows, then score judge and test with it.

    Returns the metric columns of a result; ``metrics`` holds them all, with trades by cost assumption.
    """
    calibration = fit_calibration(recipe.setting("calibration_method"), judge.p, judge.y)
    val_p, test_p = calibration.apply(judge.p), calibration.apply(test.p)
    threshold, _ = best_threshold(judge.y, val_p, **recipe.threshold)
    bins = recipe.setting("ece_bins")
    val_metrics = classification_metrics(judge.y, val_p, threshold, ece_bins=bins)
    test_metrics = classification_metrics(test.y, test_p, threshold, ece_bins=bins)
    trades = {
        name: simulate(test.bars, test_p >= threshold, labels.outcome, labels.end, cost_bps)
        for name, cost_bps in recipe.costs_bps.items()
    }
    return {
        "threshold": threshold,
        "f1_buy_val": val_metrics["f1_buy"],
        "f1_buy_test": test_metrics["f1_buy"],
        "always_buy_f1_val": val_metrics["always_buy_f1"],
        "always_buy_f1_test": test_metrics["always_buy_f1"],
        "metrics": Metrics(val_metrics, test_metrics, trades),
    }
