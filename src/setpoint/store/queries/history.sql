-- Revisions: what was, who made it, and whether the chain over it holds.

-- name: read_revision
-- One revision with its document.
SELECT id AS revision, scope, base_env::text AS text, hash, diff AS edits, updated_by, proof, db_user, change_reason,
       source, base_revision, change_id AS change, (SELECT c.traceparent FROM changes AS c WHERE c.id = change_id) AS traceparent,
       review, catalogues, created_at, previous_chain, chain
FROM ftf_config_history
WHERE id = %(id)s;

-- name: read_revisions
-- Some revisions with their documents.
SELECT id AS revision, scope, base_env::text AS text, hash
FROM ftf_config_history
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements(%(ids)s)::bigint));

-- name: read_chain_head
-- The newest revision and the chain up to it.
SELECT id, chain
FROM chain_head;

-- name: read_chain_at
-- The chain up to one revision.
SELECT chain
FROM ftf_config_history
WHERE id = %(id)s;

-- name: read_anchored
-- What the revision that an anchor names says of the chain, and how many there are before it.
SELECT previous_chain, chain, (SELECT count(*) FROM ftf_config_history WHERE id < %(id)s) AS before
FROM ftf_config_history
WHERE id = %(id)s;

-- name: verify_history
-- For each revision after one, oldest first: what its columns hash to now, beside what was recorded.
SELECT id, scope, hash, document_hash(base_env::text) AS computed_hash, previous_chain, chain,
       history_chain_v1(h) AS computed_chain
FROM ftf_config_history AS h
WHERE id > %(after)s
ORDER BY id
LIMIT %(limit)s;

-- name: compare_revision
-- What a revision says beside what the change that made it says, and the document it replaced.
WITH compared AS (
    SELECT h.change_id,
           ARRAY(SELECT d ->> 'key' FROM jsonb_array_elements(document_diff(w.document, h.base_env)) AS d
                 WHERE hash_of_proposal(c, document_hash(h.base_env::text)) <> c.proposal_hash) AS keys,
           (SELECT jsonb_object_agg(name, jsonb_build_array(now, was))
            FROM (VALUES ('scope', h.scope, c.scope), ('author', h.updated_by, c.author), ('proof', h.proof, c.proof),
                         ('reason', h.change_reason, c.reason), ('source', h.source, c.source),
                         ('base_revision', h.base_revision::text, c.base_revision::text)) AS told (name, now, was)
            WHERE c.id IS NOT NULL AND now IS DISTINCT FROM was) AS columns,
           h.diff <> document_diff(coalesce(b.base_env, '{}'), h.base_env) AS diff_differs
    FROM ftf_config_history AS h
    LEFT JOIN changes AS c ON c.id = h.change_id
    LEFT JOIN ftf_config_history AS b ON b.id = CASE WHEN c.id IS NULL THEN h.base_revision ELSE c.base_revision END
    CROSS JOIN LATERAL (
        -- The document before it with the diff laid over it; only where the change's hash says that this is not it.
        SELECT (coalesce(b.base_env, '{}') - coalesce(array_agg(e ->> 'key'), '{}'))
               || coalesce(jsonb_object_agg(e ->> 'key', e -> 'new') FILTER (WHERE e ? 'new'), '{}')
        FROM jsonb_array_elements(h.diff) AS e
    ) AS w (document)
    WHERE h.id = %(id)s
)
SELECT change_id, keys, columns, diff_differs,
       change_id IS NOT NULL AND keys = '{}' AND columns IS NULL AND NOT diff_differs AS chain_only
FROM compared;

-- name: verify_documents
-- Documents that are not what their newest revision says, or not what was hashed.
WITH RECURSIVE held (scope) AS (
    -- From one scope to the next one, over however many revisions each has.
    SELECT min(scope) FROM ftf_config_history
    UNION ALL
    SELECT (SELECT min(h.scope) FROM ftf_config_history AS h WHERE h.scope > held.scope) FROM held WHERE held.scope IS NOT NULL
)
SELECT scope, f.revision, f.hash, h.id AS newest_revision, h.hash AS newest_hash,
       ARRAY(SELECT d ->> 'key' FROM jsonb_array_elements(
           document_diff(coalesce(h.base_env, '{}'), coalesce(f.base_env, '{}'))) AS d) AS keys,
       (f.revision, f.hash, f.base_env::text) IS NOT DISTINCT FROM (h.id, h.hash, h.base_env::text) AS is_said
FROM ftf_config AS f
FULL JOIN (
    SELECT newest.*
    FROM held
    CROSS JOIN LATERAL (
        SELECT b.scope, b.id, b.hash, b.base_env FROM ftf_config_history AS b WHERE b.scope = held.scope ORDER BY b.id DESC LIMIT 1
    ) AS newest
) AS h USING (scope)
WHERE f.revision IS DISTINCT FROM h.id OR f.hash IS DISTINCT FROM h.hash
   OR f.base_env::text IS DISTINCT FROM h.base_env::text OR f.hash IS DISTINCT FROM document_hash(f.base_env::text)
ORDER BY scope;

-- name: list_contradictions
-- Where the revisions after one say other than what else was recorded, the oldest first.
SELECT contradictions(%(after)s) AS problem UNION ALL SELECT contradictions_of_months();

-- name: search_history
-- Revisions newest first, before a number, whose author, reason or touched keys contain a text; null means any.
SELECT id AS revision, scope, hash, diff AS edits, updated_by, proof, db_user, change_reason, source, base_revision,
       change_id AS change, (SELECT c.traceparent FROM changes AS c WHERE c.id = change_id) AS traceparent, review, created_at
