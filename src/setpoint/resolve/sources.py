"""RESOLVE: where the values of a process come from.

The file that ``SETPOINT_SNAPSHOT`` names (``setpoint run`` exports it), else the plane at ``SETPOINT_URL``,
else the bare environment, labelled unverified. Guarantees: what is returned was checked against the
catalogues, the expected hash and the context. Refuses variables that disagree with the file or the plane.
What speaks HTTP is imported by the first pin that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.declare.loading import load_catalogues
from setpoint.errors import InvalidContext
from setpoint.observe.events import EventLog
from setpoint.resolve.environment import check_agreement, environment_snapshot
from setpoint.resolve.hyperparams import Hyperparams
from setpoint.resolve.snapshot import Snapshot, read_snapshot
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.declare.catalogue import Catalogues
    from setpoint.resolve.plane import Patience
    from setpoint.resolve.plane_snapshots import PlaneSource


def load_hyperparams(context: Mapping[str, str], environ: Mapping[str, str]) -> Hyperparams:
    """Read and check the snapshot that an environment names or is; raises as ``pin`` does."""
    settings = Settings.from_environ(environ)
    catalogues = load_catalogues(settings.catalogues)
    if settings.url and not settings.snapshot:
        source = plane_source(context, environ, settings, catalogues)
        with source.plane:
            return source.pin().hyperparams
    if settings.snapshot:
        snapshot = read_snapshot(settings.snapshot, settings.snapshot_hash)
        check_agreement(environ, snapshot, catalogues)
    else:
        snapshot = environment_snapshot(environ, catalogues)
    _check_context(context, snapshot)
    return Hyperparams(snapshot, catalogues, EventLog(settings.events))


def plane_source(
    context: Mapping[str, str],
    environ: Mapping[str, str],
    settings: Settings,
    catalogues: Catalogues,
    patience: Patience | None = None,
) -> PlaneSource:
    """Return what fetches this context's snapshot from the plane at ``SETPOINT_URL``.

    Raises:
        InvalidContext: the catalogues declare no such dimension.
    """
    from setpoint.resolve.plane import Plane  # noqa: PLC0415 - see the module
    from setpoint.resolve.plane_snapshots import PlaneSource  # noqa: PLC0415 - see the module

    catalogues.scopes(context)
    return PlaneSource(Plane.from_settings(settings, patience), context, catalogues, settings, environ)


def _check_context(context: Mapping[str, str], snapshot: Snapshot) -> None:
    for dimension, value in context.items():
        found = snapshot.context.get(dimension)
        if found != value:
            raise InvalidContext(
                f"this process asks for {dimension}={value}, but snapshot {snapshot.origin} "
                f"was made for {dimension}={found}.",
                hint=f"run it under `setpoint run --context {dimension}={value} -- ...`",
            )
