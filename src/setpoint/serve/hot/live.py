"""SERVE: the part of one server process that follows the database: feed, cache, holders, stream tokens.

Guarantees: started and stopped as a whole, on the event loop that serves; starting does not wait for the
database, stopping ends every open stream first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.serve.connections import room
from setpoint.serve.holders import Holders
from setpoint.serve.hot.cache import ANSWER_WITHIN_S, THREADS, SnapshotCache
from setpoint.serve.hot.feed import Feed
from setpoint.serve.hot.stream_tokens import StreamTokens
from setpoint.serve.shares import Shares
from setpoint.serve.turns import Turns
from setpoint.store.connections import Server
from setpoint.store.database import SERVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.declare.catalogue import Catalogues
    from setpoint.serve.limits import Limits
    from setpoint.settings import Settings
    from setpoint.store.database import Database


MOST_STREAMS = 10_000


class Live:
    """What the hot routes of one process share; make it on the event loop that serves."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        catalogues: Catalogues,
        limits: Limits,
        on_access_changed: Callable[[], None],
    ) -> None:
        self._server = Server(settings, role=SERVER)
        #: Threads that the hot routes share.
        turns = Turns("resolving a snapshot", THREADS, ANSWER_WITHIN_S)
        self.tokens = StreamTokens(database, turns)

        def forget() -> None:
            on_access_changed()
            self.tokens.forget()

        self.feed = Feed(self._server, forget)
        self.cache = SnapshotCache(database, catalogues, self.feed, turns)
        self.holders = Holders(database)
        self.shares = Shares(database, limits)
        #: Connections that are no streams must have room, too.
        self.most_streams = min(MOST_STREAMS, room() // 2)
        #: Streams that are open.
        self.streams = 0

    def start(self) -> None:
        """Begin to follow the database; returns at once."""
        self.feed.start()
        self.holders.start()
        self.shares.start()

    async def stop(self) -> None:
        """End the streams, write down what is pending, and let go of the database."""
        await self.feed.stop()
        await self.holders.stop()
        self.shares.stop()
        self.cache.turns.close()
        self._server.close()
