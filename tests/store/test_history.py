"""What the database itself guarantees about documents and their history, whoever writes.

The application writes through changes alone. Here its role has been given the right to write documents
directly, as an administrator could, so that what the triggers guarantee is seen without that protection.
"""

import hashlib
import json
import threading

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from setpoint.errors import ConflictError, ForbiddenError, InvalidValue
from setpoint.store import queries
from support.documents import revisions

GENESIS = "0" * 64
DIRECTLY = {
    "insert_document": """
        INSERT INTO ftf_config (scope, base_env) VALUES (%(scope)s, %(text)s::jsonb)
        RETURNING id, scope, base_env::text AS text, hash, revision, updated_by, change_reason, updated_at""",
    "update_document": """
        UPDATE ftf_config SET base_env = %(text)s::jsonb
        WHERE scope = %(scope)s AND revision = %(base_revision)s
        RETURNING id, scope, base_env::text AS text, hash, revision, updated_by, change_reason, updated_at""",
}


@pytest.fixture(autouse=True)
def direct_writes(owner_url, monkeypatch):
    """The application's role may write documents without a change, and there are queries for it."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("GRANT INSERT (scope, base_env), UPDATE (base_env) ON ftf_config TO setpoint_app")
    for name, statement in DIRECTLY.items():
        monkeypatch.setitem(queries.QUERIES, name, statement)


def write(database, text, scope="global", **facts):
    facts = {"author": "ada", "proof": "login", "reason": "because", "source": "test"} | facts
    with database.transaction(**facts) as tx:
        current = tx.fetch_one("read_scope", scope=scope)
        if current is None:
            return tx.fetch_one("insert_document", scope=scope, text=text)
        return tx.fetch_one("update_document", scope=scope, text=text, base_revision=current["revision"])


def write_then_fail(database, query, **params):
    with database.transaction() as tx:
        assert tx.fetch_one(query, **params)
        raise ZeroDivisionError


def history(database):
    return revisions(database)


def assert_chain_holds(database):
    rows = database.fetch_all("verify_history", after=0, limit=10_000)
    previous = GENESIS
    for expected_id, row in enumerate(rows, start=1):
        assert row["id"] == expected_id
        assert row["hash"] == row["computed_hash"]
        assert row["previous_chain"] == previous
        assert row["chain"] == row["computed_chain"]
        previous = row["chain"]
    assert database.fetch_one("read_chain_head") == {"id": len(rows), "chain": previous}
    assert database.fetch_all("verify_documents") == []


def test_write_is_recorded_whole_with_who_why_and_what_changed(database):
    """A document's every write appears in history with author, proof, reason, source, catalogues and diff."""
    write(database, '{"a": 1, "b": 2}')
    catalogue = {"name": "cvntrade", "version": "1", "hash": "ff"}
    now = write(database, '{"a": 1.5, "c": 3}', author="bo", catalogues=[catalogue])
    first, second = history(database)
    assert (first["base_revision"], second["base_revision"]) == (None, first["id"])
    assert [entry["op"] for entry in first["diff"]] == ["add", "add"]
    assert second["diff"] == [
        {"key": "a", "op": "replace", "old": 1, "new": 1.5},
        {"key": "b", "op": "remove", "old": 2},
        {"key": "c", "op": "add", "new": 3},
    ]
    told = ("updated_by", "proof", "change_reason", "source", "db_user", "catalogues")
    assert [second[name] for name in told] == ["bo", "login", "because", "test", "setpoint_app", [catalogue]]
    assert (now["revision"], now["hash"], now["updated_by"]) == (second["id"], second["hash"], "bo")
    assert_chain_holds(database)


def test_hash_is_sha256_of_the_text_the_database_prints(database):
    """Anyone can check a document's hash with sha256sum over its text."""
    row = write(database, '{"rate": 0.10, "größe": 1e2, "b": -0.0}')
    assert "0.10" in row["text"]
    assert row["hash"] == hashlib.sha256(row["text"].encode()).hexdigest()


def test_trailing_zero_is_a_change(database):
    """0.10 instead of 0.1 is another text, another hash, and a line of the diff."""
    write(database, '{"rate": 0.1}')
    write(database, '{"rate": 0.10}')
    assert [entry["key"] for entry in history(database)[-1]["diff"]] == ["rate"]


