-- Access: who speaks, as a login or through the plane, and accounts and their credentials.
--
-- The server holds no power to name a person. It hands each request's secret to the database, which looks
-- it up; who() gives the account behind it, and roles are judged there, in the transaction that writes.
-- The role setpoint_server may do what the application may, and keep accounts; it owns nothing, so it can
-- no more change history than any other login.

-- Roles are PostgreSQL's: who is a member of what is proven by the login. None of them owns anything.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['setpoint_approver', 'setpoint_robot'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
END
$$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'setpoint_server') THEN
        -- On the embedded server, whose socket one account can reach, it is a login of its own.
        EXECUTE 'CREATE ROLE setpoint_server '
            || CASE WHEN current_setting('listen_addresses') = '' THEN 'LOGIN' ELSE 'NOLOGIN' END;
    END IF;
END
$$;
GRANT setpoint_app TO setpoint_server;

CREATE FUNCTION public.are_limits(given jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Not of an admin, who could lift them.
    SELECT jsonb_typeof(given) = 'object' AND NOT EXISTS (
        SELECT FROM jsonb_each(given) AS role, jsonb_each(CASE jsonb_typeof(role.value) WHEN 'object' THEN role.value ELSE '{"": ""}' END) AS part
        WHERE role.key NOT IN ('config_write', 'approver') OR part.key NOT IN ('scopes', 'keys')
           OR jsonb_typeof(part.value) <> 'array' OR part.value = '[]')
$$;

CREATE FUNCTION public.is_named(name text, patterns jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A pattern is a whole name, or what names begin with and a star. None at all names everything.
    SELECT patterns IS NULL OR EXISTS (
        SELECT FROM jsonb_array_elements_text(patterns) AS p
        WHERE name = p OR (right(p, 1) = '*' AND starts_with(name, left(p, -1))))
$$;

CREATE FUNCTION public.reaches(limits jsonb, role text, p_scope text, p_keys text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Null keys are all keys: a policy is about every one of its scope.
    SELECT public.is_named(p_scope, limits -> role -> 'scopes')
       AND (limits -> role -> 'keys' IS NULL
            OR (p_keys IS NOT NULL AND (SELECT coalesce(bool_and(public.is_named(k, limits -> role -> 'keys')), true) FROM unnest(p_keys) AS k)))
$$;
COMMENT ON FUNCTION public.reaches IS 'Whether a role that is limited so covers a change of these keys in this scope.';

CREATE TABLE public.accounts (
    name          text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    roles         text[] NOT NULL
                  CHECK (roles <@ ARRAY['viewer', 'config_write', 'approver', 'admin', 'robot']),
    limits        jsonb NOT NULL DEFAULT '{}' CONSTRAINT limits_name_scopes_or_keys CHECK (public.are_limits(limits)),
    password_parameters text,
    password_verifier   bytea CHECK (length(password_verifier) = 32),
    issuer        text,
    subject       text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by    text NOT NULL,
    disabled_at   timestamptz,
    waits_since   timestamptz,
    UNIQUE (issuer, subject),
    CONSTRAINT who_waits_is_shut_out CHECK (waits_since IS NULL OR disabled_at IS NOT NULL),
    CONSTRAINT a_password_is_whole CHECK ((password_parameters IS NULL) = (password_verifier IS NULL)),
    CONSTRAINT robots_have_no_password CHECK (password_verifier IS NULL OR NOT 'robot' = ANY (roles)),
    CONSTRAINT robots_do_not_approve CHECK (NOT roles @> ARRAY['robot', 'approver'])
);
COMMENT ON TABLE public.accounts IS 'People and robots of the plane; one with the name of a database login is the same person.';
COMMENT ON COLUMN public.accounts.limits IS 'How far roles reach: by role, patterns of scopes and of keys; a role without an entry reaches everything.';
COMMENT ON COLUMN public.accounts.waits_since IS 'Shut out since a backup was brought back, until an admin says that it may still come in; null of any other.';
COMMENT ON COLUMN public.accounts.password_parameters IS 'Argon2id: version, cost and salt in its text form; what it makes of the password is not kept.';
COMMENT ON COLUMN public.accounts.password_verifier IS 'SHA-256 of what Argon2id makes of the password: whoever reads it cannot log in with it.';

CREATE TABLE public.appointments (
    account      text NOT NULL REFERENCES public.accounts (name),
    what         text NOT NULL CHECK (what IN ('role', 'login', 'identity')),
    hand         text NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    confirmed_by text,
    PRIMARY KEY (account, what, hand)
);
COMMENT ON TABLE public.appointments IS 'Which admin made an account approver or admin, printed its one-time login, or linked it; the owner of the database and providers leave none.';
COMMENT ON COLUMN public.appointments.confirmed_by IS 'Until another admin or the owner confirmed it, what the account approves counts on no change of that hand.';

CREATE TABLE public.identity_providers (
    issuer text PRIMARY KEY CHECK (issuer ~ '^https?://'),
    roles  text[] NOT NULL CHECK (roles <@ ARRAY['viewer', 'config_write', 'approver', 'admin'])
);
COMMENT ON TABLE public.identity_providers IS 'Whom the owner of the database believes about people, and the roles they may bring at most.';

CREATE TABLE public.credentials (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash           bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    kind           text NOT NULL CHECK (kind IN ('session', 'token', 'once', 'begun')),
    account        text NOT NULL REFERENCES public.accounts (name),
    label          text NOT NULL,
    roles          text[],
    dimensions     text[],
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by     text NOT NULL,
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    last_used_at   timestamptz,
    last_used_from text,
    last_used_by   text NOT NULL DEFAULT '',
    proven_at      timestamptz DEFAULT clock_timestamp(),
    challenge      bytea CHECK (length(challenge) = 32),
    challenge_ends_at timestamptz,
    CONSTRAINT a_label_is_a_name CHECK (public.is_name(label)),
    CONSTRAINT flags_are_read_by_tokens CHECK (dimensions IS NULL OR (kind = 'token' AND roles IS NULL))
);
CREATE INDEX credentials_by_account ON public.credentials (account, id);
COMMENT ON TABLE public.credentials IS 'Secrets by their SHA-256: they have 256 random bits, so nothing slower is needed.';
COMMENT ON COLUMN public.credentials.roles IS 'What a token is limited to; null is all of its account. Roles taken from the account are gone from its tokens.';
COMMENT ON COLUMN public.credentials.dimensions IS 'Of a token that reads flags and nothing else: by what it asks, as symbol or symbol=BTCUSDC; null is any other.';
COMMENT ON COLUMN public.credentials.last_used_by IS 'What used it calls itself: a browser''s User-Agent, or whatever a program says.';
COMMENT ON COLUMN public.credentials.kind IS 'begun: a password was right, and a passkey is awaited; it lets nobody in.';
COMMENT ON COLUMN public.credentials.challenge IS 'What a passkey is to sign next for this session or login; it is taken once.';
COMMENT ON COLUMN public.credentials.proven_at IS 'Of a session: when its holder last proved who they are; null where a provider does not say when that was. See require_fresh_proof.';

CREATE TABLE public.kept_forms (
    hash    bytea PRIMARY KEY CHECK (length(hash) = 32),
    account text NOT NULL REFERENCES public.accounts (name),
    path    text NOT NULL CHECK (path ~ '^/([^/]|$)' AND length(path) <= 2000),
    fields  jsonb NOT NULL CHECK (length(fields::text) <= 4194304),
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX kept_forms_by_account ON public.kept_forms (account, kept_at);
CREATE INDEX kept_forms_by_age ON public.kept_forms (kept_at);
COMMENT ON TABLE public.kept_forms IS 'What people sent from pages when their session had ended, or had to be proven first: shown to them again, by a ticket whose SHA-256 this is, and never done by itself.';

CREATE TABLE public.access_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    event      text NOT NULL,
    account    text NOT NULL,
    remote     text NOT NULL DEFAULT '',
    network    text NOT NULL DEFAULT '',
    credential bigint,
    actor      text NOT NULL DEFAULT '',
    detail     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX access_log_by_account ON public.access_log (account, at DESC);
CREATE INDEX access_log_of_account ON public.access_log (account, id);
CREATE INDEX access_log_by_event ON public.access_log (event, id);
CREATE INDEX access_log_by_network ON public.access_log (network, at DESC);
COMMENT ON COLUMN public.access_log.network IS 'What throttling goes by: the address, or of IPv6 its /64, for that is what one caller is given.';
CREATE INDEX access_log_by_credential ON public.access_log (credential, remote) WHERE credential IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.access_log
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the access log is append-only');
ALTER TABLE public.access_log ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION public.announce_access() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    NOTIFY setpoint_access;
    RETURN NULL;
END
$$;
-- Not last_used_at: servers forget what they know of credentials when this is heard.
CREATE TRIGGER announce_access AFTER UPDATE OF roles, disabled_at OR DELETE ON public.accounts
    FOR EACH STATEMENT EXECUTE FUNCTION public.announce_access();
CREATE TRIGGER announce_access AFTER UPDATE OF revoked_at, expires_at OR DELETE ON public.credentials
    FOR EACH STATEMENT EXECUTE FUNCTION public.announce_access();
ALTER TABLE public.accounts ENABLE ALWAYS TRIGGER announce_access;
ALTER TABLE public.credentials ENABLE ALWAYS TRIGGER announce_access;

CREATE FUNCTION public.ends_soon(c public.credentials) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Two weeks, or the last tenth of a shorter life.
    SELECT c.kind = 'token' AND c.expires_at < clock_timestamp() + least(interval '14 days', (c.expires_at - c.created_at) / 10)
$$;

-- A view, so that the many who ask who speaks are answered within their own statement.
CREATE VIEW public.live_credentials AS
SELECT c.hash, c.id, c.kind, c.account,
       -- No account has the role flags, and no rule of a write names it.
       CASE WHEN c.dimensions IS NOT NULL THEN CASE WHEN a.roles = '{}' THEN '{}' ELSE '{flags}'::text[] END
            ELSE ARRAY(SELECT role FROM unnest(a.roles) AS role WHERE c.roles IS NULL OR role = ANY (c.roles)) END AS roles,
       c.expires_at,
       -- Whoever printed a one-time login may have used it: its session never proves the person.
       CASE WHEN c.kind = 'token' THEN 'api-token'
            WHEN c.label IN ('once', 'once, password set') THEN 'one-time-login'
            ELSE 'account-session' END AS proof,
       c.dimensions, c AS credential
FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
WHERE c.kind NOT IN ('once', 'begun') AND c.revoked_at IS NULL
  AND c.expires_at > clock_timestamp() AND a.disabled_at IS NULL;
COMMENT ON VIEW public.live_credentials IS 'Who holds each credential that counts now, and what it allows.';

CREATE FUNCTION public.credential_holder(
    secret_hash bytea, OUT id bigint, OUT kind text, OUT account text, OUT roles text[], OUT expires_at timestamptz,
    OUT proof text, OUT dimensions text[], OUT is_ending boolean
)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT h.id, h.kind, h.account, h.roles, h.expires_at, h.proof, h.dimensions, public.ends_soon(h.credential)
    FROM public.live_credentials AS h WHERE h.hash = secret_hash
$$;
COMMENT ON FUNCTION public.credential_holder IS 'Who holds a live credential, and what it allows; nulls for any other.';

CREATE FUNCTION public.credential_ends(
    credential bigint, OUT at timestamptz, OUT account text, OUT dimensions text[]
)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT c.expires_at, c.account, c.dimensions
    FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
    WHERE c.id = credential AND c.kind NOT IN ('once', 'begun') AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() AND a.disabled_at IS NULL
      AND a.roles <> '{}' AND (c.roles IS NULL OR c.roles && a.roles)
$$;
COMMENT ON FUNCTION public.credential_ends IS 'Until when a credential lets anybody in, and whom; null when it does not. By it servers judge streams that a token opened.';

CREATE FUNCTION public.is_plane() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- By the login, for a plane that was taken over could leave its role. The owner of the tables is no plane,
    -- though PostgreSQL counts it (and a superuser) as a member of every role.
    SELECT current_setting('role') = 'setpoint_server'
        OR (EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_server' AND pg_has_role(session_user, g.oid, 'MEMBER'))
            AND NOT (SELECT pg_has_role(session_user, relowner, 'MEMBER') FROM pg_class WHERE oid = 'public.accounts'::regclass))
$$;
COMMENT ON FUNCTION public.is_plane IS 'Whether this session is a plane''s, which speaks for nobody by itself.';

CREATE FUNCTION public.refuse_flag_readers(dimensions text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF dimensions IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'this token reads flags and nothing else',
            HINT = 'use another token, or log in';
    END IF;
END
$$;

CREATE FUNCTION public.speaker(OUT kind text, OUT account text, OUT roles text[], OUT proof text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    secret text := nullif(current_setting('setpoint.credential', true), '');
    dimensions text[];
BEGIN
    IF secret IS NULL THEN
        IF public.is_plane() THEN
            RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'a plane''s login speaks for nobody: no credential was presented',
                HINT = 'present the credential of an account, or use a login that is no member of setpoint_server';
        END IF;
        RETURN;
    END IF;
    SELECT h.kind, h.account, h.roles, h.proof, h.dimensions INTO kind, account, roles, proof, dimensions
    FROM public.live_credentials AS h WHERE h.hash = sha256(convert_to(secret, 'UTF8'));
    IF account IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'the credential is unknown, expired or revoked';
    END IF;
    IF dimensions IS NOT NULL THEN
        PERFORM public.refuse_flag_readers(dimensions);
    END IF;
END
$$;
COMMENT ON FUNCTION public.speaker IS 'The account whose secret this transaction presented; nulls for a login that speaks for itself.';

CREATE FUNCTION public.require_speaker() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- Not within a function that runs as the owner: that has judged by itself.
    IF NOT (SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = TG_RELID) THEN
        PERFORM public.speaker();
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.require_speaker IS 'On every table that a login may write itself: a plane without a credential writes nothing there.';
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.catalogues
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
ALTER TABLE public.catalogues ENABLE ALWAYS TRIGGER require_speaker;

CREATE FUNCTION public.who(OUT person text, OUT proof text, OUT account text, OUT roles text[])
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A presented credential first. Then the login: setpoint_app logs in only on the embedded server, whose
    -- socket one operating system account can reach: that account is the proof, and its name is told by the
    -- process. Any other login is itself; so is setpoint_app on a server that listens to a network, where
    -- anybody may be behind it.
    SELECT CASE WHEN speaker.account IS NOT NULL THEN speaker.account
                WHEN local THEN coalesce(nullif(current_setting('setpoint.author', true), ''), 'unattributed')
                ELSE session_user::text END,
           CASE WHEN speaker.account IS NOT NULL THEN speaker.proof
                WHEN local THEN 'os-account' ELSE 'database-login' END,
           speaker.account, speaker.roles
    FROM public.speaker() AS speaker,
         (SELECT session_user = 'setpoint_app' AND current_setting('listen_addresses') = '') AS session (local)
$$;
COMMENT ON FUNCTION public.who IS 'The person of this session and how that is proven, with the account and its roles where one presented a credential.';

CREATE FUNCTION public.require_role(VARIADIC wanted text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record;
BEGIN
    -- Of a login that speaks for itself it is PostgreSQL's own privileges that decide.
    SELECT * INTO s FROM public.speaker();
    IF s.account IS NOT NULL AND NOT s.roles && wanted THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('%s needs the role %s for this', s.account, array_to_string(wanted, ' or ')),
            HINT = format('an admin grants roles with `setpoint accounts roles %s --role ROLE`', s.account);
    END IF;
END
$$;

CREATE FUNCTION public.require_reach(p_scope text, p_keys text[], VARIADIC wanted text[]) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record;
    limits jsonb;
BEGIN
    SELECT * INTO s FROM public.speaker();
    IF s.account IS NULL THEN
        RETURN;  -- as in require_role
    END IF;
    PERFORM public.require_role(VARIADIC wanted);
    SELECT a.limits INTO limits FROM public.accounts AS a WHERE a.name = s.account;
    IF NOT EXISTS (SELECT FROM unnest(s.roles) AS role
            WHERE role = ANY (wanted) AND public.reaches(limits, role, p_scope, p_keys)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('no role of %s reaches this change of %s', s.account, p_scope),
            HINT = format('an admin says how far roles reach: `setpoint accounts limit %s --role ROLE`', s.account);
    END IF;
END
$$;
COMMENT ON FUNCTION public.require_reach IS 'As require_role, and the role covers this scope and these keys.';

CREATE FUNCTION public.hands_behind(person text) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Through hands of hands: whom somebody's creature appointed is their creature too.
    WITH RECURSIVE hands AS (
        SELECT person AS hand
        UNION
        SELECT a.hand FROM hands AS h JOIN public.appointments AS a ON a.account = h.hand AND a.confirmed_by IS NULL
    )
    SELECT hand FROM hands
$$;
COMMENT ON FUNCTION public.hands_behind IS 'Who may be acting as this person, as far as nobody else has confirmed who it is; itself among them.';

CREATE FUNCTION public.approving_logins() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A superuser is a member of every role by nature, which is no appointment; a robot never approves.
    -- Roles are looked up by name: on a cluster without them (a restored backup) nobody approves.
    SELECT r.rolname::text FROM pg_roles AS r
    WHERE r.rolcanlogin AND NOT r.rolsuper
      AND EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_approver' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
      AND NOT EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_robot' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
$$;

CREATE FUNCTION public.approvers() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT public.approving_logins()
    UNION
    SELECT name FROM public.accounts WHERE 'approver' = ANY (roles) AND disabled_at IS NULL
$$;
COMMENT ON FUNCTION public.approvers IS 'The people whose approval counts, on changes of others: see counts_for.';

CREATE FUNCTION public.is_robot(name text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM public.accounts AS a WHERE a.name = is_robot.name AND 'robot' = ANY (a.roles))
        OR EXISTS (SELECT FROM pg_roles AS r JOIN pg_roles AS g ON g.rolname = 'setpoint_robot'
                   WHERE r.rolname = is_robot.name AND NOT r.rolsuper AND pg_has_role(r.oid, g.oid, 'MEMBER'));
END
$$;

-- Keeping accounts. A function that acts for a person asks the database who that is; without a credential
-- only the owner of the tables may, so a server that was taken over cannot appoint anybody.

CREATE FUNCTION public.network_of(address text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF address NOT LIKE '%:%' THEN
        RETURN address;
    END IF;
    RETURN host(network(set_masklen(address::inet, 64)));
EXCEPTION WHEN data_exception THEN
    RETURN address;
END
$$;

CREATE FUNCTION public.note_access(
    p_event text, p_account text, p_remote text, p_credential bigint, p_actor text, p_detail jsonb
) RETURNS void
    LANGUAGE sql
    SET search_path = pg_catalog, public, pg_temp
AS $$
    INSERT INTO public.access_log (event, account, remote, network, credential, actor, detail)
    -- Whoever keeps accounts at the database's own door may say why.
    SELECT p_event, p_account, seen, public.network_of(seen), p_credential, coalesce(p_actor, ''),
           p_detail || CASE WHEN why <> '' THEN jsonb_build_object('reason', why) ELSE '{}' END
    FROM left(coalesce(p_remote, ''), 64) AS seen, coalesce(current_setting('setpoint.reason', true), '') AS why
$$;

CREATE FUNCTION public.owner_of_tables() RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT coalesce(nullif(current_setting('setpoint.author', true), ''), session_user::text)
    FROM pg_class WHERE oid = 'public.accounts'::regclass AND pg_has_role(session_user, relowner, 'MEMBER')
      AND coalesce(current_setting('setpoint.credential', true), '') = ''
$$;
COMMENT ON FUNCTION public.owner_of_tables IS 'Who this is, when it is a login that owns the tables and presents no credential; else null.';

CREATE FUNCTION public.require_fresh_proof() RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- Of a session alone, whichever door it came through: a cookie may have been stolen, a screen left alone. A
    -- token decides nothing about people, and is no person. A clock that was set back leaves no proof ahead of it.
    IF EXISTS (SELECT FROM public.credentials AS c
               WHERE c.hash = sha256(convert_to(coalesce(current_setting('setpoint.credential', true), ''), 'UTF8'))
                 AND c.kind = 'session'
                 AND (c.proven_at BETWEEN clock_timestamp() - interval '15 minutes' AND clock_timestamp()) IS NOT TRUE) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP440',
            MESSAGE = 'this decides something, and it is more than 15 minutes since you proved who you are',
            HINT = 'prove it again: on a page as it asks, over HTTP with your password by POST /v1/me/proof';
    END IF;
END
$$;
COMMENT ON FUNCTION public.require_fresh_proof IS 'Holds that the session behind this transaction was proven within a quarter of an hour.';

CREATE FUNCTION public.require_admin() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record;
    owner text := public.owner_of_tables();
BEGIN
    IF owner IS NOT NULL THEN
        RETURN owner;
    END IF;
    SELECT * INTO s FROM public.speaker();
    -- A token that could make accounts or tokens would outlive its own revocation.
    IF s.account IS NULL OR s.kind <> 'session' OR NOT 'admin' = ANY (s.roles) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = 'keeping accounts needs the session of an admin',
            HINT = 'log in as one; a token does not suffice';
    END IF;
    PERFORM public.require_fresh_proof();
    RETURN s.account;
END
$$;

CREATE FUNCTION public.note_hand(p_account text, p_what text, p_hand text) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF public.owner_of_tables() IS NULL AND p_hand <> p_account THEN
        INSERT INTO public.appointments (account, what, hand) VALUES (p_account, p_what, p_hand)
        ON CONFLICT (account, what, hand) DO UPDATE SET made_at = clock_timestamp(), confirmed_by = NULL;
    END IF;
END
$$;

CREATE FUNCTION public.account_named(p_name text) RETURNS public.accounts
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    held public.accounts;
BEGIN
    SELECT * INTO held FROM public.accounts WHERE name = p_name FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no account %L', left(p_name, 64)),
            HINT = 'look it up with `setpoint accounts list`';
    END IF;
    RETURN held;
END
$$;

CREATE FUNCTION public.presented() RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record;
BEGIN
    SELECT h.* INTO s FROM public.credential_holder(
        sha256(convert_to(coalesce(current_setting('setpoint.credential', true), ''), 'UTF8'))) AS h;
    IF s.account IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'the credential is unknown, expired or revoked';
    END IF;
    PERFORM public.refuse_flag_readers(s.dimensions);
    RETURN s;
END
$$;
COMMENT ON FUNCTION public.presented IS 'The holder of this transaction''s credential, for what no login may do by its own privileges.';

CREATE FUNCTION public.accounts_seen(p_name text, p_after text, p_limit bigint)
    RETURNS TABLE (name text, roles text[], has_password boolean, issuer text, subject text,
                   created_at timestamptz, created_by text, disabled_at timestamptz, last_login_at timestamptz,
                   unconfirmed text[], limits jsonb, waits_since timestamptz)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    s record;
BEGIN
    IF public.owner_of_tables() IS NULL THEN
        s := public.presented();
        -- Its own row anybody may see.
        IF p_name IS DISTINCT FROM s.account THEN
            PERFORM public.require_role('admin');
        END IF;
    END IF;
    RETURN QUERY
        SELECT a.name, a.roles, a.password_verifier IS NOT NULL, a.issuer, a.subject, a.created_at, a.created_by,
               a.disabled_at,
               (SELECT max(l.at) FROM public.access_log AS l WHERE l.account = a.name AND l.event = 'login_ok'),
               ARRAY(SELECT DISTINCT p.hand FROM public.appointments AS p
                     WHERE p.account = a.name AND p.confirmed_by IS NULL ORDER BY 1),
               a.limits, a.waits_since
        FROM public.accounts AS a
        WHERE (p_name IS NULL OR a.name = p_name) AND (p_after IS NULL OR a.name > p_after)
        ORDER BY a.name LIMIT p_limit;
END
$$;

CREATE FUNCTION public.create_account(p_name text, p_roles text[], p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    actor text := public.require_admin();
BEGIN
    INSERT INTO public.accounts (name, roles, created_by)
    VALUES (p_name, ARRAY(SELECT DISTINCT unnest(p_roles) ORDER BY 1), actor)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('the account %s exists already', p_name),
            HINT = format('`setpoint accounts roles %s --role ROLE` changes its roles', p_name);
    END IF;
    IF p_roles && ARRAY['approver', 'admin'] THEN
        PERFORM public.note_hand(p_name, 'role', actor);
    END IF;
    PERFORM public.note_access('account_created', p_name, p_remote, NULL, actor, jsonb_build_object('roles', p_roles));
END
$$;

CREATE FUNCTION public.change_account(p_name text, p_roles text[], p_disabled boolean, p_limits jsonb, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    actor text := public.require_admin();
    old public.accounts := public.account_named(p_name);
    new public.accounts;
BEGIN
    UPDATE public.accounts
    SET roles = CASE WHEN p_roles IS NULL THEN roles ELSE ARRAY(SELECT DISTINCT unnest(p_roles) ORDER BY 1) END,
        -- A role that is given as null reaches everything again.
        limits = jsonb_strip_nulls(limits || coalesce(p_limits, '{}')),
        disabled_at = CASE WHEN p_disabled IS NULL THEN disabled_at
                           WHEN p_disabled THEN coalesce(disabled_at, clock_timestamp()) END,
        -- Let in or shut out: an admin has decided about it.
        waits_since = CASE WHEN p_disabled IS NULL THEN waits_since END
    WHERE name = p_name RETURNING * INTO new;
    IF EXISTS (SELECT FROM unnest(new.roles) AS role WHERE role IN ('approver', 'admin') AND NOT role = ANY (old.roles)) THEN
        PERFORM public.note_hand(p_name, 'role', actor);
    END IF;
    -- Enabled again, an account begins with no session and no token.
    IF new.disabled_at IS NOT NULL THEN
        UPDATE public.credentials SET revoked_at = clock_timestamp() WHERE account = p_name AND revoked_at IS NULL;
    END IF;
    IF public.owner_of_tables() IS NULL AND NOT EXISTS
            (SELECT FROM public.accounts WHERE 'admin' = ANY (roles) AND disabled_at IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = 'this would leave no admin',
            HINT = 'appoint another first';
    END IF;
    PERFORM public.note_access('account_changed', p_name, p_remote, NULL, actor, jsonb_build_object(
        'roles', new.roles, 'before', old.roles, 'disabled', new.disabled_at IS NOT NULL, 'limits', new.limits));
END
$$;

CREATE FUNCTION public.link_identity(p_name text, p_issuer text, p_subject text, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    actor text := public.require_admin();
BEGIN
    IF 'robot' = ANY ((public.account_named(p_name)).roles) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('%s does not log in: a robot', p_name),
            HINT = 'robots use tokens';
    END IF;
    IF NOT EXISTS (SELECT FROM public.identity_providers WHERE issuer = p_issuer) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('%L is no provider that is believed', p_issuer),
            HINT = 'the owner of the database says so with `setpoint accounts provider ISSUER --role ROLE`';
    END IF;
    UPDATE public.accounts SET issuer = p_issuer, subject = p_subject WHERE name = p_name;
    -- A link says anew who the person is: whoever came in as this account before notices, being out.
    IF p_name <> actor THEN
        UPDATE public.accounts SET password_parameters = NULL, password_verifier = NULL WHERE name = p_name;
        DELETE FROM public.passkeys AS k WHERE k.account = p_name;
        UPDATE public.credentials SET revoked_at = clock_timestamp()
        WHERE account = p_name AND kind IN ('session', 'once', 'begun') AND revoked_at IS NULL;
        PERFORM public.note_hand(p_name, 'identity', actor);
    END IF;
    PERFORM public.note_access('account_changed', p_name, p_remote, NULL, actor,
        jsonb_build_object('issuer', p_issuer, 'subject', p_subject));
END
$$;

CREATE FUNCTION public.confirm_account(p_name text, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    actor text := public.require_admin();
    held  public.accounts := public.account_named(p_name);
    hands text[];
BEGIN
    -- Whom a backup brought back comes in again. It begins with no session, no token and no password.
    UPDATE public.accounts SET disabled_at = NULL, waits_since = NULL WHERE name = held.name AND held.waits_since IS NOT NULL;
    -- Nobody behind whom the same hand may be; the owner of the database answers for all.
    WITH confirmed AS (
        UPDATE public.appointments AS a SET confirmed_by = actor
        WHERE a.account = held.name AND a.confirmed_by IS NULL AND (public.owner_of_tables() IS NOT NULL
            OR (held.name <> actor AND NOT EXISTS (
                SELECT FROM public.hands_behind(actor) AS mine JOIN public.hands_behind(a.hand) AS theirs ON mine = theirs)))
        RETURNING a.hand
    )
    SELECT array_agg(DISTINCT hand) INTO hands FROM confirmed;
    IF hands IS NULL AND held.waits_since IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('%s has nothing that %s can confirm', p_name, actor),
            HINT = format('another admin confirms it, whom neither appointed, or the owner of the database: `setpoint accounts confirm %s`', p_name);
    END IF;
    PERFORM public.note_access('account_confirmed', p_name, p_remote, NULL, actor, jsonb_build_object('hands', coalesce(hands, '{}')));
END
$$;
COMMENT ON FUNCTION public.confirm_account IS 'Says that an account is who it says, though those who appointed it are the only ones who did so far.';

-- Logging in. What opens a session is judged here, by something that the server does not have: a password,
-- a one-time secret. Only the word of a provider that is believed is taken from the server.

CREATE FUNCTION public.login_name(p_name text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A password typed into the wrong field must not be readable in the log: 16 bits tell names apart.
    SELECT coalesce((SELECT name FROM public.accounts WHERE name = p_name),
                    'unknown:' || left(encode(sha256(convert_to(p_name, 'UTF8')), 'hex'), 4))
$$;

CREATE FUNCTION public.login_wait(p_account text, p_remote text) RETURNS integer
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- After 5 failures of an account from an address, or 30 from an address, each one more doubles the wait.
    -- Nobody can lock an account for other addresses. What a clock that was set back has still before it counts
    -- for nothing: else the wait would last as long as the clock lags.
    WITH tried AS (
        SELECT id, at, event, account FROM public.access_log
        WHERE network = public.network_of(left(p_remote, 64)) AND event IN ('login_failed', 'login_ok')
          AND at BETWEEN clock_timestamp() - interval '15 minutes' AND clock_timestamp()
    ), failed AS (
        SELECT max(at) AS last,
               count(*) FILTER (WHERE account = p_account AND id > coalesce(
                   (SELECT max(id) FROM tried WHERE event = 'login_ok' AND account = p_account), 0)) AS here,
               count(*) AS address
        FROM tried WHERE event = 'login_failed'
    ), beyond AS (
        SELECT last, greatest(here - 4, address - 29)::integer AS n FROM failed
    )
    SELECT CASE WHEN n <= 0 THEN 0 ELSE greatest(0, ceil(extract(epoch FROM
        last + make_interval(secs => least(900, 2 ^ least(n, 10))) - clock_timestamp())))::integer END
    FROM beyond
$$;

CREATE FUNCTION public.login_facts(p_name text, p_remote text, OUT parameters text, OUT wait_s integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    tried text := public.login_name(p_name);
BEGIN
    wait_s := public.login_wait(tried, p_remote);
    IF wait_s > 0 THEN
        -- Once a minute: whoever is refused does not fill the log.
        IF NOT EXISTS (SELECT FROM public.access_log WHERE event = 'login_throttled'
                       AND network = public.network_of(left(p_remote, 64))
                       AND account = tried AND at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()) THEN
            PERFORM public.note_access('login_throttled', tried, p_remote, NULL, '', jsonb_build_object('wait_s', wait_s));
        END IF;
        RETURN;
    END IF;
    SELECT a.password_parameters INTO parameters FROM public.accounts AS a WHERE a.name = p_name AND a.disabled_at IS NULL;
END
$$;
COMMENT ON FUNCTION public.login_facts IS 'How an account''s password is to be hashed, null when it has none; or how many seconds to wait.';

CREATE FUNCTION public.start_session(
    p_account text, p_hash bytea, p_how text, p_remote text, p_actor text,
    OUT account text, OUT roles text[], OUT expires_at timestamptz
)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    made bigint;
BEGIN
    SELECT a.name, a.roles INTO account, roles FROM public.accounts AS a
    WHERE a.name = p_account AND a.disabled_at IS NULL;
    expires_at := clock_timestamp() + interval '12 hours';
    INSERT INTO public.credentials (hash, kind, account, label, created_by, expires_at, last_used_at, last_used_from)
    VALUES (p_hash, 'session', account, p_how, p_actor, expires_at, clock_timestamp(), left(p_remote, 64))
    RETURNING id INTO made;
    PERFORM public.note_access('login_ok', account, p_remote, made, p_actor, jsonb_build_object('how', p_how));
END
$$;

CREATE FUNCTION public.open_session_by_password(
    p_name text, p_key bytea, p_hash bytea, p_remote text,
    OUT account text, OUT roles text[], OUT expires_at timestamptz, OUT awaits_passkey boolean
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    tried text := public.login_name(p_name);
BEGIN
    awaits_passkey := false;
    IF public.login_wait(tried, p_remote) > 0 THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM public.accounts AS a
                   WHERE a.name = p_name AND a.disabled_at IS NULL AND a.password_verifier = sha256(p_key)) THEN
        PERFORM public.note_access('login_failed', tried, p_remote, NULL, '', '{"how": "password"}');
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM public.passkeys AS k WHERE k.account = p_name) THEN
        -- Half of a login: the secret that was to be a session's waits for the passkey.
        awaits_passkey := true;
        INSERT INTO public.credentials (hash, kind, account, label, created_by, expires_at)
        VALUES (p_hash, 'begun', p_name, 'password', p_name, clock_timestamp() + interval '5 minutes')
        RETURNING credentials.expires_at INTO expires_at;
        RETURN;
    END IF;
    SELECT s.* INTO account, roles, expires_at
    FROM public.start_session(p_name, p_hash, 'password', p_remote, p_name) AS s;
END
$$;
COMMENT ON FUNCTION public.open_session_by_password IS 'Nulls when the key is wrong, and while a passkey is awaited.';

CREATE FUNCTION public.keep_password_anew(p_name text, p_key bytea, p_parameters text, p_verifier bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    UPDATE public.accounts SET password_parameters = p_parameters, password_verifier = p_verifier
    WHERE name = p_name AND password_verifier = sha256(p_key)
$$;
COMMENT ON FUNCTION public.keep_password_anew IS 'The same password under newer costs; for whoever has just proven it.';

CREATE FUNCTION public.open_session_once(
    p_secret text, p_hash bytea, p_remote text,
    OUT account text, OUT roles text[], OUT expires_at timestamptz, OUT wait_s integer
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    used record;
BEGIN
    wait_s := public.login_wait('once', p_remote);
    IF wait_s > 0 THEN
        RETURN;
    END IF;
    -- Two that present it at once wait for each other here, and one finds it revoked.
    UPDATE public.credentials AS c SET revoked_at = clock_timestamp()
    FROM public.accounts AS a
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind = 'once' AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() AND a.name = c.account AND a.disabled_at IS NULL
    RETURNING c.account, c.created_by INTO used;
    IF used.account IS NULL THEN
        PERFORM public.note_access('login_failed', 'once', p_remote, NULL, '', '{"how": "once"}');
        RETURN;
    END IF;
    SELECT s.* INTO account, roles, expires_at
    FROM public.start_session(used.account, p_hash, 'once', p_remote, used.created_by) AS s;
END
$$;

CREATE FUNCTION public.open_session_by_identity(
    p_issuer text, p_subject text, p_name text, p_roles text[], p_proven_at timestamptz, p_hash bytea, p_remote text,
    OUT account text, OUT roles text[], OUT expires_at timestamptz
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    brought text[];
    linked public.accounts;
    by_provider constant text := 'identity provider';
BEGIN
    SELECT ARRAY(SELECT DISTINCT role FROM unnest(p_roles) AS role WHERE role = ANY (p.roles) ORDER BY 1) INTO brought
    FROM public.identity_providers AS p WHERE p.issuer = p_issuer;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('%L is no provider that is believed', p_issuer),
            HINT = 'the owner of the database says so with `setpoint accounts provider ISSUER --role ROLE`';
    END IF;
    SELECT * INTO linked FROM public.accounts AS a WHERE a.issuer = p_issuer AND a.subject = p_subject;
    -- An account of that name which nobody linked is somebody else's.
    -- One with the name of a database login would be the same person, which only an admin may say.
    IF linked.name IS NULL AND brought <> '{}' AND p_name <> 'unattributed'
            AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = p_name) THEN
        INSERT INTO public.accounts (name, roles, issuer, subject, created_by)
        VALUES (p_name, brought, p_issuer, p_subject, by_provider)
        ON CONFLICT DO NOTHING RETURNING * INTO linked;
        IF linked.name IS NOT NULL THEN
            PERFORM public.note_access('account_created', p_name, p_remote, NULL, by_provider, jsonb_build_object('roles', brought));
        END IF;
    ELSIF linked.created_by = by_provider AND linked.roles <> brought THEN
        UPDATE public.accounts AS a SET roles = brought WHERE a.name = linked.name;
        PERFORM public.note_access('account_changed', linked.name, p_remote, NULL, by_provider,
            jsonb_build_object('roles', brought, 'before', linked.roles));
        linked.roles := brought;
    END IF;
    IF linked.name IS NULL OR linked.disabled_at IS NOT NULL
            OR (linked.created_by = by_provider AND brought = '{}') THEN
        PERFORM public.note_access('login_failed', coalesce(linked.name, public.login_name(p_name)), p_remote, NULL, '',
            '{"how": "oidc"}');
        RETURN;
    END IF;
    SELECT s.* INTO account, roles, expires_at
    FROM public.start_session(linked.name, p_hash, 'oidc', p_remote, by_provider) AS s;
    -- Whoever has a session there is let in here without being asked: that proves nothing new.
    UPDATE public.credentials AS c SET proven_at = CASE WHEN p_proven_at <= clock_timestamp() THEN p_proven_at END WHERE c.hash = p_hash;
END
$$;
COMMENT ON FUNCTION public.open_session_by_identity IS 'Roles of accounts that the provider brought follow it; those an admin linked keep theirs.';

CREATE FUNCTION public.close_session(p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s    record := public.presented();
    held record;
BEGIN
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE credentials.id = s.id AND credentials.kind = 'session' AND revoked_at IS NULL
    RETURNING id, account INTO held;
    IF held.id IS NOT NULL THEN
        PERFORM public.note_access('logout', held.account, p_remote, held.id, held.account, '{}');
    END IF;
END
$$;

CREATE FUNCTION public.sessions_seen(p_account text, p_after bigint, p_limit bigint)
    RETURNS TABLE (id bigint, account text, how text, created_at timestamptz, created_by text, proven_at timestamptz,
                   expires_at timestamptz, last_used_at timestamptz, last_used_from text, last_used_by text, is_this boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    everything boolean := public.owner_of_tables() IS NOT NULL;
    mine text := '';
    this bigint := 0;
    s record;
BEGIN
    IF NOT everything THEN
        s := public.presented();
        everything := 'admin' = ANY (s.roles);
        mine := s.account;
        this := s.id;
    END IF;
    RETURN QUERY
        SELECT c.id, c.account, c.label, c.created_at, c.created_by, c.proven_at, c.expires_at, c.last_used_at,
               c.last_used_from, c.last_used_by, c.id = this
        FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
        WHERE c.kind = 'session' AND c.revoked_at IS NULL AND c.expires_at > clock_timestamp() AND a.disabled_at IS NULL
          AND (everything OR c.account = mine) AND (p_account IS NULL OR c.account = p_account)
          AND (p_after IS NULL OR c.id < p_after)
        ORDER BY c.id DESC LIMIT p_limit;
END
$$;
COMMENT ON FUNCTION public.sessions_seen IS 'Sessions that let somebody in: the caller''s, or all for an admin or the owner of the tables; newest first.';

CREATE FUNCTION public.end_session(p_id bigint, p_remote text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    actor text := public.owner_of_tables();
    everything boolean := actor IS NOT NULL;
    holder text;
    s record;
BEGIN
    -- No fresh proof: it gives nobody anything, and must be quick.
    IF actor IS NULL THEN
        s := public.presented();
        actor := s.account;
        everything := 'admin' = ANY (s.roles) AND s.kind = 'session';
    END IF;
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE id = p_id AND kind = 'session' AND revoked_at IS NULL AND expires_at > clock_timestamp()
      AND (everything OR account = actor)
    RETURNING account INTO holder;
    IF holder IS NULL THEN
        -- Somebody else's is as missing as none.
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no session %s', p_id),
            HINT = 'look it up with `setpoint sessions list`';
    END IF;
    PERFORM public.note_access('session_ended', holder, p_remote, p_id, actor, '{}');
    RETURN holder;
END
$$;

CREATE FUNCTION public.end_other_sessions(p_remote text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.presented();
BEGIN
    RETURN (SELECT count(public.end_session(c.id, p_remote)) FROM public.credentials AS c
            WHERE c.account = s.account AND c.kind = 'session' AND c.id <> s.id AND c.revoked_at IS NULL
              AND c.expires_at > clock_timestamp());
END
$$;
COMMENT ON FUNCTION public.end_other_sessions IS 'Ends every session of the caller but this one, and says how many.';

CREATE FUNCTION public.admins() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT name FROM public.accounts WHERE 'admin' = ANY (roles) AND disabled_at IS NULL ORDER BY 1
$$;
COMMENT ON FUNCTION public.admins IS 'Whom to ask for what needs an admin.';

-- Proving again who holds a session.

CREATE FUNCTION public.person_behind() RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.presented();
BEGIN
    IF s.kind <> 'session' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a token is proven by itself',
            HINT = 'only who is behind a session is asked for again';
    END IF;
    RETURN s;
END
$$;

CREATE FUNCTION public.note_proof(p_credential bigint, p_account text, p_how text, p_at timestamptz, p_remote text) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE public.credentials SET proven_at = least(p_at, clock_timestamp()) WHERE id = p_credential;
    PERFORM public.note_access('identity_proven', p_account, p_remote, p_credential, p_account, jsonb_build_object('how', p_how));
END
$$;

CREATE FUNCTION public.prove_by_password(p_key bytea, p_remote text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.person_behind();
BEGIN
    IF public.login_wait(s.account, p_remote) > 0 THEN
        RETURN false;
    END IF;
    IF NOT EXISTS (SELECT FROM public.accounts AS a WHERE a.name = s.account AND a.password_verifier = sha256(p_key)) THEN
        PERFORM public.note_access('login_failed', s.account, p_remote, s.id, s.account, '{"how": "proof by password"}');
        RETURN false;
    END IF;
    PERFORM public.note_proof(s.id, s.account, 'password', clock_timestamp(), p_remote);
    RETURN true;
END
$$;
COMMENT ON FUNCTION public.prove_by_password IS 'False when the key is wrong, or too many were.';

CREATE FUNCTION public.prove_by_identity(p_issuer text, p_subject text, p_at timestamptz, p_remote text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.person_behind();
BEGIN
    IF p_at IS NULL OR NOT EXISTS (SELECT FROM public.accounts AS a JOIN public.identity_providers AS p ON p.issuer = a.issuer
                   WHERE a.name = s.account AND a.issuer = p_issuer AND a.subject = p_subject) THEN
        PERFORM public.note_access('login_failed', s.account, p_remote, s.id, s.account, '{"how": "proof by oidc"}');
        RETURN false;
    END IF;
    PERFORM public.note_proof(s.id, s.account, 'oidc', p_at, p_remote);
    RETURN true;
END
$$;
COMMENT ON FUNCTION public.prove_by_identity IS 'False when the provider vouches for somebody else; when they logged in there is the server''s word.';

-- Forms that are kept.

CREATE FUNCTION public.keep_form(p_secret text, p_hash bytea, p_path text, p_fields jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    author text;
BEGIN
    SELECT c.account INTO author FROM public.credentials AS c
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind = 'session'
      AND least(c.revoked_at, c.expires_at) > clock_timestamp() - interval '1 day';
    IF author IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'nobody''s session sent this form';
    END IF;
    INSERT INTO public.kept_forms (hash, account, path, fields) VALUES (p_hash, author, p_path, p_fields);
    -- The newest twenty of a person, for a day.
    DELETE FROM public.kept_forms AS f WHERE f.account = author AND f.hash NOT IN (
        SELECT k.hash FROM public.kept_forms AS k WHERE k.account = author ORDER BY k.kept_at DESC LIMIT 20);
END
$$;
COMMENT ON FUNCTION public.keep_form IS 'Keeps a form for whoever''s session sent it, which may have ended within a day; it lets nobody in.';

CREATE FUNCTION public.kept_form(p_hash bytea, OUT path text, OUT fields jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.presented();
BEGIN
    SELECT f.path, f.fields INTO path, fields FROM public.kept_forms AS f
    WHERE f.hash = p_hash AND f.account = s.account AND f.kept_at > clock_timestamp() - interval '1 day';
END
$$;
COMMENT ON FUNCTION public.kept_form IS 'A form that is kept, for its author alone; nulls for anybody else''s.';

CREATE FUNCTION public.own_password(p_remote text, OUT parameters text, OUT wait_s integer, OUT must_prove boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.presented();
BEGIN
    wait_s := public.login_wait(s.account, p_remote);
    -- Whoever came in by a one-time login has forgotten the old one, or never had one.
    SELECT a.password_parameters, a.password_verifier IS NOT NULL AND c.label <> 'once' INTO parameters, must_prove
    FROM public.accounts AS a JOIN public.credentials AS c ON c.account = a.name
    WHERE a.name = s.account AND c.id = s.id;
END
$$;

CREATE FUNCTION public.set_password(p_key bytea, p_parameters text, p_verifier bytea, p_remote text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record := public.presented();
    old record;
BEGIN
    IF s.kind <> 'session' OR 'robot' = ANY (s.roles) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a password is set in a session of a person',
            HINT = 'log in; robots use tokens';
    END IF;
    SELECT * INTO old FROM public.own_password(p_remote);
    IF old.wait_s > 0 THEN
        RETURN false;
    END IF;
    IF old.must_prove AND NOT EXISTS (SELECT FROM public.accounts AS a WHERE a.name = s.account
                                      AND a.password_verifier = sha256(coalesce(p_key, ''))) THEN
        PERFORM public.note_access('login_failed', s.account, p_remote, s.id, s.account, '{"how": "own password"}');
        RETURN false;
    END IF;
    UPDATE public.accounts SET password_parameters = p_parameters, password_verifier = p_verifier WHERE name = s.account;
    -- Whoever else is in by the old password is out; a one-time login proves itself once only, and stays one.
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE account = s.account AND kind IN ('session', 'once', 'begun') AND id <> s.id AND revoked_at IS NULL;
    UPDATE public.credentials SET label = 'once, password set' WHERE id = s.id AND label = 'once';
    IF old.must_prove THEN
        PERFORM public.note_proof(s.id, s.account, 'password', clock_timestamp(), p_remote);
    END IF;
    PERFORM public.note_access('password_set', s.account, p_remote, s.id, s.account, jsonb_build_object('proof', s.proof));
    RETURN true;
END
$$;
COMMENT ON FUNCTION public.set_password IS 'False when the old one was not proven; the account''s other sessions end.';

CREATE FUNCTION public.issue_token(
    p_account text, p_hash bytea, p_label text, p_roles text[], p_days integer, p_remote text, p_dimensions text[],
    OUT id bigint, OUT account text, OUT roles text[], OUT expires_at timestamptz
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    actor text := public.owner_of_tables();
    s record;
    held public.accounts;
BEGIN
    IF actor IS NULL THEN
        s := public.presented();
        actor := s.account;
        IF s.kind <> 'session' THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a token does not make tokens',
                HINT = 'log in and make it in a session';
        END IF;
        IF p_account = s.account AND s.proof = 'one-time-login' THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a one-time login makes no token of its account',
                HINT = 'set a password, log in with it, and make it then';
        END IF;
        -- A token of a person is that person's to make: an admin who made one could write in their name.
        IF p_account <> s.account AND NOT ('admin' = ANY (s.roles) AND EXISTS
                (SELECT FROM public.accounts AS a WHERE a.name = p_account AND 'robot' = ANY (a.roles))) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403',
                MESSAGE = 'a token is made by its own account, or by an admin for a robot',
                HINT = 'log in as that account';
        END IF;
        PERFORM public.require_fresh_proof();
    END IF;
    held := public.account_named(p_account);
    IF held.disabled_at IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('the account %s is disabled', p_account),
            HINT = 'enable it first';
    END IF;
    IF NOT coalesce(p_roles, '{}') <@ held.roles OR cardinality(p_roles) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('%s has the roles %s', p_account, coalesce(nullif(array_to_string(held.roles, ', '), ''), 'none')),
            HINT = 'a token is limited to some of the roles of its account';
    END IF;
    IF p_dimensions IS NOT NULL AND (p_roles IS NOT NULL OR cardinality(p_dimensions) > 100 OR EXISTS (
            SELECT FROM unnest(p_dimensions) AS d WHERE coalesce(d !~ '^[a-z][a-z0-9_]{0,62}(=.{1,200})?$', true) OR NOT public.is_name(d))) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a token for flags has no roles, and asks by up to 100 dimensions or values of one',
            HINT = 'name them as symbol or symbol=BTCUSDC';
    END IF;
    IF p_days IS NULL OR p_days NOT BETWEEN 1 AND 366 OR NOT public.says_something(p_label) OR length(p_label) > 200 THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a token lives 1 to 366 days and has a label',
            HINT = 'say what it is for, in 200 characters at most';
    END IF;
    expires_at := clock_timestamp() + make_interval(days => p_days);
    account := p_account;
    roles := CASE WHEN p_dimensions IS NULL THEN coalesce(p_roles, held.roles) ELSE '{}' END;
    INSERT INTO public.credentials (hash, kind, account, label, roles, dimensions, created_by, expires_at)
    VALUES (p_hash, 'token', p_account, p_label, p_roles, p_dimensions, actor, expires_at)
    RETURNING credentials.id INTO id;
    PERFORM public.note_access('token_issued', p_account, p_remote, id, actor, jsonb_strip_nulls(
        jsonb_build_object('label', p_label, 'roles', roles, 'expires_at', expires_at, 'dimensions', p_dimensions)));
END
$$;

CREATE FUNCTION public.rotate_token(
    p_id bigint, p_hash bytea, p_days integer, p_overlap_s integer, p_remote text,
    OUT id bigint, OUT account text, OUT roles text[], OUT expires_at timestamptz, OUT label text, OUT old_ends_at timestamptz
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    everything boolean := public.owner_of_tables() IS NOT NULL;
    mine text;
    old  public.credentials;
    s    record;
BEGIN
    IF NOT everything THEN
        s := public.presented();
        everything := 'admin' = ANY (s.roles);
        mine := s.account;
    END IF;
    IF p_overlap_s IS NULL OR p_overlap_s NOT BETWEEN 0 AND 2592000 THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'the old token ends 0 to 30 days after the new one is made',
            HINT = 'give an overlap within that';
    END IF;
    SELECT c.* INTO old FROM public.credentials AS c
    WHERE c.id = p_id AND c.kind = 'token' AND c.revoked_at IS NULL AND c.expires_at > clock_timestamp()
      AND (everything OR c.account = mine)
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no live token %s', p_id),
            HINT = 'look it up with `setpoint tokens list`';
    END IF;
    label := old.label;
    -- Who may make a token of this account is judged there.
    SELECT i.id, i.account, i.roles, i.expires_at INTO id, account, roles, expires_at
    FROM public.issue_token(old.account, p_hash, old.label, old.roles, p_days, p_remote, old.dimensions) AS i;
    UPDATE public.credentials AS c
    SET expires_at = least(c.expires_at, clock_timestamp() + make_interval(secs => p_overlap_s))
    WHERE c.id = p_id RETURNING c.expires_at INTO old_ends_at;
    PERFORM public.note_access('token_rotated', old.account, p_remote, p_id, coalesce(mine, public.owner_of_tables()),
        jsonb_build_object('by', id, 'ends_at', old_ends_at));
END
$$;
COMMENT ON FUNCTION public.rotate_token IS 'Another token with the same account, roles, dimensions and label; the old one works on for the overlap.';

CREATE FUNCTION public.tokens_ending() RETURNS TABLE (id bigint, account text, expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Not one that was rotated: another stands in for it.
    SELECT c.id, c.account, c.expires_at
    FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
    WHERE c.revoked_at IS NULL AND a.disabled_at IS NULL AND c.expires_at > clock_timestamp() AND public.ends_soon(c)
      AND NOT EXISTS (SELECT FROM public.access_log AS l WHERE l.credential = c.id AND l.event = 'token_rotated')
    ORDER BY c.expires_at, c.id
$$;
COMMENT ON FUNCTION public.tokens_ending IS 'Tokens that end soon and were not rotated.';

CREATE FUNCTION public.issue_once(p_account text, p_hash bytea, p_remote text, OUT expires_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    actor text := public.require_admin();
    held public.accounts := public.account_named(p_account);
    made bigint;
BEGIN
    IF held.waits_since IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('%s waits since a backup was brought back', p_account),
            HINT = format('say first that it may still come in: `setpoint accounts confirm %s`', p_account);
    ELSIF held.disabled_at IS NOT NULL OR 'robot' = ANY (held.roles) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('%s does not log in: disabled, or a robot', p_account),
            HINT = 'robots use tokens';
    END IF;
    expires_at := clock_timestamp() + interval '1 hour';
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE account = p_account AND kind = 'once' AND revoked_at IS NULL;
    INSERT INTO public.credentials (hash, kind, account, label, created_by, expires_at)
    VALUES (p_hash, 'once', p_account, 'one-time login', actor, expires_at) RETURNING id INTO made;
    PERFORM public.note_hand(p_account, 'login', actor);
    PERFORM public.note_access('once_issued', p_account, p_remote, made, actor, '{}');
END
$$;

CREATE FUNCTION public.revoke_token(p_id bigint, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    actor text := public.owner_of_tables();
    everything boolean := actor IS NOT NULL;
    holder text;
    s record;
BEGIN
    IF actor IS NULL THEN
        s := public.presented();
        actor := s.account;
        everything := 'admin' = ANY (s.roles);
    END IF;
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE id = p_id AND kind = 'token' AND revoked_at IS NULL
      AND (everything OR account = actor)
    RETURNING account INTO holder;
    IF holder IS NULL THEN
        -- Somebody else's is as missing as none.
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no live token %s', p_id),
            HINT = 'look it up with `setpoint tokens list`';
    END IF;
    PERFORM public.require_fresh_proof();
    PERFORM public.note_access('token_revoked', holder, p_remote, p_id, actor, '{}');
END
$$;

CREATE FUNCTION public.tokens_seen(p_after bigint, p_limit bigint)
    RETURNS TABLE (id bigint, account text, label text, roles text[], dimensions text[], created_at timestamptz, created_by text,
                   expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz, last_used_from text,
                   is_ending boolean)
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
        SELECT c.id, c.account,
               c.label, ARRAY(SELECT r FROM unnest(a.roles) AS r
                              WHERE c.dimensions IS NULL AND (c.roles IS NULL OR r = ANY (c.roles))), c.dimensions,
               c.created_at, c.created_by, c.expires_at, c.revoked_at, c.last_used_at, c.last_used_from,
               c.revoked_at IS NULL AND c.expires_at > clock_timestamp() AND public.ends_soon(c)
        FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
        WHERE c.kind = 'token' AND (everything OR c.account = mine) AND (p_after IS NULL OR c.id < p_after)
        ORDER BY c.id DESC LIMIT p_limit;
END
$$;

CREATE FUNCTION public.is_long_over(held public.credentials) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Tokens are listed for a month after their end, so that their maker sees what became of them.
    SELECT least(held.expires_at, held.revoked_at)
         < clock_timestamp() - CASE held.kind WHEN 'token' THEN interval '30 days' ELSE interval '1 day' END
$$;

CREATE FUNCTION public.forget_credentials() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    gone bigint := 0;
BEGIN
    -- Servers are told of a deletion as of a revocation, so there is none without something to delete.
    IF EXISTS (SELECT FROM public.credentials AS c WHERE public.is_long_over(c)) THEN
        DELETE FROM public.credentials AS c WHERE public.is_long_over(c);
        GET DIAGNOSTICS gone = ROW_COUNT;
    END IF;
    DELETE FROM public.kept_forms AS f WHERE f.kept_at < clock_timestamp() - interval '1 day';
    RETURN gone;
END
$$;
COMMENT ON FUNCTION public.forget_credentials IS 'Removes credentials that are long over, and forms that were kept for a day, which is all it can remove; the access log keeps what they did.';

CREATE FUNCTION public.touch_credential(p_hash bytea, p_remote text, p_by text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    held record;
    seen text := left(coalesce(p_remote, ''), 64);
    by_what text := left(coalesce(p_by, ''), 200);
BEGIN
    UPDATE public.credentials AS c SET last_used_at = clock_timestamp(), last_used_from = seen, last_used_by = by_what
    WHERE c.hash = p_hash AND c.kind NOT IN ('once', 'begun') AND c.revoked_at IS NULL AND c.expires_at > clock_timestamp()
      AND (c.last_used_at IS NULL OR c.last_used_at NOT BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()
           OR c.last_used_from IS DISTINCT FROM seen OR (c.last_used_by = '' AND by_what <> ''))
    RETURNING c.id, c.account, c.kind INTO held;
    IF held.id IS NOT NULL AND NOT EXISTS (SELECT FROM public.access_log AS l WHERE l.credential = held.id
            AND l.remote = seen AND l.event IN ('credential_used', 'login_ok')) THEN
        PERFORM public.note_access('credential_used', held.account, seen, held.id, held.account,
            jsonb_build_object('kind', held.kind));
    END IF;
END
$$;
COMMENT ON FUNCTION public.touch_credential IS 'Notes a use, once a minute for each address; the first from an address is in the access log.';

REVOKE ALL ON FUNCTION
    public.announce_access(),
    public.credential_holder(bytea),
    public.network_of(text),
    public.note_access(text, text, text, bigint, text, jsonb),
    public.person_behind(),
    public.note_proof(bigint, text, text, timestamptz, text),
    public.owner_of_tables(),
    public.require_admin(),
    public.require_fresh_proof(),
    public.account_named(text),
    public.note_hand(text, text, text),
    public.hands_behind(text),
    public.confirm_account(text, text),
    public.presented(),
    public.login_name(text),
    public.login_wait(text, text),
    public.start_session(text, bytea, text, text, text),
    public.refuse_flag_readers(text[]),
    public.credential_ends(bigint),
    public.keep_form(text, bytea, text, jsonb),
    public.kept_form(bytea),
    public.prove_by_password(bytea, text),
    public.prove_by_identity(text, text, timestamptz, text),
    public.sessions_seen(text, bigint, bigint),
    public.end_session(bigint, text),
    public.end_other_sessions(text),
    public.admins(),
    public.accounts_seen(text, text, bigint),
    public.create_account(text, text[], text),
    public.change_account(text, text[], boolean, jsonb, text),
    public.link_identity(text, text, text, text),
    public.login_facts(text, text),
    public.open_session_by_password(text, bytea, bytea, text),
    public.keep_password_anew(text, bytea, text, bytea),
    public.open_session_once(text, bytea, text),
    public.open_session_by_identity(text, text, text, text[], timestamptz, bytea, text),
    public.close_session(text),
    public.own_password(text),
    public.set_password(bytea, text, bytea, text),
    public.issue_token(text, bytea, text, text[], integer, text, text[]),
    public.rotate_token(bigint, bytea, integer, integer, text),
    public.tokens_ending(),
    public.issue_once(text, bytea, text),
    public.revoke_token(bigint, text),
    public.tokens_seen(bigint, bigint),
    public.is_robot(text),
    public.is_long_over(public.credentials),
    public.forget_credentials(),
    public.touch_credential(bytea, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    public.credential_holder(bytea),
    public.credential_ends(bigint),
    public.keep_form(text, bytea, text, jsonb),
    public.kept_form(bytea),
    public.prove_by_password(bytea, text),
    public.prove_by_identity(text, text, timestamptz, text),
    public.sessions_seen(text, bigint, bigint),
    public.end_session(bigint, text),
    public.end_other_sessions(text),
    public.admins(),
    public.accounts_seen(text, text, bigint),
    public.create_account(text, text[], text),
    public.change_account(text, text[], boolean, jsonb, text),
    public.confirm_account(text, text),
    public.link_identity(text, text, text, text),
    public.login_facts(text, text),
    public.open_session_by_password(text, bytea, bytea, text),
    public.keep_password_anew(text, bytea, text, bytea),
    public.open_session_once(text, bytea, text),
    public.open_session_by_identity(text, text, text, text[], timestamptz, bytea, text),
    public.close_session(text),
    public.own_password(text),
    public.set_password(bytea, text, bytea, text),
    public.issue_token(text, bytea, text, text[], integer, text, text[]),
    public.rotate_token(bigint, bytea, integer, integer, text),
    public.tokens_ending(),
    public.issue_once(text, bytea, text),
    public.revoke_token(bigint, text),
    public.tokens_seen(bigint, bigint),
    public.forget_credentials(),
    public.touch_credential(bytea, text, text)
    TO setpoint_server;
GRANT EXECUTE ON FUNCTION public.tokens_ending() TO setpoint_app;
GRANT SELECT ON public.access_log TO setpoint_server;
