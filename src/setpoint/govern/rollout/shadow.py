"""GOVERN: the shadow of a change: nothing but its own keys may reach a model otherwise than before.

The rule, from the readiness document, section 4: the same effective hyperparameters as a baseline run, joined
on symbol, timeframe, strategy, fold and model. A pair that one of the runs lacks is not equality.

Guarantees: the database compares, from the rows of both runs and from what the catalogues in force declare of
the change's keys, and keeps what it found (0020_rollouts.sql). Of many differences the first are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from setpoint.change.declarations import register_catalogues
from setpoint.client.results import Unit
from setpoint.record.run_rows import read_run

if TYPE_CHECKING:
    from setpoint.declare.catalogue import Catalogues
    from setpoint.govern.rollout.stages import Outcome
    from setpoint.store.database import Transaction


class Difference(NamedTuple):
    """One parameter that reached a unit's models otherwise; of a missing pair the parameter is empty.

    A side without a result says "no result", one whose model does not report the parameter "none".
    """

    unit: Unit
    parameter: str
    baseline: Any
    candidate: Any


class Shadow(NamedTuple):
    """What a run of a candidate showed beside a baseline run."""

    outcome: Outcome
    units: int
    differences: int
    #: Of the differences, by unit and parameter.
    first: tuple[Difference, ...]
    #: What the stage was fixed to train and the run did not, as asset and model.
    untrained: tuple[str, ...] = ()


def judge_shadow(
    transaction: Transaction, catalogues: Catalogues, change_id: int, run: str, baseline: str
) -> Shadow:
    """Judge a run of a change's candidate against a baseline run; keeps and returns what differs.

    Raises:
        UnknownRun: one is not recorded.
        InvalidValue: the run did not train the candidate, or the baseline trained one.
        ConflictError: the shadow was not started.
    """
    register_catalogues(transaction, catalogues)
    row = transaction.fetch_one(
        "note_shadow",
        change=change_id,
        run=read_run(transaction, run).id,
        baseline=read_run(transaction, baseline).id,
    )
    found = (row or {})["evidence"]
    first = (Difference(**{**one, "unit": Unit(*one["unit"])}) for one in found["first"])
    told = (found["units"], found["differences"], tuple(first), tuple(found["untrained"]))
    return Shadow((row or {})["outcome"], *told)
