-- Accounts and credentials: who speaks through the plane.
--
-- The server holds no power to name a person. It hands each request's secret to the database, which looks
-- it up; who() gives the account behind it, and roles are judged there, in the transaction that writes.
-- The role setpoint_server may do what the application may, and keep accounts; it owns nothing, so it can
-- no more change history than any other login.

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

CREATE TABLE public.accounts (
    name          text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    roles         text[] NOT NULL
                  CHECK (roles <@ ARRAY['viewer', 'config_write', 'approver', 'admin', 'robot']),
    password_hash text,
    issuer        text,
    subject       text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by    text NOT NULL,
    disabled_at   timestamptz,
    UNIQUE (issuer, subject),
    CONSTRAINT robots_do_not_approve CHECK (NOT roles @> ARRAY['robot', 'approver'])
);
COMMENT ON TABLE public.accounts IS 'People and robots of the plane; one with the name of a database login is the same person.';
COMMENT ON COLUMN public.accounts.password_hash IS 'Argon2id in its own text form; null for robots and for people of an identity provider.';

CREATE TABLE public.credentials (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash           bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    kind           text NOT NULL CHECK (kind IN ('session', 'token', 'once')),
    account        text NOT NULL REFERENCES public.accounts (name),
    label          text NOT NULL,
    roles          text[],
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by     text NOT NULL,
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    last_used_at   timestamptz,
    last_used_from text
);
CREATE INDEX credentials_by_account ON public.credentials (account, id);
COMMENT ON TABLE public.credentials IS 'Secrets by their SHA-256: they have 256 random bits, so nothing slower is needed.';
COMMENT ON COLUMN public.credentials.roles IS 'What a token is limited to; null is all of its account. Roles taken from the account are gone from its tokens.';

CREATE TABLE public.access_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    event      text NOT NULL,
    account    text NOT NULL,
    remote     text NOT NULL DEFAULT '',
    credential bigint,
    actor      text NOT NULL DEFAULT '',
    detail     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX access_log_by_account ON public.access_log (account, at DESC);
CREATE INDEX access_log_by_remote ON public.access_log (remote, at DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.access_log
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the access log is append-only');
ALTER TABLE public.access_log ENABLE ALWAYS TRIGGER append_only;

CREATE TABLE public.idempotency (
    account      text NOT NULL,
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    request_hash text NOT NULL,
    status       integer,
    headers      jsonb,
    body         text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account, key)
);
COMMENT ON TABLE public.idempotency IS 'Answers to writes, committed with them, so that a repeated request is answered and not repeated; kept a day.';

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

CREATE FUNCTION public.credential_holder(
    secret_hash bytea, OUT id bigint, OUT kind text, OUT account text, OUT roles text[], OUT expires_at timestamptz
)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT c.id, c.kind, c.account,
           ARRAY(SELECT role FROM unnest(a.roles) AS role WHERE c.roles IS NULL OR role = ANY (c.roles)),
           c.expires_at
    FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
    WHERE c.hash = secret_hash AND c.kind <> 'once' AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() AND a.disabled_at IS NULL
$$;
COMMENT ON FUNCTION public.credential_holder IS 'Who holds a live credential, and what it allows; nulls for any other.';