FROM ftf_config_history
WHERE (%(scope)s::text IS NULL OR scope = %(scope)s)
  AND (%(text)s::text IS NULL OR strpos(lower(updated_by || ' ' || change_reason || ' ' || diff::text), lower(%(text)s)) > 0)
  AND (%(before)s::bigint IS NULL OR id < %(before)s)
ORDER BY id DESC
LIMIT %(limit)s;

-- name: key_history
-- Every value a key ever had, newest first, before a revision; new is null where it was removed.
WITH touched AS (
    SELECT revision
    FROM ftf_config_edits
    WHERE key = %(key)s AND (%(scope)s::text IS NULL OR scope = %(scope)s)
      AND (%(before)s::bigint IS NULL OR revision < %(before)s)
    ORDER BY revision DESC
    LIMIT %(limit)s
)
SELECT h.id AS revision, h.scope, h.updated_by, h.change_reason, h.review, h.created_at, d ->> 'op' AS op,
       d -> 'old' AS old, d -> 'new' AS new
FROM touched
JOIN ftf_config_history AS h ON h.id = touched.revision
CROSS JOIN jsonb_array_elements(h.diff) AS d
WHERE d ->> 'key' = %(key)s
ORDER BY h.id DESC;

-- name: revision_at
-- The revision of a scope that stood at an instant; no row when it had none yet.
SELECT id AS revision, scope, hash, diff AS edits, updated_by, proof, db_user, change_reason, source, base_revision,
       change_id AS change, (SELECT c.traceparent FROM changes AS c WHERE c.id = change_id) AS traceparent, review, created_at
FROM ftf_config_history
WHERE scope = %(scope)s AND created_at <= %(at)s
ORDER BY id DESC
LIMIT 1;

-- name: diff_revisions
-- What turns one revision's document into another's.
SELECT document_diff(a.base_env, b.base_env) AS edits, a.scope AS old_scope, b.scope AS new_scope
FROM ftf_config_history AS a, ftf_config_history AS b
WHERE a.id = %(old)s AND b.id = %(new)s;

-- name: blame
-- For each of some keys of a scope's document, the revision that set it last.
SELECT e.key, h.id AS revision, h.updated_by, h.change_reason, h.created_at, e.value
FROM ftf_config AS f
CROSS JOIN jsonb_each(f.base_env) AS e
JOIN jsonb_array_elements_text(%(keys)s) AS meant (key) ON meant.key = e.key
CROSS JOIN LATERAL (
    SELECT b.revision FROM ftf_config_edits AS b WHERE b.scope = f.scope AND b.key = e.key ORDER BY b.revision DESC LIMIT 1
) AS last
JOIN ftf_config_history AS h ON h.id = last.revision
WHERE f.scope = %(scope)s
ORDER BY e.key;

-- name: blame_everywhere
-- For each scope that sets a key, the revision that set it last.
SELECT f.scope, h.id AS revision, h.updated_by, h.change_reason, h.created_at, f.base_env -> %(key)s AS value
FROM ftf_config AS f
CROSS JOIN LATERAL (
    SELECT b.revision FROM ftf_config_edits AS b WHERE b.scope = f.scope AND b.key = %(key)s ORDER BY b.revision DESC LIMIT 1
) AS last
JOIN ftf_config_history AS h ON h.id = last.revision
WHERE jsonb_exists(f.base_env, %(key)s);

-- name: list_later_writes
-- Which of some keys of a scope were written after a revision, with the newest that wrote each.
SELECT meant.key, h.id AS revision, h.updated_by
FROM jsonb_array_elements_text(%(keys)s) AS meant (key)
CROSS JOIN LATERAL (
    SELECT b.revision FROM ftf_config_edits AS b
    WHERE b.scope = %(scope)s AND b.key = meant.key AND b.revision > %(after)s
    ORDER BY b.revision DESC LIMIT 1
) AS last
JOIN ftf_config_history AS h ON h.id = last.revision
ORDER BY meant.key;

-- name: read_key_sources
-- For each key that a scope's document ever held, the door of the revision that wrote it last.
WITH RECURSIVE held (key) AS (
    -- From one key to the next one, over however many edits each has.
    SELECT min(key) FROM ftf_config_edits WHERE scope = %(scope)s
    UNION ALL
    SELECT (SELECT min(b.key) FROM ftf_config_edits AS b WHERE b.scope = %(scope)s AND b.key > held.key)
    FROM held
    WHERE held.key IS NOT NULL
)
SELECT held.key, h.source
FROM held
CROSS JOIN LATERAL (
    SELECT b.revision FROM ftf_config_edits AS b WHERE b.scope = %(scope)s AND b.key = held.key ORDER BY b.revision DESC LIMIT 1
) AS last
JOIN ftf_config_history AS h ON h.id = last.revision
ORDER BY held.key;

-- name: runs_of_revisions
-- Runs that pinned a scope, in any of their contexts, at one of the revisions after one, up to another.
SELECT r.id, r.started_at, r.state, r.snapshot_hash
FROM finetune_runs AS r
WHERE r.id IN (
    SELECT l.run_id FROM finetune_layers AS l
    WHERE l.scope = %(scope)s AND l.revision > %(after)s AND l.revision <= %(up_to)s)
ORDER BY r.started_at DESC;

-- name: can_restore
-- Whether this session could write a restore, as far as asking tells: the server takes writes, and the role may make changes.
SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS writable,
       bool_and(has_function_privilege(p.oid, 'EXECUTE')) AND count(*) = 2 AS allowed
FROM pg_proc AS p
WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN ('open_change', 'apply_change');
