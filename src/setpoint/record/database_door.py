"""RECORD: the database as the door of a run, for whoever starts one: a command or a scheduler.

Guarantees: needs psycopg and nothing of a terminal or of a web server; `orchestrate` gets it handed in.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from setpoint.change.documents import pin_snapshot, pin_snapshot_set
from setpoint.client.doors import Door
from setpoint.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.declare.catalogue import Catalogues
    from setpoint.record.database_recorder import DatabaseRecorder
    from setpoint.settings import Settings


@contextmanager
def open_database_door(catalogues: Catalogues, settings: Settings) -> Iterator[Door]:
    """Open the database that the settings name as a door, as long as the block runs.

    Args:
        catalogues: what values are declared by, their invariants compiled; see ``judged_catalogues``.
        settings: which database, and the home in which runs lie.

    Raises:
        As ``Database.open``.
    """
    with Database.open(settings) as database:
        yield database_door(database, catalogues, settings)


def database_door(database: Database, catalogues: Catalogues, settings: Settings) -> Door:
    """Return the door of an open database; arguments as of ``open_database_door``."""

    def reporting() -> DatabaseRecorder:
        from setpoint.change.identity import author_of  # noqa: PLC0415 - nobody needs it to pin
        from setpoint.client.run_folder import run_folder  # noqa: PLC0415 - as above
        from setpoint.record.database_recorder import DatabaseRecorder  # noqa: PLC0415 - as above

        spools = partial(run_folder, settings.home)
        return DatabaseRecorder(database, catalogues, author_of(database), spools)

    return Door(
        "database",
        lambda context: pin_snapshot(database, catalogues, context),
        lambda contexts: pin_snapshot_set(database, catalogues, contexts),
        reporting,
    )
