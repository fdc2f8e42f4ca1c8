-- What readiness files rest on.

-- name: newest_arrivals
-- When each of these events last arrived; none for one that never did.
SELECT n.name, newest.received_at AS arrived_at
FROM jsonb_array_elements_text(%(names)s) AS n (name)
CROSS JOIN LATERAL (
    SELECT e.received_at FROM event_log AS e WHERE e.name = n.name ORDER BY e.id DESC LIMIT 1
) AS newest;

-- name: note_proofs
-- Keep what a check found.
SELECT note_proofs(%(proofs)s);

-- name: list_noted_proofs
-- What checks last found of each name.
SELECT kind, name, state, said, command, proven_at, noted_by, noted_at
FROM readiness_proofs;
