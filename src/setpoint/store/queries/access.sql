-- Accounts, credentials, and answers that are remembered.

-- name: read_credential_holder
-- Nulls when nobody holds a live credential of this hash.
SELECT id, kind, account, roles, dimensions, expires_at, extract(epoch FROM expires_at - clock_timestamp())::float8 AS left_s,
       is_ending
FROM credential_holder(%(secret_hash)s);

-- name: credential_ends
-- Null when the credential lets nobody in any more.
SELECT at, account, dimensions, extract(epoch FROM at - clock_timestamp())::float8 AS left_s FROM credential_ends(%(id)s);

-- name: keep_form
-- Keep a form for whoever's session sent it.
SELECT keep_form(%(secret)s, %(hash)s, %(path)s, %(fields)s);

-- name: kept_form
-- A form that is kept for the caller; nulls for none.
SELECT path, fields FROM kept_form(%(hash)s);

-- name: read_sessions
-- Sessions of the caller, or all for an admin or the owner of the tables, of one account or of every; newest first.
SELECT id, account, how, created_at, created_by, proven_at, expires_at, last_used_at, last_used_from, last_used_by, is_this
FROM sessions_seen(%(account)s, %(after)s, %(limit)s);

-- name: end_session
-- End a session: of whom it was.
SELECT end_session(%(id)s, %(remote)s) AS account;

-- name: end_other_sessions
-- End every session of the caller but this one: how many.
SELECT end_other_sessions(%(remote)s) AS ended;

-- name: read_admins
-- Whom to ask for what needs an admin.
SELECT admins() AS name;

-- name: prove_by_password
-- Prove again who holds the session; false when the key is wrong.
SELECT prove_by_password(%(key)s, %(remote)s) AS proven;

-- name: prove_by_identity
-- Prove again who holds the session, by a provider's word; false when it is of somebody else.
SELECT prove_by_identity(%(issuer)s, %(subject)s, to_timestamp(%(at)s::float8), %(remote)s) AS proven;

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
SELECT forget_answers();

-- name: forget_credentials
-- Sessions and one-time logins that ended a day ago, tokens that ended a month ago.
SELECT forget_credentials();

-- name: read_accounts
-- Accounts by name, after one, or one alone, without their passwords; for an admin or the owner of the tables.
SELECT name, roles, has_password, issuer, subject, created_at, created_by, disabled_at, last_login_at, unconfirmed, limits, waits_since
FROM accounts_seen(%(name)s, %(after)s, %(limit)s);

-- name: create_account
-- A new account.
SELECT create_account(%(name)s,
    CASE WHEN %(roles)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(roles)s::jsonb)) END, %(remote)s);

-- name: change_account
-- Other roles, disabled or enabled; null leaves it as it is.
SELECT change_account(%(name)s,
    CASE WHEN %(roles)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(roles)s::jsonb)) END, %(disabled)s,
    %(limits)s::jsonb, %(remote)s);

-- name: confirm_account
-- Say that an account is who it says, beside those who appointed it.
SELECT confirm_account(%(name)s, %(remote)s);

-- name: link_identity
-- The person at a provider who is this account.
SELECT link_identity(%(name)s, %(issuer)s, %(subject)s, %(remote)s);

-- name: believe_provider
-- Whose word about people is taken, and the roles it may bring at most; for the owner of the tables.
INSERT INTO identity_providers (issuer, roles) VALUES (%(issuer)s,
        CASE WHEN %(roles)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(roles)s::jsonb)) END)
ON CONFLICT (issuer) DO UPDATE SET roles = excluded.roles;

-- name: login_facts
-- How to hash this account's password, or how long to wait.
SELECT parameters, wait_s FROM login_facts(%(name)s, %(remote)s);

-- name: open_session_by_password
-- A session for whoever knows the password; nulls for anybody else.
SELECT account, roles, expires_at, awaits_passkey
FROM open_session_by_password(%(name)s, %(key)s, %(hash)s, %(remote)s);

-- name: keep_password_anew
-- The same password under newer costs.
SELECT keep_password_anew(%(name)s, %(key)s, %(parameters)s, %(verifier)s);