@pytest.mark.parametrize("login", ["app_url", "owner_url"])
def test_handwritten_update_is_recorded_as_unattributed(database, request, login):
    """An UPDATE typed into psql makes a revision, marked unattributed, with the login that made it."""
    write(database, '{"a": 1}')
    with psycopg.connect(request.getfixturevalue(login)) as psql:
        assert psql.execute("""UPDATE ftf_config SET base_env = '{"a": 2}'""").rowcount == 1
        who = psql.info.user
    row = history(database)[-1]
    facts = ("updated_by", "proof", "db_user", "change_reason", "source", "base_revision")
    expected = ["unattributed", "database-login", who, "(none given)", "sql", 1]
    assert [row[name] for name in facts] == expected
    assert_chain_holds(database)


def test_author_of_one_transaction_does_not_leak_into_the_next(database):
    """A pooled session forgets the author when its transaction ends."""
    write(database, '{"a": 1}', author="ada")
    with database.transaction() as tx:
        tx.fetch_one("update_document", scope="global", text="{}", base_revision=1)
    assert history(database)[-1]["updated_by"] == "unattributed"


def test_stale_base_changes_nothing(database):
    """An update over a revision that is no longer the newest touches no row and leaves no history."""
    write(database, '{"a": 1}')
    write(database, '{"a": 2}')
    assert database.execute("update_document", scope="global", text="{}", base_revision=1) == 0
    assert len(history(database)) == 2


def test_rolled_back_write_leaves_no_gap(database):
    """A transaction that fails after its write takes its revision number back with it."""
    write(database, '{"a": 1}')
    with pytest.raises(ZeroDivisionError):
        write_then_fail(database, "update_document", scope="global", text='{"a": 9}', base_revision=1)
    assert write(database, '{"a": 2}')["revision"] == 2
    assert_chain_holds(database)


def test_one_statement_over_many_rows_records_each(database, app_url):
    """A bulk UPDATE makes one revision for each document it touches, without gap or fork."""
    scopes = ["global", "symbol=BTCUSDC", "profile=demo"]
    for scope in scopes:
        write(database, '{"a": 1}', scope=scope)
    with psycopg.connect(app_url) as psql:
        assert psql.execute("""UPDATE ftf_config SET base_env = base_env || '{"b": 2}'""").rowcount == 3
    assert sorted(row["scope"] for row in history(database)[-3:]) == sorted(scopes)
    assert_chain_holds(database)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ftf_config (scope, base_env) VALUES ('global', '{}')",
        "INSERT INTO ftf_config (scope, base_env) VALUES ('global', '{}') ON CONFLICT DO NOTHING",
        (
            "INSERT INTO ftf_config (scope, base_env) VALUES ('global', '{}')"
            " ON CONFLICT (scope) DO UPDATE SET base_env = EXCLUDED.base_env"
        ),
    ],
)
def test_second_insert_of_a_scope_is_refused_before_history(database, app_url, statement):
    """INSERT of a scope that has a document fails, also with ON CONFLICT, and history shows nothing."""
    write(database, '{"a": 1}')
    with psycopg.connect(app_url) as psql, pytest.raises(psycopg.errors.UniqueViolation):
        psql.execute(statement)
    assert len(history(database)) == 1
    assert_chain_holds(database)


def test_update_in_a_common_table_expression_is_recorded(database, app_url):
    """The statement shape that once wrote documents without history writes exactly one revision here."""
    write(database, '{"a": 1}')
    with psycopg.connect(app_url) as psql:
        done = psql.execute("""
            WITH o AS (SELECT scope FROM ftf_config WHERE scope = 'global' FOR UPDATE),
                 n AS (UPDATE ftf_config f SET base_env = '{"a": 2}' FROM o WHERE f.scope = o.scope
                       RETURNING f.scope)
            SELECT * FROM n""")
        assert done.rowcount == 1
    assert len(history(database)) == 2
    assert_chain_holds(database)


