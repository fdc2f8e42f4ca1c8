"""SERVE: tokens that open a stream, for clients that cannot send a header (a browser's EventSource).

A token names an account and an instant, signed with the one secret of this database, so every server
takes it. It opens a stream of revision numbers and nothing else. Guarantees: it is the same text within
a window of time, because a client that sees another address opens its stream anew; it lives one to two
windows. Refuses what is expired, changed or signed elsewhere. Must never be logged.
"""

from __future__ import annotations

import base64
import hmac
import time
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from setpoint.errors import DatabaseUnavailable, UnauthenticatedError

if TYPE_CHECKING:
    from setpoint.store.database import Database

WINDOW_S = 900
_LONGEST = 400


class StreamTokens:
    """Makes and reads tokens; the secret is read from the database once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._secret = b""

    async def token(self, account: str, now: float | None = None) -> str:
        """Return a token for an account; ``now`` is for tests, in seconds since the epoch."""
        expires = (int(time.time() if now is None else now) // WINDOW_S + 2) * WINDOW_S
        claim = base64.urlsafe_b64encode(f"{expires} {account}".encode()).rstrip(b"=").decode()
        return f"{claim}.{self._signature(await self._known_secret(), claim)}"

    async def account_of(self, token: str, now: float | None = None) -> str:
        """Return the account a token was made for.

        Raises:
            UnauthenticatedError: it is expired, or none of ours.
        """
        claim, _, signature = token.partition(".")
        expected = self._signature(await self._known_secret(), claim[:_LONGEST])
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise UnauthenticatedError(
                "the stream token is none of this plane.", hint="evaluate the flags again"
            )
        padded = claim + "=" * (-len(claim) % 4)
        expires, _, account = base64.urlsafe_b64decode(padded).decode().partition(" ")
        if int(expires) < (time.time() if now is None else now):
            raise UnauthenticatedError("the stream token has expired.", hint="evaluate the flags again")
        return account

    async def _known_secret(self) -> bytes:
        if not self._secret:
            row = await run_in_threadpool(self._database.fetch_one, "stream_secret")
            if row is None:
                raise DatabaseUnavailable(
                    "the database has no secret for streams.", hint="run `setpoint db migrate`"
                )
            self._secret = bytes(row["secret"])
        return self._secret

    @staticmethod
    def _signature(secret: bytes, claim: str) -> str:
        return hmac.new(secret, b"setpoint-stream " + claim.encode(), "sha256").hexdigest()
