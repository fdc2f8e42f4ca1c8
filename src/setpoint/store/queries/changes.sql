-- Changes: each statement is a function of 0004_changes.sql, where the rules are.

-- name: open_change
-- Open a change; the function puts the document together and judges base, kinds and hash.
SELECT c.id, c.scope, c.kinds, c.base_revision, c.proposal::text AS proposal, c.edits, c.proposal_hash,
       c.restores, c.author, c.proof, c.reason, c.asked, c.evidence, c.source, c.traceparent, c.state, c.state_reason, c.apply_at, c.created_at,
       c.proposed_at, c.applied_revision
FROM open_change(%(scope)s, %(is_policy)s, %(base_revision)s, %(set)s::jsonb, ARRAY(SELECT jsonb_array_elements_text(%(remove)s)),
                    %(restores)s, CASE WHEN %(keys)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(keys)s)) END,
                    %(reason)s, %(source)s, %(catalogues)s, %(apply_at)s, %(draft)s, %(traceparent)s,
                    CASE WHEN %(evidence)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(evidence)s)) END) AS c;

-- name: open_and_apply_change
-- Open a change, and apply it at once where policy asks for nobody; with what policy asks.
SELECT (r.change).id, (r.change).scope, (r.change).kinds, (r.change).base_revision, (r.change).proposal::text AS proposal,
       (r.change).edits, (r.change).proposal_hash, (r.change).restores, (r.change).author,
       (r.change).proof, (r.change).reason, (r.change).asked, (r.change).evidence, (r.change).source, (r.change).traceparent, (r.change).state, (r.change).state_reason,
       (r.change).apply_at, (r.change).created_at, (r.change).proposed_at, (r.change).applied_revision,
       r.approvals, r.approved, r.solo, r.cooling_off_s, r.free_at, r.checks, r.checks AS lacking, r.frozen_until
FROM open_and_apply_change(%(scope)s, %(is_policy)s, %(base_revision)s, %(set)s::jsonb, ARRAY(SELECT jsonb_array_elements_text(%(remove)s)),
                           %(restores)s, CASE WHEN %(keys)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(keys)s)) END,
                           %(reason)s, %(source)s, %(catalogues)s, %(apply_at)s, %(draft)s, %(traceparent)s,
                    CASE WHEN %(evidence)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(evidence)s)) END) AS r;

-- name: amend_change
-- Edit an open change; whatever was approved no longer is.
SELECT c.id, c.scope, c.kinds, c.base_revision, c.proposal::text AS proposal, c.edits, c.proposal_hash,
       c.restores, c.author, c.proof, c.reason, c.asked, c.evidence, c.source, c.traceparent, c.state, c.state_reason, c.apply_at, c.created_at,
       c.proposed_at, c.applied_revision
FROM amend_change(%(id)s, %(base_revision)s, %(set)s::jsonb, ARRAY(SELECT jsonb_array_elements_text(%(remove)s)),
                  CASE WHEN %(keys)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(keys)s)) END,
                  %(reason)s, %(catalogues)s, %(apply_at)s,
                  CASE WHEN %(evidence)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(evidence)s)) END) AS c;

-- name: propose_change
-- Propose a draft.
SELECT id, state FROM propose_change(%(id)s);

-- name: ask_approvers
-- Say whom the author asks to approve.
SELECT id, state FROM ask_approvers(%(id)s, ARRAY(SELECT jsonb_array_elements_text(%(people)s)));

-- name: decide_change
-- Approve, reject or comment, as the person of this session.
SELECT id, state FROM decide_change(%(id)s, %(decision)s, %(proposal_hash)s, %(words)s);

-- name: withdraw_change
-- Take an open change back.
SELECT id, state FROM withdraw_change(%(id)s);

-- name: apply_change
-- Write the document, if policy, approvals, base and what else moved allow it at this instant.
SELECT id, state, applied_revision FROM apply_change(%(id)s, %(proposal_hash)s);

-- name: read_change
-- One change, whole; what it became is in history.
SELECT c.id, c.scope, c.kinds, c.base_revision, coalesce(c.proposal, h.base_env)::text AS proposal,
       coalesce(c.edits, h.diff) AS edits, c.proposal_hash, c.restores, c.author, c.proof, c.reason, c.asked, c.evidence, c.source, c.traceparent, c.state,
       c.state_reason, c.apply_at, c.created_at, c.proposed_at, c.applied_revision
FROM changes AS c LEFT JOIN ftf_config_history AS h ON h.id = c.applied_revision
WHERE c.id = %(id)s;

