"""OBSERVE: each number that says what a model is worth: one name, one formula, one sample, one threshold.

A name means the same number wherever it stands: in ``finetune_results``, in an event, in the API, on a page.
``docs/reference/metrics.md`` is written from here. Refuses nothing. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, NamedTuple


class TrainingMetric(NamedTuple):
    """One number of a unit or of a trial."""

    name: str
    #: Where it stands: in a result, with dots into JSON columns; of a trial, in its scores.
    path: str
    formula: str
    #: The rows it is computed on, and with which probabilities.
    sample: str
    #: Which probability makes a row a BUY, or empty where none does.
    threshold: str = ""


_VAL = "judge rows, the newest part of the fold's validation; calibrated probabilities"
_TEST = "test rows, which chose nothing; calibrated probabilities"
_TRIAL = "judge rows, the newest part of the fold's validation; the model's own probabilities, uncalibrated"
_CHOSEN = "`threshold`"
_F1 = "2 x hits / (signals + BUY rows); a hit is a signal on a BUY row"
_AUC = "share of pairs of a BUY row and another in the right order, ties counting half"
_LOG_LOSS = "-mean(y ln p + (1 - y) ln(1 - p)), with p kept one float64 epsilon off 0 and 1"
_ALWAYS = "2s / (1 + s) for a share s of BUY rows: the F1 of calling every row BUY"

#: Name, formula, and whether it depends on the threshold.
_SCORES = (
    ("f1_buy", _F1, _CHOSEN),
    ("precision", "hits / signals; 0 without a signal", _CHOSEN),
    ("recall", "hits / BUY rows", _CHOSEN),
    ("auc", _AUC, ""),
    ("brier", "mean of (p - y)^2", ""),
    ("ece", "sum over `CVN_FTF_ECE_BINS` bins of equal width of abs(sum p - sum y), divided by rows", ""),
    ("log_loss", _LOG_LOSS, ""),
    ("always_buy_f1", _ALWAYS, ""),
)
_PARTS = (("val", _VAL), ("test", _TEST))

#: The numbers of a unit's result; each is in its ``training_complete``, too.
RESULT_METRICS = (
    TrainingMetric(
        "threshold",
        "threshold",
        "the lowest of the tried thresholds with the greatest `f1_buy_val`; tried are "
        "`CVN_FTF_THRESHOLD_LOW` to `_HIGH` by `_STEP`, both inclusive",
        _VAL,
    ),
    *(
        TrainingMetric(f"{name}_{part}", f"metrics.{part}.{name}", formula, sample, threshold)
        for part, sample in _PARTS
        for name, formula, threshold in _SCORES
    ),
)
#: Columns that repeat a number of ``metrics`` under its full name.
RESULT_COLUMNS = ("f1_buy_val", "f1_buy_test", "always_buy_f1_val", "always_buy_f1_test")

#: The numbers of one trial, in its ``trial_complete``.
TRIAL_METRICS = tuple(
    TrainingMetric(f"{name}_trial_val", path, formula, _TRIAL, threshold)
    for name, path, formula, threshold in (
        ("f1", "f1_buy", _F1, "the trial's own best, searched as `threshold` is"),
        ("auc", "auc", _AUC, ""),
        ("log_loss", "log_loss", _LOG_LOSS, ""),
    )
)

#: Trading of a unit on its test rows, for each cost assumption; in ``metrics.trades.<cost>``.
TRADE_METRICS = tuple(
    TrainingMetric(name, f"metrics.trades.<cost>.{name}", formula, _TEST, _CHOSEN)
    for name, formula in (
        ("n_trades", "trades opened: a signal while no trade is open"),
        ("return", "product over trades of (1 + net return), minus 1"),
        (
            "sortino",
            "mean net return / root of the mean squared negative net return, by trade; none without a loss",
        ),
        ("win_rate", "share of trades whose net return is positive"),
        ("expectancy", "mean net return of a trade"),
    )
)


def at_path(result: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a dotted path of a result."""
    return reduce(_inside, path.split("."), result)


def _inside(found: Any, name: str) -> Any:
    return found[name] if isinstance(found, Mapping) else getattr(found, name)
