"""The plane as processes: started before its database, stopped with streams open, one of several killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from setpoint.cli import demo
from setpoint.observe import logfmt
from setpoint.settings import Settings
from setpoint.store.schema import migrate
from setpoint.store.server import embedded
from support.hints import printed_command
from support.plane_process import PlaneProcess, plane_environ
from support.planes import credential, open_accounts
from support.waiting import wait_for

#: A plane of two processes wants both cores of the smallest machine the suite runs on.
ONE_OR_TWO = [(), pytest.param(("--workers", "2"), marks=pytest.mark.whole_machine)]


@pytest.fixture
def serving(server, clone, tmp_path):
    """``serving("--workers", "2")`` starts `setpoint serve` on this test's database."""
    started = []

    def start(*options, database=clone, command="serve"):
        url = server.url(database, login="setpoint_server")
        environ = plane_environ(SETPOINT_HOME=str(tmp_path / "home"), SETPOINT_DATABASE_URL=url)
        plane = PlaneProcess(environ, tmp_path / f"plane-{len(started)}.log", (command, *options))
        started.append(plane)
        plane.start()
        return plane

    yield start
    for plane in started:
        plane.kill()


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def lines(plane):
    return [dict(logfmt.parse(line)) for line in plane.log.read_text().splitlines()]


#: What no client of ours sends: in paths, methods, versions and headers, and as no HTTP at all.
HOSTILE = (
    b"GET /%00%1b[2J%e2%80%ae%0aevent=forged HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v1/me HTTP/1.1\r\nHost: x\r\nX-Request-ID: \x1b]0;x\x07abcdefgh\r\n\r\n",
    b"GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe level=error\r\n\r\n",
    b"F\x1bOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(32)),
)


def test_every_line_on_stderr_is_logfmt_that_prints(serving):
    """From start to stop, whatever is sent: each line reads back as pairs, and none is forged."""
    plane = serving()
    plane.wait("/health/live")
    for request in HOSTILE:
        with socket.create_connection(("127.0.0.1", plane.port), timeout=60) as connection:
            connection.sendall(request)
            connection.recv(65536)
    plane.signal(signal.SIGTERM)
    plane.ended()
    written = plane.log.read_text()

    assert written.replace("\n", "").isprintable(), ascii(written)
    assert {"event", "level", "ts", "pid"} <= set.intersection(*(set(line) for line in lines(plane)))
    assert not [line for line in lines(plane) if line["event"] == "forged"]


def test_what_a_plane_would_print_is_logged():
    """Warnings, libraries' words and exceptions that nobody caught are lines of pairs, as all else."""
    program = """if True:
        import gc, logging, logging.config, threading, warnings
        from setpoint.serve.logs import LOG_CONFIG, log_everything
        logging.config.dictConfig(LOG_CONFIG)
        log_everything()
        warnings.warn("a warning\\nof two lines", DeprecationWarning)
        logging.getLogger("asyncio").error("Task exception was never retrieved\\nlevel=forged")
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start(); thread.join()
        class Last:
            def __del__(self): raise ValueError("at the end")
        Last()
        gc.collect()
    """
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", program],
        env=plane_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    told = [dict(logfmt.parse(line)) for line in done.stderr.splitlines()]
    assert all({"event", "level", "ts", "pid"} <= set(line) for line in told), done.stderr
    assert [line["event"] for line in told] == ["log", "log", "exception_uncaught", "exception_uncaught"]
    assert "ZeroDivisionError" in told[2]["exception"]
    assert "at the end" in told[3]["exception"]


def test_it_lives_before_its_database_and_is_ready_with_it(serving, server, clone):
    """Without its tables, or with a trigger off, the plane answers and is not ready; with them it is."""
    empty = f"{clone}_empty"
    plane = serving(database=empty)
    plane.wait("/health/live")
    unready = plane.wait(status=503)
    server.administer(f"CREATE DATABASE {empty}")
    try:
        unmigrated = plane.wait(status=503)
        migrate(server.url(empty, owner=True))
        assert plane.wait().json() == {"status": "ready", "revision": 0}
        with psycopg.connect(server.url(empty, owner=True)) as owner:
            owner.execute("ALTER TABLE changes DISABLE TRIGGER permit_change")
        assert "changes.permit_change" in plane.wait(status=503).json()["detail"]
    finally:
        plane.kill()
        server.administer(f"DROP DATABASE {empty} WITH (FORCE)")

    assert unready.json()["code"] == unmigrated.json()["code"] == "database_unavailable"
    assert "Retry-After" in unready.headers