-- name: list_changes
-- Changes newest first before a number; a null state means all, 'open' those that can still be decided.
-- Sorted before they are judged, so that no more are judged than are listed. A change can wait for its author, or
-- for an approver who has not approved it: for a person, no other open one is judged.
WITH found AS (
    SELECT c.id, c AS change
    FROM changes AS c
    WHERE (%(state)s::text IS NULL OR state = %(state)s
           OR (%(state)s = 'open' AND state IN ('draft', 'proposed', 'suspended')))
      AND (%(scope)s::text IS NULL OR scope = %(scope)s)
      AND (%(author)s::text IS NULL OR author = %(author)s)
      AND (%(trace)s::text IS NULL OR substr(traceparent, 4, 32) = %(trace)s)
      AND (%(before)s::bigint IS NULL OR id < %(before)s)
      AND (%(waits_for)s::text IS NULL
           OR (state IN ('draft', 'proposed', 'suspended') AND author = %(waits_for)s)
           OR (state = 'proposed' AND %(waits_for)s IN (SELECT approvers()) AND NOT EXISTS (
               SELECT FROM change_decisions AS d WHERE d.change_id = c.id AND d.proposal_hash = c.proposal_hash
               AND d.person = %(waits_for)s AND d.decision = 'approve')))
    ORDER BY id DESC
)
SELECT (f.change).id, (f.change).scope, (f.change).kinds, (f.change).base_revision,
       jsonb_array_length(coalesce((f.change).edits,
           (SELECT h.diff FROM ftf_config_history AS h WHERE h.id = (f.change).applied_revision))) AS n_edits,
       (f.change).proposal_hash, (f.change).author, (f.change).reason, (f.change).asked, (f.change).traceparent, (f.change).state,
       (f.change).state_reason, (f.change).apply_at, (f.change).created_at, (f.change).applied_revision,
       n.moved, n.waits_for, n.who, n.missing, n.until, n.how
FROM found AS f, next_step(f.change) AS n
WHERE %(waits_for)s::text IS NULL OR %(waits_for)s = ANY (n.who)
ORDER BY f.id DESC
LIMIT %(limit)s;

-- name: list_waiting
-- Changes of some scopes that wait, drafts aside, newest first.
SELECT id, scope, author, state, jsonb_array_length(edits) AS n_edits, reason
FROM changes
WHERE state IN ('proposed', 'suspended') AND scope = ANY (ARRAY(SELECT jsonb_array_elements_text(%(scopes)s)))
ORDER BY id DESC
LIMIT %(limit)s;

-- name: list_same
-- For each that is asked about, by its number, the oldest change that waits with just this over what stands.
WITH asked AS (
    SELECT a.number, a.scope, f.revision,
           CASE WHEN a.is_policy THEN a.set_text::jsonb ELSE document_diff(coalesce(f.base_env, '{}'),
               (coalesce(f.base_env, '{}') - ARRAY(SELECT jsonb_array_elements_text(a.remove))) || a.set_text::jsonb) END AS what
    FROM jsonb_to_recordset(%(asked)s) AS a (number integer, scope text, set_text text, remove jsonb, is_policy boolean)
    LEFT JOIN ftf_config AS f ON f.scope = a.scope AND NOT a.is_policy
)
SELECT asked.number, min(c.id) AS id
FROM asked
JOIN changes AS c ON c.scope = asked.scope AND c.state = 'proposed'
    AND md5((CASE WHEN c.edits = '[]' THEN c.proposal ELSE c.edits END)::text) = md5(asked.what::text)
WHERE c.base_revision IS NOT DISTINCT FROM asked.revision AND c.apply_at IS NULL AND c.restores IS NULL
  AND moved_since(c) IS NULL
GROUP BY asked.number;

-- name: list_undoing
-- Restores that brought back what was before a revision, and wrote a key that it had written, oldest first.
SELECT c.id AS change, c.author, c.reason, c.restores, c.applied_revision AS revision, h.created_at AS applied_at
FROM ftf_config_history AS r
JOIN changes AS c ON c.scope = r.scope AND c.restores < r.id AND c.applied_revision > r.id
JOIN ftf_config_history AS h ON h.id = c.applied_revision
WHERE r.id = %(revision)s AND EXISTS (
    SELECT FROM jsonb_array_elements(r.diff) AS e
    JOIN ftf_config_edits AS b ON b.key = e ->> 'key' AND b.revision = c.applied_revision AND b.scope = c.scope)
ORDER BY c.applied_revision
LIMIT %(limit)s;

-- name: list_decisions
-- What people said of a change, oldest first, and whether it is about the proposal as it is now; a null limit means all.
SELECT d.decision, d.person, d.proof, d.words, d.decided_at, d.proposal_hash = c.proposal_hash AS is_current
FROM change_decisions AS d
JOIN changes AS c ON c.id = d.change_id
WHERE d.change_id = %(id)s
ORDER BY d.id
LIMIT %(limit)s;

