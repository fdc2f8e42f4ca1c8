-- Runs and what they produced. Inserts are idempotent: a resumed sweep may deliver a unit twice.

-- name: insert_snapshot
-- Keep the text a run pinned; nothing happens when it is known.
INSERT INTO snapshots (hash, text)
VALUES (%(hash)s, %(text)s)
ON CONFLICT (hash) DO NOTHING;

-- name: insert_snapshot_set
-- Keep the text of what a run pinned; nothing happens when it is known.
INSERT INTO snapshot_sets (hash, text)
VALUES (%(hash)s, %(text)s)
ON CONFLICT (hash) DO NOTHING;

-- name: insert_run
-- Declare a run before its first unit; nothing happens when it is known.
INSERT INTO finetune_runs (id, snapshot_hash, set_hash, context, layers, catalogues, versions, git_commit, data_hash,
                           data_label, seed, processes, threads, universe, n_units, plan, started_by, host)
VALUES (%(id)s, %(snapshot_hash)s, %(set_hash)s, %(context)s, %(layers)s, %(catalogues)s, %(versions)s, %(git_commit)s,
        %(data_hash)s, %(data_label)s, %(seed)s, %(processes)s, %(threads)s, %(universe)s, %(n_units)s, %(plan)s,
        %(started_by)s, %(host)s)
ON CONFLICT (id) DO NOTHING;

-- name: insert_context
-- One snapshot of a run: the base's, or that of a context which its units resolve in.
INSERT INTO finetune_contexts (run_id, context, snapshot_hash, layers)
VALUES (%(run_id)s, %(context)s, %(snapshot_hash)s, %(layers)s);

-- name: insert_units
-- Some of the units that a run declares, in its order.
INSERT INTO finetune_units (run_id, symbol, model, timeframe, variant, fold, position, context, snapshot_hash)
SELECT %(run_id)s, symbol, model, timeframe, variant, fold, position, context, snapshot_hash
FROM jsonb_to_recordset(%(units)s) AS declared (symbol text, model text, timeframe text, variant text, fold integer,
                                                position integer, context jsonb, snapshot_hash text);

-- name: list_units
-- The units that a run declares, in its order, from a position on.
SELECT symbol, model, timeframe, variant, fold, position, context, snapshot_hash
FROM finetune_units
WHERE run_id = %(run_id)s AND position >= %(first)s
ORDER BY position
LIMIT %(limit)s;

-- name: read_reported_units
-- The snapshot that a run declares for each unit that is reported, null for a unit that is none of its own.
-- Whether the run is there, too; whoever may not report on it is refused. Units are looked up one by one, each by
-- its key: a join may be planned to read every unit of the run. The month that trials come in is made where it is missing.
WITH asked AS MATERIALIZED (
    SELECT may_report(%(run_id)s) AS is_there,
           (SELECT make_months(false)
            WHERE to_regclass(format('public.%%I', name_of_month('finetune_trials', clock_timestamp() AT TIME ZONE 'UTC'))) IS NULL) AS made
)
SELECT asked.is_there, (SELECT u.snapshot_hash FROM finetune_units AS u
        WHERE u.run_id = %(run_id)s AND u.symbol = sent.symbol AND u.model = sent.model AND u.timeframe = sent.timeframe
          AND u.variant = sent.variant AND u.fold = sent.fold LIMIT 1) AS snapshot_hash
FROM asked, ROWS FROM (jsonb_to_recordset(%(units)s) AS (symbol text, model text, timeframe text, variant text, fold integer))
    WITH ORDINALITY AS sent (symbol, model, timeframe, variant, fold, place)
ORDER BY sent.place;

-- name: may_report
-- Whether a run is there; whoever may not report on it is refused.
SELECT may_report(%(run_id)s) AS is_there;

-- name: read_snapshot_text
-- The text of a snapshot that runs pinned.
SELECT text FROM snapshots WHERE hash = %(hash)s;

-- name: lock_run
-- A run whose units are declared, page by page, one writer at a time.
SELECT id, n_units, context, plan -> 'dimensions' AS dimensions
FROM finetune_runs
WHERE id = %(id)s
FOR NO KEY UPDATE;

-- name: list_pinned
-- The snapshots of a run by context.
SELECT context, snapshot_hash FROM finetune_contexts WHERE run_id = %(run_id)s;

