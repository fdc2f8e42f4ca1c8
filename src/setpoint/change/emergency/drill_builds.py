"""CHANGE: builds of the plane as a drill installs them: started on loopback, proven, and stopped.

A build is an environment, or a folder of sources that this Python runs. Where it can train on a cluster, a
scheduler and a worker of it run beside its plane. Guarantees: what runs is proven by a digest of its own
files, which the drill computes from the files it named; every process is ended, come what may, and with the
drill where that is killed. Refuses a build that says nothing of itself.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from setpoint.client.plane.connection import Patience, Plane
from setpoint.declare.foreign_text import read_json
from setpoint.errors import IntegrityError, SetpointError, UnavailableError, UsageError
from setpoint.observe.build import shown_digest
from setpoint.observe.printable import printable
from setpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: How long parts of a build may take to start, to answer, and to end.
START_S = 120.0
ASK_S = 60.0
STOP_S = 30.0
_POLL_S = 0.1
_BRIEFLY = Patience(connect_s=1.0, read_s=5.0, total_s=6.0, attempts=1)
_BANNER = re.compile(r"event=serving .*\bversion=(\S+) build=(\S+) source=(\S+)")
_TAIL = 300
#: What an installed build says of itself: where its package lies, and whether it can join a cluster.
_WHERE = (
    "import json, importlib.util as u, setpoint;"
    "print(json.dumps([setpoint.__path__[0], u.find_spec('distributed') is not None]))"
)
#: Starts a module as ``-m`` does, in a process that Linux ends with the one that started it: what it serves
#: is a copy of what is live, and whoever was killed ends nothing any more. 1: ``PR_SET_PDEATHSIG``.
_STARTED = """
import os, runpy, signal, sys
parent, module = int(sys.argv[1]), sys.argv[2]
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit
sys.argv[:3] = [module]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
#: Read in the scheduler and in each worker: which files they run.
_PARTS = """
import json, sys
from distributed import Client
def told():
    from pathlib import Path
    import setpoint
    from setpoint.observe.build import shown_digest
    return shown_digest(Path(setpoint.__file__).parent)
with Client(sys.argv[1], timeout=60) as client:
    client.wait_for_workers(1, timeout=60)
    print(json.dumps([client.run_on_scheduler(told), *client.run(told).values()]))
"""


class InstalledBuild(NamedTuple):
    """A build that can be started."""

    place: str
    python: str
    environ: Mapping[str, str]
    #: The digest of its files, as a banner shows it.
    source: str
    has_cluster: bool


class Ports(NamedTuple):
    """Where a build serves on this machine: the same for both builds, as behind one address."""

    plane: int
    scheduler: int


def free_ports() -> Ports:
    """Return two ports of loopback that nobody has just now."""
    with ExitStack() as held:
        taken = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in Ports._fields]
        return Ports(*(one.getsockname()[1] for one in taken))


def installed_build(place: Path, settings: Settings) -> InstalledBuild:
    """Return the build of an environment, its Python, or a folder of sources.

    Args:
        place: a folder with ``bin/python``, a Python, or a folder with ``setpoint`` or ``src/setpoint``.
        settings: of the throw-away home that it will serve.

    Raises:
        UsageError: there is no build.
    """
    python, sources = _found(place)
    own = settings.to_environ()
    # The name of an image is not handed on: it is this build's, and one of the two is another.
    environ = {name: text for name, text in os.environ.items() if name not in {*own, "PYTHONPATH"}}
    quiet = Settings(
        home=settings.home,
        postgres_bin=settings.postgres_bin,
        catalogues=settings.catalogues,
        seeds=settings.seeds,
    )
    environ |= quiet.to_environ()
    if sources:
        environ["PYTHONPATH"] = str(sources)
    package, has_cluster = read_json(_asked(python, environ, "-c", _WHERE))
    return InstalledBuild(str(place), python, environ, shown_digest(Path(package)), bool(has_cluster))


