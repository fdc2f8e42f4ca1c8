-- Checks: evidence for a change, trained on its candidate before anybody applies it.
--
-- The candidate is what would be resolved if the change were applied: its document in the place of its own
-- scope's. It is never stored as a document: it is computed from the change and from what stands, here as for
-- snapshots, so evidence about another one is told apart whenever somebody asks.

CREATE TABLE public.catalogue_declarations (
    hash     text PRIMARY KEY REFERENCES public.catalogues (hash),
    declares jsonb NOT NULL CHECK (jsonb_typeof(declares -> 'values') = 'array'),
    kept_by  text NOT NULL,
    kept_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.catalogue_declarations IS 'What a catalogue''s text declares, as whoever registered it read it: values with their parts and ranges, values of parts, universes.';
-- Removed by the owner alone, who has to: nobody else can tell what was invented from what a text declares.
CREATE TRIGGER never_edited BEFORE UPDATE OR TRUNCATE ON public.catalogue_declarations
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('what a text declares never changes');
ALTER TABLE public.catalogue_declarations ENABLE ALWAYS TRIGGER never_edited;

CREATE FUNCTION public.keep_declaration(p_hash text, p_declares jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    INSERT INTO public.catalogue_declarations (hash, declares, kept_by)
    SELECT p_hash, p_declares, w.person FROM public.who() AS w
    ON CONFLICT (hash) DO NOTHING;
    -- Nothing here reads a catalogue's text: whoever has it finds what somebody invented of it.
    IF (SELECT d.declares FROM public.catalogue_declarations AS d WHERE d.hash = p_hash) <> p_declares THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423',
            MESSAGE = format('%s recorded of catalogue %s what its text does not declare',
                (SELECT d.kept_by FROM public.catalogue_declarations AS d WHERE d.hash = p_hash), left(p_hash, 12)),
            HINT = 'the owner of the tables deletes it from catalogue_declarations; who has the text registers nothing until then';
    END IF;
END
$$;
COMMENT ON FUNCTION public.keep_declaration IS 'Keeps what a registered catalogue declares, once; refuses whoever reads something else in the same text.';

CREATE FUNCTION public.catalogues_in_force() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- By history, which people approved: a caller names none of its own.
    SELECT told ->> 'hash' FROM (
        SELECT h.catalogues FROM public.ftf_config_history AS h
        WHERE h.scope = 'global' AND h.catalogues <> '[]' ORDER BY h.id DESC LIMIT 1) AS newest,
        jsonb_array_elements(newest.catalogues) AS told
$$;
COMMENT ON FUNCTION public.catalogues_in_force IS 'The catalogues that the newest revision of the global document was made under; one that was written by hand names none.';

CREATE FUNCTION public.declared_values() RETURNS TABLE (catalogue text, key text, parts text[], parameter text, library_name text, range text[])
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT d.hash, v.* FROM public.catalogues_in_force() AS named (hash)
    JOIN public.catalogue_declarations AS d USING (hash)
    CROSS JOIN LATERAL jsonb_to_recordset(d.declares -> 'values') AS v (key text, parts text[], parameter text, library_name text, range text[])
$$;
COMMENT ON FUNCTION public.declared_values IS 'The parameters that the catalogues in force declare: a key each, of a model, a timeframe or whatever its parts are, with the keys of its range.';

CREATE FUNCTION public.models_in_force() RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT ARRAY(SELECT model FROM public.catalogues_in_force() AS named (hash) JOIN public.catalogue_declarations AS d USING (hash)
                 CROSS JOIN LATERAL jsonb_array_elements_text(d.declares -> 'parts' -> 'model') WITH ORDINALITY AS m (model, place)
                 GROUP BY model ORDER BY min(place), model)
$$;
COMMENT ON FUNCTION public.models_in_force IS 'The models that the catalogues in force declare, in their order: what a check or a stage leaves out has no score.';

CREATE TABLE public.change_runs (
    run_id        text PRIMARY KEY,
    change_id     bigint NOT NULL REFERENCES public.changes (id),
    arm           text NOT NULL CHECK (arm IN ('candidate', 'current')),
    other         text,
    dimensions    text[] NOT NULL,
    within_s      integer,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT a_run_is_a_name CHECK (public.is_name(run_id))
);
CREATE INDEX change_runs_by_change ON public.change_runs (change_id, registered_at);
COMMENT ON TABLE public.change_runs IS 'Runs that were registered for a change before they pinned: they alone pin its candidate, or are its pair.';
COMMENT ON COLUMN public.change_runs.arm IS 'What it trains: the candidate, or the values that stand, for comparison.';
COMMENT ON COLUMN public.change_runs.other IS 'The run of the other arm; null where none is compared.';
COMMENT ON COLUMN public.change_runs.within_s IS 'Of a smoke run, which is compared with nothing: how long it may take, from when it was registered, as policy said then.';
COMMENT ON COLUMN public.change_runs.dimensions IS 'Of scopes, in overriding order, as the catalogues have them.';

CREATE TABLE public.change_checks (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    change_id      bigint NOT NULL REFERENCES public.changes (id),
    kind           text NOT NULL CHECK (kind IN ('canary', 'smoke', 'ranges')),
    run_id         text NOT NULL REFERENCES public.finetune_runs (id),
    current_run_id text REFERENCES public.finetune_runs (id),
    candidate_hash text NOT NULL,
    build          text NOT NULL,
    data_hash      text NOT NULL,
    result         text NOT NULL CHECK (result IN ('pass', 'hold', 'fail')),
    reasons        text[] NOT NULL,
    reported_by    text NOT NULL,
    proof          text NOT NULL,
    reported_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (run_id, kind)
);
CREATE INDEX change_checks_by_change ON public.change_checks (change_id, kind, id);
COMMENT ON TABLE public.change_checks IS 'What runs of a change''s candidate showed; whether it counts is judged whenever it is asked.';
COMMENT ON COLUMN public.change_checks.candidate_hash IS 'Of the snapshot set that was trained: the candidate in each context of its units.';
COMMENT ON COLUMN public.change_checks.build IS 'The commit that trained it.';

CREATE TABLE public.change_attempts (
    run_id   text PRIMARY KEY REFERENCES public.change_runs (run_id),
    began_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.change_attempts IS 'Each time that a candidate began to be trained beside what stands: who repeats it until it passes is seen to.';
COMMENT ON COLUMN public.change_attempts.began_at IS 'By the clock of the database, when it pinned; that it was registered is no attempt yet.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.change_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('attempts are append-only');
ALTER TABLE public.change_attempts ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.change_runs
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('runs of a change are append-only');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.change_checks
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('checks are append-only');
ALTER TABLE public.change_runs ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.change_checks ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION public.scopes_of(dimensions text[], context jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
    RETURN ARRAY['global'] || ARRAY(SELECT format('%s=%s', name, context ->> name)
        FROM unnest(dimensions) WITH ORDINALITY AS d (name, position) WHERE context ? name ORDER BY position);

CREATE FUNCTION public.resolved_hash(change public.changes, scopes text[]) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- What resolve_snapshots merges, of one context; of no change (all nulls) it is what stands.
    SELECT public.document_hash(public.document_merge(
        CASE WHEN named.scope = change.scope THEN change.proposal ELSE f.base_env END ORDER BY named.position)::text)
    FROM unnest(scopes) WITH ORDINALITY AS named (scope, position)
    LEFT JOIN public.ftf_config AS f ON f.scope = named.scope
    WHERE f.scope IS NOT NULL OR named.scope = change.scope
$$;

CREATE FUNCTION public.other_candidate(change public.changes, run text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- The hash of what is merged decides; where it differs, the scopes are named that moved under it.
    WITH other AS (
        SELECT c.layers, public.scopes_of(r.dimensions, c.context) AS scopes
        FROM public.change_runs AS r JOIN public.finetune_contexts AS c ON c.run_id = r.run_id
        WHERE r.run_id = run
          AND public.resolved_hash(change, public.scopes_of(r.dimensions, c.context)) IS DISTINCT FROM c.snapshot_hash
    )
    SELECT CASE WHEN EXISTS (SELECT FROM other) THEN coalesce(string_agg(DISTINCT CASE
        WHEN named.scope = change.scope AND change.base_revision IS NULL THEN format('%s has other edits', named.scope)
        WHEN named.scope = change.scope THEN format('%s has other edits, or another revision than %s under them', named.scope, change.base_revision)
        ELSE format('%s is at revision %s', named.scope, coalesce(f.revision::text, 'none')) END, ', '), 'its scopes are laid in another order') END
    FROM other
    CROSS JOIN LATERAL unnest(other.scopes) AS named (scope)
    LEFT JOIN public.ftf_config AS f ON f.scope = named.scope
    WHERE (SELECT layer ->> 'hash' FROM jsonb_array_elements(other.layers) AS layer WHERE layer ->> 'scope' = named.scope)
          IS DISTINCT FROM CASE WHEN named.scope = change.scope THEN public.document_hash(change.proposal::text) ELSE f.hash END
$$;
COMMENT ON FUNCTION public.other_candidate IS 'What moved since a run pinned a change''s candidate, so that it is another; null while it is the same.';

CREATE FUNCTION public.register_run(p_change bigint, p_run text, p_current text, p_dimensions text[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes;
    writer text := (SELECT person FROM public.who());
    moved  text;
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'admin');
    SELECT * INTO change FROM public.changes WHERE id = p_change;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no change %s', p_change),
            HINT = 'list them with `setpoint change list`';
    END IF;
    IF change.state NOT IN ('draft', 'proposed', 'suspended') OR 'policy' = ANY (change.kinds) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s has no candidate: it is %s', p_change,
            CASE WHEN 'policy' = ANY (change.kinds) THEN 'one of policy' ELSE change.state END),
            HINT = format('`setpoint change show %s` says how it stands', p_change);
    END IF;
    moved := public.moved_since(change);
    IF moved IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP409', MESSAGE = moved, HINT = public.how_to_resume(change);
    END IF;
    IF EXISTS (SELECT FROM public.finetune_runs AS r WHERE r.id IN (p_run, p_current)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('run %s has begun already', p_run),
            HINT = 'a run is registered for a change before it pins its values';
    END IF;
    INSERT INTO public.change_runs (run_id, change_id, arm, other, dimensions, within_s, registered_by)
    SELECT run, p_change, arm, other, p_dimensions, CASE WHEN p_current IS NULL THEN (public.required_of(change)).smoke_s END, writer
    FROM (VALUES (p_run, 'candidate', p_current), (p_current, 'current', p_run)) AS wanted (run, arm, other)
    WHERE run IS NOT NULL
    ON CONFLICT (run_id) DO NOTHING;
    IF (SELECT count(*) FROM public.change_runs AS r
        WHERE r.run_id IN (p_run, p_current) AND r.change_id = p_change AND r.registered_by = writer
          AND r.other IS NOT DISTINCT FROM CASE r.run_id WHEN p_run THEN p_current ELSE p_run END
          AND r.arm = CASE r.run_id WHEN p_run THEN 'candidate' ELSE 'current' END)
       <> num_nonnulls(p_run, p_current) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('run %s is registered otherwise', p_run), HINT = 'take another id';
    END IF;
    RETURN (SELECT r.within_s FROM public.change_runs AS r WHERE r.run_id = p_run);
END
$$;
COMMENT ON FUNCTION public.register_run IS 'Registers the runs of a pair for a change, before they pin; returns how long one that has no pair may take.';

CREATE FUNCTION public.hold_registered() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    registered public.change_runs;
    change     public.changes;
    starter    text := (SELECT r.started_by FROM public.finetune_runs AS r WHERE r.id = NEW.run_id);
BEGIN
    SELECT * INTO registered FROM public.change_runs AS r WHERE r.run_id = NEW.run_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF starter <> registered.registered_by THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('run %s was registered by %s, not by %s', NEW.run_id, registered.registered_by, starter),
            HINT = 'start a run of your own';
    END IF;
    IF registered.arm = 'candidate' THEN
        SELECT * INTO change FROM public.changes WHERE id = registered.change_id;
    END IF;
    IF NEW.snapshot_hash IS DISTINCT FROM public.resolved_hash(change, public.scopes_of(registered.dimensions, NEW.context)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP409',
            MESSAGE = format('run %s pins other values than change %s is compared by: they moved meanwhile', NEW.run_id, registered.change_id),
            HINT = 'start a new sweep of the change';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.hold_registered IS 'Holds that a registered run pins what it was registered for: the candidate, or what stands.';
CREATE TRIGGER hold_registered AFTER INSERT ON public.finetune_contexts
    FOR EACH ROW EXECUTE FUNCTION public.hold_registered();
ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER hold_registered;

CREATE FUNCTION public.same_candidate(p_context public.finetune_contexts) RETURNS SETOF public.change_attempts
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- By what is trained: withdrawing a change and proposing it again makes no other candidate.
    SELECT a.* FROM public.finetune_contexts AS c JOIN public.change_attempts AS a USING (run_id)
    WHERE c.snapshot_hash = p_context.snapshot_hash AND c.context = p_context.context AND c.run_id <> p_context.run_id
$$;
COMMENT ON FUNCTION public.same_candidate IS 'The attempts, of whichever change, that trained what a context of a run pinned.';

CREATE FUNCTION public.is_moved_by(change public.changes, p_context public.finetune_contexts) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
    RETURN p_context.layers @> jsonb_build_array(jsonb_build_object('scope', change.scope));
COMMENT ON FUNCTION public.is_moved_by IS 'Whether a change has a say in what a context of a run pinned: others are the same for every candidate of it.';

CREATE FUNCTION public.share_data(old public.finetune_runs, new public.finetune_runs) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- By asset: to leave one out brings no new data.
    SELECT EXISTS (SELECT FROM jsonb_each(old.plan -> 'data') AS o JOIN jsonb_each(new.plan -> 'data') AS n USING (key)
                   WHERE o.value -> 'hash' = n.value -> 'hash')
$$;
COMMENT ON FUNCTION public.share_data IS 'Whether two runs train an asset with the same candles.';

CREATE FUNCTION public.repetitions_of(p_change bigint, p_after timestamptz) RETURNS TABLE (person text, words text, said_at timestamptz)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- Who starts a canary signs for its attempt: it may follow the runs of a shadow.
    RETURN QUERY SELECT d.person, d.words, d.decided_at FROM public.change_decisions AS d
    WHERE d.change_id = p_change AND d.decision = 'repeat' AND d.decided_at > p_after
    UNION ALL
    SELECT s.person, 'the canary was started', s.stepped_at FROM public.rollout_steps AS s
    WHERE s.change_id = p_change AND s.stage = 'canary' AND s.step = 'start' AND s.stepped_at > p_after;
END
$$;
COMMENT ON FUNCTION public.repetitions_of IS 'What people said, since an instant, that a further attempt at a change''s candidate is for.';

CREATE FUNCTION public.count_attempt() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes;
    newest record;
BEGIN
    SELECT c.* INTO change FROM public.change_runs AS r JOIN public.changes AS c ON c.id = r.change_id
    WHERE r.run_id = NEW.run_id AND r.arm = 'candidate' AND r.other IS NOT NULL;
    IF NOT FOUND OR NOT public.is_moved_by(change, NEW) THEN
        RETURN NULL;
    END IF;
    -- Of two that begin at once the second sees the first. Nothing else locks these rows.
    PERFORM FROM public.change_runs AS r WHERE r.change_id = change.id ORDER BY r.run_id FOR NO KEY UPDATE;
    SELECT a.run_id, a.began_at, k.result INTO newest
    FROM public.finetune_runs AS n, public.same_candidate(NEW) AS a JOIN public.finetune_runs AS o ON o.id = a.run_id
    LEFT JOIN public.change_checks AS k ON k.run_id = a.run_id AND k.kind = 'canary'
    WHERE n.id = NEW.run_id AND public.share_data(o, n)
    ORDER BY a.began_at DESC LIMIT 1;
    IF FOUND AND NOT EXISTS (SELECT FROM public.repetitions_of(change.id, newest.began_at)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423',
            MESSAGE = format('the candidate of change %s was trained with this data already: run %s, %s', change.id, newest.run_id,
                             coalesce('which says ' || newest.result, 'which showed nothing yet')),
            HINT = format('resume that run, train with new data, or a person says why it is repeated: `setpoint change repeat %s --reason WHY`', change.id);
    END IF;
    INSERT INTO public.change_attempts (run_id) VALUES (NEW.run_id) ON CONFLICT (run_id) DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION public.count_attempt IS 'Counts each attempt at a candidate when it begins; refuses one with data of an earlier one that no person gave a reason for.';
CREATE TRIGGER count_attempt AFTER INSERT ON public.finetune_contexts
    FOR EACH ROW EXECUTE FUNCTION public.count_attempt();
ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER count_attempt;

CREATE FUNCTION public.attempt_of(p_run text, OUT attempt bigint, OUT earlier text[], OUT repeated_because text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH before AS MATERIALIZED (
        SELECT DISTINCT a.run_id, a.began_at FROM public.finetune_contexts AS c, public.same_candidate(c) AS a
        WHERE c.run_id = p_run AND public.is_moved_by(
            (SELECT h FROM public.change_runs AS r JOIN public.changes AS h ON h.id = r.change_id WHERE r.run_id = p_run), c)
    )
    SELECT 1 + (SELECT count(*) FROM before AS b WHERE b.began_at < own.began_at),
           ARRAY(SELECT coalesce(k.result, 'unfinished') FROM before AS b
                 LEFT JOIN public.change_checks AS k ON k.run_id = b.run_id AND k.kind = 'canary'
                 WHERE b.began_at < own.began_at ORDER BY b.began_at),
           (SELECT format('%s: %s', s.person, s.words)
            FROM public.repetitions_of((SELECT r.change_id FROM public.change_runs AS r WHERE r.run_id = p_run),
                                       (SELECT max(b.began_at) FROM before AS b WHERE b.began_at < own.began_at)) AS s
            WHERE s.said_at < own.began_at ORDER BY s.said_at DESC LIMIT 1)
    FROM public.change_attempts AS own WHERE own.run_id = p_run
$$;
COMMENT ON FUNCTION public.attempt_of IS 'Which attempt at its candidate a run is, what the earlier ones showed, and who said what it is for; nulls of every other run.';

CREATE FUNCTION public.repeat_check(p_id bigint, p_words text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
BEGIN
    IF NOT public.says_something(p_words) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a check is repeated only with a justification', HINT = 'give it with --reason';
    END IF;
    INSERT INTO public.change_decisions (change_id, decision, proposal_hash, person, proof, words)
    SELECT p_id, 'repeat', change.proposal_hash, s.person, s.proof, p_words
    FROM public.signer(change.scope, public.keys_of(change), 'config_write', 'admin', 'approver') AS s;
END
$$;
COMMENT ON FUNCTION public.repeat_check IS 'A person says why the candidate of a change is trained once more with the same data; it holds for the next attempt alone.';

CREATE FUNCTION public.run_not_counted(r public.finetune_runs, p_reporter text, p_author text, p_scope text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT CASE
        WHEN NOT public.is_robot(p_reporter) THEN format('%s, who reported it, is no robot', p_reporter)
        WHEN p_author IN (SELECT public.hands_behind(p_reporter)) THEN
            format('the change''s author %s owns or made %s, who reported it', p_author, p_reporter)
        WHEN r.git_commit !~ '^[0-9a-f]{40,64}$' THEN format('its build is unverified: the commit is %s', r.git_commit)
        WHEN r.fallbacks <> '{}' THEN 'values were missing: units fell back'
        WHEN r.plan ? 'exercise' THEN 'a fallback was exercised in it'
        WHEN EXISTS (SELECT FROM public.finetune_contexts AS f, jsonb_array_elements(f.layers) AS layer
                     WHERE f.run_id = r.id AND layer ->> 'revision' IS NULL AND layer ->> 'scope' <> p_scope) THEN
            'its environment is unverified: it pinned values of no revision'
        WHEN EXISTS (SELECT FROM public.finetune_results AS u WHERE u.run_id = r.id
                     AND u.findings @> '[{"finding": "differs"}]') THEN 'values were overridden: fitted models hold others than were asked for'
    END
$$;
COMMENT ON FUNCTION public.run_not_counted IS 'Why a run is no evidence for or against a change of an author in a scope, whatever it trained; null when it is.';

CREATE FUNCTION public.unlike_arms(old public.finetune_runs, new public.finetune_runs) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
    RETURN array_remove(ARRAY[
        CASE WHEN old.data_hash <> new.data_hash THEN 'other data' END,
        CASE WHEN old.git_commit <> new.git_commit THEN 'other commit of the source' END,
        CASE WHEN old.versions <> new.versions THEN 'other releases of packages' END], NULL);
COMMENT ON FUNCTION public.unlike_arms IS 'In what two runs differ besides their values, so that they are no two treatments of the same units.';

CREATE FUNCTION public.why_not_counted(k public.change_checks) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Judged whenever it is asked, from rows that only the run's own reporter writes: null when it counts.
    SELECT CASE
        WHEN c.proposal IS NOT NULL AND c.state IN ('draft', 'proposed', 'suspended') AND public.other_candidate(c, k.run_id) IS NOT NULL THEN
            'it is about another candidate: ' || public.other_candidate(c, k.run_id)
        WHEN r.started_by <> k.reported_by OR o.started_by <> k.reported_by THEN format('%s reported it, of a run of another', k.reported_by)
        -- By instants of the database: those of a run are its reporter's.
        WHEN k.reported_at > g.registered_at + make_interval(secs => g.within_s) THEN
            format('it took longer than the %s s that a smoke run has', g.within_s)
        WHEN r.state <> 'complete' OR o.state <> 'complete' THEN 'a run of it goes on'
        -- Of a canary it voids the interval alone, which informs: its rule decides by the candidate's run. Which ranges
        -- cut off what the other run found good is asked of both.
        WHEN k.kind = 'ranges' AND public.unlike_arms(o, r) <> '{}' THEN
            format('its two runs are no pair: %s', array_to_string(public.unlike_arms(o, r), ', '))
        ELSE public.run_not_counted(r, k.reported_by, c.author, c.scope)
    END
    FROM public.changes AS c
    JOIN public.finetune_runs AS r ON r.id = k.run_id
    JOIN public.change_runs AS g ON g.run_id = k.run_id
    LEFT JOIN public.finetune_runs AS o ON o.id = k.current_run_id
    WHERE c.id = k.change_id
$$;
COMMENT ON FUNCTION public.why_not_counted IS 'Why a check does not count as evidence for its change as it stands now; null when it does.';

CREATE FUNCTION public.lacking_checks(change public.changes) RETURNS TABLE (kind text, why text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Of each kind the newest that counts decides: a failed one is not outvoted by an older one.
    SELECT wanted.kind, CASE
        WHEN counted.id IS NOT NULL THEN format('check %s is %s: %s', counted.id, counted.result, array_to_string(counted.reasons, '; '))
        WHEN newest.id IS NOT NULL THEN format('check %s does not count: %s', newest.id, newest.why_not)
        ELSE 'there is none' END
    FROM (SELECT DISTINCT unnest((SELECT need.checks FROM public.required_of(change) AS need)) AS kind) AS wanted
    LEFT JOIN LATERAL (SELECT k.*, public.why_not_counted(k) AS why_not FROM public.change_checks AS k
        WHERE k.change_id = change.id AND k.kind = wanted.kind ORDER BY k.id DESC LIMIT 1) AS newest ON true
    LEFT JOIN LATERAL (SELECT k.* FROM public.change_checks AS k
        WHERE k.change_id = change.id AND k.kind = wanted.kind AND public.why_not_counted(k) IS NULL
        ORDER BY k.id DESC LIMIT 1) AS counted ON true
    WHERE counted.result IS DISTINCT FROM 'pass' AND wanted.kind <> 'rollout'  -- which wanting_of judges
    ORDER BY wanted.kind
$$;
COMMENT ON FUNCTION public.lacking_checks IS 'The checks that policy asks for and a change has not passed, each with why.';

CREATE FUNCTION public.how_to_check(change public.changes, kind text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
    RETURN format('`setpoint sweep --change %s%s` as a robot that %s neither owns nor made', change.id,
        CASE kind WHEN 'smoke' THEN ' --smoke' ELSE '' END, change.author);

CREATE FUNCTION public.rule_in(p_document jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
    RETURN jsonb_build_object(
        'aggregation', p_document ->> 'CVN_FTF_VERDICT_AGGREGATION', 'pass_f1', p_document -> 'CVN_FTF_VERDICT_PASS_F1',
        'pass_assets', p_document -> 'CVN_FTF_VERDICT_PASS_ASSETS', 'rollback_f1', p_document -> 'CVN_FTF_VERDICT_ROLLBACK_F1',
        'min_assets', p_document -> 'CVN_FTF_VERDICT_MIN_ASSETS', 'min_skill', p_document -> 'CVN_FTF_VERDICT_MIN_SKILL');
COMMENT ON FUNCTION public.rule_in IS 'The numbers that a canary is judged by, as a document says; null where it does not.';

CREATE FUNCTION public.aggregated(p_how text, p_values float8[]) RETURNS float8
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT CASE p_how WHEN 'mean' THEN avg(v) WHEN 'median' THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY v) WHEN 'worst' THEN min(v) END
    FROM unnest(p_values) AS v
$$;

CREATE FUNCTION public.canary_scores(p_run text, p_how text, p_assets text[])
    RETURNS TABLE (model text, symbol text, f1 float8, always_buy float8, skill float8)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Of each declared model on each asset; null while a declared fold has no result.
    SELECT u.model, u.symbol,
           CASE WHEN count(r.id) = count(*) THEN public.aggregated(p_how, array_agg(r.f1_buy_val ORDER BY u.position)) END,
           CASE WHEN count(r.id) = count(*) THEN public.aggregated(p_how, array_agg(r.always_buy_f1_val ORDER BY u.position)) END,
           CASE WHEN count(r.id) = count(*) THEN public.aggregated(p_how, array_agg(r.f1_buy_val - r.always_buy_f1_val ORDER BY u.position)) END
    FROM public.finetune_units AS u
    LEFT JOIN public.finetune_results AS r USING (run_id, symbol, model, timeframe, variant, fold)
    WHERE u.run_id = p_run AND u.symbol = ANY (p_assets)
    GROUP BY u.model, u.symbol
$$;

CREATE FUNCTION public.canary_outcome(
    p_run text, p_rule jsonb, p_assets text[], p_models text[], OUT outcome text, OUT reasons text[], OUT models jsonb
)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    below     text[];
    few       text[];
    short     text[];
    unskilled text[];
BEGIN
    -- The rule of govern/verdict.py, by rows: rollback first, then insufficient data, hold, pass. Models that were
    -- fixed and are not trained have no asset.
    SELECT jsonb_agg(to_jsonb(m) ORDER BY m.model),
           array_agg(format('%s scores %s, below the rollback floor %s', m.model, round(m.f1::numeric, 4), p_rule ->> 'rollback_f1') ORDER BY m.model)
               FILTER (WHERE m.f1 < (p_rule ->> 'rollback_f1')::float8),
           array_agg(format('%s has %s of %s assets with every fold done', m.model, m.assets, p_rule ->> 'min_assets') ORDER BY m.model)
               FILTER (WHERE m.assets < (p_rule ->> 'min_assets')::integer),
           array_agg(format('%s reaches %s on %s assets, %s are needed', m.model, p_rule ->> 'pass_f1', m.passing, p_rule ->> 'pass_assets')
                     ORDER BY m.model) FILTER (WHERE m.passing < (p_rule ->> 'pass_assets')::integer),
           array_agg(format('%s scores %s, always saying BUY scores %s: skill %s', m.model, round(m.f1::numeric, 4),
                            round(m.always_buy::numeric, 4), round(m.skill::numeric, 4)) ORDER BY m.model)
               FILTER (WHERE (m.skill > (p_rule ->> 'min_skill')::float8) IS NOT TRUE)
    INTO models, below, few, short, unskilled
    FROM (
        SELECT named.model, public.aggregated(p_rule ->> 'aggregation', array_agg(s.f1 ORDER BY s.symbol) FILTER (WHERE s.f1 IS NOT NULL)) AS f1,
               public.aggregated(p_rule ->> 'aggregation', array_agg(s.always_buy ORDER BY s.symbol) FILTER (WHERE s.f1 IS NOT NULL)) AS always_buy,
               public.aggregated(p_rule ->> 'aggregation', array_agg(s.skill ORDER BY s.symbol) FILTER (WHERE s.f1 IS NOT NULL)) AS skill,
               count(s.f1) AS assets, count(*) FILTER (WHERE s.f1 >= (p_rule ->> 'pass_f1')::float8) AS passing,
               coalesce(jsonb_object_agg(s.symbol, s.f1) FILTER (WHERE s.symbol IS NOT NULL), '{}') AS scores
        FROM (SELECT unnest(p_models) UNION SELECT u.model FROM public.finetune_units AS u WHERE u.run_id = p_run) AS named (model)
        LEFT JOIN public.canary_scores(p_run, p_rule ->> 'aggregation', p_assets) AS s USING (model)
        GROUP BY named.model) AS m;
    IF models IS NULL THEN
        few := ARRAY['the run declares no unit'];
    END IF;
    outcome := CASE WHEN below IS NOT NULL THEN 'rollback' WHEN few IS NOT NULL THEN 'insufficient_data'
                    WHEN short IS NOT NULL OR unskilled IS NOT NULL THEN 'hold' ELSE 'pass' END;
    reasons := coalesce(below, few, short, unskilled, ARRAY[format('every model reaches %s on at least %s assets and beats always-BUY',
                                                                  p_rule ->> 'pass_f1', p_rule ->> 'pass_assets')]);
END
$$;
COMMENT ON FUNCTION public.canary_outcome IS 'How a run does by a rule, on assets and models; with the scores that say so.';

CREATE FUNCTION public.smoke_of(p_run text, OUT result text, OUT reasons text[])
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT CASE WHEN trained.count = r.n_units AND left_out.models IS NULL THEN 'pass' ELSE 'fail' END,
           CASE WHEN trained.count < r.n_units THEN
                    array_remove(ARRAY[format('%s of %s units were not trained', r.n_units - trained.count, r.n_units), first.said], NULL)
                WHEN left_out.models IS NOT NULL THEN ARRAY[format('it has no unit of %s', array_to_string(left_out.models, ' and '))]
                ELSE ARRAY[format('%s units were trained', trained.count)] END
    FROM public.finetune_runs AS r
    CROSS JOIN LATERAL (SELECT array_agg(named.model) AS models FROM unnest(public.models_in_force()) AS named (model)
                        WHERE NOT EXISTS (SELECT FROM public.finetune_units AS u WHERE u.run_id = r.id AND u.model = named.model)) AS left_out
    CROSS JOIN LATERAL (SELECT count(*) FROM public.finetune_results AS u WHERE u.run_id = r.id) AS trained
    LEFT JOIN LATERAL (SELECT format('%s %s %s %s fold %s: %s', f.symbol, f.model, f.timeframe, f.variant, f.fold, f.message) AS said
                       FROM public.finetune_failures AS f JOIN public.finetune_units AS u USING (run_id, symbol, model, timeframe, variant, fold)
                       WHERE f.run_id = r.id ORDER BY u.position LIMIT 1) AS first ON true
    WHERE r.id = p_run
$$;
COMMENT ON FUNCTION public.smoke_of IS 'Whether every unit of a run was trained, and no model in force is left out.';

CREATE FUNCTION public.canary_of(p_run text, p_current text, OUT result text, OUT reasons text[])
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    judged record;
    rule   jsonb;
BEGIN
    -- Of the values which stand, as its pair pinned them: a change of the rule does not judge itself.
    SELECT public.rule_in(s.text::jsonb) INTO rule
    FROM public.finetune_runs AS r JOIN public.finetune_contexts AS c ON (c.run_id, c.context) = (r.id, r.context)
    JOIN public.snapshots AS s ON s.hash = c.snapshot_hash
    WHERE r.id = p_current;
    IF (SELECT bool_or(given.value = 'null') FROM jsonb_each(rule) AS given) IS NOT FALSE THEN
        SELECT 'hold', ARRAY['there is no rule to judge it by: a value of CVN_FTF_VERDICT_* is not set'] INTO result, reasons;
        RETURN;
    END IF;
    SELECT v.* INTO judged FROM public.canary_outcome(p_run, rule,
        ARRAY(SELECT DISTINCT u.symbol FROM public.finetune_units AS u WHERE u.run_id = p_run), public.models_in_force()) AS v;
    result := CASE judged.outcome WHEN 'pass' THEN 'pass' WHEN 'rollback' THEN 'fail' ELSE 'hold' END;
    reasons := judged.outcome || judged.reasons;
END
$$;
COMMENT ON FUNCTION public.canary_of IS 'The verdict on a run of a candidate, by the rule that its pair pinned.';

CREATE FUNCTION public.good_trials(p_run text)
    RETURNS TABLE (symbol text, model text, timeframe text, variant text, fold integer, params jsonb)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- As govern/trials.py: the best quarter of each unit's. What a unit was fitted with stays when trials are dropped.
    SELECT symbol, model, timeframe, variant, fold, params FROM (
        SELECT t.*, rank() OVER unit AS place, count(*) OVER (PARTITION BY symbol, model, timeframe, variant, fold) AS tried
        FROM public.finetune_trials AS t WHERE t.run_id = p_run AND t.value IS NOT NULL
        WINDOW unit AS (PARTITION BY symbol, model, timeframe, variant, fold ORDER BY value DESC)) AS ranked
    WHERE place <= ceil(0.25 * tried)
    UNION
    SELECT r.symbol, r.model, r.timeframe, r.variant, r.fold, r.model_hyperparams FROM public.finetune_results AS r WHERE r.run_id = p_run
$$;
COMMENT ON FUNCTION public.good_trials IS 'The parameters of the best quarter of each unit''s trials, by the names of the catalogue.';

CREATE FUNCTION public.ranges_of(p_run text, p_current text, OUT result text, OUT reasons text[])
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A range is what the catalogues in force declare as one: of a parameter whose parts all name something of the unit.
    WITH declared AS MATERIALIZED (
        SELECT parts, parameter, range FROM public.declared_values() WHERE range <> '{}'
    ), pinned AS MATERIALIZED (
        -- Each is parsed once, however many trials are held against it.
        SELECT s.hash, s.text::jsonb AS document FROM public.snapshots AS s
        WHERE s.hash IN (SELECT u.snapshot_hash FROM public.finetune_units AS u WHERE u.run_id = p_run)
    ), searched AS (
        SELECT u.position, good.*, d.parameter, (good.params ->> d.parameter)::float8 AS value,
               (s.document ->> d.range[1])::float8 AS low, (s.document ->> d.range[2])::float8 AS high
        FROM public.finetune_units AS u
        JOIN public.good_trials(p_current) AS good USING (symbol, model, timeframe, variant, fold)
        JOIN pinned AS s ON s.hash = u.snapshot_hash
        JOIN declared AS d ON d.parts <@ ARRAY[u.symbol, u.model, u.timeframe, u.variant] AND jsonb_typeof(good.params -> d.parameter) = 'number'
        WHERE u.run_id = p_run
    ), bounded AS (
        SELECT *, count(*) FILTER (WHERE is_cut) OVER (ORDER BY is_cut DESC, position, parameter, value) AS number
        FROM (SELECT *, value NOT BETWEEN low AND high AS is_cut FROM searched WHERE low IS NOT NULL AND high IS NOT NULL) AS known
    ), told AS (
        SELECT count(*) AS bounds, count(*) FILTER (WHERE is_cut) AS cut, count(DISTINCT position) AS units,
               array_agg(format('%s %s of %s %s %s %s fold %s lies outside %s to %s', parameter, value, symbol, model, timeframe, variant, fold, low, high)
                         ORDER BY number) FILTER (WHERE is_cut AND number <= 3) AS first
        FROM bounded
    )
    SELECT CASE WHEN bounds = 0 THEN 'hold' WHEN cut = 0 THEN 'pass' ELSE 'fail' END,
           CASE WHEN bounds = 0 THEN ARRAY['no unit of both was trained within ranges']
                WHEN cut = 0 THEN ARRAY[format('no good trial of %s units lies outside a range', units)]
                WHEN cut > 3 THEN first || format('and %s more', cut - 3)
                ELSE first END
    FROM told
$$;
COMMENT ON FUNCTION public.ranges_of IS 'Whether a good trial of a pair, which searched the ranges that stand, lies outside the candidate''s.';

CREATE FUNCTION public.attach_checks(p_run text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    registered public.change_runs;
    trained    public.finetune_runs;
    compared   public.finetune_runs;
    writer     record;
    undeclared text;
BEGIN
    SELECT * INTO writer FROM public.who();
    SELECT * INTO registered FROM public.change_runs AS r WHERE r.run_id = p_run AND r.arm = 'candidate';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('run %s trains no change''s candidate', p_run),
            HINT = 'a sweep of a change registers its runs before they pin';
    END IF;
    IF writer.person <> registered.registered_by THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('run %s was registered by %s, not by %s', p_run, registered.registered_by, writer.person),
            HINT = 'report as whoever started it';
    END IF;
    PERFORM public.require_role('robot', 'config_write', 'admin');
    SELECT * INTO trained FROM public.finetune_runs WHERE id = p_run;
    SELECT * INTO compared FROM public.finetune_runs WHERE id = registered.other;
    -- A smoke run that stopped itself shows how far it came.
    IF (trained.state = 'complete' OR (registered.within_s IS NOT NULL AND trained.state = 'interrupted')) IS NOT TRUE OR (registered.other IS NOT NULL AND compared.state IS DISTINCT FROM 'complete') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('run %s and its pair are not complete', p_run),
            HINT = 'resume it, then attach it';
    END IF;
    -- Fails closed: by what is not known no model would be missing, and nothing be a range.
    SELECT f.hash INTO undeclared FROM public.catalogues_in_force() AS f (hash)
    WHERE NOT EXISTS (SELECT FROM public.catalogue_declarations AS d WHERE d.hash = f.hash) LIMIT 1;
    IF undeclared IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('catalogue %s is in force, and nobody said here what it declares', left(undeclared, 12)),
            HINT = '`setpoint seed --apply` with this catalogue does';
    END IF;
    -- What it shows is worked out here, from rows: who reports a run says nothing of its result.
    INSERT INTO public.change_checks (change_id, kind, run_id, current_run_id, candidate_hash, build, data_hash, result, reasons, reported_by, proof)
    SELECT registered.change_id, shown.kind, p_run, registered.other, trained.set_hash, trained.git_commit, trained.data_hash,
           shown.result, shown.reasons, writer.person, writer.proof
    FROM (
        SELECT 1 AS place, 'smoke' AS kind, s.result, s.reasons FROM public.smoke_of(p_run) AS s
        UNION ALL
        SELECT 2, 'canary', c.result, c.reasons FROM public.canary_of(p_run, registered.other) AS c WHERE registered.other IS NOT NULL
        UNION ALL
        SELECT 3, 'ranges', r.result, r.reasons FROM public.ranges_of(p_run, registered.other) AS r WHERE registered.other IS NOT NULL
    ) AS shown ORDER BY shown.place
    ON CONFLICT (run_id, kind) DO NOTHING;
END
$$;
COMMENT ON FUNCTION public.attach_checks IS 'Attaches what a registered run, and its pair, showed to their change, once; asked by whoever registered it.';

REVOKE ALL ON FUNCTION public.register_run(bigint, text, text, text[]), public.attach_checks(text), public.keep_declaration(text, jsonb),
    public.repeat_check(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.register_run(bigint, text, text, text[]), public.attach_checks(text), public.keep_declaration(text, jsonb),
    public.repeat_check(bigint, text) TO setpoint_app;
GRANT SELECT ON public.change_runs, public.change_attempts, public.change_checks, public.catalogue_declarations TO setpoint_app;