def test_it_never_migrates(serving, server, clone):
    """A database that lacks tables of this release still lacks them after the plane has looked at it."""
    empty = f"{clone}_empty"
    server.administer(f"CREATE DATABASE {empty}")
    plane = serving(database=empty)
    plane.wait(status=503)
    plane.kill()
    with psycopg.connect(server.url(empty, owner=True)) as psql:
        tables = psql.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    server.administer(f"DROP DATABASE {empty} WITH (FORCE)")

    assert tables == (0,)


@pytest.mark.parametrize("options", ONE_OR_TWO, ids=["one", "two"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "ctrl-c"])
def test_a_stop_is_graceful_and_ends_well(serving, options, number):
    """SIGTERM and Ctrl-C end it with exit code 0, a connection that stays open notwithstanding."""
    plane = serving(*options)
    plane.wait()
    with httpx.Client() as client:
        client.get(f"{plane.url}/health/live")
        plane.signal(number)
        code = plane.ended()

    assert code == 0, plane.log.read_text()
    assert "Traceback" not in plane.log.read_text()


@pytest.mark.parametrize("options", ONE_OR_TWO, ids=["one", "two"])
@pytest.mark.parametrize("signals", [1, 2], ids=["once", "twice"])
def test_open_streams_do_not_hold_up_a_stop(serving, owner_url, options, signals):
    """With a stream open, Ctrl-C ends the plane well, and so does a second one that will not wait."""
    open_accounts(owner_url)
    headers = {"Authorization": f"Bearer {credential(owner_url, 'cy')}"}
    plane = serving(*options)
    plane.wait()
    with httpx.stream("GET", f"{plane.url}/v1/stream", headers=headers, timeout=60) as stream:
        chunks = stream.iter_raw()
        assert next(chunks)
        for _ in range(signals):
            os.killpg(plane.process.pid, signal.SIGINT)  # as a terminal does
        code = plane.ended()
        with suppress(httpx.RemoteProtocolError) if signals > 1 else nullcontext():
            assert b"event:" not in b"".join(chunks)  # cut by who will not wait, else ended well

    assert code == 0, plane.log.read_text()


@pytest.mark.parametrize("options", ONE_OR_TWO, ids=["one", "two"])
def test_streams_are_ended_and_not_cut_by_a_stop(serving, owner_url, options):
    """SIGTERM ends every stream as a whole answer, in each process, with nothing that had to be cancelled."""
    open_accounts(owner_url)
    headers = {"Authorization": f"Bearer {credential(owner_url, 'cy')}"}
    plane = serving(*options)
    plane.wait()
    with ExitStack() as opened:
        streams = [
            opened.enter_context(httpx.stream("GET", f"{plane.url}/v1/stream", headers=headers, timeout=60))
            for _ in range(6)
        ]
        rest = [stream.iter_raw() for stream in streams]
        assert all(next(chunks) for chunks in rest)
        plane.signal(signal.SIGTERM)
        code = plane.ended()
        for chunks in rest:
            assert b"event:" not in b"".join(chunks)  # a stream that is cut raises

    assert code == 0, plane.log.read_text()
    assert "Cancel" not in plane.log.read_text()


@pytest.mark.whole_machine
def test_a_killed_process_of_two_is_replaced(serving):
    """One of two is killed: the other serves on, and soon there are two again."""
    plane = serving("--workers", "2")
    plane.wait()

    def working():
        return [pid for pid in children(plane.process.pid) if b"spawn_main" in _command(pid)]

    def replaced():
        now = working()
        return len(now) == 2 and workers[0] not in now

    workers = wait_for(working, "two processes", until=lambda pids: len(pids) == 2)
    os.kill(workers[0], signal.SIGKILL)
    plane.wait()
    wait_for(replaced, "the second process")
    plane.wait()


