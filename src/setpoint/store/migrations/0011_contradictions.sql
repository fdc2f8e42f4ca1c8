-- Contradictions: where history says other than what else was recorded.
--
-- An owner of the tables can switch every trigger off and rewrite every table. This finds whoever did less than
-- all of that consistently; who does all of it is found by an anchor outside the database.

CREATE FUNCTION public.contradictions(p_after bigint) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- History against what else was recorded when it was written. Revisions that were brought in from another
    -- database name changes that stayed there.
    WITH imported AS (
        SELECT coalesce(max((detail ->> 'revision')::bigint), 0) AS up_to FROM public.access_log WHERE event = 'history_imported'
    ), own AS (
        SELECT h.* FROM public.ftf_config_history AS h, imported WHERE h.id > greatest(imported.up_to, p_after)
    )
    SELECT problem FROM (
        SELECT c.applied_revision AS revision, format('change %s made revision %s, which is not there', c.id, c.applied_revision) AS problem
        FROM public.changes AS c
        WHERE c.applied_revision > p_after
          AND NOT EXISTS (SELECT FROM own WHERE own.id = c.applied_revision AND own.change_id = c.id)
        UNION ALL
        SELECT own.id, format('revision %s names change %s, which did not make it', own.id, own.change_id)
        FROM own LEFT JOIN public.changes AS c ON c.id = own.change_id AND c.applied_revision = own.id
        WHERE own.change_id IS NOT NULL AND c.id IS NULL
        UNION ALL
        SELECT own.id, format('revision %s is not what change %s says in its %s', own.id, c.id, told.name)
        FROM own JOIN public.changes AS c ON c.id = own.change_id AND c.applied_revision = own.id,
        LATERAL (VALUES ('scope', own.scope, c.scope), ('author', own.updated_by, c.author), ('proof', own.proof, c.proof),
                        ('reason', own.change_reason, c.reason), ('base', own.base_revision::text, c.base_revision::text),
                        ('document', public.hash_of_proposal(c, own.hash), c.proposal_hash)) AS told (name, now, was)
        WHERE told.now IS DISTINCT FROM told.was
        UNION ALL
        SELECT own.id, format('revision %s was approved, and nobody''s approval of change %s is recorded', own.id, own.change_id)
        FROM own LEFT JOIN public.changes AS c ON c.id = own.change_id
        WHERE own.review = 'approved' AND NOT EXISTS (
            SELECT FROM public.change_decisions AS d
            WHERE d.change_id = c.id AND d.decision = 'approve' AND d.proposal_hash = c.proposal_hash AND d.person <> c.author)
        UNION ALL
        SELECT u.revision, format('break-glass of %s wrote revision %s, which is %s', u.incident, u.revision,
            CASE WHEN own.id IS NULL THEN 'not there' ELSE 'not what was recorded then' END)
        FROM public.break_glass_uses AS u LEFT JOIN own ON own.id = u.revision
        WHERE u.revision > p_after AND (own.review, own.scope, own.updated_by, own.change_reason)
            IS DISTINCT FROM ('break-glass', u.scope, u.person, 'break-glass-' || u.incident)
        UNION ALL
        SELECT own.id, format('revision %s was written by break-glass, and no use of it is recorded', own.id)
        FROM own LEFT JOIN public.break_glass_uses AS u ON u.revision = own.id
        WHERE own.review = 'break-glass' AND u.revision IS NULL
        UNION ALL
        SELECT DISTINCT told.revision, format('snapshot %s was made of revision %s of %s, and history has another one of this number',
            left(f.hash, 12), told.revision, told.scope)
        FROM public.snapshot_frames AS f, LATERAL (
            SELECT layer ->> 'scope' AS scope, (layer ->> 'revision')::bigint AS revision, layer ->> 'hash' AS hash,
                   layer ->> 'author' AS author
            FROM json_array_elements(f.frame -> 'layers') AS layer) AS told
        WHERE f.newest > p_after AND told.revision > p_after AND NOT EXISTS (
            SELECT FROM public.ftf_config_history AS h
            WHERE (h.id, h.scope, h.hash, h.updated_by) = (told.revision, told.scope, told.hash, told.author))
        UNION ALL
        SELECT DISTINCT coalesce(told.id, e.revision), format('history by key does not say of revision %s what its diff says',
            coalesce(told.id, e.revision))
        FROM (SELECT h.id, edit ->> 'key' AS key, edit -> 'new' AS new FROM public.ftf_config_history AS h, jsonb_array_elements(h.diff) AS edit
              WHERE h.id > p_after) AS told
        FULL JOIN (SELECT * FROM public.ftf_config_edits WHERE revision > p_after) AS e ON e.revision = told.id AND e.key = told.key
        WHERE told.id IS NULL OR e.revision IS NULL OR told.new IS DISTINCT FROM e.new
    ) AS found
    ORDER BY revision, problem
$$;
COMMENT ON FUNCTION public.contradictions IS 'Where the revisions after one say other than changes, decisions, break-glass and snapshots that were handed out.';

REVOKE ALL ON FUNCTION public.contradictions(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.contradictions(bigint) TO setpoint_app;
