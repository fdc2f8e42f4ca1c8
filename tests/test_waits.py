"""Every call that leaves the process has an end on our side: shown for each kind, searched for in source."""

import ast
import re
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress
from inspect import iscoroutinefunction
from pathlib import Path

import pytest

import setpoint
from setpoint.change import git_commits
from setpoint.client.plane.connection import Patience, Plane
from setpoint.client.plane.openings import ask
from setpoint.errors import (
    DatabaseUnavailable,
    DownloadFailed,
    PlaneUnavailable,
    StorageFull,
    UnavailableError,
)
from setpoint.serve import console
from setpoint.serve.access import oidc
from setpoint.serve.api import ROUTERS
from setpoint.serve.routes import QueuedRoute
from setpoint.settings import Settings
from setpoint.store import client_programs, connections
from setpoint.store.connections import connect_app
from setpoint.train.market.archive import Patience as ArchivePatience
from setpoint.train.market.archive import pull

PACKAGE = Path(setpoint.__file__).parent
#: Calls that leave the process, and wait for what is there. Each needs a ``timeout``, or a line below.
LEAVING = {
    "run", "call", "check_call", "check_output", "communicate", "wait", "Popen", "execvpe", "flock",
    "urlopen", "open", "create_connection", "connect", "HTTPConnection", "HTTPSConnection",
    "get", "post", "request", "stream",
}  # fmt: skip
#: Whose attribute they are where the name alone says nothing.
OF = {
    "run": {"subprocess"},
    "call": {"subprocess"},
    "check_call": {"subprocess"},
    "check_output": {"subprocess"},
    "Popen": {"subprocess"},
    "get": {"httpx", "requests"},
    "post": {"httpx", "requests"},
    "request": {"httpx", "requests"},
    "stream": {"httpx"},
    "open": {"opener"},
    "wait": {"server", "process", "done"},
    "execvpe": {"os"},
    "flock": {"fcntl"},
}
#: What ends each call that has no timeout of its own.
ENDED_OTHERWISE = {
    ("cli/edit.py", "run"): "a person's editor: waits for the person, who can end it",
    ("cli/db.py", "run"): "a person's psql, which can be ended; its connection is bounded",
    ("change/emergency/drill_builds.py", "Popen"): "ended, and then killed, with the block that starts it",
    ("cli/pin.py", "execvpe"): "the process becomes the command",
    ("client/plane/wire.py", "connect"): "its timeout is its second argument",
    (
        "serve/backups.py",
        "communicate",
    ): "it ends within its own bounds, or with the plane",
    ("serve/backups.py", "wait"): "within wait_for, and it is killed after that",
    ("serve/chart_worker.py", "Popen"): "each exchange with it has an end, and it is killed after that",
    ("serve/middleware.py", "HTTPConnection"): "Starlette's view of a request; it connects nothing",
    ("client/plane/names.py", "create_connection"): "what is left of the time is its second argument",
    ("notify/mail.py", "connect"): "its end is its fourth argument",
    ("notify/webhook.py", "connect"): "its end is its fourth argument",
    ("store/connections.py", "connect"): "connect_timeout is one of the parameters; see bounded",
    ("store/server/supervisor.py", "Popen"): "the postmaster: it lives as long as its supervisor",
    ("store/server/supervisor.py", "wait"): "its patience is its argument",
    ("file_lock.py", "flock"): "never waits: LOCK_NB; who asks again does so within its timeout_s",
}


def leaving(tree):
    """Yield the name and the call of everything that leaves the process."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = getattr(function, "attr", None) or getattr(function, "id", None)
        owner = getattr(function, "value", None)
        owner = getattr(owner, "id", None) or getattr(owner, "attr", None)
        if name in LEAVING and (name not in OF or owner in OF[name]):
            yield name, node


def test_whatever_leaves_the_process_says_when_it_ends():
    """A new call without a timeout fails here, until it has one or its end is named above."""
    without, ended = [], set()
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = str(path.relative_to(PACKAGE))
        for name, call in leaving(ast.parse(path.read_text(encoding="utf-8"))):
            if any(argument.arg == "timeout" for argument in call.keywords):
                continue
            ended.add((inside, name))
            if (inside, name) not in ENDED_OTHERWISE:
                without.append(f"{inside}:{call.lineno} {ast.unparse(call.func)}")
    assert not without
    assert set(ENDED_OTHERWISE) <= ended, "a line above names a call that is not there"


@contextmanager
def silent():
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def dripping():
    """A port that answers any request with a head that never ends, one byte at a time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        ending = threading.Event()

        def drip():
            head = b"HTTP/1.1 200 OK\r\nX-Long: "
            held = []
            while not ending.is_set():
                with suppress(TimeoutError):
                    held.append(listener.accept()[0])
                    held[-1].sendall(head)
                for one in held:
                    with suppress(OSError):
                        one.sendall(b"x")
            for one in held:
                one.close()

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ending.set()
            thread.join()


