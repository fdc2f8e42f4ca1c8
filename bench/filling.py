"""Filling a database to a size: rows as the doors write them, thousands in a statement.

Each function takes a connection of the tables' owner, and how many there are to be in the end; a second call
goes on from the first. Revisions and overlays are plain SQL, which history records by its trigger. Runs are
copies of one that a door recorded, each pinned to another revision; their triggers let the owner pass.
Events are lines as a spool delivers them. Tests of query plans fill by the same functions.
"""

from datetime import UTC, datetime

import psycopg
from psycopg.types.json import Jsonb

#: Names of the lines, in turn; every ten thousandth line is an error.
NAMES = ("trial_complete", "training_started", "training_complete", "hpo_fallback_applied")
#: Runs that are copied begin with this; the first is the one that a door recorded.
RUN = "grown-"
KEYS = (
    "SELECT key FROM ftf_config, jsonb_object_keys(base_env) AS key"
    " WHERE id = 1 AND jsonb_typeof(base_env -> key) = 'number' AND key NOT LIKE '%\\_RANGE\\_%'"
    ' ORDER BY key COLLATE "C" LIMIT 40'
)
# The number moves far below what any bound or invariant sees.
REVISIONS = """
DO $$
DECLARE keys text[] := ARRAY({keys}); this text;
BEGIN
    FOR n IN (SELECT id + 1 FROM chain_head)..least({size}, (SELECT id FROM chain_head) + 500) LOOP
        this := keys[1 + n % cardinality(keys)];
        UPDATE ftf_config SET base_env = base_env || jsonb_build_object(
            this, (base_env ->> this)::numeric + 1e-12::numeric) WHERE id = 1;
    END LOOP;
END $$
"""
OVERLAYS = """
INSERT INTO ftf_config (scope, base_env)
SELECT %(dimension)s || '=' || upper(%(dimension)s) || n, jsonb_build_object(keys[1 + n %% cardinality(keys)],
       (SELECT (base_env ->> keys[1 + n %% cardinality(keys)])::numeric FROM ftf_config WHERE id = 1))
FROM generate_series(1, %(size)s) AS n, (SELECT ARRAY({keys}) AS keys) AS k
WHERE NOT EXISTS (SELECT FROM ftf_config WHERE scope = %(dimension)s || '=' || upper(%(dimension)s) || n)
"""
#: Copies of the rows of the first run, table by table; a run's layers name another revision each.
RUNS = {
    "finetune_runs": "jsonb_build_object('id', '{run}' || n, 'started_at', r.started_at + n * interval '1 s',"
    " 'layers', jsonb_set(r.layers, '{{0,revision}}', to_jsonb(revisions[1 + n % cardinality(revisions)])))",
    "finetune_contexts": "jsonb_build_object('run_id', '{run}' || n,"
    " 'layers', jsonb_set(r.layers, '{{0,revision}}', to_jsonb(revisions[1 + n % cardinality(revisions)])))",
    "finetune_units": "jsonb_build_object('run_id', '{run}' || n)",
    "finetune_results": "jsonb_build_object('run_id', '{run}' || n,"
    " 'id', nextval('finetune_results_id_seq'))",
    "finetune_trials": "jsonb_build_object('run_id', '{run}' || n)",
}
COPY = """
WITH global AS (SELECT array_agg(id ORDER BY id) AS revisions FROM ftf_config_history WHERE scope = 'global')
INSERT INTO {table} OVERRIDING SYSTEM VALUE
SELECT made.*
FROM {table} AS r CROSS JOIN global CROSS JOIN generate_series({first}, {last}) AS n,
LATERAL jsonb_populate_record(NULL::{table}, to_jsonb(r) || {changed}) AS made
WHERE r.{name} = '{run}0'
"""
EVENTS = """
INSERT INTO event_log (source, sequence, name, level, run, unit, event_id, at, fields, line)
SELECT 'grown', n * 100, names[1 + n % 4], CASE WHEN n % 10000 = 7 THEN 'ERROR' ELSE 'INFO' END,
       '{run}' || n / 1000, 'unit' || n / 100 % 100, NULL,
       '{start}'::timestamptz + n * interval '1 s',
       jsonb_build_object('event', names[1 + n % 4], 'key', 'CVN_HPO_XGB_5M_GAMMA'),
       'event=' || names[1 + n % 4] || ' level=INFO run={run}' || n / 1000 || ' key=CVN_HPO_XGB_5M_GAMMA'
FROM generate_series({first}, {last}) AS n, (SELECT ARRAY['{names}'] AS names) AS k
"""
AT_ONCE = 50_000
#: What the first line tells as its time; the others follow a second apart.
START = datetime(2026, 1, 1, tzinfo=UTC)


def grow_revisions(owner, size):
    """Write the global document until history has ``size`` revisions; returns the key written most often."""
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        while one(connection, "SELECT id FROM chain_head") < size:
            connection.execute(REVISIONS.format(keys=KEYS, size=size))
        settle(connection)
        return one(connection, KEYS)


def grow_overlays(owner, dimension, size):
    """Make overlays of a dimension until there are ``size``, each with one of forty keys."""
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(
            OVERLAYS.format(keys=KEYS.replace("%", "%%")), {"dimension": dimension, "size": size}
        )
        settle(connection)


def set_keys(owner, values):
    """Give the global document more keys, in one revision."""
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("UPDATE ftf_config SET base_env = base_env || %s WHERE id = 1", [Jsonb(values)])
        settle(connection)


def grow_runs(owner, size):
    """Copy the recorded run ``grown-0`` until there are ``size``, pinned to revisions all over history."""
    with psycopg.connect(owner, autocommit=True) as connection:
        there = one(connection, "SELECT count(*) FROM finetune_runs WHERE id LIKE %s", [f"{RUN}%"])
        for table, changed in RUNS.items():
            name = "id" if table == "finetune_runs" else "run_id"
            form = {"table": table, "name": name, "run": RUN, "first": there, "last": size - 1}
            connection.execute(COPY.format(**form, changed=changed.format(run=RUN)))
        settle(connection)


def grow_events(owner, size):
    """Deliver lines of events until there are ``size``, a second apart by their own time."""
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SELECT make_months(false)")
        connection.execute("INSERT INTO event_sources (source) VALUES ('grown') ON CONFLICT DO NOTHING")
        there = one(connection, "SELECT count(*) FROM event_log WHERE source = 'grown'")
        for first in range(there, size, AT_ONCE):
            last = min(first + AT_ONCE, size) - 1
            form = {"run": RUN, "start": START, "names": "','".join(NAMES), "first": first, "last": last}
            connection.execute(EVENTS.format(**form))
        settle(connection)


def settle(connection):
    """Do what autovacuum will have done to tables that grew slowly."""
    connection.execute("VACUUM ANALYZE")


def one(connection, query, parameters=None):
    """Return the first column of the first row."""
    return connection.execute(query, parameters).fetchone()[0]
