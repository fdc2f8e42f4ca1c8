-- What an export writes: one statement each, so that it is one state of the database.

-- name: export_state
-- The chain's head, and every document as it stood with it, global first; at least one row.
SELECT c.id AS head_id, c.chain, f.scope, f.revision, f.hash, f.base_env::text AS text
FROM chain_head AS c
LEFT JOIN ftf_config AS f ON true
ORDER BY f.id <> 1, f.scope;

-- name: export_history
-- Revisions after one, up to another, oldest first, each as the text of its file.
SELECT id, jsonb_pretty(jsonb_build_object(
    'format', 'setpoint-revision/1', 'id', id, 'scope', scope, 'text', base_env::text, 'hash', hash, 'diff', diff,
    'updated_by', updated_by, 'proof', proof, 'db_user', db_user, 'change_reason', change_reason,
    'source', source, 'base_revision', base_revision, 'change_id', change_id, 'review', review,
    'catalogues', catalogues, 'created_at', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'previous_chain', previous_chain, 'chain', chain)) || E'\n' AS content
FROM ftf_config_history
WHERE id > %(after)s AND id <= %(up_to)s
ORDER BY id
LIMIT %(limit)s;

-- name: export_catalogues
-- Every catalogue this database has seen, with its text, oldest first.
SELECT hash, name, version, text
FROM catalogues
ORDER BY registered_at, hash;

-- name: list_quotas
-- The share of one caller, of each kind.
SELECT kind, caller, most, coalesce(per_s, 0) AS per_s
FROM quotas
ORDER BY kind, caller;

-- name: import_policy
-- Set one exported policy in an empty database, as the owner of the tables.
INSERT INTO policies (scope, kind, approvals, solo, cooling_off_s, checks, smoke_s)
VALUES (%(scope)s, %(kind)s, %(approvals)s, %(approvals)s = 0, %(cooling_off_s)s, ARRAY(SELECT jsonb_array_elements_text(%(checks)s)),
        %(smoke_s)s)
ON CONFLICT (scope, kind) DO UPDATE
SET approvals = EXCLUDED.approvals, solo = EXCLUDED.solo, cooling_off_s = EXCLUDED.cooling_off_s, checks = EXCLUDED.checks,
    smoke_s = EXCLUDED.smoke_s;

-- name: import_quota
-- Set one exported quota, as the owner of the tables.
UPDATE quotas SET most = %(most)s, per_s = nullif(%(per_s)s::bigint, 0)
WHERE kind = %(kind)s AND caller = %(caller)s;

-- name: holds_nothing
-- Whether no revision, change or run was ever recorded here.
SELECT holds_nothing() AS it;

-- name: import_revision
-- Append one exported revision as it was, as the owner of the tables; says why not.
SELECT import_revision(%(content)s::text::jsonb) AS problem;

-- name: import_catalogue
-- Remember an exported catalogue, after those before it.
INSERT INTO catalogues (hash, name, version, text, registered_at)
VALUES (%(hash)s, %(name)s, %(version)s, %(text)s, clock_timestamp())
ON CONFLICT (hash) DO NOTHING;

-- name: stand_on_history
-- Make the documents what the imported history ends with, and log who brought it here, as the owner of the tables.
SELECT stand_on_history(%(reason)s);

-- name: scope_revisions
-- The documents of a scope's revisions after one, newest first.
SELECT id, base_env::text AS text
FROM ftf_config_history
WHERE scope = %(scope)s AND id > %(after)s
ORDER BY id DESC;
