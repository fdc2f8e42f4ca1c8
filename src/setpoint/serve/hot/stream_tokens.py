"""SERVE: tokens that open a stream, for clients that cannot send a header (a browser's EventSource).

A token names a credential and an instant by the database's clock, signed with the one secret of this
database, so every server takes it. It opens a stream of revision numbers and nothing else. Guarantees: it is
the same text within a window of time, because a client that sees another address opens its stream anew; it
lives one to two windows, and never longer than the credential that asked for it, nor than that account has a
role. Refuses what is expired, changed or signed elsewhere. Must never be logged.
"""

from __future__ import annotations

import base64
import hmac
import time
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import DatabaseUnavailable, UnauthenticatedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from setpoint.serve.turns import Turns
    from setpoint.store.database import Database

WINDOW_S = 900
_LONGEST = 400
#: As long as any credential is believed; see ``Credentials``.
BELIEVED_S = 5.0
_MOST_KNOWN = 10_000
#: As long as the database's clock is believed to go as this machine's monotonic one does.
_TIMED_S = 60.0


class StreamHolder(NamedTuple):
    """Who is behind a token."""

    #: On the clock of ``time.monotonic``.
    ends_at: float
    account: str
    #: By which it may ask; None for any.
    dimensions: Sequence[str] | None


_NOBODY = StreamHolder(-inf, "", ())


class StreamTokens:
    """Makes and reads tokens; the secret is read from the database once."""

    def __init__(self, database: Database, turns: Turns) -> None:
        self._database = database
        self._turns = turns
        self._secret = b""
        #: What the database's clock says when the monotonic one says 0, and when that was found.
        self._epoch, self._timed_at = 0.0, -inf
        #: When it was asked how long a credential stands, and the answer, with whose it is.
        self._known: dict[int, tuple[float, StreamHolder]] = {}

    async def token(self, credential: int, now: float | None = None) -> str:
        """Return a token by a credential's number; ``now`` is for tests, in seconds since the epoch."""
        secret = await self._known_secret()
        expires = (int(self._now() if now is None else now) // WINDOW_S + 2) * WINDOW_S
        claim = base64.urlsafe_b64encode(f"{expires} {credential}".encode()).rstrip(b"=").decode()
        return f"{claim}.{self._signature(secret, claim)}"

    async def good_until(self, credential: int) -> float:
        """Return when a credential ends, on the clock of ``time.monotonic``; errors as ``holder``."""
        return (await self.holder(credential)).ends_at

    async def holder(self, credential: int) -> StreamHolder:
        """Return who is behind a credential, from memory or from the database.

        Raises:
            UnauthenticatedError: it is over already: expired, revoked, or its account lost its roles.
        """
        known = self._known  # what is read while `forget` is called is kept by nobody
        asked_at, held = known.get(credential, (-inf, _NOBODY))
        if time.monotonic() - asked_at > BELIEVED_S:
            asked_at = time.monotonic()
            row = await self._turns.run(self._database.fetch_one, "credential_ends", id=credential)
            held = _NOBODY
            if row and row["at"]:
                held = StreamHolder(asked_at + row["left_s"], row["account"], row["dimensions"])
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[credential] = (asked_at, held)
        if held.ends_at <= time.monotonic():
            raise UnauthenticatedError(
                "the credential behind the stream token is over.", hint="evaluate the flags again"
            )
        return held

    def forget(self) -> None:
        """Believe nothing any more: accounts or credentials have changed."""
        self._known = {}

    async def credential_of(self, token: str, now: float | None = None) -> int:
        """Return the number of the credential that a token was made for.

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
        expires, _, credential = base64.urlsafe_b64decode(padded).decode().partition(" ")
        if int(expires) < (self._now() if now is None else now):
            raise UnauthenticatedError("the stream token has expired.", hint="evaluate the flags again")
        return int(credential)

    async def _known_secret(self) -> bytes:
        if time.monotonic() - self._timed_at > _TIMED_S:
            try:
                await self._read_secret()
            except UnavailableError:
                if not self._secret:  # what is known is used on while the database is away
                    raise
        return self._secret

    async def _read_secret(self) -> None:
        asked_at = time.monotonic()
        row = await self._turns.run(self._database.fetch_one, "stream_secret")
        if row is None:
            raise DatabaseUnavailable(
                "the database has no secret for streams.", hint="run `setpoint db migrate`"
            )
        self._secret, self._epoch, self._timed_at = bytes(row["secret"]), row["now_s"] - asked_at, asked_at

    def _now(self) -> float:
        return self._epoch + time.monotonic()

    @staticmethod
    def _signature(secret: bytes, claim: str) -> str:
        return hmac.new(secret, b"setpoint-stream " + claim.encode(), "sha256").hexdigest()