-- name: count_units
-- How many units a run declares, and how many of them are known; asked once, when it is complete.
SELECT n_units, (SELECT count(*) FROM finetune_units AS u WHERE u.run_id = r.id) AS declared
FROM finetune_runs AS r
WHERE id = %(run_id)s;

-- name: list_contexts
-- The snapshots of a run by context, the base first, each with its text.
SELECT c.context, c.snapshot_hash, c.layers, s.text
FROM finetune_contexts AS c
JOIN snapshots AS s ON s.hash = c.snapshot_hash
WHERE c.run_id = %(run_id)s
ORDER BY (SELECT count(*) FROM jsonb_object_keys(c.context)), c.context;

-- name: update_run_state
-- Say how a run stands, and whether it has ended now.
UPDATE finetune_runs
SET state = %(state)s, finished_at = CASE WHEN %(is_over)s THEN now() END,
    read_set = CASE WHEN %(read_keys)s::jsonb IS NULL THEN read_set ELSE keep_read_set(%(read_keys)s::jsonb) END,
    fallbacks = coalesce(%(fallbacks)s::jsonb, fallbacks)
WHERE id = %(id)s;

-- name: insert_results
-- Results of units with their trials, columns by name, and which they are; a unit that is recorded stays as it is.
WITH made AS (
    INSERT INTO finetune_results OVERRIDING USER VALUE
    SELECT sent.*
    FROM jsonb_array_elements(%(results)s) AS given,
         jsonb_populate_record(NULL::finetune_results, given || jsonb_build_object('created_at', now())) AS sent
    ON CONFLICT (run_id, symbol, model, timeframe, variant, fold) DO NOTHING
    RETURNING run_id, symbol, model, timeframe, variant, fold
), tried AS (
    INSERT INTO finetune_trials
    SELECT sent.*
    FROM jsonb_populate_recordset(
        jsonb_populate_record(NULL::finetune_trials, jsonb_build_object('recorded_at', now())), %(trials)s) AS sent
    JOIN made USING (run_id, symbol, model, timeframe, variant, fold)
)
SELECT symbol, model, timeframe, variant, fold FROM made;

-- name: insert_failures
-- Units that could not be trained, and which they are; nothing happens to those that are recorded.
INSERT INTO finetune_failures (run_id, symbol, model, timeframe, variant, fold, code, message, worker, worker_time_sec)
SELECT %(run_id)s, symbol, model, timeframe, variant, fold, code, message, worker, worker_time_sec
FROM jsonb_to_recordset(%(failures)s) AS sent (symbol text, model text, timeframe text, variant text, fold integer,
                                               code text, message text, worker text, worker_time_sec float8)
ON CONFLICT (run_id, symbol, model, timeframe, variant, fold) DO NOTHING
RETURNING symbol, model, timeframe, variant, fold;

-- name: page_runs
-- Runs newest first, from one on, with how many units ended; a null filter means all. A revision is that of a layer
-- they pinned; with a key it is any that held the key's value of then, and the run used it. Of `set_by` a run used at
-- least one value that the revision set, pinned with it or later, before it was set anew.
SELECT r.id, r.started_at, r.finished_at, r.state, r.snapshot_hash, r.set_hash, r.context, r.universe, r.data_label,
       r.git_commit, r.seed, r.processes, r.threads, r.started_by, r.host, r.fallbacks,
       (SELECT count(*) FROM finetune_results AS u WHERE u.run_id = r.id) AS n_results,
       (SELECT count(*) FROM finetune_failures AS f WHERE f.run_id = r.id) AS n_failures,
       r.n_units
