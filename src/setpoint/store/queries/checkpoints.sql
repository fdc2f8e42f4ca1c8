-- Dated checkpoints: the log of a calendar, what its sources said, and what is written to both.

-- name: read_checkpoint_clock
-- The instant by which checkpoints are judged: the database's.
SELECT clock_timestamp() AS now;

-- name: list_checkpoint_log
-- Everything recorded of a calendar, oldest first.
SELECT checkpoint, event, option, said, evidence, person, at
FROM checkpoint_log
WHERE calendar = %(calendar)s
ORDER BY id;

-- name: read_checkpoint_readings
-- What the sources of a calendar last said; one row, or none.
SELECT readings, read_by, read_at
FROM checkpoint_readings
WHERE calendar = %(calendar)s;

-- name: note_readings
-- Keep what the sources of a calendar say now.
SELECT note_readings(%(calendar)s, %(readings)s);

-- name: judge_checkpoint
-- Say once that a due checkpoint passed or fired.
SELECT judge_checkpoint(%(calendar)s, %(checkpoint)s, %(due_at)s, %(decide_by)s, %(passed)s, %(evidence)s);

-- name: log_checkpoint
-- Say that an issue was opened, or that the Epic was seen shipped.
SELECT log_checkpoint(%(calendar)s, %(checkpoint)s, %(event)s, %(said)s, %(evidence)s);

-- name: claim_posting
-- The claim of whoever posts the issue of a checkpoint, or with an option its decision, or holds on to it.
SELECT claim_posting(%(calendar)s, %(checkpoint)s, %(option)s, %(held)s) AS claim;

-- name: release_posting
-- Give a claim up.
SELECT release_posting(%(held)s);

-- name: decide_checkpoint
-- Record the decision that closes a checkpoint.
SELECT decide_checkpoint(%(calendar)s, %(checkpoint)s, %(option)s, %(said)s, %(evidence)s);
