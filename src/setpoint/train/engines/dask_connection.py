"""ENGINES: the way to a Dask cluster: one that is made here for a run, or a scheduler that somebody runs.

Refuses a scheduler that is spoken to over a network without TLS or without a certificate, one without a
worker, and workers with several threads, which would take more than their cores. Guarantees: a cluster that
is made here takes little more than the pool does from the cores that train.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import dask
from distributed import Client, LocalCluster
from distributed.comm.core import FatalCommClosedError
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.security import Security

from setpoint.errors import UnavailableError, UsageError, reason_of
from setpoint.train.engines.pool import cores_shared, ctrl_c_held_back, main_left_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Worker

    from setpoint.train.plan import Plan

#: How long a scheduler is dialled.
_DIAL_S = 15.0
#: How Dask's own settings begin that name certificates.
_TLS = "DASK_DISTRIBUTED__COMM__TLS__"
#: How long a worker or its answer is waited for.
CONNECT_S = 60.0
#: Of a cluster that is made here, whose processes share the cores that train. What each does beside training
#: by itself, all the time: it looks at its own stack a hundred times a second, and at its clock fifty times.
#: And the system's allocator as it is: told to give memory back at once, it gets the same pages again and
#: again while a model grows.
_LEAN = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}


class _Parting(WorkerPlugin):
    """Lets a worker that was closed end at once: to take its libraries apart costs a second of its core."""

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 - distributed's interface
        """End the process where the interpreter would begin to: its run was closed before."""
        atexit.register(_part)


def _part() -> None:
    sys.stdout.flush()
    os._exit(0)


@contextmanager
def connected(scheduler: str, plan: Plan) -> Iterator[Client]:
    """Connect to a scheduler as long as the block runs; an empty address makes a cluster here."""
    # What goes wrong is an error of ours; the library's tracebacks would stand between it and its reader.
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"distributed", "tornado", "asyncio"}:
            log = logging.getLogger(name)
            log.handlers, log.propagate = [logging.NullHandler()], False
    if not scheduler:
        with _local_cluster(plan) as cluster, Client(cluster) as client:
            client.register_plugin(_Parting())
            yield client
        return
    _require_private(scheduler)
    _require_certificate(scheduler)
    try:
        client = Client(scheduler, timeout=_DIAL_S)
    except FatalCommClosedError as problem:
        raise UnavailableError(
            f"the scheduler {scheduler} and this machine do not know each other's certificates.",
            hint=f"both are signed by the authority of {_TLS}CA_FILE",
        ) from problem
    except OSError as problem:
        raise UnavailableError(
            f"the scheduler {scheduler} does not answer.", hint="see that it runs, and its address"
        ) from problem
    with client:
        _require_workers(client, scheduler)
        yield client


@contextmanager
def _local_cluster(plan: Plan) -> Iterator[LocalCluster]:
    """Start a scheduler and as many workers as the plan says, on loopback, as long as the block runs."""
    # Its event loop's thread is made here, and starts the workers: all of them leave Ctrl-C to this process.
    with ExitStack() as stack:
        with ctrl_c_held_back(), main_left_alone(), cores_shared(plan.threads), dask.config.set(_LEAN):
            cluster = LocalCluster(
                n_workers=plan.processes,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
            # In here: what was held back is let go at the end of this block, and ends the cluster, too.
            stack.enter_context(cluster)
        yield cluster


def _require_private(scheduler: str) -> None:
    protocol, _, place = scheduler.rpartition("://")
    host = place.rpartition(":")[0].strip("[]")
    if protocol == "tls" or host == "localhost":
        return
    try:
        private = ip_address(host).is_loopback
    except ValueError:
        private = False
    if not private:
        raise UsageError(
            f"the scheduler {scheduler} is spoken to over a network without TLS.",
            hint="start it with certificates and name it tls://HOST:PORT (distributed.comm.tls has its keys)",
        )


def _require_certificate(scheduler: str) -> None:
    """Hold that this process has a certificate where the scheduler asks for one."""
    if not scheduler.startswith("tls://"):
        return
    hint = f"name files in {_TLS}CA_FILE, {_TLS}CLIENT__CERT and {_TLS}CLIENT__KEY"
    try:
        known = Security().get_connection_args("client")["ssl_context"]
    except OSError as problem:
        raise UsageError(
            f"the certificates for {scheduler} cannot be read: {reason_of(problem)}.", hint=hint
        ) from None
    if known is None:
        raise UsageError(f"no certificate is named for {scheduler}.", hint=hint)


def workers_of(client: Client) -> dict[str, Any]:
    """Return what the scheduler says of its workers, by address; an adaptive cluster's come and go.

    Not ``client.scheduler_info``: it gives out what its client keeps, and between asking and giving out the
    client's own clock may have put an answer without workers there.
    """
    identity = client.scheduler.identity  # type: ignore[union-attr]  # there while the client is connected
    return dict(client.sync(identity, n_workers=-1)["workers"])


def _require_workers(client: Client, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError:
        raise UnavailableError(
            f"the scheduler {scheduler} has no worker.", hint=f"dask worker {scheduler} --nthreads 1"
        ) from None
    for address, worker in workers_of(client).items():
        if worker["nthreads"] != 1:
            raise UsageError(
                f"the worker {address} has {worker['nthreads']} threads: each would train a unit.",
                hint="start workers with --nthreads 1, and as many as cores for each unit's threads",
            )
