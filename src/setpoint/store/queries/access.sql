-- Accounts, credentials, and answers that are remembered.

-- name: read_credential_holder
-- Nulls when nobody holds a live credential of this hash.
SELECT id, kind, account, roles, expires_at FROM credential_holder(%(secret_hash)s);

-- name: claim_key
-- One row when the key is new; none when it was used. Waits for a transaction that is using it.
INSERT INTO idempotency (account, key, request_hash) VALUES (%(account)s, %(key)s, %(request_hash)s)
ON CONFLICT DO NOTHING;

-- name: read_answer
-- What was answered under a key.
SELECT request_hash, status, headers, body FROM idempotency WHERE account = %(account)s AND key = %(key)s;

-- name: store_answer
-- Remember the answer of this transaction's write.
UPDATE idempotency SET status = %(status)s, headers = %(headers)s, body = %(body)s
WHERE account = %(account)s AND key = %(key)s;

-- name: forget_answers
-- Answers older than a day.
DELETE FROM idempotency WHERE created_at < clock_timestamp() - interval '1 day';
