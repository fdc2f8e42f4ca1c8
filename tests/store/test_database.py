"""Named queries in transactions: over threads, over lost servers, and with the driver's errors translated."""

import json
import os
import signal
import threading
from contextlib import suppress
from hashlib import sha256

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from setpoint.errors import (
    ConflictError,
    DatabaseUnavailable,
    InvalidValue,
    MissingError,
    SetpointError,
    StorageFull,
    UsageError,
)
from setpoint.settings import Settings
from setpoint.store import connections, operations, queries
from setpoint.store import database as module
from setpoint.store.database import Database
from setpoint.store.driver_errors import translate
from support.documents import write_document
from support.waiting import wait_for


def add_query(monkeypatch, statement, name="probe"):
    monkeypatch.setitem(queries.QUERIES, name, statement)
    return name


def test_transaction_commits_as_one(database):
    """Either everything in the block is there afterwards, or nothing."""
    with database.transaction(author="ada") as tx:
        write_document(tx, '{"a": 1}')
        write_document(tx, '{"a": 1}', "profile=demo")
    assert len(database.fetch_all("read_scopes")) == 2
    with pytest.raises(InvalidValue):
        insert_good_then_bad(database)
    assert len(database.fetch_all("read_scopes")) == 2


def insert_good_then_bad(database):
    with database.transaction() as tx:
        write_document(tx, '{"a": 1}', "symbol=A")
        write_document(tx, "[]", "symbol=B")


def test_absent_row_is_none_and_many_rows_are_an_error(database, monkeypatch):
    """fetch_one never chooses among rows."""
    assert database.fetch_one("read_scope", scope="nowhere") is None
    with pytest.raises(SetpointError, match="2 rows"):
        database.fetch_one(add_query(monkeypatch, "SELECT generate_series(1, 2)"))


def test_unknown_query_is_a_usage_error(database):
    """SQL that is not in a file is refused."""
    with pytest.raises(UsageError, match="no query is named"):
        database.fetch_all("SELECT 1")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}])
def test_what_is_no_json_is_refused_before_it_is_sent(database, monkeypatch, value):
    """NaN and infinity have no JSON form, so they cannot be stored as one."""
    probe = add_query(monkeypatch, "SELECT %(value)s::jsonb AS it")
    with pytest.raises(InvalidValue, match="JSON"):
        database.fetch_one(probe, value={"a": value})
    assert database.fetch_one(probe, value={"a": [0.1, "ü"]}) == {"it": {"a": [0.1, "ü"]}}


def test_parameters_are_bound_not_pasted(database):
    """A value that looks like SQL stays a value."""
    hostile = "x'); DELETE FROM catalogues; -- %s {}"
    row = {"hash": sha256(hostile.encode()).hexdigest(), "name": "n", "version": "1", "text": hostile}
    assert database.execute("register_catalogue", **row) == 1
    assert database.execute("register_catalogue", **row) == 0
    [held] = database.fetch_all("export_catalogues")
    assert held["text"] == hostile


def test_execute_many_counts_what_it_touched(database):
    """A bulk insert says how many rows were new."""
    texts = [str(n % 3) for n in range(5)]
    rows = [
        {"hash": sha256(text.encode()).hexdigest(), "name": "n", "version": "1", "text": text}
        for text in texts
    ]
    assert database.execute_many("register_catalogue", rows) == 3
    assert database.execute_many("register_catalogue", []) == 0


def test_session_acts_as_the_application_whoever_logged_in(server, clone, owner_url, monkeypatch):
    """Even the owner's login works as setpoint_app, in UTC, and cannot alter a table."""
    settings = Settings(home=server.settings.home, database_url=owner_url)
    with Database.open(settings) as database:
        who = "SELECT current_user || ' ' || session_user || ' ' || current_setting('TimeZone') AS it"
        row = database.fetch_one(add_query(monkeypatch, who))
        assert row == {"it": "setpoint_app setpoint_owner UTC"}
        with pytest.raises(SetpointError, match="must be owner"):
            database.execute(add_query(monkeypatch, "DROP TABLE ftf_config"))


