"""RESOLVE: pin this process to one snapshot, or watch for newer ones.

Guarantees: one process, one snapshot, unless it pins again; a watch is an object of its own. Light to
import, because every training script does: what reads and checks a snapshot is imported by the first
``pin`` (see ``sources``).
"""

from __future__ import annotations

import os

from setpoint.client import UNSET

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, TypeVar, overload

    from setpoint.client.hyperparams import Hyperparams
    from setpoint.client.hyperparams_set import HyperparamsSet
    from setpoint.client.watch import Watch

    _Value = TypeVar("_Value", bound=int | float | bool | str)

_pinned: Hyperparams | None = None


def pin(
    context: Mapping[str, str | None] | None = None, *, environ: Mapping[str, str] | None = None
) -> Hyperparams:
    """Pin this process to one snapshot and return its values.

    From the snapshot that ``setpoint run`` exported, else the plane at ``SETPOINT_URL``, else variables of
    the environment, else the local database, where there is one; ``snapshot.origin`` says which it was.

    Args:
        context: the scopes the caller expects, such as ``{"symbol": "BTCUSDC"}``; each must be the
            snapshot's own, and what is None or empty is not given. None accepts any file, and asks the
            plane for the global values alone.
        environ: for tests; the process's environment otherwise.

    Raises:
        CorruptSnapshot, HashMismatch, CatalogueMismatch: the file is not what was pinned, or the plane's
            answer is no snapshot that fits.
        EnvironmentDisagrees: a ``CVN_*`` variable says something else than the file or the plane.
        ForbiddenError: the plane refuses the token.
        InvalidContext: the snapshot was made for another context.
        PlaneUnavailable: the plane is out of reach, and nothing it confirmed earlier is kept here.
        InvalidDocument: a bare environment holds text that is no value.
        NothingPinned: nothing says the values, and there is no local database.
    """
    from setpoint.client.sources import load_hyperparams  # noqa: PLC0415 - see the module

    global _pinned  # noqa: PLW0603 - one process, one snapshot: this is the process's
    hyperparams = load_hyperparams(context or {}, os.environ if environ is None else environ)
    _pinned = hyperparams
    return hyperparams


def pin_set(
    contexts: Iterable[Mapping[str, str | None]], *, environ: Mapping[str, str] | None = None
) -> HyperparamsSet:
    """Return the values of several contexts, all read at one instant and named by one hash.

    For a process that works for several scopes, such as one symbol after another: each takes its own
    values, ``values.for_context({"symbol": "BTCUSDC"})``. The context that all of them share is pinned
    too, as ``values.base``. What ``setpoint.resolve`` reads is not touched.

    Args:
        contexts: such as ``[{"symbol": "BTCUSDC"}, {"symbol": "ETHUSDC"}]``. Under ``setpoint run
            --contexts`` they must be among those that it pinned; what those share may be left out.
        environ: for tests; the process's environment otherwise.

    Raises:
        InvalidContext: a context names an undeclared dimension, or was not pinned.
        As ``pin``.
    """
    from setpoint.client.sources import load_hyperparams_set  # noqa: PLC0415 - see the module

    return load_hyperparams_set(contexts, os.environ if environ is None else environ)


def watch(
    context: Mapping[str, str | None] | None = None,
    *,
    run: str = "",
    poll_s: float = 60.0,
    environ: Mapping[str, str] | None = None,
) -> Watch:
    """Pin from the plane at ``SETPOINT_URL`` and learn of changes; values switch at ``boundary()`` only.

    For workers that live longer than one training. What ``setpoint.resolve`` reads is not touched.

    Args:
        context: as for ``pin``.
        run: a name that the plane shows beside this process, such as a run's id.
        poll_s: how often, at least, to ask even when the stream of changes is silent.
        environ: for tests; the process's environment otherwise.

    Raises:
        UsageError: there is no plane, or this process is pinned to a file by ``setpoint run``.
        As ``pin``.
    """
    from setpoint.client.watch import start_watch  # noqa: PLC0415 - see the module

    return start_watch(context or {}, os.environ if environ is None else environ, run, poll_s)


def pinned() -> Hyperparams:
    """Return the values that this process is pinned to, pinning it at the first call; raises as ``pin``."""
    return pin() if _pinned is None else _pinned


if TYPE_CHECKING:

    @overload
    def resolve(*address: str) -> Any: ...

    @overload
    def resolve(*address: str, fallback: _Value) -> _Value: ...


def resolve(*address: str, fallback: Any = UNSET) -> Any:
    """Return a value from the process's pinned snapshot, pinning it at the first call.

    Raises:
        As ``pin`` and ``Hyperparams.resolve``.
    """
    values = pin() if _pinned is None else _pinned
    if fallback is UNSET:
        try:
            return values._read[address]  # noqa: SLF001 - another call would triple the time of a read
        except (KeyError, TypeError):
            pass  # see Hyperparams.resolve
    return values.resolve(*address, fallback=fallback)
