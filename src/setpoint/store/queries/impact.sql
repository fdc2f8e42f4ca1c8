-- What a change would touch: the runs made with the values it replaces, and the best trials its ranges would cut off.

-- name: runs_that_used
-- Runs of which a snapshot took the value a change replaces from its scope, newest first, with the keys. A run that has not ended counts.
SELECT r.id, r.started_at, r.state, jsonb_agg(DISTINCT (e ->> 'key') COLLATE "C") AS keys
FROM changes AS c
CROSS JOIN finetune_runs AS r
JOIN finetune_contexts AS p ON p.run_id = r.id
CROSS JOIN jsonb_array_elements(p.layers) WITH ORDINALITY AS layer (pinned, position)
JOIN ftf_config_history AS h ON h.id = (pinned ->> 'revision')::bigint
CROSS JOIN jsonb_array_elements(c.edits) AS e
WHERE c.id = %(id)s AND pinned ->> 'scope' = c.scope
  AND h.base_env -> (e ->> 'key') = e -> 'old'
  AND (r.read_keys IS NULL OR r.read_keys ? (e ->> 'key'))
  AND NOT EXISTS (
    SELECT FROM jsonb_array_elements(p.layers) WITH ORDINALITY AS later (pinned, position)
    JOIN ftf_config_history AS o ON o.id = (later.pinned ->> 'revision')::bigint
    WHERE later.position > layer.position AND o.base_env ? (e ->> 'key'))
GROUP BY r.id, r.started_at, r.state
ORDER BY r.started_at DESC, r.id;

-- name: best_trial_values
-- The value of one parameter in the best trial of each result whose unit's context a scope applies in.
SELECT t.params -> %(parameter)s AS value, count(*) AS trials
FROM finetune_results AS u
JOIN finetune_units AS d USING (run_id, symbol, model, timeframe, variant, fold)
JOIN finetune_contexts AS r ON r.run_id = d.run_id AND r.context = d.context
JOIN finetune_trials AS t ON (t.run_id, t.symbol, t.model, t.timeframe, t.variant, t.fold, t.trial)
                           = (u.run_id, u.symbol, u.model, u.timeframe, u.variant, u.fold, u.trial_id)
WHERE u.model = %(model)s AND u.timeframe = %(timeframe)s AND t.params ? %(parameter)s
  AND EXISTS (SELECT FROM jsonb_array_elements(r.layers) AS pinned WHERE pinned ->> 'scope' = %(scope)s)
GROUP BY 1
ORDER BY 1;
