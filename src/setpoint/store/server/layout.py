"""STORE: which file of the embedded server is where, and the locks on them.

Everything is below ``<home>/postgres/``; the locks are those of ``setpoint.file_lock``.

    use.lock     shared by every process that uses the database, as long as it does
    start.lock   exclusive: whoever starts or stops the server
    server.lock  exclusive: the supervisor, as long as it lives
    server.json  where the running server listens; written by the supervisor once the server is ready
    keep         while it exists, the server stays up without users
    stop         a request to the supervisor
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from setpoint.file_lock import is_held

SOCKET_FOLDER_PREFIX = "setpoint-"


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where the running server listens; the content of ``server.json``."""

    socket_folder: str
    port: int
    postmaster_pid: int
    supervisor_pid: int

    def to_text(self) -> str:
        """Return the JSON text of ``server.json``."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Listening | None:
        """Parse ``server.json``; None when it is half-written or not ours."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError, RecursionError):
            return None


@dataclass(frozen=True)
class Layout:
    """The paths of one embedded server."""

    folder: Path

    @property
    def data(self) -> Path:
        """The cluster itself; it appears whole, by a rename, or not at all."""
        return self.folder / "data"

    @property
    def use_lock(self) -> Path:
        """See the module."""
        return self.folder / "use.lock"

    @property
    def start_lock(self) -> Path:
        """See the module."""
        return self.folder / "start.lock"

    @property
    def server_lock(self) -> Path:
        """See the module."""
        return self.folder / "server.lock"

    @property
    def server_json(self) -> Path:
        """See the module."""
        return self.folder / "server.json"

    @property
    def log(self) -> Path:
        """What initdb, the server and the supervisor have to say."""
        return self.folder / "server.log"

    @property
    def keep(self) -> Path:
        """See the module."""
        return self.folder / "keep"

    @property
    def stop(self) -> Path:
        """See the module."""
        return self.folder / "stop"

    def listening(self) -> Listening | None:
        """Read ``server.json``; None when it is absent or unreadable."""
        try:
            return Listening.from_text(self.server_json.read_text())
        except (OSError, ValueError):
            return None

    def forget_server(self) -> None:
        """Remove what a server left behind; call only while holding ``server.lock``."""
        left = self.listening()
        if left is not None and Path(left.socket_folder).name.startswith(SOCKET_FOLDER_PREFIX):
            shutil.rmtree(left.socket_folder, ignore_errors=True)
        self.server_json.unlink(missing_ok=True)
        self.stop.unlink(missing_ok=True)

    def supervised(self) -> bool:
        """Say whether a supervisor lives."""
        return is_held(self.server_lock)

    def log_tail(self, since: int = 0, lines: int = 12) -> str:
        """Return the last ``lines`` of the log that were written after byte ``since``."""
        try:
            with self.log.open("rb") as log:
                log.seek(since)
                return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def replace_file(path: Path, text: str) -> None:
    """Write ``path`` whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text)
    partial.replace(path)