FROM finetune_runs AS r
WHERE (%(state)s::text IS NULL OR r.state = %(state)s)
  AND (%(snapshot)s::text IS NULL OR r.id = ANY (ARRAY(
       SELECT s.id FROM finetune_runs AS s WHERE s.set_hash = %(snapshot)s
       UNION SELECT c.run_id FROM finetune_contexts AS c WHERE c.snapshot_hash = %(snapshot)s)))
  AND (%(revision)s::bigint IS NULL OR r.id = ANY (ARRAY(
       SELECT l.run_id
       FROM ftf_config_history AS h
       CROSS JOIN LATERAL (
           SELECT coalesce(max(b.revision) FILTER (WHERE b.revision <= h.id), h.id) AS first,
                  coalesce(min(b.revision) FILTER (WHERE b.revision > h.id),
                           CASE WHEN %(key)s::text IS NULL THEN h.id + 1 ELSE 9223372036854775807 END) AS next
           FROM ftf_config_edits AS b
           WHERE b.scope = h.scope AND b.key = %(key)s) AS held
       JOIN finetune_layers AS l ON l.scope = h.scope AND l.revision >= held.first AND l.revision < held.next
       WHERE h.id = %(revision)s
         AND (%(key)s::text IS NULL OR EXISTS (SELECT FROM uses_of(l.run_id, l.context, l.position, %(key)s))))))
  AND (%(key)s::text IS NULL OR r.read_set IS NULL
       OR EXISTS (SELECT FROM read_set_keys AS k WHERE k.key = %(key)s AND k.set_hash = r.read_set))
  AND (%(set_by)s::bigint IS NULL OR r.id = ANY (ARRAY(SELECT runs_set_by(%(set_by)s))))
  AND (%(started_by)s::text IS NULL OR r.started_by = %(started_by)s)
  AND (%(before)s::timestamptz IS NULL OR r.started_at < %(before)s)
ORDER BY r.started_at DESC, r.id DESC
LIMIT %(limit)s;

-- name: newest_judged_run
-- The newest complete run of values that stood: none that trained a change's candidate.
SELECT id
FROM finetune_runs AS r
WHERE state = 'complete'
  -- One by one, newest first: a join may be planned to read all of both.
  AND (SELECT k.arm FROM change_runs AS k WHERE k.run_id = r.id) IS DISTINCT FROM 'candidate'
ORDER BY started_at DESC
LIMIT 1;

-- name: list_runs_set_by
-- Of the runs that used a value which a revision set, the first and the newest ones, newest first, with how many there are.
WITH used AS MATERIALIZED (
    SELECT r.id, r.started_at, count(*) OVER () AS n_runs, row_number() OVER (ORDER BY r.started_at, r.id) AS number
    FROM runs_set_by(%(revision)s) AS u (id) JOIN finetune_runs AS r USING (id)
)
SELECT r.id, r.started_at, r.finished_at, r.state, r.n_units, r.started_by, r.fallbacks, u.n_runs,
       (SELECT count(*) FROM finetune_results AS t WHERE t.run_id = r.id) AS n_results,
       (SELECT count(*) FROM finetune_failures AS f WHERE f.run_id = r.id) AS n_failures,
       (SELECT count(*) FROM (SELECT FROM event_log AS e WHERE e.run = r.id LIMIT %(most_events)s) AS told) AS n_events
FROM used AS u JOIN finetune_runs AS r ON r.id = u.id
WHERE u.number = 1 OR u.number > u.n_runs - %(limit)s
ORDER BY r.started_at DESC, r.id DESC;

-- name: read_reach_of_runs
-- Of some runs the contexts that they pinned, and when each was last heard of.
SELECT r.id,
       (SELECT jsonb_agg(c.context ORDER BY c.context) FROM finetune_contexts AS c WHERE c.run_id = r.id) AS contexts,
       (SELECT max(u.created_at) FROM finetune_results AS u WHERE u.run_id = r.id) AS heard_at
FROM finetune_runs AS r
WHERE r.id = ANY (ARRAY(SELECT jsonb_array_elements_text(%(runs)s)));

-- name: list_running_contexts
-- What the newest runs that have not ended pinned, by context; a candidate is no value that ever stood.
SELECT r.id, c.context, c.snapshot_hash
FROM (SELECT id FROM finetune_runs AS f WHERE state = 'running'
      AND NOT EXISTS (SELECT FROM change_runs AS k WHERE k.run_id = f.id AND k.arm = 'candidate') ORDER BY started_at DESC LIMIT %(limit)s) AS r
JOIN finetune_contexts AS c ON c.run_id = r.id;

-- name: page_results
-- Results in the order in which they were recorded, after one; a null filter means all.
SELECT *
FROM finetune_results
WHERE id > %(after)s AND (%(run_id)s::text IS NULL OR run_id = %(run_id)s)
  AND (%(snapshot)s::text IS NULL OR snapshot_hash = %(snapshot)s)
  AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s) AND (%(model)s::text IS NULL OR model = %(model)s)
ORDER BY id
LIMIT %(limit)s;

-- name: page_trials
-- The tuning trials of a run in the order of its units, after one of them.
SELECT u.position, t.run_id, t.symbol, t.model, t.timeframe, t.variant, t.fold, t.trial, t.params, t.value, t.state,
       t.n_trees_used, t.findings, t.violations