CREATE FUNCTION public.speaker(OUT kind text, OUT account text, OUT roles text[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    secret text := nullif(current_setting('setpoint.credential', true), '');
BEGIN
    IF secret IS NULL THEN
        RETURN;
    END IF;
    SELECT h.kind, h.account, h.roles INTO kind, account, roles
    FROM public.credential_holder(sha256(convert_to(secret, 'UTF8'))) AS h;
    IF account IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'the credential is unknown, expired or revoked';
    END IF;
END
$$;
COMMENT ON FUNCTION public.speaker IS 'The account whose secret this transaction presented; nulls when it presented none.';

CREATE OR REPLACE FUNCTION public.who(OUT person text, OUT proof text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A presented credential first. Then the login: setpoint_app logs in only on the embedded server, whose
    -- socket one operating system account can reach: that account is the proof, and its name is told by the
    -- process. Any other login is itself; so is setpoint_app on a server that listens to a network, where
    -- anybody may be behind it.
    SELECT CASE WHEN account IS NOT NULL THEN account
                WHEN local THEN coalesce(nullif(current_setting('setpoint.author', true), ''), 'unattributed')
                ELSE session_user::text END,
           CASE WHEN kind = 'session' THEN 'account-session' WHEN kind = 'token' THEN 'api-token'
                WHEN local THEN 'os-account' ELSE 'database-login' END
    FROM public.speaker(),
         (SELECT session_user = 'setpoint_app' AND current_setting('listen_addresses') = '') AS session (local)
$$;

CREATE FUNCTION public.require_role(VARIADIC wanted text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    s record;
BEGIN
    -- Without a credential it is PostgreSQL's own privileges that decide.
    SELECT * INTO s FROM public.speaker();
    IF s.account IS NOT NULL AND NOT s.roles && wanted THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('%s needs the role %s for this', s.account, array_to_string(wanted, ' or ')),
            HINT = 'an admin grants roles with `setpoint accounts`';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION public.approvers() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A superuser is a member of every role by nature, which is no appointment; a robot never approves.
    -- Roles are looked up by name: on a cluster without them (a restored backup) nobody approves.
    SELECT r.rolname::text FROM pg_roles AS r
    WHERE r.rolcanlogin AND NOT r.rolsuper
      AND EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_approver' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
      AND NOT EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_robot' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
    UNION
    SELECT name FROM public.accounts WHERE 'approver' = ANY (roles) AND disabled_at IS NULL
$$;

CREATE OR REPLACE FUNCTION public.decide_change(p_id bigint, p_decision text, p_hash text, p_words text) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes;
    writer record;
BEGIN
    IF p_decision = 'comment' THEN
        PERFORM public.require_role('viewer', 'config_write', 'approver', 'admin', 'robot');
        SELECT * INTO change FROM public.changes WHERE id = p_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no change %s', p_id);
        END IF;
    ELSE
        PERFORM public.require_role('approver');
        change := public.open_change(p_id);
    END IF;
    SELECT * INTO writer FROM public.who();
    IF p_decision <> 'comment' THEN
        IF change.proposal_hash IS DISTINCT FROM p_hash THEN
            RAISE EXCEPTION USING ERRCODE = 'SP409',
                MESSAGE = format('change %s was edited since you read it', p_id);
        END IF;
        IF change.state = 'draft' THEN
            RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s is a draft', p_id);
        END IF;
        IF writer.person = change.author THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'an author does not decide on their own change';
        END IF;
        -- An approver has logged in, as an account or at the database. A name that a process merely tells
        -- approves nothing, and neither does a token, which a machine may hold.
        IF writer.proof NOT IN ('database-login', 'account-session')
                OR writer.person NOT IN (SELECT public.approvers()) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403',
                MESSAGE = format('%s may not approve: no approver who logged in, or a robot', writer.person);
        END IF;
        IF EXISTS (SELECT FROM public.change_decisions AS d WHERE d.change_id = p_id AND d.proposal_hash = p_hash
                   AND d.person = writer.person AND d.decision = p_decision) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP423',
                MESSAGE = format('%s decided on this proposal already', writer.person);
        END IF;
    END IF;
    INSERT INTO public.change_decisions (change_id, decision, proposal_hash, person, proof, words)
    VALUES (p_id, p_decision, change.proposal_hash, writer.person, writer.proof, p_words);
    IF p_decision = 'reject' THEN
        UPDATE public.changes SET state = 'rejected', state_reason = p_words WHERE id = p_id RETURNING * INTO change;
    END IF;
    RETURN change;
END
$$;

CREATE FUNCTION public.permit_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- Rejecting is judged where it is decided; suspending anybody may whose change is due.
    IF 'policy' = ANY (NEW.kinds) AND NEW.state NOT IN ('rejected', 'applied') THEN
        PERFORM public.require_role('admin');
    ELSIF NEW.state = 'applied' THEN
        PERFORM public.require_role('config_write', 'admin', 'approver');
    ELSIF NEW.state NOT IN ('rejected', 'suspended') THEN
        PERFORM public.require_role('config_write', 'admin');
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER permit_change BEFORE INSERT OR UPDATE ON public.changes
    FOR EACH ROW EXECUTE FUNCTION public.permit_change();
ALTER TABLE public.changes ENABLE ALWAYS TRIGGER permit_change;

REVOKE ALL ON FUNCTION public.announce_access(), public.credential_holder(bytea), public.permit_change() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.credential_holder(bytea) TO setpoint_server;
GRANT SELECT, INSERT, DELETE ON public.idempotency TO setpoint_server;
GRANT UPDATE (status, headers, body) ON public.idempotency TO setpoint_server;
GRANT SELECT ON public.access_log TO setpoint_server;
