-- Passkeys: a second factor of people who log in with a password, and a proof of who holds a session.
--
-- The server checks what a passkey signed, for PostgreSQL cannot; the database says for which session and
-- challenge, takes each challenge once, and opens nothing without the password that came before it.

CREATE TABLE public.passkeys (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key          bytea NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 1023),
    account      text NOT NULL REFERENCES public.accounts (name),
    label        text NOT NULL CHECK (length(label) <= 200),
    public_key   bytea NOT NULL CHECK (length(public_key) <= 4096),
    sign_count   bigint NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz,
    CONSTRAINT a_label_is_a_name CHECK (public.is_name(label))
);
CREATE INDEX passkeys_by_account ON public.passkeys (account, id);
COMMENT ON TABLE public.passkeys IS 'Public keys of the devices by which people prove who they are; what signs never leaves the device.';
COMMENT ON COLUMN public.passkeys.sign_count IS 'How often the device says that it signed: one that counts backwards was copied. Many do not count.';

CREATE FUNCTION public.require_own_password() RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.person_behind();
BEGIN
    IF s.proof = 'one-time-login' OR NOT EXISTS (
            SELECT FROM public.accounts AS a WHERE a.name = s.account AND a.password_verifier IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a passkey goes with a password that one has logged in with',
            HINT = 'set a password, log in with it, and add the passkey then; a provider has factors of its own';
    END IF;
    PERFORM public.require_fresh_proof();
    RETURN s;
END
$$;

CREATE FUNCTION public.start_passkey(p_secret text, p_challenge bytea, p_is_new boolean, OUT account text, OUT keys bytea[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF p_is_new THEN
        PERFORM public.require_own_password();
    END IF;
    UPDATE public.credentials AS c SET challenge = p_challenge, challenge_ends_at = clock_timestamp() + interval '5 minutes'
    FROM public.accounts AS a
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind IN ('session', 'begun') AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() AND a.name = c.account AND a.disabled_at IS NULL
    RETURNING c.account INTO account;
    IF account IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'this login took too long, or has ended', HINT = 'log in again';
    END IF;
    keys := ARRAY(SELECT k.key FROM public.passkeys AS k WHERE k.account = start_passkey.account ORDER BY k.id);
END
$$;
COMMENT ON FUNCTION public.start_passkey IS 'Notes what a passkey is to sign for a session, or for a login whose password was right; and which passkeys can.';

CREATE FUNCTION public.take_challenge(
    p_secret text, p_key bytea, OUT challenge bytea, OUT public_key bytea, OUT sign_count bigint
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    held public.credentials;
BEGIN
    SELECT c.* INTO held FROM public.credentials AS c
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind IN ('session', 'begun') AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() FOR UPDATE;
    IF held.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'this login took too long, or has ended', HINT = 'log in again';
    END IF;
    IF held.challenge_ends_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '5 minutes' THEN
        challenge := held.challenge;
    END IF;
    UPDATE public.credentials AS c SET challenge = NULL, challenge_ends_at = NULL WHERE c.id = held.id;
    SELECT k.public_key, k.sign_count INTO public_key, sign_count
    FROM public.passkeys AS k WHERE k.key = p_key AND k.account = held.account;
END
$$;
COMMENT ON FUNCTION public.take_challenge IS 'What was to be signed, once; with the public key that checks it, when it is this account''s.';

CREATE FUNCTION public.use_passkey(p_account text, p_key bytea, p_sign_count bigint) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE public.passkeys AS k SET sign_count = p_sign_count, last_used_at = clock_timestamp()
    WHERE k.account = p_account AND k.key = p_key
      AND (p_sign_count > k.sign_count OR (p_sign_count = 0 AND k.sign_count = 0));
    RETURN FOUND;
END
$$;

CREATE FUNCTION public.open_session_by_passkey(
    p_secret text, p_key bytea, p_sign_count bigint, p_hash bytea, p_remote text,
    OUT account text, OUT roles text[], OUT expires_at timestamptz
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    begun public.credentials;
BEGIN
    SELECT c.* INTO begun FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind = 'begun' AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() AND a.disabled_at IS NULL FOR UPDATE OF c;
    IF begun.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'this login took too long, or has ended', HINT = 'log in again';
    END IF;
    UPDATE public.credentials AS c SET revoked_at = clock_timestamp() WHERE c.id = begun.id;
    IF p_key IS NULL OR NOT public.use_passkey(begun.account, p_key, p_sign_count) THEN
        PERFORM public.note_access('login_failed', begun.account, p_remote, NULL, '', '{"how": "passkey"}');
        RETURN;
    END IF;
    SELECT s.* INTO account, roles, expires_at
    FROM public.start_session(begun.account, p_hash, 'password and passkey', p_remote, begun.account) AS s;
END
$$;
COMMENT ON FUNCTION public.open_session_by_passkey IS 'Completes a login whose password was right; nulls, and that login is over, when no passkey of the account answered.';

CREATE FUNCTION public.prove_by_passkey(p_key bytea, p_sign_count bigint, p_remote text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.person_behind();
BEGIN
    IF p_key IS NULL OR NOT public.use_passkey(s.account, p_key, p_sign_count) THEN
        PERFORM public.note_access('login_failed', s.account, p_remote, s.id, s.account, '{"how": "proof by passkey"}');
        RETURN false;
    END IF;
    PERFORM public.note_proof(s.id, s.account, 'passkey', clock_timestamp(), p_remote);
    RETURN true;
END
$$;
COMMENT ON FUNCTION public.prove_by_passkey IS 'False when no passkey of the account answered.';

CREATE FUNCTION public.keep_passkey(p_key bytea, p_public_key bytea, p_sign_count bigint, p_label text, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.require_own_password();
BEGIN
    IF (SELECT count(*) FROM public.passkeys AS k WHERE k.account = s.account) >= 10 THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = 'an account has ten passkeys at most', HINT = 'remove one first';
    END IF;
    INSERT INTO public.passkeys (key, account, label, public_key, sign_count)
    VALUES (p_key, s.account, p_label, p_public_key, p_sign_count);
    PERFORM public.note_access('passkey_added', s.account, p_remote, s.id, s.account, jsonb_build_object('label', p_label));
END
$$;

CREATE FUNCTION public.remove_passkey(p_id bigint, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    actor text := public.owner_of_tables();
    everything boolean := actor IS NOT NULL;
    gone public.passkeys;
    s record;
BEGIN
    IF actor IS NULL THEN
        s := public.person_behind();
        actor := s.account;
        everything := 'admin' = ANY (s.roles);
        PERFORM public.require_fresh_proof();
    END IF;
    DELETE FROM public.passkeys AS k WHERE k.id = p_id AND (everything OR k.account = actor) RETURNING k.* INTO gone;
    IF gone.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no passkey %s', p_id),
            HINT = 'list them with `setpoint passkeys list`, or on the page of the account';
    END IF;
    PERFORM public.note_access('passkey_removed', gone.account, p_remote, NULL, actor, jsonb_build_object('label', gone.label));
END
$$;

CREATE FUNCTION public.passkeys_seen(p_account text)
    RETURNS TABLE (id bigint, account text, label text, created_at timestamptz, last_used_at timestamptz)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    everything boolean := public.owner_of_tables() IS NOT NULL;
    mine text := '';
    s record;
BEGIN
    IF NOT everything THEN
        s := public.presented();
        everything := 'admin' = ANY (s.roles);
        mine := s.account;
    END IF;
    RETURN QUERY
        SELECT k.id, k.account, k.label, k.created_at, k.last_used_at FROM public.passkeys AS k
        WHERE (p_account IS NULL OR k.account = p_account) AND (everything OR k.account = mine) ORDER BY k.id;
END
$$;

REVOKE ALL ON FUNCTION
    public.require_own_password(),
    public.start_passkey(text, bytea, boolean),
    public.take_challenge(text, bytea),
    public.use_passkey(text, bytea, bigint),
    public.open_session_by_passkey(text, bytea, bigint, bytea, text),
    public.prove_by_passkey(bytea, bigint, text),
    public.keep_passkey(bytea, bytea, bigint, text, text),
    public.remove_passkey(bigint, text),
    public.passkeys_seen(text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    public.start_passkey(text, bytea, boolean),
    public.take_challenge(text, bytea),
    public.open_session_by_passkey(text, bytea, bigint, bytea, text),
    public.prove_by_passkey(bytea, bigint, text),
    public.keep_passkey(bytea, bytea, bigint, text, text),
    public.remove_passkey(bigint, text),
    public.passkeys_seen(text)
    TO setpoint_server;
