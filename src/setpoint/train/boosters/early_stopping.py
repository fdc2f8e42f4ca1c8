"""TRAIN: the model that early stopping scored best is the model that is kept.

Cutting a model to its best round gives that model only where later rounds leave earlier trees alone. Dart
drops trees and rescales those it keeps, so the cut one was never scored; training again, for just so many
rounds from the same seed, gives the one that was. Guarantees: the kept model's own score on the stopping rows
is in the result, beside the best one that the library told, for attestation to compare. Refuses nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from setpoint.client.ranges import Rounds
from setpoint.train.metrics import stopping_score

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.train.boosters.shape import Binned, Fitted, Metric


def keep_best(
    train: Callable[[Rounds], Fitted], binned: Binned, rounds: Rounds, metric: Metric, *, rescales: bool
) -> Fitted:
    """Train, and return the model of the best round.

    Args:
        train: fits once and cuts to the best round.
        binned: with the rows to score on.
        rounds: what was asked.
        metric: what early stopping watches.
        rescales: whether a later round changes earlier trees.
    """
    fitted = train(rounds)
    best = fitted.stopping.best_round
    if best is None:
        return fitted
    if rescales and best < fitted.stopping.trained:
        fitted = _again(train, fitted, best)
    kept = stopping_score(metric, binned.y_val, fitted.predict(binned.X_val))
    return replace(fitted, stopping=fitted.stopping._replace(kept_score=kept))


def _again(train: Callable[[Rounds], Fitted], stopped: Fitted, best: int) -> Fitted:
    fitted = train(Rounds(best, 0))
    return replace(
        fitted,
        best_iteration=stopped.best_iteration,
        stopping=stopped.stopping,
        training_time_sec=stopped.training_time_sec + fitted.training_time_sec,
    )
