"""STORE: the process that owns the embedded server; run as ``python -m setpoint.store.server.supervisor``.

Guarantees: at most one per home (it holds ``server.lock``); the server it starts dies with it; the
server stops, by a fast shutdown, once no process has held ``use.lock`` for ``linger_s`` and ``keep`` is
absent, and at once when ``stop`` appears or the folder is deleted. A new cluster appears whole or not at
all. Refuses to repair a cluster: what PostgreSQL says goes into the error.

It detaches itself: the process that was called exits 0 when the server accepts connections, and 1 with
the reason on stderr when it cannot.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from setpoint.errors import DatabaseUnavailable, SetpointError, reason_of
from setpoint.file_lock import is_held, try_lock
from setpoint.store.server import leftovers
from setpoint.store.server.binaries import clean_environment, server_prefix
from setpoint.store.server.layout import SOCKET_FOLDER_PREFIX, Layout, Listening, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OWNER = "setpoint_owner"
APP = "setpoint_app"
#: The role of the plane: the application's, and the keeping of accounts; made by migration 0005.
SERVER = "setpoint_server"
DATABASE = "setpoint"
PORT = 5432
POLL_S = 0.1
FAST_SHUTDOWN_S = 60.0
#: Less than the one who started us waits.
CREATED_WITHIN_S = 100.0
LOG_LIMIT_BYTES = 4_000_000
#: ``sockaddr_un.sun_path`` holds 107 bytes and a terminator.
SOCKET_PATH_LIMIT = 107
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One cluster and the programs that run it."""

    layout: Layout
    programs: Path
    prefix: list[str]
    #: Server settings for this start, such as ``fsync=off``.
    options: Sequence[str]

    def create(self) -> None:
        """Make the data folder unless it is there: roles and database included, then one rename.

        Raises:
            DatabaseUnavailable: initdb or the first statements failed; carries what they said.
        """
        for leftover in self.layout.folder.glob("data.new.*"):
            shutil.rmtree(leftover)
        if self.layout.data.exists():
            return
        unfinished = self.layout.folder / f"data.new.{os.getpid()}"
        sync = ["--no-sync"] if "fsync=off" in self.options else []
        self._run(
            "initdb", "-D", str(unfinished), "-U", OWNER, "-E", "UTF8", "--locale=C", "--auth=trust",
            "--data-checksums", "--no-instructions", *sync,
        )  # fmt: skip
        self._run(
            "postgres", "--single", "-D", str(unfinished), "-c", "exit_on_error=true", "postgres",
            statements=f"CREATE ROLE {APP} LOGIN\nCREATE DATABASE {DATABASE}\n",
        )  # fmt: skip
        unfinished.rename(self.layout.data)

    def _run(self, program: str, *arguments: str, statements: str = "") -> None:
        try:
            done = subprocess.run(
                [*self.prefix, str(self.programs / program), *arguments],
                check=False,
                input=statements,
                capture_output=True,
                text=True,
                env=clean_environment(),
                timeout=CREATED_WITHIN_S,
            )
        except subprocess.TimeoutExpired:
            raise DatabaseUnavailable(
                f"{program} did not create {self.layout.data} within {CREATED_WITHIN_S:g} s.",
                hint="look whether the folder's disk answers, then try again",
            ) from None
        if done.returncode:
            raise DatabaseUnavailable(
                f"{program} could not create {self.layout.data}:\n{(done.stderr or done.stdout).strip()}",
                hint="free space or fix the rights of the folder, then try again",
            )

    def launch(self, socket_folder: Path) -> subprocess.Popen[bytes]:
        """Start the postmaster; it listens on a private socket only and dies with this process."""
        settings = ["listen_addresses=", "unix_socket_permissions=0700", f"port={PORT}", *self.options]
        libc = ctypes.CDLL(None, use_errno=True)
        return subprocess.Popen(
            [
                *self.prefix, str(self.programs / "postgres"), "-D", str(self.layout.data),
                "-k", str(socket_folder), *(part for setting in settings for part in ("-c", setting)),
            ],
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
            # This process has one thread, so running code between fork and exec is safe.
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT),  # noqa: PLW1509
        )  # fmt: skip

    def ready(self, pid: int) -> bool:
        """Say whether the postmaster ``pid`` accepts connections, by the last line of its own pid file."""
        try:
            lines = (self.layout.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


class Supervisor:
    """The life of one server, from taking ``server.lock`` to the shutdown."""

    def __init__(self, cluster: Cluster, linger_s: float, lock: int) -> None:
        self._cluster = cluster
        self._layout = cluster.layout
        self._linger_s = linger_s
        self._lock = lock
        self._asked_to_stop = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)

    def run(self, announce: Callable[[], None]) -> None:
        """Start the server, ``announce`` it, serve until nobody needs it, stop it."""
        leftovers.stop_all(self._layout.data)
        self._layout.forget_server()
        self._cluster.create()
        socket_folder = _new_socket_folder()
        try:
            server = self._start(socket_folder)
            try:
                self._watch(server, socket_folder, announce)
            finally:
                self._shut_down(server)
        finally:
            self._layout.server_json.unlink(missing_ok=True)
            shutil.rmtree(socket_folder, ignore_errors=True)

    def _ask_to_stop(self, *_signal: object) -> None:
        self._asked_to_stop = True

    def _start(self, socket_folder: Path) -> subprocess.Popen[bytes]:
        start = self._layout.log.stat().st_size
        server = self._cluster.launch(socket_folder)
        # No deadline: replaying a long log takes as long as it takes, and killing it gains nothing.
        while not self._cluster.ready(server.pid):
            if server.poll() is not None:
                raise DatabaseUnavailable(
                    f"PostgreSQL cannot start on {self._layout.data}; {self._layout.log} ends with:\n"
                    f"{self._layout.log_tail(start)}",
                    hint="fix what the log says, or set SETPOINT_DATABASE_URL to another server",
                )
            if self._asked_to_stop:
                self._shut_down(server)
                raise DatabaseUnavailable("PostgreSQL was stopped while it started.", hint="try again")
            time.sleep(0.01)
        return server

    def _publish(self, listening: Listening) -> None:
        """Write ``server.json`` unless it says so already: a damaged file heals within a moment."""
        if self._layout.listening() != listening:
            replace_file(self._layout.server_json, listening.to_text())

    def _watch(
        self, server: subprocess.Popen[bytes], socket_folder: Path, announce: Callable[[], None]
    ) -> None:
        """Return when the server died or is to be stopped; in the latter case nobody can attach any more."""
        listening = Listening(
            socket_folder=str(socket_folder),
            port=PORT,
            postmaster_pid=server.pid,
            supervisor_pid=os.getpid(),
        )
        self._publish(listening)
        announce()
        unused_since = time.monotonic()
        while server.poll() is None and not self._asked_to_stop and self._at_home():
            if self._layout.stop.exists():
                return
            self._publish(listening)
            if self._layout.keep.exists() or self._in_use():
                unused_since = time.monotonic()
            elif time.monotonic() - unused_since >= self._linger_s and self._close_the_door():
                return
            time.sleep(POLL_S)

    def _at_home(self) -> bool:
        """Say whether our lock file still has a name: a deleted home needs no server."""
        return os.fstat(self._lock).st_nlink > 0

    def _in_use(self) -> bool:
        return is_held(self._layout.use_lock)

    def _close_the_door(self) -> bool:
        """Take the starters' and the users' lock, and keep both until this process ends."""
        starting = try_lock(self._layout.start_lock)
        if starting is None:
            return False
        if try_lock(self._layout.use_lock) is None:
            os.close(starting)
            return False
        return True

    def _shut_down(self, server: subprocess.Popen[bytes]) -> None:
        for number, patience_s in ((signal.SIGINT, FAST_SHUTDOWN_S), (signal.SIGQUIT, 5.0)):
            if server.poll() is None:
                server.send_signal(number)
            try:
                server.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
            return
        server.kill()
        with suppress(subprocess.TimeoutExpired):  # the kernel itself may wait for a disk
            server.wait(5.0)


