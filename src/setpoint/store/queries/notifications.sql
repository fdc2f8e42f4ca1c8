-- Notifications: each statement that writes is a function of 0019_notifications.sql, where the rules are.

-- name: tell_deadlines
-- Note whom a deadline or the end of a token is near for.
SELECT tell_deadlines();

-- name: route_notifications
-- Give what was noted to the targets of this machine.
SELECT route_notifications(%(targets)s) AS routed;

-- name: claim_deliveries
-- Take what is due for some seconds, to send it.
SELECT id, target, lease, attempts, people, key::text AS key, kind, subject, facts, made_at
FROM claim_deliveries(ARRAY(SELECT jsonb_array_elements_text(%(targets)s)), %(limit)s, %(lease_s)s);

-- name: note_delivery
-- Keep what came of an attempt.
SELECT note_delivery(%(id)s, %(lease)s, %(error)s, %(again_s)s) AS state;

-- name: retry_delivery
-- Let one be tried at once, and for a day from now on.
SELECT id, target FROM retry_delivery(%(id)s);

-- name: forget_notifications
-- Give up what was not sent for a day, and remove what is 30 days old.
SELECT forget_notifications();

-- name: list_deliveries
-- Deliveries, newest first, below an id; a filter that is null means all.
SELECT d.id, n.key::text AS key, n.kind, n.subject, d.target, d.people, d.state, d.attempts, n.made_at, d.next_at, d.sent_at, d.error, n.facts
FROM (SELECT * FROM deliveries
      WHERE (%(state)s::text IS NULL OR state = %(state)s) AND (%(after)s::bigint IS NULL OR id < %(after)s)
      ORDER BY id DESC LIMIT %(limit)s) AS d,
     LATERAL (SELECT * FROM notifications WHERE id = d.notification LIMIT 1) AS n
ORDER BY d.id DESC;

-- name: count_deliveries
-- How many wait and since when the oldest does, how many were given up, which is a day after `since`, and how
-- many no plane has routed yet.
SELECT count(*) AS waiting, greatest(coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0), 0)::float8 AS oldest_s,
       (SELECT count(*) FROM deliveries WHERE state = 'failed') AS failed,
       (SELECT count(*) FROM deliveries WHERE state = 'failed' AND since BETWEEN clock_timestamp() - interval '2 days' AND clock_timestamp()) AS failed_24h,
       (SELECT count(*) FROM notifications WHERE routed_at IS NULL) AS unrouted
FROM deliveries
WHERE state = 'waiting';