def test_many_threads_share_the_sessions(database):
    """More threads than sessions all get their turn."""
    seen, threads = [], []

    def read():
        seen.extend(database.fetch_all("read_chain_head") for _ in range(5))

    threads = [threading.Thread(target=read) for _ in range(2 * module.POOL_SIZE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 5 * len(threads)
    assert len(database._idle) <= module.POOL_SIZE


def test_busy_sessions_are_a_clear_error(database, monkeypatch):
    """When every session is busy for too long, the caller is told instead of waiting forever."""
    monkeypatch.setattr(module, "POOL_TIMEOUT_S", 0.01)
    for _ in range(module.POOL_SIZE):
        database._slots.acquire()
    with pytest.raises(DatabaseUnavailable, match="busy"):
        database.fetch_all("read_scopes")


def test_closed_database_says_so(settings):
    """A closed object does not open sessions again."""
    database = Database.open(settings)
    database.close()
    database.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        database.fetch_all("read_scopes")


def test_session_lost_while_idle_is_replaced_unseen(database, server):
    """A session the server ended between two transactions costs the caller nothing."""
    write_document(database, '{"a": 1}')
    server.administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'setpoint_app'")
    assert len(database.fetch_all("read_scopes")) == 1


def test_session_lost_within_a_transaction_is_unavailable_and_the_next_one_works(database, server):
    """A lost transaction is never silently repeated; the next one starts afresh."""
    with pytest.raises(DatabaseUnavailable) as caught:
        lose_the_session(database, server)
    assert "setpoint db status" in caught.value.hint
    assert database.fetch_all("read_scopes") == []


def lose_the_session(database, server):
    with database.transaction() as tx:
        write_document(tx, '{"a": 1}')
        server.administer(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'setpoint_app'"
        )
        tx.fetch_all("read_scopes")


def test_killed_embedded_server_is_restarted_by_the_next_transaction(tmp_path):
    """Kill -9 of PostgreSQL under an open Database: one error at most, committed rows survive."""
    settings = Settings(home=tmp_path, linger_s=0.3)
    with Database.open(settings) as database:
        write_document(database, '{"a": 1}')
        killed = database._server._attachment.listening.postmaster_pid
        os.kill(killed, signal.SIGKILL)

        def look():
            # A backend may outlive its postmaster a while, and answer.
            with suppress(DatabaseUnavailable):
                rows = database.fetch_all("read_scopes")
                return database._server._attachment.listening.postmaster_pid != killed and rows

        assert [row["text"] for row in wait_for(look, "the next server")] == ['{"a": 1}']
        assert write_document(database, '{"a": 1}', "profile=demo")["revision"] == 2


def test_embedded_database_migrates_itself_on_first_use(tmp_path):
    """The first open of a fresh home ends with every table, as the role that owns nothing."""
    with Database.open(Settings(home=tmp_path, linger_s=0.3)) as database:
        assert database.fetch_one("read_chain_head") == {"id": 0, "chain": "0" * 64}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://nobody@127.0.0.1:1/x", "refused"),
        ("postgresql://nobody@/x?host=/nowhere", "No such file"),
    ],
)
def test_unreachable_server_is_unavailable_with_a_next_step(tmp_path, url, said):
    """A server that is not there is said as such, with the driver's words and the command that says more."""
    with pytest.raises(DatabaseUnavailable, match=said) as caught:
        Database.open(Settings(home=tmp_path, database_url=url))
    assert "setpoint db status" in caught.value.hint
    assert "?" not in caught.value.message
    assert "\t" not in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@h/x?bogus=1",
        "postgresql://u:hunt@secret@127.0.0.1:1/x",
        "postgresql://u:hunt/secret@127.0.0.1:1/x",
        "postgres://u:secret/hunt@127.0.0.1/x",
        "postgresql://u:secret/x",
        "postgresql://u:hu?n@secret@127.0.0.1/x",
        "postgresql://u:p%secret@127.0.0.1:1/x",
        "host=127.0.0.1 port=1 password=hunt secret",
        "host=127.0.0.1 port=secret password=hunt",
    ],
)
def test_unreadable_url_is_not_repeated(tmp_path, url):
    """A URL that can be read in two ways may hold a password anywhere: it is refused, and never printed."""
    for asked in (Database.open, operations.status, operations.migrate_database):
        with pytest.raises(UsageError) as caught:
            asked(Settings(home=tmp_path, database_url=url))
        assert "secret" not in f"{caught.value}{caught.value.__cause__}"
        assert "%25" in caught.value.hint
        assert "%40" in caught.value.hint


def test_an_escaped_password_is_read_whole(tmp_path):
    """What stands escaped in a URL is the password and nothing else; several hosts may be named."""
    held = conninfo_to_dict(connections.readable("postgresql://u:hunt%40s%2Fe%25@a:1,b:2/x"))
    assert (held["password"], held["host"], held["port"], held["dbname"]) == ("hunt@s/e%", "a,b", "1,2", "x")
    assert "s/e" not in connections.without_password("postgresql://u:hunt%40s%2Fe%25@a:1,b:2/x")
    assert conninfo_to_dict(connections.readable("postgresql://u@/x?host=/run/pg"))["host"] == "/run/pg"


