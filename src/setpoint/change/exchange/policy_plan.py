"""CHANGE: policies of a folder against those that stand: what would change, and the changes that bring it.

Guarantees: each is a change of kind ``policy``, judged by the policy that stands, in an order in which none
is softer to change than it asks for. Nothing is removed: a policy that the folder does not name stays.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from setpoint.change.decisions import go_on
from setpoint.change.policies import ANY, SMOKE_S, policy_text
from setpoint.change.policy_proposals import policy_proposal
from setpoint.change.proposals import OpenedChange, open_and_apply
from setpoint.change.waiting import Asked, same_changes
from setpoint.declare.document import text_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.change.policies import Policy
    from setpoint.change.proposals import Proposal, Unchanged
    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction


@dataclass(frozen=True)
class PolicyChange:
    """A policy that a folder asks for, and the one of this scope and kind that stands; None for none."""

    old: Policy | None
    new: Policy
    #: As the folder was exported with it, where another stands by now; None where none moved.
    exported: Policy | None = None
    #: The open change that proposes just this; applying opens no other.
    same_change: int | None = None

    @property
    def name(self) -> str:
        """What is named in a plan."""
        return f"policy {self.new.kind} of {self.new.scope}"

    @property
    def undoes(self) -> bool:
        """True when it goes back to what was exported, though somebody set another since."""
        return self.exported == self.new

    @property
    def moved(self) -> str:
        """What somebody did since the export; empty where nobody did."""
        if self.exported is None or self.old is None:
            return ""
        return f"{self.name} moved since the export, from {_said(self.exported)} to {_said(self.old)}"

    @property
    def hashes(self) -> tuple[str, str]:
        """What names the policy that stands, and the one that is asked for."""
        old = "" if self.old is None else text_hash(json.dumps(vars(self.old)))
        return old, text_hash(json.dumps(vars(self.new)))

    def __str__(self) -> str:
        before = "none" if self.old is None else _said(self.old)
        return f"~ {self.name}: {before} -> {_said(self.new)}"


def plan_policies(
    reader: Database | Transaction,
    wanted: Iterable[Policy],
    standing: Iterable[Policy],
    exported: Iterable[Policy],
) -> tuple[PolicyChange, ...]:
    """Return what differs, in the order in which it can be applied, with what moved since the export."""
    stands, before = ({(one.scope, one.kind): one for one in some} for some in (standing, exported))
    found = []
    for one in wanted:
        old, then = (some.get((one.scope, one.kind)) for some in (stands, before))
        if old != one:
            found.append(PolicyChange(old, one, then if then != old else None))
    same = same_changes(reader, (Asked(c.new.scope, _text(c.new), is_policy=True) for c in found))
    marked = (replace(change, same_change=one) for change, one in zip(found, same, strict=True))
    return tuple(sorted(marked, key=_order))


def apply_policies(
    transaction: Transaction,
    catalogues: Catalogues,
    changes: Iterable[PolicyChange],
    *,
    reason: str,
    source: str,
    new_scopes: bool = False,
) -> list[tuple[PolicyChange, OpenedChange | Unchanged | None]]:
    """Open the changes and apply them where policy allows; None for what must wait for one before it.

    Behind a guard that waits nothing is proposed: it would ask for more than its guard does.
    """
    done: list[tuple[PolicyChange, OpenedChange | Unchanged | None]] = []
    is_open = True
    for change in changes:
        proposal = _proposal(catalogues, change, reason, source, new_scopes=new_scopes)
        made = _made(transaction, catalogues, change, proposal) if is_open else None
        is_open = is_open and made is not None and (made.in_force or not _is_guard(change.new))
        done.append((change, made))
    return done


def _made(
    transaction: Transaction, catalogues: Catalogues, change: PolicyChange, proposal: Proposal
) -> OpenedChange | Unchanged:
    if change.same_change is None:
        return open_and_apply(transaction, catalogues, proposal)
    return go_on(transaction, catalogues, change.same_change)


def _proposal(
    catalogues: Catalogues, change: PolicyChange, reason: str, source: str, *, new_scopes: bool
) -> Proposal:
    names = ("scope", "kind", "approvals", "cooling_off_s", "checks", "smoke_s")
    asked = {name: getattr(change.new, name) for name in names}
    return replace(policy_proposal(catalogues, **asked, reason=reason), source=source, new_scope=new_scopes)


def _text(policy: Policy) -> str:
    return policy_text(vars(policy))


def _is_guard(policy: Policy) -> bool:
    return policy.kind in {"policy", ANY}


def _order(change: PolicyChange) -> tuple[int, bool, bool, str, str]:
    """Guards that ask for more come first and those that ask for less last, so that each step is guarded."""
    old, new = change.old, change.new
    asks_less = old is not None and (new.approvals < old.approvals or new.cooling_off_s < old.cooling_off_s)
    place = 1 if not _is_guard(new) else 2 if asks_less else 0
    return place, new.scope != ANY, new.kind != ANY, new.scope, new.kind


def _said(policy: Policy) -> str:
    checks = f", checks {' and '.join(policy.checks)}" if policy.checks else ""
    smoke = f", smoke runs within {policy.smoke_s} s" if policy.smoke_s != SMOKE_S else ""
    return f"{policy.approvals} approval(s), cooling off {policy.cooling_off_s} s{checks}{smoke}"
