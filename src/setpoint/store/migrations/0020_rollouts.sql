-- Rollouts: the stages of a change, shadow, canary and full, and everything that was done in them.
--
-- What a stage is judged by is fixed before it starts, by values that are in force then and not by those that
-- the change proposes. What people did, and what runs said, is a list that is only added to. apply_change asks
-- here whether a change may leave its canary; a verdict that says to roll back is acted on without a person.

CREATE TABLE public.seedings (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person       text NOT NULL,
    proof        text NOT NULL,
    revision     bigint NOT NULL,
    coverage_pct float8 NOT NULL CHECK (coverage_pct BETWEEN 0 AND 100),
    seeded_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.seedings IS 'Each time that seeds were applied and in force: the first of the two things that people sign before a canary.';
COMMENT ON COLUMN public.seedings.revision IS 'The newest revision of any scope then.';

CREATE TABLE public.rollouts (
    change_id  bigint PRIMARY KEY REFERENCES public.changes (id),
    context    jsonb NOT NULL CHECK (jsonb_typeof(context) = 'object'),
    started_by text NOT NULL,
    proof      text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.rollouts IS 'Changes that are rolled out in stages: none of them is applied before its canary passed, or was overridden.';
COMMENT ON COLUMN public.rollouts.context IS 'What the runs of its stages resolve for, such as a profile.';

CREATE TABLE public.rollout_stages (
    change_id  bigint NOT NULL REFERENCES public.rollouts (change_id),
    stage      text NOT NULL CHECK (stage IN ('shadow', 'canary', 'full')),
    assets     text[] NOT NULL CHECK (cardinality(assets) > 0),
    models     text[] NOT NULL CHECK (cardinality(models) > 0),
    expected_s integer CHECK (expected_s > 0),
    rule       jsonb NOT NULL,
    PRIMARY KEY (change_id, stage)
);
COMMENT ON TABLE public.rollout_stages IS 'What each stage of a rollout trains, how long that should take, and what it is judged by: fixed before the first starts.';
COMMENT ON COLUMN public.rollout_stages.expected_s IS 'After which it is late; null where it has no end.';

CREATE TABLE public.rollout_steps (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    change_id     bigint NOT NULL REFERENCES public.rollouts (change_id),
    stage         text NOT NULL CHECK (stage IN ('shadow', 'canary', 'full')),
    step          text NOT NULL CHECK (step IN ('start', 'skip', 'verdict', 'override', 'confirm')),
    person        text,
    proof         text NOT NULL,
    words         text NOT NULL DEFAULT '',
    proposal_hash    text NOT NULL,
    seeding       bigint REFERENCES public.seedings (id),
    run           text REFERENCES public.finetune_runs (id),
    baseline      text REFERENCES public.finetune_runs (id),
    outcome       text CHECK (outcome IN ('pass', 'hold', 'insufficient_data', 'rollback')),
    evidence      jsonb NOT NULL DEFAULT '{}',
    stepped_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT a_verdict_is_of_a_run CHECK ((step = 'verdict') = (run IS NOT NULL AND outcome IS NOT NULL)),
    CONSTRAINT people_say_why CHECK (step NOT IN ('skip', 'override') OR public.says_something(words))
);
CREATE INDEX rollout_steps_by_change ON public.rollout_steps (change_id, id);
CREATE INDEX rollout_steps_by_run ON public.rollout_steps (run) WHERE run IS NOT NULL;
CREATE UNIQUE INDEX a_stage_starts_once ON public.rollout_steps (change_id, stage, step, proposal_hash) WHERE step IN ('start', 'skip');
COMMENT ON TABLE public.rollout_steps IS 'What was done in the stages of a rollout, by whom, and what each run said; only added to.';
COMMENT ON COLUMN public.rollout_steps.person IS 'Null where nobody acted: a verdict follows from rows.';
COMMENT ON COLUMN public.rollout_steps.evidence IS 'What the verdict rests on, copied: it stays when trials are dropped.';

CREATE TABLE public.preapprovals (
    decision_id   bigint PRIMARY KEY,
    change_id     bigint NOT NULL REFERENCES public.changes (id),
    proposal_hash text NOT NULL,
    scope         text NOT NULL,
    keys          text[] NOT NULL CHECK (cardinality(keys) > 0),
    target        jsonb NOT NULL,
    person        text NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX preapprovals_by_change ON public.preapprovals (change_id);
COMMENT ON TABLE public.preapprovals IS 'What an approver approved beforehand, with the change: to bring its keys back to these values, if a verdict says so before it expires.';
COMMENT ON COLUMN public.preapprovals.target IS 'The values of the keys before the change; a key that is not there had none.';

CREATE TABLE public.rollbacks (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    change_id    bigint UNIQUE REFERENCES public.changes (id),
    incident     text CHECK (public.is_name(incident)),
    run          text REFERENCES public.finetune_runs (id),
    mechanism    text NOT NULL CHECK (mechanism IN ('image_pin', 'restore', 'break_glass', 'revert')),
    person       text,
    proof        text NOT NULL,
    words        text NOT NULL CHECK (public.says_something(words)),
    preapproval  bigint REFERENCES public.preapprovals (decision_id),
    restored_by  bigint REFERENCES public.changes (id),
    filed_because text,
    evidence     jsonb NOT NULL DEFAULT '{}',
    rolled_back_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT of_a_change_or_an_incident CHECK ((change_id IS NULL) = (incident IS NOT NULL))
);
CREATE INDEX rollbacks_by_run ON public.rollbacks (run) WHERE run IS NOT NULL;
CREATE INDEX rollbacks_by_incident ON public.rollbacks (incident, id) WHERE incident IS NOT NULL;
CREATE INDEX rollbacks_by_restore ON public.rollbacks (restored_by) WHERE restored_by IS NOT NULL;
COMMENT ON TABLE public.rollbacks IS 'Changes in full that were rolled back, and ways back that were taken in an incident: who, or which run, when, and by which of the four mechanisms.';
COMMENT ON COLUMN public.rollbacks.restored_by IS 'The change that brings its keys back.';
COMMENT ON COLUMN public.rollbacks.filed_because IS 'Why that change waits for people; null where the pre-approval carried it.';

CREATE TABLE public.rollback_proofs (
    rollback_id bigint PRIMARY KEY REFERENCES public.rollbacks (id),
    person      text NOT NULL,
    words       text NOT NULL CHECK (public.says_something(words)),
    proven_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.rollback_proofs IS 'What proves that a way back which was taken in an incident worked; its time ends there.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.seedings
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('who seeded stays on record');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.rollouts
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a rollout stays on record');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.rollout_stages
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('rules are fixed before a stage starts');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.rollout_steps
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('evidence stays attached to its change');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.preapprovals
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('decisions are append-only');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.rollbacks
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a rollback stays on record');
ALTER TABLE public.seedings ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.rollouts ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.rollout_stages ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.rollout_steps ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.preapprovals ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.rollbacks ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.rollback_proofs
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('what proved a rollback stays on record');
ALTER TABLE public.rollback_proofs ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION public.signer(p_scope text, p_keys text[], VARIADIC wanted text[], OUT person text, OUT proof text)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- What the readiness document calls a manual gate is a person's: a machine holds tokens.
    PERFORM public.require_reach(p_scope, p_keys, VARIADIC wanted);
    SELECT w.person, w.proof INTO person, proof FROM public.who() AS w;
    IF public.is_robot(person) OR proof NOT IN ('database-login', 'os-account', 'account-session') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('%s may not sign this: no person who logged in', person),
            HINT = 'a person signs, in a session or with a database login of their own';
    END IF;
END
$$;
COMMENT ON FUNCTION public.signer IS 'The person of this session, who may do this by hand; refuses robots and tokens.';

CREATE FUNCTION public.seeded_pct(p_catalogues text[]) RETURNS float8
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Of the catalogue that is covered least, those in force always among them: naming more can only lower it.
    SELECT coalesce(min(covered.pct), 0) FROM (
        SELECT 100.0 * count(*) FILTER (WHERE f.base_env ? named.key) / count(*) AS pct
        FROM (SELECT unnest(p_catalogues) UNION SELECT public.catalogues_in_force()) AS asked (hash)
        LEFT JOIN public.catalogue_declarations AS d USING (hash)
        LEFT JOIN LATERAL jsonb_to_recordset(d.declares -> 'values') AS v (key text, range text[]) ON true
        CROSS JOIN LATERAL unnest(ARRAY[v.key] || v.range) AS named (key)
        LEFT JOIN public.ftf_config AS f ON f.scope = 'global'
        GROUP BY asked.hash) AS covered
$$;
COMMENT ON FUNCTION public.seeded_pct IS 'How many of a hundred declared keys have a value in the global document, of the catalogue where that is least; a catalogue that nobody declared covers nothing.';

CREATE FUNCTION public.note_seeding(p_catalogues text[]) RETURNS public.seedings
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    noted public.seedings;
BEGIN
    INSERT INTO public.seedings (person, proof, revision, coverage_pct)
    SELECT s.person, s.proof, h.id, public.seeded_pct(p_catalogues)
    FROM public.signer('global', '{}', 'config_write', 'admin') AS s, public.chain_head AS h
    RETURNING * INTO noted;
    RETURN noted;
END
$$;
COMMENT ON FUNCTION public.note_seeding IS 'Signs that seeds are applied, at which revision, and how much of what is declared they cover, which is counted here.';

CREATE FUNCTION public.rule_for(p_scopes text[]) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- From documents in force, never from what a change proposes: else it could soften its own judge.
    SELECT public.rule_in(public.document_merge(f.base_env ORDER BY named.position))
    FROM unnest(p_scopes) WITH ORDINALITY AS named (scope, position) JOIN public.ftf_config AS f USING (scope)
$$;
COMMENT ON FUNCTION public.rule_for IS 'The numbers that a canary is judged by, as documents laid over each other say now.';

CREATE FUNCTION public.assets_for(p_scopes text[]) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT ARRAY(SELECT jsonb_array_elements_text(d.declares -> 'universes' -> wanted.name))
    FROM (SELECT public.document_merge(f.base_env ORDER BY named.position) ->> 'CVN_FTF_UNIVERSE' AS name
          FROM unnest(p_scopes) WITH ORDINALITY AS named (scope, position) JOIN public.ftf_config AS f USING (scope)) AS wanted,
         public.catalogues_in_force() AS force (hash) JOIN public.catalogue_declarations AS d USING (hash)
    WHERE d.declares -> 'universes' ? wanted.name
    LIMIT 1
$$;
COMMENT ON FUNCTION public.assets_for IS 'The assets of the universe that documents laid over each other name, as a catalogue in force declares it; null where none does.';

CREATE FUNCTION public.begin_rollout(
    change public.changes, p_context jsonb, p_scopes text[], p_expected_s integer, p_person text, p_proof text
) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    rule   jsonb := public.rule_for(p_scopes);
    assets text[];
    models text[];
BEGIN
    IF EXISTS (SELECT FROM public.rollouts AS r WHERE r.change_id = change.id) THEN
        RETURN;  -- what was fixed stays
    END IF;
    IF 'policy' = ANY (change.kinds) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('change %s sets a policy, which nothing trains with', change.id),
            HINT = 'policies are approved, not rolled out';
    END IF;
    IF p_scopes[1] <> 'global' OR p_scopes[2:] <> ARRAY(
            SELECT s FROM unnest(p_scopes[2:]) AS s, jsonb_each_text(p_context) AS c WHERE s = c.key || '=' || c.value) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'the scopes are not those of the context',
            HINT = 'name the scopes that the context resolves in';
    END IF;
    IF (SELECT bool_or(value = 'null') FROM jsonb_each(rule)) IS NOT FALSE THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a canary has no rule: a value of CVN_FTF_VERDICT_* is not set',
            HINT = '`setpoint seed --apply` brings the numbers of the readiness document in';
    END IF;
    assets := public.assets_for(p_scopes);
    models := public.models_in_force();
    IF assets IS NULL OR models = '{}' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'nothing says which assets and models a canary trains',
            HINT = 'set CVN_FTF_UNIVERSE to a universe that a catalogue in force declares: `setpoint seed --apply`';
    END IF;
    INSERT INTO public.rollouts (change_id, context, started_by, proof) VALUES (change.id, p_context, p_person, p_proof);
    INSERT INTO public.rollout_stages (change_id, stage, assets, models, expected_s, rule)
    SELECT change.id, s.stage, assets, models, CASE WHEN s.stage <> 'full' THEN p_expected_s END,
           CASE WHEN s.stage = 'shadow' THEN '{"pass": "equal"}' ELSE rule END
    FROM (VALUES ('shadow'), ('canary'), ('full')) AS s (stage);
END
$$;
COMMENT ON FUNCTION public.begin_rollout IS 'Fixes what the stages of a change train and are judged by; one that was begun keeps what it has.';

CREATE FUNCTION public.shadow_is_done(change public.changes) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- By the newest verdict: what passed once and is judged worse now has not passed.
    SELECT EXISTS (SELECT FROM public.rollout_steps AS s WHERE s.change_id = change.id AND s.stage = 'shadow' AND s.step = 'skip'
                   AND s.proposal_hash = change.proposal_hash)
        OR coalesce((SELECT s.outcome = 'pass' FROM public.rollout_steps AS s
                     WHERE s.change_id = change.id AND s.stage = 'shadow' AND s.step = 'verdict' AND s.proposal_hash = change.proposal_hash
                     ORDER BY s.id DESC LIMIT 1), false)
$$;
COMMENT ON FUNCTION public.shadow_is_done IS 'Whether the shadow of a change was skipped, or its newest verdict is that nothing else differs.';

CREATE FUNCTION public.start_stage(
    p_id bigint, p_stage text, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text
) RETURNS public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
    seeded public.seedings;
    writer record;
    noted  public.rollout_steps;
BEGIN
    SELECT * INTO writer FROM public.signer(change.scope, public.keys_of(change), 'config_write', 'admin');
    IF change.state = 'draft' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s is a draft', p_id), HINT = (public.next_step(change)).how;
    END IF;
    PERFORM public.begin_rollout(change, p_context, p_scopes, p_expected_s, writer.person, writer.proof);
    IF p_stage NOT IN ('shadow', 'canary') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('the stage %s is not started by hand', p_stage),
            HINT = format('`setpoint rollout promote %s` begins it', p_id);
    END IF;
    IF EXISTS (SELECT FROM public.rollout_steps AS s WHERE s.change_id = p_id AND s.stage = p_stage AND s.step IN ('start', 'skip')
               AND s.proposal_hash = change.proposal_hash) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('the %s of change %s was started or skipped already', p_stage, p_id),
            HINT = format('`setpoint rollout show %s` says by whom', p_id);
    END IF;
    IF p_stage = 'canary' THEN
        IF NOT public.shadow_is_done(change) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('the shadow of change %s has neither passed nor been skipped', p_id),
                HINT = format('judge it with `setpoint rollout shadow %s RUN --baseline RUN`, or `setpoint rollout skip %s --reason WHY`', p_id, p_id);
        END IF;
        SELECT * INTO seeded FROM public.seedings AS s ORDER BY s.id DESC LIMIT 1;
        IF (seeded.coverage_pct >= 100) IS NOT TRUE THEN
            RAISE EXCEPTION USING ERRCODE = 'SP423',
                MESSAGE = CASE WHEN seeded.id IS NULL THEN 'nobody signed that seeds are applied'
                          ELSE format('seeds were applied by %s at a coverage of %s %%, not of 100 %%', seeded.person, seeded.coverage_pct) END,
                HINT = '`setpoint seed --apply` brings them in, and signs it';
        END IF;
    END IF;
    INSERT INTO public.rollout_steps (change_id, stage, step, person, proof, words, proposal_hash, seeding)
    VALUES (p_id, p_stage, 'start', writer.person, writer.proof, p_words, change.proposal_hash, seeded.id) RETURNING * INTO noted;
    RETURN noted;
END
$$;
COMMENT ON FUNCTION public.start_stage IS 'A person starts a stage, the canary once seeds were signed and the shadow is done; the first start fixes the rules.';

CREATE FUNCTION public.skip_shadow(
    p_id bigint, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text
) RETURNS public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
    writer record;
    noted  public.rollout_steps;
BEGIN
    SELECT * INTO writer FROM public.signer(change.scope, public.keys_of(change), 'config_write', 'admin');
    IF NOT public.says_something(p_words) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a stage is skipped only with a justification', HINT = 'give it with --reason';
    END IF;
    PERFORM public.begin_rollout(change, p_context, p_scopes, p_expected_s, writer.person, writer.proof);
    IF public.shadow_is_done(change) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('the shadow of change %s is done already', p_id),
            HINT = format('go on with `setpoint rollout start %s canary`', p_id);
    END IF;
    -- A shadow that was started may turn out to need no run: both stay on record.
    INSERT INTO public.rollout_steps (change_id, stage, step, person, proof, words, proposal_hash)
    VALUES (p_id, 'shadow', 'skip', writer.person, writer.proof, p_words, change.proposal_hash) RETURNING * INTO noted;
    RETURN noted;
END
$$;
COMMENT ON FUNCTION public.skip_shadow IS 'A person skips the shadow of a change, and says why.';

CREATE FUNCTION public.own_parameters(change public.changes) RETURNS TABLE (parts text[], name text)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A key of a range is its parameter's. How a library spells it is declared: nobody says so who would like it aside.
    SELECT DISTINCT v.parts, spelled.name
    FROM public.declared_values() AS v
    CROSS JOIN LATERAL (VALUES (v.parameter), (v.library_name)) AS spelled (name)
    WHERE ARRAY[v.key] || v.range && public.keys_of(change)
$$;
COMMENT ON FUNCTION public.own_parameters IS 'What a change may move in a model: its own parameters, as a catalogue in force and a library spell them.';

CREATE FUNCTION public.shadow_differences(change public.changes, p_run text, p_baseline text)
    RETURNS TABLE (unit jsonb, parameter text, baseline jsonb, candidate jsonb)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Readiness document, section 4. By text: 1 and 1.0 reach a library as other values.
    WITH own AS MATERIALIZED (
        SELECT * FROM public.own_parameters(change)
    ), sides AS (
        SELECT u.symbol, u.model, u.timeframe, u.variant, u.fold, o.effective_params AS old, n.effective_params AS new
        FROM (SELECT symbol, model, timeframe, variant, fold FROM public.finetune_units WHERE run_id = p_run
              UNION SELECT symbol, model, timeframe, variant, fold FROM public.finetune_units WHERE run_id = p_baseline) AS u
        LEFT JOIN public.finetune_results AS o
            ON (o.run_id, o.symbol, o.model, o.timeframe, o.variant, o.fold) = (p_baseline, u.symbol, u.model, u.timeframe, u.variant, u.fold)
        LEFT JOIN public.finetune_results AS n
            ON (n.run_id, n.symbol, n.model, n.timeframe, n.variant, n.fold) = (p_run, u.symbol, u.model, u.timeframe, u.variant, u.fold)
    )
    SELECT jsonb_build_array(s.symbol, s.model, s.timeframe, s.variant, s.fold), moved.name, moved.old, moved.new
    FROM sides AS s CROSS JOIN LATERAL (
        SELECT '' AS name, to_jsonb(CASE WHEN s.old IS NULL THEN 'no result' ELSE 'none' END) AS old,
               to_jsonb(CASE WHEN s.new IS NULL THEN 'no result' ELSE 'none' END) AS new
        WHERE s.old IS NULL OR s.new IS NULL
        UNION ALL
        SELECT name, coalesce(s.old -> name, '"none"'), coalesce(s.new -> name, '"none"')
        FROM (SELECT jsonb_object_keys(s.old) UNION SELECT jsonb_object_keys(s.new)) AS held (name)
        WHERE s.old::text <> s.new::text AND (s.old -> name)::text IS DISTINCT FROM (s.new -> name)::text
          AND NOT EXISTS (SELECT FROM own WHERE own.name = held.name AND own.parts <@ ARRAY[s.symbol, s.model, s.timeframe, s.variant])
    ) AS moved
    ORDER BY s.symbol COLLATE "C", s.model COLLATE "C", s.timeframe COLLATE "C", s.variant COLLATE "C", s.fold, moved.name COLLATE "C"
$$;
COMMENT ON FUNCTION public.shadow_differences IS 'What reached models otherwise than in a baseline, the change''s own parameters aside; of a missing pair the parameter is empty.';

CREATE FUNCTION public.note_shadow(p_id bigint, p_run text, p_baseline text) RETURNS public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
    writer record;
    found  record;
    units  bigint;
    untrained text[];
    noted  public.rollout_steps;
BEGIN
    -- Whoever may skip it may judge it: this opens nothing that one person could not open with a reason.
    PERFORM public.require_reach(change.scope, public.keys_of(change), 'config_write', 'admin');
    SELECT * INTO writer FROM public.who();
    IF NOT EXISTS (SELECT FROM public.rollout_steps AS s WHERE s.change_id = p_id AND s.stage = 'shadow' AND s.step = 'start'
                   AND s.proposal_hash = change.proposal_hash) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('the shadow of change %s was not started', p_id),
            HINT = format('`setpoint rollout start %s shadow`', p_id);
    END IF;
    IF NOT EXISTS (SELECT FROM public.change_runs AS r WHERE r.run_id = p_run AND r.change_id = p_id AND r.arm = 'candidate')
            OR public.other_candidate(change, p_run) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('run %s did not train the candidate of change %s', p_run, p_id),
            HINT = format('`setpoint sweep --change %s` trains it', p_id);
    END IF;
    IF EXISTS (SELECT FROM public.change_runs AS r WHERE r.run_id = p_baseline AND r.arm = 'candidate') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('run %s trained a candidate, and is no baseline', p_baseline),
            HINT = 'a baseline trained values that were in force: the other run of the pair, or an older one';
    END IF;
    SELECT count(*) AS differences, coalesce(bool_or(d.parameter = ''), false) AS lacks_pairs,
           coalesce(jsonb_agg(to_jsonb(d) - 'number' ORDER BY d.number) FILTER (WHERE d.number <= 50), '[]') AS first
    INTO found
    FROM (SELECT s.*, row_number() OVER () AS number FROM public.shadow_differences(change, p_run, p_baseline) AS s) AS d;
    SELECT count(*) INTO units
    FROM (SELECT DISTINCT u.symbol, u.model, u.timeframe, u.variant, u.fold FROM public.finetune_units AS u WHERE u.run_id IN (p_run, p_baseline)) AS u;
    -- What the stage was fixed to train and neither run did is not equal, either.
    SELECT array_agg(format('%s %s', a.asset, m.named) ORDER BY a.asset COLLATE "C", m.named COLLATE "C") INTO untrained
    FROM public.rollout_stages AS fixed, unnest(fixed.assets) AS a (asset), unnest(fixed.models) AS m (named)
    WHERE fixed.change_id = p_id AND fixed.stage = 'shadow'
      AND NOT EXISTS (SELECT FROM public.finetune_units AS u WHERE u.run_id = p_run AND (u.symbol, u.model) = (a.asset, m.named));
    INSERT INTO public.rollout_steps (change_id, stage, step, person, proof, proposal_hash, run, baseline, outcome, evidence)
    VALUES (p_id, 'shadow', 'verdict', writer.person, writer.proof, change.proposal_hash, p_run, p_baseline,
            CASE WHEN untrained IS NOT NULL OR found.lacks_pairs THEN 'insufficient_data' WHEN found.differences > 0 THEN 'hold' ELSE 'pass' END,
            jsonb_build_object('units', units, 'differences', found.differences, 'first', found.first,
                               'untrained', to_jsonb(coalesce(untrained, '{}')), 'aside', (SELECT coalesce(jsonb_agg(DISTINCT to_jsonb(o)), '[]') FROM public.own_parameters(change) AS o)))
    RETURNING * INTO noted;
    RETURN noted;
END
$$;
COMMENT ON FUNCTION public.note_shadow IS 'Compares a run of the candidate with a baseline, and keeps what was found.';

CREATE FUNCTION public.stage_outcome(p_run text, p_stage public.rollout_stages, OUT outcome text, OUT evidence jsonb)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT v.outcome, jsonb_build_object('models', v.models, 'reasons', to_jsonb(v.reasons))
    FROM public.canary_outcome(p_run, p_stage.rule, p_stage.assets, p_stage.models) AS v
$$;
COMMENT ON FUNCTION public.stage_outcome IS 'How a run does by the rule of a stage, on its assets and models; with the scores that say so.';

CREATE FUNCTION public.canary_checks(change public.changes) RETURNS TABLE (check_id bigint, run_id text, baseline text, outcome text, evidence jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Judged by the rule of the stage and not by that of the run, which a change may have edited. Only what was
    -- registered after a person started the canary of this proposal; newest first.
    SELECT k.id, k.run_id, k.current_run_id, judged.outcome, judged.evidence
    FROM public.change_checks AS k
    JOIN public.change_runs AS r ON r.run_id = k.run_id AND r.arm = 'candidate'
    JOIN public.rollout_stages AS fixed ON fixed.change_id = change.id AND fixed.stage = 'canary'
    JOIN public.rollout_steps AS s ON s.change_id = change.id AND s.stage = 'canary' AND s.step = 'start' AND s.proposal_hash = change.proposal_hash
    CROSS JOIN LATERAL public.stage_outcome(k.run_id, fixed) AS judged
    WHERE k.change_id = change.id AND k.kind = 'canary' AND r.registered_at >= s.stepped_at
      AND (SELECT f.context FROM public.finetune_runs AS f WHERE f.id = k.run_id)
          = (SELECT o.context FROM public.rollouts AS o WHERE o.change_id = change.id)
      AND public.why_not_counted(k) IS NULL
    ORDER BY k.id DESC
$$;
COMMENT ON FUNCTION public.canary_checks IS 'The checks that count as the canary of a change, newest first, as the rule of that stage judges them.';

CREATE FUNCTION public.is_overridden(change public.changes) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- By a reason and a second person, judged when applying as approvals are; or by one alone where policy says so.
    SELECT EXISTS (
        SELECT FROM public.rollout_steps AS o
        WHERE o.change_id = change.id AND o.step = 'override' AND o.proposal_hash = change.proposal_hash
          AND ((SELECT need.solo FROM public.required_of(change) AS need) OR EXISTS (
              SELECT FROM public.rollout_steps AS c
              WHERE c.change_id = change.id AND c.step = 'confirm' AND c.proposal_hash = o.proposal_hash AND c.id > o.id AND c.person <> o.person
                AND c.person IN (SELECT m.person FROM public.may_approve(change) AS m) AND public.counts_for(c.person, o.person))))
$$;
COMMENT ON FUNCTION public.is_overridden IS 'Whether two people, or one where policy declares it, said that a change is applied without a passing canary.';

CREATE FUNCTION public.values_before(change public.changes, OUT keys text[], OUT target jsonb)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT array_agg(e ->> 'key' ORDER BY e ->> 'key' COLLATE "C"),
           coalesce(jsonb_object_agg(e ->> 'key', h.base_env -> (e ->> 'key')) FILTER (WHERE h.base_env ? (e ->> 'key')), '{}')
    FROM jsonb_array_elements(coalesce(change.edits, (SELECT made.diff FROM public.ftf_config_history AS made WHERE made.id = change.applied_revision))) AS e
    LEFT JOIN public.ftf_config_history AS h ON h.id = change.base_revision
$$;
COMMENT ON FUNCTION public.values_before IS 'The keys of a change, and what they are before it; a key that has no value is left out.';

CREATE FUNCTION public.brings_back(change public.changes, p_rolled_back bigint) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- By what it would write, not by what it was filed as: its author may amend it.
    SELECT NOT EXISTS (
        SELECT FROM jsonb_array_elements(change.edits) AS e
        WHERE e ->> 'key' <> ALL (before.keys) OR (e -> 'new')::text IS DISTINCT FROM (before.target -> (e ->> 'key'))::text)
    FROM public.changes AS c, public.values_before(c) AS before
    WHERE c.id = p_rolled_back
$$;
COMMENT ON FUNCTION public.brings_back IS 'Whether an open change writes nothing but the values of before, of keys of a change that was rolled back.';

CREATE FUNCTION public.is_rollback(change public.changes) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM public.rollbacks AS b WHERE b.restored_by = change.id AND public.brings_back(change, b.change_id))
$$;
COMMENT ON FUNCTION public.is_rollback IS 'Whether an open change is, as it stands, the restore that a verdict asked for.';

CREATE FUNCTION public.wanting_of(change public.changes) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    newest text;
BEGIN
    -- A restore that a verdict asks for waits for no canary of its own, as long as nobody made another change of it.
    IF public.is_rollback(change) THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM public.rollouts AS r WHERE r.change_id = change.id) THEN
        RETURN (SELECT format('policy asks that change %s is rolled out in stages', change.id)
                FROM public.required_of(change) AS need WHERE 'rollout' = ANY (need.checks));
    END IF;
    SELECT c.outcome INTO newest FROM public.canary_checks(change) AS c LIMIT 1;
    IF newest IS NOT DISTINCT FROM 'pass' OR public.is_overridden(change) THEN
        RETURN NULL;
    END IF;
    RETURN CASE WHEN newest IS NULL THEN format('change %s is rolled out, and its canary has no verdict that counts', change.id)
                ELSE format('change %s is rolled out, and the verdict on its canary is %s', change.id, replace(newest, '_', ' ')) END;
END
$$;
COMMENT ON FUNCTION public.wanting_of IS 'What a rollout still lacks before its change may be applied; null when nothing, or when it is not rolled out.';

CREATE FUNCTION public.how_to_roll_out(p_change bigint) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM public.rollouts AS r WHERE r.change_id = p_change)
                THEN format('`setpoint rollout show %s` says what comes next', p_change)
                ELSE format('`setpoint rollout start %s shadow` begins it', p_change) END
$$;

CREATE FUNCTION public.override_canary(p_id bigint, p_hash text, p_words text) RETURNS public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
    first  public.rollout_steps;
    writer record;
    noted  public.rollout_steps;
BEGIN
    SELECT * INTO writer FROM public.signer(change.scope, public.keys_of(change), 'config_write', 'admin', 'approver');
    PERFORM public.require_fresh_proof();
    IF change.proposal_hash IS DISTINCT FROM p_hash THEN
        RAISE EXCEPTION USING ERRCODE = 'SP409', MESSAGE = format('change %s was edited since you read it', p_id);
    END IF;
    IF public.wanting_of(change) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s needs no override', p_id), HINT = (public.next_step(change)).how;
    END IF;
    SELECT * INTO first FROM public.rollout_steps AS s
    WHERE s.change_id = p_id AND s.step = 'override' AND s.proposal_hash = change.proposal_hash AND s.person <> writer.person
    ORDER BY s.id DESC LIMIT 1;
    IF first.id IS NULL AND NOT public.says_something(p_words) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'an override needs a reason', HINT = 'give it with --reason';
    END IF;
    IF first.id IS NOT NULL AND NOT (writer.person IN (SELECT m.person FROM public.may_approve(change) AS m)
                                     AND public.counts_for(writer.person, first.person)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('%s overrode it; what %s says does not count beside that', first.person, writer.person),
            HINT = 'the second person is one who may approve the change';
    END IF;
    INSERT INTO public.rollout_steps (change_id, stage, step, person, proof, words, proposal_hash)
    VALUES (p_id, 'canary', CASE WHEN first.id IS NULL THEN 'override' ELSE 'confirm' END, writer.person, writer.proof, p_words, change.proposal_hash)
    RETURNING * INTO noted;
    RETURN noted;
END
$$;
COMMENT ON FUNCTION public.override_canary IS 'Says that a change is applied without a passing canary; the second person who says so confirms the first.';

CREATE FUNCTION public.act_on_canary(p_id bigint) RETURNS SETOF public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes;
    said   record;
    noted  public.rollout_steps;
BEGIN
    -- It follows from rows: anybody may say so, nobody may invent it.
    PERFORM FROM public.chain_head FOR UPDATE;
    SELECT * INTO change FROM public.changes WHERE id = p_id AND state IN ('proposed', 'suspended') FOR UPDATE;
    FOR said IN
        SELECT * FROM public.canary_checks(change) AS c
        WHERE NOT EXISTS (SELECT FROM public.rollout_steps AS s WHERE s.change_id = p_id AND s.run = c.run_id AND s.stage = 'canary')
        ORDER BY c.check_id
    LOOP
        INSERT INTO public.rollout_steps (change_id, stage, step, proof, words, proposal_hash, run, baseline, outcome, evidence)
        VALUES (p_id, 'canary', 'verdict', 'verdict', format('check %s', said.check_id), change.proposal_hash, said.run_id, said.baseline,
                said.outcome, said.evidence) RETURNING * INTO noted;
        RETURN NEXT noted;
        IF said.outcome = 'rollback' THEN
            UPDATE public.changes SET state = 'rejected', state_reason = format('its canary, run %s, says to roll back: %s', said.run_id,
                (SELECT string_agg(r, '; ') FROM jsonb_array_elements_text(said.evidence -> 'reasons') AS r)) WHERE id = p_id;
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION public.act_on_canary IS 'Keeps what the runs of a canary said; one that says to roll back ends the change, which was never in force.';

CREATE FUNCTION public.preapprove_restore(p_id bigint, p_hash text, p_expires_at timestamptz) RETURNS public.preapprovals
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
    given  public.preapprovals;
BEGIN
    IF p_expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%s is in the past', public.utc_text(p_expires_at)),
            HINT = 'a pre-approval holds until an instant to come';
    END IF;
    -- It is a part of the approval that this person has just given, with its proof.
    INSERT INTO public.preapprovals (decision_id, change_id, proposal_hash, scope, keys, target, person, expires_at)
    SELECT d.id, p_id, p_hash, change.scope, before.keys, before.target, d.person, p_expires_at
    FROM public.change_decisions AS d, public.values_before(change) AS before
    WHERE d.change_id = p_id AND d.proposal_hash = p_hash AND d.decision = 'approve' AND d.person = (SELECT w.person FROM public.who() AS w)
      AND p_hash = change.proposal_hash AND before.keys IS NOT NULL
    RETURNING * INTO given;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('nothing of change %s can be restored beforehand', p_id),
            HINT = 'a pre-approval goes with your approval of a change that edits keys';
    END IF;
    RETURN given;
END
$$;
COMMENT ON FUNCTION public.preapprove_restore IS 'Approves, with the approval of a change, that its keys may be brought back until an instant.';

CREATE FUNCTION public.runs_in_full(p_change public.changes) RETURNS SETOF public.finetune_runs
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Complete runs that trained with the change's revision or a later one of its scope, for the same context. The
    -- newest change in full that a run trained with answers for it, not each that ever was.
    SELECT r FROM public.rollouts AS o
    JOIN public.finetune_runs AS r ON r.state = 'complete' AND r.context = o.context
        AND r.started_at >= (SELECT h.created_at FROM public.ftf_config_history AS h WHERE h.id = p_change.applied_revision)
    WHERE o.change_id = p_change.id
      AND EXISTS (SELECT FROM public.finetune_layers AS l WHERE l.run_id = r.id AND l.scope = p_change.scope AND l.revision >= p_change.applied_revision)
      AND NOT EXISTS (SELECT FROM public.rollout_steps AS s WHERE s.run = r.id)
      AND NOT EXISTS (SELECT FROM public.change_runs AS c WHERE c.run_id = r.id)
      AND NOT EXISTS (
          SELECT FROM public.rollouts AS later JOIN public.changes AS c ON c.id = later.change_id
          WHERE c.applied_revision > p_change.applied_revision AND later.context = o.context AND EXISTS (
              SELECT FROM public.finetune_layers AS l WHERE l.run_id = r.id AND l.scope = c.scope AND l.revision >= c.applied_revision))
    ORDER BY r.finished_at, r.id
$$;
COMMENT ON FUNCTION public.runs_in_full IS 'Runs after its promotion that a change in full answers for and that were not judged yet, oldest first.';

CREATE FUNCTION public.file_rollback(p_id bigint) RETURNS public.rollbacks
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change   public.changes;
    ran      public.finetune_runs;
    said     record;
    reason   text;
    before   record;
    written  record;
    given    public.preapprovals[];
    carrying public.preapprovals[];
    needed   integer;
    back     public.changes;
    because  text;
    noted    public.rollbacks;
BEGIN
    -- As act_on_canary: it follows from rows, the reason why it waits too. Head first, as every writer.
    PERFORM FROM public.chain_head FOR UPDATE;
    SELECT * INTO change FROM public.changes WHERE id = p_id AND state = 'applied';
    IF NOT FOUND OR EXISTS (SELECT FROM public.rollbacks AS b WHERE b.change_id = p_id) THEN
        RETURN NULL;
    END IF;
    FOR ran IN SELECT * FROM public.runs_in_full(change) LOOP
        SELECT v.* INTO said FROM public.rollout_stages AS fixed, public.stage_outcome(ran.id, fixed) AS v
        WHERE fixed.change_id = p_id AND fixed.stage = 'full';
        -- As of a check: what does not count is shown, and nothing follows from it.
        reason := public.run_not_counted(ran, ran.started_by, change.author, change.scope);
        INSERT INTO public.rollout_steps (change_id, stage, step, proof, words, proposal_hash, run, outcome, evidence)
        VALUES (p_id, 'full', 'verdict', 'verdict', coalesce('does not count: ' || reason, ''), change.proposal_hash, ran.id, said.outcome, said.evidence);
        EXIT WHEN said.outcome = 'rollback' AND reason IS NULL;
        ran := NULL;
    END LOOP;
    IF ran.id IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT * INTO before FROM public.values_before(change);
    SELECT e.key, max(e.revision) AS revision INTO written FROM public.ftf_config_edits AS e
    WHERE e.scope = change.scope AND e.key = ANY (before.keys) AND e.revision > change.applied_revision
    GROUP BY e.key ORDER BY 2 DESC LIMIT 1;
    back.scope := change.scope;
    back.kinds := '{}';
    back.edition := 1;
    back.base_revision := (SELECT f.revision FROM public.ftf_config AS f WHERE f.scope = change.scope);
    back.judged_at := (SELECT h.id FROM public.chain_head AS h);
    back.restores := change.base_revision;
    back.author := change.author;
    back.proof := 'rollback-verdict';
    back.reason := format('roll back change %s: run %s says so', p_id, ran.id);
    back.source := 'rollout';
    back.catalogues := (SELECT h.catalogues FROM public.ftf_config_history AS h WHERE h.id = change.applied_revision);
    back := public.write_proposal(back, '{}', CASE WHEN back.restores IS NULL THEN before.keys ELSE '{}' END, before.keys);
    IF back.edits <> '[]' THEN
        back := public.keep_change(back, false);
        given := ARRAY(SELECT p FROM public.preapprovals AS p
                       WHERE p.change_id = p_id AND p.proposal_hash = change.proposal_hash
                         AND (p.scope, p.keys, p.target) = (change.scope, before.keys, before.target)
                       ORDER BY p.expires_at DESC);
        carrying := ARRAY(SELECT DISTINCT ON (p.person) p FROM unnest(given) AS p
                          WHERE p.expires_at > clock_timestamp() AND p.person IN (SELECT m.person FROM public.may_approve(back) AS m));
        SELECT need.approvals INTO needed FROM public.required_of(back) AS need;
        because := CASE
            WHEN public.is_disabled(back.author) THEN format('its author %s was disabled', back.author)
            WHEN written.key IS NOT NULL THEN format('revision %s wrote %s since', written.revision, written.key)
            WHEN EXISTS (SELECT FROM public.lacking_checks(back)) THEN
                (SELECT format('policy asks for the check %s of it: %s', l.kind, l.why) FROM public.lacking_checks(back) AS l LIMIT 1)
            WHEN cardinality(carrying) >= needed THEN NULL
            WHEN cardinality(carrying) > 0 THEN format('%s of %s people approved it beforehand', cardinality(carrying), needed)
            WHEN given = '{}' THEN 'nobody approved beforehand that its keys are brought back'
            WHEN given[1].expires_at <= clock_timestamp() THEN format('the pre-approval of %s ended at %s', given[1].person, public.utc_text(given[1].expires_at))
            ELSE format('%s, who approved it beforehand, may not approve it any more', given[1].person)
        END;
        INSERT INTO public.change_decisions (change_id, decision, proposal_hash, person, proof, words)
        SELECT back.id, 'approve', back.proposal_hash, p.person, 'pre-approval',
               format('approved beforehand with change %s, decision %s', p_id, p.decision_id)
        FROM unnest(carrying) AS p WHERE because IS NULL;
    END IF;
    INSERT INTO public.rollbacks (change_id, run, mechanism, proof, words, preapproval, restored_by, filed_because, evidence)
    VALUES (p_id, ran.id, 'restore', 'rollback-verdict', back.reason, CASE WHEN because IS NULL THEN carrying[1].decision_id END, back.id,
            CASE WHEN back.id IS NOT NULL THEN because END, said.evidence) RETURNING * INTO noted;
    RETURN noted;
END
$$;
COMMENT ON FUNCTION public.file_rollback IS 'Opens what brings the keys of a change in full back, where a later run says to roll back; with the pre-approval that carries it, or with why it waits for people.';

CREATE FUNCTION public.is_carried(p_change bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM public.rollbacks AS b JOIN public.changes AS back ON back.id = b.restored_by
                   WHERE b.restored_by = p_change AND b.filed_because IS NULL AND public.is_rollback(back))
$$;
COMMENT ON FUNCTION public.is_carried IS 'Whether a change is, as it stands, the restore that a verdict asked for and a pre-approval, or the solo policy, carries.';

CREATE FUNCTION public.note_rollback(p_id bigint, p_mechanism text, p_words text) RETURNS public.rollbacks
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes;
    noted  public.rollbacks;
BEGIN
    PERFORM public.require_role('config_write', 'admin');
    PERFORM FROM public.chain_head FOR UPDATE;
    SELECT * INTO change FROM public.changes WHERE id = p_id AND state = 'applied';
    IF NOT FOUND OR NOT EXISTS (SELECT FROM public.rollouts AS r WHERE r.change_id = p_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s is not in full', p_id),
            HINT = format('`setpoint rollout show %s` says how it stands', p_id);
    END IF;
    INSERT INTO public.rollbacks (change_id, mechanism, person, proof, words)
    SELECT p_id, p_mechanism, s.person, s.proof, p_words FROM public.values_before(change) AS b, public.signer(change.scope, b.keys, 'config_write', 'admin') AS s
    ON CONFLICT (change_id) DO NOTHING RETURNING * INTO noted;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s was rolled back already', p_id),
            HINT = format('`setpoint rollout show %s` says by whom', p_id);
    END IF;
    RETURN noted;
END
$$;
COMMENT ON FUNCTION public.note_rollback IS 'Keeps that a person rolled a change in full back, and by which of the four mechanisms of docs/runbooks/oncall.md.';

CREATE FUNCTION public.take_rollback(p_incident text, p_mechanism text, p_words text) RETURNS public.rollbacks
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    noted public.rollbacks;
BEGIN
    PERFORM public.require_role('config_write', 'approver', 'admin');
    IF NOT public.is_name(p_incident) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%L is no name of an incident', p_incident),
            HINT = 'give it a name of one line, such as INC-42';
    END IF;
    PERFORM FROM public.chain_head FOR UPDATE;  -- two at once: the second finds the first
    IF EXISTS (SELECT FROM public.rollbacks AS b WHERE b.incident = p_incident
               AND NOT EXISTS (SELECT FROM public.rollback_proofs AS p WHERE p.rollback_id = b.id)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('what was taken in %s is not proven yet', p_incident),
            HINT = format('say what became of it: `setpoint rollback --incident %s --proven WORDS`', p_incident);
    END IF;
    INSERT INTO public.rollbacks (incident, mechanism, person, proof, words)
    SELECT p_incident, p_mechanism, w.person, w.proof, p_words FROM public.who() AS w
    RETURNING * INTO noted;
    RETURN noted;
END
$$;
COMMENT ON FUNCTION public.take_rollback IS 'Keeps that this person takes one of the four ways back now, in an incident.';

CREATE FUNCTION public.prove_rollback(p_incident text, p_words text) RETURNS public.rollback_proofs
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    noted public.rollback_proofs;
BEGIN
    PERFORM public.require_role('config_write', 'approver', 'admin');
    INSERT INTO public.rollback_proofs (rollback_id, person, words)
    SELECT b.id, w.person, p_words
    FROM (SELECT max(id) AS id FROM public.rollbacks WHERE incident = p_incident) AS b, public.who() AS w
    WHERE b.id IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING * INTO noted;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('nothing that was taken in %s waits for its proof', p_incident),
            HINT = format('`setpoint rollback --incident %s` says what was taken', p_incident);
    END IF;
    RETURN noted;
END
$$;
COMMENT ON FUNCTION public.prove_rollback IS 'Keeps what proves that the way back which was taken in an incident worked.';

REVOKE ALL ON FUNCTION public.note_seeding(text[]), public.take_rollback(text, text, text), public.prove_rollback(text, text),
    public.begin_rollout(public.changes, jsonb, text[], integer, text, text),
    public.start_stage(bigint, text, jsonb, text[], integer, text),
    public.skip_shadow(bigint, jsonb, text[], integer, text),
    public.note_shadow(bigint, text, text), public.override_canary(bigint, text, text), public.act_on_canary(bigint),
    public.preapprove_restore(bigint, text, timestamptz), public.file_rollback(bigint), public.note_rollback(bigint, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.take_rollback(text, text, text), public.prove_rollback(text, text) TO setpoint_app;
GRANT EXECUTE ON FUNCTION public.note_seeding(text[]), public.start_stage(bigint, text, jsonb, text[], integer, text),
    public.skip_shadow(bigint, jsonb, text[], integer, text),
    public.note_shadow(bigint, text, text), public.override_canary(bigint, text, text), public.act_on_canary(bigint),
    public.preapprove_restore(bigint, text, timestamptz), public.file_rollback(bigint), public.note_rollback(bigint, text, text)
    TO setpoint_app;
GRANT SELECT ON public.seedings, public.rollouts, public.rollout_stages, public.rollout_steps, public.preapprovals, public.rollbacks, public.rollback_proofs
    TO setpoint_app;
