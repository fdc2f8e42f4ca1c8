"""No statement walks a table that grows, at a size where walking it shows, unless it says why.

Seen is what PostgreSQL plans and really reads; what a function of the database reads inside is not.
"""

import json
import re
from pathlib import Path

import psycopg
import pytest

from setpoint.settings import Settings
from setpoint.store.database import Database
from setpoint.store.queries import QUERIES
from setpoint.store.schema import shipped

BENCH = Path(__file__).parents[1] / "bench"
#: Rows that one statement may read of one growing table; the tables hold several times as many.
MOST, FILLED = 300, 1000
#: Tables that stay small however long a system lives, with what bounds them.
BOUNDED = {
    "schema_migrations": "a row for each migration",
    "catalogues": "a row for each version of a catalogue",
    "catalogue_declarations": "as catalogues",
    "chain_head": "one row",
    "dropped_months": "a row for each month of a table that was dropped",
    "policies": "a row for each rule that people made",
    "identity_providers": "a row for each provider",
    "freezes": "some windows a year",
    "freeze_breaks": "a row for each change that could not wait",
    "freeze_ends": "one for each freeze at most",
    "incident_channels": "a row for each channel",
    "restore_probe": "one row",
    "break_glass_uses": "a row for each emergency",
    "obligations": "some rows for each emergency, one for each checkpoint",
    "checkpoint_log": "some rows for each checkpoint of a calendar",
    "checkpoint_readings": "a row for each calendar",
    "readiness_proofs": "a row for each name of a readiness file, of which 2,000 are kept",
    "checkpoint_claims": "a row for each checkpoint at most",
    "drills": "a row for each rehearsal",
    "rollback_proofs": "one for each way back that was taken in an incident",
    "stream_secret": "one row",
    "write_probe": "rows that are never kept",
    "quotas": "a row for each kind",
    "backup_plan": "one row",
    "backups": "a row for each backup, some a day",
    "event_shares": "a row for each account",
    "process_shares": "a row for each process and caller, for ten seconds",
    "accounts": "a row for each person and robot",
    "appointments": "some rows for each account",
    "event_sources": "a row for each spool",
    "event_totals": "as many names of each counted kind as are bounded where they are counted",
    "event_minutes": "the minutes of two days",
    "event_units": "the units of two days",
    "revision_totals": "a row for each kind",
    "baselines": "some rows for each run that people set as one",
    "passkeys": "ten for each account at most",
    "kept_forms": "what people sent in vain within a day, twenty of each at most",
    "read_sets": "a row for each release that reads other keys",
    "read_set_keys": "a row for each key of these",
    "snapshots": "a row for each document that a run pinned",
    "snapshot_sets": "a row for each set that a run pinned",
    "snapshot_frames": "a row for each document that a plane handed out",
}
#: Statements that read much of a table that grows, with the reason.
READ_ALL = {
    "read_scopes": "doctor, coverage and a plan of a folder look at every document",
    "explain_key": "every scope is asked what it says of the key",
    "blame_everywhere": "every scope that sets the key is asked which revision did",
    "list_scopes": "a page of scopes sorts the names of all",
    "export_state": "an export writes every document",
    "verify_documents": "verify holds every document against history",
    "list_unasked_scopes": "doctor looks at every overlay and every context",
    "search_history": "a text is looked for, newest revision first, until a page is full",
    "revision_at": "from the newest revision of the scope back to the instant: clocks may be set back",
    "fallback_share": "a share is over all units that started",
    "read_key_sources": "one look for each key that the scope ever held",
    "list_read_keys": "one look for each key that was ever read",
    "list_told": "a plane keeps 50,000 holders at most",
    "list_runs_set_by": "of runs that used what a revision set, the first and the newest are looked for",
    "count_holders": "a plane keeps 50,000 at most; only an index is counted",
    "scope_revisions": "an edited file is held against the revisions since its export",
}
#: A line that may have been told before, by its run.
EVENTS = (
    '[{"sequence": 7, "name": "a", "level": "info", "run": "grown-15", "unit": "", "event_id": "x",'
    ' "fields": {}, "line": "event=a"}]'
)
#: Values of parameters that mean rows which are there; others are made by type.
VALUES = {
    "scope": "global", "key": "CVN_HPO_XGB_5M_GAMMA", "run": "grown-15", "run_id": "grown-900",
    "model": "lgb", "timeframe": "5m", "symbol": "BTCUSDC", "level": "ERROR", "author": "ada",
    "state": "failed",
    "started_by": "ada", "limit": "20", "keys": '["CVN_HPO_XGB_5M_GAMMA"]', "remove": "[]", "set": "{}",
    "contexts": '[["global", "symbol=SYMBOL1", "profile=PROFILE1"]]', "id": "7", "trials": "[]",
    "units": "[]", "events": EVENTS, "streams": "[]", "content": "{}", "heads": "{}",
    "account": "ada", "event": "login_ok", "places": '[{"model": "lgb", "timeframe": "5m"}]',
    "asked": '[{"number": 0, "scope": "symbol=S7", "set_text": "{}", "remove": [], "is_policy": false}]',
    "scopes": '["symbol=S7"]', "ids": "[7]", "runs": '["grown-900"]',
    "most_runs": "20", "most_trials": "1000", "bins": "16",
    "ranges": '[{"key": "k", "model": "lgb", "timeframe": "5m", "parameter": "gamma", "low": 0, "high": 5,'
    ' "is_log": false}]',
}  # fmt: skip
BY_TYPE = {"bigint": "7", "integer": "7", "double precision": "1", "boolean": "true", "bytea": "\\x00"}
BY_TYPE |= {
    "date": "2025-01-01",
    "jsonb": "{}",
    "json": "{}",
    "timestamp with time zone": "2026-01-01 00:20:00Z",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
#: What doors leave behind beside what the benches fill, a thousand rows of each; only their number matters.
OTHERS = {
    "credentials": "(hash, kind, account, label, created_by, expires_at)"
    " SELECT sha256(n::text::bytea), 'token', 'ada', 'n', 'tests', now() + interval '1 day'",
    "access_log": "(event, account) SELECT 'e' || n % 7, 'a' || n % 300",
    "idempotency": "(account, key, request_hash) SELECT 'ada', 'k' || n, 'r'",
    "snapshot_holders": " SELECT md5(n::text), 'ada', repeat('a', 64), '{}', 'h', 1, '', 1, now(), now()",
    "notifications": "(kind, subject, people, facts, routed_at)"
    " SELECT 'change_approved', 'change ' || n, '{ada}', '{}', now()",
    "deliveries": "(notification, target, subject, people, state)"
    " SELECT (SELECT min(id) FROM notifications) + n - 1, 'ops', 'change ' || n, '{ada}', 'sent'",
    "changes": "(scope, kinds, proposal, edits, edition, proposal_hash, judged_at, author, proof, reason,"
    " source, catalogues, state) SELECT 'symbol=S' || n, '{value}', '{}', '[]', 1, 'h', 0, 'p' || n, 'x',"
    " 'x', 'x', '[]', 'withdrawn'",
    "change_runs": "(run_id, change_id, arm, dimensions, registered_by)"
    " SELECT 'trained-' || n, (SELECT min(id) FROM changes) + n - 1, 'candidate', '{}', 'robot'",
    "change_attempts": "(run_id) SELECT 'trained-' || n",
    "change_checks": "(change_id, kind, run_id, candidate_hash, build, data_hash, result, reasons,"
    " reported_by, proof)"
    " SELECT (SELECT min(id) FROM changes) + n - 1, 'smoke', r.id, 'h', 'b', 'd', 'pass', '{}', 'robot', 'x'"
    " FROM (SELECT id, row_number() OVER () AS n FROM finetune_runs LIMIT %s) AS r --",
    "change_decisions": "(change_id, decision, proposal_hash, person, proof, words)"
    " SELECT (SELECT min(id) FROM changes) + n - 1, 'comment', 'h', 'bo', 'x', 'x'",
    "seedings": "(person, proof, revision, coverage_pct) SELECT 'ada', 'x', n, 100",
    "rollouts": "(change_id, context, started_by, proof)"
    " SELECT (SELECT min(id) FROM changes) + n - 1, '{}', 'ada', 'x'",
    "rollout_stages": "(change_id, stage, assets, models, rule)"
    " SELECT (SELECT min(id) FROM changes) + n - 1, 'canary', '{BTCUSDC}', '{lgb}', '{}'",
    "rollout_steps": "(change_id, stage, step, proof, proposal_hash)"
    " SELECT (SELECT min(id) FROM changes) + n - 1, 'canary', 'start', 'x', 'h'",
    "preapprovals": "(decision_id, change_id, proposal_hash, scope, keys, target, person, expires_at)"
    " SELECT n, (SELECT min(id) FROM changes) + n - 1, 'h', 'global', '{k}', '{}', 'bo', now()",
    "rollbacks": "(change_id, mechanism, proof, words)"
    " SELECT (SELECT min(id) FROM changes) + n - 1, 'restore', 'x', 'x'",
    "finetune_failures": " SELECT run_id, symbol, model, timeframe, variant, fold, 'x', 'x', now()"
    " FROM finetune_units ORDER BY run_id LIMIT %s --",
}


@pytest.fixture(scope="module")
def filled(server, seeded_template, catalogues):
    """A session of the owner on a database in which every table that grows holds a thousand rows."""
    name = "query_plans"
    server.administer(f"CREATE DATABASE {name} TEMPLATE {seeded_template} STRATEGY file_copy")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(BENCH)
        fill(server.url(name, owner=True), Settings(database_url=server.url(name)), catalogues)
    with psycopg.connect(server.url(name, owner=True), autocommit=True) as owner:
        for table, row in OTHERS.items():
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            if table == "credentials":
                owner.execute("INSERT INTO accounts (name, roles, created_by) VALUES ('ada', '{}', 'tests')")
            insert = f"INSERT INTO {table} {row} FROM generate_series(1, {FILLED}) AS n"
            owner.execute(insert.replace("%s", str(FILLED)))
        owner.execute("ANALYZE")
        yield owner
    server.administer(f"DROP DATABASE {name} WITH (FORCE)")


def fill(owner, settings, catalogues):
    """Fill what the benches fill, by their own filler."""
    import filling
    from recording import Recording

    with Database.open(settings) as database:
        recording = Recording(database, catalogues)
        first = recording.start(f"{filling.RUN}0", 2)
        for unit in first.units:
            recording.deliver(first, unit, trials=1)
        recording.finish(first)
    filling.grow_revisions(owner, FILLED)
    filling.grow_overlays(owner, "symbol", FILLED)
    filling.grow_runs(owner, FILLED)
    filling.grow_events(owner, 20 * FILLED)


def test_every_table_that_grows_is_filled(filled):
    """A new table is filled here, or says what bounds it; otherwise nobody would see that it is walked."""
    tables = filled.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1"
    ).fetchall()
    counted = {
        name: filled.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
        for (name,) in tables
        if name not in BOUNDED
    }

    assert {name for name, rows in counted.items() if rows < FILLED} == set()
    assert BOUNDED.keys() <= {name for (name,) in tables}
    assert READ_ALL.keys() <= QUERIES.keys()


