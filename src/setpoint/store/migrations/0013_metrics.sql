-- What metrics are read from: totals of what happened, what happened by the minute, and frozen baselines.
--
-- Kept by the statements that write events and revisions, in their transaction: nothing is lost, nothing is counted
-- twice, nothing begins at 0 again when something restarts, and no scrape walks a table that grows. Windows go by when
-- an event arrived here: what a spool kept while the plane was away is not missed.

CREATE TABLE public.event_totals (
    name      text NOT NULL,
    model     text NOT NULL,
    timeframe text NOT NULL,
    label     text NOT NULL,
    total     bigint NOT NULL,
    PRIMARY KEY (name, label, model, timeframe)
) WITH (fillfactor = 50);
COMMENT ON TABLE public.event_totals IS 'How often what a metric counts was told, ever; names beyond a bound are counted as other.';
COMMENT ON COLUMN public.event_totals.label IS 'The key of a fallback, the finding of a mismatch; otherwise empty.';

CREATE TABLE public.event_minutes (
    minute            timestamptz NOT NULL,
    model             text NOT NULL,
    timeframe         text NOT NULL,
    fallbacks         bigint NOT NULL DEFAULT 0,
    units_started     bigint NOT NULL DEFAULT 0,
    units_fell_back   bigint NOT NULL DEFAULT 0,
    learning_rate     float8,
    max_depth         float8,
    best_iteration    float8,
    n_trees_used      float8,
    PRIMARY KEY (minute, model, timeframe)
) WITH (fillfactor = 50);
COMMENT ON TABLE public.event_minutes IS 'What arrived in each minute of the last two days: how much, and the lowest values that were told.';
COMMENT ON COLUMN public.event_minutes.units_fell_back IS 'Of the units that started in this minute, those that fell back, whenever they did.';

CREATE TABLE public.event_units (
    run       text NOT NULL,
    unit      text NOT NULL,
    minute    timestamptz NOT NULL,
    model     text NOT NULL,
    timeframe text NOT NULL,
    fell_back boolean NOT NULL,
    PRIMARY KEY (run, unit)
);
CREATE INDEX event_units_by_minute ON public.event_units (minute);
COMMENT ON TABLE public.event_units IS 'The units that started in the last two days, so that each is counted once.';

CREATE FUNCTION public.told_number(told text) RETURNS float8
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    -- A line may say anything: what is no plain number of bounded size is no number.
    RETURN CASE WHEN told ~ '^-?[0-9]{1,12}(\.[0-9]{1,30})?(e[-+]?[0-9]{1,2})?$' THEN told::float8 END;