-- name: open_session_once
-- A session for a one-time login, which is used up; nulls for none.
SELECT account, roles, expires_at, wait_s FROM open_session_once(%(secret)s, %(hash)s, %(remote)s);

-- name: open_session_by_identity
-- A session for a person whom a provider vouched for; nulls when they are not let in.
SELECT account, roles, expires_at
FROM open_session_by_identity(%(issuer)s, %(subject)s, %(name)s,
    CASE WHEN %(roles)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(roles)s::jsonb)) END, to_timestamp(%(proven_at)s::float8), %(hash)s, %(remote)s);

-- name: close_session
-- End the session of this transaction's credential.
SELECT close_session(%(remote)s);

-- name: own_password
-- How the caller's password is hashed, and whether it must be proven to set another.
SELECT parameters, wait_s, must_prove FROM own_password(%(remote)s);

-- name: set_password
-- Set the caller's password; false when the old one was not proven.
SELECT set_password(%(key)s, %(parameters)s, %(verifier)s, %(remote)s) AS set;

-- name: issue_token
-- A token, by its hash.
SELECT id, account, roles, expires_at
FROM issue_token(%(account)s, %(hash)s, %(label)s,
    CASE WHEN %(roles)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(roles)s::jsonb)) END, %(days)s, %(remote)s,
    CASE WHEN %(dimensions)s::jsonb IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(%(dimensions)s::jsonb)) END);

-- name: rotate_token
-- Another token like one, which works on for the overlap.
SELECT id, account, roles, expires_at, label, old_ends_at
FROM rotate_token(%(id)s, %(hash)s, %(days)s, %(overlap_s)s, %(remote)s);

-- name: list_tokens_ending
-- Tokens that end soon and were not rotated, the next to end first.
SELECT id, account, expires_at FROM tokens_ending();

-- name: issue_once
-- A one-time login of an account, by its hash; an earlier one is void.
SELECT expires_at FROM issue_once(%(account)s, %(hash)s, %(remote)s);

-- name: revoke_token
-- End a token.
SELECT revoke_token(%(id)s, %(remote)s);

-- name: read_tokens
-- Tokens of the caller, or all for an admin or the owner of the tables; newest first.
SELECT id, account, label, roles, dimensions, created_at, created_by, expires_at, revoked_at, last_used_at, last_used_from,
       is_ending
FROM tokens_seen(%(after)s, %(limit)s);

-- name: touch_credential
-- Note that a credential was used.
SELECT touch_credential(%(hash)s, %(remote)s, %(by)s);

-- name: read_access_log
-- What happened at the doors, newest first, of one account or of all.
SELECT id, at, event, account, remote, credential, actor, detail FROM access_log
WHERE (%(after)s::bigint IS NULL OR id < %(after)s)
  AND (%(account)s::text IS NULL OR account = %(account)s) AND (%(event)s::text IS NULL OR event = %(event)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
ORDER BY id DESC LIMIT %(limit)s;

-- name: start_passkey
-- What a passkey is to sign for a session or a login; and the passkeys that can.
SELECT account, keys FROM start_passkey(%(secret)s, %(challenge)s, %(is_new)s);

-- name: take_challenge
-- What was to be signed, once, and the public key that checks it.
SELECT challenge, public_key, sign_count FROM take_challenge(%(secret)s, %(key)s);

-- name: open_session_by_passkey
-- A session for whom password and passkey proved; nulls for anybody else.
SELECT account, roles, expires_at FROM open_session_by_passkey(%(secret)s, %(key)s, %(sign_count)s, %(hash)s, %(remote)s);

-- name: prove_by_passkey
-- Prove again who holds the session; false when no passkey of theirs answered.
SELECT prove_by_passkey(%(key)s, %(sign_count)s, %(remote)s) AS proven;

-- name: keep_passkey
-- A passkey of the caller's.
SELECT keep_passkey(%(key)s, %(public_key)s, %(sign_count)s, %(label)s, %(remote)s);

-- name: remove_passkey
-- Let a passkey prove nothing any more.
SELECT remove_passkey(%(id)s, %(remote)s);

-- name: read_passkeys
-- Passkeys of an account: the caller's own, or anybody's for an admin or the owner of the tables.
SELECT id, account, label, created_at, last_used_at FROM passkeys_seen(%(account)s);
