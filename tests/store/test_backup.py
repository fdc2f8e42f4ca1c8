"""The whole database in one file and back, without ever losing what was there."""

from dataclasses import replace

import psycopg
import pytest

from setpoint.errors import ConflictError, DatabaseUnavailable, IntegrityError, StorageFull, UsageError
from setpoint.settings import Settings
from setpoint.store import client_programs, operations
from setpoint.store.backup import backup, restore_backup
from setpoint.store.connections import Server
from setpoint.store.database import Database
from setpoint.store.server import embedded
from support.documents import write_document


def write(settings, text, scope="global"):
    with Database.open(settings) as database, database.transaction(author="ada", reason="test") as tx:
        return write_document(tx, text, scope)


def scopes(settings):
    with Database.open(settings) as database:
        return [row["scope"] for row in database.fetch_all("read_scopes")]


def broken_links(settings):
    with Database.open(settings) as database:
        rows = database.fetch_all("verify_history", after=0, limit=100)
        documents = database.fetch_all("verify_documents")
    return [row for row in rows if row["chain"] != row["computed_chain"]] + documents


@pytest.fixture(scope="module")
def module_home(tmp_path_factory, programs):
    """The homes of an embedded server, which one server serves by turns."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), postgres_bin=programs, linger_s=2.0)
    with embedded.attach(settings, options=("fsync=off",)):
        yield settings
    embedded.stop(settings, force=True)


@pytest.fixture
def home(module_home):
    """An embedded database without rows."""
    operations.migrate_database(module_home)
    yield module_home
    with Server(module_home) as server:
        admin = psycopg.conninfo.make_conninfo(server.conninfo(owner=True), dbname="postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        query = "SELECT datname FROM pg_database WHERE datname LIKE 'setpoint%'"
        for (name,) in connection.execute(query).fetchall():
            connection.execute(psycopg.sql.SQL("DROP DATABASE {}").format(psycopg.sql.Identifier(name)))
        connection.execute("CREATE DATABASE setpoint")


ON_BOTH = pytest.mark.parametrize(
    "programs", ["", "/usr/lib/postgresql/15/bin"], ids=["bundled", "15"], indirect=True, scope="session"
)


@ON_BOTH
def test_backup_brings_documents_and_their_chain_back(home, tmp_path):
    """What was in the file is there again, with a chain that verifies and triggers that work."""
    write(home, '{"rate": 0.10}')
    file = backup(home, tmp_path / "backups" / "one.dump")
    write(home, '{"a": 1}', scope="profile=later")
    kept = restore_backup(home, file, replace=True)
    assert scopes(home) == ["global"]
    assert broken_links(home) == []
    assert kept is not None
    assert write(home, '{"a": 1}', scope="profile=after")["revision"] == 2
    assert broken_links(home) == []


def test_restore_refuses_to_replace_what_holds_something(home, tmp_path):
    """Revisions are never overwritten unasked."""
    write(home, '{"a": 1}')
    file = backup(home, tmp_path / "one.dump")
    with pytest.raises(ConflictError, match="1 revisions and 0 runs") as caught:
        restore_backup(home, file)
    assert "--replace" in caught.value.hint
    assert scopes(home) == ["global"]


def test_replaced_database_is_kept_under_another_name(home, tmp_path):
    """Whoever restored by mistake finds everything under the name that was printed."""
    file = backup(home, tmp_path / "empty.dump")
    write(home, '{"precious": 1}')
    kept = restore_backup(home, file, replace=True)
    assert scopes(home) == []
    with Server(home) as server:
        conninfo = psycopg.conninfo.make_conninfo(server.conninfo(), dbname=kept)
        with psycopg.connect(conninfo) as connection:
            assert connection.execute("SELECT base_env::text FROM ftf_config").fetchall() == [
                ('{"precious": 1}',)
            ]


def test_restore_into_an_empty_database_keeps_nothing_aside(home, tmp_path):
    """There is nothing to keep of a database without revisions and runs."""
    write(home, '{"a": 1}')
    file = backup(home, tmp_path / "one.dump")
    restore_backup(home, backup(home, tmp_path / "same.dump"), replace=True)
    with Database.open(home) as database:
        assert database.fetch_one("read_chain_head")["id"] == 1
    assert file.stat().st_size > 0


def test_restore_under_open_sessions_is_refused_and_changes_nothing(home, tmp_path):
    """A database that others use is not exchanged under them."""
    write(home, '{"a": 1}')
    file = backup(home, tmp_path / "one.dump")
    with Server(home) as server, psycopg.connect(server.conninfo()) as other:
        other.execute("SELECT 1")
        with pytest.raises(ConflictError, match="being accessed"):
            restore_backup(home, file, replace=True)
    assert scopes(home) == ["global"]


@pytest.mark.parametrize("content", [b"", b"-- SQL", None])
def test_file_that_is_no_backup_is_refused(home, tmp_path, content):
    """Another file, an empty one or none at all is named, before anything is touched."""
    file = tmp_path / "one.dump"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"one\.dump"):
        restore_backup(home, file, replace=True)


def test_damaged_backup_leaves_the_database_as_it_was(home, tmp_path):
    """A file that breaks off in the middle restores nothing."""
    write(home, '{"a": 1}')
    file = backup(home, tmp_path / "one.dump")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DatabaseUnavailable, match="pg_restore"):
        restore_backup(home, file, replace=True)
    assert scopes(home) == ["global"]
    with Server(home) as server, psycopg.connect(server.conninfo(owner=True)) as connection:
        names = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'setpoint_%'"
        ).fetchall()
    assert names == []


def test_failed_backup_leaves_the_older_file(home, tmp_path, monkeypatch):
    """An older backup of the same name survives a newer one that fails."""
    file = tmp_path / "one.dump"
    file.write_bytes(b"older")
    monkeypatch.setattr(client_programs, "command", lambda *_: client_programs.Command(["false"], {}))
    with pytest.raises(DatabaseUnavailable, match="failed"):
        backup(home, file)
    assert file.read_bytes() == b"older"
    assert list(tmp_path.glob("*.partial")) == []


def test_backup_into_an_impossible_place_is_a_storage_error(home, tmp_path):
    """A folder that cannot be made is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFull, match="cannot be written"):
        backup(home, tmp_path / "file" / "one.dump")


@pytest.fixture
def bare(server, tmp_path):
    """Settings of a database without tables on a real server."""
    server.administer("CREATE DATABASE bare")
    owner = server.url("bare", owner=True)
    yield Settings(
        home=tmp_path / "home",
        database_url=server.url("bare"),
        migrate_url=owner,
        postgres_bin=server.settings.postgres_bin,
    )
    server.administer("DROP DATABASE bare WITH (FORCE)")


def test_real_server_is_restored_while_it_is_empty_and_never_replaced(settings, bare, tmp_path):
    """On a real server a backup goes into an empty database; replacing is the administrator's work."""
    write(settings, '{"a": 0.10}')
    file = backup(replace(settings, postgres_bin=bare.postgres_bin), tmp_path / "one.dump")
    assert restore_backup(bare, file) is None
    assert scopes(bare) == ["global"]
    assert broken_links(bare) == []
    with pytest.raises(ConflictError):
        restore_backup(bare, file)
    with pytest.raises(UsageError, match="not replaced"):
        restore_backup(bare, file, replace=True)
