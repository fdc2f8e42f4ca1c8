"""RECORD: the database as a worker of a cluster records in it, which has nothing open yet.

Guarantees: psycopg is imported once a worker opens it: whoever names this to a cluster, and workers that know
a plane, need none.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.client.doors import Recorder
    from setpoint.settings import Settings


@contextmanager
def open_database_recorder(settings: Settings, runs_home: Path) -> Iterator[Recorder]:
    """Open a recorder of the settings' database, of runs in another home; raises as ``Database.open``."""
    from setpoint.change.invariants import judged_catalogues  # noqa: PLC0415 - see the module
    from setpoint.record.database_door import database_door  # noqa: PLC0415
    from setpoint.store.database import Database  # noqa: PLC0415

    with Database.open(settings) as database:
        catalogues = judged_catalogues(settings.catalogues)
        yield database_door(database, catalogues, replace(settings, home=runs_home)).recorder
