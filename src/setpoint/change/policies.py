"""CHANGE: policies as they stand: how many people must approve what, and which checks it must pass.

Changes nothing: a policy is changed by a change, see ``policy_proposals``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.store.database import Database, Transaction

#: Any scope, or any kind of change; the most specific policy decides, the scope before the kind.
ANY = "*"
PolicyKind = Literal["*", "value", "range", "scope", "restore", "policy"]
#: What a policy may ask for besides approvals: checks of the candidate, or that it is rolled out in stages.
PolicyCheck = Literal["canary", "smoke", "ranges", "rollout"]
#: How long a smoke run may take where policy says nothing else.
SMOKE_S = 120
KINDS = get_args(PolicyKind)
CHECKS = get_args(PolicyCheck)


@dataclass(frozen=True)
class Policy:
    """How many people must approve; `*` is any scope or kind, the most specific policy decides."""

    scope: str
    kind: PolicyKind
    approvals: int
    solo: bool
    cooling_off_s: int
    #: The checks that a change must pass besides.
    checks: tuple[PolicyCheck, ...] = ()
    #: How long a smoke run may take; one that takes longer stops itself and does not count.
    smoke_s: int = SMOKE_S


@dataclass(frozen=True)
class Policies:
    """Every policy, the most general first, and the people whose approval counts.

    ``leaves_without_approval``: whose changes too few people could approve under one that is asked about.
    """

    items: tuple[Policy, ...]
    approvers: tuple[str, ...]
    leaves_without_approval: tuple[str, ...] = ()
    #: All are there: a page without another.
    next: None = None


def without_approval(reader: Database | Transaction, policy: Mapping[str, Any]) -> tuple[str, ...]:
    """Return whose changes too few people could approve under a policy, given by its fields.

    Honours how far roles reach: it is enough that a person may propose where too few others may approve.
    """
    asked = {name: policy[name] for name in ("scope", "kind", "approvals")}
    rows = reader.fetch_all("list_left_without_approval", **asked)
    return tuple(row["person"] for row in rows)


def policy_text(policy: Mapping[str, Any]) -> str:
    """Return the fields of a policy as its proposal's JSON."""
    return json.dumps({name: policy[name] for name in sorted(policy)})


def policy_of(row: Mapping[str, Any]) -> Policy:
    """Return a row of a policy as a record; one of an earlier build asks for no checks."""
    return Policy(**{**row, "checks": tuple(row.get("checks", ()))})


def read_policies(reader: Database | Transaction, asked: Policy | None = None) -> Policies:
    """Return every policy, the people who can approve, and whom a policy would leave that is asked about."""
    return Policies(
        items=tuple(map(policy_of, reader.fetch_all("list_policies"))),
        approvers=tuple(row["person"] for row in reader.fetch_all("list_approvers")),
        leaves_without_approval=without_approval(reader, vars(asked)) if asked else (),
    )