QUICK = Patience(connect_s=0.3, read_s=5.0, total_s=0.3, attempts=1)


@pytest.mark.parametrize("peer", [silent, dripping])
def test_http_of_every_kind_ends(peer, tmp_path, monkeypatch):
    """The plane's client, the provider of identities, the archive of candles: a peer is silent, or drips."""
    monkeypatch.setattr(oidc, "_TIMEOUT_S", 0.3)
    with peer() as port:
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(PlaneUnavailable), Plane(url, patience=QUICK) as plane:
            plane.request("GET", "/")
        with pytest.raises(PlaneUnavailable), Plane(url, patience=QUICK) as plane:
            plane.stream("/v1/stream", {}, 5.0)
        with pytest.raises(TimeoutError):
            ask(url, 0.3)
        provider = oidc.Provider(Settings(home=tmp_path, oidc_issuer=url, oidc_client_id="plane"))
        with pytest.raises(UnavailableError):
            provider._begin("http://127.0.0.1/callback", is_proof=False)
        patience = ArchivePatience(timeout_s=5.0, file_s=0.3, attempts=1)
        with pytest.raises(DownloadFailed):
            pull(["BTCUSDT"], "1h", "2024-01", "2024-01", tmp_path, base_url=url, patience=patience)


def test_a_name_that_is_never_looked_up_ends(monkeypatch):
    """The system's own patience with a name server is not ours."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: answered.wait(60))
    try:
        with pytest.raises(PlaneUnavailable, match="not looked up"):
            Plane("http://plane.test", patience=QUICK).request("GET", "/")
    finally:
        answered.set()


def test_connecting_to_a_database_that_says_nothing_ends(monkeypatch):
    """For our own sessions, and for those of PostgreSQL's client."""
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT_S", 2)
    with silent() as port:
        url = f"postgresql://ada@127.0.0.1:{port}/setpoint"
        with pytest.raises(DatabaseUnavailable):
            connect_app(url)
        command = client_programs.command(Settings(database_url=url), "psql", connections.readable(url))
        done = subprocess.run(
            [*command.argv, "-Xc", "SELECT 1"],
            env=command.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "timeout expired" in done.stderr


def test_programs_that_do_not_end_are_ended(tmp_path, monkeypatch):
    """Of git with a hook that hangs: it is told apart from a failure."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    hook = tmp_path / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\nexec sleep 60 >/dev/null 2>&1\n")
    hook.chmod(0o755)
    (tmp_path / "head").write_text("x")
    git_commits.run_git(tmp_path, tmp_path, "add", "head")
    monkeypatch.setattr(git_commits, "_GIT_S", 0.5)
    with pytest.raises(StorageFull, match="did not end within"):
        git_commits.run_git(
            tmp_path, tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"
        )


def test_nothing_of_the_plane_waits_for_a_thread_but_in_a_line():
    """Every endpoint that needs a thread stands in line for it, and all other work goes through Turns."""
    for path in (PACKAGE / "serve").rglob("*.py"):
        if path.name != "turns.py":
            found = re.search(r"run_in_threadpool|run_sync|run_in_executor", path.read_text(encoding="utf-8"))
            assert not found, path
    routes = [route for router in (*ROUTERS, *console.ROUTERS) for route in router.routes]
    unqueued = [
        route.path
        for route in routes
        if not iscoroutinefunction(route.endpoint) and not isinstance(route, QueuedRoute)
    ]
    assert routes
    assert not unqueued
