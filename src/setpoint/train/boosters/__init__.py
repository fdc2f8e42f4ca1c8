"""TRAIN: one adapter for each library, behind one shape.

Guarantees: all three adapters take the same data and the same call and answer with the same
``Fitted``. A library is imported only when its adapter is asked for, so that a process that fits
LightGBM does not pay for CatBoost. Refuses a model without an adapter.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from setpoint.errors import TrainingError

if TYPE_CHECKING:
    from setpoint.train.boosters.shape import Booster

#: Model, in lower case, to the module that is its adapter.
BOOSTERS = {
    "xgb": "setpoint.train.boosters.xgb",
    "lgb": "setpoint.train.boosters.lgb",
    "cb": "setpoint.train.boosters.cb",
}


def booster(model: str) -> Booster:
    """Return the adapter of ``model``, importing its library.

    Raises:
        TrainingError: no adapter has this name.
    """
    if model not in BOOSTERS:
        raise TrainingError(
            f"No booster is called {model!r}.", hint=f"use one of {', '.join(BOOSTERS)}", model=model
        )
    return cast("Booster", import_module(BOOSTERS[model]))
