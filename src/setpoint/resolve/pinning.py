"""RESOLVE: pin this process to one snapshot.

Where it comes from: the file that ``SETPOINT_SNAPSHOT`` names (``setpoint run`` exports it), else the
bare environment, labelled unverified. Guarantees: one process, one snapshot, unless it pins again.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any

from setpoint.declare.loading import load_catalogues
from setpoint.errors import InvalidContext
from setpoint.observe.events import EventLog
from setpoint.resolve.environment import check_agreement, environment_snapshot
from setpoint.resolve.hyperparams import UNSET, Hyperparams
from setpoint.resolve.snapshot import Snapshot, read_snapshot
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

_lock = Lock()
_pinned: Hyperparams | None = None


def pin(context: Mapping[str, str] | None = None, *, environ: Mapping[str, str] | None = None) -> Hyperparams:
    """Pin this process to one snapshot and return its values.

    Args:
        context: the scopes the caller expects, such as ``{"symbol": "BTCUSDC"}``; each must be the
            snapshot's own. None accepts any.
        environ: for tests; the process's environment otherwise.

    Raises:
        CorruptSnapshot, HashMismatch, CatalogueMismatch: the file is not what was pinned.
        EnvironmentDisagrees: a ``CVN_*`` variable says something else than the file.
        InvalidContext: the snapshot was made for another context.
        InvalidDocument: a bare environment holds text that is no value.
    """
    global _pinned  # noqa: PLW0603 - one process, one snapshot: this is the process's
    environ = os.environ if environ is None else environ
    settings = Settings.from_environ(environ)
    catalogues = load_catalogues(settings.catalogues)
    if settings.snapshot:
        snapshot = read_snapshot(settings.snapshot, settings.snapshot_hash)
        check_agreement(environ, snapshot, catalogues)
    else:
        snapshot = environment_snapshot(environ, catalogues)
    _check_context(context or {}, snapshot)
    hyperparams = Hyperparams(snapshot, catalogues, EventLog(settings.events))
    with _lock:
        _pinned = hyperparams
    return hyperparams


def resolve(*address: str, fallback: Any = UNSET) -> Any:
    """Return a value from the process's pinned snapshot, pinning it at the first call.

    Raises:
        As ``pin`` and ``Hyperparams.resolve``.
    """
    return (_pinned or pin()).resolve(*address, fallback=fallback)


def _check_context(context: Mapping[str, str], snapshot: Snapshot) -> None:
    for dimension, value in context.items():
        found = snapshot.context.get(dimension)
        if found != value:
            raise InvalidContext(
                f"this process asks for {dimension}={value}, but snapshot {snapshot.origin} "
                f"was made for {dimension}={found}.",
                hint=f"run it under `setpoint run --context {dimension}={value} -- ...`",
            )
