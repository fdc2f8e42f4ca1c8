"""Setpoint: the control plane for training hyperparameters.

What a training process needs, from the standard library alone::

    import setpoint

    hp = setpoint.pin()
    hp.resolve("xgb", "5m", "learning_rate")
"""

from setpoint.client.pinning import pin, pin_set, pinned, resolve, watch
from setpoint.errors import SetpointError

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from setpoint.client.hyperparams import Hyperparams
    from setpoint.client.seeded import seeded

__all__ = ["Hyperparams", "SetpointError", "pin", "pin_set", "pinned", "resolve", "seeded", "watch"]
__version__ = "0.1.0"


def __dir__() -> list[str]:
    """List the names that are imported late, too."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    """Import the other names when they are first named: they are most of what importing would cost."""
    if name not in {"Hyperparams", "seeded"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from setpoint.client import seeded  # noqa: PLC0415 - see the docstring

    return getattr(seeded, name)
