"""TRAIN: probabilities made honest on rows that took no part in the fit.

Guarantees: a fitted calibration is a small frozen value that maps p to p, never decreasing for
``isotonic``, and is applied without scikit-learn. Refuses: an unknown method, and rows of one class.
Sources: Platt (1999) for ``sigmoid``, here on the log-odds of p, so that honest probabilities stay as they
are; Zadrozny and Elkan (2002) for ``isotonic``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from setpoint.errors import InvalidValue, UnfitData

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHODS = ("none", "sigmoid", "isotonic")


@dataclass(frozen=True, eq=False)
class Calibration:
    """A fitted map of probabilities; ``numbers`` are what was fitted, to be recorded with the model."""

    #: One of ``METHODS``.
    method: str
    #: ``none``: empty. ``sigmoid``: slope and intercept, shape ``(2,)``. ``isotonic``: p and calibrated p of
    #: the steps' corners, shape ``(2, n_corners)``.
    numbers: NDArray[np.float64]

    def apply(self, p: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return calibrated probabilities, shape ``(n_rows,)``."""
        given = np.asarray(p, dtype=np.float64)
        if self.method == "sigmoid":
            slope, intercept = self.numbers
            return np.asarray(1 / (1 + np.exp(-(slope * _log_odds(given) + intercept))))
        if self.method == "isotonic":
            return np.interp(given, *self.numbers)
        return given


def fit_calibration(method: str, p: NDArray[np.floating], y: NDArray[np.int8]) -> Calibration:
    """Fit ``method`` to probabilities and labels of held-out rows, each of shape ``(n_rows,)``.

    Raises:
        InvalidValue: unknown method.
        UnfitData: labels of one class.
    """
    if method not in METHODS:
        raise InvalidValue(f"calibration {method!r} is not one of {', '.join(METHODS)}.")
    if method == "none":
        return Calibration(method, np.empty(0))
    if len(np.unique(y)) < 2:
        raise UnfitData(f"labels of one class: {len(y)} rows cannot calibrate anything.")
    given = np.asarray(p, dtype=np.float64)
    return Calibration(method, _sigmoid(given, y) if method == "sigmoid" else _isotonic(given, y))


def _sigmoid(p: NDArray[np.float64], y: NDArray[np.int8]) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second, for those who calibrate

    fitted = LogisticRegression(C=np.inf).fit(_log_odds(p)[:, None], y)  # inf: no penalty, nothing to tune
    return np.array([fitted.coef_[0, 0], fitted.intercept_[0]])


def _isotonic(p: NDArray[np.float64], y: NDArray[np.int8]) -> NDArray[np.float64]:
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 - a second, for those who calibrate

    fitted = IsotonicRegression(y_min=0, y_max=1).fit(p, y)
    return np.stack([fitted.X_thresholds_, fitted.y_thresholds_])


def _log_odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    epsilon = np.finfo(np.float64).eps
    kept = np.clip(p, epsilon, 1 - epsilon)
    return np.log(kept) - np.log1p(-kept)