REFUSED_TO_ALL = [
    "DELETE FROM ftf_config",
    "DELETE FROM ftf_config WHERE false",
    "TRUNCATE ftf_config",
    "UPDATE ftf_config_history SET updated_by = 'nobody'",
    "DELETE FROM ftf_config_history",
    "TRUNCATE ftf_config_history",
    "TRUNCATE ftf_config, ftf_config_history",
]
REFUSED_TO_APP = [
    "INSERT INTO ftf_config_history SELECT * FROM ftf_config_history",
    "UPDATE chain_head SET id = 7",
    "DELETE FROM chain_head",
    "UPDATE ftf_config SET hash = 'x'",
    "UPDATE ftf_config SET revision = 7",
    "UPDATE ftf_config SET updated_by = 'bo'",
    "UPDATE ftf_config SET scope = 'symbol=X'",
    "INSERT INTO ftf_config (id, scope, base_env) VALUES (9, 'x=y', '{}')",
    "ALTER TABLE ftf_config DISABLE TRIGGER ALL",
    "DROP TABLE ftf_config_history",
    "CREATE TABLE public.mine (i int)",
    "CREATE OR REPLACE FUNCTION document_hash(document text) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
    "SET session_replication_role = replica",
    "UPDATE schema_migrations SET checksum = 'x'",
    "UPDATE finetune_results SET f1_buy_val = 1",
    "DELETE FROM finetune_runs",
    "UPDATE finetune_runs SET snapshot_hash = 'x'",
    "UPDATE snapshots SET text = 'x'",
    "UPDATE catalogues SET text = 'x'",
]


@pytest.mark.parametrize("statement", REFUSED_TO_ALL + REFUSED_TO_APP)
def test_application_cannot_change_what_was_recorded(database, app_url, statement):
    """The application's role is refused whatever would alter or remove what was recorded."""
    write(database, '{"a": 1}')
    with psycopg.connect(app_url) as psql, pytest.raises(psycopg.errors.InsufficientPrivilege):
        psql.execute(statement)
    assert_chain_holds(database)


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("statement", REFUSED_TO_ALL)
def test_owner_is_stopped_by_triggers_also_as_replica(database, owner_url, statement, role):
    """Even the owner's DELETE, TRUNCATE and UPDATE meet a trigger that says why, in any replication role."""
    write(database, '{"a": 1}')
    with psycopg.connect(owner_url) as psql:
        psql.execute(f"SET session_replication_role = {role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is refused"):
            psql.execute(statement)
    assert len(history(database)) == 1


def test_replica_role_cannot_write_unrecorded(database, owner_url):
    """The triggers that write history fire for a session that pretends to replicate, too."""
    write(database, '{"a": 1}')
    with psycopg.connect(owner_url) as psql:
        psql.execute("SET session_replication_role = replica")
        assert psql.execute("""UPDATE ftf_config SET base_env = '{"a": 2}'""").rowcount == 1
    assert len(history(database)) == 2
    assert_chain_holds(database)


@pytest.mark.parametrize(
    "statement", ["UPDATE ftf_config SET scope = 'symbol=X'", "UPDATE ftf_config SET id = 7"]
)
def test_identity_of_a_document_never_changes(database, owner_url, statement):
    """Renaming a scope would tear its history in two, so nobody can."""
    write(database, '{"a": 1}', scope="symbol=BTCUSDC")
    with psycopg.connect(owner_url) as psql, pytest.raises(psycopg.errors.InsufficientPrivilege):
        psql.execute(statement)


def test_temporary_table_cannot_shadow_history(database, app_url):
    """A session that hides the real tables behind temporary ones still writes real history."""
    write(database, '{"a": 1}')
    with psycopg.connect(app_url) as psql:
        psql.execute("CREATE TEMP TABLE ftf_config_history (LIKE public.ftf_config_history)")
        psql.execute("CREATE TEMP TABLE chain_head (LIKE public.chain_head)")
        assert psql.execute("""UPDATE ftf_config SET base_env = '{"a": 2}'""").rowcount == 1
    assert len(history(database)) == 2
    assert_chain_holds(database)


@pytest.mark.parametrize("document", ["[]", "1", '"text"', "null"])
def test_document_is_an_object(database, document):
    """Any other JSON is refused, and nothing is recorded."""
    with pytest.raises(InvalidValue):
        write(database, document)
    assert history(database) == []


def test_refusals_are_ours_by_name(database, monkeypatch):
    """What the database refuses arrives as an error of our tree, in the database's own words."""
    write(database, '{"a": 1}')
    with pytest.raises(ConflictError, match="global"):
        database.fetch_one("insert_document", scope="global", text="{}")
    with pytest.raises(InvalidValue, match="json"):
        database.execute("update_document", scope="global", text="{not json", base_revision=1)
    monkeypatch.setitem(queries.QUERIES, "forget", "DELETE FROM ftf_config_history")
    with pytest.raises(ForbiddenError, match="permission denied"):
        database.execute("forget")


