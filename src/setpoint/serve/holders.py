"""SERVE: who holds which snapshot: collected in memory, written in batches, the same on every server.

Guarantees: a pin or a heartbeat costs no round trip to the database; what is known is written within
about a second, and before it is listed. A process that is silent for an hour is forgotten. Bounded: what
cannot be written (the database is away) pushes out the oldest word, never the newest.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from setpoint.declare.number_text import read_int
from setpoint.errors import InvalidValue, SetpointError, UsageError
from setpoint.record.snapshots import HeldSnapshot
from setpoint.serve.access.secret import digest
from setpoint.serve.refusals import REFUSALS
from setpoint.serve.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.client.snapshot import Snapshot
    from setpoint.serve.access.rules import Principal
    from setpoint.store.database import Database

FLUSH_EVERY_S = 0.9
PRUNE_EVERY_S = 60.0
WRITTEN_WITHIN_S = 30.0
#: How long the end waits for the last words to be written.
PARTING_S = 0.3
MOST_PENDING = 10_000
#: So that one caller's words never push out all others'.
MOST_PENDING_OF_ONE = MOST_PENDING // 4
LONGEST = 200
LARGEST_PID = 10**10
CLIENT_ID = re.compile(r"[0-9a-f]{32}")
SNAPSHOT_HASH = re.compile(r"[0-9a-f]{64}")
_LOG = logging.getLogger("setpoint.serve")


@dataclass(frozen=True)
class Holder:
    """One process and the snapshot it was last seen with; ``client`` is new for each process."""

    client: str
    #: Of the credential that said so, by which the database knows whose process it is.
    credential: bytes
    snapshot: str
    context: Mapping[str, str]
    host: str
    pid: int
    run: str
    revision: int
    #: ``time.monotonic()``.
    seen_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if not CLIENT_ID.fullmatch(self.client):
            raise InvalidValue(
                "a client is named by 32 hexadecimal digits.", hint="make one for each process"
            )
        if not SNAPSHOT_HASH.fullmatch(self.snapshot):
            raise InvalidValue("a snapshot is named by 64 hexadecimal digits.", hint="send its whole hash")
        texts = (self.host, self.run, *self.context.keys(), *self.context.values())
        if any(len(text) > LONGEST or not text.isprintable() for text in texts):
            raise InvalidValue(f"host, run or context is longer than {LONGEST} characters or not printable.")
        if not 0 <= self.pid < 2**31 or not 0 <= self.revision < 2**63:
            raise InvalidValue("pid or revision is out of range.", hint="send the process's own")

    def row(self, now: float) -> dict[str, Any]:
        """Return it as the query ``note_holder`` takes it; ages, because clocks of hosts differ."""
        given = {
            name: getattr(self, name) for name in ("client", "credential", "host", "pid", "run", "revision")
        }
        age_s = max(now - self.seen_at, 0.0)
        return given | {"snapshot": self.snapshot, "context": dict(self.context), "age_s": age_s}


class Holders:
    """The words of clients on their way to the database; belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: dict[tuple[str, bytes], Holder] = {}
        #: How many of them are of one credential.
        self._waiting: Counter[bytes] = Counter()
        self._flushing = asyncio.Lock()
        self.turns = Turns("the list of holders", 1, WRITTEN_WITHIN_S)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what is pending, once; what the database does not take is given up."""
        if self._task is not None:
            self._task.cancel()
        try:
            async with asyncio.timeout(PARTING_S):
                await self.flush()
        except (SetpointError, TimeoutError) as problem:
            _LOG.warning("event=holders_not_written problem=%s", type(problem).__name__)
        self.turns.close()

    def note(self, holder: Holder) -> bool:
        """Remember what a client holds now, and never wait; False when its credential has said too much."""
        # By credential too: clients are listed, and nobody speaks for another's process.
        named = (holder.client, holder.credential)
        if self._pending.pop(named, None) is None:
            if self._waiting[holder.credential] >= MOST_PENDING_OF_ONE:
                REFUSALS.note("holders", "credentials")
                return False
            self._waiting[holder.credential] += 1
        if len(self._pending) >= MOST_PENDING:
            (_, oldest), _ = next(iter(self._pending.items()))
            del self._pending[next(iter(self._pending))]
            self._waiting[oldest] -= 1
        self._pending[named] = holder
        return True

    async def flush(self) -> None:
        """Write what is pending; it stays pending when the database is out of reach."""
        async with self._flushing:
            taken, self._pending = self._pending, {}
            self._waiting.clear()
            if not taken:
                return
            now = time.monotonic()
            # In one order everywhere, so that two servers never wait for each other.
            rows = [taken[named].row(now) for named in sorted(taken)]
            try:
                refused = await self.turns.run(self._database.execute_many, "note_holder", rows)
            except BaseException:
                self._pending = taken | self._pending
                self._waiting = Counter(credential for _, credential in self._pending)
                raise
            if refused:
                REFUSALS.note("holders", "accounts", refused)

    async def held(self, *, limit: int, after: str = "", snapshot: str | None = None) -> list[HeldSnapshot]:
        """Return who holds what, by client, after one; what is pending is written first."""
        await self.flush()
        rows = await self.turns.run(
            self._database.fetch_all, "list_holders", after=after, snapshot=snapshot, limit=limit
        )
        return [HeldSnapshot(**{one.name: row[one.name] for one in fields(HeldSnapshot)}) for row in rows]

    async def _run(self) -> None:
        prune_at = 0.0
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            try:
                await self.flush()
                if time.monotonic() >= prune_at:
                    prune_at = time.monotonic() + PRUNE_EVERY_S
                    await self.turns.run(self._database.execute, "prune_holders")
            except SetpointError as problem:
                _LOG.warning("event=holders_wait code=%s", problem.code)


def holder_in(header: str, caller: Principal, snapshot: Snapshot, head: int) -> Holder:
    """Return the holder that ``Setpoint-Client: <id>; host=<host>; pid=<pid>; run=<run>`` names.

    Raises:
        UsageError: the header does not have this form.
        InvalidValue: a part of it is no such thing.
    """
    client, *parts = (part.strip() for part in header.split(";"))
    given = dict(part.partition("=")[::2] for part in parts)
    try:
        pid = read_int(given.get("pid", ""))
    except ValueError:
        pid = -1
    if not set(given) <= {"host", "pid", "run"} or not 0 <= pid < LARGEST_PID:
        raise UsageError(
            "Setpoint-Client cannot be read.", hint="<client id>; host=<host>; pid=<pid>; run=<run>"
        )
    return Holder(
        client,
        digest(caller.secret),
        snapshot.hash,
        snapshot.context,
        given.get("host", ""),
        pid,
        given.get("run", ""),
        head,
    )