def test_server_older_than_supported_is_refused(settings, monkeypatch):
    """The error names the version found and the one expected."""
    monkeypatch.setattr(connections, "OLDEST_SERVER", 990000)
    with pytest.raises(DatabaseUnavailable, match="15 or newer"):
        Database.open(settings)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("53100", StorageFull),
        ("40001", ConflictError),
        ("40P01", ConflictError),
        ("53300", DatabaseUnavailable),
    ],
)
def test_servers_troubles_are_told_apart(database, monkeypatch, code, expected):
    """A full disk, a lost race and a server without room are three different errors."""
    block = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '" + code + "', MESSAGE = 'trouble'; END $$"
    with pytest.raises(expected, match="trouble"):
        database.execute(add_query(monkeypatch, block))


def test_row_held_by_a_forgotten_session_is_a_conflict(database, owner_url, monkeypatch):
    """A transaction left open in psql makes writers fail in bounded time, not hang."""
    write_document(database, '{"a": 1}')
    add_query(monkeypatch, "SELECT set_config('lock_timeout', '50ms', true)", "hurry")
    with psycopg.connect(owner_url) as forgotten:
        forgotten.execute("SELECT FROM chain_head FOR UPDATE")
        with pytest.raises(ConflictError, match="lock timeout"):
            update_in_a_hurry(database)


def update_in_a_hurry(database):
    with database.transaction() as tx:
        tx.fetch_all("hurry")
        write_document(tx, '{"a": 2}')


def all_driver_errors():
    found = [psycopg.Error]
    for kind in found:
        found.extend(kind.__subclasses__())
    return sorted(set(found), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", all_driver_errors(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_driver_has_a_counterpart(kind):
    """Whatever the driver raises, the caller gets an error of our tree with a message."""
    error = translate(kind("said"))
    assert isinstance(error, SetpointError)
    assert "said" in error.message


def test_driver_is_imported_by_this_room_only():
    """No other room knows which driver there is."""
    from pathlib import Path

    import setpoint

    package = Path(setpoint.__file__).parent
    users = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if "import psycopg" in path.read_text() or "from psycopg" in path.read_text()
    }
    assert users == {"store"}


RUN = {
    "id": "r1",
    "context": {"symbol": "BTCUSDC"},
    "layers": [],
    "catalogues": [],
    "versions": {"xgboost": "3.2"},
    "git_commit": "",
    "data_hash": "d",
    "data_label": "synthetic",
    "seed": 2**40,
    "processes": 1,
    "threads": 2,
    "universe": "defi_top5",
    "n_units": 2,
    "plan": {},
    "started_by": "unattributed",
    "host": "h",
}
UNIT = {"run_id": "r1", "symbol": "BTCUSDC", "model": "xgb", "timeframe": "5m", "variant": "v", "fold": 0}
SCORES = dict.fromkeys(["f1_buy_val", "f1_buy_test", "always_buy_f1_val", "always_buy_f1_test"], 0.41)
COUNTS = {"n_train": 1, "n_val": 1, "n_test": 1, "n_trees_used": 10, "best_iteration": None}
RESULT = (
    UNIT
    | SCORES
    | COUNTS
    | {
        "trial_id": 3,
        "model_hyperparams": {"max_depth": 7},
        "effective_params": {"max_depth": 7},
        "findings": [],
        "importance": {},
        "importance_by": "nobody",
        "worker": "h:1",
        "worker_time_sec": 2.5,
        "feature_hash": "f",
        "model_hash": "m",
        "seed": 1,
        "stopped_early": False,
        "threshold": 0.5,
        "training_time_sec": 1.5,
        "metrics": {"auc": 0.5},
    }
)
TRIAL = UNIT | {
    "trial": 3,
    "params": {"max_depth": 7},
    "value": None,
    "state": "pruned",
    "n_trees_used": None,
    "findings": [],
    "violations": [],
}


