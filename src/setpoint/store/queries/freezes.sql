-- Freezes: each statement is a function of 0018_freezes.sql, or reads what these keep.

-- name: declare_freeze
-- Declare a window in which nothing is applied but restores.
SELECT id FROM declare_freeze(%(scope)s, %(starts_at)s, %(ends_at)s, ARRAY(SELECT jsonb_array_elements_text(%(breakers)s)), %(reason)s);

-- name: end_freeze
-- End a freeze before its time.
SELECT freeze_id AS id FROM end_freeze(%(id)s, %(reason)s);

-- name: break_freeze
-- Let one proposal through the freezes that hold it now.
SELECT break_freeze(%(id)s, %(proposal_hash)s, %(reason)s);

-- name: list_freezes
-- Freezes newest first, below one; those that are over too, or not; one alone where it is named.
SELECT f.id, f.scope, f.starts_at, f.ends_at, f.breakers, f.reason, f.declared_by, f.declared_at,
       CASE WHEN e.freeze_id IS NOT NULL OR f.ends_at <= clock_timestamp() THEN 'ended' WHEN f.starts_at > clock_timestamp() THEN 'planned' ELSE 'in_force' END AS state,
       e.ended_at, e.ended_by, e.reason AS end_reason
FROM freezes AS f LEFT JOIN freeze_ends AS e ON e.freeze_id = f.id
WHERE (%(past)s::boolean OR (e.freeze_id IS NULL AND f.ends_at > clock_timestamp()))
  AND (%(id)s::bigint IS NULL OR f.id = %(id)s) AND (%(before)s::bigint IS NULL OR f.id < %(before)s)
ORDER BY f.id DESC
LIMIT %(limit)s;

-- name: list_freeze_breaks
-- What was let through some freezes, oldest first.
SELECT freeze_id, change_id AS change, person, reason, broken_at
FROM freeze_breaks
WHERE freeze_id = ANY (ARRAY(SELECT jsonb_array_elements_text(%(freezes)s)::bigint))
ORDER BY id;
