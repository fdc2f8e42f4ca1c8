"""SERVE: the processes that serve: one, or several on one port.

Guarantees: a process serves before the database is there, and says at ``/health/ready`` that it is not
ready; it never migrates. On SIGTERM or Ctrl-C no new connection is taken, streams are ended, and requests
under way have ``GRACE_S`` to end; a second Ctrl-C ends at once. The process is gone within about two seconds
in any state of the database: sessions are cut, and a thread that waits all the same is left behind.
A peer that vanished without a word is given up by the kernel after ``PEER_TIMEOUT_S``. Of several processes
one that dies is replaced, and all end with the one that started them. Refuses a port that is taken before it
starts any.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import logging.config
import multiprocessing
import os
import signal
import socket
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from setpoint.change.invariants import judged_catalogues
from setpoint.declare.loading import load_catalogues
from setpoint.errors import ConflictError, UnavailableError, UsageError
from setpoint.observe import logfmt
from setpoint.observe.build import running_build
from setpoint.serve.access.oidc import Provider
from setpoint.serve.app import build_api, build_app
from setpoint.serve.cross_origin import origins_in
from setpoint.serve.logs import LOG_CONFIG, QUIET_CONFIG, end_log, log_everything, log_to
from setpoint.serve.metrics.address import listen_address
from setpoint.serve.plane import Plane
from setpoint.serve.protocol import PlaneProtocol
from setpoint.serve.public_address import public_address, trusted_networks
from setpoint.settings import Settings
from setpoint.store.database import SERVER, Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


#: How long requests under way may go on after a stop was asked for, in seconds.
GRACE_S = 1.0
#: How long a process may live on when it serves no more; threads that still connect would keep it.
LINGER_S = 0.5
#: How long one of several processes may be silent before it is replaced.
WORKER_PATIENCE_S = 30
#: Connections the kernel keeps for us while all processes are busy.
BACKLOG = 4096
PEER_TIMEOUT_S = 45
#: Longer than a client's pauses between two units or two batches of events, mostly.
KEEP_ALIVE_S = 30
_PEER_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_TIMEOUT_S * 1000),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PEER_TIMEOUT_S // 3),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PEER_TIMEOUT_S // 9),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
#: How long the end of a block waits for a plane in a thread.
_PARTING_S = 10.0
_PR_SET_PDEATHSIG = 1
_LOG = logging.getLogger("setpoint.serve")


class _Ending:
    """An application with whose end its process ends."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; the lifespan returns after all else has ended."""
        if scope["type"] != "lifespan":
            await self._inner(scope, receive, send)
            return
        await self._inner(scope, receive, partial(_begun, send))
        last = threading.Timer(LINGER_S, os._exit, [0])
        last.daemon = True
        last.start()


async def _begun(send: Send, message: Message) -> None:
    """Tell what the lifespan says; what stands when it has begun is looked through for garbage no more.

    It stays to the end, and with it each full collection would hold up every stream for 150 ms.
    """
    if message["type"] == "lifespan.startup.complete":
        gc.collect()
        gc.freeze()
    await send(message)


def listen(host: str, port: int) -> socket.socket:
    """Take a port, with connections that notice dead peers; 0 takes a free one.

    Raises:
        ConflictError: another process has it.
        UsageError: this machine has no such address, or the port is not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"port {port} of {host} is in use.", hint="end what uses it, or choose another --port"
            ) from None
        raise UsageError(
            f"{host}:{port} cannot be listened on: {problem.strerror or problem}.",
            hint="choose an address of this machine and a port above 1023",
        ) from None
    for level, option, value in _PEER_OPTIONS:
        listener.setsockopt(level, option, value)  # what it accepts inherits these
    return listener


def address_of(listener: socket.socket) -> str:
    """Return where a listener is reached, as a URL; an address of all interfaces is this machine's."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - recognised, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def require_settings(settings: Settings) -> None:
    """Hold, before a port is taken, that a plane can be made of these settings.

    Raises:
        UsageError: one says what cannot be; a catalogue's errors are those of ``judged_catalogues``.
    """
    judged_catalogues(settings.catalogues)
    public_address(settings.public_url)
    trusted_networks(settings.trusted_proxy)
    origins_in(settings.cors_origins)
    Provider(settings)
    listen_address(settings)