def test_no_page_is_reached_by_counting_rows_away():
    """A page begins after a row, by its key: what OFFSET skips is read each time."""
    texts = [*QUERIES.values(), *(migration.text for migration in shipped())]

    assert [text for text in texts if re.search(r"\bOFFSET\b", text, re.IGNORECASE)] == []


def variants(text):
    """Yield what to leave null of the filters that may be: all of them, and all but each one."""
    optional = sorted(set(re.findall(r"%\((\w+)\)s(?:::\w+)? IS NULL", text)))
    yield set(optional)
    for one in optional:
        yield set(optional) - {one}


def spoken(owner, text, nulls):
    """Return a statement with a value for each parameter, of the type that the server finds for it."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", text).replace("%%", "%")
    owner.execute(f"PREPARE asked AS {numbered}".encode())
    (types,) = owner.execute("SELECT parameter_types::text[] FROM pg_prepared_statements").fetchone()
    owner.execute("DEALLOCATE asked")
    values = {
        name: VALUES.get(name) or BY_TYPE.get(kind, "x") for name, kind in zip(names, types, strict=True)
    }
    for number, (name, kind) in reversed(list(enumerate(zip(names, types, strict=True), start=1))):
        literal = "NULL" if name in nulls else "'" + values[name].replace("'", "''") + "'"
        numbered = numbered.replace(f"${number}", f"{literal}::{kind}")
    return numbered


def plan_of(owner, sql):
    """Return the plan with what was really read, or as it is made where the statement refuses the values."""
    for form in ("ANALYZE, FORMAT JSON", "FORMAT JSON"):
        with owner.transaction(force_rollback=True):
            try:
                (found,) = owner.execute(f"EXPLAIN ({form}) {sql}".encode()).fetchone()
                return found[0]["Plan"]
            except psycopg.Error:
                if form == "FORMAT JSON":
                    raise
    return None


def walked(plan):
    """Yield each growing table that a plan reads much of, with how many rows."""
    table = plan.get("Relation Name", "pg_")
    if not table.startswith("pg_") and table not in BOUNDED and plan["Node Type"] != "ModifyTable":
        loops = plan.get("Actual Loops", 1)
        read = plan.get("Actual Rows", 0) + plan.get("Rows Removed by Filter", 0)
        unknown = "Actual Rows" not in plan and plan["Node Type"] == "Seq Scan"
        if unknown or read * loops > MOST:
            yield f"{table}: {plan['Node Type']} of {read * loops:g} rows"
    for below in plan.get("Plans", ()):
        yield from walked(below)


def test_no_statement_walks_a_table_that_grows(filled):
    """Each statement of ours, with each of its filters alone and with none; a reason for nothing is none."""
    found, reasons = {}, set()
    for name, text in QUERIES.items():
        for nulls in variants(text):
            tables = sorted(set(walked(plan_of(filled, spoken(filled, text, nulls)))))
            if tables and name in READ_ALL:
                reasons.add(name)
            elif tables:
                found[name, tuple(sorted(nulls))] = tables

    assert READ_ALL.keys() - reasons == set()
    assert found == {}, json.dumps({str(key): tables for key, tables in found.items()}, indent=1)
