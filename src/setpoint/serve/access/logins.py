"""SERVE: sessions are opened here: by a password, a one-time login, or an identity provider.

Guarantees: an account that does not exist costs the same time as one that does, and is refused in the
same words; a session's secret is new with each login, whatever the browser held before. Attempts are
counted in the database, so that several servers share the count. At most two passwords are hashed at a
time (64 MiB each); who waits for that holds no thread.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import ForbiddenError, TooManyRequests, UnauthenticatedError
from setpoint.serve.access import passwords
from setpoint.serve.access.secret import SESSION, digest, new_secret
from setpoint.serve.turns import Turns

if TYPE_CHECKING:
    from setpoint.serve.access.oidc import Person
    from setpoint.serve.access.rules import Principal
    from setpoint.store.database import Database

HASHED_AT_A_TIME = 2
_OPENED_WITHIN_S = 20.0


class Opened(NamedTuple):
    """A session just opened; ``secret`` is for its holder alone."""

    account: str
    roles: list[str]
    expires_at: datetime
    secret: str
    #: The password was right, and a passkey has to answer yet: the secret is no session's.
    awaits_passkey: bool = False

    def __repr__(self) -> str:
        return f"Opened({self.account!r})"


class Logins:
    """Opens sessions of one server process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.turns = Turns("a login", HASHED_AT_A_TIME, _OPENED_WITHIN_S)

    async def by_password(self, account: str, password: str, remote: str) -> Opened:
        """Open a session for whoever knows the password.

        Raises:
            UnauthenticatedError: account or password is wrong, or it is disabled: not said which.
            TooManyRequests: too many failed; ``retry_after_s`` says for how long.
        """
        return await self.turns.run(self._by_password, account, password, remote)

    async def once(self, secret: str, remote: str) -> Opened:
        """Open a session for a one-time login, which is used up; raises as ``by_password`` does."""
        return await self.turns.run(self._once, secret, remote)

    async def by_identity(self, person: Person, remote: str) -> Opened:
        """Open a session for a person whom the provider vouched for.

        Raises:
            ForbiddenError: the account is neither linked nor given a role, or it is disabled.
        """
        return await self.turns.run(self._by_identity, person, remote)

    async def set_password(self, caller: Principal, current: str, new: str, remote: str) -> None:
        """Set the caller's password; their other sessions end.

        Raises:
            ForbiddenError: the present one was not proven, or this is no session of a person.
            InvalidError: the new one is too short or too long.
            TooManyRequests: as ``by_password``.
        """
        await self.turns.run(self._set_password, caller, current, new, remote)

    async def prove(self, caller: Principal, password: str, remote: str) -> None:
        """Prove again, by the password, who holds a session: it may decide for a quarter of an hour.

        Raises:
            ForbiddenError: it is another password, the account has none, or this is no session.
            TooManyRequests: as ``by_password``.
        """
        await self.turns.run(self._prove, caller, password, remote)

    async def prove_by_identity(self, caller: Principal, person: Person, remote: str) -> None:
        """Prove again, by a login at the provider, who holds a session.

        Raises:
            ForbiddenError: somebody else logged in there, or the account is linked to nobody there.
        """
        await self.turns.run(self._prove_by_identity, caller, person, remote)

    def _prove_by_identity(self, caller: Principal, person: Person, remote: str) -> None:
        with self._database.transaction(credential=caller.secret) as transaction:
            done = transaction.fetch_one(
                "prove_by_identity",
                issuer=person.issuer,
                subject=person.subject,
                at=person.authenticated_at,
                remote=remote,
            )
        if not (done and done["proven"]):
            raise ForbiddenError(
                f"the identity provider vouches for somebody else than {caller.account}.",
                hint="log in there as yourself",
            )

    def _prove(self, caller: Principal, password: str, remote: str) -> None:
        with self._database.transaction(credential=caller.secret) as transaction:
            facts = transaction.fetch_one("own_password", remote=remote) or {}
            _require_patience(facts)
            key = passwords.key_of(password, facts["parameters"] or passwords.fresh_parameters())
            done = transaction.fetch_one("prove_by_password", key=key, remote=remote)
        if not (done and done["proven"]):
            raise ForbiddenError(
                "this is not the password of your account.",
                hint="try again; without one, set it after a one-time login",
            )

    def _by_password(self, account: str, password: str, remote: str) -> Opened:
        facts = self._database.fetch_one("login_facts", name=account, remote=remote) or {}
        _require_patience(facts)
        parameters = facts["parameters"] or passwords.fresh_parameters()
        key, secret = passwords.key_of(password, parameters), new_secret(SESSION)
        row = self._database.fetch_one(
            "open_session_by_password", name=account, key=key, hash=digest(secret), remote=remote
        )
        if row and row["awaits_passkey"]:
            return Opened(account, [], row["expires_at"], secret, awaits_passkey=True)
        opened = _opened(row or {}, secret, "account or password is wrong.")
        if not passwords.are_current(parameters):
            kept = passwords.keep(password)
            self._database.execute("keep_password_anew", name=account, key=key, **kept._asdict())
        return opened

    def _once(self, presented: str, remote: str) -> Opened:
        secret = new_secret(SESSION)
        row = self._database.fetch_one(
            "open_session_once", secret=presented, hash=digest(secret), remote=remote
        )
        _require_patience(row or {})
        return _opened(row or {}, secret, "this one-time login is unknown, expired or used.")

    def _by_identity(self, person: Person, remote: str) -> Opened:
        secret = new_secret(SESSION)
        row = self._database.fetch_one(
            "open_session_by_identity",
            issuer=person.issuer,
            subject=person.subject,
            name=person.name,
            roles=list(person.roles),
            proven_at=person.authenticated_at,
            hash=digest(secret),
            remote=remote,
        )
        if not (row and row["account"]):
            raise ForbiddenError(
                f"{person.name} is known to the identity provider, but not let in here.",
                hint="an admin links the account, or the provider gives a group that has a role",
            )
        return Opened(row["account"], row["roles"], row["expires_at"], secret)

    def _set_password(self, caller: Principal, current: str, new: str, remote: str) -> None:
        kept = passwords.keep(new)
        with self._database.transaction(credential=caller.secret) as transaction:
            facts = transaction.fetch_one("own_password", remote=remote) or {}
            _require_patience(facts)
            key = passwords.key_of(current, facts["parameters"]) if facts["must_prove"] else b""
            done = transaction.fetch_one("set_password", key=key, remote=remote, **kept._asdict())
        if not (done and done["set"]):
            raise ForbiddenError("the present password is not this one.", hint="send it as `current`")


def _require_patience(facts: dict[str, object]) -> None:
    if wait_s := facts.get("wait_s"):
        raise TooManyRequests(
            "too many logins failed from this address.",
            hint=f"try again in {wait_s} seconds",
            retry_after_s=wait_s,
        )


def _opened(row: dict[str, object], secret: str, refusal: str) -> Opened:
    if not row.get("account"):
        raise UnauthenticatedError(refusal, hint="try again, or ask an admin for a one-time login")
    return Opened(row["account"], row["roles"], row["expires_at"], secret)  # type: ignore[arg-type]
