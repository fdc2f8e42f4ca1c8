-- What metrics are read from: kept totals, the last minutes, and bounded looks into what grows.

-- name: list_event_totals
-- How often each counted thing was told, ever.
SELECT name, model, timeframe, label, total
FROM event_totals;

-- name: recent_events
-- What arrived in the last day, by model and timeframe; fallbacks of the last six hours beside it.
SELECT model, timeframe, sum(fallbacks)::bigint AS fallbacks, sum(units_started)::bigint AS units_started,
       sum(units_fell_back)::bigint AS units_fell_back,
       coalesce(sum(fallbacks) FILTER (WHERE minute BETWEEN clock_timestamp() - interval '6 hours' AND clock_timestamp()), 0)::bigint AS fallbacks_6h,
       min(learning_rate) AS learning_rate, min(max_depth) AS max_depth, min(best_iteration) AS best_iteration,
       min(n_trees_used) AS n_trees_used
FROM event_minutes
WHERE minute BETWEEN clock_timestamp() - interval '24 hours' AND clock_timestamp()
GROUP BY model, timeframe;

-- name: newest_coverage_audit
-- The newest reading of coverage that a scheduler told of, and when it was read.
SELECT coalesce(fields ->> 'coverage_pct', '') AS coverage_pct,
       extract(epoch FROM coalesce(at, received_at))::float8 AS read_s
FROM event_log
WHERE name = 'coverage_audited'
ORDER BY id DESC
LIMIT 1;

-- name: list_revision_totals
-- Revisions by how they were reviewed, and restores.
SELECT kind, total
FROM revision_totals;

-- name: count_open_changes
-- Open changes by state.
SELECT state, count(*) AS total
FROM changes
WHERE state IN ('draft', 'proposed', 'suspended')
GROUP BY state;

-- name: count_waiting_approvals
-- Proposed changes that lack an approval, and since when the oldest waits.
SELECT count(*) AS waiting,
       coalesce(extract(epoch FROM clock_timestamp() - min(proposed_at)), 0)::float8 AS oldest_s
FROM (SELECT * FROM changes WHERE state = 'proposed' ORDER BY id LIMIT 500) AS proposed
WHERE (SELECT count(*) FROM approvals_of(proposed)) < (SELECT approvals FROM required_of(proposed));

-- name: count_emergencies
-- Uses of break-glass, and what is owed for them.
SELECT (SELECT count(*) FROM break_glass_uses) AS uses,
       (SELECT count(*) FROM obligations WHERE met_at IS NULL) AS open,
       (SELECT count(*) FROM obligations WHERE met_at IS NULL AND due_at < clock_timestamp()) AS overdue;

-- name: count_streams
-- Streams that are open at all processes; one that is silent for ten seconds has none.
SELECT coalesce(sum(amount), 0)::bigint AS total
FROM process_shares
WHERE kind = 'streams' AND caller = 'account' AND seen BETWEEN clock_timestamp() - interval '10 s' AND clock_timestamp();

-- name: count_holders
-- Processes that were seen within the hour; the plane keeps a bounded number of them.
SELECT count(*) AS total
FROM snapshot_holders
WHERE seen BETWEEN clock_timestamp() - interval '1 hour' AND clock_timestamp();

-- name: oldest_snapshots
-- For how long the processes with the oldest snapshots have held theirs.
SELECT extract(epoch FROM clock_timestamp() - since)::float8 AS held_s
FROM snapshot_holders
ORDER BY since
LIMIT %(limit)s;

-- name: first_learning_rates
-- Where the ranges of the learning rate began in revision 1, if that is of the global document.
SELECT v.key, v.value::float8 AS value
FROM ftf_config_history AS h CROSS JOIN LATERAL jsonb_each(h.base_env) AS v
WHERE h.id = 1 AND h.scope = 'global' AND v.key LIKE '%%\_LEARNING\_RATE\_RANGE\_MIN' AND jsonb_typeof(v.value) = 'number' AND v.value <> '0';

-- name: newest_scores
-- Mean scores of the newest complete run by model and asset, beside those of always saying BUY.
WITH newest AS (SELECT id FROM finetune_runs WHERE state = 'complete' ORDER BY started_at DESC LIMIT 1)
SELECT r.model, r.symbol, avg(r.f1_buy_val) AS f1_buy_val, avg(r.always_buy_f1_val) AS always_buy_f1_val, count(*) AS units
FROM finetune_results AS r JOIN newest ON newest.id = r.run_id
GROUP BY r.model, r.symbol
ORDER BY r.symbol, r.model;

-- name: recent_trainings
-- The newest 200 units of each place, of the last day, by machine, beside the baseline of that machine.
-- A place is asked for as a range, in the order of the index by place: it is not looked for among all results.
WITH told AS (
    SELECT p.model, p.timeframe, f.host, u.training_time_sec, u.n_trees_used
    FROM jsonb_to_recordset(%(places)s) AS p (model text, timeframe text)
    CROSS JOIN LATERAL (
        SELECT r.run_id, r.training_time_sec, r.n_trees_used, r.created_at FROM finetune_results AS r
        WHERE (r.model, r.timeframe, r.id) > (p.model, p.timeframe, 0) AND (r.model, r.timeframe) <= (p.model, p.timeframe)
          AND r.id > 0
        ORDER BY r.model DESC, r.timeframe DESC, r.id DESC LIMIT 200
    ) AS u
    JOIN finetune_runs AS f ON f.id = u.run_id
    WHERE u.created_at BETWEEN clock_timestamp() - interval '24 hours' AND clock_timestamp()
), newest AS (
    SELECT DISTINCT ON (model, timeframe, host) * FROM baselines ORDER BY model, timeframe, host, id DESC
)
SELECT t.model, t.timeframe, t.host, grouping(t.host) = 1 AS is_place,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY t.training_time_sec) AS training_time_p95_s,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY t.n_trees_used) AS n_trees_median,
       min(b.training_time_p95_s) AS baseline_p95_s, min(b.n_trees_median) AS baseline_trees
FROM told AS t LEFT JOIN newest AS b USING (model, timeframe, host)
GROUP BY GROUPING SETS ((t.model, t.timeframe), (t.model, t.timeframe, t.host));

-- name: database_sizes
-- What the database, and stored events in it, take on disk.
-- A table that is split takes nothing itself.
SELECT pg_database_size(current_database()) AS whole,
       (SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('event_log')) AS events;

-- name: set_baseline
-- Freeze what a run measured, for each model and timeframe on its machine.
SELECT * FROM set_baseline(%(run)s, %(reason)s);

-- name: list_baselines
-- The newest baseline of each model, timeframe and machine.
SELECT DISTINCT ON (model, timeframe, host) run, model, timeframe, host, units, training_time_p95_s, n_trees_median,
       reason, set_by, set_at
FROM baselines
ORDER BY model, timeframe, host, id DESC;
