-- The history of documents, and the chain over it.
--
-- It is written by a trigger in the transaction of the write it describes, whoever writes and with whatever
-- tool. No statement of the application's role can change or remove a row of it.

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

CREATE TABLE public.ftf_config_edits (
    scope    text NOT NULL,
    key      text NOT NULL,
    revision bigint NOT NULL,
    new      jsonb,
    PRIMARY KEY (key, revision)
);
CREATE INDEX ftf_config_edits_by_scope ON public.ftf_config_edits (scope, key, revision DESC);
-- Rows come in the order of revisions, so the smallest of indexes finds those after one.
CREATE INDEX ftf_config_edits_by_revision ON public.ftf_config_edits USING brin (revision) WITH (autosummarize = on);
COMMENT ON TABLE public.ftf_config_edits IS 'History by key: the diff of each revision, a row for each key, so that what was a key''s value when is one look.';
COMMENT ON COLUMN public.ftf_config_edits.new IS 'The value that the revision gave; null where it removed the key.';

CREATE TABLE public.chain_head (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    id    bigint NOT NULL,
    chain text NOT NULL
);
COMMENT ON TABLE public.chain_head IS 'The newest revision; locking its row makes writers queue, so that the chain cannot fork.';
INSERT INTO public.chain_head (id, chain) VALUES (0, repeat('0', 64));

CREATE FUNCTION public.history_chain_v1(h public.ftf_config_history) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
    -- A JSON array joins the columns unambiguously; base_env is covered by its hash, which verify recomputes.
    RETURN public.document_hash(jsonb_build_array(
        'setpoint-chain-v1', h.id, h.scope, h.hash, h.diff, h.updated_by, h.proof, h.db_user, h.change_reason,
        h.source, h.base_revision, h.change_id, h.review, h.catalogues,
        to_char(h.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), h.previous_chain
    )::text);

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
        h.diff := public.document_diff_at(OLD.base_env, NEW.base_env, string_to_array(current_setting('setpoint.touched', true), ','));
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

    -- As history stores it: what was compressed once is copied.
    NEW.base_env := coalesce((SELECT r.base_env FROM public.ftf_config_history AS r WHERE r.id = h.id), NEW.base_env);
    NEW.hash := h.hash;
    NEW.revision := h.id;
    NEW.updated_by := h.updated_by;
    NEW.change_reason := h.change_reason;
    NEW.updated_at := h.created_at;
    PERFORM pg_notify('setpoint_revision', jsonb_build_object('id', h.id, 'scope', h.scope)::text);
    RETURN NEW;
END
$$;

CREATE FUNCTION public.note_edits() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO public.ftf_config_edits (scope, key, revision, new)
    SELECT NEW.scope, edit ->> 'key', NEW.id, edit -> 'new' FROM jsonb_array_elements(NEW.diff) AS edit;
    RETURN NULL;
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

CREATE TRIGGER queue_writers BEFORE INSERT OR UPDATE ON public.ftf_config
    FOR EACH STATEMENT EXECUTE FUNCTION public.queue_writers();
CREATE TRIGGER record_revision BEFORE INSERT OR UPDATE ON public.ftf_config
    FOR EACH ROW EXECUTE FUNCTION public.record_revision();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.ftf_config_history
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('history is append-only');
CREATE TRIGGER note_edits AFTER INSERT ON public.ftf_config_history
    FOR EACH ROW EXECUTE FUNCTION public.note_edits();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.ftf_config_edits
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('history is append-only');
ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER queue_writers;
ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER record_revision;
ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER note_edits;
ALTER TABLE public.ftf_config_edits ENABLE ALWAYS TRIGGER append_only;

REVOKE ALL ON FUNCTION public.record_revision(), public.queue_writers(), public.note_edits() FROM PUBLIC;
GRANT SELECT ON public.ftf_config_history, public.ftf_config_edits, public.chain_head TO setpoint_app;
