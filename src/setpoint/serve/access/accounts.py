"""SERVE: accounts, tokens and the access log: the records that doors show, and what doors do to them.

Guarantees: who may see or do what is judged in the database, by the credential of the transaction, or
because it is the owner's. A secret is never read back, for only its hash is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from setpoint.errors import DoctorFinding, MissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.declare.catalogue import Catalogues
    from setpoint.store.database import Database, Transaction

Role = Literal["viewer", "config_write", "approver", "admin", "robot"]


@dataclass(frozen=True)
class Account:
    """An account, without its password."""

    name: str
    roles: list[Role]
    has_password: bool
    issuer: str | None
    subject: str | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    last_login_at: datetime | None
    #: Admins who appointed it or let it in, and whom nobody else has confirmed yet: what it approves does
    #: not count on their changes.
    unconfirmed: list[str]
    #: How far roles reach, as patterns of scopes and keys; a role without an entry reaches everything.
    limits: dict[str, dict[str, list[str]]]
    #: Since when it is shut out because a backup was brought back; None of any other.
    waits_since: datetime | None


@dataclass(frozen=True)
class Token:
    """A token, without its secret."""

    id: int
    account: str
    label: str
    roles: list[Role]
    #: Of a token that reads flags alone: by what it asks.
    dimensions: list[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str | None
    #: It lives in its last two weeks, or last tenth: time to rotate it.
    is_ending: bool


@dataclass(frozen=True)
class AccessNote:
    """One line of the access log."""

    id: int
    at: datetime
    event: str
    account: str
    remote: str
    credential: int | None
    actor: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class IssuedToken:
    """A token that was just made."""

    id: int
    account: str
    roles: list[Role]
    expires_at: datetime


@dataclass(frozen=True)
class RotatedToken:
    """A token that was just made beside another, which works on until ``old_ends_at``."""

    id: int
    account: str
    roles: list[Role]
    expires_at: datetime
    label: str
    old_ends_at: datetime


def list_accounts(
    reader: Transaction, *, limit: int | None = None, after: str | None = None
) -> list[Account]:
    """Return accounts by name, after one; for an admin or the owner of the tables."""
    rows = reader.fetch_all("read_accounts", name=None, after=after, limit=limit)
    return [Account(**row) for row in rows]


def read_account(reader: Transaction, name: str) -> Account:
    """Return one account.

    Raises:
        MissingError: there is none of this name.
    """
    row = _account_row(reader, name)
    if row:
        return Account(**row)
    raise MissingError(f"there is no account {name}.", hint="GET /v1/accounts lists them")


def is_account(reader: Transaction, name: str) -> bool:
    """Say whether there is an account of this name."""
    return _account_row(reader, name) is not None


def _account_row(reader: Transaction, name: str) -> Mapping[str, Any] | None:
    return reader.fetch_one("read_accounts", name=name, after=None, limit=None)


def create_account(writer: Transaction, name: str, roles: Iterable[str], *, remote: str) -> None:
    """Make an account; it cannot log in yet."""
    writer.execute("create_account", name=name, roles=list(roles), remote=remote)


def change_account(
    writer: Transaction,
    name: str,
    *,
    roles: Iterable[str] | None = None,
    disabled: bool | None = None,
    limits: Mapping[str, Mapping[str, Sequence[str]] | None] | None = None,
    remote: str,
) -> None:
    """Give an account other roles, disable or enable it; None leaves it as it is.

    Args:
        writer: of an admin, or the owner of the tables.
        name: the account.
        roles: all that it has from now on.
        disabled: whether it is shut out.
        limits: by role, patterns of ``scopes`` and ``keys`` that it reaches; None lifts a role's limit.
        remote: the address, for the access log.
    """
    given = None if roles is None else list(roles)
    reach = None if limits is None else {role: limit and dict(limit) for role, limit in limits.items()}
    writer.execute("change_account", name=name, roles=given, disabled=disabled, limits=reach, remote=remote)


def reach_of(
    catalogues: Catalogues, scopes: Sequence[str], named: Sequence[str]
) -> dict[str, list[str]] | None:
    """Return the limit of a role to scopes and to the keys of catalogues; None when it names neither.

    Raises:
        UsageError: there is no such catalogue.
    """
    prefixes = {member.name: member.prefix for member in catalogues.members}
    if unknown := sorted(set(named) - prefixes.keys()):
        raise UsageError(f"there is no catalogue {unknown[0]}.", hint=f"one of {', '.join(sorted(prefixes))}")
    reach = {"scopes": list(scopes), "keys": [f"{prefixes[name]}_*" for name in named]}
    return {part: patterns for part, patterns in reach.items() if patterns} or None


def confirm_account(writer: Transaction, name: str, *, remote: str) -> None:
    """Say that an account is who it says; for another admin than those who appointed it, or the owner."""
    writer.execute("confirm_account", name=name, remote=remote)


def link_identity(writer: Transaction, name: str, *, issuer: str, subject: str, remote: str) -> None:
    """Let a person of an identity provider in as this account."""
    writer.execute("link_identity", name=name, issuer=issuer, subject=subject, remote=remote)


def believe_provider(writer: Transaction, issuer: str, roles: list[str]) -> None:
    """Believe a provider about people, who may bring these roles; for the owner of the tables."""
    writer.execute("believe_provider", issuer=issuer, roles=roles)


def issue_once(writer: Transaction, account: str, secret_hash: bytes, *, remote: str) -> datetime:
    """Keep a one-time login by its hash, and return until when it holds; an earlier one is void."""
    row = writer.fetch_one("issue_once", account=account, hash=secret_hash, remote=remote) or {}
    until: datetime = row["expires_at"]
    return until


def issue_token(
    writer: Transaction,
    account: str,
    secret_hash: bytes,
    *,
    label: str,
    roles: Iterable[str] | None,
    days: int,
    remote: str,
    dimensions: list[str] | None = None,
) -> IssuedToken:
    """Keep a token by its hash.

    Args:
        writer: of one who may make it.
        account: whom it speaks for.
        secret_hash: of its secret.
        label: what it is for.
        roles: None for all of the account.
        days: how long it lives.
        remote: where that was asked for.
        dimensions: it reads flags alone, asked by these; None for a token like any other.
    """
    row = writer.fetch_one(
        "issue_token",
        account=account,
        hash=secret_hash,
        label=label,
        roles=None if roles is None else list(roles),
        days=days,
        remote=remote,
        dimensions=dimensions,
    )
    return IssuedToken(**(row or {}))


def rotate_token(
    writer: Transaction, number: int, secret_hash: bytes, *, days: int, overlap_s: int, remote: str
) -> RotatedToken:
    """Make another token like one, which works on for some seconds, so that nothing that uses it fails."""
    row = writer.fetch_one(
        "rotate_token", id=number, hash=secret_hash, days=days, overlap_s=overlap_s, remote=remote
    )
    return RotatedToken(**(row or {}))


def list_admins(reader: Database | Transaction) -> list[str]:
    """Return whom to ask for what needs an admin, by name."""
    return [str(row["name"]) for row in reader.fetch_all("read_admins")]


def ending_tokens(reader: Database | Transaction) -> list[DoctorFinding]:
    """Return the tokens that end soon and were not rotated, each with the command that renews it."""
    return [
        DoctorFinding(
            f"token {row['id']} of {row['account']} ends on {row['expires_at']:%Y-%m-%d %H:%M} UTC.",
            f"setpoint tokens rotate {row['id']}",
        )
        for row in reader.fetch_all("list_tokens_ending")
    ]


def revoke_token(writer: Transaction, number: int, *, remote: str) -> None:
    """End a token at once."""
    writer.execute("revoke_token", id=number, remote=remote)


def list_tokens(reader: Transaction, *, limit: int | None = None, after: int | None = None) -> list[Token]:
    """Return the caller's tokens, or all for an admin or the owner, newest first, below an id."""
    return [Token(**row) for row in reader.fetch_all("read_tokens", after=after, limit=limit)]


def forget_credentials(database: Database) -> None:
    """Remove sessions and one-time logins that ended a day ago, and tokens that ended a month ago."""
    database.execute("forget_credentials")


def read_access_log(
    reader: Database | Transaction,
    *,
    limit: int,
    after: int | None,
    account: str | None,
    event: str | None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[AccessNote]:
    """Return what happened at the doors, newest first, below an id; a filter that is None means all.

    ``since`` is inclusive, ``until`` exclusive: months that follow each other hold each line once.
    """
    asked = {"account": account, "event": event, "since": since, "until": until}
    rows = reader.fetch_all("read_access_log", after=after, limit=limit, **asked)
    return [AccessNote(**row) for row in rows]
