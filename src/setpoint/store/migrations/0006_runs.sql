-- Snapshots, and the runs, results and trials that were made with them.
--
-- Every result names the snapshot, the hyperparameters and the trial that made it: NOT NULL, so that no
-- result can exist that cannot be joined to its configuration.

CREATE TABLE public.snapshots (
    hash       text PRIMARY KEY,
    text       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT named_by_its_hash CHECK (hash = public.document_hash(text))
);
CREATE INDEX snapshots_by_age ON public.snapshots (created_at DESC, hash DESC);
COMMENT ON TABLE public.snapshots IS 'Resolved documents that runs pinned, as the text that was hashed.';

CREATE TABLE public.snapshot_sets (
    hash       text PRIMARY KEY,
    text       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT named_by_its_hash CHECK (hash = public.document_hash(text))
);
COMMENT ON TABLE public.snapshot_sets IS 'What runs pinned: context, snapshot hash and catalogues, as the text that was hashed.';

CREATE TABLE public.read_sets (
    hash       text PRIMARY KEY,
    keys       jsonb NOT NULL,
    CONSTRAINT named_by_its_hash CHECK (hash = public.document_hash(keys::text))
);
COMMENT ON TABLE public.read_sets IS 'Keys that runs really read, sorted; runs of one release read the same ones.';

CREATE TABLE public.read_set_keys (
    key      text NOT NULL,
    set_hash text NOT NULL REFERENCES public.read_sets (hash),
    PRIMARY KEY (key, set_hash)
);
COMMENT ON TABLE public.read_set_keys IS 'The same by key: which sets hold it.';