@pytest.mark.whole_machine
def test_its_processes_end_with_the_one_that_started_them(serving):
    """Killing the first process leaves nobody behind on the port."""
    plane = serving("--workers", "2")
    plane.wait()
    workers = children(plane.process.pid)
    os.kill(plane.process.pid, signal.SIGKILL)
    plane.ended()

    wait_for(lambda: not any(_alive(pid) for pid in workers), "the end of all processes")


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_port_that_is_taken_is_said(setpoint_command):
    """Exit code 5 names the port and what to do; so does code 2 for an address that is not ours."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = setpoint_command("serve", "--port", str(port))
        up = setpoint_command("up", "--port", str(port))
    foreign = setpoint_command("serve", "--host", "192.0.2.1", "--port", "0")

    assert (busy.code, up.code, foreign.code) == (5, 5, 2)
    assert f"port {port} of 127.0.0.1 is in use" in busy.err
    assert "192.0.2.1" in foreign.err
    assert setpoint_command("serve", "--port", "99999").code == 2


def test_requests_are_log_lines_with_their_ids(serving):
    """Each request is one logfmt line that names its id, whatever its path holds; nothing else is printed."""
    plane = serving()
    plane.wait()
    answer = httpx.get(f"{plane.url}/v1/a%0Aevent=forged%20%22", headers={"X-Request-ID": "request-0001"})
    plane.signal(signal.SIGTERM)
    plane.ended()

    assert answer.headers["X-Request-ID"] == "request-0001"
    (line,) = [line for line in lines(plane) if line.get("request_id") == "request-0001"]
    assert (line["event"], line["status"], line["path"]) == ("http_request", "404", '/v1/a\nevent=forged "')
    assert not [line for line in lines(plane) if line["event"] == "forged"]


def test_up_starts_all_there_is(tmp_path):
    """In an empty home `up --json` starts the database, its tables and the plane; Ctrl-C ends it."""
    home = tmp_path / "home"
    environ = plane_environ(SETPOINT_HOME=str(home), SETPOINT_LINGER_S="0.5")
    plane = PlaneProcess(environ, tmp_path / "up.log", ("up", "--json"))
    process = plane.start()
    try:
        plane.wait()
        said = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
        with httpx.Client(base_url=plane.url) as browser:
            once = said["login"].partition("/login?once=")[2]
            first, again = (browser.post("/v1/sessions", json={"once": once}) for _ in range(2))
        plane.signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        plane.kill()
        embedded.stop(Settings(home=home), force=True)

    assert process.returncode == 0
    assert said["url"] == plane.url
    assert (first.status_code, first.json()["roles"], again.status_code) == (201, ["admin"], 401)
    assert once
    assert once not in plane.log.read_text()


def test_a_pipe_gets_no_secret(tmp_path, capfd):
    """Where no terminal is, `up` prints no one-time login but the command for one, which works as printed."""
    home = tmp_path / "home"
    environ = plane_environ(SETPOINT_HOME=str(home), SETPOINT_LINGER_S="0.5")
    demo._next_steps(tmp_path / "report.html")
    _, *advised = printed_command("setpoint up", capfd.readouterr().out).split()
    plane = PlaneProcess(environ, tmp_path / "up.log", tuple(advised))
    process = plane.start()
    try:
        plane.wait()
        said = [process.stdout.readline() for _ in range(3)]
        _, *advised = printed_command("setpoint accounts once admin", said[1]).split()
        command = [sys.executable, "-m", "setpoint.cli", *advised]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
        with httpx.Client(base_url=plane.url) as browser:
            session = browser.post("/v1/sessions", json={"once": done.stdout.split()[0]})
        plane.signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    finally:
        plane.kill()
        embedded.stop(Settings(home=home), force=True)

    assert f"Setpoint is up: {plane.url}" in said[0]
    assert "spo_" not in "".join(said) + out + plane.log.read_text()
    assert (session.status_code, session.json()["roles"]) == (201, ["admin"])


@pytest.mark.whole_machine
def test_two_processes_share_an_embedded_database(tmp_path):
    """`serve --workers 2` without a database of its own works on the embedded one, in an empty home."""
    home = tmp_path / "home"
    environ = plane_environ(SETPOINT_HOME=str(home), SETPOINT_LINGER_S="0.5")
    plane = PlaneProcess(environ, tmp_path / "serve.log", ("serve", "--workers", "2"))
    plane.start()
    try:
        assert plane.wait().json()["status"] == "ready"
        plane.signal(signal.SIGTERM)
        assert plane.ended() == 0
    finally:
        plane.kill()
        embedded.stop(Settings(home=home), force=True)
