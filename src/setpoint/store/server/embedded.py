"""STORE: the client's side of the embedded server: attach to it, keep it up, stop it.

Guarantees: ``attach`` returns only when a server accepts connections, starting one when there is none;
while the attachment is open the server is not stopped for idleness. Any number of processes may call it
at once. Safe to call again after the server died.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import setpoint
from setpoint.errors import ConflictError, DatabaseUnavailable, FileHeld, StorageFull
from setpoint.file_lock import is_held, try_lock, wait_lock
from setpoint.store.server import leftovers
from setpoint.store.server.binaries import bin_folder, clean_environment
from setpoint.store.server.layout import Layout, Listening

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from setpoint.settings import Settings

#: How long a caller waits for a start; the start itself goes on (a long log may be replayed).
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 90.0
_LOOK_S = 0.05


def layout_of(settings: Settings) -> Layout:
    """Return the paths of this home's server, without creating anything."""
    return Layout(settings.postgres_folder)


class Attachment:
    """A claim on the running server; closing it, or the end of the process, gives it up."""

    def __init__(self, listening: Listening, use: int) -> None:
        self.listening = listening
        self._use: int | None = use

    def close(self) -> None:
        """Give up the claim; safe to call twice."""
        if self._use is not None:
            os.close(self._use)
            self._use = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def attach(settings: Settings, options: Sequence[str] = ()) -> Attachment:
    """Claim the server, starting it when there is none.

    Args:
        settings: ``home``, ``postgres_bin`` and ``linger_s`` are used.
        options: server settings such as ``fsync=off``, for tests; they matter only to whoever starts it.

    Raises:
        DatabaseUnavailable: the server cannot start; carries the end of its log.
        StorageFull: the home cannot be written.
    """
    layout = _prepared(settings)
    with _held(layout.start_lock):
        use = _claim(layout.use_lock, START_TIMEOUT_S, shared=True)
        try:
            return Attachment(_running(layout, settings, options), use)
        except BaseException:
            os.close(use)
            raise


def start(settings: Settings) -> Listening:
    """Start the server and keep it up, without users, until ``stop``; errors as ``attach``."""
    with attach(settings) as attachment:
        layout_of(settings).keep.touch()
        return attachment.listening


def stop(settings: Settings, *, force: bool = False) -> bool:
    """Stop the server and drop ``keep``; return False when nothing ran. Safe to retry.

    Raises:
        ConflictError: other processes use it, and ``force`` is not given.
        DatabaseUnavailable: it did not stop in time.
    """
    layout = layout_of(settings)
    if not layout.folder.exists():
        return False
    with _held(layout.start_lock), _users_refused(layout, force=force):
        layout.keep.unlink(missing_ok=True)
        was_up = layout.supervised()
        if was_up:
            layout.stop.touch()
        server = _claim(layout.server_lock, STOP_TIMEOUT_S)
        try:
            was_up = was_up or bool(leftovers.serving(layout.data))
            leftovers.stop_all(layout.data)
            layout.forget_server()
        finally:
            os.close(server)
        return was_up


def in_use(settings: Settings) -> bool:
    """Say whether some process claims the server."""
    layout = layout_of(settings)
    return layout.folder.exists() and is_held(layout.use_lock)


def _claim(path: Path, timeout_s: float, *, shared: bool = False) -> int:
    """Wait for one of the server's locks; who does not get it has no database."""
    try:
        return wait_lock(path, timeout_s, shared=shared)
    except FileHeld as held:
        raise DatabaseUnavailable(
            held.message, hint=f"look into {path.with_name('server.log')}, then try again"
        ) from None


@contextmanager
def _held(path: Path) -> Iterator[None]:
    descriptor = _claim(path, START_TIMEOUT_S)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _users_refused(layout: Layout, *, force: bool) -> Iterator[None]:
    descriptor = try_lock(layout.use_lock)
    if descriptor is None and not force:
        raise ConflictError(
            "other processes use the database.", hint="end them first, or stop it with --force"
        )
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _prepared(settings: Settings) -> Layout:
    layout = layout_of(settings)
    try:
        layout.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(layout.use_lock, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StorageFull.of(layout.folder, error) from error
    return layout


def _running(layout: Layout, settings: Settings, options: Sequence[str]) -> Listening:
    """Return where the server listens; the caller holds ``start.lock`` and a share of ``use.lock``."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if not layout.supervised():
            _start_supervisor(layout, settings, options)
        if (listening := layout.listening()) is not None and _alive(listening, layout):
            return listening
        # A supervisor lives but has no server to show: it is starting one, or on its way out.
        time.sleep(_LOOK_S)
    raise _still_starting(layout)


def _alive(listening: Listening, layout: Layout) -> bool:
    """Say whether the named postmaster serves this folder: its supervisor may not have noticed its death."""
    return listening.postmaster_pid in leftovers.serving(layout.data)


def _start_supervisor(layout: Layout, settings: Settings, options: Sequence[str]) -> None:
    command = [
        sys.executable, "-m", "setpoint.store.server.supervisor",
        "--folder", str(layout.folder), "--programs", str(bin_folder(settings)),
        "--linger-s", str(settings.linger_s),
        *(part for option in options for part in ("--option", option)),
    ]  # fmt: skip
    package_home = str(Path(setpoint.__file__).parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    search_path = f"{package_home}{os.pathsep}{inherited}" if inherited else package_home
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=START_TIMEOUT_S,
            start_new_session=True,
            env={**clean_environment(), "PYTHONPATH": search_path},
        )
    except subprocess.TimeoutExpired:
        raise _still_starting(layout) from None
    if done.returncode:
        message, _, hint = done.stderr.partition("\0")
        raise DatabaseUnavailable(message, hint=hint or f"look into {layout.log}")


def _still_starting(layout: Layout) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"PostgreSQL is not ready after {START_TIMEOUT_S:g} s; {layout.log} ends with:\n{layout.log_tail()}",
        hint="it may be recovering from a crash: try again in a while",
    )
