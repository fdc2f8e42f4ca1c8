"""GOVERN: one check of a readiness file: its form, what is still owed, and the proof of every name in it.

Guarantees: a file passes when every rule that is due holds; what a later phase demands is told beside it
and fails nothing yet. A score is counted from the same parts, so it cannot say more than the check.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from setpoint.govern.readiness.case import PHASES, Case, phase_of
from setpoint.govern.readiness.evidence import prove
from setpoint.govern.readiness.names import KINDS, named
from setpoint.govern.readiness.rules import OF_EVIDENCE, RULES, judge

if TYPE_CHECKING:
    from setpoint.govern.readiness.case import Phase
    from setpoint.govern.readiness.evidence import Proof
    from setpoint.govern.readiness.form import ReadinessFile
    from setpoint.govern.readiness.rules import Finding
    from setpoint.govern.readiness.system import System


@dataclass(frozen=True)
class Part:
    """One part of a score."""

    name: str
    proven: int
    of: int


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    case: Case
    findings: tuple[Finding, ...]
    #: What the phases to come demand besides; empty after the merge.
    owed: tuple[Finding, ...]

    @property
    def passes(self) -> bool:
        """Whether every rule that is due holds."""
        return not self.findings

    @property
    def form_findings(self) -> list[Finding]:
        """The findings that no proof tells."""
        return [one for one in self.findings if one.rule not in OF_EVIDENCE]

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """What was found of each name."""
        return self.case.proofs

    @property
    def parts(self) -> list[Part]:
        """The rules of the form, then each kind of evidence that the file names and does not call planned."""
        due = [rule.name for rule in RULES if self.case.is_due(rule.due)]
        broken = {finding.rule for finding in self.findings}
        parts = [Part("rules", sum(name not in broken for name in due), len(due))]
        for kind in KINDS:
            proofs = [one for one in self.proofs if one.kind == kind and not one.is_planned]
            if proofs:
                parts.append(Part(kind, sum(one.state == "proven" for one in proofs), len(proofs)))
        return parts

    @property
    def score(self) -> int:
        """Of all parts the share that is proven, in percent, rounded down: 100 is all of them."""
        return 100 * sum(part.proven for part in self.parts) // sum(part.of for part in self.parts)


def check(form: ReadinessFile, system: System, phase: Phase | None = None) -> Checked:
    """Judge a file.

    Args:
        form: the file.
        system: where its names are looked up, and the instant of the judgement.
        phase: of its pull request; None: what the file itself says.
    """
    proofs = tuple(prove(name, system) for name in named(form))
    case = Case(form, phase or phase_of(form, system.at), system.at, proofs)
    found = judge(case)
    gate: Phase = "merge"
    later = judge(replace(case, phase=gate)) if PHASES.index(case.phase) < PHASES.index(gate) else []
    told = {(one.rule, one.line) for one in found}
    return Checked(case, tuple(found), tuple(one for one in later if (one.rule, one.line) not in told))
