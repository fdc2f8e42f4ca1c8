"""RESOLVE: where the values of a process come from.

The file that ``SETPOINT_SNAPSHOT_SET`` or ``SETPOINT_SNAPSHOT`` names (``setpoint run`` exports it), else
the plane at ``SETPOINT_URL``,
else the bare environment, labelled unverified, else the local database, where there is one and no variable of
the environment is a key. Guarantees: what is returned was checked against the
catalogues, the expected hash and the context. Refuses variables that disagree with the file or the plane.
What speaks HTTP is imported by the first pin that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.client.compiled_catalogues import kept_catalogues
from setpoint.client.environment import ORIGIN, check_agreement, environment_snapshot, strays
from setpoint.client.fallbacks import this_program
from setpoint.client.hyperparams import Hyperparams
from setpoint.client.hyperparams_set import HyperparamsSet
from setpoint.client.missing import nothing_pinned
from setpoint.client.snapshot import Snapshot, read_snapshot
from setpoint.client.snapshot_set import SnapshotSet, given_dimensions, read_snapshot_set, set_of
from setpoint.errors import InvalidContext
from setpoint.observe.event_log import EventLog
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.client.plane.connection import Patience
    from setpoint.client.plane.snapshots import PlaneSource
    from setpoint.declare.catalogue import Catalogues


def load_hyperparams(given: Mapping[str, str | None], environ: Mapping[str, str]) -> Hyperparams:
    """Read and check the snapshot that an environment names or is; raises as ``pin`` does."""
    context = given_dimensions(given)
    settings = Settings.from_environ(environ)
    catalogues = kept_catalogues(settings)
    if settings.url and not (settings.snapshot or settings.snapshot_set):
        source = plane_source(context, environ, settings, catalogues)
        with source.plane:
            return noted(source.pin().hyperparams, source.events, settings)
    snapshots = _here(settings, environ, catalogues, [context])
    # A process that names no context takes whichever it was given; of a set, its base.
    base = dict(snapshots.base.context)
    snapshot = _member(snapshots, {**base, **context} if settings.snapshot_set else base)
    _check_context(context, snapshot)
    log = program_events(settings)
    return noted(Hyperparams(snapshot, catalogues, log, this_program(settings.run)), log, settings)


def program_events(settings: Settings) -> EventLog:
    """Return where a program's events go: beside its own log to the plane, when one is set."""
    if not settings.url:
        return EventLog(settings.events)
    from setpoint.client.plane.courier import program_log  # noqa: PLC0415 - see the module

    return program_log(settings)


def noted(hyperparams: Hyperparams, log: EventLog, settings: Settings) -> Hyperparams:
    """Return the values, having noted for the plane, when one is set, that this program pinned them."""
    if settings.url:
        from setpoint.client.plane.courier import note_pinned  # noqa: PLC0415 - see the module

        note_pinned(log, settings, hyperparams.snapshot)
    return hyperparams


def load_hyperparams_set(
    contexts: Iterable[Mapping[str, str | None]], environ: Mapping[str, str]
) -> HyperparamsSet:
    """Read and check the snapshot set that an environment names; raises as ``pin_set`` does."""
    settings = Settings.from_environ(environ)
    catalogues = kept_catalogues(settings)
    asked = [given_dimensions(context) for context in contexts] or [{}]
    for context in asked:
        catalogues.scopes(context)
    if settings.url and not (settings.snapshot or settings.snapshot_set):
        from setpoint.client.plane.connection import Plane  # noqa: PLC0415 - see the module
        from setpoint.client.plane.snapshot_sets import pin_set_from  # noqa: PLC0415 - see the module

        log = program_events(settings)
        with Plane.from_settings(settings) as plane:
            values = pin_set_from(plane, asked, catalogues, settings, environ, events=log)
        noted(values.base, log, settings)
        return values
    snapshots = _here(settings, environ, catalogues, asked)
    for context in asked:
        _member(snapshots, {**snapshots.base.context, **context})
    log = program_events(settings)
    values = HyperparamsSet(snapshots, catalogues, log, this_program(settings.run))
    noted(values.base, log, settings)
    return values


def _here(
    settings: Settings,
    environ: Mapping[str, str],
    catalogues: Catalogues,
    contexts: Sequence[Mapping[str, str]],
) -> SnapshotSet:
    """Return what is known without a plane: a set, or one snapshot as a set of one."""
    if settings.snapshot_set:
        found = read_snapshot_set(settings.snapshot_set, settings.snapshot_set_hash)
    elif settings.snapshot:
        found = set_of([read_snapshot(settings.snapshot, settings.snapshot_hash)], settings.snapshot)
    else:
        pinned = environment_snapshot(environ, catalogues)
        return (
            set_of([pinned], ORIGIN) if pinned.document else _local(settings, environ, catalogues, contexts)
        )
    check_agreement(environ, found.base, catalogues)
    return found


def _local(
    settings: Settings,
    environ: Mapping[str, str],
    catalogues: Catalogues,
    contexts: Sequence[Mapping[str, str]],
) -> SnapshotSet:
    """Return the values of this machine's own database, for a process that names no other source."""
    lookalikes = strays(environ, catalogues)
    if lookalikes or not settings.has_database:
        raise nothing_pinned(settings, lookalikes)
    from setpoint.client import local_database  # noqa: PLC0415 - see the module

    if any(contexts[1:]):
        return local_database.local_snapshot_set(contexts, environ, settings)
    found = local_database.local_snapshot(contexts[0], environ, settings)
    return set_of([found], found.origin)


def _member(snapshots: SnapshotSet, context: Mapping[str, str]) -> Snapshot:
    try:
        return snapshots.for_context(context)
    except InvalidContext as problem:
        asked = ",".join(f"{name}={value}" for name, value in context.items())
        problem.hint = f"run it under `setpoint run --contexts {asked} -- ...`"
        raise


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
    from setpoint.client.plane.connection import Plane  # noqa: PLC0415 - see the module
    from setpoint.client.plane.snapshots import PlaneSource  # noqa: PLC0415 - see the module

    catalogues.scopes(context)
    plane = Plane.from_settings(settings, patience)
    events = program_events(settings)
    return PlaneSource(plane, context, catalogues, settings, environ, events=events)


def _check_context(context: Mapping[str, str], snapshot: Snapshot) -> None:
    for dimension, value in context.items():
        found = snapshot.context.get(dimension)
        if found != value:
            raise InvalidContext(
                f"this process asks for {dimension}={value}, but snapshot {snapshot.origin} "
                f"was made for {dimension}={found}.",
                hint=f"run it under `setpoint run --context {dimension}={value} -- ...`",
            )
