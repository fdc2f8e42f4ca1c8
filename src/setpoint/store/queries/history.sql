-- Revisions: what was, who made it, and whether the chain over it holds.

-- name: list_history
-- Revisions newest first, without documents; a null scope means all, a null before starts at the newest.
SELECT id, scope, hash, diff, updated_by, proof, db_user, change_reason, source, base_revision, catalogues,
       created_at, chain
FROM ftf_config_history
WHERE (%(scope)s::text IS NULL OR scope = %(scope)s) AND (%(before)s::bigint IS NULL OR id < %(before)s)
ORDER BY id DESC
LIMIT %(limit)s;

-- name: read_revision
-- One revision with its document.
SELECT id, scope, base_env::text AS text, hash, diff, updated_by, proof, db_user, change_reason, source,
       base_revision, catalogues, created_at, previous_chain, chain
FROM ftf_config_history
WHERE id = %(id)s;

-- name: read_chain_head
-- The newest revision and the chain up to it.
SELECT id, chain
FROM chain_head;

-- name: verify_history
-- For each revision after one, oldest first: what its columns hash to now, beside what was recorded.
SELECT id, scope, hash, document_hash(base_env::text) AS computed_hash, previous_chain, chain,
       history_chain_v1(h) AS computed_chain
FROM ftf_config_history AS h
WHERE id > %(after)s
ORDER BY id
LIMIT %(limit)s;

-- name: verify_documents
-- Documents that are not what their newest revision says.
SELECT f.scope, f.revision, f.hash, h.id AS newest_revision, h.hash AS newest_hash
FROM ftf_config AS f
FULL JOIN (
    SELECT DISTINCT ON (scope) scope, id, hash, base_env FROM ftf_config_history ORDER BY scope, id DESC
) AS h USING (scope)
WHERE f.revision IS DISTINCT FROM h.id OR f.hash IS DISTINCT FROM h.hash
   OR f.base_env::text IS DISTINCT FROM h.base_env::text
ORDER BY scope;