def serve_plane(
    settings: Settings, listener: socket.socket, workers: int = 1, *, quiet: bool = False
) -> None:
    """Serve until told to stop, in this process or from several.

    Args:
        settings: of each of the processes.
        listener: what ``listen`` returned.
        workers: how many processes.
        quiet: log nothing below a warning, where a person reads something else on that screen.

    Raises:
        UnavailableError: the processes could not start; the log says why.
    """
    log_config = QUIET_CONFIG if quiet else LOG_CONFIG
    logging.config.dictConfig(log_config)
    log_everything()
    build = running_build(settings)
    _LOG.info(
        "event=serving url=%s workers=%d version=%s build=%s source=%s",
        address_of(listener),
        workers,
        build.version,
        logfmt.text(build.name or "unnamed"),
        build.source,
    )
    with _telling_metrics(settings) as link:
        _serve_all(settings, listener, workers, link, log_config)


@contextmanager
def _telling_metrics(settings: Settings) -> Iterator[str]:
    """Tell metrics where the settings ask for it; yields where processes tell theirs, empty: nowhere."""
    address = listen_address(settings)
    if address is None and not settings.otlp_url:
        yield ""
        return
    from setpoint.serve.metrics.endpoint import serving_metrics  # noqa: PLC0415 - slow, and most need none

    with ExitStack() as held:
        listener = held.enter_context(listen(*address)) if address else None
        if listener:
            _LOG.info("event=serving_metrics url=%s/metrics", address_of(listener))
        yield held.enter_context(
            serving_metrics(settings, load_catalogues(settings.catalogues), listener, _config)
        )


def _serve_all(
    settings: Settings, listener: socket.socket, workers: int, link: str, log_config: dict[str, Any]
) -> None:
    if workers == 1:
        _serve_here(settings, listener, link, log_config)
        return
    config = _config(partial(worker_app, settings, link), workers, log_config)
    supervisor = Multiprocess(config, [listener])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise UnavailableError("the plane's processes could not start.", hint="the log says why")


def _serve_here(settings: Settings, listener: socket.socket, link: str, log_config: dict[str, Any]) -> None:
    plane = open_plane(settings, link)
    with plane.database:
        server = uvicorn.Server(_config(_Ending(build_app(plane)), log_config=log_config))
        # uvicorn raises the signal that ended it again, for whoever would want to die of it.
        with suppress(KeyboardInterrupt):
            server.run([listener])


@contextmanager
def serving(settings: Settings, listener: socket.socket, log: Path) -> Iterator[str]:
    """Serve from a thread of this process as long as the block runs; yields the address.

    Args:
        settings: whose database is served.
        listener: what ``listen`` returned.
        log: the file that takes the log's lines.
    """
    plane = open_plane(settings)
    with plane.database:
        config = _config(build_app(plane), log_config=log_to(log))
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=[[listener]], name="setpoint-plane", daemon=True)
        thread.start()
        try:
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join(timeout=_PARTING_S)
            end_log()


def worker_app(settings: Settings, link: str = "") -> ASGIApp:
    """Return the application of one of several processes, which ends with the one that started it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        starter = multiprocessing.parent_process()
        if starter is not None and os.getppid() != starter.pid:  # it died before we asked
            signal.raise_signal(signal.SIGTERM)
    log_everything()
    return _Ending(build_app(open_plane(settings, link)))


def open_plane(settings: Settings, link: str = "") -> Plane:
    """Return the plane of these settings, whose database is reached when it is first needed."""
    database = Database.reach_later(settings, SERVER)
    return Plane(settings, database, judged_catalogues(settings.catalogues), link)


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document of a plane, without a database to serve."""
    return build_api(open_plane(Settings.from_environ({}))).openapi()


def _config(app: Any, workers: int = 1, log_config: dict[str, Any] = LOG_CONFIG) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, partial),
        workers=workers,
        loop="uvloop",
        http=PlaneProtocol,
        ws="none",
        lifespan="on",
        log_config=log_config,
        access_log=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,  # type: ignore[arg-type]  # it is slept, any fraction of it
        # A process that comes up slowly on a busy machine is not to be replaced by another.
        timeout_worker_healthcheck=WORKER_PATIENCE_S,
        server_header=False,
        proxy_headers=False,  # our own entrance reads them
    )
