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

REVOKE ALL ON FUNCTION public.import_revision(jsonb), public.stand_on_history(text) FROM PUBLIC;
