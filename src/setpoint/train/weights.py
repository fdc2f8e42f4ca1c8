"""TRAIN: how much each class and each row counts in a fit, by declared policy alone.

Guarantees: nothing is weighted unless a policy says so (an injected ``scale_pos_weight`` once ruined a
month of models), and weights are computed from the training rows only. Refuses: an unknown policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from setpoint.errors import InvalidValue, UnfitData

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASS_POLICIES = ("none", "balanced", "fixed")
REGIME_POLICIES = ("none", "volatility")


def scale_pos_weight(policy: str, y: NDArray[np.int8], fixed: float) -> float:
    """Return the weight of a BUY row relative to another.

    It is 1 for ``none``, ``fixed`` for ``fixed``, and the other rows over the BUY rows for ``balanced``.

    Raises:
        InvalidValue: unknown policy, or a fixed weight that is not positive.
        UnfitData: ``balanced`` over labels of one class.
    """
    if policy not in CLASS_POLICIES:
        raise InvalidValue(f"class weight policy {policy!r} is not one of {', '.join(CLASS_POLICIES)}.")
    if policy == "none":
        return 1.0
    if policy == "fixed":
        if not fixed > 0:
            raise InvalidValue(f"fixed class weight {fixed!r} is not positive.")
        return fixed
    buys = int((y == 1).sum())
    if buys in {0, len(y)}:
        raise UnfitData(f"labels of one class: {buys} of {len(y)} rows are BUY, nothing to balance.")
    return (len(y) - buys) / buys


def regime_weights(
    policy: str, volatility: NDArray[np.floating], *, low: float, mid: float, high: float
) -> NDArray[np.float32] | None:
    """Return a weight for each training row, shape ``(n_rows,)``; None for ``none``: no weights are passed.

    ``volatility`` weighs the calm third of the rows ``low``, the middle one ``mid`` and the wild one
    ``high``; the terciles are those of its own values, and a row on a border belongs to the calmer third.

    Raises:
        InvalidValue: unknown policy, a negative weight, or weights that are all 0.
    """
    if policy not in REGIME_POLICIES:
        raise InvalidValue(f"regime weighting {policy!r} is not one of {', '.join(REGIME_POLICIES)}.")
    if policy == "none":
        return None
    if min(low, mid, high) < 0 or max(low, mid, high) == 0:
        raise InvalidValue(
            f"regime weights {low}, {mid}, {high}: none may be negative, one must be positive."
        )
    borders = np.quantile(volatility, [1 / 3, 2 / 3])
    third = np.searchsorted(borders, volatility, side="left")
    return np.array([low, mid, high], dtype=np.float32)[third]
