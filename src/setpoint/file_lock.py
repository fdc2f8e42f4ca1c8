"""A lock on a file or a folder, for every room.

Guarantees: who holds a lock is a fact of the kernel (``flock``), never of a file's content, so a killed
process leaves none behind; programs that this process starts do not inherit it; every wait has an end. A lock
file is never deleted: two processes with locks on two files of one name would both be alone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager

from setpoint.errors import FileHeld, StorageFull

TYPE_CHECKING = False  # see setpoint.client
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOK_S = 0.05
#: What a file system says that has no locks.
LOCKS_NOTHING = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})


def try_lock(path: Path, *, shared: bool = False) -> int | None:
    """Take the lock now; return a descriptor to close, or None when somebody else holds it.

    Args:
        path: a folder that is there, or a file, which is made when it is missing.
        shared: beside others who share it.

    Raises:
        OSError: it cannot be opened, or its file system has no locks (``LOCKS_NOTHING``).
    """
    how = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, how | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_held(path: Path) -> bool:
    """Say whether some process holds the lock now, alone or shared; errors as ``try_lock``."""
    descriptor = try_lock(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None


def wait_lock(path: Path, timeout_s: float, *, shared: bool = False, told: str = "", hint: str = "") -> int:
    """Take the lock, waiting for it, and return a descriptor to close.

    Args:
        path: as of ``try_lock``.
        timeout_s: how long at most; 0 looks once.
        shared: as of ``try_lock``.
        told: what to say when somebody else held it all the time.
        hint: what to do then.

    Raises:
        FileHeld: somebody else held it all the time.
        StorageFull: it cannot be opened or locked.
    """
    until = time.monotonic() + timeout_s
    try:
        while (descriptor := try_lock(path, shared=shared)) is None:
            if time.monotonic() >= until:
                raise FileHeld(told or f"{path} was held by another process for {timeout_s:g} s.", hint=hint)
            time.sleep(_LOOK_S)
    except OSError as problem:
        raise StorageFull.of(path, problem) from None
    return descriptor


@contextmanager
def hold(path: Path, timeout_s: float = 0.0, *, told: str = "", hint: str = "") -> Iterator[int]:
    """Hold the lock alone as long as the block runs; gives its descriptor. The rest as ``wait_lock``."""
    descriptor = wait_lock(path, timeout_s, told=told, hint=hint)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
