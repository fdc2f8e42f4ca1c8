"""GOVERN: every rule of a readiness file, in one table: its name, and from which phase on it is due.

Guarantees: what a file passes, it passes by all rules that are due; a rule says the line, what is wrong and
the next step. Source: the readiness document and its sign-off list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from setpoint.govern.readiness import evidence_rules as evidence
from setpoint.govern.readiness import header_rules as header
from setpoint.govern.readiness import section_rules as section
from setpoint.govern.readiness import sign_off_rules as sign_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from setpoint.govern.readiness.case import Case, Phase, Problem


class Rule(NamedTuple):
    """One rule of the form."""

    name: str
    due: Phase
    judge: Callable[[Case], Iterator[Problem]]


class Finding(NamedTuple):
    """A rule that a file breaks, and where."""

    rule: str
    line: int
    message: str
    next_step: str


RULES = (
    Rule("story", "opening", header.story),
    Rule("owner", "opening", header.owner),
    Rule("filled-on", "opening", header.filled_on),
    Rule("plan-review", "opening", header.plan_review),
    Rule("plan-review-told", "opening", header.plan_review_told),
    Rule("references", "opening", header.references),
    Rule("sections", "opening", section.sections),
    Rule("skips", "opening", section.skips),
    Rule("metrics-told", "opening", section.metrics_told),
    Rule("prediction-metric", "opening", section.minimum("1", "^.{0,3}prediction", "prediction-rate metric")),
    Rule("outcome-metric", "opening", section.minimum("1", "^.{0,3}outcome", "outcome metric")),
    Rule("health-metric", "opening", section.minimum("1", "^.{0,3}health", "health metric")),
    Rule("alerts-told", "opening", section.alerts_told),
    Rule("p1-alert", "opening", section.first_severity),
    Rule("p1-is-live", "opening", section.first_severity_is_live),
    Rule("runbook", "opening", section.minimum("2", "runbook *:", "Runbook")),
    Rule("drift", "opening", section.drift),
    Rule("shadow", "opening", section.minimum("4", "shadow", "Shadow stage")),
    Rule("canary", "opening", section.minimum("4", "single batch", "Canary on a single batch first")),
    Rule("canary-assets", "opening", section.minimum("4", "named canary", "Named canary assets")),
    Rule("canary-names", "opening", section.canary_assets),
    Rule("operator", "opening", section.minimum("4", "operator sign-off", "Operator sign-off")),
    Rule("revert", "opening", section.minimum("5", "without a", "Revertable WITHOUT a code deploy")),
    Rule("revert-tested", "opening", section.minimum("5", "tested revert", "Tested revert")),
    Rule("revert-proof", "opening", section.revert_is_tested),
    Rule("revert-value", "opening", section.minimum("5", "specific config", "Specific config value")),
    Rule("exact-value", "opening", section.exact_value),
    Rule("dri", "opening", section.owned_by("6", r"^DRI\b", "DRI")),
    Rule("backup-dri", "opening", section.owned_by("6", "^backup DRI", "Backup DRI")),
    Rule("decision-authority", "opening", section.owned_by("6", "^decision authority", "Decision authority")),
    Rule("sunset-milestone", "opening", section.sunset),
    Rule("nine-items", "opening", sign_off.nine_items),
    Rule("live-is-proven", "opening", evidence.live_is_proven),
    Rule("dependencies", "opening", evidence.dependencies),
    Rule("evidence", "opening", evidence.everything_is_proven),
    Rule("nothing-tbd", "merge", sign_off.nothing_to_be_done),
    Rule("ticked", "merge", sign_off.ticked),
    Rule("pr-review", "merge", sign_off.pr_review),
    Rule("sessions-linked", "merge", sign_off.sessions_linked),
    Rule("dri-expired", "after", section.still_owned),
)
#: Rules whose findings are proofs that are missing.
OF_EVIDENCE = frozenset({"live-is-proven", "dependencies", "evidence"})


def judge(case: Case) -> list[Finding]:
    """Return what the rules that are due find, in the order of the file's lines."""
    found = [Finding(rule.name, *one) for rule in RULES if case.is_due(rule.due) for one in rule.judge(case)]
    return sorted(found, key=lambda one: one.line)
