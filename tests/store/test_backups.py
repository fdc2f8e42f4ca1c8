"""The whole database in one file and back: nothing of it is executed, nothing is lost, nobody is revived."""

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from setpoint.change.recovery.restoring import restore_backup
from setpoint.change.verification import Anchor, anchor_of, verify
from setpoint.errors import (
    ConflictError,
    IntegrityError,
    MigrationChanged,
    StorageFull,
    UsageError,
)
from setpoint.settings import Settings
from setpoint.store import client_programs, operations
from setpoint.store.backups.backup import backup
from setpoint.store.backups.file import MANIFEST, member_of
from setpoint.store.backups.manifest import manifest_of
from setpoint.store.backups.tables import LEFT_OUT, tables_of
from setpoint.store.connections import Server, connect_owner
from setpoint.store.database import Database
from setpoint.store.schema import shipped
from setpoint.store.server import embedded
from support.documents import propose, write_document
from support.faults import small_disk
from support.waiting import PATIENCE_S, wait_for


def write(settings, text, scope="global", author="ada"):
    with Database.open(settings) as database, database.transaction(author=author, reason="test") as tx:
        return write_document(tx, text, scope)


def scopes(settings):
    with Database.open(settings) as database:
        return [row["scope"] for row in database.fetch_all("read_scopes")]


def owner_of(settings, database="setpoint"):
    with Server(settings) as server:
        return psycopg.connect(
            psycopg.conninfo.make_conninfo(server.conninfo(owner=True), dbname=database), autocommit=True
        )


def databases(settings):
    with owner_of(settings, "postgres") as admin:
        names = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'setpoint%' ORDER BY 1")
        return [name for (name,) in names]


TRIGGERS = (
    "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
)


def contents(connection):
    """Every row of every table as JSON, by table."""
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    query = "SELECT to_jsonb(t) FROM public.{} AS t ORDER BY to_jsonb(t)::text"
    return {
        name: [
            row for (row,) in connection.execute(psycopg.sql.SQL(query).format(psycopg.sql.Identifier(name)))
        ]
        for (name,) in tables.fetchall()
    }


@pytest.fixture(scope="module")
def module_home(tmp_path_factory, programs):
    """The homes of an embedded server, which one server serves by turns."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), postgres_bin=programs, linger_s=2.0)
    with embedded.attach(settings, options=("fsync=off",)):
        operations.migrate_database(settings)
        with owner_of(settings, "postgres") as admin:
            admin.execute("ALTER DATABASE setpoint RENAME TO clean")
        yield settings
    embedded.stop(settings, force=True)


@pytest.fixture
def home(module_home):
    """An embedded database without rows."""
    with owner_of(module_home, "postgres") as admin:
        admin.execute("CREATE DATABASE setpoint TEMPLATE clean STRATEGY file_copy")
    yield module_home
    for name in databases(module_home):
        with owner_of(module_home, "postgres") as admin:
            admin.execute(psycopg.sql.SQL("DROP DATABASE {}").format(psycopg.sql.Identifier(name)))


ON_BOTH = pytest.mark.parametrize(
    "programs", ["", "/usr/lib/postgresql/15/bin"], ids=["bundled", "15"], indirect=True, scope="session"
)

#: Rows of every kind of table, written past the guards that judge who may: what they hold is what counts.
WORLD = """
    INSERT INTO accounts (name, roles, created_by, password_parameters, password_verifier)
    VALUES ('ada', '{config_write}', 'tests', 'argon2', sha256('a')),
           ('bo', '{approver}', 'tests', NULL, NULL),
           ('cy', '{viewer}', 'tests', 'argon2', sha256('c')), ('dan', '{admin}', 'tests', NULL, NULL),
           ('rob', '{robot}', 'tests', NULL, NULL);
    INSERT INTO accounts (name, roles, created_by, disabled_at) VALUES ('gone', '{admin}', 'tests', now());
    INSERT INTO appointments (account, what, hand) VALUES ('bo', 'role', 'dan');
    INSERT INTO identity_providers VALUES ('https://id.example', '{viewer,admin}');
    INSERT INTO credentials (hash, kind, account, label, created_by, expires_at)
    VALUES (sha256('session'), 'session', 'ada', 'password', 'ada', now() + interval '1 hour'),
           (sha256('token'), 'token', 'rob', 'sweep', 'dan', now() + interval '1 day'),
           (sha256('once'), 'once', 'dan', 'one-time login', 'dan', now() + interval '1 hour');
    INSERT INTO incident_channels (prefix, responsible, is_open, reason, declared_by)
    VALUES ('https://chat.example/inc/', 'bo', true, 'ours', 'dan');
    INSERT INTO policies VALUES ('*', 'range', 1, false, 0), ('symbol=A', '*', 2, false, 60);
    INSERT INTO event_sources (source, account) VALUES ('spool', 'rob');
    INSERT INTO event_log (received_at, source, sequence, name, level, run, unit, fields, line)
    VALUES ('2025-12-31', 'spool', 0, 'e', 'info', '', '', '{}',
            E'tab\\t, break\\n, backslash \\\\ and \\\\.');
    SELECT make_months(true);
    INSERT INTO snapshots (hash, text) VALUES (document_hash('{}'), '{}');
    INSERT INTO snapshot_frames (hash, frame, newest) VALUES (document_hash('{}'), '{"layers" :[ ]}', 1);
    INSERT INTO idempotency (account, key, request_hash, status, headers, body)
    VALUES ('ada', 'k', 'h', 200, '{}', 'answer');
    INSERT INTO drills (scenario, started_at, took_s, outcome, steps, build, person)
    VALUES ('A', now(), 0.1 + 0.2, 'restored', '[]', '1', 'ada');
    UPDATE quotas SET most = 7 WHERE kind = 'holders';
