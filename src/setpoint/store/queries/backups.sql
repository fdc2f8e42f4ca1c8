-- Backups: what is valid no more after one was brought back, the plan by which they are made, and those made.

-- name: revive_nobody
-- End what a backup holds that may have ended since it was made; a row for each thing that was ended.
SELECT what, which FROM revive_nobody(%(backup)s);

-- name: read_backup_plan
-- How often a backup is made by itself and how many are kept, and whether one is due; no row: never.
SELECT p.every_s, p.keep, p.folder, p.declared_by, p.declared_at,
       -- One from after now was made before the clock was set back: it says nothing of the time since.
       coalesce((SELECT max(made_at) FROM backups WHERE scheduled AND made_at <= clock_timestamp())
                NOT BETWEEN clock_timestamp() - make_interval(secs => p.every_s) AND clock_timestamp(), true) AS is_due
FROM backup_plan AS p;

-- name: declare_backup_plan
-- From now on a backup is made so often, and so many are kept; for the owner of the tables.
INSERT INTO backup_plan (every_s, keep, folder, declared_by)
VALUES (%(every_s)s, %(keep)s, %(folder)s, %(person)s)
ON CONFLICT (one) DO UPDATE
SET every_s = excluded.every_s, keep = excluded.keep, folder = excluded.folder,
    declared_by = excluded.declared_by, declared_at = clock_timestamp();

-- name: end_backup_plan
-- No backup is made by itself any more; for the owner of the tables.
DELETE FROM backup_plan;

-- name: note_backup
-- One was made; for the owner of the tables.
INSERT INTO backups (host, path, hash, revision, bytes, scheduled)
VALUES (%(host)s, %(path)s, %(hash)s, %(revision)s, %(bytes)s, %(scheduled)s);

-- name: note_proof
-- A rehearsed restore of one ended, with what it found; for the owner of the tables.
UPDATE backups SET proven_at = clock_timestamp(), proof = %(proof)s WHERE hash = %(hash)s;

-- name: list_backups
-- The backups that were not removed, newest first.
SELECT id, made_at, host, path, hash, revision, bytes, scheduled, proven_at, proof
FROM backups
WHERE removed_at IS NULL
ORDER BY id DESC;

-- name: list_spare_backups
-- Those made by the plan on one machine beyond the newest ones; the last that came back whole is not among them.
WITH planned AS (
    SELECT id, path
    FROM backups
    WHERE scheduled AND removed_at IS NULL AND host = %(host)s
      AND id IS DISTINCT FROM (SELECT max(id) FROM backups WHERE removed_at IS NULL AND proof = '')
)
SELECT id, path
FROM planned
WHERE id NOT IN (SELECT id FROM planned ORDER BY id DESC LIMIT %(keep)s)
ORDER BY id DESC;

-- name: note_backup_removed
-- The file of one was removed; for the owner of the tables.
UPDATE backups SET removed_at = clock_timestamp() WHERE id = %(id)s;

-- name: judge_backups
-- When the last backup was made and the last came back whole, and what is planned.
SELECT (SELECT max(made_at) FROM backups) AS made_at,
       (SELECT max(proven_at) FROM backups WHERE proof = '') AS proven_at,
       last.path, last.proof, p.every_s, p.declared_at,
       (SELECT created_at FROM ftf_config_history ORDER BY id LIMIT 1) AS since, clock_timestamp() AS now
FROM (SELECT 1) AS one
LEFT JOIN backup_plan AS p ON true
LEFT JOIN LATERAL (SELECT path, proof FROM backups ORDER BY id DESC LIMIT 1) AS last ON true;