-- name: search_decisions
-- What people said of changes, newest first, below one; a null filter means all.
SELECT id, decided_at, person, proof, decision, change_id AS change, proposal_hash, words
FROM change_decisions
WHERE (%(before)s::bigint IS NULL OR id < %(before)s)
  AND (%(person)s::text IS NULL OR person = %(person)s) AND (%(decision)s::text IS NULL OR decision = %(decision)s)
  AND (%(since)s::timestamptz IS NULL OR decided_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR decided_at < %(until)s)
ORDER BY id DESC
LIMIT %(limit)s;

-- name: list_who_may_approve
-- The people whose approval counts on a change.
SELECT m.person
FROM changes AS c, may_approve(c) AS m
WHERE c.id = %(id)s
ORDER BY m.person;

-- name: read_edits_before
-- What a change proposed before its last amendment.
SELECT edits_before
FROM changes
WHERE id = %(id)s AND edits_before IS NOT NULL;

-- name: list_overlaps
-- Other open changes that touch keys of a scope, newest first, with these keys.
SELECT c.id, c.author, c.state, jsonb_agg(e ->> 'key' ORDER BY e ->> 'key' COLLATE "C") AS keys
FROM changes AS c, jsonb_array_elements(c.edits) AS e
WHERE c.state IN ('draft', 'proposed', 'suspended') AND c.scope = %(scope)s AND c.id <> %(apart)s
  AND e ->> 'key' IN (SELECT jsonb_array_elements_text(%(keys)s))
GROUP BY c.id
ORDER BY c.id DESC
LIMIT %(limit)s;

-- name: read_requirement
-- What a change needs under today's policy, and what it has.
SELECT r.approvals, r.solo, r.cooling_off_s, (SELECT count(*) FROM approvals_of(c)) AS approved,
       c.proposed_at + make_interval(secs => r.cooling_off_s) AS free_at, frozen_until(c, clock_timestamp()) AS frozen_until, r.checks,
       CASE WHEN r.checks = '{}' THEN '{}' ELSE ARRAY(SELECT l.kind FROM lacking_checks(c) AS l) END AS lacking
FROM changes AS c, required_of(c) AS r
WHERE c.id = %(id)s;

-- name: read_next_step
-- What a change waits for; nulls for one that ended.
SELECT n.moved, n.waits_for, n.who, n.missing, n.until, n.how
FROM changes AS c, next_step(c) AS n
WHERE c.id = %(id)s;

-- name: list_left_without_approval
-- Whose changes too few people could approve, if a policy asked for so many.
SELECT left_without_approval(%(scope)s, %(kind)s, %(approvals)s) AS person;

-- name: list_unguarded
-- What could be softened by less than it asks for, as policies stand.
SELECT scope, kind, greatest(approvals, guard_approvals) AS approvals,
       greatest(cooling_off_s, guard_cooling_off_s) AS cooling_off_s
FROM unguarded(NULL);

-- name: list_policies
-- Every policy, the most general first.
SELECT scope, kind, approvals, solo, cooling_off_s, checks, smoke_s
FROM policies
ORDER BY scope <> '*', scope, kind <> '*', kind;

-- name: list_approvers
-- The people whose approval counts.
SELECT approvers() AS person
ORDER BY 1;

-- name: list_due
-- Scheduled changes whose time has come and which may be applied, oldest first, after one of them. What lacks
-- approvals, checks or its canary, cools off, or is held by a freeze, is left out; dear questions come last.
SELECT c.id, c.proposal_hash, c.apply_at
FROM changes AS c, required_of(c) AS need
WHERE c.state = 'proposed' AND c.apply_at <= now()
  AND (c.apply_at, c.id) > (coalesce(%(after)s::timestamptz, '-infinity'), %(after_id)s::bigint)
  AND (need.cooling_off_s = 0 OR c.proposed_at + make_interval(secs => need.cooling_off_s) <= now())
  AND NOT EXISTS (SELECT FROM freezes_over(c, clock_timestamp()))
  AND CASE
      WHEN need.approvals = 0 THEN true
      WHEN (SELECT count(*) FROM change_decisions AS d
            WHERE d.change_id = c.id AND d.decision = 'approve' AND d.proposal_hash = c.proposal_hash) < need.approvals
      THEN false
      ELSE (SELECT count(*) FROM approvals_of(c)) >= need.approvals
  END
  AND wanting_of(c) IS NULL
  AND (need.checks = '{}' OR moved_since(c) IS NOT NULL OR NOT EXISTS (SELECT FROM lacking_checks(c)))
ORDER BY c.apply_at, c.id
LIMIT %(limit)s;

-- name: suspend_change
-- Set a due change aside because what it was judged against moved; nothing happens when it still stands.
SELECT suspend_change(%(id)s);
