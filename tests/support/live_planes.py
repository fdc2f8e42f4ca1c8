"""Planes whose inside a test may watch, and readers of their streams."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from sseclient import SSEClient

from setpoint.declare.loading import load_catalogues
from setpoint.serve.app import build_app
from setpoint.serve.plane import Plane
from setpoint.serve.protocol import PlaneProtocol
from setpoint.serve.server import listen
from setpoint.store.database import SERVER, Database
from support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from setpoint.serve.hot.live import Live
    from setpoint.settings import Settings


@dataclass
class LivePlane:
    """A plane that runs in a thread of this process."""

    url: str
    live: Live
    server: uvicorn.Server
    thread: threading.Thread

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@contextmanager
def live_plane(
    settings: Settings, *, beat_s: float = 15.0, send_buffer_bytes: int = 0
) -> Iterator[LivePlane]:
    """Serve a plane whose stop nothing but its own good behaviour bounds."""
    listener = listen("127.0.0.1", 0)
    if send_buffer_bytes:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    with Database.open(settings, SERVER) as database:
        plane = Plane(settings, database, load_catalogues(settings.catalogues))
        plane.live.feed.beat_s = beat_s
        config = uvicorn.Config(
            build_app(plane), log_config=None, http=PlaneProtocol, ws="none", lifespan="on"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        served = LivePlane(f"http://127.0.0.1:{listener.getsockname()[1]}", plane.live, server, thread)
        try:
            yield served
        finally:
            served.stop()
            listener.close()


@contextmanager
def reading(
    client: httpx.Client, path: str = "/v1/stream", last_event_id: int | None = None
) -> Iterator[Iterator]:
    """Open a stream; yields its events as an independent reader understands them."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    with client.stream("GET", path, headers=headers, timeout=PATIENCE_S) as response:
        assert response.status_code == 200, response.read()
        yield SSEClient(response.iter_bytes()).events()