FROM finetune_units AS u
JOIN finetune_results AS r USING (run_id, symbol, model, timeframe, variant, fold)
JOIN finetune_trials AS t ON (t.run_id, t.symbol, t.model, t.timeframe, t.variant, t.fold, t.recorded_at)
                           = (r.run_id, r.symbol, r.model, r.timeframe, r.variant, r.fold, r.created_at)
WHERE u.run_id = %(run_id)s AND u.position >= %(position)s AND (u.position > %(position)s OR t.trial > %(trial)s)
ORDER BY u.position, t.trial
LIMIT %(limit)s;

-- name: list_trial_points
-- What the tuning trials of a run's units of one model and timeframe tried and reached, in their order; a null position means all units.
SELECT u.position, t.trial, t.value, t.params
FROM finetune_units AS u
JOIN finetune_trials AS t USING (run_id, symbol, model, timeframe, variant, fold)
WHERE u.run_id = %(run_id)s AND u.model = %(model)s AND u.timeframe = %(timeframe)s
  AND (%(position)s::integer IS NULL OR u.position = %(position)s)
ORDER BY u.position, t.trial
LIMIT %(limit)s;

-- name: count_recent_values
-- How many trials of recent runs lie in each bin of given ranges, on their own scales; of each model some of the newest.
WITH asked AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(ranges)s) AS a(key text, model text, timeframe text, parameter text,
                                                    low float8, high float8, is_log boolean)
), recent AS MATERIALIZED (
    SELECT id FROM finetune_runs ORDER BY started_at DESC LIMIT %(most_runs)s
), tried AS MATERIALIZED (
    SELECT one.model, one.timeframe, one.params
    FROM (SELECT DISTINCT model FROM asked) AS wanted
    CROSS JOIN LATERAL (
        SELECT each.model, each.timeframe, each.params
        FROM recent AS r
        CROSS JOIN LATERAL (
            SELECT t.model, t.timeframe, t.params
            FROM finetune_trials AS t
            WHERE t.run_id = r.id AND t.model = wanted.model
            ORDER BY t.run_id, t.symbol, t.model, t.timeframe, t.variant, t.fold, t.trial
            LIMIT %(most_trials)s) AS each
        LIMIT %(most_trials)s) AS one
), placed AS (
    SELECT a.key, CASE WHEN a.is_log THEN ln(greatest(v.value, a.low) / a.low) / ln(a.high / a.low)
                       ELSE (v.value - a.low) / (a.high - a.low) END AS place
    FROM asked AS a
    JOIN tried AS t ON t.model = a.model AND t.timeframe = a.timeframe
    CROSS JOIN LATERAL (SELECT (t.params ->> a.parameter)::float8 AS value
                        WHERE jsonb_typeof(t.params -> a.parameter) = 'number') AS v
)
SELECT key, least(greatest(floor(place * %(bins)s), 0), %(bins)s - 1)::integer AS bin, count(*) AS trials
FROM placed
GROUP BY 1, 2;

-- name: read_run
-- One run, whole, with the keys that it read.
SELECT r.id, r.started_at, r.finished_at, r.state, r.snapshot_hash, r.set_hash, r.context, r.layers, r.catalogues, r.versions,
       r.git_commit, r.data_hash, r.data_label, r.seed, r.processes, r.threads, r.universe, r.n_units, r.plan, r.fallbacks,
       r.started_by, r.host, s.keys AS read_keys
FROM finetune_runs AS r
LEFT JOIN read_sets AS s ON s.hash = r.read_set
WHERE r.id = %(id)s;

-- name: list_results
-- The results of a run, in the order of its units' names; a null limit means all.
SELECT *
FROM finetune_results
WHERE run_id = %(run_id)s
ORDER BY run_id, symbol, model, timeframe, variant, fold
LIMIT %(limit)s;

-- name: count_ended
-- How many units of a run have a result, and how many failed.
SELECT (SELECT count(*) FROM finetune_results AS u WHERE u.run_id = %(run_id)s) AS n_results,
       (SELECT count(*) FROM finetune_failures AS f WHERE f.run_id = %(run_id)s) AS n_failures;

