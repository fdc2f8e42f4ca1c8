"""What an operator sees and does: status, start, stop, url, migrate, psql."""

import subprocess
import time

import psycopg
import pytest

from setpoint.errors import UsageError
from setpoint.settings import Settings
from setpoint.store import operations
from setpoint.store.client_programs import command, psql
from setpoint.store.database import Database
from setpoint.store.schema import shipped
from setpoint.store.server import embedded
from support.documents import write_document
from support.waiting import PATIENCE_S


@pytest.fixture
def home(tmp_path):
    """An embedded server of this test's own."""
    settings = Settings(home=tmp_path / "fresh", linger_s=0.3)
    yield settings
    embedded.stop(settings, force=True)


def test_status_of_a_server_that_never_ran_creates_nothing(home):
    """Looking is not using: no folder appears and nothing starts."""
    seen = operations.status(home)
    assert (seen.embedded, seen.state, seen.kept, seen.in_use) == (True, "stopped", False, False)
    assert not home.home.exists()


def test_started_server_runs_migrated_until_it_is_stopped(home):
    """`db start` gives a running server with all tables; `db stop` ends it; both say so."""
    started = operations.start(home)
    assert (started.state, started.kept, started.pending, started.problem) == ("running", True, (), "")
    assert started.version.startswith("18")
    time.sleep(4 * home.linger_s)
    with Database.open(home):
        seen = operations.status(home)
        assert (seen.state, seen.in_use) == ("running", True)
    assert operations.stop(home)
    assert operations.status(home).state == "stopped"
    assert not operations.stop(home)


def test_url_is_one_that_any_tool_understands(home):
    """The printed URL connects, as the application or as the owner."""
    operations.start(home)
    for owner, role in ((False, "setpoint_app"), (True, "setpoint_owner")):
        with psycopg.connect(operations.url(home, owner=owner)) as connection:
            who = "SELECT current_user::text, current_database()::text"
            assert connection.execute(who).fetchone() == (role, "setpoint")


def test_psql_sees_the_hash_that_everybody_sees(home):
    """Psql over the same database computes the hash that Setpoint recorded."""
    with Database.open(home) as database, database.transaction(author="ada") as tx:
        row = write_document(tx, '{"rate": 0.10}')
    query = "SELECT encode(sha256(convert_to(base_env::text, 'UTF8')), 'hex') FROM ftf_config WHERE id = 1"
    with psql(home) as ready:
        done = subprocess.run(
            [*ready.argv, "-XAtc", query],
            env=ready.environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
    assert done.stdout.strip() == row["hash"]


def test_password_travels_in_the_environment(home):
    """No program's command line shows a password."""
    made = command(home, "psql", "postgresql://ada:secret@db.example/x")
    assert "secret" not in " ".join(made.argv)
    assert made.environ["PGPASSWORD"] == "secret"


def test_real_server_is_looked_at_but_not_started(settings):
    """A real server's status names it without its password; starting or stopping it is refused."""
    seen = operations.status(settings)
    assert (seen.embedded, seen.state, seen.pending) == (False, "running", ())
    for refused in (operations.start, operations.stop):
        with pytest.raises(UsageError, match="real server"):
            refused(settings)


def test_unreachable_real_server_is_a_status_not_a_crash(tmp_path):
    """Status of a server that is down says why."""
    url = "postgresql://ada:secret@127.0.0.1:1/x"
    seen = operations.status(Settings(home=tmp_path, database_url=url))
    assert (seen.state, seen.where) == ("unreachable", "postgresql://ada@127.0.0.1:1/x")
    assert "refused" in seen.problem


def test_status_names_what_is_not_migrated_or_newer(server, settings, owner_url):
    """A database behind this release lists what it lacks; one ahead of it says so."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version = 2")
    assert operations.status(settings).pending == (f"{shipped()[1].version:04}_{shipped()[1].name}",)
    with psycopg.connect(owner_url) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9999, 'future', 'x')")
    assert "9999" in operations.status(settings).problem


def test_migrate_command_brings_a_real_server_up(server, tmp_path):
    """`db migrate` works through the owner's URL and is idle the second time."""
    server.administer("CREATE DATABASE bare")
    try:
        owner = Settings(
            home=tmp_path, database_url=server.url("bare"), migrate_url=server.url("bare", owner=True)
        )
        assert operations.migrate_database(owner) == shipped()
        assert operations.migrate_database(owner) == []
    finally:
        server.administer("DROP DATABASE bare WITH (FORCE)")
