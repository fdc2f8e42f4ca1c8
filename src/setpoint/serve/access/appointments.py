"""SERVE: accounts kept by the owner of the database, who appoints the first admin.

Guarantees: it asks for the login that owns the tables, the one that migrates them, and presents no
credential; what it does is in the access log under the operating system account's name. Secrets are
returned once and kept as hashes.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from setpoint.change.identity import os_account
from setpoint.serve.access import accounts
from setpoint.serve.access.logins import Logins
from setpoint.serve.access.rules import Credentials
from setpoint.serve.access.secret import ONCE, TOKEN, digest, new_secret
from setpoint.store.database import SERVER, Database
from setpoint.store.owner_transaction import owner_transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from setpoint.settings import Settings
    from setpoint.store.database import Transaction

#: Where an act at the database's own door came from, in the access log.
REMOTE = "database"
#: Of a password that is made for somebody: 12 characters.
PASSWORD_BYTES = 9
#: The account that a database without accounts is entered by.
FIRST_ADMIN = "admin"


@contextmanager
def as_owner(settings: Settings, reason: str = "") -> Iterator[Transaction]:
    """Open one transaction as the owner of tables of this release; errors as ``owner_transaction``."""
    Database.open(settings).close()
    with owner_transaction(settings, author=os_account(), reason=reason) as transaction:
        yield transaction


def one_time_login(settings: Settings, account: str = FIRST_ADMIN, reason: str = "") -> tuple[str, datetime]:
    """Return a secret that logs an account in once, and until when; earlier ones of it are void.

    The first admin is made when it is missing; one that exists is left as it is.

    Raises:
        MissingError: there is no such account, and it is not the first admin.
        ConflictError: the account is disabled, or a robot.
        DatabaseUnavailable, ForbiddenError: see ``owner_transaction``.
    """
    secret = new_secret(ONCE)
    with as_owner(settings, reason) as transaction:
        if account == FIRST_ADMIN:
            _require_account(transaction, account, "admin")
        expires_at = accounts.issue_once(transaction, account, digest(secret), remote=REMOTE)
    return secret, expires_at


def person_with_password(settings: Settings, account: str, role: str) -> str:
    """Return a fresh password of a person's account, to try the Console out with; a missing one is made.

    Raises:
        ConflictError: the account is disabled, or a robot.
        DatabaseUnavailable, ForbiddenError: see ``owner_transaction``.
    """
    with as_owner(settings) as transaction:
        _require_account(transaction, account, role)
    once, _ = one_time_login(settings, account)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    with Database.open(settings, SERVER) as database:
        asyncio.run(_set_first_password(database, once, password))
    return password


def robot_token(settings: Settings, account: str, label: str) -> tuple[int, str]:
    """Return the number and the secret of a robot's token that lives a day; a missing robot is made.

    Raises:
        DatabaseUnavailable, ForbiddenError: see ``owner_transaction``.
    """
    secret = new_secret(TOKEN)
    with as_owner(settings) as transaction:
        _require_account(transaction, account, "robot")
        token = accounts.issue_token(
            transaction, account, digest(secret), label=label, roles=None, days=1, remote=REMOTE
        )
    return token.id, secret


def revoke_token(settings: Settings, number: int) -> None:
    """End a token at once; errors as ``owner_transaction``."""
    with as_owner(settings) as transaction:
        accounts.revoke_token(transaction, number, remote=REMOTE)


async def _set_first_password(database: Database, once: str, password: str) -> None:
    logins = Logins(database)
    try:
        opened = await logins.once(once, REMOTE)
        caller = Credentials(database).holder(opened.secret)
        await logins.set_password(caller, "", password, REMOTE)
    finally:
        logins.turns.close()


def _require_account(transaction: Transaction, name: str, role: str) -> None:
    """Make an account with one role when it is missing; one that exists is left as it is."""
    if not accounts.is_account(transaction, name):
        accounts.create_account(transaction, name, [role], remote=REMOTE)
