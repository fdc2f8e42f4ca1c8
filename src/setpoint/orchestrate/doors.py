"""ORCHESTRATE: the plane as the door of a run: where its values come from and its reports go to.

Guarantees: nothing of the database is needed or imported. The database's door is ``record.database_door``.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from setpoint.client.doors import ChangeDoor, Door
from setpoint.client.plane.connection import Plane
from setpoint.client.plane.snapshot_sets import pin_candidate_from, pin_set_from
from setpoint.client.sources import plane_source, program_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from setpoint.client.snapshot import Snapshot
    from setpoint.client.snapshot_set import SnapshotSet
    from setpoint.declare.catalogue import Catalogues
    from setpoint.settings import Settings
    from setpoint.train.reporting import PlaneRecorder


@contextmanager
def plane_door(catalogues: Catalogues, settings: Settings) -> Iterator[Door]:
    """Open the door of the plane that the settings name; pinning is safe to retry, and reports count once."""

    def pin_over_http(context: dict[str, str]) -> Snapshot:
        source = plane_source(context, os.environ, settings, catalogues)
        with source.plane:
            return source.pin().hyperparams.snapshot

    def pin_set_over_http(contexts: Sequence[dict[str, str]]) -> SnapshotSet:
        return pin_set_from(
            plane, contexts, catalogues, settings, os.environ, events=program_events(settings)
        ).snapshots

    def reporting() -> PlaneRecorder:
        from setpoint.train.reporting import PATIENCE, PlaneRecorder  # noqa: PLC0415 - nobody needs it to pin

        return PlaneRecorder(opened.enter_context(Plane.from_settings(settings, PATIENCE)), settings.home)

    with ExitStack() as opened:
        plane = opened.enter_context(Plane.from_settings(settings))
        yield Door("plane", pin_over_http, pin_set_over_http, reporting, _change_door(plane))


def _change_door(plane: Plane) -> ChangeDoor:
    def register(change: int, run: str, current: str | None) -> int | None:
        asked = {"run": run, "current": current}
        return plane.request("POST", f"/v1/changes/{change}/runs", asked).json()["within_s"]  # type: ignore[no-any-return]  # JSON

    def attach(change: int, run: str) -> Sequence[Mapping[str, Any]]:
        return plane.request("POST", f"/v1/changes/{change}/checks", {"run": run}).json()["items"]  # type: ignore[no-any-return]  # JSON

    return ChangeDoor(register, partial(pin_candidate_from, plane), attach)
