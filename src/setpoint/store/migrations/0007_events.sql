-- Events that were delivered, and who may deliver them.

CREATE TABLE public.event_sources (
    source     text PRIMARY KEY CHECK (length(source) BETWEEN 1 AND 200)
               CONSTRAINT a_source_is_a_name CHECK (public.is_name(source)),
    account    text NOT NULL DEFAULT (public.who()).person,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.event_sources IS 'Spools that events were delivered from; the account that delivered first is the one that may.';

CREATE TABLE public.event_log (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    source      text NOT NULL REFERENCES public.event_sources (source),
    sequence    bigint NOT NULL CHECK (sequence >= 0),
    name        text NOT NULL,
    level       text NOT NULL,
    run         text NOT NULL,
    unit        text NOT NULL,
    event_id    text,
    at          timestamptz,
    fields      jsonb NOT NULL,
    line        text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id, received_at)
) PARTITION BY RANGE (received_at);
CREATE TABLE public.event_log_rest PARTITION OF public.event_log DEFAULT;
-- Of one month; insert_events looks into the others.
CREATE UNIQUE INDEX event_log_rest_lines ON public.event_log_rest (source, sequence);
CREATE UNIQUE INDEX event_log_rest_once ON public.event_log_rest (run, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX event_log_by_run ON public.event_log (run, id);
CREATE INDEX event_log_by_name ON public.event_log (name, id);
CREATE INDEX event_log_by_level ON public.event_log (level, id);
CREATE INDEX event_log_by_time ON public.event_log (at, id);
CREATE INDEX event_log_fallbacks ON public.event_log (coalesce(at, received_at))
    WHERE name IN ('training_started', 'process_pinned', 'hpo_fallback_applied');
COMMENT ON TABLE public.event_log IS 'Events as they were written, each line of a spool once; split by the month in which they were received.';
COMMENT ON TABLE public.event_log_rest IS 'Events whose month is not split off yet, and the pattern of each month.';
COMMENT ON COLUMN public.event_log.sequence IS 'Where the line begins in its spool, in bytes.';
COMMENT ON COLUMN public.event_log.unit IS 'The unit of the run that it is about; empty when it names none.';
COMMENT ON COLUMN public.event_log.event_id IS 'Of what can happen once: a second line of a run with the same id is not kept.';
COMMENT ON COLUMN public.event_log.at IS 'The time the event itself tells; null when it tells none.';
COMMENT ON COLUMN public.event_log.fields IS 'Every pair of the line, as text.';

CREATE FUNCTION public.permit_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    writer record;
    foreign_run text;
BEGIN
    SELECT * INTO writer FROM public.who();
    IF NOT writer.roles && ARRAY['robot', 'config_write', 'admin'] THEN
        PERFORM public.require_role('robot', 'config_write', 'admin');
    END IF;
    IF writer.account IS NOT NULL THEN  -- a login of the database is bounded by whoever gave it
        PERFORM public.take_events(writer.account, count(*), coalesce(sum(octet_length(line)), 0)) FROM fresh;
    END IF;
    IF 'admin' = ANY (writer.roles) OR public.owner_of_tables() IS NOT NULL THEN
        RETURN NULL;
    END IF;
    -- Looked up one by one, each by its key: a join may be planned to read every source and every run there ever was.
    IF EXISTS (SELECT FROM (SELECT DISTINCT source FROM fresh) AS told
               WHERE (SELECT e.account FROM public.event_sources AS e WHERE e.source = told.source) <> writer.person) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'another account delivers the events of this source',
            HINT = 'give each spool a source of its own';
    END IF;
    SELECT told.run INTO foreign_run FROM (SELECT DISTINCT run FROM fresh) AS told
    WHERE (SELECT r.started_by FROM public.finetune_runs AS r WHERE r.id = told.run) <> writer.person LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('run %s was started by another account', foreign_run),
            HINT = 'report as whoever started it';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.permit_events IS 'Refuses events of a source or a run that belongs to another account.';
CREATE TRIGGER permit_events AFTER INSERT ON public.event_log REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION public.permit_events();
CREATE TRIGGER require_speaker BEFORE INSERT ON public.event_log
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER require_speaker BEFORE INSERT ON public.event_sources
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.event_log
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('events are append-only');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.event_log_rest
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('events are append-only');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.event_sources
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('sources of events are append-only');
ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER permit_events;
ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.event_sources ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.event_log_rest ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.event_sources ENABLE ALWAYS TRIGGER append_only;

REVOKE ALL ON FUNCTION public.permit_events() FROM PUBLIC;
GRANT SELECT, INSERT (source, sequence, name, level, run, unit, event_id, at, fields, line) ON public.event_log TO setpoint_app;
GRANT SELECT, INSERT (source) ON public.event_sources TO setpoint_app;
