-- Break-glass: the emergency's own statements, what they owe, and the drills.

-- name: break_glass_restore
-- Bring a revision back without the application; run as a member of setpoint_breakglass or as the owner.
SELECT new_revision AS revision, new_hash AS hash
FROM break_glass_restore(%(incident)s, %(approved_by)s, %(circumstance)s, %(scope)s, %(revision)s, %(base)s,
                         %(failed)s, %(probe)s);

-- name: break_glass_set
-- Set and remove values without the application; run as break_glass_restore is.
SELECT new_revision AS revision, new_hash AS hash
FROM break_glass_set(%(incident)s, %(approved_by)s, %(circumstance)s, %(scope)s, %(set)s::jsonb,
                     ARRAY(SELECT jsonb_array_elements_text(%(remove)s)), %(base)s, %(failed)s, %(probe)s);

-- name: preview_restore
-- What bringing a revision back would do to its scope's document; base is null when it has none.
SELECT h.scope, f.revision AS base, document_diff(coalesce(f.base_env, '{}'), h.base_env) AS edits
FROM ftf_config_history AS h
LEFT JOIN ftf_config AS f USING (scope)
WHERE h.id = %(revision)s;

-- name: preview_set
-- What setting and removing values would do to a scope's document.
SELECT f.revision AS base,
       document_diff(f.base_env, (f.base_env - ARRAY(SELECT jsonb_array_elements_text(%(remove)s))) || %(set)s::jsonb) AS edits
FROM ftf_config AS f
WHERE f.scope = %(scope)s;

-- name: list_obligations
-- What is or was owed, after one: overdue and breached ones first, then open ones, then what was met; null incident means all.
WITH ordered AS (
    SELECT o.*, NOT (o.met_at IS NULL AND (o.due_at < now() OR o.breach IS NOT NULL)) AS waits, o.met_at IS NOT NULL AS is_met
    FROM obligations AS o
    WHERE (%(incident)s::text IS NULL OR o.incident = %(incident)s) AND (o.met_at IS NULL OR NOT %(open_only)s::boolean)
      AND (o.kind <> 'decision' OR NOT %(of_break_glass)s::boolean)
)
SELECT o.id, o.incident, o.kind, o.scope, o.revision, o.opened_at, o.due_at, o.met_at, o.met_by, o.evidence, o.breach,
       o.met_at IS NULL AND o.due_at < now() AS overdue, coalesce(o.met_at > o.due_at, false) AS met_late,
       u.person, o.met_at IS NULL AND coalesce(is_disabled(u.person), false) AS left_behind
FROM ordered AS o
LEFT JOIN break_glass_uses AS u ON u.revision = o.revision
WHERE %(after)s::bigint IS NULL
   OR (o.waits, o.is_met, o.due_at, o.id) > (SELECT a.waits, a.is_met, a.due_at, a.id FROM ordered AS a WHERE a.id = %(after)s)
ORDER BY o.waits, o.is_met, o.due_at, o.id
LIMIT %(limit)s;

-- name: count_obligations
-- How many obligations are open, overdue and breached, of which incidents, and when the next is due; decisions apart.
SELECT kind = 'decision' AS is_decision, count(*) AS open, count(*) FILTER (WHERE due_at < now()) AS overdue,
       count(*) FILTER (WHERE breach IS NOT NULL) AS breached, min(due_at) AS due_at,
       string_agg(DISTINCT incident, ', ') AS incidents
FROM obligations
WHERE met_at IS NULL
GROUP BY 1
ORDER BY 1;

-- name: declare_channel
-- Open or close an incident channel, or name another responsible person; as the owner of the tables.
SELECT prefix, responsible, reason, declared_by, declared_at
FROM declare_channel(%(prefix)s, %(responsible)s, %(is_open)s, %(reason)s);

-- name: list_channels
-- The incident channels in which an approval counts.
SELECT prefix, responsible, reason, declared_by, declared_at
FROM open_channels();

-- name: read_probe
-- What the restore probe of a plane last said; one row, or none.
SELECT is_live, said, answered_at
FROM restore_probe;

-- name: note_probe
-- Keep what the restore probe of a plane says now.
SELECT note_probe(%(is_live)s, %(said)s);

-- name: file_post_mortem
-- Meet the post-mortem of an incident.
SELECT id, incident, met_at, due_at
FROM file_post_mortem(%(incident)s, %(url)s);

-- name: record_validation
-- Record what validation found; it meets the obligations when everything is sound.
SELECT id, revision, met_at
FROM record_validation(%(incident)s, %(heads)s, %(sound)s, %(evidence)s);

-- name: list_break_glass_uses
-- What was done for an incident, oldest first, with the revision it made.
SELECT u.revision, u.incident, u.scope, u.approved_by, u.channel, u.responsible, u.circumstance, u.failed, u.probe,
       u.restores, u.person, u.proof, u.used_at, h.id IS NOT NULL AS in_history, h.hash, h.base_revision, h.diff AS edits, b.hash AS base_hash
FROM break_glass_uses AS u
LEFT JOIN ftf_config_history AS h ON h.id = u.revision
LEFT JOIN ftf_config_history AS b ON b.id = h.base_revision
WHERE u.incident = %(incident)s
ORDER BY u.revision;

-- name: record_drill
-- Keep the outcome of one rehearsal.
SELECT record_drill(%(scenario)s, %(started_at)s, %(took_s)s, %(outcome)s, %(steps)s, %(build)s) AS id;

-- name: list_drills
-- The newest drill of each scenario.
SELECT DISTINCT ON (scenario) scenario, started_at, took_s, outcome, steps, build, person
FROM drills
ORDER BY scenario, id DESC;

-- name: list_rehearsals
-- The newest drill of each scenario without its steps, and whether it is older than it counts.
SELECT DISTINCT ON (scenario) scenario, person, started_at AS rehearsed_at, took_s, outcome, build,
       started_at + make_interval(secs => %(counts_s)s) AS counts_until,
       started_at + make_interval(secs => %(counts_s)s) <= clock_timestamp() AS is_stale
FROM drills
ORDER BY scenario, id DESC;
