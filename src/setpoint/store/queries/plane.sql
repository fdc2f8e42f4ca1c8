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

-- name: keep_snapshot
-- Keep what was handed out, made again of the revisions that its frame names; nothing happens when it is known.
SELECT keep_snapshot(%(frame)s::json);

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
      -- What was pinned as a change's candidate alone is read by the change's number.
      AND NOT EXISTS (SELECT FROM change_runs AS k WHERE k.run_id = c.run_id AND k.arm = 'candidate')
    ORDER BY o.started_at, o.id, c.context
    LIMIT 1
) AS r ON true
WHERE s.hash = %(hash)s;

-- name: list_snapshots
-- Kept snapshots newest first, before one, of those whose hashes begin with a text: each with its frame, or
-- with what the first run that pinned it recorded. A change's candidate is none of them.
SELECT s.hash, s.created_at, f.frame::text AS frame, r.context, r.layers
FROM snapshots AS s
LEFT JOIN snapshot_frames AS f ON f.hash = s.hash
LEFT JOIN LATERAL (
    SELECT c.context, c.layers
    FROM finetune_contexts AS c
    WHERE c.snapshot_hash = s.hash AND f.hash IS NULL
      AND NOT EXISTS (SELECT FROM change_runs AS k WHERE k.run_id = c.run_id AND k.arm = 'candidate')
    LIMIT 1
) AS r ON true
WHERE (f.hash IS NOT NULL OR r.layers IS NOT NULL) AND s.hash BETWEEN %(beginning)s AND %(beginning)s || 'g'
  AND (%(before_at)s::timestamptz IS NULL OR (s.created_at, s.hash) < (%(before_at)s::timestamptz, %(before_hash)s))
ORDER BY s.created_at DESC, s.hash DESC
LIMIT %(limit)s;

-- name: note_holder
-- The process of whoever holds a credential, named by its hash, holds a snapshot; a row for each word refused.
SELECT note_holder(%(credential)s, %(client)s, %(snapshot)s, %(context)s, %(host)s, %(pid)s, %(run)s, %(revision)s, %(age_s)s);

-- name: prune_holders
-- Forget the processes that were not seen for an hour, and the longest unseen ones beyond a number.
SELECT prune_holders();

-- name: list_holders
-- Who holds what, seen within the hour, by client; a null snapshot means any.
SELECT client, account, snapshot, context, host, pid, run, revision, since, seen,
       extract(epoch FROM clock_timestamp() - seen)::float8 AS silent_s
FROM snapshot_holders
WHERE seen >= clock_timestamp() - interval '1 hour'
  AND client > %(after)s
  AND (%(snapshot)s::text IS NULL OR snapshot = %(snapshot)s)
ORDER BY client
LIMIT %(limit)s;

-- name: list_told
-- Who holds what was answered as of a revision or later, in some context, seen within the hour, by client.
SELECT client, account, snapshot, context, host, pid, run, revision, since, seen
FROM snapshot_holders
WHERE seen >= clock_timestamp() - interval '1 hour' AND revision >= %(revision)s AND context @> %(context)s::jsonb
ORDER BY client
LIMIT %(limit)s;

-- name: stream_secret
-- What all servers of this database sign the tokens of streams with, and the clock by which these end.
SELECT secret, extract(epoch FROM clock_timestamp())::float8 AS now_s
FROM stream_secret;

-- name: note_shares
-- Say what this process serves to whom, and hear what the others do, with the quotas.
SELECT kind, caller, who, elsewhere, most
FROM note_shares(%(server)s, %(shares)s);

-- name: try_writing
-- Write 64 KiB to new files; committed, it proves that this database can be written.
SELECT try_writing();
