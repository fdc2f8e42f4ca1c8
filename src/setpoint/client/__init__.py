"""RESOLVE: what a training process reads its values from; standard library only."""

TYPE_CHECKING = False  # typing's own costs more to import than everything that `import setpoint` needs
if TYPE_CHECKING:
    from typing import Any, Final

#: Distinguishes "no fallback given" from any value.
UNSET: "Final[Any]" = object()
