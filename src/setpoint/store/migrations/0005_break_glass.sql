-- Break-glass: writing a document straight in PostgreSQL when the application is down or its data damaged.
--
-- Emergency-only: a role of its own, a circumstance that is stated and checked against what the restore
-- probe says, and the responsible person's own message in a declared incident channel, by its URL. History,
-- chain and hash are written by the same trigger as for any write. Policy and invariants are not judged, so
-- each use opens obligations with deadlines.
-- Source: readiness document, section 5, and its gates (a) to (c).

DO $$
BEGIN
    CREATE ROLE setpoint_breakglass NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server has it
END
$$;

CREATE TABLE public.incident_channels (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Whole up to a delimiter: https://chat.example/inc must not let https://chat.example/incinerator in.
    prefix      text NOT NULL CHECK (prefix ~ '^https?://[][A-Za-z0-9.:-]+/([^[:space:]\\]*[/=])?$'),
    responsible text NOT NULL CHECK (public.says_something(responsible)) CONSTRAINT a_person_is_a_name CHECK (public.is_name(responsible)),
    is_open     boolean NOT NULL,
    reason      text NOT NULL CHECK (public.says_something(reason)),
    declared_by text NOT NULL,
    declared_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.incident_channels IS 'Where approvals of break-glass are written and who answers there; the newest row of a prefix counts.';

CREATE TABLE public.restore_probe (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    is_live     boolean NOT NULL,
    said        text NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.restore_probe IS 'What a serving plane last found when it rehearsed a restore; kept fresh while one serves.';

-- No foreign key to history: what was done must stay to be seen when history itself is damaged.
CREATE TABLE public.break_glass_uses (
    revision     bigint PRIMARY KEY,
    incident     text NOT NULL CONSTRAINT an_incident_is_a_name CHECK (public.is_name(incident)),
    scope        text NOT NULL,
    approved_by  text NOT NULL,
    channel      text NOT NULL,
    responsible  text NOT NULL,
    circumstance text NOT NULL CHECK (circumstance IN ('console-down', 'data-damaged')),
    failed       text CHECK (failed IN ('5xx', 'network', 'authentication')),
    probe        jsonb NOT NULL,
    restores     bigint,
    person       text NOT NULL,
    proof        text NOT NULL,
    used_at      timestamptz NOT NULL
);
COMMENT ON TABLE public.break_glass_uses IS 'Who used break-glass, for which incident, on whose word, and why the application could not be used.';
COMMENT ON COLUMN public.break_glass_uses.failed IS 'What failed, as the person states it.';
COMMENT ON COLUMN public.break_glass_uses.probe IS 'Beside it what the restore probe said: asked, to the person; noted, by a plane to this database.';

CREATE TABLE public.obligations (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident  text NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('ordinary-write', 'post-mortem', 'validation', 'decision')),
    scope     text,
    revision  bigint,
    opened_at timestamptz NOT NULL,
    due_at    timestamptz NOT NULL,
    met_at    timestamptz,
    met_by    text,
    evidence  jsonb,
    breach    jsonb,
    CONSTRAINT met_by_somebody CHECK ((met_at IS NULL) = (met_by IS NULL)),
    CONSTRAINT of_a_revision_or_a_date CHECK ((kind = 'decision') = (scope IS NULL) AND (scope IS NULL) = (revision IS NULL))
);
CREATE INDEX obligations_open ON public.obligations (due_at) WHERE met_at IS NULL;
CREATE UNIQUE INDEX one_open_post_mortem ON public.obligations (incident) WHERE kind = 'post-mortem' AND met_at IS NULL;
COMMENT ON TABLE public.obligations IS 'What a use of break-glass or a fired checkpoint owes, until when, and what met it; met late is met_at after due_at.';
COMMENT ON COLUMN public.obligations.incident IS 'Of a decision: the calendar and its checkpoint.';
COMMENT ON COLUMN public.obligations.breach IS 'The first ordinary write by a person in this scope that carried another reason; stays when it is met later.';

CREATE TABLE public.drills (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scenario   text NOT NULL CHECK (scenario IN ('A', 'B', 'C', 'D', 'image-pin', 'merge-revert')),
    started_at timestamptz NOT NULL,
    took_s     float8 NOT NULL CHECK (took_s >= 0),
    outcome    text NOT NULL CHECK (outcome IN ('restored', 'late', 'failed')),
    steps      jsonb NOT NULL,
    build      text NOT NULL,
    person     text NOT NULL
);
COMMENT ON TABLE public.drills IS 'Rehearsals of the ways back on throw-away copies: the scenarios of the runbook, the pin, the revert; late: over the promised time.';
COMMENT ON COLUMN public.drills.build IS 'What the build that was rehearsed says of itself.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.break_glass_uses
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the record of break-glass is append-only');
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.obligations
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('an obligation is met, never removed');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.incident_channels
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a channel is closed by another declaration, never removed');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.drills
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('drills are append-only');
ALTER TABLE public.drills ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.incident_channels ENABLE ALWAYS TRIGGER append_only;
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

CREATE FUNCTION public.open_channels() RETURNS SETOF public.incident_channels
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT * FROM (SELECT DISTINCT ON (prefix) * FROM public.incident_channels ORDER BY prefix, id DESC) AS newest
    WHERE is_open
$$;

CREATE FUNCTION public.declare_channel(p_prefix text, p_responsible text, p_is_open boolean, p_reason text)
    RETURNS public.incident_channels
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    owner    text := public.owner_of_tables();
    held     public.incident_channels;
    declared public.incident_channels;
BEGIN
    -- Whose word opens the glass is not for the people who may break it to say, nor for a plane.
    IF owner IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'only the owner of the database declares an incident channel',
            HINT = 'as the owner: `setpoint break-glass channel declare PREFIX --responsible NAME --reason WHY`';
    END IF;
    SELECT * INTO held FROM public.open_channels() WHERE prefix = p_prefix;
    IF NOT p_is_open AND held.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('%L is no open incident channel', p_prefix),
            HINT = '`setpoint break-glass channel list` names them';
    END IF;
    INSERT INTO public.incident_channels (prefix, responsible, is_open, reason, declared_by)
    VALUES (p_prefix, coalesce(p_responsible, held.responsible), p_is_open, p_reason, owner) RETURNING * INTO declared;
    RETURN declared;
END
$$;
COMMENT ON FUNCTION public.declare_channel IS 'Says that approvals of break-glass are written under a prefix, and who is responsible there.';

CREATE FUNCTION public.channel_of(url text) RETURNS public.incident_channels
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Dots and backslashes lead a browser out of the channel that the text seems to be in.
    SELECT c FROM public.open_channels() AS c
    WHERE starts_with(url, c.prefix) AND substr(url, length(c.prefix) + 1) ~ '^[^[:space:]\\]+$'
      AND substr(url, length(c.prefix) + 1) !~* '(^|/)(\.|%2e){1,2}(/|%2f|[?#]|$)'
    ORDER BY length(c.prefix) DESC LIMIT 1
$$;

CREATE FUNCTION public.restore_probe_noted() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A plane notes its answer twice a minute. An older one says nothing of now, nor does one from a clock that
    -- was set back since.
    SELECT jsonb_build_object('is_live', is_live, 'said', said, 'answered_at', answered_at) FROM public.restore_probe
    WHERE answered_at BETWEEN clock_timestamp() - interval '2 minutes' AND clock_timestamp()
$$;

CREATE FUNCTION public.refuse_unless_emergency(
    incident text, approved_by text, circumstance text, failed text, probe text
) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    noted    jsonb := public.restore_probe_noted();
    channels text;
BEGIN
    IF incident IS NULL OR incident !~ '^[A-Za-z0-9._-]+$' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('%L is no incident id: letters, digits, dot, dash and underscore', incident),
            HINT = 'name the incident as the incident channel does, for example INC-42';
    END IF;
    IF circumstance IS NULL OR circumstance NOT IN ('console-down', 'data-damaged') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('break-glass is for emergencies only: console-down or data-damaged, not %L', circumstance),
            HINT = 'otherwise use `setpoint restore REVISION --reason WHY` or `setpoint set KEY=VALUE --reason WHY`';
    END IF;
    IF failed NOT IN ('5xx', 'network', 'authentication') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('what failed is 5xx, network or authentication, not %L', failed),
            HINT = 'say how the Console or its restore could not be used';
    END IF;
    IF circumstance = 'console-down' AND failed IS NULL AND (probe = 'live' OR (noted ->> 'is_live')::boolean) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('console-down is claimed, and the restore probe says live%s',
                CASE WHEN (noted ->> 'is_live')::boolean THEN ', noted at ' || (noted ->> 'answered_at') END),
            HINT = 'restore the ordinary way; if you cannot, state what failed: 5xx, network or authentication';
    END IF;
    IF approved_by IS NULL OR (public.channel_of(approved_by)).id IS NULL THEN
        SELECT string_agg(format('%s (%s)', c.prefix, c.responsible), ', ') INTO channels FROM public.open_channels() AS c;
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('break-glass needs the responsible person''s own message in a declared incident channel: %L is in none', approved_by),
            HINT = coalesce('ask for a written approval in ' || channels || ' and give the link of that message',
                            'no channel is declared; the owner of the database does it: `setpoint break-glass channel declare PREFIX --responsible NAME --reason WHY`');
    END IF;
    IF EXISTS (SELECT FROM public.break_glass_uses AS u
               WHERE u.approved_by = refuse_unless_emergency.approved_by AND u.incident <> refuse_unless_emergency.incident) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = 'this message approved another incident', HINT = 'each incident has an approval of its own';
    END IF;
END
$$;

CREATE FUNCTION public.break_glass_write(
    p_incident text, p_approved_by text, p_circumstance text, p_failed text, p_probe text, p_scope text,
    p_document jsonb, p_restores bigint,
    OUT new_revision bigint, OUT new_hash text
)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    writer  record;
    channel public.incident_channels := public.channel_of(p_approved_by);
    author  constant text := coalesce(current_setting('setpoint.author', true), '');
    -- Not what the session had set, setpoint.change above all, which would make this an ordinary write.
    told    constant jsonb := public.tell_history(jsonb_build_object('author', author));
BEGIN
    SELECT * INTO writer FROM public.break_glass_person();
    PERFORM public.tell_history(jsonb_build_object(
        'author', writer.person, 'proof', writer.proof, 'reason', 'break-glass-' || p_incident,
        'source', 'break-glass', 'review', 'break-glass'));
    UPDATE public.ftf_config SET base_env = p_document WHERE scope = p_scope RETURNING revision, hash INTO new_revision, new_hash;
    IF NOT FOUND THEN
        INSERT INTO public.ftf_config (scope, base_env) VALUES (p_scope, p_document)
        RETURNING revision, hash INTO new_revision, new_hash;
    END IF;
    PERFORM set_config('setpoint.author', author, true);
    IF NOT EXISTS (SELECT FROM public.ftf_config_history AS h WHERE h.id = new_revision AND h.review = 'break-glass'
                   AND h.hash = public.document_hash(p_document::text) AND h.change_reason = 'break-glass-' || p_incident) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP503', MESSAGE = 'no revision was left: history is not being written',
            HINT = 'a trigger of ftf_config is switched off or gone: the owner of the database switches it on';
    END IF;
    INSERT INTO public.break_glass_uses (revision, incident, scope, approved_by, channel, responsible, circumstance,
                                         failed, probe, restores, person, proof, used_at)
    VALUES (new_revision, p_incident, p_scope, p_approved_by, channel.prefix, channel.responsible, p_circumstance,
            p_failed, jsonb_build_object('asked', p_probe, 'noted', public.restore_probe_noted()), p_restores,
            writer.person, writer.proof, clock_timestamp());
    INSERT INTO public.obligations (incident, kind, scope, revision, opened_at, due_at)
    SELECT p_incident, owed.kind, p_scope, new_revision, clock_timestamp(), clock_timestamp() + owed.within
    FROM (VALUES ('ordinary-write', interval '1 hour'), ('validation', interval '1 hour'),
                 ('post-mortem', interval '24 hours')) AS owed (kind, within)
    ON CONFLICT (incident) WHERE kind = 'post-mortem' AND met_at IS NULL DO NOTHING;
    PERFORM public.tell_history(told);
END
$$;

CREATE FUNCTION public.break_glass_restore(
    incident text, approved_by text, circumstance text, p_scope text, revision bigint, base bigint DEFAULT NULL,
    failed text DEFAULT NULL, probe text DEFAULT NULL, OUT new_revision bigint, OUT new_hash text
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    old    public.ftf_config;
    source public.ftf_config_history;
BEGIN
    PERFORM public.refuse_unless_emergency(break_glass_restore.incident, break_glass_restore.approved_by, break_glass_restore.circumstance,
                                           break_glass_restore.failed, break_glass_restore.probe);
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
        break_glass_restore.incident, break_glass_restore.approved_by, break_glass_restore.circumstance,
        break_glass_restore.failed, break_glass_restore.probe, p_scope, source.base_env, source.id) AS w;
END
$$;
COMMENT ON FUNCTION public.break_glass_restore IS 'Emergency: bring a revision back as a new one, without the application; opens obligations.';

CREATE FUNCTION public.break_glass_set(
    incident text, approved_by text, circumstance text, p_scope text, p_set jsonb, p_remove text[] DEFAULT '{}',
    base bigint DEFAULT NULL, failed text DEFAULT NULL, probe text DEFAULT NULL, OUT new_revision bigint, OUT new_hash text
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
    PERFORM public.refuse_unless_emergency(break_glass_set.incident, break_glass_set.approved_by, break_glass_set.circumstance,
                                           break_glass_set.failed, break_glass_set.probe);
    IF jsonb_typeof(p_set) IS DISTINCT FROM 'object' OR p_remove IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'the values to set are no JSON object, or the keys to remove no array',
            HINT = 'give an object of keys and values, and an array of keys';
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
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%s holds these values already', p_scope),
            HINT = 'there is nothing to write: look for what is wrong elsewhere';
    END IF;
    SELECT w.new_revision, w.new_hash INTO new_revision, new_hash FROM public.break_glass_write(
        break_glass_set.incident, break_glass_set.approved_by, break_glass_set.circumstance,
        break_glass_set.failed, break_glass_set.probe, p_scope, document, NULL) AS w;
END
$$;
COMMENT ON FUNCTION public.break_glass_set IS 'Emergency: set and remove values without the application; opens obligations.';

CREATE FUNCTION public.judge_ordinary_write() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.obligations AS o
                   WHERE o.met_at IS NULL AND o.kind = 'ordinary-write' AND o.scope = NEW.scope) THEN
        RETURN NULL;
    END IF;
    -- Owed is the next write by a person: what was scheduled earlier, or comes from a robot, says nothing of it.
    IF public.is_robot(NEW.updated_by) OR (SELECT apply_at FROM public.changes WHERE id = NEW.change_id) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    UPDATE public.obligations AS o
    SET met_at = clock_timestamp(), met_by = NEW.updated_by,
        evidence = jsonb_build_object('change', NEW.change_id, 'revision', NEW.id)
    WHERE o.kind = 'ordinary-write' AND o.met_at IS NULL AND o.scope = NEW.scope
      AND NEW.change_reason = 'break-glass-' || o.incident;
    -- A write that another incident owed in this scope breaches none: each can be met by its own write alone.
    IF NOT FOUND THEN
        UPDATE public.obligations AS o
        SET breach = jsonb_build_object('revision', NEW.id, 'change', NEW.change_id, 'person', NEW.updated_by,
                                        'reason', NEW.change_reason, 'at', NEW.created_at)
        WHERE o.kind = 'ordinary-write' AND o.met_at IS NULL AND o.scope = NEW.scope AND o.breach IS NULL;
    END IF;
    RETURN NULL;
END
$$;
-- A change, not SQL by hand nor break-glass itself: these are no ordinary writes.
CREATE TRIGGER judge_ordinary_write AFTER INSERT ON public.ftf_config_history
    FOR EACH ROW WHEN (NEW.change_id IS NOT NULL)
    EXECUTE FUNCTION public.judge_ordinary_write();
ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER judge_ordinary_write;

CREATE FUNCTION public.note_probe(p_is_live boolean, p_said text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    INSERT INTO public.restore_probe (is_live, said) VALUES (p_is_live, left(p_said, 1000))
    ON CONFLICT (one) DO UPDATE SET is_live = EXCLUDED.is_live, said = EXCLUDED.said, answered_at = EXCLUDED.answered_at
$$;

CREATE FUNCTION public.file_post_mortem(p_incident text, p_url text) RETURNS public.obligations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    owed public.obligations;
BEGIN
    PERFORM public.require_role('config_write', 'approver', 'admin');
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
    PERFORM public.require_role('config_write', 'approver', 'admin');
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

CREATE FUNCTION public.record_drill(p_scenario text, p_started_at timestamptz, p_took_s float8, p_outcome text, p_steps jsonb, p_build text)
    RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM public.require_role('config_write', 'approver', 'admin');
    INSERT INTO public.drills (scenario, started_at, took_s, outcome, steps, build, person)
    SELECT p_scenario, p_started_at, p_took_s, p_outcome, p_steps, p_build, person FROM public.who()
    RETURNING id INTO made;
    RETURN made;
END
$$;

REVOKE ALL ON FUNCTION public.open_channels(), public.declare_channel(text, text, boolean, text), public.channel_of(text),
    public.restore_probe_noted(), public.refuse_unless_emergency(text, text, text, text, text),
    public.break_glass_write(text, text, text, text, text, text, jsonb, bigint), public.judge_ordinary_write(),
    public.break_glass_restore(text, text, text, text, bigint, bigint, text, text),
    public.break_glass_set(text, text, text, text, jsonb, text[], bigint, text, text), public.note_probe(boolean, text),
    public.file_post_mortem(text, text), public.record_validation(text, jsonb, boolean, jsonb),
    public.record_drill(text, timestamptz, float8, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.break_glass_restore(text, text, text, text, bigint, bigint, text, text),
    public.break_glass_set(text, text, text, text, jsonb, text[], bigint, text, text), public.open_channels() TO setpoint_breakglass;
GRANT EXECUTE ON FUNCTION public.file_post_mortem(text, text), public.record_validation(text, jsonb, boolean, jsonb),
    public.record_drill(text, timestamptz, float8, text, jsonb, text), public.open_channels()
    TO setpoint_app;
-- What a plane says of itself, and nobody else; it names no person.
GRANT EXECUTE ON FUNCTION public.note_probe(boolean, text) TO setpoint_server;
GRANT SELECT ON public.break_glass_uses, public.obligations, public.drills, public.incident_channels, public.restore_probe
    TO setpoint_app;
-- What somebody needs to see, to choose what to bring back with nothing but psql.
GRANT USAGE ON SCHEMA public TO setpoint_breakglass;
GRANT SELECT ON public.ftf_config, public.ftf_config_history, public.chain_head, public.break_glass_uses,
    public.obligations, public.incident_channels, public.restore_probe TO setpoint_breakglass;
