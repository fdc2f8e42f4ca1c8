-- Checks of changes, and the runs that make them: the rules are in 0016_checks.sql.

-- name: register_run
-- Register the runs of a pair for a change, before they pin; a null one is not compared.
SELECT register_run(%(change)s, %(run)s, %(current)s, ARRAY(SELECT jsonb_array_elements_text(%(dimensions)s)));

-- name: read_registered
-- What a run was registered for.
SELECT run_id AS run, change_id AS change, arm, other, registered_by
FROM change_runs
WHERE run_id = %(run)s;

-- name: hold_registered
-- Refuse a registered run that begins with other values than it was registered for.
SELECT hold_registered(%(run)s);

-- name: attach_check
-- Attach what a registered run showed to its change, once.
SELECT attach_check(%(run)s, %(kind)s, %(result)s, ARRAY(SELECT jsonb_array_elements_text(%(reasons)s))) AS id;

-- name: list_checks
-- The checks of a change, oldest first, each with why it does not count.
SELECT k.id, k.kind, k.result, k.reasons, k.run_id AS run, k.current_run_id AS current_run, k.candidate_hash, k.build, k.data_hash,
       k.reported_by, k.reported_at, why_not_counted(k) AS why_not_counted
FROM change_checks AS k
WHERE k.change_id = %(change)s
ORDER BY k.id;
