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

-- name: read_judged
-- Beside one scope, the global document and those that set one of some keys, global first.
SELECT scope, hash, revision, base_env::text AS text
FROM ftf_config
WHERE (id = 1 OR (id <> 1 AND base_env ?| ARRAY(SELECT jsonb_array_elements_text(%(keys)s)))) AND scope <> %(scope)s
ORDER BY id;

-- name: read_values
-- Of the documents of some scopes only some keys, each document read once.
SELECT f.scope, f.revision,
       (SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}')::text
        FROM jsonb_each(f.base_env) AS e
        WHERE e.key IN (SELECT jsonb_array_elements_text(%(keys)s))) AS text
FROM jsonb_array_elements_text(%(scopes)s) AS named (scope)
CROSS JOIN LATERAL (SELECT * FROM ftf_config WHERE ftf_config.scope = named.scope LIMIT 1) AS f;

-- name: explain_key
-- What every scope says of one key, global first.
SELECT scope, revision, updated_by, base_env -> %(key)s AS value
FROM ftf_config
ORDER BY id;

-- name: resolve_snapshots
-- The merged document of each ordered list of scopes, all at one instant, with its layers and the newest revision of any scope then; `numbers` are the places of the lists with these documents. Scopes without a document are left out, and so is a list of which all are.
-- With a change the document it proposes is in the place of its scope's: its candidate, a layer of no revision.
WITH candidate AS MATERIALIZED (
    SELECT id, scope, proposal, author, created_at FROM changes WHERE id = %(change)s::bigint
), wanted AS (
    -- Lists with the same documents are one: a thousand symbols of which two have overlays merge three times.
    SELECT ids, jsonb_agg(number - 1) AS numbers
    FROM (
        SELECT number, array_agg(f.id ORDER BY position) AS ids
        FROM jsonb_array_elements(%(contexts)s) WITH ORDINALITY AS asked (scopes, number)
        CROSS JOIN jsonb_array_elements_text(scopes) WITH ORDINALITY AS named (scope, position)
        -- LIMIT: each is looked up; nobody can guess how many are named, and a guess of many reads every document.
        CROSS JOIN LATERAL (SELECT id FROM ftf_config WHERE ftf_config.scope = named.scope
                            -- A candidate's scope may have no document yet: no scope has this id.
                            UNION ALL SELECT 0 FROM candidate WHERE candidate.scope = named.scope
                                AND NOT EXISTS (SELECT FROM ftf_config WHERE ftf_config.scope = named.scope) LIMIT 1) AS f
        GROUP BY number
    ) AS found
    GROUP BY ids
), layer AS MATERIALIZED (
    SELECT ids, numbers, position, coalesce(c.scope, f.scope) AS scope, coalesce(c.proposal, f.base_env) AS base_env,
           CASE WHEN c.scope IS NULL THEN f.hash ELSE document_hash(c.proposal::text) END AS hash,
           CASE WHEN c.scope IS NULL THEN f.revision END AS revision,
           coalesce(c.author, f.updated_by) AS updated_by, coalesce(c.created_at, f.updated_at) AS updated_at,
           coalesce(c.id, (SELECT h.change_id FROM ftf_config_history AS h WHERE h.id = f.revision)) AS change
    FROM wanted
    CROSS JOIN unnest(ids) WITH ORDINALITY AS of_list (id, position)
    LEFT JOIN LATERAL (SELECT * FROM ftf_config WHERE ftf_config.id = of_list.id LIMIT 1) AS f ON true
    LEFT JOIN candidate AS c ON c.scope = f.scope OR of_list.id = 0
), overridden AS (
    SELECT ids, array_agg(DISTINCT key) AS keys
    FROM layer, jsonb_object_keys(base_env) AS key
    WHERE position > 1
    GROUP BY ids
), merged AS (
    SELECT
        numbers,
        document_merge(base_env ORDER BY position)::text AS text,
        jsonb_agg(jsonb_build_object(
            'scope', scope, 'revision', revision, 'hash', hash, 'author', updated_by,
            'change', change, 'written_at', to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            -- Of the first layer only what a later one overrides: the rest of it is the merged text.
            'keys', CASE WHEN position > 1 THEN base_env ELSE (
                SELECT coalesce(jsonb_object_agg(key, base_env -> key), '{}') FROM unnest(keys) AS key WHERE base_env ? key) END
        ) ORDER BY position) AS layers
    FROM layer
    LEFT JOIN overridden USING (ids)
    GROUP BY ids, numbers
)
SELECT numbers, text, document_hash(text) AS hash, layers, (SELECT id FROM chain_head) AS head
FROM merged;

-- name: register_catalogue
-- Remember a catalogue's text; nothing happens when it is known.
INSERT INTO catalogues (hash, name, version, text)
VALUES (%(hash)s, %(name)s, %(version)s, %(text)s)
ON CONFLICT (hash) DO NOTHING;

-- name: keep_declaration
-- Remember what a registered catalogue declares; refused where something else is known of it.
SELECT keep_declaration(%(hash)s, %(declares)s);

-- name: list_scopes
-- Scopes after one, with how many keys each sets, global first; an overlay without keys is retired.
SELECT scope, revision, hash, updated_by, change_reason, updated_at,
       (SELECT count(*) FROM jsonb_object_keys(base_env)) AS keys
FROM ftf_config
WHERE %(after)s::text IS NULL OR (id <> 1 AND (%(after)s = 'global' OR scope > %(after)s))
ORDER BY id <> 1, scope
LIMIT %(limit)s;
