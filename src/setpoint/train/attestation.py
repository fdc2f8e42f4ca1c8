"""TRAIN: prove which of the asked values are in the fitted model.

Guarantees: each asked value that did not arrive, arrived otherwise or cannot have had an effect is a
finding, and so is each value that the library derived because nobody gave it. Refuses to
be generous: two numbers agree when they are equal, or the same 32-bit float give or take its last bit,
because XGBoost and CatBoost store 32 bits; nothing else is close enough. Standard library only.
"""

from __future__ import annotations

import struct
from math import isclose
from typing import TYPE_CHECKING

from setpoint.client.results import ParamFinding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.client.results import Attested
    from setpoint.declare.parameters import Condition, Scalar
    from setpoint.train.boosters.shape import Stopping

#: XGBoost reads the text of a value with a parser of its own, which may miss the nearest 32-bit float by one;
#: CatBoost prints its 32-bit floats with one digit too few.
_LAST_BITS = 1
#: The libraries sum a metric over rows in their own order and precision.
_METRIC_DIGITS = 1e-6


def attest(
    asked: Mapping[str, Scalar],
    effective: Mapping[str, Scalar],
    *,
    effective_when: Mapping[str, tuple[Condition, ...]],
    self_chosen: frozenset[str],
) -> list[ParamFinding]:
    """Compare what was asked with what the fitted model reports; empty means that all arrived.

    One finding for each parameter at most. A condition that does not hold is reported before a value
    that differs, because a read-back can lie: LightGBM echoes ``bagging_fraction`` when bagging is off.
    All names are the library's canonical ones.
    """
    findings = [
        ParamFinding(param, value, effective.get(param), finding)
        for param, value in asked.items()
        if (finding := _judge(param, value, effective, effective_when.get(param, ())))
    ]
    chosen = sorted(self_chosen & (effective.keys() - asked.keys()))
    return findings + [ParamFinding(param, None, effective[param], "library_chose") for param in chosen]


def attest_rounds(
    stopping: Stopping,
    names: tuple[str, str],
    effective: Mapping[str, Scalar],
    *,
    effective_when: Mapping[str, tuple[Condition, ...]],
) -> list[ParamFinding]:
    """Hold how long a fit was seen to train, wait and score against what was asked.

    ``names`` are those of the maximum and of early stopping. No library reports these in its model, and
    LightGBM switches early stopping off under dart, so what happened is judged and not what is echoed.
    """
    rounds, patience = names
    asked = {rounds: stopping.max_rounds, patience: stopping.patience}
    seen = {rounds: _rounds_seen(stopping), patience: _patience_seen(stopping)}
    findings = [
        ParamFinding(name, value, seen[name], finding)
        for name, value in asked.items()
        if (finding := _judge(name, value, {**effective, **seen}, effective_when.get(name, ())))
    ]
    reported, kept = stopping.best_score, stopping.kept_score
    if reported is not None and kept is not None and not isclose(reported, kept, rel_tol=_METRIC_DIGITS):
        findings.append(ParamFinding("best_score", reported, kept, "differs"))
    return findings


def _rounds_seen(stopping: Stopping) -> int:
    """Return the maximum that would explain how long it trained."""
    may_stop = stopping.patience and stopping.trained < stopping.max_rounds
    return stopping.max_rounds if may_stop else stopping.trained


def _patience_seen(stopping: Stopping) -> int:
    """Return the patience that would explain when it stopped; a fit that ended first shows none."""
    if stopping.best_round is None:
        return stopping.patience
    waited = stopping.trained - stopping.best_round
    never_due = stopping.trained >= stopping.max_rounds and waited <= stopping.patience
    return stopping.patience if never_due else waited


def _judge(
    param: str, asked: Scalar, effective: Mapping[str, Scalar], conditions: tuple[Condition, ...]
) -> Attested | None:
    if param not in effective:
        return "ignored"
    if not all(condition.holds(effective) for condition in conditions):
        return "no_effect"
    return None if same(asked, effective[param]) else "differs"


def same(asked: Scalar, effective: Scalar) -> bool:
    """Say whether ``effective`` is ``asked``: equal, or the same 32-bit float give or take its last bit."""
    if isinstance(asked, str) or isinstance(effective, str) or type(asked) is bool or type(effective) is bool:
        return type(asked) is type(effective) and asked == effective
    if asked == effective:
        return True
    if isinstance(asked, int) and isinstance(effective, int):
        return False
    return abs(_float32_rank(asked) - _float32_rank(effective)) <= _LAST_BITS


def _float32_rank(value: float) -> float:
    """Number the 32-bit floats in order, so that neighbours differ by one; NaN is near none."""
    try:
        bits = int(struct.unpack("<i", struct.pack("<f", value))[0])
    except OverflowError:
        return value
    if value != value:  # noqa: PLR0124 - the definition of NaN
        return float("nan")
    return bits if bits >= 0 else -(bits & 0x7FFFFFFF)
