"""CHANGE: what governs, as a file of an export: policies, incident channels and quotas.

Guarantees: the same state gives the same bytes, and reading gives it back. Refuses a file that says anything
else. Accounts, their roles and limits are not in it: they are people's, and only an admin reads them.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_type_hints

from setpoint.change.policies import SMOKE_S, Policy, PolicyKind, policy_of, read_policies
from setpoint.change.policy_proposals import policy_proposal
from setpoint.declare.export_layout import GOVERNANCE, plain_text
from setpoint.declare.foreign_text import read_toml
from setpoint.declare.toml_text import toml_scalar
from setpoint.errors import InvalidDocument, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction

FORMAT = "setpoint-governance/1"


class OpenChannel(NamedTuple):
    """An incident channel in which an approval of break-glass counts, and who answers there."""

    prefix: str
    responsible: str


class Quota(NamedTuple):
    """The share of one caller; ``per_s`` is 0 where what is kept counts, and not what flows."""

    kind: str
    caller: str
    most: int
    per_s: int


class Governance(NamedTuple):
    """What governs changes, incidents and shares, each in its own order."""

    policies: tuple[Policy, ...]
    channels: tuple[OpenChannel, ...]
    quotas: tuple[Quota, ...]


def standing_governance(reader: Database | Transaction) -> Governance:
    """Return what governs now."""
    channels = (OpenChannel(row["prefix"], row["responsible"]) for row in reader.fetch_all("list_channels"))
    return Governance(
        read_policies(reader).items,
        tuple(sorted(channels)),
        tuple(Quota(**row) for row in reader.fetch_all("list_quotas")),
    )


def governance_text(found: Governance) -> str:
    """Return it as its file."""
    lines = [
        "# What governs. Edit policies here, then: setpoint plan DIR, setpoint apply DIR -r WHY",
        "# Channels and quotas are for the owner of the database: `setpoint plan DIR` says how. Accounts and",
        "# roles are in no export.",
        f'format = "{FORMAT}"',
    ]
    for one in found.policies:
        asked = {"approvals": one.approvals, "cooling_off_s": one.cooling_off_s}
        lines += _table("policies", {"scope": one.scope, "kind": one.kind, **asked})
        if one.checks:
            lines.append(f"checks = {json.dumps(one.checks)}")
        if one.smoke_s != SMOKE_S:
            lines.append(f"smoke_s = {one.smoke_s}")
    for channel in found.channels:
        lines += _table("channels", channel._asdict())
    for quota in found.quotas:
        lines += _table("quotas", quota._asdict())
    return "\n".join(lines) + "\n"


def read_governance(folder: Path, catalogues: Catalogues) -> Governance | None:
    """Return what the file of a folder asks for; None when there is none, as an earlier build left it.

    Raises:
        InvalidDocument: it cannot be read, or says anything else.
        InvalidContext, InvalidValue: a policy is of no scope or kind of this system, or negative.
    """
    path = folder / GOVERNANCE
    if not path.exists():
        return None
    try:
        return _governance(read_toml(plain_text(path)), catalogues)
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise InvalidDocument(f"{path} cannot be read as what governs: {reason_of(problem)}.") from None


def left_to_owner(wanted: Governance, stands: Governance) -> Iterator[str]:
    """Yield the commands that bring channels and quotas; what only stands is left alone."""
    for channel in wanted.channels:
        if channel not in stands.channels:
            prefix, responsible = shlex.quote(channel.prefix), shlex.quote(channel.responsible)
            yield f"setpoint break-glass channel declare {prefix} --responsible {responsible} --reason WHY"
    known = {(one.kind, one.caller): one for one in stands.quotas}
    for quota in wanted.quotas:
        # Names that stand are the database's own: whatever else a file says never enters a statement.
        if (place := (quota.kind, quota.caller)) in known and known[place] != quota:
            numbers = f"most = {quota.most}" + (f", per_s = {quota.per_s}" if quota.per_s else "")
            which = f"kind = '{quota.kind}' AND caller = '{quota.caller}'"
            statement = f"UPDATE quotas SET {numbers} WHERE {which}"  # noqa: S608 - names of our own, numbers
            yield f"setpoint db psql --owner -- -c {shlex.quote(statement)}"


def _governance(data: dict[str, Any], catalogues: Catalogues) -> Governance:
    if data.pop("format", None) != FORMAT or data.keys() - {"policies", "channels", "quotas"}:
        raise ValueError(f"format, policies, channels and quotas of {FORMAT} are all it holds")
    return Governance(
        tuple(_policy(catalogues, row) for row in _rows(data, "policies")),
        tuple(sorted(OpenChannel(**_typed(OpenChannel, row)) for row in _rows(data, "channels"))),
        tuple(Quota(**_typed(Quota, row)) for row in _rows(data, "quotas")),
    )


def _table(name: str, row: dict[str, Any]) -> Iterable[str]:
    return ["", f"[[{name}]]", *(f"{field} = {toml_scalar(value)}" for field, value in row.items())]


def _rows(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = data.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{name} are tables, each under [[{name}]]")
    return rows


def _typed(kind: type[NamedTuple], row: dict[str, Any]) -> dict[str, Any]:
    """Hold that a table has the fields of its kind, each of its type."""
    types = get_type_hints(kind)
    if row.keys() != types.keys() or any(type(row[name]) is not types[name] for name in types):
        raise ValueError(f"{row} does not give {', '.join(types)}")
    return row


def _policy(catalogues: Catalogues, row: dict[str, Any]) -> Policy:
    checks, smoke_s = row.pop("checks", []), row.pop("smoke_s", SMOKE_S)
    asked = _typed(_PolicyRow, row)
    if asked["kind"] not in get_args(PolicyKind):
        raise ValueError(f"{asked['kind']!r} is no kind of change")
    if not isinstance(checks, list):
        raise TypeError(f"{checks!r} is no list of checks")
    if type(smoke_s) is not int:
        raise TypeError(f"{smoke_s!r} is no number of seconds")
    read = policy_proposal(catalogues, **asked, checks=checks, smoke_s=smoke_s, reason="read")
    return policy_of(read.set)


class _PolicyRow(NamedTuple):
    scope: str
    kind: str
    approvals: int
    cooling_off_s: int
