"""Migrations: once each, in order, all or nothing, and never another text than the applied one."""

import threading

import psycopg
import pytest

from setpoint.errors import DatabaseUnavailable, ForbiddenError, MigrationChanged, SetpointError
from setpoint.settings import Settings
from setpoint.store.connections import connect_owner
from setpoint.store.database import Database
from setpoint.store.schema import FILE_NAME, Migration, migrate, pending, shipped


@pytest.fixture
def empty_url(server):
    """The owner's URL of a database without any table."""
    server.administer("CREATE DATABASE empty")
    yield server.url("empty", owner=True)
    server.administer("DROP DATABASE empty WITH (FORCE)")


def ledger(url):
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT version, name FROM schema_migrations ORDER BY version").fetchall()


def test_shipped_migrations_are_numbered_without_gap():
    """Each file is named NNNN_what.sql and the numbers run from 1."""
    migrations = shipped()
    assert [migration.version for migration in migrations] == list(range(1, len(migrations) + 1))
    assert all(FILE_NAME.fullmatch(f"{each.version:04}_{each.name}.sql") for each in migrations)


def test_empty_database_gets_every_migration_once(empty_url):
    """The first call applies all and says which, the second has nothing to do."""
    assert migrate(empty_url) == shipped()
    assert migrate(empty_url) == []
    assert ledger(empty_url) == [(each.version, each.name) for each in shipped()]


def test_two_migrators_at_once_apply_each_migration_once(empty_url):
    """Migrators that start together share the work without error."""
    applied, failures, barrier = [], [], threading.Barrier(4)

    def run():
        barrier.wait(60)
        try:
            applied.extend(migrate(empty_url))
        except SetpointError as problem:
            failures.append(problem)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sorted(applied) == shipped()


def test_failing_migration_leaves_the_database_at_the_one_before(empty_url):
    """A migration that fails half-way is rolled back with its ledger row; the ones before stay."""
    good = Migration(1, "good", "CREATE TABLE one (i int)")
    bad = Migration(2, "bad", "CREATE TABLE two (i int); SELECT 1 / 0")
    with pytest.raises(SetpointError, match="division by zero"):
        migrate(empty_url, [good, bad])
    assert ledger(empty_url) == [(1, "good")]
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT to_regclass('two')").fetchone() == (None,)
    repaired = Migration(2, "repaired", "CREATE TABLE two (i int)")
    assert migrate(empty_url, [good, repaired]) == [repaired]


def test_changed_migration_is_refused_by_name(owner_url):
    """A database whose applied migration has another text here is not touched."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1")
    with pytest.raises(MigrationChanged, match="0001_documents"):
        migrate(owner_url)


def test_changed_migration_stops_the_application_too(owner_url, settings):
    """Opening such a database fails the same way."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'other' WHERE version = 2")
    with pytest.raises(MigrationChanged, match="0002_history"):
        Database.open(settings)


def test_database_of_a_newer_release_is_refused(owner_url, settings):
    """A migration this release does not know says: upgrade."""
    with psycopg.connect(owner_url) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9999, 'future', 'x')")
    for use in (lambda: migrate(owner_url), lambda: Database.open(settings)):
        with pytest.raises(DatabaseUnavailable, match="9999") as caught:
            use()
        assert caught.value.hint == "upgrade setpoint"


def test_unmigrated_real_server_names_the_command(server, empty_url):
    """On a real server nothing is migrated unasked; the error says what to run."""
    settings = Settings(home=server.settings.home, database_url=server.url("empty"), migrate_url=empty_url)
    with pytest.raises(DatabaseUnavailable, match="lacks") as caught:
        Database.open(settings)
    assert "setpoint db migrate" in caught.value.hint
    migrate(empty_url)
    Database.open(settings).close()


def test_role_that_may_not_create_tables_is_told_so(server, empty_url):
    """Migrating as a role without rights changes nothing and is forbidden, not a crash."""
    with pytest.raises(ForbiddenError, match="permission denied"):
        migrate(server.url("empty"))
    with connect_owner(empty_url) as connection:
        assert pending(connection) == shipped()


def test_missing_role_that_may_not_be_created_comes_with_the_sql(server, empty_url, monkeypatch):
    """Where the login may not create roles, the error carries the statement for an administrator."""
    from setpoint.store import schema as module

    monkeypatch.setattr(module, "APP", "setpoint_absent")
    with pytest.raises(ForbiddenError, match="setpoint_absent") as caught:
        migrate(server.url("empty"))
    assert "CREATE ROLE setpoint_absent NOLOGIN; GRANT setpoint_absent TO setpoint_app" in caught.value.hint


def test_missing_role_is_created_without_login(server, empty_url, monkeypatch):
    """Where the login may create roles, the application's role appears and cannot log in."""
    from setpoint.store import schema as module

    monkeypatch.setattr(module, "APP", "setpoint_other")
    try:
        migrate(empty_url, [])
        with psycopg.connect(empty_url) as connection:
            query = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'setpoint_other'"
            assert connection.execute(query).fetchone() == (False,)
    finally:
        server.administer("DROP ROLE setpoint_other")