-- name: list_scores
-- Each unit that a run declares, in its order, with the scores that its verdict is made of; nulls without a result.
SELECT u.symbol, u.model, u.timeframe, u.variant, u.fold, r.f1_buy_val, r.always_buy_f1_val,
       (r.metrics #>> '{val,auc}')::float8 AS auc_val
FROM finetune_units AS u
LEFT JOIN finetune_results AS r USING (run_id, symbol, model, timeframe, variant, fold)
WHERE u.run_id = %(run_id)s
ORDER BY u.position;

-- name: list_pairs
-- Each unit that two runs tried, with what each scored, in the order in which the first of them scored; nulls where it failed.
SELECT u.symbol, u.model, o.f1_buy_val AS old, n.f1_buy_val AS new
FROM finetune_units AS u
LEFT JOIN finetune_results AS n USING (run_id, symbol, model, timeframe, variant, fold)
LEFT JOIN finetune_failures AS failed USING (run_id, symbol, model, timeframe, variant, fold)
LEFT JOIN finetune_results AS o ON (o.run_id, o.symbol, o.model, o.timeframe, o.variant, o.fold)
    = (%(against)s, u.symbol, u.model, u.timeframe, u.variant, u.fold)
LEFT JOIN finetune_failures AS lost ON (lost.run_id, lost.symbol, lost.model, lost.timeframe, lost.variant, lost.fold)
    = (%(against)s, u.symbol, u.model, u.timeframe, u.variant, u.fold)
WHERE u.run_id = %(run_id)s AND num_nonnulls(n.id, failed.run_id) > 0 AND num_nonnulls(o.id, lost.run_id) > 0
ORDER BY n.id, u.position;

-- name: read_unlike
-- In what two runs differ besides their values, so that they are no pair.
SELECT unlike_arms(o, n) AS unlike
FROM finetune_runs AS n, finetune_runs AS o
WHERE n.id = %(run_id)s AND o.id = %(against)s;

-- name: list_result_lines
-- Of each result of a run what its report shows, in the order of asset, model and fold.
SELECT symbol, model, fold, trial_id, model_hash, n_trees_used, threshold, f1_buy_val, f1_buy_test, always_buy_f1_val,
       always_buy_f1_test, (metrics #>> '{val,auc}')::float8 AS auc_val
FROM finetune_results
WHERE run_id = %(run_id)s
ORDER BY run_id, symbol, model, timeframe, variant, fold;

-- name: average_trades
-- By model and assumed cost of a run what following its units' signals came to: means over the units that have a number.
SELECT r.model, t.key AS cost, count(*) AS units, avg((t.value ->> 'n_trades')::float8) AS n_trades,
       avg((t.value ->> 'return')::float8) AS net_return, avg((t.value ->> 'win_rate')::float8) AS win_rate,
       avg((t.value ->> 'expectancy')::float8) AS expectancy
FROM finetune_results AS r, jsonb_each(r.metrics -> 'trades') AS t
WHERE r.run_id = %(run_id)s
GROUP BY r.model, t.key
ORDER BY r.model, length(t.key), t.key COLLATE "C";

-- name: count_findings
-- By model and parameter of a run what attestation found, in how many units, with the values of the first that was
-- recorded. All results are read once, however few of them have a finding, and of each finding one more.
WITH counted AS (
    SELECT r.model, f ->> 'param' AS param, f ->> 'finding' AS finding, count(*) AS units, min(r.id) AS first
    FROM finetune_results AS r, jsonb_array_elements(r.findings) AS f
    WHERE r.run_id = %(run_id)s
    GROUP BY 1, 2, 3
)
SELECT c.model, c.param, c.finding, c.units, said.value -> 'asked' AS asked, said.value -> 'effective' AS effective
FROM counted AS c CROSS JOIN LATERAL (
    SELECT f.value
    FROM finetune_results AS r, jsonb_array_elements(r.findings) AS f
    WHERE r.id = c.first AND f.value ->> 'param' = c.param AND f.value ->> 'finding' = c.finding
    LIMIT 1) AS said
ORDER BY c.model, c.param COLLATE "C", c.finding COLLATE "C";

-- name: list_endings
-- When the newest of a run's units ended, at most so many of each kind.
(SELECT created_at FROM finetune_results WHERE run_id = %(run_id)s ORDER BY run_id DESC, id DESC LIMIT %(limit)s)
UNION ALL
(SELECT created_at FROM finetune_failures WHERE run_id = %(run_id)s ORDER BY created_at DESC LIMIT %(limit)s);

-- name: list_workers
-- By worker of a run how many of its units ended and failed, how long they took, and when it was heard of; the last first.
SELECT worker, count(*) AS units, count(*) FILTER (WHERE is_failure) AS failed, sum(worker_time_sec) AS worker_time_sec,
       max(created_at) AS heard_at
FROM (SELECT worker, worker_time_sec, created_at, false AS is_failure FROM finetune_results WHERE run_id = %(run_id)s
      UNION ALL
      SELECT worker, worker_time_sec, created_at, true FROM finetune_failures WHERE run_id = %(run_id)s) AS ended
GROUP BY worker
ORDER BY heard_at DESC, worker;

-- name: list_importance
-- By model and timeframe of a run how much each searched parameter mattered, over the units with an importance; nulls mean all.
WITH told AS (
    SELECT r.model, r.timeframe, r.importance, r.importance_by
    FROM finetune_results AS r
    WHERE r.run_id = %(run_id)s AND r.importance <> '{}'
      AND (%(model)s::text IS NULL OR r.model = %(model)s) AND (%(timeframe)s::text IS NULL OR r.timeframe = %(timeframe)s)
      AND (%(position)s::integer IS NULL OR EXISTS (
           SELECT FROM finetune_units AS u
           WHERE (u.run_id, u.symbol, u.model, u.timeframe, u.variant, u.fold)
               = (r.run_id, r.symbol, r.model, r.timeframe, r.variant, r.fold) AND u.position = %(position)s))
), groups AS (
    SELECT model, timeframe, count(*) AS units, string_agg(DISTINCT importance_by, '; ') AS evaluator
    FROM told GROUP BY model, timeframe
)
SELECT g.model, g.timeframe, g.evaluator, g.units, share.key AS param, avg(share.value::float8) AS mean,
       min(share.value::float8) AS low, max(share.value::float8) AS high
FROM groups AS g JOIN told AS t USING (model, timeframe) CROSS JOIN LATERAL jsonb_each_text(t.importance) AS share
GROUP BY g.model, g.timeframe, g.evaluator, g.units, share.key
ORDER BY g.model, g.timeframe, mean DESC, share.key COLLATE "C";

-- name: count_units_of_contexts
-- How many units of a run train with each context.
SELECT context, count(*) AS units
FROM finetune_units
WHERE run_id = %(run_id)s
GROUP BY context;

-- name: list_failures
-- The units of a run that could not be trained, in its order, from a position on.
SELECT u.position, f.run_id, f.symbol, f.model, f.timeframe, f.variant, f.fold, f.code, f.message, f.created_at
FROM finetune_failures AS f
JOIN finetune_units AS u USING (run_id, symbol, model, timeframe, variant, fold)
WHERE f.run_id = %(run_id)s AND u.position >= %(first)s
ORDER BY u.position
LIMIT %(limit)s;

-- name: list_unasked_scopes
-- Overlays with values that no run and no program that pinned from a plane resolved in; none while there was neither.
WITH asked AS (
    SELECT context FROM finetune_contexts UNION ALL SELECT (frame -> 'context')::jsonb FROM snapshot_frames
)
SELECT f.scope
FROM ftf_config AS f
WHERE f.scope <> 'global' AND f.base_env <> '{}' AND EXISTS (SELECT FROM asked)
  AND NOT EXISTS (SELECT FROM asked, jsonb_each_text(asked.context) AS named
                  WHERE f.scope = named.key || '=' || named.value)
ORDER BY f.scope;

-- name: last_reads
-- Of some keys, the newest run that really read each; keys that no run read are not there.
SELECT DISTINCT ON (k.key) k.key, r.id AS run, r.started_at
FROM read_set_keys AS k
CROSS JOIN LATERAL (
    SELECT id, started_at FROM finetune_runs WHERE read_set = k.set_hash ORDER BY started_at DESC LIMIT 1
) AS r
WHERE k.key IN (SELECT jsonb_array_elements_text(%(keys)s))
ORDER BY k.key, r.started_at DESC;

-- name: list_read_keys
-- The keys that any run really read, from one to the next one, over however many runs read them.
WITH RECURSIVE known (key) AS (
    SELECT min(key) FROM read_set_keys
    UNION ALL
    SELECT (SELECT min(k.key) FROM read_set_keys AS k WHERE k.key > known.key) FROM known WHERE known.key IS NOT NULL
)
SELECT key
FROM known
WHERE EXISTS (SELECT FROM read_set_keys AS k JOIN finetune_runs AS r ON r.read_set = k.set_hash WHERE k.key = known.key)
ORDER BY key;
