-- Checks of changes, and the runs that make them: the rules are in 0016_checks.sql.

-- name: register_run
-- Register the runs of a pair for a change, before they pin; a null one is not compared, and the other has a time then.
SELECT register_run(%(change)s, %(run)s, %(current)s, ARRAY(SELECT jsonb_array_elements_text(%(dimensions)s))) AS within_s;

-- name: repeat_check
-- Say, as the person of this session, why the candidate of a change is trained once more with the same data.
SELECT repeat_check(%(change)s, %(words)s);

-- name: read_registered
-- What a run was registered for.
SELECT run_id AS run, change_id AS change, arm, other, registered_by
FROM change_runs
WHERE run_id = %(run)s;

-- name: read_pair
-- A run of a change's candidate, and the one of what stands beside it, where both began.
SELECT r.run_id AS run, r.other AS against
FROM change_runs AS r JOIN finetune_runs AS o ON o.id = r.other
WHERE r.run_id = %(run)s AND r.arm = 'candidate';

-- name: newest_pair
-- The newest run of a change's candidate that began, and the one of what stands beside it.
SELECT r.run_id AS run, r.other AS against
FROM change_runs AS r JOIN finetune_runs AS n ON n.id = r.run_id JOIN finetune_runs AS o ON o.id = r.other
WHERE r.change_id = %(change)s AND r.arm = 'candidate'
ORDER BY r.registered_at DESC
LIMIT 1;

-- name: attach_checks
-- Attach what a registered run, and its pair, showed to their change, once.
SELECT attach_checks(%(run)s);

-- name: list_checks
-- The checks of a change, oldest first, each with why it does not count.
SELECT k.id, k.kind, k.result, k.reasons, k.run_id AS run, k.current_run_id AS current_run, k.candidate_hash, k.build, k.data_hash,
       k.reported_by, k.reported_at, why_not_counted(k) AS why_not_counted, a.attempt, coalesce(a.earlier, '{}') AS earlier,
       a.repeated_because
FROM change_checks AS k LEFT JOIN LATERAL attempt_of(k.run_id) AS a ON k.kind = 'canary'
WHERE k.change_id = %(change)s
ORDER BY k.id;