CREATE FUNCTION public.keep_read_set(read jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    sorted jsonb;
    named  text;
BEGIN
    IF public.owner_of_tables() IS NULL THEN
        PERFORM public.require_role('robot', 'config_write', 'admin');
    END IF;
    SELECT coalesce(jsonb_agg(DISTINCT key COLLATE "C"), '[]') INTO sorted FROM jsonb_array_elements_text(read) AS key;
    named := public.document_hash(sorted::text);
    INSERT INTO public.read_sets (hash, keys) VALUES (named, sorted) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        INSERT INTO public.read_set_keys (key, set_hash) SELECT key, named FROM jsonb_array_elements_text(sorted) AS key;
    END IF;
    RETURN named;
END
$$;
COMMENT ON FUNCTION public.keep_read_set IS 'Keeps a set of keys once, and names it by its hash.';

CREATE TABLE public.finetune_runs (
    id            text PRIMARY KEY,
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    state         text NOT NULL DEFAULT 'running'
                  CHECK (state IN ('running', 'complete', 'interrupted', 'failed')),
    snapshot_hash text NOT NULL REFERENCES public.snapshots (hash),
    set_hash      text NOT NULL REFERENCES public.snapshot_sets (hash),
    context       jsonb NOT NULL,
    layers        jsonb NOT NULL,
    catalogues    jsonb NOT NULL,
    versions      jsonb NOT NULL,
    git_commit    text NOT NULL,
    data_hash     text NOT NULL,
    data_label    text NOT NULL,
    seed          bigint NOT NULL,
    processes     integer NOT NULL CHECK (processes > 0),
    threads       integer NOT NULL CHECK (threads > 0),
       universe      text NOT NULL,
    n_units       integer NOT NULL CHECK (n_units > 0),
    plan          jsonb NOT NULL,
    read_set      text REFERENCES public.read_sets (hash),
    fallbacks     jsonb NOT NULL DEFAULT '{}',
    started_by    text NOT NULL,
    host          text NOT NULL,
    CONSTRAINT a_run_is_a_name CHECK (public.is_name(concat(id, host, git_commit, data_label, universe)))
);
CREATE INDEX finetune_runs_by_start ON public.finetune_runs (started_at DESC);
CREATE INDEX finetune_runs_by_state ON public.finetune_runs (state, started_at DESC);
CREATE INDEX finetune_runs_by_person ON public.finetune_runs (started_by, started_at DESC);
CREATE INDEX finetune_runs_by_set ON public.finetune_runs (set_hash);
CREATE INDEX finetune_runs_by_read_set ON public.finetune_runs (read_set, started_at DESC);
CREATE INDEX finetune_runs_by_snapshot ON public.finetune_runs (snapshot_hash);
COMMENT ON COLUMN public.finetune_runs.snapshot_hash IS 'Of the base: the snapshot of the context that all units share.';
COMMENT ON COLUMN public.finetune_runs.n_units IS 'How many units it declares; they follow in pages.';
COMMENT ON COLUMN public.finetune_runs.plan IS 'The market data, the dimensions of its units, and the rule the verdict will apply.';
COMMENT ON COLUMN public.finetune_runs.read_set IS 'Of the keys that the run really read; null until it ended.';
COMMENT ON COLUMN public.finetune_runs.fallbacks IS 'By key, the number of units in which it fell back.';

CREATE TABLE public.finetune_contexts (
    run_id        text NOT NULL REFERENCES public.finetune_runs (id),
    context       jsonb NOT NULL,
    snapshot_hash text NOT NULL REFERENCES public.snapshots (hash),
    layers        jsonb NOT NULL,
    PRIMARY KEY (run_id, context),
    UNIQUE (run_id, context, snapshot_hash)
);
CREATE INDEX finetune_contexts_by_snapshot ON public.finetune_contexts (snapshot_hash);
COMMENT ON TABLE public.finetune_contexts IS 'The snapshots of a run: the base, and one for each context that its units resolve in.';

CREATE TABLE public.finetune_layers (
    run_id   text NOT NULL,
    context  jsonb NOT NULL,
    position integer NOT NULL,
    scope    text NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (run_id, context, position),
    FOREIGN KEY (run_id, context) REFERENCES public.finetune_contexts (run_id, context)
);
CREATE INDEX finetune_layers_by_revision ON public.finetune_layers (scope, revision);
COMMENT ON TABLE public.finetune_layers IS 'The layers of the snapshots of runs, a row each, where they are stored revisions.';

CREATE FUNCTION public.uses_of(p_run text, p_context jsonb, p_position integer, p_key text) RETURNS SETOF text
    LANGUAGE sql STABLE
    -- The one meaning of "this run used this value". Without a search path of its own it is planned as a part of
    -- the statement that asks: each name in it says its schema.
AS $$
    SELECT r.id
    FROM public.finetune_runs AS r
    WHERE r.id = p_run
      AND (r.read_set IS NULL
           OR EXISTS (SELECT FROM public.read_set_keys AS k WHERE k.key = p_key AND k.set_hash = r.read_set))
      AND NOT EXISTS (
          SELECT FROM public.finetune_layers AS later
          WHERE later.run_id = p_run AND later.context = p_context AND later.position > p_position
            AND (SELECT b.new FROM public.ftf_config_edits AS b
                 WHERE b.scope = later.scope AND b.key = p_key AND b.revision <= later.revision
                 ORDER BY b.revision DESC LIMIT 1) IS NOT NULL)
$$;
COMMENT ON FUNCTION public.uses_of IS 'The run, when it used the value that one of its layers gives a key: no later layer replaced it, and the run read it or has not ended.';

CREATE FUNCTION public.runs_set_by(p_revision bigint) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH held AS MATERIALIZED (
        SELECT h.scope, h.id AS first, e ->> 'key' AS key,
               coalesce((SELECT min(b.revision) FROM public.ftf_config_edits AS b
                         WHERE b.scope = h.scope AND b.key = e ->> 'key' AND b.revision > h.id), 9223372036854775807) AS next
        FROM public.ftf_config_history AS h, jsonb_array_elements(h.diff) AS e
        WHERE h.id = p_revision AND e ->> 'op' <> 'remove'
    )
    SELECT DISTINCT l.run_id
    FROM (SELECT min(scope) AS scope, min(first) AS first, max(next) AS next FROM held) AS span
    JOIN public.finetune_layers AS l ON l.scope = span.scope AND l.revision >= span.first AND l.revision < span.next
    WHERE EXISTS (
        SELECT FROM held, public.uses_of(l.run_id, l.context, l.position, held.key) WHERE l.revision < held.next)
$$;
COMMENT ON FUNCTION public.runs_set_by IS 'The runs that used at least one value that a revision set, pinned with it or later, before it was set anew.';

CREATE FUNCTION public.note_layers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO public.finetune_layers (run_id, context, position, scope, revision)
    SELECT NEW.run_id, NEW.context, position, layer ->> 'scope', (layer ->> 'revision')::bigint
    FROM jsonb_array_elements(NEW.layers) WITH ORDINALITY AS pinned (layer, position)
    WHERE layer ->> 'revision' IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_layers AFTER INSERT ON public.finetune_contexts
    FOR EACH ROW EXECUTE FUNCTION public.note_layers();
ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER note_layers;

CREATE TABLE public.finetune_units (
    run_id        text NOT NULL,
    symbol        text NOT NULL,
    model         text NOT NULL,
    timeframe     text NOT NULL,
    variant       text NOT NULL,
    fold          integer NOT NULL,
    position      integer NOT NULL,
    context       jsonb NOT NULL,
    snapshot_hash text NOT NULL,
    PRIMARY KEY (run_id, symbol, model, timeframe, variant, fold),
    UNIQUE (run_id, symbol, model, timeframe, variant, fold, snapshot_hash),
    UNIQUE (run_id, position),
    FOREIGN KEY (run_id, context, snapshot_hash) REFERENCES public.finetune_contexts (run_id, context, snapshot_hash)
);
COMMENT ON TABLE public.finetune_units IS 'The units that a run declares, each with the snapshot it trains with.';
COMMENT ON COLUMN public.finetune_units.position IS 'The order in which the plan lists them, from 0.';

CREATE TABLE public.finetune_results (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id               text NOT NULL,
    symbol               text NOT NULL,
    model                text NOT NULL,
    timeframe            text NOT NULL,
    variant              text NOT NULL,
    fold                 integer NOT NULL,
    trial_id             integer NOT NULL,
    snapshot_hash        text NOT NULL,
    model_hyperparams    jsonb NOT NULL,
    effective_params     jsonb NOT NULL,
    findings             jsonb NOT NULL,
    feature_hash         text NOT NULL,
    model_hash           text NOT NULL,
    seed                 bigint NOT NULL,
    best_iteration       integer,
    n_trees_used         integer NOT NULL,
    stopped_early        boolean NOT NULL,
    threshold            float8 NOT NULL,
    training_time_sec    float8 NOT NULL,
    n_train              integer NOT NULL,
    n_val                integer NOT NULL,
    n_test               integer NOT NULL,
    f1_buy_val           float8 NOT NULL CHECK (f1_buy_val BETWEEN 0 AND 1),
    f1_buy_test          float8 NOT NULL CHECK (f1_buy_test BETWEEN 0 AND 1),
    always_buy_f1_val    float8 NOT NULL CHECK (always_buy_f1_val BETWEEN 0 AND 1),
    always_buy_f1_test   float8 NOT NULL CHECK (always_buy_f1_test BETWEEN 0 AND 1),
    metrics              jsonb NOT NULL,
    importance           jsonb NOT NULL,
    importance_by        text NOT NULL,
    worker               text NOT NULL DEFAULT '',
    worker_time_sec      float8 NOT NULL DEFAULT 0,
    created_at           timestamptz NOT NULL DEFAULT now(),
    UNIQUE (run_id, symbol, model, timeframe, variant, fold),
    UNIQUE (run_id, symbol, model, timeframe, variant, fold, created_at),
    FOREIGN KEY (run_id, symbol, model, timeframe, variant, fold, snapshot_hash)
        REFERENCES public.finetune_units (run_id, symbol, model, timeframe, variant, fold, snapshot_hash)
);
CREATE INDEX finetune_results_by_run ON public.finetune_results (run_id, id);
CREATE INDEX finetune_results_by_snapshot ON public.finetune_results (snapshot_hash, id);
CREATE INDEX finetune_results_by_symbol ON public.finetune_results (symbol, id);
CREATE INDEX finetune_results_by_model ON public.finetune_results (model, id);
-- Of all rows, and only for who says so: otherwise the check that a trial has its result may take this index, while the
-- table is young and its statistics say nothing, and read every result of the place for each trial.
CREATE INDEX finetune_results_by_place ON public.finetune_results (model, timeframe, id) WHERE id > 0;
COMMENT ON COLUMN public.finetune_results.importance IS 'By searched parameter the share that it mattered, by the search library; empty of fewer than two trials.';
COMMENT ON COLUMN public.finetune_results.worker IS 'What trained it, as host:process; empty where nobody said.';
COMMENT ON COLUMN public.finetune_results.worker_time_sec IS 'How long the unit took its worker, tuning, preparing and scoring included.';
COMMENT ON COLUMN public.finetune_results.best_iteration IS 'As the library reports it; n_trees_used is the same for all.';

CREATE TABLE public.finetune_trials (
    run_id       text NOT NULL,
    symbol       text NOT NULL,
    model        text NOT NULL,
    timeframe    text NOT NULL,
    variant      text NOT NULL,
    fold         integer NOT NULL,
    trial        integer NOT NULL,
    params       jsonb NOT NULL,
    value        float8,
    state        text NOT NULL,
    n_trees_used integer,
    findings     jsonb NOT NULL DEFAULT '[]',
    violations   jsonb NOT NULL DEFAULT '[]',
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    -- A unit has one result, and its trials have that one's instant: so a trial is there once over all months, too.
    PRIMARY KEY (run_id, symbol, model, timeframe, variant, fold, trial, recorded_at),
    FOREIGN KEY (run_id, symbol, model, timeframe, variant, fold, recorded_at)
        REFERENCES public.finetune_results (run_id, symbol, model, timeframe, variant, fold, created_at)
) PARTITION BY RANGE (recorded_at);
CREATE TABLE public.finetune_trials_rest PARTITION OF public.finetune_trials DEFAULT;
COMMENT ON TABLE public.finetune_trials IS 'The tuning trials of each result, recorded with it; split by the month in which that was.';
COMMENT ON TABLE public.finetune_trials_rest IS 'Trials whose month is not split off yet, and the pattern of each month.';
COMMENT ON COLUMN public.finetune_trials.findings IS 'What attestation found, and each invariant that the suggestion broke.';
COMMENT ON COLUMN public.finetune_trials.violations IS 'Invariants the suggestion broke: recorded, not refused.';

CREATE TABLE public.finetune_failures (
    run_id     text NOT NULL,
    symbol     text NOT NULL,
    model      text NOT NULL,
    timeframe  text NOT NULL,
    variant    text NOT NULL,
    fold       integer NOT NULL,
    code       text NOT NULL,
    message    text NOT NULL,
    worker     text NOT NULL DEFAULT '',
    worker_time_sec float8 NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, symbol, model, timeframe, variant, fold),
    FOREIGN KEY (run_id, symbol, model, timeframe, variant, fold)
        REFERENCES public.finetune_units (run_id, symbol, model, timeframe, variant, fold)
);
COMMENT ON TABLE public.finetune_failures IS 'Units that could not be trained, with the code of the error.';