def test_tampering_by_a_superuser_is_found(database, owner_url):
    """Whoever can disable the triggers can change history, and the chain tells which revision."""
    for number in range(4):
        write(database, json.dumps({"a": number}))
    with psycopg.connect(owner_url) as psql:
        psql.execute("ALTER TABLE ftf_config_history DISABLE TRIGGER append_only")
        psql.execute("UPDATE ftf_config_history SET updated_by = 'mallory' WHERE id = 2")
        psql.execute("""UPDATE ftf_config_history SET base_env = '{"a": 7}' WHERE id = 3""")
    rows = database.fetch_all("verify_history", after=0, limit=10)
    assert [row["id"] for row in rows if row["chain"] != row["computed_chain"]] == [2]
    assert [row["id"] for row in rows if row["hash"] != row["computed_hash"]] == [3]


def test_document_changed_behind_its_history_is_found(database, owner_url):
    """A document that was changed while the triggers were off disagrees with its newest revision."""
    write(database, '{"a": 1}')
    with psycopg.connect(owner_url) as psql:
        psql.execute("ALTER TABLE ftf_config DISABLE TRIGGER ALL")
        psql.execute("""UPDATE ftf_config SET base_env = '{"a": 2}'""")
    assert [row["scope"] for row in database.fetch_all("verify_documents")] == ["global"]


def test_concurrent_writers_make_one_chain(database):
    """Writers of several scopes at once lose nothing, leave no gap and do not deadlock."""
    scopes, rounds, failures = ["global", "symbol=BTCUSDC", "symbol=ETHUSDC"], 8, []
    for scope in scopes:
        write(database, '{"n": 0}', scope=scope)

    def add_one(scope):
        try:
            for _ in range(rounds):
                while write_plus_one(database, scope) is None:
                    pass
        except Exception as problem:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(problem)

    threads = [threading.Thread(target=add_one, args=[scope]) for scope in scopes * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(history(database)) == len(scopes) + len(threads) * rounds
    assert [json.loads(row["text"])["n"] for row in database.fetch_all("read_scopes")] == [2 * rounds] * 3
    assert_chain_holds(database)


def write_plus_one(database, scope):
    with database.transaction(author="ada") as tx:
        now = tx.fetch_one("read_scope", scope=scope)
        text = json.dumps({"n": json.loads(now["text"])["n"] + 1})
        return tx.fetch_one("update_document", scope=scope, text=text, base_revision=now["revision"])


def test_listener_is_told_of_a_committed_revision(database, app_url):
    """A change notifies setpoint_revision with its id and scope when, and only when, it commits."""
    with psycopg.connect(app_url, autocommit=True) as listener:
        listener.execute("LISTEN setpoint_revision")
        with pytest.raises(ZeroDivisionError):
            write_then_fail(database, "insert_document", scope="profile=demo", text="{}")
        write(database, '{"a": 1}')
        [told] = listener.notifies(timeout=60, stop_after=1)
    assert json.loads(told.payload) == {"id": 1, "scope": "global"}


def test_layers_merge_in_the_order_asked_and_keep_their_text(database):
    """Later scopes win, numbers keep their spelling, and the hash is of the merged text."""
    write(database, '{"a": 0.10, "b": 1}')
    write(database, '{"b": 2.50}', scope="symbol=X")
    write(database, '{"b": 3, "c": 4}', scope="profile=demo")
    asked = [["global", "profile=demo", "absent=1", "symbol=X"]]
    merged = database.fetch_one("resolve_snapshots", contexts=asked, change=None)
    assert merged["text"] == '{"a": 0.10, "b": 2.50, "c": 4}'
    assert merged["hash"] == hashlib.sha256(merged["text"].encode()).hexdigest()
    assert [layer["scope"] for layer in merged["layers"]] == ["global", "profile=demo", "symbol=X"]
    assert [layer["keys"] for layer in merged["layers"]] == [{"b": 1}, {"b": 3, "c": 4}, {"b": 2.5}]
    assert merged["head"] == 3
    assert database.fetch_one("resolve_snapshots", contexts=[["absent=1"]], change=None) is None


keys = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
values = (
    st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | keys
)


@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.dictionaries(keys, values, max_size=6))
def test_any_document_is_hashed_and_chained(database, document):
    """Whatever a document holds, its hash is of its text, its values survive, its chain verifies."""
    row = write(database, json.dumps(document))
    assert row["hash"] == hashlib.sha256(row["text"].encode()).hexdigest()
    stored = json.loads(row["text"])
    # jsonb turns 1e20 into an integer; coerced to its declared type, every bit is there again.
    assert {key: type(document[key])(value) for key, value in stored.items()} == document
    [checked] = database.fetch_all("verify_history", after=row["revision"] - 1, limit=10)
    assert checked["chain"] == checked["computed_chain"]
