-- What the plane keeps beside documents: what it handed out, to whom, and how servers follow revisions.

-- name: newest_revision
-- The newest revision of any scope; 0 before the first.
SELECT id
FROM chain_head;

-- name: revisions_after
-- Revisions later than one, oldest first. Revisions have no gaps, so a page of them cannot hide another.
SELECT id, scope, extract(epoch FROM created_at)::float8 AS created_at
FROM ftf_config_history
WHERE id > %(after)s
ORDER BY id
LIMIT %(limit)s;

-- name: insert_snapshot_frame
-- Keep what surrounded a text when it was first handed out; nothing happens when that is known.
INSERT INTO snapshot_frames (hash, frame)
VALUES (%(hash)s, %(frame)s::json)
ON CONFLICT (hash) DO NOTHING;

-- name: read_snapshot_frame
-- One snapshot's text with its frame, or with what the first run that pinned it recorded.
SELECT s.text, s.hash, f.frame::text AS frame, r.context, r.layers, r.catalogues
FROM snapshots AS s
LEFT JOIN snapshot_frames AS f ON f.hash = s.hash
LEFT JOIN LATERAL (
    SELECT c.context, c.layers, o.catalogues
    FROM finetune_contexts AS c
    JOIN finetune_runs AS o ON o.id = c.run_id
    WHERE c.snapshot_hash = s.hash AND f.hash IS NULL
    ORDER BY o.started_at, o.id, c.context
    LIMIT 1
) AS r ON true
WHERE s.hash = %(hash)s;

-- name: note_holder
-- A process holds a snapshot; an older word than the known one changes nothing, nor does another account's.
INSERT INTO snapshot_holders AS h (client, account, snapshot, context, host, pid, run, revision, since, seen)
VALUES (%(client)s, %(account)s, %(snapshot)s, %(context)s, %(host)s, %(pid)s, %(run)s, %(revision)s,
        statement_timestamp() - make_interval(secs => %(age_s)s),
        statement_timestamp() - make_interval(secs => %(age_s)s))
ON CONFLICT (client) DO UPDATE
SET snapshot = excluded.snapshot, context = excluded.context, host = excluded.host,
    pid = excluded.pid, run = excluded.run, revision = excluded.revision, seen = excluded.seen,
    since = CASE WHEN h.snapshot = excluded.snapshot THEN h.since ELSE excluded.since END
WHERE h.seen <= excluded.seen AND h.account = excluded.account;

-- name: prune_holders
-- Forget the processes that were not seen for an hour, and the longest unseen ones beyond a number.
DELETE FROM snapshot_holders
WHERE seen < clock_timestamp() - interval '1 hour'
   OR client IN (SELECT client FROM snapshot_holders ORDER BY seen DESC, client OFFSET %(most)s);

-- name: list_holders
-- Who holds what, seen within the hour, by client; a null snapshot means any.
SELECT client, account, snapshot, context, host, pid, run, revision, since, seen
FROM snapshot_holders
WHERE seen >= clock_timestamp() - interval '1 hour'
  AND client > %(after)s
  AND (%(snapshot)s::text IS NULL OR snapshot = %(snapshot)s)
ORDER BY client
LIMIT %(limit)s;

-- name: stream_secret
-- What all servers of this database sign the tokens of streams with.
SELECT secret
FROM stream_secret;