CREATE FUNCTION public.require_reporter(run text, starter text, starts boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    writer record;
BEGIN
    -- Who it is is looked up once: a report of one unit comes by here for each of its statements.
    SELECT * INTO writer FROM public.who();
    IF public.owner_of_tables() IS NOT NULL THEN
        RETURN;
    END IF;
    IF NOT writer.roles && ARRAY['robot', 'config_write', 'admin'] THEN
        PERFORM public.require_role('robot', 'config_write', 'admin');
    END IF;
    -- An admin may report on anybody's run, unless it is evidence for a change, and start none in another's name.
    IF starter <> writer.person AND (starts OR NOT coalesce('admin' = ANY (writer.roles), false)
            OR EXISTS (SELECT FROM public.change_runs AS c WHERE c.run_id = run)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('run %s was started by %s, not by %s', run, starter, writer.person),
            HINT = 'report as whoever started it';
    END IF;
END
$$;
COMMENT ON FUNCTION public.require_reporter IS 'Refuses whoever reports on a run of another, or starts one in another''s name.';

CREATE FUNCTION public.may_report(reported text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM public.require_reporter(id, started_by) FROM public.finetune_runs WHERE id = reported;
    IF FOUND THEN
        RETURN true;
    END IF;
    IF public.owner_of_tables() IS NULL THEN
        PERFORM public.require_role('robot', 'config_write', 'admin');
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION public.may_report IS 'Says whether a run is there, and refuses whoever may not report on it.';

CREATE FUNCTION public.permit_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM public.require_reporter(NEW.id, NEW.started_by, TG_OP = 'INSERT');
    RETURN NEW;
END
$$;

CREATE FUNCTION public.permit_report() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM public.may_report(run_id) FROM (SELECT DISTINCT run_id FROM fresh) AS reported;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.permit_report IS 'Refuses rows of a run that the writer may not report on: once for each statement, not for each row.';

CREATE TRIGGER permit_run BEFORE INSERT OR UPDATE ON public.finetune_runs
    FOR EACH ROW EXECUTE FUNCTION public.permit_run();
CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_contexts REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();
CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_units REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();
CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_results REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();
CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_trials REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();
CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_failures REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.read_sets
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.snapshots
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.snapshot_sets
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.finetune_runs
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.finetune_contexts
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.finetune_units
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.finetune_results
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.finetune_trials
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.finetune_failures
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
ALTER TABLE public.finetune_runs ENABLE ALWAYS TRIGGER permit_run;
ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER permit_report;
ALTER TABLE public.finetune_units ENABLE ALWAYS TRIGGER permit_report;
ALTER TABLE public.finetune_results ENABLE ALWAYS TRIGGER permit_report;
ALTER TABLE public.finetune_trials ENABLE ALWAYS TRIGGER permit_report;
ALTER TABLE public.finetune_failures ENABLE ALWAYS TRIGGER permit_report;
ALTER TABLE public.read_sets ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.snapshots ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.snapshot_sets ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.finetune_runs ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.finetune_units ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.finetune_results ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.finetune_trials ENABLE ALWAYS TRIGGER require_speaker;
ALTER TABLE public.finetune_failures ENABLE ALWAYS TRIGGER require_speaker;

REVOKE ALL ON FUNCTION public.permit_run(), public.permit_report(), public.require_reporter(text, text, boolean),
    public.may_report(text), public.note_layers(), public.keep_read_set(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.keep_read_set(jsonb), public.may_report(text) TO setpoint_app;
GRANT SELECT ON public.snapshots, public.snapshot_sets, public.read_sets, public.read_set_keys, public.finetune_layers TO setpoint_app;
GRANT INSERT (hash, text) ON public.snapshots, public.snapshot_sets TO setpoint_app;
GRANT SELECT, INSERT ON public.finetune_runs, public.finetune_contexts,
    public.finetune_units, public.finetune_results, public.finetune_trials, public.finetune_failures TO setpoint_app;
GRANT UPDATE (state, finished_at, read_set, fallbacks) ON public.finetune_runs TO setpoint_app;
