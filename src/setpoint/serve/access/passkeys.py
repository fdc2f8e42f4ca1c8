"""SERVE: passkeys: the second factor of a login by password, and a proof of who holds a session (WebAuthn).

Guarantees: what a device signs is for this plane's address alone (`SETPOINT_PUBLIC_URL`), for one session or
login, and for one challenge, which the database hands out once; the device has verified its person. A
signature that does not hold, another's passkey and one that counts backwards prove nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    UserVerificationRequirement,
)

from setpoint.errors import ForbiddenError, UsageError
from setpoint.serve.access.logins import Opened
from setpoint.serve.access.secret import SESSION, digest, new_secret
from setpoint.serve.public_address import public_address

if TYPE_CHECKING:
    from setpoint.serve.access.rules import Principal
    from setpoint.settings import Settings
    from setpoint.store.database import Database, Transaction

_NAME = "Setpoint"


@dataclass(frozen=True)
class Passkey:
    """A passkey, without what checks it."""

    id: int
    account: str
    label: str
    created_at: datetime
    last_used_at: datetime | None


def list_passkeys(reader: Transaction, account: str | None) -> list[Passkey]:
    """Return passkeys, the oldest first: the caller's own, or any for an admin or the owner.

    ``account`` is whose; None for all that the caller may see.
    """
    return [Passkey(**row) for row in reader.fetch_all("read_passkeys", account=account)]


def remove_passkey(writer: Transaction, number: int, *, remote: str) -> None:
    """Let a passkey prove nothing any more: one's own, or, for an admin or the owner, anybody's."""
    writer.execute("remove_passkey", id=number, remote=remote)


class Passkeys:
    """Passkeys of one server process; what waits for the database is called from a thread."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        address = public_address(settings.public_url)
        self._origin = f"{address.scheme}://{address.host}" if address else ""
        host = address.host.partition(":")[0] if address and not address.host.startswith("[") else ""
        self._host = "" if _is_number(host) else host

    @property
    def refusal(self) -> str:
        """Why no passkey can be used here; empty where it can."""
        if self._host:
            return ""
        return "passkeys are bound to the plane's name: SETPOINT_PUBLIC_URL has to give it one"

    def begin(self, secret: str) -> str:
        """Return what a browser asks a device to sign, as JSON, for a session or a login under way.

        Raises:
            UnauthenticatedError: it has ended.
            UsageError: this plane has no name.
        """
        challenge, started = self._challenge(secret, is_new=False)
        options = generate_authentication_options(
            rp_id=self._host,
            challenge=challenge,
            allow_credentials=[PublicKeyCredentialDescriptor(id=bytes(key)) for key in started["keys"]],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return str(options_to_json(options))

    def begin_new(self, caller: Principal) -> str:
        """Return what a browser asks a device to make, as JSON.

        Raises:
            ForbiddenError: the session is of no person who has logged in with a password.
            ProofNeeded: it was not proven lately.
            UsageError: this plane has no name.
        """
        challenge, started = self._challenge(caller.secret, is_new=True, credential=caller.secret)
        options = generate_registration_options(
            rp_id=self._host,
            rp_name=_NAME,
            user_name=caller.account,
            user_id=digest(caller.account),
            challenge=challenge,
            exclude_credentials=[PublicKeyCredentialDescriptor(id=bytes(key)) for key in started["keys"]],
            authenticator_selection=AuthenticatorSelectionCriteria(
                user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
        return str(options_to_json(options))

    def keep(self, caller: Principal, label: str, answer: str, remote: str) -> None:
        """Keep the passkey that a device made.

        Raises:
            ForbiddenError: it was not made for this session, or not here.
            ConflictError: it is kept already, or there are ten.
        """
        taken = self._taken(caller.secret, b"")
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=bytes(taken["challenge"] or secrets.token_bytes(32)),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError) as error:
            raise _refused() from error
        with self._database.transaction(credential=caller.secret) as transaction:
            transaction.execute(
                "keep_passkey",
                key=made.credential_id,
                public_key=made.credential_public_key,
                sign_count=made.sign_count,
                label=label or "a passkey",
                remote=remote,
            )

    def prove(self, caller: Principal, answer: str, remote: str) -> None:
        """Prove again who holds a session.

        Raises:
            ForbiddenError: no passkey of theirs answered.
        """
        key, count = self._signed(caller.secret, answer)
        with self._database.transaction(credential=caller.secret) as transaction:
            done = transaction.fetch_one("prove_by_passkey", key=key, sign_count=count, remote=remote)
        if not (done and done["proven"]):
            raise _refused()

    def log_in(self, begun: str, answer: str, remote: str) -> Opened:
        """Complete a login whose password was right; after a wrong answer it has to be begun again.

        Raises:
            UnauthenticatedError: it took too long, or was completed.
            ForbiddenError: no passkey of the account answered.
        """
        key, count = self._signed(begun, answer)
        secret = new_secret(SESSION)
        row = self._database.fetch_one(
            "open_session_by_passkey",
            secret=begun,
            key=key,
            sign_count=count,
            hash=digest(secret),
            remote=remote,
        )
        if not (row and row["account"]):
            raise _refused()
        return Opened(row["account"], row["roles"], row["expires_at"], secret)

    def _challenge(self, secret: str, *, is_new: bool, credential: str = "") -> tuple[bytes, Any]:
        if self.refusal:
            raise UsageError(f"{self.refusal}.", hint="log in without one, after a one-time login")
        challenge = secrets.token_bytes(32)
        with self._database.transaction(credential=credential) as transaction:
            started = transaction.fetch_one(
                "start_passkey", secret=secret, challenge=challenge, is_new=is_new
            )
        return challenge, started

    def _taken(self, secret: str, key: bytes) -> Any:
        return self._database.fetch_one("take_challenge", secret=secret, key=key)

    def _signed(self, secret: str, answer: str) -> tuple[bytes | None, int]:
        """Return the passkey that signed what it was asked to, and its count; None for none."""
        try:
            given = parse_authentication_credential_json(answer)
        except (WebAuthnException, ValueError, TypeError, KeyError):
            self._taken(secret, b"")
            return None, 0
        taken = self._taken(secret, given.raw_id)
        if not taken["challenge"] or not taken["public_key"]:
            return None, 0
        try:
            signed = verify_authentication_response(
                credential=given,
                expected_challenge=bytes(taken["challenge"]),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=bytes(taken["public_key"]),
                credential_current_sign_count=taken["sign_count"],
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError):
            return None, 0
        return given.raw_id, signed.new_sign_count


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _refused() -> ForbiddenError:
    return ForbiddenError(
        "no passkey of this account answered for this page.",
        hint="try again, or ask an admin to remove a passkey that is lost",
    )