CREATE FUNCTION public.counted_labels(p_name text, p_model text, p_timeframe text, p_label text,
                                      OUT model text, OUT timeframe text, OUT label text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- Whoever delivers events chooses their text, so not every text becomes a name. A key that a document ever held
    -- does; others while there are few. Nothing is lost: the rest is counted together.
    model := CASE WHEN p_model ~ '^[a-z][a-z0-9_]{0,15}$' THEN p_model ELSE '' END;
    timeframe := CASE WHEN p_timeframe ~ '^[0-9]{1,3}[a-z]{1,3}$' THEN p_timeframe ELSE '' END;
    label := CASE WHEN p_label ~ '^[A-Za-z][A-Za-z0-9_]{0,99}$' THEN p_label ELSE '' END;
    IF EXISTS (SELECT FROM public.event_totals AS t WHERE t.name = p_name AND t.label = counted_labels.label
               AND t.model = counted_labels.model AND t.timeframe = counted_labels.timeframe)
       OR EXISTS (SELECT FROM public.ftf_config_edits AS e WHERE e.key = counted_labels.label) THEN
        RETURN;
    END IF;
    IF (SELECT count(*) FROM public.event_totals AS t WHERE t.name = p_name) >= 1000 THEN
        SELECT 'other', 'other', 'other' INTO model, timeframe, label;
    END IF;
END
$$;
COMMENT ON FUNCTION public.counted_labels IS 'Under which names something is counted: its own, or other when there are too many.';

CREATE FUNCTION public.count_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    now_minute constant timestamptz := date_trunc('minute', clock_timestamp());
    begins     constant boolean := NOT EXISTS (SELECT FROM public.event_minutes WHERE minute = now_minute);
BEGIN
    INSERT INTO public.event_totals AS t (name, model, timeframe, label, total)
    SELECT told.name, l.model, l.timeframe, l.label, sum(told.total)
    FROM (
        SELECT name, CASE WHEN is_placed THEN coalesce(fields ->> 'model', '') ELSE '' END AS model,
               CASE WHEN is_placed THEN coalesce(fields ->> 'timeframe', '') ELSE '' END AS timeframe,
               CASE name WHEN 'hpo_fallback_applied' THEN coalesce(fields ->> 'key', '')
                         WHEN 'effective_param_mismatch' THEN coalesce(fields ->> 'finding', '') ELSE '' END AS label,
               sum(CASE WHEN name = 'buy_proba_scored' THEN least(greatest(public.told_number(fields ->> 'bars'), 0), 1e9)
                        ELSE 1 END)::bigint AS total
        FROM fresh, LATERAL (SELECT name NOT IN ('hpo_fallback_applied', 'effective_param_mismatch')) AS sort (is_placed)
        WHERE name IN ('training_started', 'trial_complete', 'training_complete', 'buy_proba_scored',
                       'hpo_fallback_applied', 'effective_param_mismatch')
        GROUP BY 1, 2, 3, 4
    ) AS told, public.counted_labels(told.name, told.model, told.timeframe, told.label) AS l
    WHERE told.total > 0
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 4, 2, 3
    ON CONFLICT (name, label, model, timeframe) DO UPDATE SET total = t.total + excluded.total;

    WITH spoken AS (
        SELECT id, name, run, unit, coalesce(fields ->> 'model', '') AS said_model,
               coalesce(fields ->> 'timeframe', '') AS said_timeframe, fields ->> 'learning_rate' AS learning_rate,
               fields ->> 'max_depth' AS max_depth, fields ->> 'best_iteration' AS best_iteration,
               fields ->> 'n_trees_used' AS n_trees_used
        FROM fresh WHERE name IN ('training_started', 'process_pinned', 'hpo_fallback_applied', 'training_complete')
    ), places AS MATERIALIZED (  -- once for each place, not for each line
        SELECT p.said_model, p.said_timeframe, l.model, l.timeframe
        FROM (SELECT DISTINCT said_model, said_timeframe FROM spoken) AS p,
             public.counted_labels('training_started', p.said_model, p.said_timeframe, '') AS l
    ), told AS (
        SELECT * FROM spoken JOIN places USING (said_model, said_timeframe)
    ), named AS (
        SELECT run, unit, (array_agg(model ORDER BY id))[1] AS model, (array_agg(timeframe ORDER BY id))[1] AS timeframe,
               bool_or(name = 'hpo_fallback_applied') AS fell_back
        FROM told WHERE name <> 'training_complete' GROUP BY run, unit
    ), known AS (
        SELECT u.* FROM named AS n JOIN public.event_units AS u USING (run, unit)
    ), began AS (
        INSERT INTO public.event_units AS u (run, unit, minute, model, timeframe, fell_back)
        SELECT run, unit, now_minute, model, timeframe, fell_back FROM named ORDER BY run, unit
        ON CONFLICT (run, unit) DO UPDATE SET fell_back = true WHERE excluded.fell_back AND NOT u.fell_back
        RETURNING u.run, u.unit, u.minute, u.model, u.timeframe, u.fell_back
    ), of_minute AS (
        SELECT now_minute AS minute, model, timeframe, count(*) FILTER (WHERE name = 'hpo_fallback_applied') AS fallbacks,
               0 AS units_started, 0 AS units_fell_back,
               min(public.told_number(learning_rate)) AS learning_rate, min(public.told_number(max_depth)) AS max_depth,
               min(public.told_number(best_iteration)) AS best_iteration, min(public.told_number(n_trees_used)) AS n_trees_used
        FROM told GROUP BY model, timeframe
        UNION ALL
        SELECT b.minute, b.model, b.timeframe, 0, count(*) FILTER (WHERE k.run IS NULL), count(*) FILTER (WHERE b.fell_back),
               NULL, NULL, NULL, NULL
        FROM began AS b LEFT JOIN known AS k ON k.run = b.run AND k.unit = b.unit GROUP BY 1, 2, 3
    )
    INSERT INTO public.event_minutes AS m (minute, model, timeframe, fallbacks, units_started, units_fell_back,
                                           learning_rate, max_depth, best_iteration, n_trees_used)
    SELECT minute, model, timeframe, sum(fallbacks), sum(units_started), sum(units_fell_back),
           min(learning_rate), min(max_depth), min(best_iteration), min(n_trees_used)
    FROM of_minute GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (minute, model, timeframe) DO UPDATE
    SET fallbacks = m.fallbacks + excluded.fallbacks, units_started = m.units_started + excluded.units_started,
        units_fell_back = m.units_fell_back + excluded.units_fell_back,
        learning_rate = least(m.learning_rate, excluded.learning_rate), max_depth = least(m.max_depth, excluded.max_depth),
        best_iteration = least(m.best_iteration, excluded.best_iteration),
        n_trees_used = least(m.n_trees_used, excluded.n_trees_used);

    IF begins THEN  -- once a minute, not once a report
        DELETE FROM public.event_minutes WHERE minute < now_minute - interval '2 days';
        DELETE FROM public.event_units WHERE minute < now_minute - interval '2 days';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.count_events IS 'Counts events as they are stored, each once: a line that was stored before is no new row.';
CREATE TRIGGER count_events AFTER INSERT ON public.event_log REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION public.count_events();
ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER count_events;

CREATE TABLE public.revision_totals (
    kind  text PRIMARY KEY,
    total bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE public.revision_totals IS 'Revisions by how they were reviewed, and those that restored another one, ever.';

CREATE FUNCTION public.count_revision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO public.revision_totals AS t (kind, total)
    SELECT kind, 1
    FROM (VALUES (CASE WHEN NEW.review IN ('approved', 'unreviewed', 'break-glass') THEN NEW.review ELSE 'none' END)) AS told (kind)
    UNION ALL
    SELECT 'restore', 1 FROM public.changes WHERE id = NEW.change_id AND restores IS NOT NULL
    ON CONFLICT (kind) DO UPDATE SET total = t.total + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_revision AFTER INSERT ON public.ftf_config_history
    FOR EACH ROW EXECUTE FUNCTION public.count_revision();
ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER count_revision;

CREATE TABLE public.baselines (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run                 text NOT NULL REFERENCES public.finetune_runs (id),
    model               text NOT NULL,
    timeframe           text NOT NULL,
    host                text NOT NULL,
    units               integer NOT NULL CHECK (units > 0),
    training_time_p95_s float8 NOT NULL,
    n_trees_median      float8 NOT NULL,
    reason              text NOT NULL CHECK (public.says_something(reason)),
    set_by              text NOT NULL,
    set_at              timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.baselines IS 'Runs that later trainings are held against; the newest row of a model, timeframe and machine counts.';
COMMENT ON COLUMN public.baselines.training_time_p95_s IS 'Copied from the results of the run when it was set: frozen, whatever becomes of these.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.baselines
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a baseline is followed by another one, never removed');
CREATE TRIGGER require_speaker BEFORE INSERT ON public.baselines
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
ALTER TABLE public.baselines ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.baselines ENABLE ALWAYS TRIGGER require_speaker;

CREATE FUNCTION public.set_baseline(p_run text, p_reason text) RETURNS SETOF public.baselines
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF public.owner_of_tables() IS NULL THEN
        PERFORM public.require_role('config_write', 'admin');
    END IF;
    IF NOT EXISTS (SELECT FROM public.finetune_runs WHERE id = p_run AND state = 'complete') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%s is no run that is complete', p_run),
            HINT = '`setpoint runs` lists them';
    END IF;
    RETURN QUERY
    INSERT INTO public.baselines (run, model, timeframe, host, units, training_time_p95_s, n_trees_median, reason, set_by)
    SELECT r.id, u.model, u.timeframe, r.host, count(*), percentile_cont(0.95) WITHIN GROUP (ORDER BY u.training_time_sec),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY u.n_trees_used), p_reason, (SELECT person FROM public.who())
    FROM public.finetune_runs AS r JOIN public.finetune_results AS u ON u.run_id = r.id
    WHERE r.id = p_run GROUP BY r.id, u.model, u.timeframe ORDER BY u.model, u.timeframe
    RETURNING *;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('run %s has no result', p_run),
            HINT = 'choose one whose units were trained: `setpoint runs`';
    END IF;
END
$$;
COMMENT ON FUNCTION public.set_baseline IS 'Freezes what a run measured as what later trainings are held against, for each model and timeframe on its machine.';

CREATE INDEX snapshot_holders_by_since ON public.snapshot_holders (since);

REVOKE ALL ON FUNCTION public.told_number(text), public.counted_labels(text, text, text, text), public.count_events(),
    public.count_revision(), public.set_baseline(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.set_baseline(text, text) TO setpoint_app;
GRANT SELECT ON public.event_totals, public.event_minutes, public.revision_totals, public.baselines TO setpoint_app;
GRANT SELECT (kind, caller, amount, seen) ON public.process_shares TO setpoint_app;