@pytest.fixture
def run(database):
    """A run with its snapshot, as the parameters of insert_run."""
    text = json.dumps({"CVN_HPO_XGB_5M_MAX_DEPTH": 7})
    hash_ = sha256(text.encode()).hexdigest()
    assert database.execute("insert_snapshot", hash=hash_, text=text) == 1
    set_hash = sha256(b"[]").hexdigest()
    assert database.execute("insert_snapshot_set", hash=set_hash, text="[]") == 1
    row = RUN | {"snapshot_hash": hash_, "set_hash": set_hash}
    assert database.execute("insert_run", **row) == 1
    context = {"context": row["context"], "snapshot_hash": hash_}
    database.execute("insert_context", run_id="r1", layers=[], **context)
    unit = {name: value for name, value in UNIT.items() if name != "run_id"} | context
    units = [unit | {"fold": fold, "position": fold} for fold in (0, 1)]
    assert database.execute("insert_units", run_id="r1", units=units) == 2
    return row


def test_run_and_its_results_are_recorded_once(database, run):
    """A unit delivered twice is one row, and reads back as it was given."""
    result = RESULT | {"snapshot_hash": run["snapshot_hash"]}
    failure = UNIT | {
        "fold": 1,
        "code": "unfit_data",
        "message": "one class",
        "worker": "h:1",
        "worker_time_sec": 2.5,
    }
    assert database.execute("insert_run", **run) == 0
    for expected in (1, 0):
        made = database.fetch_all("insert_results", results=[result], trials=[TRIAL])
        assert len(made) == expected
        assert len(database.fetch_all("insert_failures", run_id="r1", failures=[failure])) == expected
    [row] = database.fetch_all("list_results", run_id="r1", limit=None)
    assert {name: row[name] for name in result} == result
    assert len(database.fetch_all("page_trials", run_id="r1", position=-1, trial=0, limit=None)) == 1
    assert database.fetch_all("list_failures", run_id="r1", first=0, limit=None)[0]["code"] == "unfit_data"
    every = dict.fromkeys(["state", "snapshot", "started_by", "before", "revision", "key", "set_by"])
    [listed] = database.fetch_all("page_runs", **every, limit=10)
    assert (listed["n_results"], listed["n_failures"], listed["seed"]) == (1, 1, 2**40)
    [worker] = database.fetch_all("list_workers", run_id="r1")
    assert (worker["worker"], worker["units"], worker["failed"], worker["worker_time_sec"]) == (
        "h:1",
        2,
        1,
        5,
    )


def test_ended_run_says_what_it_read(database, run):
    """State, end and read keys are set when a run ends, and a key that several runs read is listed once."""
    ended = {"id": "r1", "is_over": False, "fallbacks": None}
    keys = ["CVN_A", "CVN_B"]
    assert database.execute("update_run_state", state="complete", read_keys=keys, **ended) == 1
    assert database.execute("update_run_state", state="complete", read_keys=None, **ended) == 1
    row = database.fetch_one("read_run", id="r1")
    assert (row["state"], row["read_keys"], row["fallbacks"]) == ("complete", keys, {})
    assert database.execute("insert_run", **{**run, "id": "r2"}) == 1
    ended["id"] = "r2"
    assert database.execute("update_run_state", state="complete", read_keys=["CVN_B", "CVN_C"], **ended) == 1
    assert [row["key"] for row in database.fetch_all("list_read_keys")] == ["CVN_A", "CVN_B", "CVN_C"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"snapshot_hash": "0" * 64}, MissingError),
        ({"fold": 7}, MissingError),
        ({"run_id": "r2"}, MissingError),
        ({"model_hyperparams": None}, InvalidValue),
        ({"trial_id": None}, InvalidValue),
        ({"effective_params": None}, InvalidValue),
        ({"f1_buy_val": float("nan")}, InvalidValue),
        ({"f1_buy_val": 1.5}, InvalidValue),
    ],
    ids=str,
)
def test_result_that_cannot_be_joined_to_its_configuration_is_refused(database, run, change, expected):
    """No result exists without its run, its snapshot, its hyperparameters and its trial."""
    result = RESULT | {"snapshot_hash": run["snapshot_hash"]} | change
    with pytest.raises(expected):
        database.fetch_all("insert_results", results=[result], trials=[])
    assert database.fetch_all("list_results", run_id="r1", limit=None) == []


@pytest.mark.parametrize("name", ["snapshot_hash", "set_hash"])
def test_run_without_its_snapshot_is_refused(database, run, name):
    """A run pins a snapshot and a set that are recorded."""
    with pytest.raises(MissingError):
        database.execute("insert_run", **{**run, "id": "r2", name: "0" * 64})


@pytest.mark.parametrize("query", ["insert_snapshot", "insert_snapshot_set"])
def test_snapshot_is_named_by_its_hash(database, query):
    """A text under another hash is refused."""
    with pytest.raises(InvalidValue, match="named_by_its_hash"):
        database.execute(query, hash="0" * 64, text="{}")