@contextmanager
def running(build: InstalledBuild, ports: Ports, folder: Path) -> Iterator[str]:
    """Run a build's plane, and its scheduler and a worker where it has them, as long as the block lasts.

    Yields, once all of them are ready and proven, what the plane's banner says, and what else was proven.

    Raises:
        UnavailableError: a part did not become ready.
        IntegrityError: something else runs than the files that were named, or it says nothing of itself.
    """
    scheduler = f"tcp://127.0.0.1:{ports.scheduler}"
    with ExitStack() as parts:
        log = folder / f"{build.source}-{time.monotonic_ns()}.log"
        plane = parts.enter_context(_process(build, log, "setpoint.cli", "serve", "--port", str(ports.plane)))
        if build.has_cluster:
            _start_cluster(parts, build, folder, scheduler)
        _wait_ready(plane, f"http://127.0.0.1:{ports.plane}", log)
        said = _proven(build, log)
        if build.has_cluster:
            found = read_json(_asked(build.python, build.environ, "-c", _PARTS, scheduler))
            _require_source(build, found, "a scheduler or worker")
            said += f"; scheduler and {len(found) - 1} worker run it, too"
        yield said


def _start_cluster(parts: ExitStack, build: InstalledBuild, folder: Path, scheduler: str) -> None:
    host, _, port = scheduler.removeprefix("tcp://").rpartition(":")
    log = folder / "cluster.log"
    where = ("--host", host, "--no-dashboard")
    parts.enter_context(_process(build, log, "distributed.cli.dask_scheduler", "--port", port, *where))
    asked = (scheduler, "--nthreads", "1", "--no-nanny", *where)
    parts.enter_context(_process(build, log, "distributed.cli.dask_worker", *asked))


def _found(place: Path) -> tuple[str, Path | None]:
    for sources in (place, place / "src"):
        if (sources / "setpoint" / "__init__.py").is_file():
            return sys.executable, sources.absolute()
    for python in (place, place / "bin" / "python"):
        if python.is_file() and os.access(python, os.X_OK):
            return str(python.absolute()), None
    raise UsageError(
        f"{place} holds no build.", hint="name an environment, its Python, or a folder of sources"
    )


@contextmanager
def _process(build: InstalledBuild, log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as told:
        process = subprocess.Popen(
            [build.python, "-P", "-c", _STARTED, str(os.getpid()), *arguments],
            env=dict(build.environ),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            cwd=log.parent,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=STOP_S)


def _wait_ready(plane: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until, problem = time.monotonic() + START_S, "it said nothing"
    while time.monotonic() < until:
        if plane.poll() is not None:
            raise UnavailableError(f"the plane ended at once: {_tail(log)}.")
        try:
            with Plane(url, patience=_BRIEFLY) as asked:
                asked.request("GET", "/health/ready")
        except SetpointError as failure:
            problem = failure.message
            time.sleep(_POLL_S)
        else:
            return
    raise UnavailableError(f"the plane was not ready within {START_S:g} s: {problem}")


def _proven(build: InstalledBuild, log: Path) -> str:
    found = _BANNER.search(log.read_text(encoding="utf-8", errors="replace"))
    if found is None:
        raise IntegrityError(f"{build.place} says nothing of itself: it is older than the banner.")
    _require_source(build, [found[3]], "the plane")
    return " ".join(found.groups())


def _require_source(build: InstalledBuild, found: Sequence[object], what: str) -> None:
    if wrong := [one for one in found if one != build.source]:
        raise IntegrityError(f"{what} runs {wrong[0]}, not the build {build.source} of {build.place}.")


def _asked(python: str, environ: Mapping[str, str], *arguments: str) -> str:
    try:
        done = subprocess.run(
            [python, "-P", *arguments],
            env=dict(environ),
            capture_output=True,
            text=True,
            check=False,
            timeout=ASK_S + START_S,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{python} did not answer within {ASK_S + START_S:g} s.") from None
    if done.returncode:
        said = printable(done.stderr.strip()[-_TAIL:])
        raise UnavailableError(f"{python} holds no build that answers: {said}.")
    return done.stdout


def _tail(log: Path) -> str:
    return printable(log.read_text(encoding="utf-8", errors="replace").strip()[-_TAIL:])
