"""A readiness file of which every rule holds, and systems in which its names are looked up."""

import ast
from datetime import UTC, datetime
from pathlib import Path

from setpoint.cli.command_modules import options_by_command
from setpoint.govern.readiness.outcomes import Outcome, Outcomes
from setpoint.govern.readiness.system import System

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "tests/golden/readiness_document.md"
OPENED, REVIEWED, MERGED = "2026-05-10", "2026-05-11", "2026-05-12T00:00:00Z"
RUNBOOK = "docs/runbooks/runbook_hp_console_seeding.md"
#: Of `GOOD` an instant in each phase.
AT = {
    "opening": datetime(2026, 5, 10, tzinfo=UTC),
    "merge": datetime(2026, 5, 11, 12, tzinfo=UTC),
    "after": datetime(2026, 5, 13, tzinfo=UTC),
}
GOOD = f"""\
# MLOps readiness: S17, values out of source

**Story** : S17 — `OP wp#153`, `Closes #905`
**Owner** : @ada (answers for it)
**Filled on** : {OPENED}
**Reviewed by committee** :

- plan_review ({OPENED}) — session `ea2e71ff` PASSED, strong consensus (5 experts, 6 recos addressed)

**Pull request** : #904, opened {OPENED}

## 1. Production monitoring (MUST)

| Status | Metric | Type | Source | Dashboard | Threshold (warn / crit) | Owner |
|---|---|---|---|---|---|---|
| ✅ LIVE | `harness.hp_coverage_pct` | gauge | `coverage.of` | `cvntrade-hp-coverage` | < 100 / < 95 | @ada |
| ✅ LIVE | `event=training_complete` | event | same | `cvntrade-training-harness` | none for a day | @ada |
| ⏸️ PLANNED | `harness.not_yet` | gauge | `later.on` | same | > 0 | @ada |

Required minima coverage :

- ✅ prediction-rate metric : `harness.hp_coverage_pct`
- ✅ outcome metric : `f1_buy_val` per fold
- ✅ health metric : `event=hpo_fallback_applied`

## 2. Alerting & runbooks (MUST)

| Alert | Trigger | Runbook | Severity | Notification channel |
|---|---|---|---|---|
| `hp_console_coverage_low` | harness.hp_coverage_pct < 95 | {RUNBOOK} | P1 | pager |

Required minima :

- ✅ 1 P1 alert : hp_console_coverage_low
- ✅ Runbook : docs/runbooks/runbook_hp_console_seeding.md

## 3. Drift detection (MUST)

| Drift type | Detection method | Threshold | Action |
|---|---|---|---|
| literals in source | `setpoint gate src` | any | CI fails |
| seeds | tests/change/test_seed_parity.py::test_125_defaults_and_110_triples_are_pinned | any | CI fails |

## 4. Staged rollout (MUST)

| Stage | Traffic % | Duration | Pass criteria | Rollback trigger |
|---|---|---|---|---|
| Canary (W1) | 1 run | 2 h | f1 >= 0.40 | f1 < 0.30 |

Required minima :

- ✅ Shadow stage : SKIP — JUSTIFICATION : the values are the same, a test holds it
- ✅ Canary on a single batch first : one run
- ✅ Named canary assets : BTCUSDC
- ✅ Operator sign-off : `setpoint rollout promote`

## 5. Rollback plan (MUST)

| Mechanism | Description | Revert SLA |
|---|---|---|
| Break-glass restore | by psql | < 10 min |
| Console rollback | restore a version | < 1 min |

Required minima :

- ✅ Revertable WITHOUT a code deploy : restore a version
- ✅ Tested revert : `setpoint drill C`
- ✅ Specific config value : cvntradeImageTag=0b0a9c7f

## 6. Owner & DRI (MUST)

- DRI : @ada
- Backup DRI : @ada
- Decision authority : @ada may flip it
- Sunset milestone : the Epic ships. By then :
  - The fallback parameter of call sites is removed
  - The event=hpo_fallback_applied rate is 0
  - The Console UI restore-from-history is live
  - Break-glass is emergency-only
  - S18 externalizes the remaining training params
  - Everybody is content

Counted from merge SHA 0b0a9c7f on {MERGED}.

## Sign-off checklist (gate before PR merge)

- [x] §1 monitoring : defined
- [x] §2 alerting : defined
- [x] §3 drift : defined
- [x] §4 rollout : defined
- [x] §5 rollback : defined
- [x] §6 DRI : named
- [x] Dependency declarations : no new import, H1 green
- [x] Committee `pr_review` PASSED on {REVIEWED}, session `628a49ba`
- [x] Story OP comment links the committee session ids (#131 for plan, #140 for PR review)
"""


def passed(at):
    """Every test that `GOOD` and the document name passed just now, with the files that are here."""
    found = {}
    for path in ("tests/change/test_seed_parity.py", "tests/contract/test_resolve.py"):
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        found |= {f"{path}::{name}": Outcome("passed", 1, at, "now", "", "pytest") for name in names}
    return Outcomes("now", found)


def system(at, record=None, repository=ROOT, **parts):
    """Return the running system, with what is on record and another part where one is given."""
    parts.setdefault("outcomes", passed(at))
    return System(at=at, commands=options_by_command(), record=record, repository=repository, **parts)