#: Triggers and the doors of the application: whatever else runs, runs with its caller's rights.
DEFINERS = {
    "attach_checks",
    "lacking_checks",
    "repeat_check",
    "count_attempt",
    "register_run",
    "why_not_counted",
    "tell_approvers",
    "tell_author",
    "tell_of_approval",
    "tell_deadlines",
    "route_notifications",
    "claim_deliveries",
    "note_delivery",
    "retry_delivery",
    "forget_notifications",
    "count_events",
    "count_revision",
    "set_baseline",
    "run_not_counted",
    "note_seeding",
    "start_stage",
    "skip_shadow",
    "note_shadow",
    "canary_checks",
    "is_overridden",
    "wanting_of",
    "override_canary",
    "act_on_canary",
    "preapprove_restore",
    "file_rollback",
    "is_carried",
    "is_rollback",
    "note_rollback",
    "declare_channel",
    "claim_posting",
    "decide_checkpoint",
    "release_posting",
    "require_decider",
    "judge_checkpoint",
    "log_checkpoint",
    "note_readings",
    "note_proofs",
    "refuse_parked",
    "declare_freeze",
    "end_freeze",
    "break_freeze",
    "judge_ordinary_write",
    "note_probe",
    "record_revision",
    "queue_writers",
    "open_change",
    "amend_change",
    "propose_change",
    "decide_change",
    "withdraw_change",
    "apply_change",
    "open_and_apply_change",
    "forget_answers",
    "keep_declaration",
    "keep_read_set",
    "note_layers",
    "forget_credentials",
    "keep_snapshot",
    "note_holder",
    "permit_answer",
    "permit_events",
    "permit_report",
    "permit_run",
    "may_report",
    "prune_holders",
    "suspend_change",
    "break_glass_restore",
    "break_glass_set",
    "file_post_mortem",
    "record_drill",
    "prove_rollback",
    "take_rollback",
    "record_validation",
    "require_reach",
    "accounts_seen",
    "approvers",
    "may_approve",
    "change_account",
    "close_session",
    "contradictions",
    "contradictions_of_months",
    "rows_in_rest",
    "confirm_account",
    "counts_for",
    "is_disabled",
    "left_without_approval",
    "create_account",
    "credential_ends",
    "credential_holder",
    "issue_once",
    "issue_token",
    "keep_password_anew",
    "link_identity",
    "login_facts",
    "open_session_by_identity",
    "open_session_by_password",
    "open_session_once",
    "admins",
    "ask_approvers",
    "end_other_sessions",
    "end_session",
    "keep_form",
    "kept_form",
    "prove_by_identity",
    "prove_by_password",
    "prove_by_passkey",
    "start_passkey",
    "take_challenge",
    "open_session_by_passkey",
    "keep_passkey",
    "remove_passkey",
    "passkeys_seen",
    "sessions_seen",
    "own_password",
    "revoke_token",
    "set_password",
    "speaker",
    "rotate_token",
    "tokens_ending",
    "tokens_seen",
    "touch_credential",
    "note_shares",
    "make_months",
    "try_writing",
}


def test_definer_functions_have_a_fixed_search_path(owner_url):
    """No function that runs with its owner's rights can be led astray by a caller's search path."""
    with psycopg.connect(owner_url) as connection:
        rows = connection.execute("""
            SELECT proname, proconfig FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND prosecdef""").fetchall()
    assert {name for name, _ in rows} == DEFINERS
    assert {config[0] for _, config in rows} == {"search_path=pg_catalog, public, pg_temp"}


def test_every_trigger_is_always_enabled(owner_url):
    """No trigger of ours is off for a session in the replica role."""
    with psycopg.connect(owner_url) as connection:
        states = connection.execute(
            "SELECT tgenabled::text FROM pg_trigger WHERE NOT tgisinternal"
        ).fetchall()
    assert len(states) > 20
    assert set(states) == {("A",)}


SEEN_BY_NOBODY = ("", " ", "\n\t", "\u00a0", "\u200b", "\u2003\u200d", "\u3164\u2800", "\U000e0041")


def test_what_people_say_holds_a_character_that_somebody_sees(owner_url):
    """A reason of blanks is none, whatever they are made of: one function judges it.

    A column that must be filled and is called reason or words has that function in a constraint. What people
    say in columns of other names, such as the decision on a checkpoint, is not judged by it.
    """
    with psycopg.connect(owner_url) as owner:
        judged = owner.execute(
            "SELECT words, public.says_something(words) FROM unnest(%s::text[]) AS words",
            ([*SEEN_BY_NOBODY, "x", "\u7406\u7531", "\u200b why \u200b"],),
        ).fetchall()
        columns = owner.execute(
            """SELECT a.attrelid::regclass::text, a.attname::text, EXISTS (
                   SELECT FROM pg_constraint AS c WHERE c.conrelid = a.attrelid AND a.attnum = ANY (c.conkey)
                   AND pg_get_constraintdef(c.oid) LIKE '%says_something(' || a.attname || ')%')
               FROM pg_attribute AS a JOIN pg_class AS t ON t.oid = a.attrelid
               WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p')
               AND NOT t.relispartition AND a.attnotnull AND a.attname IN ('reason', 'words')"""
        ).fetchall()
    assert [words for words, said in judged if not said] == list(SEEN_BY_NOBODY)
    assert len(columns) > 7
    assert [column[:2] for column in columns if not column[2]] == []
