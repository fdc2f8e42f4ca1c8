"""TRAIN: an exercise: a run whose units read one key by its fallback, so that this path is walked for real.

It is asked for by name and has a last day. The value is withheld from each unit and handed back as a fallback
of the same value: models stay what they were; events, counts and shares are those of a missing key.
Refuses a day that is over, a key that no unit would read so, and the demo's budget; a verdict judges none.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from setpoint.client.run_plan import Exercise
from setpoint.errors import ConflictError, InvalidContext, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from setpoint.client.results import Unit
    from setpoint.declare.catalogue import Catalogues

DEMO = ("profile", "demo")


def declare_exercise(catalogues: Catalogues, key: str, until: str, context: Mapping[str, str]) -> Exercise:
    """Return an exercise that may be started today.

    Raises:
        UnknownKey: no catalogue declares the key.
        UsageError: it belongs to no model and timeframe, is part of a range, or ``until`` is no date.
        InvalidContext: the run would be the demo's.
        ConflictError: its last day is over.
    """
    declared = catalogues.declared(key)
    if declared.key.field or not declared.key.parts or declared.parameter.role == "alone":
        raise UsageError(
            f"{key} is no value that a unit reads by itself.",
            hint="exercise one of a model and timeframe, such as CVN_HPO_XGB_5M_GAMMA",
        )
    if DEMO in context.items():
        raise InvalidContext("the demo exercises no fallback.", hint="leave profile=demo out")
    try:
        date.fromisoformat(until)
    except ValueError:
        raise UsageError(f"--until {until!r} is no date.", hint="write it as 2026-12-31") from None
    exercise = Exercise(key, until)
    require_in_force(exercise)
    return exercise


def require_in_force(exercise: Exercise, today: date | None = None) -> None:
    """Hold that an exercise's last day is not over, in UTC.

    Raises:
        ConflictError: it is.
    """
    if (today or datetime.now(UTC).date()) > date.fromisoformat(exercise.until):
        raise ConflictError(
            f"the exercise of {exercise.key}'s fallback ended with {exercise.until}.",
            hint="start a sweep without --exercise-fallback, or declare a new --until",
        )


def require_read(catalogues: Catalogues, exercise: Exercise, units: Iterable[Unit]) -> None:
    """Hold that some unit reads the key.

    Raises:
        UsageError: none does.
    """
    parts = catalogues.declared(exercise.key).key.parts
    if tuple(parts) not in {(unit.model, unit.timeframe) for unit in units}:
        raise UsageError(
            f"no unit of this run reads {exercise.key}.", hint="name a key of a model and timeframe it trains"
        )
