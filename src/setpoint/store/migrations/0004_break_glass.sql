-- Break-glass: writing a document straight in PostgreSQL when the application is down or its data damaged.
--
-- Emergency-only: a role of its own, a circumstance that is stated, and the responsible person's own
-- message in the incident channel, by its URL. History, chain and hash are written by the same trigger as
-- for any write. Policy and invariants are not judged, so each use opens obligations with deadlines.
-- Source: readiness document, section 5, and its gates (a) to (c).

DO $$
BEGIN
    CREATE ROLE setpoint_breakglass NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server has it
END
$$;

-- No foreign key to history: what was done must stay to be seen when history itself is damaged.
CREATE TABLE public.break_glass_uses (
    revision     bigint PRIMARY KEY,
    incident     text NOT NULL,
    approved_by  text NOT NULL,
    circumstance text NOT NULL CHECK (circumstance IN ('console-down', 'data-damaged')),
    restores     bigint,
    person       text NOT NULL,
    proof        text NOT NULL,
    used_at      timestamptz NOT NULL
);
COMMENT ON TABLE public.break_glass_uses IS 'Who used break-glass, for which incident, on whose word, and why the application could not be used.';

CREATE TABLE public.obligations (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident  text NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('ordinary-write', 'post-mortem', 'validation')),
    revision  bigint NOT NULL,
    opened_at timestamptz NOT NULL,
    due_at    timestamptz NOT NULL,
    met_at    timestamptz,
    met_by    text,
    evidence  jsonb,
    CONSTRAINT met_by_somebody CHECK ((met_at IS NULL) = (met_by IS NULL))
);
CREATE INDEX obligations_open ON public.obligations (due_at) WHERE met_at IS NULL;
CREATE UNIQUE INDEX one_open_post_mortem ON public.obligations (incident) WHERE kind = 'post-mortem' AND met_at IS NULL;
COMMENT ON TABLE public.obligations IS 'What a use of break-glass owes, until when, and what met it; met late is met_at after due_at.';

CREATE TABLE public.drills (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scenario   text NOT NULL CHECK (scenario IN ('A', 'B', 'C', 'D')),
    started_at timestamptz NOT NULL,
    took_s     float8 NOT NULL CHECK (took_s >= 0),
    outcome    text NOT NULL CHECK (outcome IN ('restored', 'late', 'failed')),
    steps      jsonb NOT NULL,
    person     text NOT NULL
);
COMMENT ON TABLE public.drills IS 'Rehearsals of the four break-glass scenarios on throw-away copies; late: over the promised time.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.break_glass_uses
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the record of break-glass is append-only');
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.obligations
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('an obligation is met, never removed');
ALTER TABLE public.break_glass_uses ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.obligations ENABLE ALWAYS TRIGGER never_removed;

