"""CLI: what commands pin from: the plane that SETPOINT_URL names, else the database, or files.

Guarantees: while a plane is named nothing of the database is opened or imported for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from setpoint.cli.app import database, parse_context, say_unused, settings
from setpoint.client.snapshot import read_snapshot
from setpoint.errors import InvalidContext, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from setpoint.client.doors import Door
    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues


def open_door(system: Catalogues, *, of_changes: bool = False) -> AbstractContextManager[Door]:
    """Open the plane's door where the settings name a plane, else the database's, as long as the block runs.

    ``of_changes``: what evidence for a change needs, too; the database's door loads that only when asked.
    """
    if not settings().url:
        return _open_database_door(system, of_changes)
    from setpoint.orchestrate.doors import plane_door

    return plane_door(system, settings())


@contextmanager
def _open_database_door(system: Catalogues, of_changes: bool) -> Iterator[Door]:
    from setpoint.record.database_door import database_door

    with database() as opened:
        door = database_door(opened, system, settings())
        if of_changes:
            from setpoint.change.evidence import change_door

            door = replace(door, changes=change_door(opened, system))
        yield door


def pinned(
    system: Catalogues, context: dict[str, str], file: Path | None, seeds: Path | None = None
) -> Snapshot:
    """Pin from the plane or the database, or from seed files; or take a file, made for ``context``."""
    if file and seeds:
        raise UsageError("--seeds and --snapshot both say the values.", hint="give one of them")
    if file is None:
        made = _seeded(system, context, seeds) if seeds else _pinned(system, context)
        say_unused(made)
        return made
    snapshot = read_snapshot(file)
    for dimension, value in context.items():
        if snapshot.context.get(dimension) != value:
            raise InvalidContext(
                f"{file} was made for {dict(snapshot.context) or 'no context'}, not {dimension}={value}.",
                hint="leave --context out, or pin again",
            )
    return snapshot


def _pinned(system: Catalogues, context: dict[str, str]) -> Snapshot:
    with open_door(system) as door:
        return door.pin(context)


def _seeded(system: Catalogues, context: dict[str, str], folder: Path) -> Snapshot:
    from setpoint.change.document_texts import typed
    from setpoint.change.documents import check_new_violations
    from setpoint.client.seeded import seeded_snapshot

    made = seeded_snapshot(str(folder), system, context)
    check_new_violations(system, {}, typed(made.document, system), str(folder))
    return made


def pinned_set(
    system: Catalogues, context: dict[str, str], contexts: list[str], other: Path | None
) -> SnapshotSet:
    """Pin a set from the plane or the database: what all share, and each context over that.

    Raises:
        UsageError: values were to come from a file or folder; or one dimension is named by both.
    """
    if other:
        raise UsageError(
            f"--contexts pins from the plane or the database, not from {other}.", hint="give one of the two"
        )
    each = [parse_context(pairs.split(",")) for pairs in contexts]
    if repeated := next((name for one in each for name in one if name in context), None):
        raise UsageError(f"--context and --contexts both name {repeated}.", hint="name it once")
    with open_door(system) as door:
        made = door.pin_set([context, *({**context, **one} for one in each)])
    say_unused(*made.snapshots)
    return made
