-- Rollouts: each statement that writes is a function of the migration of rollouts, where the rules are.

-- name: note_seeding
-- Sign that seeds are applied, with what they cover of these catalogues and of those in force.
SELECT s.person, s.proof, s.revision, s.coverage_pct, s.seeded_at FROM note_seeding(ARRAY(SELECT jsonb_array_elements_text(%(catalogues)s))) AS s;

-- name: start_stage
-- Start a stage, as the person of this session; the first start fixes the rules of all.
SELECT s.id
FROM start_stage(%(change)s, %(stage)s, %(context)s, ARRAY(SELECT jsonb_array_elements_text(%(scopes)s)),
                 %(expected_s)s, %(words)s) AS s;

-- name: skip_shadow
-- Skip the shadow of a change, with a justification; the first step fixes the rules of all stages.
SELECT s.id
FROM skip_shadow(%(change)s, %(context)s, ARRAY(SELECT jsonb_array_elements_text(%(scopes)s)),
                 %(expected_s)s, %(words)s) AS s;

-- name: note_shadow
-- Compare a run of the candidate with a baseline, and keep what was found.
SELECT s.outcome, s.evidence FROM note_shadow(%(change)s, %(run)s, %(baseline)s) AS s;

-- name: override_canary
-- Say that a change is applied without a passing canary; the second person confirms the first.
SELECT s.step FROM override_canary(%(change)s, %(proposal_hash)s, %(words)s) AS s;

-- name: act_on_canary
-- Keep what the runs of a canary said, and end a change whose canary says to roll back.
SELECT s.run, s.outcome FROM act_on_canary(%(change)s) AS s;

-- name: preapprove_restore
-- Approve beforehand, with the approval just given, that the keys of a change are brought back.
SELECT p.expires_at FROM preapprove_restore(%(change)s, %(proposal_hash)s, %(expires_at)s) AS p;

-- name: file_rollback
-- Open what brings the keys of a change in full back, where a later run says so; with why it waits.
SELECT b.change_id, b.run, b.restored_by, b.filed_because
FROM file_rollback(%(change)s) AS b
WHERE b.change_id IS NOT NULL;

-- name: note_rollback
-- Keep that a person rolled a change back, and how.
SELECT b.change_id FROM note_rollback(%(change)s, %(mechanism)s, %(words)s) AS b;

-- name: read_rollouts
-- The rollouts of some changes, with what each still lacks. A limit keeps a few from reading all changes.
SELECT r.change_id AS change, c.scope, c.author, c.reason, c.state, c.state_reason, c.proposal_hash, c.applied_revision, r.context,
       r.started_by, r.started_at, is_overridden(c) AS is_overridden,
       CASE WHEN c.state IN ('draft', 'proposed', 'suspended') THEN wanting_of(c) END AS wanting,
       (SELECT h.created_at FROM ftf_config_history AS h WHERE h.id = c.applied_revision) AS applied_at, clock_timestamp() AS now
FROM rollouts AS r CROSS JOIN LATERAL (SELECT * FROM changes AS own WHERE own.id = r.change_id LIMIT 1) AS c
WHERE r.change_id = ANY (ARRAY(SELECT jsonb_array_elements(%(changes)s)::bigint))
ORDER BY r.change_id DESC;

-- name: list_rollouts
-- Rollouts, newest change first, before one.
SELECT r.change_id AS change
FROM rollouts AS r
WHERE %(before)s::bigint IS NULL OR r.change_id < %(before)s
ORDER BY r.change_id DESC
LIMIT %(limit)s;

-- name: list_rollout_stages
-- What the stages of rollouts train, and what they are judged by, in their order.
SELECT change_id AS change, stage, assets, models, expected_s, rule
FROM rollout_stages
WHERE change_id = ANY (ARRAY(SELECT jsonb_array_elements(%(changes)s)::bigint))
ORDER BY array_position(ARRAY['shadow', 'canary', 'full'], stage);

-- name: list_rollout_steps
-- What was done in the stages of rollouts, oldest first.
SELECT s.change_id AS change, s.id, s.stage, s.step, s.person, s.proof, s.words, s.proposal_hash, s.run, s.baseline, s.outcome, s.evidence, s.stepped_at,
       g.person AS seeded_by, g.seeded_at, g.revision AS seeded_revision, g.coverage_pct,
       a.attempt, coalesce(a.earlier, '{}') AS earlier, a.repeated_because
