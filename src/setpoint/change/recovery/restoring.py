"""CHANGE: bring a backup back: proven before it serves, and nobody comes in by what it holds.

Guarantees: history is verified - the chain, what else the database knows of it, and an anchor when one is
given - before anything takes the place of anything. Who was disabled, what was revoked and what was rejected
after the backup was made is not in it; therefore sessions, tokens and one-time logins end, passwords are
void, accounts but viewers wait for an admin's confirmation, providers bring viewers alone, incident channels
are closed, and every change that was open comes back suspended.
Refuses a backup whose history does not verify; what was there goes on as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setpoint.change.identity import os_account
from setpoint.change.policies import Policy, read_policies
from setpoint.change.verification import Anchor, verify
from setpoint.errors import IntegrityError, SetpointError
from setpoint.store.backups import restore as stored

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.settings import Settings
    from setpoint.store.backups.manifest import Manifest
    from setpoint.store.database import Transaction


@dataclass(frozen=True)
class PolicyMove:
    """A policy that another database does not have so; None where one of the two has none."""

    scope: str
    kind: str
    replaced: Policy | None
    restored: Policy | None


@dataclass(frozen=True)
class Ended:
    """What was valid when the backup was made and is not any more, each by its name."""

    #: Accounts whose sessions, tokens and one-time logins ended, one entry for each of them.
    credentials: tuple[str, ...]
    #: Accounts that wait for an admin's confirmation.
    waiting: tuple[str, ...]
    #: Providers that bring viewers alone until the owner says again what they may bring.
    providers: tuple[str, ...]
    #: Incident channels that were closed.
    channels: tuple[str, ...]
    #: Changes that came back suspended.
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Restored:
    """What was brought back, and what of it is valid no more."""

    made_at: str
    revision: int
    chain: str
    hash: str
    ended: Ended
    #: Policies that the replaced database had otherwise; all of them when there was none to compare with.
    policies: tuple[PolicyMove, ...]
    #: The name under which the replaced database is kept; None when there was nothing to keep.
    kept: str | None


def restore_backup(
    settings: Settings, path: Path, *, anchor: Anchor | None = None, replace: bool = False, reason: str = ""
) -> Restored:
    """Bring the database back to what a backup holds.

    Args:
        settings: of the database, as the role that owns its tables.
        path: what `setpoint db backup` wrote.
        anchor: a head of the chain that was kept elsewhere, of a time before the backup.
        replace: take the place of a database that holds something; embedded server only.
        reason: why, for the access log.

    Raises:
        IntegrityError: ``path`` is no backup, was changed, or its history does not verify.
        ConflictError: the database holds something, or other sessions use it.
        UsageError: ``replace`` on a real server.
    """

    def judge(new: Transaction, manifest: Manifest, old: Transaction | None) -> Restored:
        _require_whole(new, anchor)
        moved = _moved_policies(old, new)
        facts = {"hash": manifest.hash, "made_at": manifest.made_at, "revision": manifest.revision}
        ended = _end(new, facts)
        return Restored(
            manifest.made_at, manifest.revision, manifest.chain, manifest.hash, ended, moved, None
        )

    restored, kept = stored.restore_backup(
        settings, path, judge, author=os_account(), reason=reason, replace=replace
    )
    return Restored(**vars(restored) | {"kept": kept})


def _require_whole(new: Transaction, anchor: Anchor | None) -> None:
    found = verify(new, anchor)
    if found.problems:
        more = f", and {len(found.problems) - 1} more" if len(found.problems) > 1 else ""
        raise IntegrityError(
            f"the backup is not what it was: {found.problems[0]}{more}. Nothing was restored.",
            hint="take an older backup, or an anchor of a time before this one was made",
        )


def _end(new: Transaction, facts: dict[str, object]) -> Ended:
    rows = new.fetch_all("revive_nobody", backup=facts)

    def named(*kinds: str) -> tuple[str, ...]:
        return tuple(row["which"] for row in rows if row["what"] in kinds)

    return Ended(
        named("session", "token", "once"),
        named("account"),
        named("provider"),
        named("channel"),
        named("change"),
    )


def _moved_policies(old: Transaction | None, new: Transaction) -> tuple[PolicyMove, ...]:
    try:
        before = _policies(old) if old else {}
    except SetpointError:  # what is replaced may be damaged: then there is nothing to compare with
        before = {}
    after = _policies(new)
    return tuple(
        PolicyMove(*place, before.get(place), after.get(place))
        for place in sorted(before.keys() | after.keys())
        if before.get(place) != after.get(place)
    )


def _policies(reader: Transaction) -> dict[tuple[str, str], Policy]:
    return {(one.scope, one.kind): one for one in read_policies(reader).items}
