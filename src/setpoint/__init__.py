"""Setpoint: the control plane for training hyperparameters.

What a training process needs, from the standard library alone::

    import setpoint

    hp = setpoint.pin()
    hp.resolve("xgb", "5m", "learning_rate")
"""

from setpoint.errors import SetpointError
from setpoint.resolve.hyperparams import Hyperparams
from setpoint.resolve.pinning import pin, resolve

__all__ = ["Hyperparams", "SetpointError", "pin", "resolve"]
__version__ = "0.1.0"
