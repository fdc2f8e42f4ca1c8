"""GOVERN: a fresh readiness file: every section, minimum and sign-off item of the form, to be filled in.

Guarantees: it is read by ``parse``; its check names what is still to be written and nothing else. Nothing
that only people know is invented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

#: How each begins.
MARK = "# MLOps readiness"
_FORM = """\
# MLOps readiness — {story}

Story : {story} — OP wp#…, Closes #…
Owner : {owner}
Filled on : {filled_on}
Reviewed by committee :

- plan_review (DAY) — session ID VERDICT, WORD consensus (N experts, N recommendations addressed)

Pull request : #…, opened DAY

## 1. Production monitoring (MUST)

| Status | Metric | Type | Source | Dashboard | Threshold (warn / crit) | Owner |
|---|---|---|---|---|---|---|
| ⏸️ PLANNED | | | | | | {owner} |

Required minima coverage :

- [ ] prediction-rate metric : …
- [ ] outcome metric : …
- [ ] health metric : …

## 2. Alerting & runbooks (MUST)

| Alert | Trigger | Runbook | Severity | Notification channel |
|---|---|---|---|---|
| | | | P1 | |

Required minima :

- [ ] 1 P1 alert : …
- [ ] Runbook : …

## 3. Drift detection (MUST)

| Drift type | Detection method | Threshold | Action |
|---|---|---|---|
| | | | |

## 4. Staged rollout (MUST)

| Stage | Traffic % | Duration | Pass criteria | Rollback trigger |
|---|---|---|---|---|
| Shadow | | | | |
| Canary (W1) | | | | |
| Full (W2) | | | | |

Required minima :

- [ ] Shadow stage : …
- [ ] Canary on a single batch first : …
- [ ] Named canary assets : …
- [ ] Operator sign-off : …

## 5. Rollback plan (MUST)

| Mechanism | Description | Revert SLA |
|---|---|---|
| Revert merge commit | | < 30 min |
| Image pin, without a code deploy | | < 5 min |
| Restore from history | | |
| Break-glass restore | | < 10 min |

Required minima :

- [ ] Revertable WITHOUT a code deploy : …
- [ ] Tested revert : …
- [ ] Specific config value : …

## 6. Owner & DRI (MUST)

- DRI : {owner}
- Backup DRI : …
- Decision authority : …
- Sunset milestone : …

## Sign-off checklist (gate before PR merge)

- [ ] §1 monitoring : …
- [ ] §2 alerting : …
- [ ] §3 drift : …
- [ ] §4 rollout : …
- [ ] §5 rollback : …
- [ ] §6 DRI : …
- [ ] Dependency declarations : H1 `deptry` and no new import in the resolver
- [ ] Committee `pr_review` VERDICT on DAY, session ID
- [ ] Story OP comment links the committee session ids (#… for plan, #TBD for PR review)
"""


def fresh_form(story: str, owner: str, filled_on: date) -> str:
    """Return the Markdown of a form that nobody filled in yet."""
    return _FORM.format(story=story, owner=owner, filled_on=filled_on)
