-- Documents, their history and the chain over it.
--
-- History is written by a trigger in the transaction of the write it describes, whoever writes and with
-- whatever tool. The application's role owns nothing: it writes documents through the functions of
-- 0003_changes.sql alone, and no statement of it can change or remove a row of their history.

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO setpoint_app;

CREATE TABLE public.catalogues (
    hash          text PRIMARY KEY,
    name          text NOT NULL,
    version       text NOT NULL,
    text          text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.catalogues IS 'Every catalogue text that a revision or a run was made under.';

CREATE SEQUENCE public.ftf_config_id START 2;

CREATE TABLE public.ftf_config (
    id            integer PRIMARY KEY,
    scope         text NOT NULL UNIQUE CHECK (scope <> ''),
    base_env      jsonb NOT NULL CHECK (jsonb_typeof(base_env) = 'object'),
    hash          text NOT NULL,
    revision      bigint NOT NULL UNIQUE,
    updated_by    text NOT NULL,
    change_reason text NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT row_1_is_global CHECK ((id = 1) = (scope = 'global'))
);
COMMENT ON TABLE public.ftf_config IS 'One document for each scope; a caller sets scope and base_env, a trigger the rest.';
COMMENT ON COLUMN public.ftf_config.hash IS 'sha256 of base_env::text in UTF-8, in hexadecimal.';
COMMENT ON COLUMN public.ftf_config.revision IS 'The row of ftf_config_history that this document is.';

CREATE TABLE public.ftf_config_history (
    id             bigint PRIMARY KEY,
    scope          text NOT NULL,
    base_env       jsonb NOT NULL,
    hash           text NOT NULL,
    diff           jsonb NOT NULL,
    updated_by     text NOT NULL,
    proof          text NOT NULL,
    db_user        text NOT NULL,
    change_reason  text NOT NULL,
    source         text NOT NULL,
    base_revision  bigint,
    change_id      bigint,
    review         text NOT NULL,
    catalogues     jsonb NOT NULL,
    created_at     timestamptz NOT NULL,
    previous_chain text NOT NULL,
    chain          text NOT NULL
);
CREATE INDEX ftf_config_history_by_scope ON public.ftf_config_history (scope, id DESC);
COMMENT ON TABLE public.ftf_config_history IS 'Every revision of every document, whole; append-only, gapless, chained.';
COMMENT ON COLUMN public.ftf_config_history.proof IS 'How updated_by was proven; database-login means only db_user was.';
COMMENT ON COLUMN public.ftf_config_history.change_id IS 'The change that was applied; null for SQL written by hand.';
COMMENT ON COLUMN public.ftf_config_history.review IS 'approved, unreviewed (a declared solo policy), break-glass, or none (SQL written by hand).';
COMMENT ON COLUMN public.ftf_config_history.base_revision IS 'The revision this one replaced; null for the first of a scope.';

CREATE TABLE public.chain_head (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    id    bigint NOT NULL,
    chain text NOT NULL
);
COMMENT ON TABLE public.chain_head IS 'The newest revision; locking its row makes writers queue, so that the chain cannot fork.';
INSERT INTO public.chain_head (id, chain) VALUES (0, repeat('0', 64));

CREATE FUNCTION public.document_hash(document text) RETURNS text
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, public, pg_temp
    RETURN encode(sha256(convert_to(document, 'UTF8')), 'hex');
COMMENT ON FUNCTION public.document_hash IS 'The one hash: of a document''s text, never of a re-serialisation.';

CREATE FUNCTION public.document_diff(before jsonb, after jsonb) RETURNS jsonb
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, public, pg_temp
    -- Texts are compared: 0.1 and 0.10 are equal as jsonb, yet two documents with two hashes.
    RETURN (
        SELECT coalesce(jsonb_agg(
            CASE
                WHEN o.key IS NULL THEN jsonb_build_object('key', n.key, 'op', 'add', 'new', n.value)
                WHEN n.key IS NULL THEN jsonb_build_object('key', o.key, 'op', 'remove', 'old', o.value)
                ELSE jsonb_build_object('key', n.key, 'op', 'replace', 'old', o.value, 'new', n.value)
            END ORDER BY coalesce(n.key, o.key) COLLATE "C"), '[]')
        FROM jsonb_each(before) AS o FULL JOIN jsonb_each(after) AS n ON n.key = o.key
        WHERE o.value::text IS DISTINCT FROM n.value::text
    );

CREATE FUNCTION public.history_chain_v1(h public.ftf_config_history) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
    -- A JSON array joins the columns unambiguously; base_env is covered by its hash, which verify recomputes.
    RETURN public.document_hash(jsonb_build_array(
        'setpoint-chain-v1', h.id, h.scope, h.hash, h.diff, h.updated_by, h.proof, h.db_user, h.change_reason,
        h.source, h.base_revision, h.change_id, h.review, h.catalogues,
        to_char(h.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), h.previous_chain
    )::text);

CREATE AGGREGATE public.document_merge(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, INITCOND = '{}');
COMMENT ON AGGREGATE public.document_merge(jsonb) IS 'Documents laid over each other, later wins; give it an ORDER BY.';

CREATE FUNCTION public.record_revision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    head public.chain_head;
    h    public.ftf_config_history;
BEGIN
    SELECT * INTO STRICT head FROM public.chain_head FOR UPDATE;
    IF TG_OP = 'INSERT' THEN
        -- Refused here, before history is written: INSERT ... ON CONFLICT would fire this and insert nothing.
        IF EXISTS (SELECT FROM public.ftf_config WHERE scope = NEW.scope) THEN
            RAISE unique_violation USING MESSAGE = format('scope %L has a document already: update it', NEW.scope);
        END IF;
        NEW.id := CASE WHEN NEW.scope = 'global' THEN 1 ELSE nextval('public.ftf_config_id') END;
        h.diff := public.document_diff('{}', NEW.base_env);
    ELSE
        IF NEW.scope <> OLD.scope OR NEW.id <> OLD.id THEN
            RAISE insufficient_privilege USING MESSAGE = 'the id and the scope of a document never change';
        END IF;
        h.diff := public.document_diff(OLD.base_env, NEW.base_env);
        h.base_revision := OLD.revision;
    END IF;

    h.id := head.id + 1;
    h.scope := NEW.scope;
    h.base_env := NEW.base_env;
    h.hash := public.document_hash(NEW.base_env::text);
    h.updated_by := coalesce(nullif(current_setting('setpoint.author', true), ''), 'unattributed');
    h.proof := coalesce(nullif(current_setting('setpoint.proof', true), ''), 'database-login');
    h.db_user := session_user;
    h.change_reason := coalesce(nullif(current_setting('setpoint.reason', true), ''), '(none given)');
    h.source := coalesce(nullif(current_setting('setpoint.source', true), ''), 'sql');
    h.change_id := nullif(current_setting('setpoint.change', true), '')::bigint;
    h.review := coalesce(nullif(current_setting('setpoint.review', true), ''), 'none');
    h.catalogues := coalesce(nullif(current_setting('setpoint.catalogues', true), ''), '[]')::jsonb;
    h.created_at := clock_timestamp();
    h.previous_chain := head.chain;
    h.chain := public.history_chain_v1(h);
    INSERT INTO public.ftf_config_history SELECT h.*;
    UPDATE public.chain_head SET id = h.id, chain = h.chain;

    NEW.hash := h.hash;
    NEW.revision := h.id;
    NEW.updated_by := h.updated_by;
    NEW.change_reason := h.change_reason;
    NEW.updated_at := h.created_at;
    PERFORM pg_notify('setpoint_revision', jsonb_build_object('id', h.id, 'scope', h.scope)::text);
    RETURN NEW;
END
$$;

CREATE FUNCTION public.queue_writers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- Before any row is locked: every writer takes the head first, so that two of them cannot deadlock.
    PERFORM FROM public.chain_head FOR UPDATE;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.refuse_statement() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    RAISE insufficient_privilege USING
        MESSAGE = format('%s on %s is refused: %s', TG_OP, TG_TABLE_NAME, TG_ARGV[0]);
END
$$;

CREATE TRIGGER queue_writers BEFORE INSERT OR UPDATE ON public.ftf_config
    FOR EACH STATEMENT EXECUTE FUNCTION public.queue_writers();
CREATE TRIGGER record_revision BEFORE INSERT OR UPDATE ON public.ftf_config
    FOR EACH ROW EXECUTE FUNCTION public.record_revision();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.ftf_config
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a document is changed by a new revision, never removed');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.ftf_config_history
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('history is append-only');
ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER queue_writers;
ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER record_revision;
ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER append_only;

-- Bringing a whole exported history into an empty database: for the owner of the tables alone, who could
-- write history anyway. Each row must continue the chain, so that nothing is brought in that was not there.

CREATE FUNCTION public.holds_nothing() RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    RETURN (SELECT id = 0 FROM public.chain_head) AND NOT EXISTS (SELECT FROM public.changes)
        AND NOT EXISTS (SELECT FROM public.finetune_runs);
END
$$;
COMMENT ON FUNCTION public.holds_nothing IS 'Whether no revision, change or run was ever recorded here.';

CREATE FUNCTION public.import_revision(revision jsonb) RETURNS text
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    head public.chain_head;
    h    public.ftf_config_history := jsonb_populate_record(NULL::public.ftf_config_history, revision);
BEGIN
    SELECT * INTO STRICT head FROM public.chain_head FOR UPDATE;
    h.base_env := (revision ->> 'text')::jsonb;
    IF h.id IS DISTINCT FROM head.id + 1 THEN
        RETURN format('it is revision %s, expected %s', h.id, head.id + 1);
    ELSIF h.base_env::text IS DISTINCT FROM revision ->> 'text' OR h.hash IS DISTINCT FROM public.document_hash(h.base_env::text) THEN
        RETURN 'its document is not what was hashed';
    ELSIF h.previous_chain IS DISTINCT FROM head.chain THEN
        RETURN 'it does not follow the revision before it';
    ELSIF h.chain IS DISTINCT FROM public.history_chain_v1(h) THEN
        RETURN 'a recorded column was altered';
    END IF;
    INSERT INTO public.ftf_config_history SELECT h.*;
    UPDATE public.chain_head SET id = h.id, chain = h.chain;
    RETURN '';
END
$$;
COMMENT ON FUNCTION public.import_revision IS 'Appends an exported revision as it was; says why not, empty when it did.';

CREATE FUNCTION public.stand_on_history(reason text) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    sequence text := pg_get_serial_sequence('public.changes', 'id');
    used     bigint := (SELECT max(change_id) FROM public.ftf_config_history);
BEGIN
    -- These revisions are recorded: the trigger would record them again. It is off for this transaction
    -- alone, whose lock on the table keeps every other writer out until it is on again.
    ALTER TABLE public.ftf_config DISABLE TRIGGER record_revision;
    INSERT INTO public.ftf_config (id, scope, base_env, hash, revision, updated_by, change_reason, updated_at)
    SELECT CASE WHEN scope = 'global' THEN 1 ELSE nextval('public.ftf_config_id') END,
           scope, base_env, hash, id, updated_by, change_reason, created_at
    FROM (SELECT DISTINCT ON (scope) h.*, min(id) OVER (PARTITION BY scope) AS first
          FROM public.ftf_config_history AS h ORDER BY scope, id DESC) AS newest
    ORDER BY first;
    ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER record_revision;
    -- History names changes by number, and new ones must not take theirs.
    IF used IS NOT NULL THEN
        PERFORM setval(sequence, used);
    END IF;
    -- History itself names those who made it; who brought it here is told beside it.
    PERFORM public.note_access('history_imported', public.owner_of_tables(), '', NULL, public.owner_of_tables(),
        jsonb_build_object('revision', c.id, 'chain', c.chain, 'reason', reason)) FROM public.chain_head AS c;
    PERFORM pg_notify('setpoint_revision', jsonb_build_object('id', id, 'scope', scope)::text) FROM public.ftf_config_history
    ORDER BY id DESC LIMIT 1;
END
$$;
COMMENT ON FUNCTION public.stand_on_history IS 'Makes each document the newest revision that was imported of its scope.';

REVOKE ALL ON FUNCTION public.record_revision(), public.queue_writers(), public.refuse_statement(),
    public.import_revision(jsonb), public.stand_on_history(text) FROM PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO setpoint_app;
GRANT INSERT (scope, base_env), UPDATE (base_env) ON public.ftf_config TO setpoint_app;
GRANT INSERT (hash, name, version, text) ON public.catalogues TO setpoint_app;
