"""ORCHESTRATE: the engines that a sweep may be followed with, beside this machine's processes.

Guarantees: an engine's library is imported when it is asked for. A worker of a cluster reads its own
settings: which plane it reports to and with which token is said on its machine, never in the task graph.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from setpoint.declare.loading import load_catalogues
from setpoint.errors import UsageError
from setpoint.orchestrate.doors import plane_door
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from setpoint.client.doors import Recorder
    from setpoint.train.sweep import Engine

    #: Opens a recorder of the settings' database for runs in a home; importable on each worker.
    OpenDatabase = Callable[[Settings, Path], AbstractContextManager[Recorder]]


def no_database(_settings: Settings, _home: Path) -> NoReturn:
    """Open none: where nothing of the database is installed each worker names a plane.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        "a worker of the cluster names no plane.",
        hint="set SETPOINT_URL and SETPOINT_TOKEN_FILE where workers start",
    )


def dask_engine(scheduler: str, open_database: OpenDatabase = no_database) -> Engine:
    """Return the engine that trains on a Dask cluster.

    Args:
        scheduler: its address, such as ``tls://scheduler:8786``; empty for a cluster on this machine.
        open_database: used by workers whose settings name no plane; by default these are refused.

    Raises:
        UsageError: the extra ``dask`` is not installed.
    """
    try:
        from setpoint.train.engines.dask_cluster import train_in_dask  # noqa: PLC0415 - an extra
    except ImportError as problem:
        raise UsageError(
            f"the engine dask is not installed: {problem}.", hint="pip install 'setpoint[dask]'"
        ) from None
    return partial(train_in_dask, scheduler=scheduler, open_recorder=partial(_recorder, open_database))


@contextmanager
def _recorder(open_database: OpenDatabase, home: Path) -> Iterator[Recorder]:
    """Open a recorder on a worker, by the worker's own settings, whose runs lie in a home of its own."""
    settings = Settings.from_environ()
    if not settings.url:
        with open_database(settings, home) as recorder:
            yield recorder
        return
    with plane_door(load_catalogues(settings.catalogues), replace(settings, home=home)) as door:
        yield door.recorder
