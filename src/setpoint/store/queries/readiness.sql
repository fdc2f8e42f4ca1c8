-- What readiness files rest on.

-- name: newest_arrivals
-- When each of these events last arrived; none for one that never did.
SELECT n.name, newest.received_at AS arrived_at
FROM jsonb_array_elements_text(%(names)s) AS n (name)
CROSS JOIN LATERAL (
    SELECT e.received_at FROM event_log AS e WHERE e.name = n.name ORDER BY e.id DESC LIMIT 1
) AS newest;
