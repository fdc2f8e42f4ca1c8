"""SERVE: `GET /metrics`, on a port of its own: one process tells what all of them and the database know.

Guarantees: beyond loopback it asks for a token; on loopback for none, but for a request that names this
machine, so that no page in a browser reads it under another name. The database is asked every few seconds at
most, and one that does not answer in time is told as `setpoint_database_up 0`: a scrape waits for nobody. It
runs beside the plane in a thread of the process that started it, and ends with that.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from setpoint.client.secret_files import read_secret
from setpoint.errors import SetpointError, UsageError
from setpoint.govern.checkpoints.calendar import load_calendar
from setpoint.govern.checkpoints.samples import merge_sample, read_stored_samples
from setpoint.observe.metrics import DATABASE_UP, Sample, by_metric
from setpoint.record.metrics import read_here
from setpoint.serve.app import CONNECTIONS, END_STREAMS, ROOT_PATH
from setpoint.serve.connections import Connections
from setpoint.serve.metrics.instruments import CONTENT_TYPE, Instruments
from setpoint.serve.metrics.link import Link, private_socket
from setpoint.serve.turns import Turns
from setpoint.store.database import SERVER, Database

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricReader
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from setpoint.declare.catalogue import Catalogues
    from setpoint.observe.metrics import Metric
    from setpoint.settings import Settings

#: How old the numbers of the database may be, and how long a scrape waits for new ones.
KEPT_S, READ_WITHIN_S = 2.0, 5.0
MOST_CONNECTIONS = 32
PUSHED_EVERY_S = 60.0
_PUSHED_WITHIN_S = 5.0
_PARTING_S = 3.0


_LOG = logging.getLogger("setpoint.metrics")


@contextmanager
def serving_metrics(
    settings: Settings,
    catalogues: Catalogues,
    listener: socket.socket | None,
    configured: Callable[[ASGIApp], uvicorn.Config],
) -> Iterator[str]:
    """Tell metrics from a thread as long as the block runs; yields where the plane's processes tell theirs.

    Args:
        settings: whose database is told of; where metrics are sent, if they are.
        catalogues: what keys and places there are.
        listener: a bound socket that answers ``GET /metrics``; None: they are only sent.
        configured: how a server of the plane is run: with which limits and deadlines.
    """
    told = Told(settings, catalogues)
    server = uvicorn.Server(configured(_application(told)))
    work: Callable[[], Any] = (
        (lambda: server.run([listener])) if listener else (lambda: asyncio.run(told.stay()))
    )
    thread = threading.Thread(target=work, name="setpoint-metrics", daemon=True)
    thread.start()
    try:
        yield str(told.path)
    finally:
        server.should_exit = told.is_over = True
        thread.join(timeout=_PARTING_S)
        told.close()


class Told:
    """What is told of a plane: the database's numbers, its processes', and this machine's spools."""

    def __init__(self, settings: Settings, catalogues: Catalogues) -> None:
        self.path = private_socket()
        self.is_over = False
        self.settings, self._catalogues = settings, catalogues
        self._calendar = load_calendar(settings.checkpoints)
        self._database = Database.reach_later(settings, SERVER)
        self._turns = Turns("the metrics", 1, READ_WITHIN_S)
        self._reading = asyncio.Lock()
        self._read: Mapping[Metric, Sequence[Sample]] = {}
        self._read_at = float("-inf")
        self._instruments = Instruments(self._samples, _pushing(settings))
        self._link = Link(self._instruments)

    async def text(self) -> str:
        """Return all of it for Prometheus."""
        await self._refresh()
        return await asyncio.to_thread(self._instruments.text)

    @asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Hear the processes of the plane as long as the block runs; keep numbers fresh for what is sent."""
        async with self._link.listening(self.path):
            task = asyncio.create_task(self._keep_fresh()) if self.settings.otlp_url else None
            try:
                yield
            finally:
                if task:
                    task.cancel()

    async def stay(self) -> None:
        """Hear them until it is over."""
        async with self.hearing():
            while not self.is_over:  # noqa: ASYNC110 - said by another thread
                await asyncio.sleep(0.1)

    def close(self) -> None:
        """End it; the last numbers are sent."""
        self._instruments.close()
        self._database.close()
        self._turns.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
            self.path.parent.rmdir()

    def _samples(self) -> Mapping[Metric, Sequence[Sample]]:
        return {**self._read, **by_metric([*self._link.samples(), merge_sample(self._calendar)])}

    def _numbers(self) -> list[Sample]:
        """Return what the database knows."""
        return read_stored_samples(self._database, self._catalogues, self._calendar, self.settings)

    async def _refresh(self) -> None:
        async with self._reading:
            if time.monotonic() - self._read_at < KEPT_S:
                return
            here = await asyncio.to_thread(read_here, self.settings)
            try:
                found = await self._turns.run(self._numbers)
                self._read = by_metric([*found, *here])
            except SetpointError:
                self._read = by_metric([Sample(DATABASE_UP, 0), *here])
            self._read_at = time.monotonic()

    async def _keep_fresh(self) -> None:
        while True:
            await self._refresh()
            await asyncio.sleep(PUSHED_EVERY_S / 4)


def _pushing(settings: Settings) -> list[MetricReader]:
    if not settings.otlp_url:
        return []
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415 - slow

    exporter = OTLPMetricExporter(endpoint=settings.otlp_url, timeout=_PUSHED_WITHIN_S)
    return [PeriodicExportingMetricReader(exporter, export_interval_millis=1000 * PUSHED_EVERY_S)]


def _application(told: Told) -> ASGIApp:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with told.hearing():
            yield {END_STREAMS: lambda: None, CONNECTIONS: Connections(MOST_CONNECTIONS), ROOT_PATH: ""}

    async def metrics(request: Request) -> Response:
        if refusal := _refusal(request, told.settings):
            return refusal
        return Response(await told.text(), media_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})

    return Starlette(routes=[Route("/metrics", metrics)], lifespan=lifespan)


def _refusal(request: Request, settings: Settings) -> Response | None:
    if settings.metrics_token_file:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            token = read_secret(settings.metrics_token_file, "SETPOINT_METRICS_TOKEN_FILE")
        except UsageError as problem:
            _LOG.error('event=metrics_token_unreadable what="%s"', problem.message.replace('"', "'"))
            return PlainTextResponse("The token of this address cannot be read: its log says why.\n", 503)
        if hmac.compare_digest(given.encode(), token.encode()):
            return None
        return PlainTextResponse(
            "A token is needed.\n", 401, {"WWW-Authenticate": 'Bearer realm="setpoint metrics"'}
        )
    if _is_loopback(request.url.hostname or ""):
        return None
    return PlainTextResponse("Ask for this by the address of this machine.\n", 421)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
