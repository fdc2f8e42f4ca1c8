-- What a change would touch: the runs made with the values it replaces, and the best trials its ranges would cut off.

-- name: runs_that_used
-- Runs of which a snapshot took the value a change replaces from its scope, newest first, with the keys. A run that has not ended counts.
WITH edit AS (
    SELECT c.scope, e ->> 'key' AS key, e -> 'old' AS old
    FROM changes AS c LEFT JOIN ftf_config_history AS h ON h.id = c.applied_revision,
         jsonb_array_elements(coalesce(c.edits, h.diff)) AS e
    WHERE c.id = %(id)s
), held AS (
    -- From which revision on, and up to which, the scope held the very value.
    SELECT edit.scope, edit.key, was.first, was.next
    FROM edit
    CROSS JOIN LATERAL (
        SELECT b.new, b.revision AS first, lead(b.revision, 1, 9223372036854775807) OVER (ORDER BY b.revision) AS next
        FROM ftf_config_edits AS b
        WHERE b.scope = edit.scope AND b.key = edit.key) AS was
    WHERE was.new = edit.old
)
SELECT r.id, r.started_at, r.state, jsonb_agg(DISTINCT held.key COLLATE "C") AS keys
FROM held
JOIN finetune_layers AS l ON l.scope = held.scope AND l.revision >= held.first AND l.revision < held.next
CROSS JOIN LATERAL uses_of(l.run_id, l.context, l.position, held.key) AS used (run)
JOIN finetune_runs AS r ON r.id = used.run
GROUP BY r.id, r.started_at, r.state
ORDER BY r.started_at DESC, r.id;

-- name: best_trial_values
-- The value of one parameter in the best trial of each result whose unit's context a scope applies in.
SELECT t.params -> %(parameter)s AS value, count(*) AS trials
FROM finetune_results AS u
JOIN finetune_units AS d USING (run_id, symbol, model, timeframe, variant, fold)
JOIN finetune_trials AS t ON (t.run_id, t.symbol, t.model, t.timeframe, t.variant, t.fold, t.trial, t.recorded_at)
                           = (u.run_id, u.symbol, u.model, u.timeframe, u.variant, u.fold, u.trial_id, u.created_at)
WHERE u.model = %(model)s AND u.timeframe = %(timeframe)s AND u.id > 0 AND t.params ? %(parameter)s
  AND EXISTS (SELECT FROM finetune_layers AS l WHERE l.run_id = d.run_id AND l.context = d.context AND l.scope = %(scope)s)
GROUP BY 1
ORDER BY 1;
