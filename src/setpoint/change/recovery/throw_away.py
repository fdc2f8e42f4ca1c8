"""CHANGE: a server of its own that is thrown away, for what is only rehearsed."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from setpoint.store.server import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from setpoint.settings import Settings


@contextmanager
def throw_away_home(settings: Settings, purpose: str, options: Sequence[str] = ()) -> Iterator[Settings]:
    """Give the settings of a running server without tables for the length of the block, then remove it.

    Args:
        settings: whose programs it runs.
        purpose: a part of its folder's name.
        options: settings of the server, such as ``fsync=off``.

    Raises:
        DatabaseUnavailable: no server can be started here.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"setpoint-{purpose}-"))
    copy = replace(settings, home=folder / "home", database_url="", migrate_url="")
    try:
        with embedded.attach(copy, options):
            yield copy
    finally:
        embedded.stop(copy, force=True)
        shutil.rmtree(folder, ignore_errors=True)
