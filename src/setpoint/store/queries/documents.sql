-- Documents as they are now, and what they resolve to. Texts leave as text: they are what was hashed.

-- name: read_scope
-- The document of one scope.
SELECT id, scope, base_env::text AS text, hash, revision, updated_by, change_reason, updated_at
FROM ftf_config
WHERE scope = %(scope)s;

-- name: read_scopes
-- The documents of all scopes, global first.
SELECT id, scope, base_env::text AS text, hash, revision, updated_by, change_reason, updated_at
FROM ftf_config
ORDER BY id;

-- name: resolve_snapshot
-- The merged document of an ordered list of scopes, with its layers and the newest revision of any scope at that instant; scopes without a document are left out, no row when all are.
WITH layer AS MATERIALIZED (
    SELECT position, f.scope, f.base_env, f.hash, f.revision, f.updated_by
    FROM jsonb_array_elements_text(%(scopes)s) WITH ORDINALITY AS wanted (scope, position)
    JOIN ftf_config AS f USING (scope)
), overridden AS (
    SELECT DISTINCT key
    FROM layer, jsonb_object_keys(base_env) AS key
    WHERE position > 1
), merged AS (
    SELECT
        document_merge(base_env ORDER BY position)::text AS text,
        jsonb_agg(jsonb_build_object(
            'scope', scope, 'revision', revision, 'hash', hash, 'author', updated_by,
            -- Of the first layer only what a later one overrides: the rest of it is the merged text.
            'keys', CASE WHEN position > 1 THEN base_env ELSE (
                SELECT coalesce(jsonb_object_agg(key, base_env -> key), '{}') FROM overridden WHERE base_env ? key) END
        ) ORDER BY position) AS layers,
        count(*) AS n_layers
    FROM layer
)
SELECT text, document_hash(text) AS hash, layers, (SELECT id FROM chain_head) AS head
FROM merged
WHERE n_layers > 0;

-- name: register_catalogue
-- Remember a catalogue's text; nothing happens when it is known.
INSERT INTO catalogues (hash, name, version, text)
VALUES (%(hash)s, %(name)s, %(version)s, %(text)s)
ON CONFLICT (hash) DO NOTHING;

-- name: read_catalogue
-- One catalogue's text.
SELECT hash, name, version, text, registered_at
FROM catalogues
WHERE hash = %(hash)s;

-- name: list_catalogues
-- Every catalogue this database has seen, oldest first.
SELECT hash, name, version, registered_at
FROM catalogues
ORDER BY registered_at, hash;

-- name: list_scopes
-- Every scope with how many keys it sets, global first; an overlay without keys is retired.
SELECT scope, revision, hash, updated_by, change_reason, updated_at,
       (SELECT count(*) FROM jsonb_object_keys(base_env)) AS keys
FROM ftf_config
ORDER BY id <> 1, scope;