"""


@pytest.fixture
def world(home):
    """A home whose database holds much: two revisions, open changes, accounts and more."""
    write(home, '{"rate": 0.10, "é": 1}')
    write(home, '{"rate": 0.2}', scope="profile=later")
    with Database.open(home) as database:
        for author, state, given in (("zoe", "proposed", {}), ("ada", "draft", {"draft": True})):
            with database.transaction(author=author) as tx:
                assert propose(tx, set='{"rate": 0.3}', **given)["state"] == state
    with owner_of(home) as owner:
        owner.execute(WORLD)
        owner.execute("SELECT nextval('access_log_id_seq') FROM generate_series(1, 5)")
    return home


#: Tables that a restore itself writes to, and what it writes.
TOUCHED = {
    "accounts": {"disabled_at", "waits_since", "password_parameters", "password_verifier"},
    "credentials": {"revoked_at"},
    "changes": {"state", "state_reason"},
    "identity_providers": {"roles"},
}


@ON_BOTH
def test_every_row_comes_back_and_guards_work_on(world, tmp_path):
    """All tables hold what they held, byte for byte; numbers go on where they were; triggers are all on."""
    with owner_of(world) as owner:
        before, guards = contents(owner), owner.execute(TRIGGERS).fetchall()
    file = tmp_path / "one.backup"
    made = backup(world, file)
    done = restore_backup(world, file, replace=True, reason="a rehearsal")

    with owner_of(world) as owner:
        after = contents(owner)
        assert owner.execute(TRIGGERS).fetchall() == guards
        assert owner.execute("SELECT nextval('access_log_id_seq') > 6").fetchone() == (True,)
    for name, rows in before.items():
        left = TOUCHED.get(name, set())
        told = [
            [{key: row[key] for key in row.keys() - left} for row in some[name]] for some in (before, after)
        ]
        if name in {"access_log", "incident_channels"}:  # one line more says what was done
            assert told[1][: len(told[0])] == told[0] or set(map(str, told[0])) < set(map(str, told[1])), name
            assert len(told[1]) == len(told[0]) + 1
        elif name not in LEFT_OUT:
            assert sorted(map(str, told[1])) == sorted(map(str, told[0])), name
            assert name not in made.tables or len(rows) == made.tables[name].rows
    assert len(after["event_log_2025_12"]) == 1
    assert (done.revision, done.chain, done.hash) == (2, made.chain, made.hash)
    assert done.kept in databases(world)
    with Database.open(world) as database:
        assert verify(database).problems == ()
    assert write(world, '{"a": 1}', scope="profile=after", author="zoe")["revision"] == 3
    noted = [row for row in after["access_log"] if row["event"] == "backup_restored"]
    assert noted[0]["detail"]["hash"] == made.hash
    assert noted[0]["detail"]["reason"] == "a rehearsal"


def test_a_backup_revives_nobody(world, tmp_path):
    """No token, session, login or password of it opens anything; who wrote or decided waits for an admin."""
    file = tmp_path / "one.backup"
    backup(world, file)
    assert b"argon2" not in b"".join(
        zipfile.ZipFile(file).read(one) for one in zipfile.ZipFile(file).namelist()
    )
    done = restore_backup(world, file, replace=True)

    assert done.ended.waiting == ("ada", "bo", "dan", "rob")
    assert sorted(done.ended.credentials) == ["ada", "dan", "rob"]
    assert done.ended.providers == ("https://id.example",)
    assert done.ended.channels == ("https://chat.example/inc/",)
    assert done.ended.changes == ("3", "4")
    assert done.policies == ()
    with owner_of(world) as owner:
        for secret in ("session", "token"):
            holder = owner.execute("SELECT account FROM credential_holder(sha256(%s))", [secret.encode()])
            assert holder.fetchone() == (None,)
        once = owner.execute("SELECT account FROM open_session_once('once', sha256('x'), '')")
        assert once.fetchone() == (None,)
        opened = owner.execute("SELECT account FROM open_session_by_password('cy', 'c', sha256('y'), '')")
        assert opened.fetchone() == (None,), "a viewer's password is void too"
        by_provider = (
            "SELECT account, roles FROM"
            " open_session_by_identity('https://id.example', %s, %s, '{admin,viewer}', NULL, %s, '')"
        )
        assert owner.execute(by_provider, ["1", "eve", b"e" * 32]).fetchone() == ("eve", ["viewer"])
        assert owner.execute("SELECT count(*) FROM approvers()").fetchone() == (0,)
        assert owner.execute("SELECT count(*) FROM open_channels()").fetchone() == (0,)
        assert owner.execute(
            "SELECT DISTINCT state FROM changes WHERE applied_revision IS NULL"
        ).fetchall() == [("suspended",)]
        change = "SELECT apply_change(id, proposal_hash) FROM changes WHERE id = 3"
        with pytest.raises(psycopg.Error, match="is suspended: a backup was brought back"):
            owner.execute(change)
        with pytest.raises(psycopg.Error, match="waits since a backup"):
            owner.execute("SELECT issue_once('dan', sha256('z'), '')")
        owner.execute("SELECT confirm_account('dan', '')")
        owner.execute("SELECT issue_once('dan', sha256('first'), '')")
        first = owner.execute("SELECT account FROM open_session_once('first', sha256('s'), '')")
        assert first.fetchone() == ("dan",)
        with pytest.raises(psycopg.Error, match="has nothing that"):
            owner.execute("SELECT confirm_account('gone', '')")


def test_policies_that_the_replaced_database_had_otherwise_are_listed(home, tmp_path):
    """What was made stricter since the backup, added since, or taken back by it, is told."""
    write(home, '{"a": 1}')
    file = tmp_path / "one.backup"
    backup(home, file)
    with owner_of(home) as owner:
        owner.execute("INSERT INTO policies VALUES ('*', 'policy', 2, false, 60)")
        owner.execute("UPDATE policies SET approvals = 1, solo = false WHERE kind = '*'")
    moved = restore_backup(home, file, replace=True).policies

    told = [(one.kind, one.replaced.approvals, one.restored and one.restored.approvals) for one in moved]
    assert told == [("*", 1, 0), ("policy", 2, None)]


def test_every_table_is_in_a_backup_or_left_out_for_a_reason(home):
    """A table that a later migration adds is in it by itself; one that is left out is one that is there."""
    with Server(home) as server, connect_owner(server.conninfo(owner=True)) as connection:
        held = {table.name for table in tables_of(connection, shipped())}
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        )
        there = {row["relname"] for row in rows}
    assert held | LEFT_OUT.keys() == there
    assert not held & LEFT_OUT.keys()


# --- refused, and nothing has changed


def rewritten(file, edit, *, fitting=True):
    """Write a backup anew with other members; ``fitting`` lets its hashes fit, as a forger would."""
    with zipfile.ZipFile(file) as zipped:
        members = {name: zipped.read(name) for name in zipped.namelist()}
    told = json.loads(members.pop(MANIFEST))
    edit(told, members)
    if fitting:
        for name, facts in told["tables"].items():
            content = members.get(member_of(name), b"")
            facts.update(
                bytes=len(content), rows=content.count(b"\n"), hash=hashlib.sha256(content).hexdigest()
            )
        told.pop("hash", None)
        text = json.dumps(told, sort_keys=True, separators=(",", ":"))
        told["hash"] = hashlib.sha256(text.encode()).hexdigest()
    forged = file.with_name(f"forged-{file.name}")
    with zipfile.ZipFile(forged, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
        zipped.writestr(MANIFEST, json.dumps(told))
    return forged


def replaced_in(table, old, new):
    def edit(_told, members):
        content = members[member_of(table)]
        assert old in content
        members[member_of(table)] = content.replace(old, new)

    return edit


def without(table):
    def edit(told, members):
        del told["tables"][table]
        del members[member_of(table)]

    return edit


def and_table(told, members):
    told["tables"]["pwned"] = {"columns": ["a"], "rows": 0, "bytes": 0, "hash": ""}
    members[member_of("pwned")] = b"1\n"


def and_column(told, members):
    told["tables"]["quotas"]["columns"].append('a"; DROP TABLE policies; --')
    members[member_of("quotas")] = b""


def other_migration(told, _members):
    told["migrations"][2]["checksum"] = "0" * 64


def later_release(told, _members):
    told["migrations"].append({"version": 99, "name": "future", "checksum": "x"})


def said(key, value):
    def edit(told, _members):
        told[key] = value

    return edit


SHIPPED = len(shipped())
FORGED = {
    "bytes of a table": (replaced_in("ftf_config", b"0.10", b"0.11"), False, "rows of ftf_config are not"),
    "the manifest": (said("made_at", "2020-01-01T00:00:00+00:00"), False, "was changed"),
    "the manifest's rows": (lambda told, _: told["tables"]["quotas"].update(rows=99), False, "was changed"),
    "a format of later": (said("format", "setpoint-backup/2"), True, "this release reads setpoint-backup/1"),
    "no manifest to speak of": (said("tables", []), False, "cannot be read"),
    "a missing table": (without("policies"), True, "'policies' is not as"),
    "a missing member": (lambda _, members: members.pop("policies.copy"), True, "differ in 'policies.copy'"),
    "an extra table": (and_table, True, "'pwned' is not as"),
    "an extra member": (lambda _, members: members.update({"x.sql": b""}), True, "differ in 'x.sql'"),
    "another column": (and_column, True, "'quotas' is not as"),
    "another migration": (other_migration, True, "another migration 0003"),
    "a later release": (later_release, True, f"{SHIPPED + 1} migrations, and this release knows {SHIPPED}"),
    "a sequence of another's": (said("sequences", {"x": 1}), True, "sequences are not"),
    "a document, hashes fitting": (replaced_in("ftf_config", b"0.10", b"0.11"), True, "is not what it was"),
    "history, hashes fitting": (
        replaced_in("ftf_config_history", b"\ttest\t", b"\tlies\t"), True, "a recorded column was altered"
    ),
    "another head": (said("revision", 7), True, "names other heads"),
    "text that COPY refuses": (replaced_in("ftf_config", b"global", b"\\."), True, "a row of ftf_config in"),
    "two JSON keys in one": (replaced_in("ftf_config", b"{", b'{"rate": 9, '), True, "do not come back"),
}  # fmt: skip


@pytest.fixture(scope="module")
def kept_backup(module_home, tmp_path_factory):
    """A backup of one revision, made once."""
    with owner_of(module_home, "postgres") as admin:
        admin.execute("CREATE DATABASE setpoint TEMPLATE clean STRATEGY file_copy")
    write(module_home, '{"rate": 0.10}')
    file = tmp_path_factory.mktemp("kept") / "one.backup"
    backup(module_home, file)
    with owner_of(module_home, "postgres") as admin:
        admin.execute("DROP DATABASE setpoint")
    return file


def test_what_was_changed_in_a_backup_is_refused_and_changes_nothing(kept_backup, home):
    """Bytes, manifest, tables, columns, versions and history: each is told, the old database serves on."""
    write(home, '{"precious": 1}', scope="profile=now")
    for name, (edit, fitting, message) in FORGED.items():
        forged = rewritten(kept_backup, edit, fitting=fitting)
        kind = MigrationChanged if name == "another migration" else IntegrityError
        with pytest.raises(kind, match=message):
            restore_backup(home, forged, replace=True)
        assert scopes(home) == ["profile=now"], name
        assert databases(home) == ["setpoint"], name


def test_what_is_no_backup_is_refused(home, kept_backup, tmp_path):
    """An empty file, another one, half of one or none at all is named, before anything is touched."""
    file = tmp_path / "one.backup"
    for content in (None, b"", b"-- SQL", b"PK\x05\x06" + b"\x00" * 18, kept_backup.read_bytes()[:-40]):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(IntegrityError, match=r"one\.backup"):
            restore_backup(home, file, replace=True)
    damaged = bytearray(kept_backup.read_bytes())
    damaged[300] ^= 0xFF
    file.write_bytes(damaged)
    with pytest.raises(IntegrityError, match=r"one\.backup"):
        restore_backup(home, file, replace=True)
    assert databases(home) == ["setpoint"]


def test_nothing_of_a_foreign_dump_is_executed(home, tmp_path):
    """A dump whose restoring runs a program as the superuser is refused, and the program was not run."""
    ran = tmp_path / "ran"
    foreign = tmp_path / "foreign.dump"
    with owner_of(home, "postgres") as admin:
        admin.execute("CREATE DATABASE foreign_one")
    try:
        with owner_of(home, "foreign_one") as owner:
            owner.execute(
                "CREATE FUNCTION public.run(i int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
                f" COPY (SELECT 1) TO PROGRAM 'cat > {ran}'; RETURN true; END $$"
            )
            owner.execute("CREATE TABLE public.t (i int CHECK (public.run(i)))")
            owner.execute("INSERT INTO public.t VALUES (1)")
        assert ran.exists(), "it would run wherever this table is filled"
        ran.unlink()
        with Server(home) as server:
            conninfo = psycopg.conninfo.make_conninfo(server.conninfo(owner=True), dbname="foreign_one")
            dump = client_programs.command(home, "pg_dump", conninfo)
            arguments = [*dump.argv, "--format=custom", f"--file={foreign}"]
            subprocess.run(arguments, env=dump.environ, check=True, timeout=60)
    finally:
        with owner_of(home, "postgres") as admin:
            admin.execute("DROP DATABASE foreign_one")
    with pytest.raises(IntegrityError, match="nothing of it was executed"):
        restore_backup(home, foreign, replace=True)
    assert not ran.exists()


def test_an_anchor_of_before_is_held_against_a_backup(home, kept_backup, tmp_path):
    """History that is sound in itself, and not the one that was anchored, does not serve."""
    with pytest.raises(IntegrityError, match="is not the one that was anchored"):
        restore_backup(home, kept_backup, anchor=Anchor(1, "f" * 64, "then"))
    restore_backup(home, kept_backup)
    with Database.open(home) as database:
        anchor = anchor_of(database)
    restore_backup(home, kept_backup, anchor=anchor, replace=True)
    with pytest.raises(IntegrityError, match="history was cut off"):
        restore_backup(home, kept_backup, anchor=replace(anchor, revision=9), replace=True)


# --- what is there is never lost


def test_restore_refuses_to_replace_what_holds_something(home, kept_backup):
    """Revisions are never overwritten unasked, nor is a database exchanged under its users."""
    write(home, '{"a": 1}', scope="profile=now")
    with pytest.raises(ConflictError, match="1 revisions, 0 runs and 0 accounts") as caught:
        restore_backup(home, kept_backup)
    assert "--replace" in caught.value.hint
    with Server(home) as server, psycopg.connect(server.conninfo()) as other:
        other.execute("SELECT 1")
        with pytest.raises(ConflictError, match="being accessed"):
            restore_backup(home, kept_backup, replace=True)
    assert scopes(home) == ["profile=now"]


def test_replaced_database_is_kept_under_another_name(home, kept_backup):
    """Whoever restored by mistake finds everything under the name that was printed."""
    assert restore_backup(home, kept_backup).kept is None
    write(home, '{"precious": 1}')
    kept = restore_backup(home, kept_backup, replace=True).kept
    with owner_of(home, kept) as owner:
        assert owner.execute("SELECT base_env::text FROM ftf_config").fetchall() == [('{"precious": 1}',)]
    with owner_of(home) as owner:
        assert owner.execute("SELECT base_env::text FROM ftf_config").fetchall() == [('{"rate": 0.10}',)]


RESTORE = """
import sys
from pathlib import Path
from setpoint.change.recovery.restoring import restore_backup
from setpoint.settings import Settings
restore_backup(Settings.from_environ(), Path(sys.argv[1]), replace=True)
"""


def test_a_restore_that_is_killed_leaves_the_old_database_serving(home, kept_backup):
    """By SIGKILL, in the middle: what was there is there, and the next restore clears away what was left."""
    write(home, '{"precious": 1}', scope="profile=now")
    environ = {
        **os.environ,
        "SETPOINT_HOME": str(home.home),
        "SETPOINT_POSTGRES_BIN": home.postgres_bin,
        "SETPOINT_LINGER_S": "2",
    }
    process = subprocess.Popen([sys.executable, "-c", RESTORE, str(kept_backup)], env=environ)
    busy = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'setpoint_restored%'"
    with owner_of(home, "postgres") as admin:
        wait_for(lambda: admin.execute(busy).fetchone()[0], "the middle of a restore", process)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
        assert scopes(home) == ["profile=now"]
        assert len(databases(home)) == 2
        wait_for(lambda: not admin.execute(busy).fetchone()[0], "the end of its sessions")
    kept = restore_backup(home, kept_backup, replace=True).kept
    assert databases(home) == sorted(["setpoint", kept])


# --- files


def test_a_backup_is_one_file_that_takes_no_other_s_place(home, tmp_path):
    """Private from its first byte, named when it is whole, never over another file unless told to."""
    file = tmp_path / "new" / "one.backup"
    made = backup(home, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0
    with zipfile.ZipFile(file) as zipped:
        assert manifest_of(zipped.read(MANIFEST), "it") == made
    file.write_bytes(b"older")
    with pytest.raises(ConflictError, match="is there already"):
        backup(home, file)
    assert file.read_bytes() == b"older"
    backup(home, file, replace=True)
    assert file.read_bytes() != b"older"
    assert list(file.parent.iterdir()) == [file]
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFull, match="cannot be written"):
        backup(home, tmp_path / "file" / "one.backup")


def test_a_full_disk_leaves_no_half_file(home, tmp_path):
    """What does not fit is refused, an older file of the name stays, and nothing else is left."""
    write(home, json.dumps({f"k{n}": os.urandom(512).hex() for n in range(3000)}))
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, 1):
        older = disk / "one.backup"
        older.write_bytes(b"older")
        for replaced in (False, True):
            with pytest.raises(StorageFull, match="cannot be written"):
                backup(home, older if replaced else disk / "two.backup", replace=replaced)
            assert [path.name for path in disk.iterdir() if path.is_file()] == ["one.backup"]
            assert older.read_bytes() == b"older"


# --- a real server


@pytest.fixture
def bare(server, tmp_path):
    """Settings of a database without tables on a real server."""
    server.administer("CREATE DATABASE bare")
    yield Settings(
        home=tmp_path / "home", database_url=server.url("bare"), migrate_url=server.url("bare", owner=True)
    )
    server.administer("DROP DATABASE bare WITH (FORCE)")


def test_real_server_is_restored_while_it_is_empty_and_never_replaced(settings, bare, tmp_path):
    """On a real server a backup goes into an empty database, in one transaction, or nothing does."""
    write(settings, '{"a": 0.10}')
    file = tmp_path / "one.backup"
    made = backup(settings, file)
    with pytest.raises(IntegrityError):
        restore_backup(bare, rewritten(file, FORGED["history, hashes fitting"][0]))
    with psycopg.connect(bare.migrate_url) as owner:
        assert owner.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    done = restore_backup(bare, file)
    assert (done.kept, done.hash, scopes(bare)) == (None, made.hash, ["global"])
    with Database.open(bare) as database:
        assert verify(database).problems == ()
    with pytest.raises(ConflictError, match="restore into a database that holds nothing"):
        restore_backup(bare, file)
    with pytest.raises(UsageError, match="not replaced"):
        restore_backup(bare, file, replace=True)
    assert Path(file).exists()
