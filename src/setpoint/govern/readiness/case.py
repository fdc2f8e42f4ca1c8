"""GOVERN: a readiness file as it is judged: at which phase of its pull request, and at which instant.

Guarantees: the phase is what the file itself says, unless a person says another; the instant is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from datetime import datetime

    from setpoint.govern.readiness.evidence import Proof
    from setpoint.govern.readiness.form import ReadinessFile

#: Before the pull request opens, at its merge gate, and when it is merged; what is due stays due.
Phase = Literal["opening", "merge", "after"]
PHASES: tuple[Phase, ...] = get_args(Phase)


class Problem(NamedTuple):
    """What a rule found: where, what was expected, and what to do about it."""

    line: int
    message: str
    next_step: str


@dataclass(frozen=True)
class Case:
    """One file at one phase and instant."""

    form: ReadinessFile
    phase: Phase
    at: datetime
    #: What was found of everything that the file names.
    proofs: tuple[Proof, ...] = ()

    def is_due(self, phase: Phase) -> bool:
        """Say whether what a phase demands is demanded by now."""
        return PHASES.index(phase) <= PHASES.index(self.phase)


def phase_of(form: ReadinessFile, at: datetime) -> Phase:
    """Return the phase that a file is in by what it says.

    After the instant of its merge: ``after``. A session of the `pr_review`, or a day on which the pull
    request was opened: ``merge``. Else ``opening``.
    """
    header = form.header
    if header.merged_at and at >= header.merged_at:
        return "after"
    is_reviewed = any(review.kind == "pr_review" and review.session for review in form.reviews)
    return "merge" if is_reviewed or header.opened_on else "opening"