def _new_socket_folder() -> Path:
    """Make a private folder whose socket path fits into the kernel's limit."""
    longest = len(f"/{SOCKET_FOLDER_PREFIX}12345678/.s.PGSQL.{PORT}.lock")
    parent = tempfile.gettempdir()
    fits = len(os.fsencode(parent)) + longest <= SOCKET_PATH_LIMIT
    return Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER_PREFIX, dir=parent if fits else "/tmp"))  # noqa: S108 - mkdtemp is private


def _detach(layout: Layout) -> None:
    """Point the standard streams away from the caller's, so that nobody waits for us."""
    if layout.log.exists() and layout.log.stat().st_size > LOG_LIMIT_BYTES:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    log = os.open(layout.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)
    os.chdir("/")
    os.umask(0o077)


def _serve(arguments: argparse.Namespace, answer: int) -> None:
    """Run the detached half; ``answer`` is the pipe on which the caller waits."""
    layout = Layout(arguments.folder)

    def say(text: str) -> None:
        try:
            os.write(answer, text.encode())
        except BrokenPipeError:  # whoever started us did not wait
            return

    lock = try_lock(layout.server_lock)
    try:
        if lock is None:
            raise DatabaseUnavailable("another process is starting the server.", hint="try again")
        cluster = Cluster(
            layout=layout,
            programs=arguments.programs,
            prefix=server_prefix(),
            options=arguments.options,
        )
        Supervisor(cluster, arguments.linger_s, lock).run(lambda: say("ready"))
    except SetpointError as error:
        say(f"{error.message}\0{error.hint}")
    except OSError as error:
        say(
            f"the server's folder {layout.folder} cannot be used: {reason_of(error)}"
            "\0free space or fix its rights"
        )


def main() -> NoReturn:
    """Start the server in a detached process and wait until it is ready."""
    parser = argparse.ArgumentParser(description="Own the embedded PostgreSQL server.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--linger-s", type=float, required=True)
    parser.add_argument("--option", dest="options", action="append", default=[])
    arguments = parser.parse_args()
    question, answer = os.pipe()
    if os.fork() == 0:
        os.close(question)
        _detach(Layout(arguments.folder))
        _serve(arguments, answer)
        os._exit(0)
    os.close(answer)
    message = os.read(question, 65536).decode()
    if message == "ready":
        sys.exit(0)
    sys.stderr.write(message or "the supervisor died before the server was ready")
    sys.exit(1)


if __name__ == "__main__":
    main()