FROM rollout_steps AS s LEFT JOIN LATERAL (SELECT * FROM seedings AS own WHERE own.id = s.seeding LIMIT 1) AS g ON true
LEFT JOIN LATERAL attempt_of(s.run) AS a ON s.stage = 'canary'
WHERE s.change_id = ANY (ARRAY(SELECT jsonb_array_elements(%(changes)s)::bigint))
ORDER BY s.id;

-- name: list_preapprovals
-- Who approved beforehand that the keys of some changes are brought back, and until when.
SELECT change_id AS change, person, proposal_hash, scope, keys, target, expires_at
FROM preapprovals
WHERE change_id = ANY (ARRAY(SELECT jsonb_array_elements(%(changes)s)::bigint))
ORDER BY expires_at DESC;

-- name: list_rollbacks
-- How some changes were rolled back.
SELECT change_id AS change, run, mechanism, person, proof, words, preapproval, restored_by, filed_because, evidence, rolled_back_at
FROM rollbacks
WHERE change_id = ANY (ARRAY(SELECT jsonb_array_elements(%(changes)s)::bigint));

-- name: list_verdicts_due
-- Rollouts of which runs ended that were not judged yet: in their canary, and in full until they are rolled back.
SELECT r.change_id AS change, c.state
FROM rollouts AS r JOIN changes AS c ON c.id = r.change_id
WHERE (c.state IN ('proposed', 'suspended') AND EXISTS (
           SELECT FROM canary_checks(c) AS k
           WHERE NOT EXISTS (SELECT FROM rollout_steps AS s WHERE s.change_id = c.id AND s.run = k.run_id AND s.stage = 'canary')))
   OR (c.state = 'applied' AND NOT EXISTS (SELECT FROM rollbacks AS b WHERE b.change_id = r.change_id)
       AND EXISTS (SELECT FROM runs_in_full(c)))
ORDER BY r.change_id;

-- name: list_carried
-- Restores that pre-approvals carry and that are not in force yet.
SELECT b.change_id AS change, b.run, b.restored_by
FROM rollbacks AS b JOIN changes AS back ON back.id = b.restored_by
WHERE b.filed_because IS NULL AND back.state = 'proposed' AND is_carried(back.id)
ORDER BY b.id;

-- name: take_rollback
-- Keep that a way back is taken now, in an incident.
SELECT b.id FROM take_rollback(%(incident)s, %(mechanism)s, %(reason)s) AS b;

-- name: prove_rollback
-- Keep what proves that the newest way back of an incident worked.
SELECT p.rollback_id FROM prove_rollback(%(incident)s, %(words)s) AS p;

-- name: list_taken_rollbacks
-- The ways back that were taken in incidents, newest first; null incident means all.
SELECT b.incident, b.mechanism, b.person, b.proof, b.words AS reason, b.rolled_back_at AS taken_at, p.proven_at,
       p.person AS proven_by, p.words AS proven_words, extract(epoch FROM p.proven_at - b.rolled_back_at)::float8 AS took_s
FROM rollbacks AS b LEFT JOIN rollback_proofs AS p ON p.rollback_id = b.id
WHERE b.incident IS NOT NULL AND (%(incident)s::text IS NULL OR b.incident = %(incident)s)
ORDER BY b.id DESC
LIMIT 100;

-- name: list_builds
-- The builds of the newest 200 runs, newest first: the newest run that ended with each, and whether a verdict said to roll back.
WITH newest AS (
    SELECT id, git_commit, state, started_at FROM finetune_runs ORDER BY started_at DESC LIMIT 200
)
SELECT n.git_commit AS build, (array_agg(n.id ORDER BY n.started_at DESC) FILTER (WHERE n.state = 'complete'))[1] AS run,
       max(n.started_at) AS last_run_at,
       bool_or(EXISTS (SELECT FROM rollout_steps AS s WHERE s.run = n.id AND s.outcome = 'rollback')
               OR EXISTS (SELECT FROM rollbacks AS b WHERE b.run = n.id)) AS is_bad
FROM newest AS n
WHERE n.git_commit ~ '^[0-9a-f]{40,64}$'
GROUP BY n.git_commit
ORDER BY max(n.started_at) DESC;