CREATE FUNCTION public.break_glass_person(OUT person text, OUT proof text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- The embedded server listens on nothing but a socket that one operating system account can open:
    -- there the account is the proof, and its name is told by the process. Any other login is itself.
    SELECT coalesce(account.name, session_user::text),
           CASE WHEN account.name IS NULL THEN 'database-login' ELSE 'os-account' END
    FROM (SELECT CASE WHEN session_user = 'setpoint_owner' AND current_setting('listen_addresses') = ''
                      THEN nullif(current_setting('setpoint.author', true), '') END AS name) AS account
$$;

CREATE FUNCTION public.refuse_unless_emergency(incident text, approved_by text, circumstance text) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF incident IS NULL OR incident !~ '^[A-Za-z0-9._-]+$' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('%L is no incident id: letters, digits, dot, dash and underscore', incident),
            HINT = 'name the incident as the incident channel does, for example INC-42';
    END IF;
    IF circumstance IS NULL OR circumstance NOT IN ('console-down', 'data-damaged') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('break-glass is for emergencies only: console-down or data-damaged, not %L', circumstance),
            HINT = 'otherwise use `setpoint restore` or `setpoint set`';
    END IF;
    IF approved_by IS NULL OR approved_by !~* '^https?://[^[:space:]/]+/[^[:space:]]+$' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('break-glass needs the responsible person''s own message in the incident channel: %L is no http(s) URL of one', approved_by),
            HINT = 'ask for a written approval in the incident channel and give the link of that message';
    END IF;
    IF EXISTS (SELECT FROM public.break_glass_uses AS u
               WHERE u.approved_by = refuse_unless_emergency.approved_by AND u.incident <> refuse_unless_emergency.incident) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = 'this message approved another incident', HINT = 'each incident has an approval of its own';
    END IF;
END
$$;

CREATE FUNCTION public.break_glass_write(
    p_incident text, p_approved_by text, p_circumstance text, p_scope text, p_document jsonb, p_restores bigint,
    OUT new_revision bigint, OUT new_hash text
)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    -- Whatever the session had set, setpoint.change above all, which would make this an ordinary write.
    SET setpoint.proof = '' SET setpoint.reason = '' SET setpoint.source = ''
    SET setpoint.catalogues = '' SET setpoint.change = '' SET setpoint.review = ''
AS $$
DECLARE
    writer record;
    told   text := coalesce(current_setting('setpoint.author', true), '');
BEGIN
    SELECT * INTO writer FROM public.break_glass_person();
    PERFORM set_config('setpoint.author', writer.person, true), set_config('setpoint.proof', writer.proof, true),
            set_config('setpoint.reason', 'break-glass-' || p_incident, true),
            set_config('setpoint.source', 'break-glass', true), set_config('setpoint.review', 'break-glass', true);
    UPDATE public.ftf_config SET base_env = p_document WHERE scope = p_scope RETURNING revision, hash INTO new_revision, new_hash;
    IF NOT FOUND THEN
        INSERT INTO public.ftf_config (scope, base_env) VALUES (p_scope, p_document)
        RETURNING revision, hash INTO new_revision, new_hash;
    END IF;
    PERFORM set_config('setpoint.author', told, true);
    INSERT INTO public.break_glass_uses (revision, incident, approved_by, circumstance, restores, person, proof, used_at)
    VALUES (new_revision, p_incident, p_approved_by, p_circumstance, p_restores, writer.person, writer.proof, clock_timestamp());
    INSERT INTO public.obligations (incident, kind, revision, opened_at, due_at)
    SELECT p_incident, owed.kind, new_revision, clock_timestamp(), clock_timestamp() + owed.within
    FROM (VALUES ('ordinary-write', interval '1 hour'), ('validation', interval '1 hour'),
                 ('post-mortem', interval '24 hours')) AS owed (kind, within)
    ON CONFLICT (incident) WHERE kind = 'post-mortem' AND met_at IS NULL DO NOTHING;
END
$$;

CREATE FUNCTION public.break_glass_restore(
    incident text, approved_by text, circumstance text, p_scope text, revision bigint, base bigint DEFAULT NULL,
    OUT new_revision bigint, OUT new_hash text
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    old    public.ftf_config;
    source public.ftf_config_history;
BEGIN
    PERFORM public.refuse_unless_emergency(break_glass_restore.incident, break_glass_restore.approved_by, break_glass_restore.circumstance);
    PERFORM FROM public.chain_head FOR UPDATE;
    SELECT * INTO old FROM public.ftf_config AS f WHERE f.scope = p_scope;
    SELECT * INTO source FROM public.ftf_config_history AS h WHERE h.id = break_glass_restore.revision AND h.scope = p_scope;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404',
            MESSAGE = format('revision %s is none of scope %s', break_glass_restore.revision, p_scope),
            HINT = 'SELECT id, scope, updated_by, change_reason, created_at FROM ftf_config_history ORDER BY id DESC LIMIT 20';
    END IF;
    IF source.hash <> public.document_hash(source.base_env::text) OR source.chain <> public.history_chain_v1(source) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('revision %s was altered: it is not what its hash and chain say', source.id),
            HINT = 'history itself is damaged: bring a backup back, scenario D of the runbook break-glass-hyperparams';
    END IF;
    IF base IS NOT NULL AND base IS DISTINCT FROM old.revision THEN
        RAISE EXCEPTION USING ERRCODE = 'SP409',
            MESSAGE = format('%s is at revision %s, not at %s', p_scope, coalesce(old.revision::text, 'none'), base),
            HINT = 'look at what was written meanwhile';
    END IF;
    IF old.base_env::text = source.base_env::text AND old.hash = source.hash THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('%s holds the document of revision %s already', p_scope, source.id),
            HINT = 'nothing needs to be restored; compare with another revision';
    END IF;
    SELECT w.new_revision, w.new_hash INTO new_revision, new_hash FROM public.break_glass_write(
        break_glass_restore.incident, break_glass_restore.approved_by, break_glass_restore.circumstance, p_scope, source.base_env, source.id) AS w;
END
$$;
COMMENT ON FUNCTION public.break_glass_restore IS 'Emergency: bring a revision back as a new one, without the application; opens obligations.';

CREATE FUNCTION public.break_glass_set(
    incident text, approved_by text, circumstance text, p_scope text, p_set jsonb, p_remove text[] DEFAULT '{}',
    base bigint DEFAULT NULL, OUT new_revision bigint, OUT new_hash text
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    old      public.ftf_config;
    document jsonb;
    wrong    text;
BEGIN
    PERFORM public.refuse_unless_emergency(break_glass_set.incident, break_glass_set.approved_by, break_glass_set.circumstance);
    IF jsonb_typeof(p_set) IS DISTINCT FROM 'object' OR p_remove IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'the values to set are no JSON object, or the keys to remove no array';
    END IF;
    PERFORM FROM public.chain_head FOR UPDATE;
    SELECT * INTO old FROM public.ftf_config AS f WHERE f.scope = p_scope;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('scope %s has no document', p_scope),
            HINT = 'SELECT scope, revision FROM ftf_config';
    END IF;
    IF base IS NOT NULL AND base <> old.revision THEN
        RAISE EXCEPTION USING ERRCODE = 'SP409', MESSAGE = format('%s is at revision %s, not at %s', p_scope, old.revision, base),
            HINT = 'look at what was written meanwhile';
    END IF;
    SELECT string_agg(gone, ', ') INTO wrong FROM unnest(p_remove) AS gone WHERE NOT old.base_env ? gone;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('%s does not hold %s', p_scope, wrong);
    END IF;
    -- No catalogue here: history says which keys there are and of which type, so that a slip of the finger is refused.
    SELECT string_agg(format('%s = %s', wanted.key, wanted.value), ', ') INTO wrong
    FROM jsonb_each(p_set) AS wanted
    WHERE jsonb_typeof(wanted.value) NOT IN ('number', 'string', 'boolean') OR NOT EXISTS (
        SELECT FROM public.ftf_config_history AS h
        WHERE jsonb_typeof(h.base_env -> wanted.key) = jsonb_typeof(wanted.value));
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('no revision ever held such a key with a value of that type: %s', wrong),
            HINT = 'look the key up with SELECT base_env FROM ftf_config';
    END IF;
    document := (old.base_env - p_remove) || p_set;
    IF document::text = old.base_env::text THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%s holds these values already', p_scope);
    END IF;
    SELECT w.new_revision, w.new_hash INTO new_revision, new_hash FROM public.break_glass_write(
        break_glass_set.incident, break_glass_set.approved_by, break_glass_set.circumstance, p_scope, document, NULL) AS w;
END
$$;
COMMENT ON FUNCTION public.break_glass_set IS 'Emergency: set and remove values without the application; opens obligations.';

CREATE FUNCTION public.meet_ordinary_write() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE public.obligations AS o
    SET met_at = clock_timestamp(), met_by = NEW.updated_by,
        evidence = jsonb_build_object('change', NEW.change_id, 'revision', NEW.id)
    WHERE o.kind = 'ordinary-write' AND o.met_at IS NULL AND o.revision < NEW.id
      AND NEW.change_reason = 'break-glass-' || o.incident;
    RETURN NULL;
END
$$;
CREATE TRIGGER meet_ordinary_write AFTER INSERT ON public.ftf_config_history
    FOR EACH ROW WHEN (NEW.change_id IS NOT NULL AND NEW.change_reason LIKE 'break-glass-%')
    EXECUTE FUNCTION public.meet_ordinary_write();
ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER meet_ordinary_write;

CREATE FUNCTION public.file_post_mortem(p_incident text, p_url text) RETURNS public.obligations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    owed public.obligations;
BEGIN
    IF p_url IS NULL OR p_url !~* '^https?://[^[:space:]/]+/[^[:space:]]+$' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%L is no http(s) URL of a post-mortem', p_url),
            HINT = 'file it where the team keeps its post-mortems, and give its link';
    END IF;
    UPDATE public.obligations AS o
    SET met_at = clock_timestamp(), met_by = (SELECT person FROM public.who()), evidence = jsonb_build_object('url', p_url)
    WHERE o.incident = p_incident AND o.kind = 'post-mortem' AND o.met_at IS NULL
    RETURNING * INTO owed;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('incident %s owes no post-mortem', p_incident),
            HINT = '`setpoint break-glass status` lists what is owed';
    END IF;
    RETURN owed;
END
$$;

CREATE FUNCTION public.record_validation(p_incident text, p_heads jsonb, p_sound boolean, p_evidence jsonb)
    RETURNS SETOF public.obligations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- What was judged must be what stands: nobody writes between the two.
    PERFORM FROM public.chain_head FOR UPDATE;
    IF p_heads IS DISTINCT FROM (SELECT jsonb_object_agg(f.scope, f.revision) FROM public.ftf_config AS f) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP409', MESSAGE = 'a document moved while it was validated', HINT = 'validate again';
    END IF;
    RETURN QUERY UPDATE public.obligations AS o
    SET met_at = CASE WHEN p_sound THEN clock_timestamp() END,
        met_by = CASE WHEN p_sound THEN (SELECT person FROM public.who()) END, evidence = p_evidence
    WHERE o.incident = p_incident AND o.kind = 'validation' AND o.met_at IS NULL
    RETURNING *;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('incident %s owes no validation', p_incident),
            HINT = '`setpoint break-glass status` lists what is owed';
    END IF;
END
$$;

CREATE FUNCTION public.record_drill(p_scenario text, p_started_at timestamptz, p_took_s float8, p_outcome text, p_steps jsonb)
    RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    INSERT INTO public.drills (scenario, started_at, took_s, outcome, steps, person)
    SELECT p_scenario, p_started_at, p_took_s, p_outcome, p_steps, person FROM public.who()
    RETURNING id
$$;

REVOKE ALL ON FUNCTION public.refuse_unless_emergency(text, text, text),
    public.break_glass_write(text, text, text, text, jsonb, bigint), public.meet_ordinary_write(),
    public.break_glass_restore(text, text, text, text, bigint, bigint),
    public.break_glass_set(text, text, text, text, jsonb, text[], bigint),
    public.file_post_mortem(text, text), public.record_validation(text, jsonb, boolean, jsonb),
    public.record_drill(text, timestamptz, float8, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.break_glass_restore(text, text, text, text, bigint, bigint),
    public.break_glass_set(text, text, text, text, jsonb, text[], bigint) TO setpoint_breakglass;
GRANT EXECUTE ON FUNCTION public.file_post_mortem(text, text), public.record_validation(text, jsonb, boolean, jsonb),
    public.record_drill(text, timestamptz, float8, text, jsonb) TO setpoint_app;
GRANT SELECT ON public.break_glass_uses, public.obligations, public.drills TO setpoint_app;
-- What somebody needs to see, to choose what to bring back with nothing but psql.
GRANT USAGE ON SCHEMA public TO setpoint_breakglass;
GRANT SELECT ON public.ftf_config, public.ftf_config_history, public.chain_head, public.break_glass_uses,
    public.obligations TO setpoint_breakglass;
