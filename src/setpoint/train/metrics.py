"""TRAIN: how good BUY probabilities are, and which threshold turns them into signals.

    symbol   meaning                       shape       dtype
    y        labels, 1 is BUY              (n_rows,)   int, 0 or 1
    p        probability of BUY            (n_rows,)   float64

Guarantees: exact values, equal to scikit-learn's (tested), without importing it: that import costs a
worker a second. A row is a signal when ``p >= threshold``. Refuses: labels of one class, for which half
of these numbers mean nothing, and probabilities that are none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from setpoint.errors import InvalidValue, UnfitData

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def classification_metrics(
    y: ArrayLike, p: ArrayLike, threshold: float, *, ece_bins: int
) -> dict[str, float]:
    """Return f1_buy, precision, recall, auc, brier, ece, log_loss and always_buy_f1.

    Precision, recall and f1_buy are 0 without a true signal. ``ece`` weighs ``ece_bins`` bins of equal
    width by their rows; the last one holds p = 1. ``log_loss`` is in nats, with p kept one float64
    epsilon off 0 and 1.

    Raises:
        UnfitData: labels of one class, or values of ``p`` outside 0 to 1.
    """
    labels, scores = _checked(y, p)
    signal = scores >= threshold
    hits = int((signal & labels).sum())
    return {
        "f1_buy": 2 * hits / max(int(signal.sum()) + int(labels.sum()), 1),
        "precision": hits / max(int(signal.sum()), 1),
        "recall": hits / int(labels.sum()),
        "auc": _auc(labels, scores),
        "brier": float(np.mean((scores - labels) ** 2)),
        "ece": _ece(labels, scores, ece_bins),
        "log_loss": _log_loss(labels, scores),
        "always_buy_f1": always_buy_f1(labels),
    }


def stopping_score(metric: str, y: ArrayLike, p: ArrayLike) -> float:
    """Return what early stopping watches: ``"logloss"``, the less the better, or ``"auc"``.

    Raises:
        UnfitData: as ``classification_metrics``.
    """
    labels, scores = _checked(y, p)
    return _auc(labels, scores) if metric == "auc" else _log_loss(labels, scores)


def always_buy_f1(y: ArrayLike) -> float:
    """Return the F1 of calling every row BUY, 2s / (1 + s) for a share s of BUY rows: the floor to beat."""
    share = float(np.mean(np.asarray(y)))
    return 2 * share / (1 + share)


def best_threshold(
    y: ArrayLike, p: ArrayLike, *, low: float, high: float, step: float
) -> tuple[float, float]:
    """Return the threshold with the highest F1, and that F1.

    Tried are ``low``, ``low + step``, ... and ``high``, both bounds inclusive. Of equally good thresholds
    the lowest wins, which is the one with the most signals.

    Raises:
        InvalidValue: bounds out of order, or a step that is not positive.
        UnfitData: as ``classification_metrics``.
    """
    labels, scores = _checked(y, p)
    tried = _grid(low, high, step)
    order = np.argsort(scores, kind="stable")
    hits_from = np.concatenate([np.cumsum(labels[order][::-1])[::-1], [0]])
    first = np.searchsorted(scores[order], tried, side="left")
    f1 = 2 * hits_from[first] / (len(scores) - first + labels.sum())
    best = int(np.argmax(f1))
    return float(tried[best]), float(f1[best])


def _grid(low: float, high: float, step: float) -> NDArray[np.float64]:
    if not (low <= high and step > 0):
        raise InvalidValue(
            f"threshold search from {low} to {high} by {step}: expected low <= high and step > 0."
        )
    # Twelve digits undo the drift of repeated steps, so that 0.05 + 2 * 0.05 is the 0.15 a person wrote.
    steps = np.round(low + step * np.arange(int((high - low) / step + 1.5)), 12)
    return np.append(steps[steps < high], high)


def _checked(y: ArrayLike, p: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    labels, scores = np.asarray(y) == 1, np.asarray(p, dtype=np.float64)
    if labels.all() or not labels.any():
        only = "BUY" if labels.size and labels.all() else "not BUY"
        raise UnfitData(
            f"labels of one class: all {labels.size} rows are {only}.",
            hint="use more bars, or other label settings",
        )
    if not ((scores >= 0) & (scores <= 1)).all():
        raise UnfitData("probabilities outside 0 to 1, or NaN.")
    return labels, scores


def _auc(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Return the share of (BUY, other) pairs in the right order; a tie counts half (Mann and Whitney)."""
    _, group, size = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(size) - (size - 1) / 2
    buys = int(labels.sum())
    rank_sum = float(mean_rank[group][labels].sum())
    return (rank_sum - buys * (buys + 1) / 2) / (buys * (len(labels) - buys))


def _ece(labels: NDArray[np.bool_], scores: NDArray[np.float64], bins: int) -> float:
    """Return the expected calibration error (Naeini et al. 2015)."""
    if bins < 1:
        raise InvalidValue(f"ece_bins = {bins}: expected at least 1.")
    bin_of = np.minimum((scores * bins).astype(np.int64), bins - 1)
    claimed = np.bincount(bin_of, weights=scores, minlength=bins)
    happened = np.bincount(bin_of, weights=labels, minlength=bins)
    return float(np.abs(claimed - happened).sum() / len(scores))


def _log_loss(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    epsilon = np.finfo(np.float64).eps
    kept = np.clip(scores, epsilon, 1 - epsilon)
    return float(-np.mean(np.where(labels, np.log(kept), np.log1p(-kept))))
