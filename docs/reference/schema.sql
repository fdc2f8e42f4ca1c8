-- Written by docs/generate_schema.py from a migrated database. Do not edit it here.

CREATE FUNCTION public.are_limits(given jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Not of an admin, who could lift them.
    SELECT jsonb_typeof(given) = 'object' AND NOT EXISTS (
        SELECT FROM jsonb_each(given) AS role, jsonb_each(CASE jsonb_typeof(role.value) WHEN 'object' THEN role.value ELSE '{"": ""}' END) AS part
        WHERE role.key NOT IN ('config_write', 'approver') OR part.key NOT IN ('scopes', 'keys')
           OR jsonb_typeof(part.value) <> 'array' OR part.value = '[]')
$$;

CREATE TABLE public.accounts (
    name text NOT NULL,
    roles text[] NOT NULL,
    limits jsonb DEFAULT '{}'::jsonb NOT NULL,
    password_parameters text,
    password_verifier bytea,
    issuer text,
    subject text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_by text NOT NULL,
    disabled_at timestamp with time zone,
    waits_since timestamp with time zone,
    CONSTRAINT a_password_is_whole CHECK (((password_parameters IS NULL) = (password_verifier IS NULL))),
    CONSTRAINT accounts_name_check CHECK ((name ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'::text)),
    CONSTRAINT accounts_password_verifier_check CHECK ((length(password_verifier) = 32)),
    CONSTRAINT accounts_roles_check CHECK ((roles <@ ARRAY['viewer'::text, 'config_write'::text, 'approver'::text, 'admin'::text, 'robot'::text])),
    CONSTRAINT limits_name_scopes_or_keys CHECK (public.are_limits(limits)),
    CONSTRAINT robots_do_not_approve CHECK ((NOT (roles @> ARRAY['robot'::text, 'approver'::text]))),
    CONSTRAINT robots_have_no_password CHECK (((password_verifier IS NULL) OR (NOT ('robot'::text = ANY (roles))))),
    CONSTRAINT who_waits_is_shut_out CHECK (((waits_since IS NULL) OR (disabled_at IS NOT NULL)))
);

COMMENT ON TABLE public.accounts IS 'People and robots of the plane; one with the name of a database login is the same person.';

COMMENT ON COLUMN public.accounts.limits IS 'How far roles reach: by role, patterns of scopes and of keys; a role without an entry reaches everything.';

COMMENT ON COLUMN public.accounts.password_parameters IS 'Argon2id: version, cost and salt in its text form; what it makes of the password is not kept.';

COMMENT ON COLUMN public.accounts.password_verifier IS 'SHA-256 of what Argon2id makes of the password: whoever reads it cannot log in with it.';

COMMENT ON COLUMN public.accounts.waits_since IS 'Shut out since a backup was brought back, until an admin says that it may still come in; null of any other.';

CREATE FUNCTION public.account_named(p_name text) RETURNS public.accounts
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    held public.accounts;
BEGIN
    SELECT * INTO held FROM public.accounts WHERE name = p_name FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no account %L', left(p_name, 64)),
            HINT = 'look it up with `setpoint accounts list`';
    END IF;
    RETURN held;
END
$$;

CREATE FUNCTION public.accounts_seen(p_name text, p_after text, p_limit bigint) RETURNS TABLE(name text, roles text[], has_password boolean, issuer text, subject text, created_at timestamp with time zone, created_by text, disabled_at timestamp with time zone, last_login_at timestamp with time zone, unconfirmed text[], limits jsonb, waits_since timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    s record;
BEGIN
    IF public.owner_of_tables() IS NULL THEN
        s := public.presented();
        -- Its own row anybody may see.
        IF p_name IS DISTINCT FROM s.account THEN
            PERFORM public.require_role('admin');
        END IF;
    END IF;
    RETURN QUERY
        SELECT a.name, a.roles, a.password_verifier IS NOT NULL, a.issuer, a.subject, a.created_at, a.created_by,
               a.disabled_at,
               (SELECT max(l.at) FROM public.access_log AS l WHERE l.account = a.name AND l.event = 'login_ok'),
               ARRAY(SELECT DISTINCT p.hand FROM public.appointments AS p
                     WHERE p.account = a.name AND p.confirmed_by IS NULL ORDER BY 1),
               a.limits, a.waits_since
        FROM public.accounts AS a
        WHERE (p_name IS NULL OR a.name = p_name) AND (p_after IS NULL OR a.name > p_after)
        ORDER BY a.name LIMIT p_limit;
END
$$;

CREATE FUNCTION public.says_something(words text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    RETURN (words ~ '[^[:space:]\u0001-\u001f\u007f-\u00a0\u00ad\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]'::text);

COMMENT ON FUNCTION public.says_something(words text) IS 'True of a text with a character that somebody sees: a reason, words of a decision.';

CREATE TABLE public.rollout_steps (
    id bigint NOT NULL,
    change_id bigint NOT NULL,
    stage text NOT NULL,
    step text NOT NULL,
    person text,
    proof text NOT NULL,
    words text DEFAULT ''::text NOT NULL,
    proposal_hash text NOT NULL,
    seeding bigint,
    run text,
    baseline text,
    outcome text,
    evidence jsonb DEFAULT '{}'::jsonb NOT NULL,
    stepped_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT a_verdict_is_of_a_run CHECK (((step = 'verdict'::text) = ((run IS NOT NULL) AND (outcome IS NOT NULL)))),
    CONSTRAINT people_say_why CHECK (((step <> ALL (ARRAY['skip'::text, 'override'::text])) OR public.says_something(words))),
    CONSTRAINT rollout_steps_outcome_check CHECK ((outcome = ANY (ARRAY['pass'::text, 'hold'::text, 'insufficient_data'::text, 'rollback'::text]))),
    CONSTRAINT rollout_steps_stage_check CHECK ((stage = ANY (ARRAY['shadow'::text, 'canary'::text, 'full'::text]))),
    CONSTRAINT rollout_steps_step_check CHECK ((step = ANY (ARRAY['start'::text, 'skip'::text, 'verdict'::text, 'override'::text, 'confirm'::text])))
);

COMMENT ON TABLE public.rollout_steps IS 'What was done in the stages of a rollout, by whom, and what each run said; only added to.';

COMMENT ON COLUMN public.rollout_steps.person IS 'Null where nobody acted: a verdict follows from rows.';

COMMENT ON COLUMN public.rollout_steps.evidence IS 'What the verdict rests on, copied: it stays when trials are dropped.';

CREATE FUNCTION public.act_on_canary(p_id bigint) RETURNS SETOF public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.act_on_canary(p_id bigint) IS 'Keeps what the runs of a canary said; one that says to roll back ends the change, which was never in force.';

CREATE FUNCTION public.acting_person() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    -- A plane's clock speaks for nobody, and applies what is due all the same.
    IF coalesce(current_setting('setpoint.credential', true), '') = '' AND public.is_plane() THEN
        RETURN '';
    END IF;
    RETURN (SELECT person FROM public.who());
END
$$;

CREATE FUNCTION public.admins() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT name FROM public.accounts WHERE 'admin' = ANY (roles) AND disabled_at IS NULL ORDER BY 1
$$;

COMMENT ON FUNCTION public.admins() IS 'Whom to ask for what needs an admin.';

CREATE FUNCTION public.aggregated(p_how text, p_values double precision[]) RETURNS double precision
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT CASE p_how WHEN 'mean' THEN avg(v) WHEN 'median' THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY v) WHEN 'worst' THEN min(v) END
    FROM unnest(p_values) AS v
$$;

CREATE TABLE public.changes (
    id bigint NOT NULL,
    scope text NOT NULL,
    kinds text[] NOT NULL,
    base_revision bigint,
    proposal jsonb,
    edits jsonb,
    edits_before jsonb,
    edition integer NOT NULL,
    proposal_hash text NOT NULL,
    judged_at bigint NOT NULL,
    restores bigint,
    author text NOT NULL,
    proof text NOT NULL,
    reason text NOT NULL,
    asked text[] DEFAULT '{}'::text[] NOT NULL,
    evidence text[] DEFAULT '{}'::text[] NOT NULL,
    source text NOT NULL,
    traceparent text,
    catalogues jsonb,
    state text NOT NULL,
    state_reason text DEFAULT ''::text NOT NULL,
    apply_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    proposed_at timestamp with time zone,
    applied_revision bigint,
    CONSTRAINT a_trace_as_w3c_writes_it CHECK ((traceparent ~ '^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$'::text)),
    CONSTRAINT changes_catalogues_check CHECK ((jsonb_typeof(catalogues) = 'array'::text)),
    CONSTRAINT changes_proposal_check CHECK ((jsonb_typeof(proposal) = 'object'::text)),
    CONSTRAINT changes_reason_check CHECK (public.says_something(reason)),
    CONSTRAINT changes_scope_check CHECK ((scope <> ''::text)),
    CONSTRAINT changes_source_check CHECK ((source <> ''::text)),
    CONSTRAINT changes_state_check CHECK ((state = ANY (ARRAY['draft'::text, 'proposed'::text, 'suspended'::text, 'applied'::text, 'rejected'::text, 'withdrawn'::text]))),
    CONSTRAINT history_alone_leaves_it_out CHECK (((applied_revision IS NOT NULL) OR (num_nulls(proposal, edits, catalogues) = 0))),
    CONSTRAINT only_applied_changes_made_a_revision CHECK (((state = 'applied'::text) OR (applied_revision IS NULL)))
);

COMMENT ON TABLE public.changes IS 'Every change; of one that made a revision, document, edits and catalogues are in the revision alone, and its proposal_hash tells whether they still are what was proposed.';

COMMENT ON COLUMN public.changes.proposal IS 'The document as it would be, or the policy row for a change of kind policy; null once it is a revision.';

COMMENT ON COLUMN public.changes.edits_before IS 'What it proposed before its last amendment, which that can be undone to; null without one, and once it is a revision.';

COMMENT ON COLUMN public.changes.edition IS 'Counts edits; part of the hash, so that a proposal edited there and back is not the approved one.';

COMMENT ON COLUMN public.changes.judged_at IS 'The newest revision of any scope when it was validated: what is newer, validation did not read.';

COMMENT ON COLUMN public.changes.asked IS 'Whom its author asked to approve it; anybody else who may still can.';

COMMENT ON COLUMN public.changes.evidence IS 'The recorded runs that it rests on: what is kept of them stays as long as it can be decided.';

COMMENT ON COLUMN public.changes.source IS 'The door as its client tells it; nothing is decided by it.';

COMMENT ON COLUMN public.changes.traceparent IS 'The trace of the request or command that opened it (W3C Trace Context); null when none was told.';

CREATE FUNCTION public.amend_change(p_id bigint, p_base bigint, p_set jsonb, p_remove text[], p_keys text[], p_reason text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_evidence text[] DEFAULT NULL::text[]) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
    before public.changes := change;
    writer record;
BEGIN
    SELECT * INTO writer FROM public.who();
    IF writer.person <> change.author AND NOT public.is_disabled(change.author) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('change %s is %s''s to edit', p_id, change.author),
            HINT = format('ask %s, or tell them with `setpoint change comment %s -m "..."`', change.author, p_id);
    END IF;
    -- Whoever edits what a disabled account left behind takes it over.
    change.author := writer.person;
    change.proof := writer.proof;
    change.base_revision := p_base;
    change.edition := change.edition + 1;
    change.judged_at := (SELECT id FROM public.chain_head);
    change.reason := p_reason;
    change.catalogues := p_catalogues;
    change.apply_at := p_apply_at;
    change.evidence := coalesce(p_evidence, change.evidence);
    change := public.rebased(before, public.write_proposal(change, p_set, p_remove, p_keys));
    IF public.changes_nothing(change) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423',
            MESSAGE = format('change %s would change nothing any more: %s holds all of it', p_id, change.scope),
            HINT = format('take it back with `setpoint change withdraw %s`', p_id);
    END IF;
    UPDATE public.changes SET author = change.author, proof = change.proof,
        base_revision = change.base_revision, proposal = change.proposal,
        edits = change.edits, edits_before = before.edits, kinds = change.kinds, judged_at = change.judged_at,
        reason = change.reason, evidence = change.evidence,
        catalogues = change.catalogues, apply_at = change.apply_at, edition = change.edition,
        proposal_hash = change.proposal_hash,
        proposed_at = CASE WHEN change.edition = before.edition THEN before.proposed_at
                           WHEN change.state <> 'draft' THEN clock_timestamp() END,
        state = CASE WHEN change.state = 'draft' THEN 'draft' ELSE 'proposed' END, state_reason = change.state_reason
    WHERE id = p_id RETURNING * INTO change;
    RETURN change;
END
$$;

CREATE FUNCTION public.announce_access() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    NOTIFY setpoint_access;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.apply_change(p_id bigint, p_hash text) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
BEGIN
    IF change.proposal_hash IS DISTINCT FROM p_hash THEN
        RAISE EXCEPTION USING ERRCODE = 'SP409', MESSAGE = format('change %s was edited since it was read', p_id);
    END IF;
    RETURN public.carry_out(change);
END
$$;

COMMENT ON FUNCTION public.apply_change(p_id bigint, p_hash text) IS 'Apply a change that was read with this hash, or say what forbids it.';

CREATE FUNCTION public.approvals_of(change public.changes) RETURNS TABLE(person text, proof text, decided_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Judged when applying: whoever lost the role since does not count any more.
    SELECT DISTINCT ON (d.person) d.person, d.proof, d.decided_at
    FROM public.change_decisions AS d
    WHERE d.change_id = change.id AND d.proposal_hash = change.proposal_hash
      -- In a CASE, so that who may is asked only where somebody approved.
      AND CASE WHEN d.decision = 'approve' THEN d.person IN (SELECT m.person FROM public.may_approve(change) AS m) END
    ORDER BY d.person, d.decided_at
$$;

CREATE FUNCTION public.approvers() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT public.approving_logins()
    UNION
    SELECT name FROM public.accounts WHERE 'approver' = ANY (roles) AND disabled_at IS NULL
$$;

COMMENT ON FUNCTION public.approvers() IS 'The people whose approval counts, on changes of others: see counts_for.';

CREATE FUNCTION public.approving_logins() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- A superuser is a member of every role by nature, which is no appointment; a robot never approves.
    -- Roles are looked up by name: on a cluster without them (a restored backup) nobody approves.
    SELECT r.rolname::text FROM pg_roles AS r
    WHERE r.rolcanlogin AND NOT r.rolsuper
      AND EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_approver' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
      AND NOT EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_robot' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
$$;

CREATE FUNCTION public.ask_approvers(p_id bigint, p_people text[]) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
    other  text;
BEGIN
    IF (SELECT person FROM public.who()) <> change.author THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('change %s is %s''s to ask approval for', p_id, change.author),
            HINT = format('ask %s, or tell them with `setpoint change comment %s -m "..."`', change.author, p_id);
    END IF;
    SELECT asked INTO other FROM unnest(p_people) AS asked
    WHERE asked NOT IN (SELECT m.person FROM public.may_approve(change) AS m) LIMIT 1;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('what %s approves would not count on change %s', other, p_id),
            HINT = format('it can be asked of: %s', coalesce((SELECT string_agg(m.person, ', ' ORDER BY m.person)
                                                              FROM public.may_approve(change) AS m), 'nobody'));
    END IF;
    UPDATE public.changes SET asked = ARRAY(SELECT DISTINCT asked FROM unnest(p_people) AS asked ORDER BY asked)
    WHERE id = p_id RETURNING * INTO change;
    RETURN change;
END
$$;

COMMENT ON FUNCTION public.ask_approvers(p_id bigint, p_people text[]) IS 'Whom the author of a change asks to approve it; no approval given is touched.';

CREATE FUNCTION public.assets_for(p_scopes text[]) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT ARRAY(SELECT jsonb_array_elements_text(d.declares -> 'universes' -> wanted.name))
    FROM (SELECT public.document_merge(f.base_env ORDER BY named.position) ->> 'CVN_FTF_UNIVERSE' AS name
          FROM unnest(p_scopes) WITH ORDINALITY AS named (scope, position) JOIN public.ftf_config AS f USING (scope)) AS wanted,
         public.catalogues_in_force() AS force (hash) JOIN public.catalogue_declarations AS d USING (hash)
    WHERE d.declares -> 'universes' ? wanted.name
    LIMIT 1
$$;

COMMENT ON FUNCTION public.assets_for(p_scopes text[]) IS 'The assets of the universe that documents laid over each other name, as a catalogue in force declares it; null where none does.';

CREATE FUNCTION public.attach_checks(p_run text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.attach_checks(p_run text) IS 'Attaches what a registered run, and its pair, showed to their change, once; asked by whoever registered it.';

CREATE FUNCTION public.attempt_of(p_run text, OUT attempt bigint, OUT earlier text[], OUT repeated_because text) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.attempt_of(p_run text, OUT attempt bigint, OUT earlier text[], OUT repeated_because text) IS 'Which attempt at its candidate a run is, what the earlier ones showed, and who said what it is for; nulls of every other run.';

CREATE FUNCTION public.begin_rollout(change public.changes, p_context jsonb, p_scopes text[], p_expected_s integer, p_person text, p_proof text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.begin_rollout(change public.changes, p_context jsonb, p_scopes text[], p_expected_s integer, p_person text, p_proof text) IS 'Fixes what the stages of a change train and are judged by; one that was begun keeps what it has.';

CREATE FUNCTION public.break_freeze(p_change bigint, p_hash text, p_reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes;
    writer record;
    held   public.freezes;
    moment timestamptz := clock_timestamp();
BEGIN
    PERFORM public.require_role('config_write', 'admin', 'approver');
    PERFORM public.require_fresh_proof();
    SELECT * INTO writer FROM public.who();
    change := public.lock_change(p_change);
    IF change.proposal_hash IS DISTINCT FROM p_hash THEN
        RAISE EXCEPTION USING ERRCODE = 'SP409', MESSAGE = format('change %s was edited since it was read', p_change);
    END IF;
    IF NOT EXISTS (SELECT FROM public.freezes_over(change, moment)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('no freeze holds change %s', p_change),
            HINT = (public.next_step(change)).how;
    END IF;
    -- As of approvals: a person who came in by their own proof, and no machine.
    IF writer.proof NOT IN ('database-login', 'account-session', 'os-account') OR public.is_robot(writer.person)
            OR EXISTS (SELECT FROM public.freezes_over(change, moment) AS f WHERE writer.person <> ALL (f.breakers)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('%s may not break the freeze that holds change %s', writer.person, p_change),
            HINT = public.how_to_break(change, moment);
    END IF;
    FOR held IN SELECT * FROM public.freezes_over(change, moment) LOOP
        INSERT INTO public.freeze_breaks (freeze_id, change_id, proposal_hash, person, proof, reason)
        VALUES (held.id, p_change, p_hash, writer.person, writer.proof, p_reason);
        PERFORM public.note_access('freeze_broken', writer.person, NULL, NULL, writer.person,
                                   jsonb_build_object('freeze', held.id, 'change', p_change, 'reason', p_reason));
    END LOOP;
END
$$;

COMMENT ON FUNCTION public.break_freeze(p_change bigint, p_hash text, p_reason text) IS 'Lets one proposal through the freezes that hold it now, on the word of somebody who may break each.';

CREATE FUNCTION public.break_glass_person(OUT person text, OUT proof text) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- The embedded server listens on nothing but a socket that one operating system account can open:
    -- there the account is the proof, and its name is told by the process. Any other login is itself.
    SELECT coalesce(account.name, session_user::text),
           CASE WHEN account.name IS NULL THEN 'database-login' ELSE 'os-account' END
    FROM (SELECT CASE WHEN session_user = 'setpoint_owner' AND current_setting('listen_addresses') = ''
                      THEN nullif(current_setting('setpoint.author', true), '') END AS name) AS account
$$;

CREATE FUNCTION public.break_glass_restore(incident text, approved_by text, circumstance text, p_scope text, revision bigint, base bigint DEFAULT NULL::bigint, failed text DEFAULT NULL::text, probe text DEFAULT NULL::text, OUT new_revision bigint, OUT new_hash text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.break_glass_restore(incident text, approved_by text, circumstance text, p_scope text, revision bigint, base bigint, failed text, probe text, OUT new_revision bigint, OUT new_hash text) IS 'Emergency: bring a revision back as a new one, without the application; opens obligations.';

CREATE FUNCTION public.break_glass_set(incident text, approved_by text, circumstance text, p_scope text, p_set jsonb, p_remove text[] DEFAULT '{}'::text[], base bigint DEFAULT NULL::bigint, failed text DEFAULT NULL::text, probe text DEFAULT NULL::text, OUT new_revision bigint, OUT new_hash text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.break_glass_set(incident text, approved_by text, circumstance text, p_scope text, p_set jsonb, p_remove text[], base bigint, failed text, probe text, OUT new_revision bigint, OUT new_hash text) IS 'Emergency: set and remove values without the application; opens obligations.';

CREATE FUNCTION public.break_glass_write(p_incident text, p_approved_by text, p_circumstance text, p_failed text, p_probe text, p_scope text, p_document jsonb, p_restores bigint, OUT new_revision bigint, OUT new_hash text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

CREATE FUNCTION public.brings_back(change public.changes, p_rolled_back bigint) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- By what it would write, not by what it was filed as: its author may amend it.
    SELECT NOT EXISTS (
        SELECT FROM jsonb_array_elements(change.edits) AS e
        WHERE e ->> 'key' <> ALL (before.keys) OR (e -> 'new')::text IS DISTINCT FROM (before.target -> (e ->> 'key'))::text)
    FROM public.changes AS c, public.values_before(c) AS before
    WHERE c.id = p_rolled_back
$$;

COMMENT ON FUNCTION public.brings_back(change public.changes, p_rolled_back bigint) IS 'Whether an open change writes nothing but the values of before, of keys of a change that was rolled back.';

CREATE FUNCTION public.canary_checks(change public.changes) RETURNS TABLE(check_id bigint, run_id text, baseline text, outcome text, evidence jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.canary_checks(change public.changes) IS 'The checks that count as the canary of a change, newest first, as the rule of that stage judges them.';

CREATE FUNCTION public.canary_of(p_run text, p_current text, OUT result text, OUT reasons text[]) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.canary_of(p_run text, p_current text, OUT result text, OUT reasons text[]) IS 'The verdict on a run of a candidate, by the rule that its pair pinned.';

CREATE FUNCTION public.canary_outcome(p_run text, p_rule jsonb, p_assets text[], p_models text[], OUT outcome text, OUT reasons text[], OUT models jsonb) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.canary_outcome(p_run text, p_rule jsonb, p_assets text[], p_models text[], OUT outcome text, OUT reasons text[], OUT models jsonb) IS 'How a run does by a rule, on assets and models; with the scores that say so.';

CREATE FUNCTION public.canary_scores(p_run text, p_how text, p_assets text[]) RETURNS TABLE(model text, symbol text, f1 double precision, always_buy double precision, skill double precision)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

CREATE FUNCTION public.carry_out(INOUT change public.changes) RETURNS public.changes
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    -- What the trigger records is told within this function alone: the session's own facts come back, at the end
    -- here or with what an error takes back.
    told     constant jsonb := public.tell_history('{}');
    p_id     constant bigint := change.id;
    need     record;
    have     bigint;
    revision bigint;
    policy   public.policies;
    free_at  timestamptz;
    moved    text;
    lacks    record;
    frozen   timestamptz;
    wanting  text;
BEGIN
    -- The caller has locked the head and the change.
    IF change.state = 'draft' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s is a draft', p_id),
            HINT = (public.next_step(change)).how;
    END IF;
    IF public.is_disabled(change.author) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s waits: its author %s was disabled', p_id, change.author),
            HINT = format('take it over with `setpoint change amend %s`, or withdraw it', p_id);
    END IF;
    IF change.apply_at > clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s is scheduled for %s', p_id,
            public.utc_text(change.apply_at)), HINT = (public.next_step(change)).how;
    END IF;
    SELECT * INTO need FROM public.required_of(change);
    SELECT count(*) INTO have FROM public.approvals_of(change);
    IF (have >= need.approvals) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('change %s has %s of %s approvals', p_id, have, need.approvals),
            HINT = public.how_to_approve(change);
    END IF;
    free_at := change.proposed_at + make_interval(secs => need.cooling_off_s);
    -- Without a time to cool off no instants are compared: the clock may have been set back since the proposal.
    IF need.cooling_off_s IS DISTINCT FROM 0 AND (clock_timestamp() >= free_at) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s cools off until %s', p_id,
            public.utc_text(free_at)), HINT = (public.next_step(change)).how;
    END IF;
    frozen := public.frozen_until(change, clock_timestamp());
    IF frozen IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP425', MESSAGE = format('change %s is held by a freeze until %s', p_id, public.utc_text(frozen)),
            HINT = public.how_to_break(change, clock_timestamp()), DETAIL = public.utc_text(frozen);
    END IF;
    wanting := public.wanting_of(change);
    IF wanting IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = wanting, HINT = public.how_to_roll_out(p_id);
    END IF;
    IF change.state = 'suspended' AND public.moved_since(change) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s is suspended: %s', p_id, change.state_reason),
            HINT = (public.next_step(change)).how;
    END IF;
    IF 'policy' = ANY (change.kinds) THEN
        policy := public.checked_policy(change.scope, change.proposal);
        INSERT INTO public.policies SELECT policy.*
        ON CONFLICT (scope, kind) DO UPDATE SET approvals = EXCLUDED.approvals, solo = EXCLUDED.solo,
            cooling_off_s = EXCLUDED.cooling_off_s, checks = EXCLUDED.checks, smoke_s = EXCLUDED.smoke_s;
        -- A transaction that still sees the old policy (REPEATABLE READ) fails on the head, as after a revision.
        UPDATE public.chain_head SET id = id;
    ELSE
        moved := public.moved_since(change);
        IF moved IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'SP409', MESSAGE = moved, HINT = (public.next_step(change)).how;
        END IF;
        IF need.checks IS DISTINCT FROM '{}' THEN
            SELECT * INTO lacks FROM public.lacking_checks(change) LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION USING ERRCODE = 'SP424', HINT = public.how_to_check(change, lacks.kind),
                    MESSAGE = format('change %s lacks the check %s that policy asks for: %s', p_id, lacks.kind, lacks.why);
            END IF;
        END IF;
        PERFORM public.tell_history(jsonb_build_object(
            'author', change.author, 'proof', change.proof, 'reason', change.reason, 'source', change.source,
            'catalogues', change.catalogues::text, 'change', change.id::text,
            'review', CASE WHEN have > 0 THEN 'approved' ELSE 'unreviewed' END,
            'touched', array_to_string(CASE WHEN jsonb_array_length(change.edits) <= 8 THEN public.keys_of(change) END, ',')));
        IF change.base_revision IS NULL THEN
            INSERT INTO public.ftf_config (scope, base_env) VALUES (change.scope, change.proposal)
            RETURNING ftf_config.revision INTO revision;
        ELSE
            UPDATE public.ftf_config SET base_env = change.proposal
            WHERE scope = change.scope AND ftf_config.revision = change.base_revision
            RETURNING ftf_config.revision INTO STRICT revision;
        END IF;
        -- Applied is what history says so: where its trigger is switched off, nothing is written. The hash of the
        -- proposal names the document; the text is hashed again where its owner moved the row's time by hand.
        IF NOT EXISTS (SELECT FROM public.ftf_config_history AS h WHERE h.id = revision AND h.change_id = change.id
                       AND (public.hash_of_proposal(change, h.hash) = change.proposal_hash
                            OR h.hash = public.document_hash(change.proposal::text))) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP503', MESSAGE = format('change %s left no revision: history is not being written', p_id),
                HINT = 'a trigger is switched off or gone: `setpoint verify` names it, and the owner of the database switches it on';
        END IF;
    END IF;
    -- What history holds now is not kept twice; the row that goes back tells it all the same.
    UPDATE public.changes SET state = 'applied', applied_revision = revision, edits_before = NULL,
        proposal = CASE WHEN revision IS NULL THEN proposal END, edits = CASE WHEN revision IS NULL THEN edits END,
        catalogues = CASE WHEN revision IS NULL THEN catalogues END
    WHERE id = p_id RETURNING state, applied_revision INTO change.state, change.applied_revision;
    PERFORM public.tell_history(told);
END
$$;

COMMENT ON FUNCTION public.carry_out(INOUT change public.changes) IS 'The one decision: policy, approvals, base and what else moved, under the lock of the chain head.';

CREATE FUNCTION public.catalogues_in_force() RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- By history, which people approved: a caller names none of its own.
    SELECT told ->> 'hash' FROM (
        SELECT h.catalogues FROM public.ftf_config_history AS h
        WHERE h.scope = 'global' AND h.catalogues <> '[]' ORDER BY h.id DESC LIMIT 1) AS newest,
        jsonb_array_elements(newest.catalogues) AS told
$$;

COMMENT ON FUNCTION public.catalogues_in_force() IS 'The catalogues that the newest revision of the global document was made under; one that was written by hand names none.';

CREATE FUNCTION public.change_account(p_name text, p_roles text[], p_disabled boolean, p_limits jsonb, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    actor text := public.require_admin();
    old public.accounts := public.account_named(p_name);
    new public.accounts;
BEGIN
    UPDATE public.accounts
    SET roles = CASE WHEN p_roles IS NULL THEN roles ELSE ARRAY(SELECT DISTINCT unnest(p_roles) ORDER BY 1) END,
        -- A role that is given as null reaches everything again.
        limits = jsonb_strip_nulls(limits || coalesce(p_limits, '{}')),
        disabled_at = CASE WHEN p_disabled IS NULL THEN disabled_at
                           WHEN p_disabled THEN coalesce(disabled_at, clock_timestamp()) END,
        -- Let in or shut out: an admin has decided about it.
        waits_since = CASE WHEN p_disabled IS NULL THEN waits_since END
    WHERE name = p_name RETURNING * INTO new;
    IF EXISTS (SELECT FROM unnest(new.roles) AS role WHERE role IN ('approver', 'admin') AND NOT role = ANY (old.roles)) THEN
        PERFORM public.note_hand(p_name, 'role', actor);
    END IF;
    -- Enabled again, an account begins with no session and no token.
    IF new.disabled_at IS NOT NULL THEN
        UPDATE public.credentials SET revoked_at = clock_timestamp() WHERE account = p_name AND revoked_at IS NULL;
    END IF;
    IF public.owner_of_tables() IS NULL AND NOT EXISTS
            (SELECT FROM public.accounts WHERE 'admin' = ANY (roles) AND disabled_at IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = 'this would leave no admin',
            HINT = 'appoint another first';
    END IF;
    PERFORM public.note_access('account_changed', p_name, p_remote, NULL, actor, jsonb_build_object(
        'roles', new.roles, 'before', old.roles, 'disabled', new.disabled_at IS NOT NULL, 'limits', new.limits));
END
$$;

CREATE FUNCTION public.changes_nothing(change public.changes) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF 'policy' = ANY (change.kinds) THEN
        RETURN EXISTS (SELECT FROM public.policies AS p WHERE to_jsonb(p) = change.proposal);
    END IF;
    -- What break-glass owes is an ordinary write that carries its reason: that what stands is right is said
    -- by writing it again.
    RETURN change.edits = '[]' AND NOT EXISTS (
        SELECT FROM public.obligations AS o
        WHERE o.kind = 'ordinary-write' AND o.met_at IS NULL AND o.scope = change.scope
          AND change.reason = 'break-glass-' || o.incident);
END
$$;

COMMENT ON FUNCTION public.changes_nothing(change public.changes) IS 'True when what a change wants stands already, and no obligation is met by saying so.';

CREATE FUNCTION public.is_name(name text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    RETURN (name !~ '[\u0001-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]'::text);

COMMENT ON FUNCTION public.is_name(name text) IS 'True of a text without control characters, turns of direction, and characters that nobody sees.';

CREATE TABLE public.incident_channels (
    id bigint NOT NULL,
    prefix text NOT NULL,
    responsible text NOT NULL,
    is_open boolean NOT NULL,
    reason text NOT NULL,
    declared_by text NOT NULL,
    declared_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT a_person_is_a_name CHECK (public.is_name(responsible)),
    CONSTRAINT incident_channels_prefix_check CHECK ((prefix ~ '^https?://[][A-Za-z0-9.:-]+/([^[:space:]\\]*[/=])?$'::text)),
    CONSTRAINT incident_channels_reason_check CHECK (public.says_something(reason)),
    CONSTRAINT incident_channels_responsible_check CHECK (public.says_something(responsible))
);

COMMENT ON TABLE public.incident_channels IS 'Where approvals of break-glass are written and who answers there; the newest row of a prefix counts.';

CREATE FUNCTION public.channel_of(url text) RETURNS public.incident_channels
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
    -- Dots and backslashes lead a browser out of the channel that the text seems to be in.
    SELECT c FROM public.open_channels() AS c
    WHERE starts_with(url, c.prefix) AND substr(url, length(c.prefix) + 1) ~ '^[^[:space:]\\]+$'
      AND substr(url, length(c.prefix) + 1) !~* '(^|/)(\.|%2e){1,2}(/|%2f|[?#]|$)'
    ORDER BY length(c.prefix) DESC LIMIT 1
$_$;

CREATE TABLE public.policies (
    scope text NOT NULL,
    kind text NOT NULL,
    approvals integer NOT NULL,
    solo boolean NOT NULL,
    cooling_off_s integer NOT NULL,
    checks text[] DEFAULT '{}'::text[] NOT NULL,
    smoke_s integer DEFAULT 120 NOT NULL,
    CONSTRAINT policies_approvals_check CHECK ((approvals >= 0)),
    CONSTRAINT policies_checks_check CHECK ((checks <@ ARRAY['canary'::text, 'smoke'::text, 'ranges'::text, 'rollout'::text])),
    CONSTRAINT policies_cooling_off_s_check CHECK ((cooling_off_s >= 0)),
    CONSTRAINT policies_kind_check CHECK ((kind = ANY (ARRAY['*'::text, 'value'::text, 'range'::text, 'scope'::text, 'restore'::text, 'policy'::text]))),
    CONSTRAINT policies_scope_check CHECK ((scope <> ''::text)),
    CONSTRAINT policies_smoke_s_check CHECK ((smoke_s > 0)),
    CONSTRAINT solo_means_no_approval CHECK ((solo = (approvals = 0)))
);

COMMENT ON TABLE public.policies IS 'How many approvals a change needs; * is any scope or kind, the most specific row decides.';

COMMENT ON COLUMN public.policies.solo IS 'Declares that one person decides alone: recorded on each revision as unreviewed.';

COMMENT ON COLUMN public.policies.checks IS 'The checks that a change must pass besides; none of a change of policy, which has no candidate.';

COMMENT ON COLUMN public.policies.smoke_s IS 'How long a smoke run may take; one that takes longer stops itself and does not count.';

CREATE FUNCTION public.checked_policy(change_scope text, wanted jsonb) RETURNS public.policies
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    policy public.policies := jsonb_populate_record(NULL::public.policies, '{"smoke_s": 120}' || wanted);
    people bigint := (SELECT count(*) FROM public.approvers());
    soft   record;
BEGIN
    -- The scope decides which policy the change itself obeys, so it is not said twice.
    policy.scope := change_scope;
    policy.checks := ARRAY(SELECT DISTINCT one FROM unnest(policy.checks) AS one ORDER BY one);
    IF NOT policy.checks <@ ARRAY['canary', 'smoke', 'ranges', 'rollout'] OR (policy.kind = 'policy' AND policy.checks <> '{}') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = 'a policy''s checks are of canary, smoke, ranges and rollout, and none for the kind policy: it has no candidate',
            HINT = 'name those, or none';
    END IF;
    IF NOT (policy IS NOT NULL) OR policy.kind NOT IN ('*', 'value', 'range', 'scope', 'restore', 'policy')
            OR policy.approvals < 0 OR policy.cooling_off_s < 0 OR policy.smoke_s < 1 OR policy.solo <> (policy.approvals = 0) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a policy needs kind (value, range, scope, restore,'
            || ' policy or *), approvals, cooling_off_s (neither negative), solo (true for no approvals) and smoke_s (1 or more)',
            HINT = 'docs/change-control.md says what each of them means';
    END IF;
    IF policy.approvals > people THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('a policy cannot require %s approval(s): %s people can approve', policy.approvals, people),
            HINT = 'appoint them with `setpoint accounts add NAME --role approver`, or ask for fewer';
    END IF;
    SELECT * INTO soft FROM public.unguarded(policy) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('fewer people could soften it, or sooner: this asks for %s approvals for a change of kind %s in %s,'
                || ' after %s s, and for %s for its policies, after %s s', soft.approvals, soft.kind,
                CASE soft.scope WHEN '*' THEN 'any scope' ELSE soft.scope END, soft.cooling_off_s, soft.guard_approvals,
                soft.guard_cooling_off_s),
            HINT = 'give the kind `policy` at least as many approvals and as long a cooling off first, or set both at once'
                || ' with kind `*`';
    END IF;
    RETURN policy;
END
$$;

CREATE FUNCTION public.cited_in_month(p_table text, p_month date, OUT run text, OUT cited_by text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $_$
DECLARE
    month   timestamp := date_trunc('month', p_month::timestamp);
    instant text := (SELECT t.instant FROM public.month_tables() AS t WHERE t.name = p_table);
    named   text := (SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = format('public.%I', p_table)::regclass
                     AND a.attname IN ('run', 'run_id'));
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT c.run, c.cited_by FROM public.cited_runs() AS c'
        ' WHERE EXISTS (SELECT FROM public.%I AS t WHERE t.%I = c.run AND t.%3$I >= $1 AND t.%3$I < $2) ORDER BY 1, 2',
        p_table, named, instant) USING month::timestamptz, (month + interval '1 month')::timestamptz;
END
$_$;

COMMENT ON FUNCTION public.cited_in_month(p_table text, p_month date, OUT run text, OUT cited_by text) IS 'The runs with rows in a month of a table that somebody rests on, which the month is kept for.';

CREATE FUNCTION public.cited_runs(OUT run text, OUT cited_by text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN QUERY
    WITH still_open AS MATERIALIZED (
        SELECT c.id, c.reason, c.evidence FROM public.changes AS c WHERE c.state IN ('draft', 'proposed', 'suspended')
    )
    SELECT b.run, 'a baseline' FROM (
        SELECT DISTINCT ON (model, timeframe, host) a.run FROM public.baselines AS a ORDER BY model, timeframe, host, id DESC) AS b
    UNION
    SELECT cited.run, cited.by || c.id
    FROM still_open AS c CROSS JOIN LATERAL (
        SELECT e, 'change ' FROM unnest(c.evidence) AS e
        UNION ALL
        SELECT said.run, 'a check of change '
        FROM public.change_checks AS k CROSS JOIN LATERAL (VALUES (k.run_id), (k.current_run_id)) AS said (run) WHERE k.change_id = c.id
        UNION ALL
        SELECT said.run, 'the rollout of change '
        FROM public.rollout_steps AS s CROSS JOIN LATERAL (VALUES (s.run), (s.baseline)) AS said (run) WHERE s.change_id = c.id
        UNION ALL
        -- People name runs in words, too: in a reason, or in what was said of a change.
        SELECT r.id, 'change ' FROM public.finetune_runs AS r
        WHERE strpos(c.reason, r.id) > 0
           OR EXISTS (SELECT FROM public.change_decisions AS d WHERE d.change_id = c.id AND strpos(d.words, r.id) > 0)
        -- Whatever else of a change rests on runs says so here, in a branch of its own.
    ) AS cited (run, by)
    WHERE cited.run IS NOT NULL;
END
$$;

COMMENT ON FUNCTION public.cited_runs(OUT run text, OUT cited_by text) IS 'Runs that a baseline which counts was made of, or that an open change rests on: cited, checked, judged in its rollout, or named in words.';

CREATE FUNCTION public.claim_deliveries(p_targets text[], p_limit bigint, p_lease_s double precision) RETURNS TABLE(id bigint, target text, lease timestamp with time zone, attempts integer, people text[], key uuid, kind text, subject text, facts jsonb, made_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
BEGIN
    -- One at a time for each target, so that one that hangs takes one thread of one plane; and of a subject only
    -- the oldest. An instant further ahead than any wait was noted before the clock was set back.
    RETURN QUERY
    WITH heads AS (
        SELECT DISTINCT ON (d.target) d.id, d.next_at
        FROM public.deliveries AS d
        WHERE d.state = 'waiting' AND d.target = ANY (p_targets)
          AND d.next_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 hour'
          AND NOT EXISTS (SELECT FROM public.deliveries AS o WHERE o.state = 'waiting' AND o.target = d.target
                          AND o.leased_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '5 minutes')
          AND NOT EXISTS (SELECT FROM public.deliveries AS e WHERE e.state = 'waiting' AND e.target = d.target
                          AND e.subject = d.subject AND e.id < d.id)
        ORDER BY d.target, d.next_at, d.id
    ), free AS (
        SELECT d.id FROM public.deliveries AS d
        WHERE d.id IN (SELECT h.id FROM heads AS h ORDER BY h.next_at LIMIT p_limit) AND d.state = 'waiting'
          AND (d.leased_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '5 minutes') IS NOT TRUE
        FOR UPDATE SKIP LOCKED
    )
    UPDATE public.deliveries AS d
    SET leased_until = clock_timestamp() + make_interval(secs => least(p_lease_s, 300)), attempts = d.attempts + 1
    FROM free, public.notifications AS n
    WHERE d.id = free.id AND n.id = d.notification
    RETURNING d.id, d.target, d.leased_until, d.attempts, d.people, n.key, n.kind, n.subject, n.facts, n.made_at;
END
$$;

COMMENT ON FUNCTION public.claim_deliveries(p_targets text[], p_limit bigint, p_lease_s double precision) IS 'Lends what is due to one plane for some seconds.';

CREATE FUNCTION public.claim_posting(p_calendar text, p_checkpoint text, p_option text, p_held uuid) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    what    text := CASE WHEN p_option IS NULL THEN 'issue' ELSE 'decision' END;
    claimed uuid;
    holder  text;
BEGIN
    IF p_option IS NULL THEN
        PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    ELSE
        PERFORM public.require_decider(p_calendar, p_checkpoint, p_option);
    END IF;
    -- Longer than a search and a post may take, and than a search engine needs to find what was posted.
    INSERT INTO public.checkpoint_claims AS c (calendar, checkpoint, posts, claim, claimed_by, claimed_until)
    SELECT p_calendar, p_checkpoint, what, COALESCE(p_held, gen_random_uuid()), person, clock_timestamp() + interval '5 minutes' FROM public.who()
    ON CONFLICT (calendar, checkpoint, posts) DO UPDATE
    SET claim = EXCLUDED.claim, claimed_by = EXCLUDED.claimed_by, claimed_until = EXCLUDED.claimed_until
    WHERE c.claim = p_held OR (p_held IS NULL AND c.claimed_until <= clock_timestamp())
    RETURNING c.claim INTO claimed;
    IF claimed IS NULL AND p_option IS NOT NULL THEN
        SELECT c.claimed_by INTO holder FROM public.checkpoint_claims AS c
        WHERE c.calendar = p_calendar AND c.checkpoint = p_checkpoint AND c.posts = what;
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('%s is being decided by %s now', p_checkpoint, holder),
            HINT = 'look at `setpoint checkpoints` in a moment';
    END IF;
    RETURN claimed;
END
$$;

COMMENT ON FUNCTION public.claim_posting(p_calendar text, p_checkpoint text, p_option text, p_held uuid) IS 'The claim of whoever posts now, taken or, where it is named, held on to: the decision''s with an option, else the issue''s. Null where somebody else has that of the issue.';

CREATE FUNCTION public.close_session(p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s    record := public.presented();
    held record;
BEGIN
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE credentials.id = s.id AND credentials.kind = 'session' AND revoked_at IS NULL
    RETURNING id, account INTO held;
    IF held.id IS NOT NULL THEN
        PERFORM public.note_access('logout', held.account, p_remote, held.id, held.account, '{}');
    END IF;
END
$$;

CREATE FUNCTION public.composed_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_traceparent text, p_evidence text[]) RETURNS public.changes
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes;
BEGIN
    change.scope := p_scope;
    change.kinds := CASE WHEN p_is_policy THEN ARRAY['policy'] ELSE '{}' END;
    change.base_revision := p_base;
    change.edition := 1;
    change.judged_at := (SELECT id FROM public.chain_head);
    change.restores := p_restores;
    change.reason := p_reason;
    change.source := p_source;
    change.traceparent := p_traceparent;
    change.evidence := coalesce(p_evidence, '{}');
    change.catalogues := p_catalogues;
    change.apply_at := p_apply_at;
    SELECT person, proof INTO change.author, change.proof FROM public.who();
    PERFORM public.require_room_for_change(change.author);
    change := public.write_proposal(change, p_set, p_remove, p_keys);
    IF public.changes_nothing(change) THEN
        -- Nothing is kept: the row goes back without a number. Who may not write is told so all the same.
        PERFORM public.require_role(VARIADIC CASE WHEN p_is_policy THEN ARRAY['admin'] ELSE ARRAY['config_write', 'admin'] END);
        change.state := 'unchanged';
    END IF;
    RETURN change;
END
$$;

COMMENT ON FUNCTION public.composed_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_traceparent text, p_evidence text[]) IS 'A new change as it would be kept; of the state unchanged when what it wants stands already.';

CREATE FUNCTION public.confirm_account(p_name text, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    actor text := public.require_admin();
    held  public.accounts := public.account_named(p_name);
    hands text[];
BEGIN
    -- Whom a backup brought back comes in again. It begins with no session, no token and no password.
    UPDATE public.accounts SET disabled_at = NULL, waits_since = NULL WHERE name = held.name AND held.waits_since IS NOT NULL;
    -- Nobody behind whom the same hand may be; the owner of the database answers for all.
    WITH confirmed AS (
        UPDATE public.appointments AS a SET confirmed_by = actor
        WHERE a.account = held.name AND a.confirmed_by IS NULL AND (public.owner_of_tables() IS NOT NULL
            OR (held.name <> actor AND NOT EXISTS (
                SELECT FROM public.hands_behind(actor) AS mine JOIN public.hands_behind(a.hand) AS theirs ON mine = theirs)))
        RETURNING a.hand
    )
    SELECT array_agg(DISTINCT hand) INTO hands FROM confirmed;
    IF hands IS NULL AND held.waits_since IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('%s has nothing that %s can confirm', p_name, actor),
            HINT = format('another admin confirms it, whom neither appointed, or the owner of the database: `setpoint accounts confirm %s`', p_name);
    END IF;
    PERFORM public.note_access('account_confirmed', p_name, p_remote, NULL, actor, jsonb_build_object('hands', coalesce(hands, '{}')));
END
$$;

COMMENT ON FUNCTION public.confirm_account(p_name text, p_remote text) IS 'Says that an account is who it says, though those who appointed it are the only ones who did so far.';

CREATE FUNCTION public.contradictions(p_after bigint) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- History against what else was recorded when it was written. Revisions that were brought in from another
    -- database name changes that stayed there.
    WITH imported AS (
        SELECT coalesce(max((detail ->> 'revision')::bigint), 0) AS up_to FROM public.access_log WHERE event = 'history_imported'
    ), own AS (
        SELECT h.* FROM public.ftf_config_history AS h, imported WHERE h.id > greatest(imported.up_to, p_after)
    )
    SELECT problem FROM (
        SELECT c.applied_revision AS revision, format('change %s made revision %s, which is not there', c.id, c.applied_revision) AS problem
        FROM public.changes AS c
        WHERE c.applied_revision > p_after
          AND NOT EXISTS (SELECT FROM own WHERE own.id = c.applied_revision AND own.change_id = c.id)
        UNION ALL
        SELECT own.id, format('revision %s names change %s, which did not make it', own.id, own.change_id)
        FROM own LEFT JOIN public.changes AS c ON c.id = own.change_id AND c.applied_revision = own.id
        WHERE own.change_id IS NOT NULL AND c.id IS NULL
        UNION ALL
        SELECT own.id, format('revision %s is not what change %s says in its %s', own.id, c.id, told.name)
        FROM own JOIN public.changes AS c ON c.id = own.change_id AND c.applied_revision = own.id,
        LATERAL (VALUES ('scope', own.scope, c.scope), ('author', own.updated_by, c.author), ('proof', own.proof, c.proof),
                        ('reason', own.change_reason, c.reason), ('base', own.base_revision::text, c.base_revision::text),
                        ('document', public.hash_of_proposal(c, own.hash), c.proposal_hash)) AS told (name, now, was)
        WHERE told.now IS DISTINCT FROM told.was
        UNION ALL
        SELECT own.id, format('revision %s was approved, and nobody''s approval of change %s is recorded', own.id, own.change_id)
        FROM own LEFT JOIN public.changes AS c ON c.id = own.change_id
        WHERE own.review = 'approved' AND NOT EXISTS (
            SELECT FROM public.change_decisions AS d
            WHERE d.change_id = c.id AND d.decision = 'approve' AND d.proposal_hash = c.proposal_hash AND d.person <> c.author)
        UNION ALL
        SELECT u.revision, format('break-glass of %s wrote revision %s, which is %s', u.incident, u.revision,
            CASE WHEN own.id IS NULL THEN 'not there' ELSE 'not what was recorded then' END)
        FROM public.break_glass_uses AS u LEFT JOIN own ON own.id = u.revision
        WHERE u.revision > p_after AND (own.review, own.scope, own.updated_by, own.change_reason)
            IS DISTINCT FROM ('break-glass', u.scope, u.person, 'break-glass-' || u.incident)
        UNION ALL
        SELECT own.id, format('revision %s was written by break-glass, and no use of it is recorded', own.id)
        FROM own LEFT JOIN public.break_glass_uses AS u ON u.revision = own.id
        WHERE own.review = 'break-glass' AND u.revision IS NULL
        UNION ALL
        SELECT DISTINCT told.revision, format('snapshot %s was made of revision %s of %s, and history has another one of this number',
            left(f.hash, 12), told.revision, told.scope)
        FROM public.snapshot_frames AS f, LATERAL (
            SELECT layer ->> 'scope' AS scope, (layer ->> 'revision')::bigint AS revision, layer ->> 'hash' AS hash,
                   layer ->> 'author' AS author
            FROM json_array_elements(f.frame -> 'layers') AS layer) AS told
        WHERE f.newest > p_after AND told.revision > p_after AND NOT EXISTS (
            SELECT FROM public.ftf_config_history AS h
            WHERE (h.id, h.scope, h.hash, h.updated_by) = (told.revision, told.scope, told.hash, told.author))
        UNION ALL
        SELECT DISTINCT coalesce(told.id, e.revision), format('history by key does not say of revision %s what its diff says',
            coalesce(told.id, e.revision))
        FROM (SELECT h.id, edit ->> 'key' AS key, edit -> 'new' AS new FROM public.ftf_config_history AS h, jsonb_array_elements(h.diff) AS edit
              WHERE h.id > p_after) AS told
        FULL JOIN (SELECT * FROM public.ftf_config_edits WHERE revision > p_after) AS e ON e.revision = told.id AND e.key = told.key
        WHERE told.id IS NULL OR e.revision IS NULL OR told.new IS DISTINCT FROM e.new
    ) AS found
    ORDER BY revision, problem
$$;

COMMENT ON FUNCTION public.contradictions(p_after bigint) IS 'Where the revisions after one say other than changes, decisions, break-glass and snapshots that were handed out.';

CREATE FUNCTION public.contradictions_of_months() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
    SELECT format('month %s of %s was dropped, and its summary and the access log do not say the same of it',
                  told ->> 'month', told ->> 'table')
    FROM (SELECT public.told_of_month(d) AS told FROM public.dropped_months AS d) AS kept
    FULL JOIN (SELECT l.detail - 'reason' AS told FROM public.access_log AS l WHERE l.event = 'month_dropped') AS logged
        USING (told)
    WHERE kept IS NULL OR logged IS NULL
    GROUP BY told ->> 'month', told ->> 'table' ORDER BY 1
$$;

COMMENT ON FUNCTION public.contradictions_of_months() IS 'Where what is known of dropped months and the access log say different things.';

CREATE FUNCTION public.count_attempt() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.count_attempt() IS 'Counts each attempt at a candidate when it begins; refuses one with data of an earlier one that no person gave a reason for.';

CREATE FUNCTION public.count_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.count_events() IS 'Counts events as they are stored, each once: a line that was stored before is no new row.';

CREATE FUNCTION public.count_revision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

CREATE FUNCTION public.counted_labels(p_name text, p_model text, p_timeframe text, p_label text, OUT model text, OUT timeframe text, OUT label text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
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
$_$;

COMMENT ON FUNCTION public.counted_labels(p_name text, p_model text, p_timeframe text, p_label text, OUT model text, OUT timeframe text, OUT label text) IS 'Under which names something is counted: its own, or other when there are too many.';

CREATE FUNCTION public.counts_for(person text, author text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- An approver by their own login of the database was made one by its administrator, so by nobody's hand.
    SELECT person <> author
       AND (author NOT IN (SELECT public.hands_behind(person)) OR person IN (SELECT public.approving_logins()))
$$;

COMMENT ON FUNCTION public.counts_for(person text, author text) IS 'Whether what one person approves counts on the changes of another.';

CREATE FUNCTION public.create_account(p_name text, p_roles text[], p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    actor text := public.require_admin();
BEGIN
    INSERT INTO public.accounts (name, roles, created_by)
    VALUES (p_name, ARRAY(SELECT DISTINCT unnest(p_roles) ORDER BY 1), actor)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('the account %s exists already', p_name),
            HINT = format('`setpoint accounts roles %s --role ROLE` changes its roles', p_name);
    END IF;
    IF p_roles && ARRAY['approver', 'admin'] THEN
        PERFORM public.note_hand(p_name, 'role', actor);
    END IF;
    PERFORM public.note_access('account_created', p_name, p_remote, NULL, actor, jsonb_build_object('roles', p_roles));
END
$$;

CREATE FUNCTION public.credential_ends(credential bigint, OUT at timestamp with time zone, OUT account text, OUT dimensions text[]) RETURNS record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT c.expires_at, c.account, c.dimensions
    FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
    WHERE c.id = credential AND c.kind NOT IN ('once', 'begun') AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() AND a.disabled_at IS NULL
      AND a.roles <> '{}' AND (c.roles IS NULL OR c.roles && a.roles)
$$;

COMMENT ON FUNCTION public.credential_ends(credential bigint, OUT at timestamp with time zone, OUT account text, OUT dimensions text[]) IS 'Until when a credential lets anybody in, and whom; null when it does not. By it servers judge streams that a token opened.';

CREATE FUNCTION public.credential_holder(secret_hash bytea, OUT id bigint, OUT kind text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT proof text, OUT dimensions text[], OUT is_ending boolean) RETURNS record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT h.id, h.kind, h.account, h.roles, h.expires_at, h.proof, h.dimensions, public.ends_soon(h.credential)
    FROM public.live_credentials AS h WHERE h.hash = secret_hash
$$;

COMMENT ON FUNCTION public.credential_holder(secret_hash bytea, OUT id bigint, OUT kind text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT proof text, OUT dimensions text[], OUT is_ending boolean) IS 'Who holds a live credential, and what it allows; nulls for any other.';

CREATE FUNCTION public.decide_change(p_id bigint, p_decision text, p_hash text, p_words text) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes;
    writer record;
BEGIN
    IF p_decision = 'comment' THEN
        PERFORM public.require_role('viewer', 'config_write', 'approver', 'admin', 'robot');
        SELECT * INTO change FROM public.changes WHERE id = p_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no change %s', p_id),
            HINT = 'list them with `setpoint change list`';
        END IF;
        IF NOT public.says_something(p_words) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a comment says something', HINT = 'give words that people see';
        END IF;
    ELSE
        PERFORM public.require_role('approver');
        change := public.lock_change(p_id);
    END IF;
    SELECT * INTO writer FROM public.who();
    IF p_decision <> 'comment' THEN
        IF change.proposal_hash IS DISTINCT FROM p_hash THEN
            RAISE EXCEPTION USING ERRCODE = 'SP409',
                MESSAGE = format('change %s was edited since you read it', p_id);
        END IF;
        IF change.state = 'draft' THEN
            RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s is a draft', p_id),
            HINT = (public.next_step(change)).how;
        END IF;
        IF writer.person = change.author THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'an author does not decide on their own change',
                HINT = public.how_to_approve(change);
        END IF;
        -- An approver has logged in, as an account or at the database. A name that a process merely tells
        -- approves nothing, and neither does a token, which a machine may hold, nor a one-time login, which
        -- an admin may have printed for somebody else and used.
        IF writer.proof = 'one-time-login' THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403',
                MESSAGE = format('%s came in by a one-time login, which decides nothing', writer.person),
                HINT = 'set a password, log in with it, and decide then';
        END IF;
        IF writer.proof NOT IN ('database-login', 'account-session')
                OR writer.person NOT IN (SELECT public.approvers()) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403',
                MESSAGE = format('%s may not approve: no approver who logged in, or a robot', writer.person),
                HINT = public.how_to_approve(change);
        END IF;
        PERFORM public.require_reach(change.scope, public.keys_of(change), 'approver');
        PERFORM public.require_fresh_proof();
        IF p_decision = 'approve' AND NOT public.counts_for(writer.person, change.author) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403',
                MESSAGE = format('what %s approves does not count on a change of %s, who appointed them or let them in', writer.person, change.author),
                HINT = format('another admin, or the owner of the database, confirms the appointment: `setpoint accounts confirm %s`', writer.person);
        END IF;
        IF EXISTS (SELECT FROM public.change_decisions AS d WHERE d.change_id = p_id AND d.proposal_hash = p_hash
                   AND d.person = writer.person AND d.decision = p_decision) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP423',
                MESSAGE = format('%s decided on this proposal already', writer.person),
                HINT = (public.next_step(change)).how;
        END IF;
    END IF;
    INSERT INTO public.change_decisions (change_id, decision, proposal_hash, person, proof, words)
    VALUES (p_id, p_decision, change.proposal_hash, writer.person, writer.proof, p_words);
    IF p_decision = 'reject' THEN
        UPDATE public.changes SET state = 'rejected', state_reason = p_words WHERE id = p_id RETURNING * INTO change;
    END IF;
    RETURN change;
END
$$;

CREATE FUNCTION public.decide_checkpoint(p_calendar text, p_checkpoint text, p_option text, p_said text, p_evidence jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    decider text := public.require_decider(p_calendar, p_checkpoint, p_option);
BEGIN
    IF p_evidence IS NULL OR jsonb_typeof(p_evidence) <> 'array' OR p_evidence = '[]' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a decision is logged as a comment, and none is named',
            HINT = 'give the address of the comment';
    END IF;
    INSERT INTO public.checkpoint_log (calendar, checkpoint, event, option, said, evidence, person)
    VALUES (p_calendar, p_checkpoint, 'decided', p_option, p_said, p_evidence, decider);
    UPDATE public.obligations AS o
    SET met_at = clock_timestamp(), met_by = decider, evidence = jsonb_build_object('option', p_option, 'comments', p_evidence)
    WHERE o.incident = p_calendar || ' ' || p_checkpoint AND o.kind = 'decision' AND o.met_at IS NULL;
END
$$;

COMMENT ON FUNCTION public.decide_checkpoint(p_calendar text, p_checkpoint text, p_option text, p_said text, p_evidence jsonb) IS 'Records the decision that closes a checkpoint which fired, by a person alone.';

CREATE FUNCTION public.decides(change public.changes) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- A policy; and what nobody else approves, when it is applied or its time is set.
    SELECT change.state IN ('draft', 'proposed', 'applied') AND ('policy' = ANY (change.kinds)
        OR ((change.state = 'applied' OR (change.state = 'proposed' AND change.apply_at IS NOT NULL))
            AND (SELECT need.approvals FROM public.required_of(change) AS need) = 0))
$$;

COMMENT ON FUNCTION public.decides(change public.changes) IS 'Whether to bring a change into this state is a decision of one person.';

CREATE FUNCTION public.declare_channel(p_prefix text, p_responsible text, p_is_open boolean, p_reason text) RETURNS public.incident_channels
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.declare_channel(p_prefix text, p_responsible text, p_is_open boolean, p_reason text) IS 'Says that approvals of break-glass are written under a prefix, and who is responsible there.';

CREATE TABLE public.freezes (
    id bigint NOT NULL,
    scope text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    breakers text[] NOT NULL,
    reason text NOT NULL,
    declared_by text NOT NULL,
    proof text NOT NULL,
    declared_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT a_freeze_ends_after_it_starts CHECK ((ends_at > starts_at)),
    CONSTRAINT freezes_reason_check CHECK (public.says_something(reason)),
    CONSTRAINT freezes_scope_check CHECK ((scope <> ''::text))
);

COMMENT ON TABLE public.freezes IS 'Windows in which no change of a scope is applied; * is any scope. Restores are, and break-glass writes.';

COMMENT ON COLUMN public.freezes.breakers IS 'Who may apply a change all the same, with a reason; empty is nobody.';

CREATE FUNCTION public.declare_freeze(p_scope text, p_starts_at timestamp with time zone, p_ends_at timestamp with time zone, p_breakers text[], p_reason text) RETURNS public.freezes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    writer record;
    made   public.freezes;
BEGIN
    PERFORM public.require_role('admin');
    PERFORM public.require_fresh_proof();
    SELECT * INTO writer FROM public.who();
    -- As every writer does: what is being applied now is applied before it, and nothing after it.
    PERFORM FROM public.chain_head FOR UPDATE;
    IF p_ends_at <= clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%s is in the past', public.utc_text(p_ends_at)),
            HINT = 'a freeze ends in the future';
    END IF;
    INSERT INTO public.freezes (scope, starts_at, ends_at, breakers, reason, declared_by, proof)
    VALUES (p_scope, coalesce(p_starts_at, clock_timestamp()), p_ends_at,
            ARRAY(SELECT DISTINCT person FROM unnest(p_breakers) AS person ORDER BY person), p_reason, writer.person, writer.proof)
    RETURNING * INTO made;
    PERFORM public.note_access('freeze_declared', writer.person, NULL, NULL, writer.person, to_jsonb(made));
    -- A transaction that does not see the freeze yet (REPEATABLE READ) fails on the head.
    UPDATE public.chain_head SET id = id;
    RETURN made;
END
$$;

COMMENT ON FUNCTION public.declare_freeze(p_scope text, p_starts_at timestamp with time zone, p_ends_at timestamp with time zone, p_breakers text[], p_reason text) IS 'Declares a window in which nothing is applied but restores; from now on where no start is given.';

CREATE FUNCTION public.declared_values() RETURNS TABLE(catalogue text, key text, parts text[], parameter text, library_name text, range text[])
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT d.hash, v.* FROM public.catalogues_in_force() AS named (hash)
    JOIN public.catalogue_declarations AS d USING (hash)
    CROSS JOIN LATERAL jsonb_to_recordset(d.declares -> 'values') AS v (key text, parts text[], parameter text, library_name text, range text[])
$$;

COMMENT ON FUNCTION public.declared_values() IS 'The parameters that the catalogues in force declare: a key each, of a model, a timeframe or whatever its parts are, with the keys of its range.';

CREATE FUNCTION public.document_diff(before jsonb, after jsonb) RETURNS jsonb
    LANGUAGE sql STABLE STRICT
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN (WITH differing AS MATERIALIZED (SELECT z.old_key, z.old, z.new_key, z.new FROM ROWS FROM(jsonb_each(document_diff.before), jsonb_each(document_diff.after)) z(old_key, old, new_key, new) WHERE ((z.old_key IS DISTINCT FROM z.new_key) OR ((z.old)::text <> (z.new)::text))) SELECT COALESCE(jsonb_agg(CASE WHEN (o.key IS NULL) THEN jsonb_build_object('key', n.key, 'op', 'add', 'new', n.value) WHEN (n.key IS NULL) THEN jsonb_build_object('key', o.key, 'op', 'remove', 'old', o.value) ELSE jsonb_build_object('key', n.key, 'op', 'replace', 'old', o.value, 'new', n.value) END ORDER BY (COALESCE(n.key, o.key) COLLATE "C")), '[]'::jsonb) AS "coalesce" FROM ((SELECT differing.old_key, differing.old FROM differing WHERE (differing.old_key IS NOT NULL)) o(key, value) FULL JOIN (SELECT differing.new_key, differing.new FROM differing WHERE (differing.new_key IS NOT NULL)) n(key, value) ON ((n.key = o.key))) WHERE ((o.value)::text IS DISTINCT FROM (n.value)::text));

CREATE FUNCTION public.document_diff_at(before jsonb, after jsonb, hint text[]) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    old jsonb := (SELECT coalesce(jsonb_object_agg(DISTINCT key, before -> key), '{}') FROM unnest(hint) AS key WHERE before ? key);
    new jsonb := (SELECT coalesce(jsonb_object_agg(DISTINCT key, after -> key), '{}') FROM unnest(hint) AS key WHERE after ? key);
BEGIN
    -- The hint is never believed: all else must be the same bytes, and the same bytes are the same text.
    IF cardinality(hint) > 0 AND record_image_eq(ROW((CASE WHEN after ?& hint THEN before ELSE before - hint END) || new), ROW(after)) THEN
        RETURN public.document_diff(old, new);
    END IF;
    RETURN public.document_diff(before, after);
END
$$;

COMMENT ON FUNCTION public.document_diff_at(before jsonb, after jsonb, hint text[]) IS 'The same diff, sooner where only keys of the hint differ; a hint that is wrong changes nothing.';

CREATE FUNCTION public.document_hash(document text) RETURNS text
    LANGUAGE sql STABLE STRICT
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN encode(sha256(convert_to(document, 'UTF8'::name)), 'hex'::text);

COMMENT ON FUNCTION public.document_hash(document text) IS 'The one hash: of a document''s text, never of a re-serialisation.';

CREATE FUNCTION public.drop_month(p_table text, p_month date) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
DECLARE
    month timestamp := date_trunc('month', p_month::timestamp);
    named text := public.name_of_month(p_table, month);
    cited text;
    gone  public.dropped_months;
BEGIN
    IF NOT EXISTS (SELECT FROM public.month_tables() AS t WHERE t.name = p_table) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('%L is no table that is split by month', p_table),
            HINT = (SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM public.month_tables() AS t);
    END IF;
    IF (month + interval '1 month')::timestamptz > clock_timestamp() - interval '14 days' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('%s is not over for 14 days: nothing younger goes', to_char(month, 'YYYY-MM')),
            HINT = 'drop an older month';
    END IF;
    PERFORM pg_advisory_xact_lock(x'5E7B019'::bigint);
    IF to_regclass(format('public.%I', named)) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('%s has no month %s', p_table, to_char(month, 'YYYY-MM')),
            HINT = 'it was dropped, or nothing came in it';
    END IF;
    SELECT string_agg(format('run %s, cited by %s', c.run, c.cited_by), '; ') INTO cited
    FROM public.cited_in_month(p_table, month::date) AS c;
    IF cited IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('%s %s holds %s: it stays', p_table, to_char(month, 'YYYY-MM'), cited),
            HINT = 'set a newer baseline, or decide the change, first';
    END IF;
    INSERT INTO public.dropped_months AS d (of_table, month, rows, hash, first_at, last_at)
    SELECT p_table, month::date, s.rows, s.hash, s.first_at, s.last_at FROM public.summarise_month(p_table, month::date) AS s
    RETURNING d.* INTO gone;
    EXECUTE format('DROP TABLE public.%I', named);
    PERFORM public.note_access('month_dropped', public.owner_of_tables(), '', NULL, public.owner_of_tables(),
                               public.told_of_month(gone));
    RETURN gone.rows;
END
$$;

COMMENT ON FUNCTION public.drop_month(p_table text, p_month date) IS 'Removes one month of a table for good, as the owner of the tables; says how many rows that were. What is known of it stays.';

CREATE TABLE public.freeze_ends (
    freeze_id bigint NOT NULL,
    reason text NOT NULL,
    ended_by text NOT NULL,
    proof text NOT NULL,
    ended_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT freeze_ends_reason_check CHECK (public.says_something(reason))
);

COMMENT ON TABLE public.freeze_ends IS 'Who ended a freeze before its time, and why.';

CREATE FUNCTION public.end_freeze(p_id bigint, p_reason text) RETURNS public.freeze_ends
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    writer record;
    ended  public.freeze_ends;
BEGIN
    PERFORM public.require_role('admin');
    PERFORM public.require_fresh_proof();
    SELECT * INTO writer FROM public.who();
    PERFORM FROM public.chain_head FOR UPDATE;
    IF NOT EXISTS (SELECT FROM public.freezes WHERE id = p_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no freeze %s', p_id), HINT = 'list them with `setpoint freeze list`';
    END IF;
    IF NOT EXISTS (SELECT FROM public.freezes WHERE id = p_id AND ends_at > clock_timestamp())
            OR EXISTS (SELECT FROM public.freeze_ends WHERE freeze_id = p_id) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('freeze %s has ended already', p_id),
            HINT = '`setpoint freeze list --all` says when, and who ended it';
    END IF;
    INSERT INTO public.freeze_ends (freeze_id, reason, ended_by, proof) VALUES (p_id, p_reason, writer.person, writer.proof)
    RETURNING * INTO ended;
    PERFORM public.note_access('freeze_ended', writer.person, NULL, NULL, writer.person, to_jsonb(ended));
    RETURN ended;
END
$$;

COMMENT ON FUNCTION public.end_freeze(p_id bigint, p_reason text) IS 'Ends a freeze before its time, by a row that stays.';

CREATE FUNCTION public.end_other_sessions(p_remote text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.presented();
BEGIN
    RETURN (SELECT count(public.end_session(c.id, p_remote)) FROM public.credentials AS c
            WHERE c.account = s.account AND c.kind = 'session' AND c.id <> s.id AND c.revoked_at IS NULL
              AND c.expires_at > clock_timestamp());
END
$$;

COMMENT ON FUNCTION public.end_other_sessions(p_remote text) IS 'Ends every session of the caller but this one, and says how many.';

CREATE FUNCTION public.end_session(p_id bigint, p_remote text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    actor text := public.owner_of_tables();
    everything boolean := actor IS NOT NULL;
    holder text;
    s record;
BEGIN
    -- No fresh proof: it gives nobody anything, and must be quick.
    IF actor IS NULL THEN
        s := public.presented();
        actor := s.account;
        everything := 'admin' = ANY (s.roles) AND s.kind = 'session';
    END IF;
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE id = p_id AND kind = 'session' AND revoked_at IS NULL AND expires_at > clock_timestamp()
      AND (everything OR account = actor)
    RETURNING account INTO holder;
    IF holder IS NULL THEN
        -- Somebody else's is as missing as none.
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no session %s', p_id),
            HINT = 'look it up with `setpoint sessions list`';
    END IF;
    PERFORM public.note_access('session_ended', holder, p_remote, p_id, actor, '{}');
    RETURN holder;
END
$$;

CREATE TABLE public.credentials (
    id bigint NOT NULL,
    hash bytea NOT NULL,
    kind text NOT NULL,
    account text NOT NULL,
    label text NOT NULL,
    roles text[],
    dimensions text[],
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_by text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    last_used_from text,
    last_used_by text DEFAULT ''::text NOT NULL,
    proven_at timestamp with time zone DEFAULT clock_timestamp(),
    challenge bytea,
    challenge_ends_at timestamp with time zone,
    CONSTRAINT a_label_is_a_name CHECK (public.is_name(label)),
    CONSTRAINT credentials_challenge_check CHECK ((length(challenge) = 32)),
    CONSTRAINT credentials_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT credentials_kind_check CHECK ((kind = ANY (ARRAY['session'::text, 'token'::text, 'once'::text, 'begun'::text]))),
    CONSTRAINT flags_are_read_by_tokens CHECK (((dimensions IS NULL) OR ((kind = 'token'::text) AND (roles IS NULL))))
);

COMMENT ON TABLE public.credentials IS 'Secrets by their SHA-256: they have 256 random bits, so nothing slower is needed.';

COMMENT ON COLUMN public.credentials.kind IS 'begun: a password was right, and a passkey is awaited; it lets nobody in.';

COMMENT ON COLUMN public.credentials.roles IS 'What a token is limited to; null is all of its account. Roles taken from the account are gone from its tokens.';

COMMENT ON COLUMN public.credentials.dimensions IS 'Of a token that reads flags and nothing else: by what it asks, as symbol or symbol=BTCUSDC; null is any other.';

COMMENT ON COLUMN public.credentials.last_used_by IS 'What used it calls itself: a browser''s User-Agent, or whatever a program says.';

COMMENT ON COLUMN public.credentials.proven_at IS 'Of a session: when its holder last proved who they are; null where a provider does not say when that was. See require_fresh_proof.';

COMMENT ON COLUMN public.credentials.challenge IS 'What a passkey is to sign next for this session or login; it is taken once.';

CREATE FUNCTION public.ends_soon(c public.credentials) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Two weeks, or the last tenth of a shorter life.
    SELECT c.kind = 'token' AND c.expires_at < clock_timestamp() + least(interval '14 days', (c.expires_at - c.created_at) / 10)
$$;

CREATE FUNCTION public.facts_of(change public.changes) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN jsonb_build_object('change', (change).id, 'scope', (change).scope, 'author', (change).author, 'reason', "left"((change).reason, 2000), 'kinds', (change).kinds, 'proposal_hash', (change).proposal_hash);

CREATE TABLE public.obligations (
    id bigint NOT NULL,
    incident text NOT NULL,
    kind text NOT NULL,
    scope text,
    revision bigint,
    opened_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    met_at timestamp with time zone,
    met_by text,
    evidence jsonb,
    breach jsonb,
    CONSTRAINT met_by_somebody CHECK (((met_at IS NULL) = (met_by IS NULL))),
    CONSTRAINT obligations_kind_check CHECK ((kind = ANY (ARRAY['ordinary-write'::text, 'post-mortem'::text, 'validation'::text, 'decision'::text]))),
    CONSTRAINT of_a_revision_or_a_date CHECK ((((kind = 'decision'::text) = (scope IS NULL)) AND ((scope IS NULL) = (revision IS NULL))))
);

COMMENT ON TABLE public.obligations IS 'What a use of break-glass or a fired checkpoint owes, until when, and what met it; met late is met_at after due_at.';

COMMENT ON COLUMN public.obligations.incident IS 'Of a decision: the calendar and its checkpoint.';

COMMENT ON COLUMN public.obligations.breach IS 'The first ordinary write by a person in this scope that carried another reason; stays when it is met later.';

CREATE FUNCTION public.file_post_mortem(p_incident text, p_url text) RETURNS public.obligations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
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
$_$;

CREATE TABLE public.rollbacks (
    id bigint NOT NULL,
    change_id bigint,
    incident text,
    run text,
    mechanism text NOT NULL,
    person text,
    proof text NOT NULL,
    words text NOT NULL,
    preapproval bigint,
    restored_by bigint,
    filed_because text,
    evidence jsonb DEFAULT '{}'::jsonb NOT NULL,
    rolled_back_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT of_a_change_or_an_incident CHECK (((change_id IS NULL) = (incident IS NOT NULL))),
    CONSTRAINT rollbacks_incident_check CHECK (public.is_name(incident)),
    CONSTRAINT rollbacks_mechanism_check CHECK ((mechanism = ANY (ARRAY['image_pin'::text, 'restore'::text, 'break_glass'::text, 'revert'::text]))),
    CONSTRAINT rollbacks_words_check CHECK (public.says_something(words))
);

COMMENT ON TABLE public.rollbacks IS 'Changes in full that were rolled back, and ways back that were taken in an incident: who, or which run, when, and by which of the four mechanisms.';

COMMENT ON COLUMN public.rollbacks.restored_by IS 'The change that brings its keys back.';

COMMENT ON COLUMN public.rollbacks.filed_because IS 'Why that change waits for people; null where the pre-approval carried it.';

CREATE FUNCTION public.file_rollback(p_id bigint) RETURNS public.rollbacks
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.file_rollback(p_id bigint) IS 'Opens what brings the keys of a change in full back, where a later run says to roll back; with the pre-approval that carries it, or with why it waits for people.';

CREATE FUNCTION public.forget_answers() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    WITH gone AS (
        DELETE FROM public.idempotency WHERE created_at < clock_timestamp() - interval '1 day' RETURNING 1
    )
    SELECT count(*) FROM gone
$$;

COMMENT ON FUNCTION public.forget_answers() IS 'Removes answers that are a day old, which is all it can remove.';

CREATE FUNCTION public.forget_credentials() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    gone bigint := 0;
BEGIN
    -- Servers are told of a deletion as of a revocation, so there is none without something to delete.
    IF EXISTS (SELECT FROM public.credentials AS c WHERE public.is_long_over(c)) THEN
        DELETE FROM public.credentials AS c WHERE public.is_long_over(c);
        GET DIAGNOSTICS gone = ROW_COUNT;
    END IF;
    DELETE FROM public.kept_forms AS f WHERE f.kept_at < clock_timestamp() - interval '1 day';
    RETURN gone;
END
$$;

COMMENT ON FUNCTION public.forget_credentials() IS 'Removes credentials that are long over, and forms that were kept for a day, which is all it can remove; the access log keeps what they did.';

CREATE FUNCTION public.forget_notifications() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- One whose target no plane has any more is claimed by nobody.
    UPDATE public.deliveries SET state = 'failed', error = CASE error WHEN '' THEN 'no plane that runs has this target' ELSE error END
    WHERE state = 'waiting' AND since < clock_timestamp() - interval '25 hours';
    DELETE FROM public.notifications WHERE made_at < clock_timestamp() - interval '30 days'
$$;

COMMENT ON FUNCTION public.forget_notifications() IS 'Gives up what was not sent for a day, and removes what is 30 days old, which is all it can remove.';

CREATE FUNCTION public.freezes_over(change public.changes, moment timestamp with time zone) RETURNS SETOF public.freezes
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT f FROM public.freezes AS f
    WHERE f.ends_at > moment AND f.starts_at <= moment AND f.scope IN ('*', change.scope) AND change.restores IS NULL
      AND NOT EXISTS (SELECT FROM public.freeze_ends AS e WHERE e.freeze_id = f.id)
      AND NOT EXISTS (SELECT FROM public.freeze_breaks AS b WHERE b.freeze_id = f.id AND b.change_id = change.id
                      AND b.proposal_hash = change.proposal_hash)
$$;

COMMENT ON FUNCTION public.freezes_over(change public.changes, moment timestamp with time zone) IS 'The freezes that hold a change at an instant: not those that ended early, or were broken for just this proposal.';

CREATE FUNCTION public.frozen_until(change public.changes, moment timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    free_at timestamptz := moment;
    next_at timestamptz;
BEGIN
    -- One freeze may begin before another ends.
    LOOP
        SELECT max(f.ends_at) INTO next_at FROM public.freezes_over(change, free_at) AS f;
        -- A rollback of what made its scope names no revision that it restores, and is none the less one.
        EXIT WHEN next_at IS NULL OR public.is_rollback(change);
        free_at := next_at;
    END LOOP;
    RETURN nullif(free_at, moment);
END
$$;

COMMENT ON FUNCTION public.frozen_until(change public.changes, moment timestamp with time zone) IS 'When the freezes end that hold a change at an instant; null when none does.';

CREATE FUNCTION public.good_trials(p_run text) RETURNS TABLE(symbol text, model text, timeframe text, variant text, fold integer, params jsonb)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.good_trials(p_run text) IS 'The parameters of the best quarter of each unit''s trials, by the names of the catalogue.';

CREATE FUNCTION public.hands_behind(person text) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Through hands of hands: whom somebody's creature appointed is their creature too.
    WITH RECURSIVE hands AS (
        SELECT person AS hand
        UNION
        SELECT a.hand FROM hands AS h JOIN public.appointments AS a ON a.account = h.hand AND a.confirmed_by IS NULL
    )
    SELECT hand FROM hands
$$;

COMMENT ON FUNCTION public.hands_behind(person text) IS 'Who may be acting as this person, as far as nobody else has confirmed who it is; itself among them.';

CREATE FUNCTION public.utc_text(moment timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE STRICT
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN to_char((moment AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'::text);

CREATE FUNCTION public.hash_of_proposal(change public.changes, document text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN public.document_hash((jsonb_build_array('setpoint-proposal-v2', (change).edition, (change).scope, (change).kinds, (change).restores, (change).reason, public.utc_text((change).apply_at), document))::text);

COMMENT ON FUNCTION public.hash_of_proposal(change public.changes, document text) IS 'What an approval names: a document, by its hash, where and as what kind of change; a rebase to the same candidate keeps it, any other edit makes another edition.';

CREATE TABLE public.ftf_config_history (
    id bigint NOT NULL,
    scope text NOT NULL,
    base_env jsonb NOT NULL,
    hash text NOT NULL,
    diff jsonb NOT NULL,
    updated_by text NOT NULL,
    proof text NOT NULL,
    db_user text NOT NULL,
    change_reason text NOT NULL,
    source text NOT NULL,
    base_revision bigint,
    change_id bigint,
    review text NOT NULL,
    catalogues jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    previous_chain text NOT NULL,
    chain text NOT NULL
);

COMMENT ON TABLE public.ftf_config_history IS 'Every revision of every document, whole; append-only, gapless, chained.';

COMMENT ON COLUMN public.ftf_config_history.proof IS 'How updated_by was proven; database-login means only db_user was.';

COMMENT ON COLUMN public.ftf_config_history.base_revision IS 'The revision this one replaced; null for the first of a scope.';

COMMENT ON COLUMN public.ftf_config_history.change_id IS 'The change that was applied; null for SQL written by hand.';

COMMENT ON COLUMN public.ftf_config_history.review IS 'approved, unreviewed (a declared solo policy), break-glass, or none (SQL written by hand).';

CREATE FUNCTION public.history_chain_v1(h public.ftf_config_history) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN public.document_hash((jsonb_build_array('setpoint-chain-v1', (h).id, (h).scope, (h).hash, (h).diff, (h).updated_by, (h).proof, (h).db_user, (h).change_reason, (h).source, (h).base_revision, (h).change_id, (h).review, (h).catalogues, to_char(((h).created_at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'::text), (h).previous_chain))::text);

CREATE FUNCTION public.hold_registered() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.hold_registered() IS 'Holds that a registered run pins what it was registered for: the candidate, or what stands.';

CREATE FUNCTION public.holds_nothing() RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN (SELECT id = 0 FROM public.chain_head) AND NOT EXISTS (SELECT FROM public.changes)
        AND NOT EXISTS (SELECT FROM public.finetune_runs);
END
$$;

COMMENT ON FUNCTION public.holds_nothing() IS 'Whether no revision, change or run was ever recorded here.';

CREATE FUNCTION public.how_to_approve(change public.changes) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
    SELECT coalesce(string_agg(format(CASE door
            WHEN 'plane' THEN '%1$s: on the page /changes/%2$s of the Console, or POST /v1/changes/%2$s/approve'
            ELSE '%s: `setpoint change approve %s` with a database login of their own' END, names, change.id),
            '; ' ORDER BY door),
        'nobody who may is left: an admin appoints an approver with `setpoint accounts add NAME --role approver`')
    FROM (SELECT m.door, array_to_string((array_agg(m.person ORDER BY m.person))[:5], ', ')
                 || CASE WHEN count(*) > 5 THEN format(' and %s more', count(*) - 5) ELSE '' END AS names
          FROM public.may_approve(change) AS m
          WHERE m.person NOT IN (SELECT a.person FROM public.approvals_of(change) AS a)
          GROUP BY m.door) AS asked
$_$;

CREATE FUNCTION public.how_to_break(change public.changes, moment timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Whoever may break each of those that hold it.
    WITH over AS (SELECT * FROM public.freezes_over(change, moment)
    ), may AS (
        SELECT person FROM over, unnest(over.breakers) AS person
        GROUP BY person HAVING count(DISTINCT over.id) = (SELECT count(*) FROM over)
    )
    SELECT CASE count(*) WHEN 0 THEN 'nobody may break it' ELSE format('%s may break it: `setpoint change apply %s --break-freeze "..."`',
        string_agg(person, ' or ' ORDER BY person), change.id) END
    FROM may
$$;

CREATE FUNCTION public.how_to_check(change public.changes, kind text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN format('`setpoint sweep --change %s%s` as a robot that %s neither owns nor made'::text, (change).id, CASE kind WHEN 'smoke'::text THEN ' --smoke'::text ELSE ''::text END, (change).author);

CREATE FUNCTION public.how_to_resume(change public.changes) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN 'policy' = ANY (change.kinds) THEN format('`setpoint change withdraw %s`, then set the policy again', change.id)
                WHEN change.restores IS NULL THEN format('`setpoint change amend %s` puts it over what stands now', change.id)
                ELSE format('`setpoint change withdraw %s`, then restore again', change.id) END
$$;

CREATE FUNCTION public.how_to_roll_out(p_change bigint) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM public.rollouts AS r WHERE r.change_id = p_change)
                THEN format('`setpoint rollout show %s` says what comes next', p_change)
                ELSE format('`setpoint rollout start %s shadow` begins it', p_change) END
$$;

CREATE FUNCTION public.import_revision(revision jsonb) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.import_revision(revision jsonb) IS 'Appends an exported revision as it was; says why not, empty when it did.';

CREATE FUNCTION public.is_carried(p_change bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM public.rollbacks AS b JOIN public.changes AS back ON back.id = b.restored_by
                   WHERE b.restored_by = p_change AND b.filed_because IS NULL AND public.is_rollback(back))
$$;

COMMENT ON FUNCTION public.is_carried(p_change bigint) IS 'Whether a change is, as it stands, the restore that a verdict asked for and a pre-approval, or the solo policy, carries.';

CREATE FUNCTION public.is_disabled(person text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM public.accounts AS a WHERE a.name = person AND a.disabled_at IS NOT NULL)
$$;

CREATE FUNCTION public.is_long_over(held public.credentials) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Tokens are listed for a month after their end, so that their maker sees what became of them.
    SELECT least(held.expires_at, held.revoked_at)
         < clock_timestamp() - CASE held.kind WHEN 'token' THEN interval '30 days' ELSE interval '1 day' END
$$;

CREATE TABLE public.finetune_contexts (
    run_id text NOT NULL,
    context jsonb NOT NULL,
    snapshot_hash text NOT NULL,
    layers jsonb NOT NULL
);

COMMENT ON TABLE public.finetune_contexts IS 'The snapshots of a run: the base, and one for each context that its units resolve in.';

CREATE FUNCTION public.is_moved_by(change public.changes, p_context public.finetune_contexts) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN ((p_context).layers @> jsonb_build_array(jsonb_build_object('scope', (change).scope)));

COMMENT ON FUNCTION public.is_moved_by(change public.changes, p_context public.finetune_contexts) IS 'Whether a change has a say in what a context of a run pinned: others are the same for every candidate of it.';

CREATE FUNCTION public.is_named(name text, patterns jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- A pattern is a whole name, or what names begin with and a star. None at all names everything.
    SELECT patterns IS NULL OR EXISTS (
        SELECT FROM jsonb_array_elements_text(patterns) AS p
        WHERE name = p OR (right(p, 1) = '*' AND starts_with(name, left(p, -1))))
$$;

CREATE FUNCTION public.is_overridden(change public.changes) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.is_overridden(change public.changes) IS 'Whether two people, or one where policy declares it, said that a change is applied without a passing canary.';

CREATE FUNCTION public.is_plane() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- By the login, for a plane that was taken over could leave its role. The owner of the tables is no plane,
    -- though PostgreSQL counts it (and a superuser) as a member of every role.
    SELECT current_setting('role') = 'setpoint_server'
        OR (EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_server' AND pg_has_role(session_user, g.oid, 'MEMBER'))
            AND NOT (SELECT pg_has_role(session_user, relowner, 'MEMBER') FROM pg_class WHERE oid = 'public.accounts'::regclass))
$$;

COMMENT ON FUNCTION public.is_plane() IS 'Whether this session is a plane''s, which speaks for nobody by itself.';

CREATE FUNCTION public.is_robot(name text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM public.accounts AS a WHERE a.name = is_robot.name AND 'robot' = ANY (a.roles))
        OR EXISTS (SELECT FROM pg_roles AS r JOIN pg_roles AS g ON g.rolname = 'setpoint_robot'
                   WHERE r.rolname = is_robot.name AND NOT r.rolsuper AND pg_has_role(r.oid, g.oid, 'MEMBER'));
END
$$;

CREATE FUNCTION public.is_rollback(change public.changes) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM public.rollbacks AS b WHERE b.restored_by = change.id AND public.brings_back(change, b.change_id))
$$;

COMMENT ON FUNCTION public.is_rollback(change public.changes) IS 'Whether an open change is, as it stands, the restore that a verdict asked for.';

CREATE FUNCTION public.issue_once(p_account text, p_hash bytea, p_remote text, OUT expires_at timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    actor text := public.require_admin();
    held public.accounts := public.account_named(p_account);
    made bigint;
BEGIN
    IF held.waits_since IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('%s waits since a backup was brought back', p_account),
            HINT = format('say first that it may still come in: `setpoint accounts confirm %s`', p_account);
    ELSIF held.disabled_at IS NOT NULL OR 'robot' = ANY (held.roles) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('%s does not log in: disabled, or a robot', p_account),
            HINT = 'robots use tokens';
    END IF;
    expires_at := clock_timestamp() + interval '1 hour';
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE account = p_account AND kind = 'once' AND revoked_at IS NULL;
    INSERT INTO public.credentials (hash, kind, account, label, created_by, expires_at)
    VALUES (p_hash, 'once', p_account, 'one-time login', actor, expires_at) RETURNING id INTO made;
    PERFORM public.note_hand(p_account, 'login', actor);
    PERFORM public.note_access('once_issued', p_account, p_remote, made, actor, '{}');
END
$$;

CREATE FUNCTION public.issue_token(p_account text, p_hash bytea, p_label text, p_roles text[], p_days integer, p_remote text, p_dimensions text[], OUT id bigint, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
DECLARE
    actor text := public.owner_of_tables();
    s record;
    held public.accounts;
BEGIN
    IF actor IS NULL THEN
        s := public.presented();
        actor := s.account;
        IF s.kind <> 'session' THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a token does not make tokens',
                HINT = 'log in and make it in a session';
        END IF;
        IF p_account = s.account AND s.proof = 'one-time-login' THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a one-time login makes no token of its account',
                HINT = 'set a password, log in with it, and make it then';
        END IF;
        -- A token of a person is that person's to make: an admin who made one could write in their name.
        IF p_account <> s.account AND NOT ('admin' = ANY (s.roles) AND EXISTS
                (SELECT FROM public.accounts AS a WHERE a.name = p_account AND 'robot' = ANY (a.roles))) THEN
            RAISE EXCEPTION USING ERRCODE = 'SP403',
                MESSAGE = 'a token is made by its own account, or by an admin for a robot',
                HINT = 'log in as that account';
        END IF;
        PERFORM public.require_fresh_proof();
    END IF;
    held := public.account_named(p_account);
    IF held.disabled_at IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('the account %s is disabled', p_account),
            HINT = 'enable it first';
    END IF;
    IF NOT coalesce(p_roles, '{}') <@ held.roles OR cardinality(p_roles) = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422',
            MESSAGE = format('%s has the roles %s', p_account, coalesce(nullif(array_to_string(held.roles, ', '), ''), 'none')),
            HINT = 'a token is limited to some of the roles of its account';
    END IF;
    IF p_dimensions IS NOT NULL AND (p_roles IS NOT NULL OR cardinality(p_dimensions) > 100 OR EXISTS (
            SELECT FROM unnest(p_dimensions) AS d WHERE coalesce(d !~ '^[a-z][a-z0-9_]{0,62}(=.{1,200})?$', true) OR NOT public.is_name(d))) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a token for flags has no roles, and asks by up to 100 dimensions or values of one',
            HINT = 'name them as symbol or symbol=BTCUSDC';
    END IF;
    IF p_days IS NULL OR p_days NOT BETWEEN 1 AND 366 OR NOT public.says_something(p_label) OR length(p_label) > 200 THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a token lives 1 to 366 days and has a label',
            HINT = 'say what it is for, in 200 characters at most';
    END IF;
    expires_at := clock_timestamp() + make_interval(days => p_days);
    account := p_account;
    roles := CASE WHEN p_dimensions IS NULL THEN coalesce(p_roles, held.roles) ELSE '{}' END;
    INSERT INTO public.credentials (hash, kind, account, label, roles, dimensions, created_by, expires_at)
    VALUES (p_hash, 'token', p_account, p_label, p_roles, p_dimensions, actor, expires_at)
    RETURNING credentials.id INTO id;
    PERFORM public.note_access('token_issued', p_account, p_remote, id, actor, jsonb_strip_nulls(
        jsonb_build_object('label', p_label, 'roles', roles, 'expires_at', expires_at, 'dimensions', p_dimensions)));
END
$_$;

CREATE FUNCTION public.judge_checkpoint(p_calendar text, p_checkpoint text, p_due_at timestamp with time zone, p_decide_by timestamp with time zone, p_passed boolean, p_evidence jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    IF p_due_at IS NULL OR clock_timestamp() < p_due_at THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%s is not due before %s', p_checkpoint, p_due_at),
            HINT = 'check it again then';
    END IF;
    INSERT INTO public.checkpoint_log (calendar, checkpoint, event, said, evidence, person)
    SELECT p_calendar, p_checkpoint, CASE WHEN p_passed THEN 'passed' ELSE 'fired' END, '', p_evidence, person
    FROM public.who()
    ON CONFLICT DO NOTHING;
    IF FOUND AND NOT p_passed THEN
        INSERT INTO public.obligations (incident, kind, opened_at, due_at)
        VALUES (p_calendar || ' ' || p_checkpoint, 'decision', clock_timestamp(), p_decide_by);
    END IF;
END
$$;

COMMENT ON FUNCTION public.judge_checkpoint(p_calendar text, p_checkpoint text, p_due_at timestamp with time zone, p_decide_by timestamp with time zone, p_passed boolean, p_evidence jsonb) IS 'Says once that a due checkpoint passed or fired; one that fired owes a decision.';

CREATE FUNCTION public.judge_ordinary_write() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

CREATE FUNCTION public.keep_change(change public.changes, p_draft boolean, p_whole boolean DEFAULT true) RETURNS public.changes
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    kept public.changes;
BEGIN
    -- Not whole: the caller applies it in the same call, and the document goes into history alone.
    INSERT INTO public.changes (scope, kinds, base_revision, proposal, edits, edition, proposal_hash, judged_at,
                                restores, author, proof, reason, evidence, source, traceparent, catalogues, state, apply_at, proposed_at)
    VALUES (change.scope, change.kinds, change.base_revision, CASE WHEN p_whole THEN change.proposal ELSE '{}' END, change.edits, change.edition,
            change.proposal_hash, change.judged_at, change.restores, change.author, change.proof, change.reason,
            coalesce(change.evidence, '{}'), change.source, change.traceparent, change.catalogues, CASE WHEN p_draft THEN 'draft' ELSE 'proposed' END,
            change.apply_at, CASE WHEN p_draft THEN NULL ELSE clock_timestamp() END)
    RETURNING * INTO kept;
    kept.proposal := change.proposal;
    RETURN kept;
END
$$;

CREATE FUNCTION public.keep_declaration(p_hash text, p_declares jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.keep_declaration(p_hash text, p_declares jsonb) IS 'Keeps what a registered catalogue declares, once; refuses whoever reads something else in the same text.';

CREATE FUNCTION public.keep_form(p_secret text, p_hash bytea, p_path text, p_fields jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    author text;
BEGIN
    SELECT c.account INTO author FROM public.credentials AS c
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind = 'session'
      AND least(c.revoked_at, c.expires_at) > clock_timestamp() - interval '1 day';
    IF author IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'nobody''s session sent this form';
    END IF;
    INSERT INTO public.kept_forms (hash, account, path, fields) VALUES (p_hash, author, p_path, p_fields);
    -- The newest twenty of a person, for a day.
    DELETE FROM public.kept_forms AS f WHERE f.account = author AND f.hash NOT IN (
        SELECT k.hash FROM public.kept_forms AS k WHERE k.account = author ORDER BY k.kept_at DESC LIMIT 20);
END
$$;

COMMENT ON FUNCTION public.keep_form(p_secret text, p_hash bytea, p_path text, p_fields jsonb) IS 'Keeps a form for whoever''s session sent it, which may have ended within a day; it lets nobody in.';

CREATE FUNCTION public.keep_passkey(p_key bytea, p_public_key bytea, p_sign_count bigint, p_label text, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.require_own_password();
BEGIN
    IF (SELECT count(*) FROM public.passkeys AS k WHERE k.account = s.account) >= 10 THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = 'an account has ten passkeys at most', HINT = 'remove one first';
    END IF;
    INSERT INTO public.passkeys (key, account, label, public_key, sign_count)
    VALUES (p_key, s.account, p_label, p_public_key, p_sign_count);
    PERFORM public.note_access('passkey_added', s.account, p_remote, s.id, s.account, jsonb_build_object('label', p_label));
END
$$;

CREATE FUNCTION public.keep_password_anew(p_name text, p_key bytea, p_parameters text, p_verifier bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    UPDATE public.accounts SET password_parameters = p_parameters, password_verifier = p_verifier
    WHERE name = p_name AND password_verifier = sha256(p_key)
$$;

COMMENT ON FUNCTION public.keep_password_anew(p_name text, p_key bytea, p_parameters text, p_verifier bytea) IS 'The same password under newer costs; for whoever has just proven it.';

CREATE FUNCTION public.keep_read_set(read jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.keep_read_set(read jsonb) IS 'Keeps a set of keys once, and names it by its hash.';

CREATE FUNCTION public.keep_snapshot(p_frame json) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    named  text;
    latest bigint;
BEGIN
    -- What a plane hands out is put together here again, from the revisions that the frame names, so that it
    -- can be kept on nobody's word: a scope, hash, author or value that history does not say is refused.
    WITH told AS (
        SELECT position, layer ->> 'scope' AS scope, h.id, h.base_env, (layer -> 'keys')::jsonb AS keys
        FROM json_array_elements(p_frame -> 'layers') WITH ORDINALITY AS of_frame (layer, position)
        LEFT JOIN public.ftf_config_history AS h ON h.id = (layer ->> 'revision')::bigint AND h.scope = layer ->> 'scope'
            AND h.hash = layer ->> 'hash' AND h.updated_by = layer ->> 'author'
            AND (layer -> 'change' IS NULL OR layer ->> 'change' IS NOT DISTINCT FROM h.change_id::text)
            AND coalesce(layer ->> 'written_at', '')
                IN ('', to_char(h.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    ), overridden AS (
        SELECT DISTINCT key FROM told, jsonb_object_keys(base_env) AS key WHERE position > 1
    )
    SELECT public.document_merge(base_env ORDER BY position)::text, max(id) INTO named, latest
    FROM told
    HAVING bool_and(base_env IS NOT NULL
        AND (scope = 'global' OR p_frame -> 'context' ->> split_part(scope, '=', 1) = substr(scope, strpos(scope, '=') + 1))
        AND keys = CASE WHEN position > 1 THEN base_env ELSE (
            SELECT coalesce(jsonb_object_agg(key, base_env -> key), '{}') FROM overridden WHERE base_env ? key) END);
    IF named IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a snapshot is kept only as revisions of its context make it',
            HINT = 'run `setpoint verify`: a document may not be what its history says';
    END IF;
    INSERT INTO public.snapshots (hash, text) VALUES (public.document_hash(named), named) ON CONFLICT (hash) DO NOTHING;
    INSERT INTO public.snapshot_frames (hash, frame, newest) VALUES (public.document_hash(named), p_frame, latest) ON CONFLICT (hash) DO NOTHING;
    RETURN public.document_hash(named);
END
$$;

COMMENT ON FUNCTION public.keep_snapshot(p_frame json) IS 'Keeps what was handed out, and returns its hash: made of revisions here, whatever the frame tells.';

CREATE FUNCTION public.kept_form(p_hash bytea, OUT path text, OUT fields jsonb) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.presented();
BEGIN
    SELECT f.path, f.fields INTO path, fields FROM public.kept_forms AS f
    WHERE f.hash = p_hash AND f.account = s.account AND f.kept_at > clock_timestamp() - interval '1 day';
END
$$;

COMMENT ON FUNCTION public.kept_form(p_hash bytea, OUT path text, OUT fields jsonb) IS 'A form that is kept, for its author alone; nulls for anybody else''s.';

CREATE FUNCTION public.keys_of(change public.changes) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN 'policy' = ANY (change.kinds) THEN NULL
                ELSE ARRAY(SELECT e ->> 'key' FROM jsonb_array_elements(change.edits) AS e) END
$$;

CREATE FUNCTION public.kinds_of(old jsonb, edits jsonb, restores bigint, is_policy boolean) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
    -- Judged here and not told by the caller: a range cannot pass as a value.
    SELECT CASE WHEN is_policy THEN ARRAY['policy'] ELSE array_remove(ARRAY[
        CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(edits) AS e
                          WHERE e ->> 'key' !~ '_RANGE_(MIN|MAX|SCALE)$') THEN 'value' END,
        CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(edits) AS e
                          WHERE e ->> 'key' ~ '_RANGE_(MIN|MAX|SCALE)$') THEN 'range' END,
        -- Making an overlay, emptying it (retiring it) and filling an emptied one again.
        CASE WHEN old IS NULL OR old = '{}' OR (
            SELECT bool_and(e ->> 'op' = 'remove') AND count(*) = (SELECT count(*) FROM jsonb_object_keys(old))
            FROM jsonb_array_elements(edits) AS e) THEN 'scope' END,
        CASE WHEN restores IS NOT NULL THEN 'restore' END], NULL) END
$_$;

CREATE FUNCTION public.lacking_checks(change public.changes) RETURNS TABLE(kind text, why text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.lacking_checks(change public.changes) IS 'The checks that policy asks for and a change has not passed, each with why.';

CREATE FUNCTION public.left_without_approval(p_scope text, p_kind text, p_approvals integer) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Who may propose changes of this kind somewhere, and has fewer others whose role reaches there than a policy
    -- would ask for.
    WITH places AS MATERIALIZED (SELECT * FROM public.places_of(p_scope, p_kind)
    ), logins AS (
        SELECT r.rolname::text AS person FROM pg_roles AS r WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> 'setpoint_app'
          AND EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_app' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
          AND NOT EXISTS (SELECT FROM pg_roles AS g WHERE g.rolname = 'setpoint_server' AND pg_has_role(r.oid, g.oid, 'MEMBER'))
    ), authors AS (
        SELECT person, scope, keys FROM logins, places
        UNION
        SELECT a.name, p.scope, p.keys FROM public.accounts AS a, places AS p
        WHERE a.disabled_at IS NULL AND EXISTS (
            SELECT FROM unnest(a.roles) AS role
            WHERE role = ANY (CASE WHEN p.keys IS NULL THEN ARRAY['admin'] ELSE ARRAY['config_write', 'admin'] END)
              AND public.reaches(a.limits, role, p.scope, p.keys))
    ), pairs AS MATERIALIZED (
        SELECT author, approver FROM (SELECT DISTINCT person FROM authors) AS w (author), public.approvers() AS approver
        WHERE public.counts_for(approver, author)
    )
    SELECT DISTINCT w.person FROM authors AS w
    WHERE p_approvals > (
        SELECT count(*) FROM pairs AS p
        WHERE p.author = w.person
          AND (p.approver IN (SELECT public.approving_logins()) OR EXISTS (
               SELECT FROM public.accounts AS c WHERE c.name = p.approver AND public.reaches(c.limits, 'approver', w.scope, w.keys))))
    ORDER BY 1
$$;

COMMENT ON FUNCTION public.left_without_approval(p_scope text, p_kind text, p_approvals integer) IS 'Whose changes nobody could approve under a policy of so many approvals, in at least one place.';

CREATE FUNCTION public.link_identity(p_name text, p_issuer text, p_subject text, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    actor text := public.require_admin();
BEGIN
    IF 'robot' = ANY ((public.account_named(p_name)).roles) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('%s does not log in: a robot', p_name),
            HINT = 'robots use tokens';
    END IF;
    IF NOT EXISTS (SELECT FROM public.identity_providers WHERE issuer = p_issuer) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('%L is no provider that is believed', p_issuer),
            HINT = 'the owner of the database says so with `setpoint accounts provider ISSUER --role ROLE`';
    END IF;
    UPDATE public.accounts SET issuer = p_issuer, subject = p_subject WHERE name = p_name;
    -- A link says anew who the person is: whoever came in as this account before notices, being out.
    IF p_name <> actor THEN
        UPDATE public.accounts SET password_parameters = NULL, password_verifier = NULL WHERE name = p_name;
        DELETE FROM public.passkeys AS k WHERE k.account = p_name;
        UPDATE public.credentials SET revoked_at = clock_timestamp()
        WHERE account = p_name AND kind IN ('session', 'once', 'begun') AND revoked_at IS NULL;
        PERFORM public.note_hand(p_name, 'identity', actor);
    END IF;
    PERFORM public.note_access('account_changed', p_name, p_remote, NULL, actor,
        jsonb_build_object('issuer', p_issuer, 'subject', p_subject));
END
$$;

CREATE FUNCTION public.lock_change(p_id bigint) RETURNS public.changes
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes;
BEGIN
    -- The head first, as every writer does: transactions that do several of these things cannot deadlock.
    PERFORM FROM public.chain_head FOR UPDATE;
    SELECT * INTO change FROM public.changes WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no change %s', p_id),
            HINT = 'list them with `setpoint change list`';
    END IF;
    IF change.state NOT IN ('draft', 'proposed', 'suspended') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s is %s already', p_id, change.state),
            HINT = format('`setpoint change show %s` says who decided and why', p_id);
    END IF;
    RETURN change;
END
$$;

CREATE FUNCTION public.log_checkpoint(p_calendar text, p_checkpoint text, p_event text, p_said text, p_evidence jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    IF p_event IS NULL OR p_event NOT IN ('issue', 'shipped') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%L is not said this way', p_event),
            HINT = 'name issue or shipped';
    END IF;
    INSERT INTO public.checkpoint_log (calendar, checkpoint, event, said, evidence, person)
    SELECT p_calendar, p_checkpoint, p_event, p_said, p_evidence, person FROM public.who()
    ON CONFLICT DO NOTHING;
END
$$;

CREATE FUNCTION public.login_facts(p_name text, p_remote text, OUT parameters text, OUT wait_s integer) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    tried text := public.login_name(p_name);
BEGIN
    wait_s := public.login_wait(tried, p_remote);
    IF wait_s > 0 THEN
        -- Once a minute: whoever is refused does not fill the log.
        IF NOT EXISTS (SELECT FROM public.access_log WHERE event = 'login_throttled'
                       AND network = public.network_of(left(p_remote, 64))
                       AND account = tried AND at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()) THEN
            PERFORM public.note_access('login_throttled', tried, p_remote, NULL, '', jsonb_build_object('wait_s', wait_s));
        END IF;
        RETURN;
    END IF;
    SELECT a.password_parameters INTO parameters FROM public.accounts AS a WHERE a.name = p_name AND a.disabled_at IS NULL;
END
$$;

COMMENT ON FUNCTION public.login_facts(p_name text, p_remote text, OUT parameters text, OUT wait_s integer) IS 'How an account''s password is to be hashed, null when it has none; or how many seconds to wait.';

CREATE FUNCTION public.login_name(p_name text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- A password typed into the wrong field must not be readable in the log: 16 bits tell names apart.
    SELECT coalesce((SELECT name FROM public.accounts WHERE name = p_name),
                    'unknown:' || left(encode(sha256(convert_to(p_name, 'UTF8')), 'hex'), 4))
$$;

CREATE FUNCTION public.login_wait(p_account text, p_remote text) RETURNS integer
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- After 5 failures of an account from an address, or 30 from an address, each one more doubles the wait.
    -- Nobody can lock an account for other addresses. What a clock that was set back has still before it counts
    -- for nothing: else the wait would last as long as the clock lags.
    WITH tried AS (
        SELECT id, at, event, account FROM public.access_log
        WHERE network = public.network_of(left(p_remote, 64)) AND event IN ('login_failed', 'login_ok')
          AND at BETWEEN clock_timestamp() - interval '15 minutes' AND clock_timestamp()
    ), failed AS (
        SELECT max(at) AS last,
               count(*) FILTER (WHERE account = p_account AND id > coalesce(
                   (SELECT max(id) FROM tried WHERE event = 'login_ok' AND account = p_account), 0)) AS here,
               count(*) AS address
        FROM tried WHERE event = 'login_failed'
    ), beyond AS (
        SELECT last, greatest(here - 4, address - 29)::integer AS n FROM failed
    )
    SELECT CASE WHEN n <= 0 THEN 0 ELSE greatest(0, ceil(extract(epoch FROM
        last + make_interval(secs => least(900, 2 ^ least(n, 10))) - clock_timestamp())))::integer END
    FROM beyond
$$;

CREATE FUNCTION public.make_month(p_table text, p_instant text, p_month timestamp without time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $_$
DECLARE
    rest   text := p_table || '_rest';
    named  text := public.name_of_month(p_table, p_month);
    bounds text := format('FROM (%L) TO (%L)', p_month::timestamptz, (p_month + interval '1 month')::timestamptz);
    needed text := (SELECT string_agg(DISTINCT format('ONLY %s', c.confrelid::regclass), ', ') FROM pg_constraint AS c
                    WHERE c.conrelid = format('public.%I', p_table)::regclass AND c.contype = 'f');
    waits  boolean;
    guard  record;
BEGIN
    -- No lock is waited for: whoever makes a month may hold what the one before him in a queue of writers needs, and
    -- a deadlock would end either of them. No writer may have looked for the place of a row before, and come to rest
    -- after: that would be an error. What the table refers to is locked for as long, as attaching a part does.
    EXECUTE format('LOCK TABLE ONLY public.%I', p_table) || coalesce(', ' || needed, '')
        || ' IN SHARE ROW EXCLUSIVE MODE NOWAIT';
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%1$I WHERE %2$I >= $1 AND %2$I < $2)', rest, p_instant)
        INTO waits USING p_month::timestamptz, (p_month + interval '1 month')::timestamptz;
    IF waits THEN
        -- Nor a reader before, who would find the rows in neither place.
        EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE NOWAIT', p_table);
    END IF;
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE NOWAIT', rest);
    EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)',
                   named, rest);
    -- The guards of rest are each month's; they are off here while rows are moved, what came before its month was there.
    FOR guard IN SELECT t.tgname, pg_get_triggerdef(t.oid) AS made FROM pg_trigger AS t
                 WHERE t.tgrelid = format('public.%I', rest)::regclass AND NOT t.tgisinternal AND t.tgparentid = 0 LOOP
        EXECUTE replace(guard.made, format(' ON public.%I ', rest), format(' ON public.%I ', named));
        EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER %I', named, guard.tgname);
        EXECUTE format('ALTER TABLE public.%I DISABLE TRIGGER %I', rest, guard.tgname);
    END LOOP;
    EXECUTE format('WITH moved AS (DELETE FROM public.%1$I WHERE %2$I >= $1 AND %2$I < $2 RETURNING *)'
                   ' INSERT INTO public.%3$I SELECT * FROM moved', rest, p_instant, named)
        USING p_month::timestamptz, (p_month + interval '1 month')::timestamptz;
    FOR guard IN SELECT t.tgname FROM pg_trigger AS t
                 WHERE t.tgrelid = format('public.%I', rest)::regclass AND NOT t.tgisinternal AND t.tgparentid = 0 LOOP
        EXECUTE format('ALTER TABLE public.%I ENABLE ALWAYS TRIGGER %I', rest, guard.tgname);
    END LOOP;
    EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES %s', p_table, named, bounds);
END
$_$;

COMMENT ON FUNCTION public.make_month(p_table text, p_instant text, p_month timestamp without time zone) IS 'Splits one month off a table, with what had come before that was done.';

CREATE FUNCTION public.make_months(p_of_rest boolean) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '100ms'
    AS $_$
DECLARE
    this   timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
    split  record;
    months timestamp[];
    month  timestamp;
BEGIN
    FOR split IN SELECT t.name, t.instant FROM public.month_tables() AS t LOOP
        months := ARRAY[this, this + interval '1 month'];
        IF p_of_rest THEN
            EXECUTE format('SELECT $1 || ARRAY(SELECT DISTINCT date_trunc(''month'', %I AT TIME ZONE ''UTC'') FROM public.%I)',
                           split.instant, split.name || '_rest') INTO months USING months;
        END IF;
        FOR month IN SELECT DISTINCT m FROM unnest(months) AS m
                     WHERE to_regclass(format('public.%I', public.name_of_month(split.name, m))) IS NULL ORDER BY m LOOP
            -- Whoever writes is never kept from it: what cannot be made now is made next time, and rest takes the rows.
            IF NOT pg_try_advisory_xact_lock(x'5E7B019'::bigint) THEN
                RETURN;
            END IF;
            BEGIN
                PERFORM public.make_month(split.name, split.instant, month);
            EXCEPTION WHEN OTHERS THEN
                RAISE LOG 'the month % of % is made later: %', month::date, split.name, SQLERRM;
            END;
        END LOOP;
    END LOOP;
END
$_$;

COMMENT ON FUNCTION public.make_months(p_of_rest boolean) IS 'Makes this month and the next one of each table that is split by month, and on request those of which rest holds rows.';

CREATE FUNCTION public.may_approve(change public.changes) RETURNS TABLE(person text, door text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- The people whose approval counts on this change, and where they give it: an account has a session of
    -- the plane, a login of the database has the command line.
    SELECT a.person, CASE WHEN EXISTS (SELECT FROM public.accounts AS c WHERE c.name = a.person AND c.disabled_at IS NULL)
                          THEN 'plane' ELSE 'database' END
    FROM public.approvers() AS a (person)
    WHERE public.counts_for(a.person, change.author)
      AND (a.person IN (SELECT public.approving_logins()) OR EXISTS (SELECT FROM public.accounts AS c
           WHERE c.name = a.person AND public.reaches(c.limits, 'approver', change.scope, public.keys_of(change))))
$$;

CREATE FUNCTION public.may_report(reported text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.may_report(reported text) IS 'Says whether a run is there, and refuses whoever may not report on it.';

CREATE FUNCTION public.models_in_force() RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT ARRAY(SELECT model FROM public.catalogues_in_force() AS named (hash) JOIN public.catalogue_declarations AS d USING (hash)
                 CROSS JOIN LATERAL jsonb_array_elements_text(d.declares -> 'parts' -> 'model') WITH ORDINALITY AS m (model, place)
                 GROUP BY model ORDER BY min(place), model)
$$;

COMMENT ON FUNCTION public.models_in_force() IS 'The models that the catalogues in force declare, in their order: what a check or a stage leaves out has no score.';

CREATE FUNCTION public.month_tables(OUT name text, OUT instant text) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT c.relname::text, a.attname::text
    FROM pg_partitioned_table AS p JOIN pg_class AS c ON c.oid = p.partrelid
    JOIN pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partstrat = 'r' AND c.relnamespace = 'public'::regnamespace
$$;

COMMENT ON FUNCTION public.month_tables(OUT name text, OUT instant text) IS 'The tables that are split by month, and by which of their columns.';

CREATE FUNCTION public.moved_scopes(change public.changes) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Validation read scopes that can resolve together with this one: none of the other scopes of its own
    -- dimension. One that moved, or appeared, since then makes the validation worthless.
    SELECT string_agg(f.scope, ', ' ORDER BY f.scope)
    FROM public.ftf_config AS f
    WHERE f.revision > change.judged_at
      AND (change.scope = 'global' OR split_part(f.scope, '=', 1) <> split_part(change.scope, '=', 1))
$$;

CREATE FUNCTION public.moved_since(change public.changes) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Why a change cannot be applied any more as it is, null while it can: applying, suspending and showing
    -- it judge alike.
    SELECT CASE
        WHEN 'policy' = ANY (change.kinds) THEN NULL
        WHEN head.revision IS DISTINCT FROM change.base_revision THEN
            format('change %s is over revision %s of %s, which is at %s', change.id,
                coalesce(change.base_revision::text, 'none'), change.scope, coalesce(head.revision::text, 'none'))
        WHEN moved.scopes IS NOT NULL THEN
            format('change %s was validated before %s moved', change.id, moved.scopes) END
    FROM (SELECT (SELECT f.revision FROM public.ftf_config AS f WHERE f.scope = change.scope)) AS head (revision),
         (SELECT public.moved_scopes(change)) AS moved (scopes)
$$;

CREATE FUNCTION public.moved_under(change public.changes) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Of the scopes that validation read, those that hold other texts than then; one that went there and back does not.
    SELECT string_agg(format('%s is at revision %s', f.scope, f.revision), ', ' ORDER BY f.scope)
    FROM public.ftf_config AS f
    WHERE f.revision > change.judged_at AND f.scope <> change.scope
      AND (change.scope = 'global' OR split_part(f.scope, '=', 1) <> split_part(change.scope, '=', 1))
      AND f.hash IS DISTINCT FROM (SELECT h.hash FROM public.ftf_config_history AS h
                                   WHERE h.scope = f.scope AND h.id <= change.judged_at ORDER BY h.id DESC LIMIT 1)
$$;

COMMENT ON FUNCTION public.moved_under(change public.changes) IS 'What makes another candidate of a change since it was judged, its own scope aside; null for nothing.';

CREATE FUNCTION public.name_of_month(p_table text, p_month timestamp without time zone) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN (p_table || to_char(p_month, '"_"YYYY"_"MM'::text));

CREATE FUNCTION public.network_of(address text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF address NOT LIKE '%:%' THEN
        RETURN address;
    END IF;
    RETURN host(network(set_masklen(address::inet, 64)));
EXCEPTION WHEN data_exception THEN
    RETURN address;
END
$$;

CREATE FUNCTION public.next_step(change public.changes, OUT moved text, OUT waits_for text, OUT who text[], OUT missing bigint, OUT until timestamp with time zone, OUT how text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    need   record;
    have   bigint;
    lacks  text;
    frozen timestamptz;
BEGIN
    -- The first thing that stands between an open change and its revision, as apply_change would refuse it.
    IF change.state NOT IN ('draft', 'proposed', 'suspended') THEN
        RETURN;
    END IF;
    moved := public.moved_since(change);
    who := ARRAY[change.author];
    IF moved IS NOT NULL THEN
        waits_for := 'amendment';
        how := public.how_to_resume(change);
        RETURN;
    ELSIF public.is_disabled(change.author) THEN
        waits_for := 'amendment';
        who := '{}';
        how := format('`setpoint change amend %s` takes it over', change.id);
        RETURN;
    ELSIF change.state = 'suspended' THEN
        waits_for := 'amendment';
        how := public.how_to_resume(change);
        RETURN;
    ELSIF change.state = 'draft' THEN
        waits_for := 'proposal';
        how := format('`setpoint change propose %s`', change.id);
        RETURN;
    END IF;
    SELECT * INTO need FROM public.required_of(change);
    SELECT count(*) INTO have FROM public.approvals_of(change);
    IF have < need.approvals THEN
        waits_for := 'approval';
        missing := need.approvals - have;
        who := ARRAY(SELECT m.person FROM public.may_approve(change) AS m
                     EXCEPT SELECT a.person FROM public.approvals_of(change) AS a ORDER BY 1);
        how := public.how_to_approve(change);
        RETURN;
    END IF;
    IF need.checks <> '{}' THEN
        SELECT min(l.kind) INTO lacks FROM public.lacking_checks(change) AS l;
        IF lacks IS NOT NULL THEN
            waits_for := 'check';
            who := '{}';
            how := public.how_to_check(change, lacks);
            RETURN;
        END IF;
    END IF;
    IF public.wanting_of(change) IS NOT NULL THEN
        waits_for := 'rollout';
        how := public.how_to_roll_out(change.id);
        RETURN;
    END IF;
    until := greatest(change.apply_at,
        CASE WHEN need.cooling_off_s <> 0 THEN change.proposed_at + make_interval(secs => need.cooling_off_s) END);
    how := format('`setpoint change apply %s`', change.id);
    frozen := public.frozen_until(change, greatest(until, clock_timestamp()));
    IF frozen IS NOT NULL THEN
        -- Also one that will hold it when its time has come.
        waits_for := 'freeze';
        how := format('%s; when it ends, %s', public.how_to_break(change, greatest(until, clock_timestamp())),
            CASE WHEN change.apply_at IS NULL THEN how ELSE 'the clock of a running plane applies it, or `setpoint change due`' END);
        until := frozen;
        who := '{}';
    ELSIF until > clock_timestamp() THEN
        waits_for := CASE WHEN until = change.apply_at THEN 'schedule' ELSE 'cooling_off' END;
        who := '{}';
        IF change.apply_at IS NOT NULL THEN
            how := 'the clock of a running plane applies it then; without one, `setpoint change due`';
        END IF;
    ELSE
        waits_for := 'application';
        until := NULL;
    END IF;
END
$$;

COMMENT ON FUNCTION public.next_step(change public.changes, OUT moved text, OUT waits_for text, OUT who text[], OUT missing bigint, OUT until timestamp with time zone, OUT how text) IS 'What an open change waits for, of whom, until when and how that is done; nulls for one that ended.';

CREATE FUNCTION public.note_access(p_event text, p_account text, p_remote text, p_credential bigint, p_actor text, p_detail jsonb) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    INSERT INTO public.access_log (event, account, remote, network, credential, actor, detail)
    -- Whoever keeps accounts at the database's own door may say why.
    SELECT p_event, p_account, seen, public.network_of(seen), p_credential, coalesce(p_actor, ''),
           p_detail || CASE WHEN why <> '' THEN jsonb_build_object('reason', why) ELSE '{}' END
    FROM left(coalesce(p_remote, ''), 64) AS seen, coalesce(current_setting('setpoint.reason', true), '') AS why
$$;

CREATE FUNCTION public.note_delivery(p_id bigint, p_lease timestamp with time zone, p_error text, p_again_s double precision) RETURNS text
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- What was sent was sent, whoever has the lease by now.
    UPDATE public.deliveries AS d
    SET state = CASE WHEN p_error IS NULL THEN 'sent'
                     WHEN d.since BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp() THEN 'waiting' ELSE 'failed' END,
        sent_at = CASE WHEN p_error IS NULL THEN clock_timestamp() END, error = left(coalesce(p_error, ''), 500),
        next_at = clock_timestamp() + make_interval(secs => least(p_again_s, 3600)), leased_until = NULL
    WHERE d.id = p_id AND d.state = 'waiting' AND (p_error IS NULL OR d.leased_until = p_lease)
    RETURNING d.state
$$;

COMMENT ON FUNCTION public.note_delivery(p_id bigint, p_lease timestamp with time zone, p_error text, p_again_s double precision) IS 'Keeps what came of an attempt: null for sent, else why not; given up after a day.';

CREATE FUNCTION public.note_edits() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.ftf_config_edits (scope, key, revision, new)
    SELECT NEW.scope, edit ->> 'key', NEW.id, edit -> 'new' FROM jsonb_array_elements(NEW.diff) AS edit;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.note_hand(p_account text, p_what text, p_hand text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF public.owner_of_tables() IS NULL AND p_hand <> p_account THEN
        INSERT INTO public.appointments (account, what, hand) VALUES (p_account, p_what, p_hand)
        ON CONFLICT (account, what, hand) DO UPDATE SET made_at = clock_timestamp(), confirmed_by = NULL;
    END IF;
END
$$;

CREATE FUNCTION public.note_holder(p_credential bytea, p_client text, p_snapshot text, p_context jsonb, p_host text, p_pid integer, p_run text, p_revision bigint, p_age_s double precision) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    whose text;
BEGIN
    -- In batches, after the requests: whose word it is says the credential, by its hash. One that has ended
    -- meanwhile says nothing; an older word than the known one changes nothing, nor does another account's.
    -- A word from after now was noted before the clock was set back: it is the older one.
    SELECT c.account INTO whose FROM public.credential_holder(p_credential) AS c;
    IF whose IS NULL THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM public.snapshot_holders WHERE client = p_client)
       AND (SELECT count(*) FROM public.snapshot_holders WHERE account = whose)
           >= (SELECT most FROM public.quotas WHERE kind = 'holders' AND caller = 'account') THEN
        RETURN NEXT whose;
        RETURN;
    END IF;
    INSERT INTO public.snapshot_holders AS h (client, account, snapshot, context, host, pid, run, revision, since, seen)
    VALUES (p_client, whose, p_snapshot, p_context, p_host, p_pid, p_run, p_revision,
            statement_timestamp() - make_interval(secs => p_age_s), statement_timestamp() - make_interval(secs => p_age_s))
    ON CONFLICT (client) DO UPDATE
    SET snapshot = excluded.snapshot, context = excluded.context, host = excluded.host,
        pid = excluded.pid, run = excluded.run, revision = excluded.revision, seen = excluded.seen,
        since = CASE WHEN h.snapshot = excluded.snapshot THEN h.since ELSE excluded.since END
    WHERE (h.seen <= excluded.seen OR h.seen > clock_timestamp()) AND h.account = excluded.account;
END
$$;

COMMENT ON FUNCTION public.note_holder(p_credential bytea, p_client text, p_snapshot text, p_context jsonb, p_host text, p_pid integer, p_run text, p_revision bigint, p_age_s double precision) IS 'Notes what a process holds; returns the account when that has its share of processes, and notes nothing.';

CREATE FUNCTION public.note_layers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.finetune_layers (run_id, context, position, scope, revision)
    SELECT NEW.run_id, NEW.context, position, layer ->> 'scope', (layer ->> 'revision')::bigint
    FROM jsonb_array_elements(NEW.layers) WITH ORDINALITY AS pinned (layer, position)
    WHERE layer ->> 'revision' IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.note_probe(p_is_live boolean, p_said text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    INSERT INTO public.restore_probe (is_live, said) VALUES (p_is_live, left(p_said, 1000))
    ON CONFLICT (one) DO UPDATE SET is_live = EXCLUDED.is_live, said = EXCLUDED.said, answered_at = EXCLUDED.answered_at
$$;

CREATE FUNCTION public.note_proof(p_credential bigint, p_account text, p_how text, p_at timestamp with time zone, p_remote text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    UPDATE public.credentials SET proven_at = least(p_at, clock_timestamp()) WHERE id = p_credential;
    PERFORM public.note_access('identity_proven', p_account, p_remote, p_credential, p_account, jsonb_build_object('how', p_how));
END
$$;

CREATE FUNCTION public.note_proofs(p_proofs jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    INSERT INTO public.readiness_proofs AS p (kind, name, state, said, command, proven_at, noted_by)
    SELECT told.kind, told.name, told.state, told.said, told.command, told.proven_at, w.person
    FROM jsonb_to_recordset(p_proofs)
        AS told (kind text, name text, state text, said text, command text, proven_at timestamptz), public.who() AS w
    ON CONFLICT (kind, name) DO UPDATE
    SET state = EXCLUDED.state, said = EXCLUDED.said, command = EXCLUDED.command, proven_at = EXCLUDED.proven_at,
        noted_by = EXCLUDED.noted_by, noted_at = EXCLUDED.noted_at;
    -- Names come and go with the files that name them.
    DELETE FROM public.readiness_proofs AS old
    WHERE (old.kind, old.name) NOT IN (
        SELECT kind, name FROM public.readiness_proofs ORDER BY noted_at DESC, kind, name LIMIT 2000);
END
$$;

COMMENT ON FUNCTION public.note_proofs(p_proofs jsonb) IS 'Keeps what a check found, in place of what an earlier one did; of the oldest names nothing is kept beyond 2,000.';

CREATE FUNCTION public.note_readings(p_calendar text, p_readings jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    INSERT INTO public.checkpoint_readings (calendar, readings, read_by)
    SELECT p_calendar, p_readings, person FROM public.who()
    ON CONFLICT (calendar) DO UPDATE
    SET readings = EXCLUDED.readings, read_by = EXCLUDED.read_by, read_at = EXCLUDED.read_at;
END
$$;

CREATE FUNCTION public.note_rollback(p_id bigint, p_mechanism text, p_words text) RETURNS public.rollbacks
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.note_rollback(p_id bigint, p_mechanism text, p_words text) IS 'Keeps that a person rolled a change in full back, and by which of the four mechanisms of docs/runbooks/oncall.md.';

CREATE TABLE public.seedings (
    id bigint NOT NULL,
    person text NOT NULL,
    proof text NOT NULL,
    revision bigint NOT NULL,
    coverage_pct double precision NOT NULL,
    seeded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT seedings_coverage_pct_check CHECK (((coverage_pct >= (0)::double precision) AND (coverage_pct <= (100)::double precision)))
);

COMMENT ON TABLE public.seedings IS 'Each time that seeds were applied and in force: the first of the two things that people sign before a canary.';

COMMENT ON COLUMN public.seedings.revision IS 'The newest revision of any scope then.';

CREATE FUNCTION public.note_seeding(p_catalogues text[]) RETURNS public.seedings
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.note_seeding(p_catalogues text[]) IS 'Signs that seeds are applied, at which revision, and how much of what is declared they cover, which is counted here.';

CREATE FUNCTION public.note_shadow(p_id bigint, p_run text, p_baseline text) RETURNS public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.note_shadow(p_id bigint, p_run text, p_baseline text) IS 'Compares a run of the candidate with a baseline, and keeps what was found.';

CREATE FUNCTION public.note_shares(p_server text, p_shares jsonb) RETURNS TABLE(kind text, caller text, who text, elsewhere double precision, most bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM public.process_shares
    WHERE server = p_server OR seen NOT BETWEEN clock_timestamp() - interval '10 s' AND clock_timestamp();
    INSERT INTO public.process_shares (server, kind, caller, who, amount, seen)
    SELECT p_server, s.kind, s.caller, s.who, s.amount, clock_timestamp()
    FROM jsonb_to_recordset(p_shares) AS s (kind text, caller text, who text, amount float8);
    RETURN QUERY
    SELECT s.kind, s.caller, s.who, sum(s.amount), NULL::bigint FROM public.process_shares AS s
    WHERE s.server <> p_server GROUP BY 1, 2, 3
    UNION ALL
    SELECT q.kind, q.caller, NULL, NULL, q.most FROM public.quotas AS q WHERE q.kind IN ('streams', 'downloads');
END
$$;

COMMENT ON FUNCTION public.note_shares(p_server text, p_shares jsonb) IS 'Says what one process serves to whom, and returns what the others do, with the quotas.';

CREATE FUNCTION public.open_and_apply_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_draft boolean, p_traceparent text DEFAULT NULL::text, p_evidence text[] DEFAULT NULL::text[], OUT change public.changes, OUT approvals integer, OUT approved bigint, OUT solo boolean, OUT cooling_off_s integer, OUT free_at timestamp with time zone, OUT checks text[], OUT frozen_until timestamp with time zone) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    is_at_once boolean;
BEGIN
    change := public.composed_change(p_scope, p_is_policy, p_base, p_set, p_remove, p_restores, p_keys, p_reason, p_source,
                                     p_catalogues, p_apply_at, p_traceparent, p_evidence);
    IF change.state = 'unchanged' THEN
        RETURN;
    END IF;
    SELECT need.approvals, need.solo, need.cooling_off_s, need.checks INTO approvals, solo, cooling_off_s, checks
    FROM public.required_of(change) AS need;
    approved := 0;  -- nobody has seen it yet
    frozen_until := public.frozen_until(change, clock_timestamp());
    -- Of a new change a rollout is wanted where the checks say so, and nowhere else.
    is_at_once := coalesce(
        NOT p_draft AND p_apply_at IS NULL AND approvals = 0 AND cooling_off_s = 0 AND checks = '{}' AND frozen_until IS NULL, false);
    change := public.keep_change(change, p_draft, p_is_policy OR NOT is_at_once);
    free_at := change.proposed_at + make_interval(secs => cooling_off_s);
    IF is_at_once THEN
        PERFORM FROM public.chain_head FOR UPDATE;
        change := public.carry_out(change);
    END IF;
END
$$;

COMMENT ON FUNCTION public.open_and_apply_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_draft boolean, p_traceparent text, p_evidence text[], OUT change public.changes, OUT approvals integer, OUT approved bigint, OUT solo boolean, OUT cooling_off_s integer, OUT free_at timestamp with time zone, OUT checks text[], OUT frozen_until timestamp with time zone) IS 'Open a change, say what policy asks of it, and apply it where that is nothing; each as its own function does.';

CREATE FUNCTION public.open_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_draft boolean, p_traceparent text DEFAULT NULL::text, p_evidence text[] DEFAULT NULL::text[]) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes := public.composed_change(p_scope, p_is_policy, p_base, p_set, p_remove, p_restores, p_keys,
        p_reason, p_source, p_catalogues, p_apply_at, p_traceparent, p_evidence);
BEGIN
    RETURN CASE WHEN change.state = 'unchanged' THEN change ELSE public.keep_change(change, p_draft) END;
END
$$;

CREATE FUNCTION public.open_channels() RETURNS SETOF public.incident_channels
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT * FROM (SELECT DISTINCT ON (prefix) * FROM public.incident_channels ORDER BY prefix, id DESC) AS newest
    WHERE is_open
$$;

CREATE FUNCTION public.open_session_by_identity(p_issuer text, p_subject text, p_name text, p_roles text[], p_proven_at timestamp with time zone, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    brought text[];
    linked public.accounts;
    by_provider constant text := 'identity provider';
BEGIN
    SELECT ARRAY(SELECT DISTINCT role FROM unnest(p_roles) AS role WHERE role = ANY (p.roles) ORDER BY 1) INTO brought
    FROM public.identity_providers AS p WHERE p.issuer = p_issuer;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('%L is no provider that is believed', p_issuer),
            HINT = 'the owner of the database says so with `setpoint accounts provider ISSUER --role ROLE`';
    END IF;
    SELECT * INTO linked FROM public.accounts AS a WHERE a.issuer = p_issuer AND a.subject = p_subject;
    -- An account of that name which nobody linked is somebody else's.
    -- One with the name of a database login would be the same person, which only an admin may say.
    IF linked.name IS NULL AND brought <> '{}' AND p_name <> 'unattributed'
            AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = p_name) THEN
        INSERT INTO public.accounts (name, roles, issuer, subject, created_by)
        VALUES (p_name, brought, p_issuer, p_subject, by_provider)
        ON CONFLICT DO NOTHING RETURNING * INTO linked;
        IF linked.name IS NOT NULL THEN
            PERFORM public.note_access('account_created', p_name, p_remote, NULL, by_provider, jsonb_build_object('roles', brought));
        END IF;
    ELSIF linked.created_by = by_provider AND linked.roles <> brought THEN
        UPDATE public.accounts AS a SET roles = brought WHERE a.name = linked.name;
        PERFORM public.note_access('account_changed', linked.name, p_remote, NULL, by_provider,
            jsonb_build_object('roles', brought, 'before', linked.roles));
        linked.roles := brought;
    END IF;
    IF linked.name IS NULL OR linked.disabled_at IS NOT NULL
            OR (linked.created_by = by_provider AND brought = '{}') THEN
        PERFORM public.note_access('login_failed', coalesce(linked.name, public.login_name(p_name)), p_remote, NULL, '',
            '{"how": "oidc"}');
        RETURN;
    END IF;
    SELECT s.* INTO account, roles, expires_at
    FROM public.start_session(linked.name, p_hash, 'oidc', p_remote, by_provider) AS s;
    -- Whoever has a session there is let in here without being asked: that proves nothing new.
    UPDATE public.credentials AS c SET proven_at = CASE WHEN p_proven_at <= clock_timestamp() THEN p_proven_at END WHERE c.hash = p_hash;
END
$$;

COMMENT ON FUNCTION public.open_session_by_identity(p_issuer text, p_subject text, p_name text, p_roles text[], p_proven_at timestamp with time zone, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) IS 'Roles of accounts that the provider brought follow it; those an admin linked keep theirs.';

CREATE FUNCTION public.open_session_by_passkey(p_secret text, p_key bytea, p_sign_count bigint, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    begun public.credentials;
BEGIN
    SELECT c.* INTO begun FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind = 'begun' AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() AND a.disabled_at IS NULL FOR UPDATE OF c;
    IF begun.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'this login took too long, or has ended', HINT = 'log in again';
    END IF;
    UPDATE public.credentials AS c SET revoked_at = clock_timestamp() WHERE c.id = begun.id;
    IF p_key IS NULL OR NOT public.use_passkey(begun.account, p_key, p_sign_count) THEN
        PERFORM public.note_access('login_failed', begun.account, p_remote, NULL, '', '{"how": "passkey"}');
        RETURN;
    END IF;
    SELECT s.* INTO account, roles, expires_at
    FROM public.start_session(begun.account, p_hash, 'password and passkey', p_remote, begun.account) AS s;
END
$$;

COMMENT ON FUNCTION public.open_session_by_passkey(p_secret text, p_key bytea, p_sign_count bigint, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) IS 'Completes a login whose password was right; nulls, and that login is over, when no passkey of the account answered.';

CREATE FUNCTION public.open_session_by_password(p_name text, p_key bytea, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT awaits_passkey boolean) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    tried text := public.login_name(p_name);
BEGIN
    awaits_passkey := false;
    IF public.login_wait(tried, p_remote) > 0 THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM public.accounts AS a
                   WHERE a.name = p_name AND a.disabled_at IS NULL AND a.password_verifier = sha256(p_key)) THEN
        PERFORM public.note_access('login_failed', tried, p_remote, NULL, '', '{"how": "password"}');
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM public.passkeys AS k WHERE k.account = p_name) THEN
        -- Half of a login: the secret that was to be a session's waits for the passkey.
        awaits_passkey := true;
        INSERT INTO public.credentials (hash, kind, account, label, created_by, expires_at)
        VALUES (p_hash, 'begun', p_name, 'password', p_name, clock_timestamp() + interval '5 minutes')
        RETURNING credentials.expires_at INTO expires_at;
        RETURN;
    END IF;
    SELECT s.* INTO account, roles, expires_at
    FROM public.start_session(p_name, p_hash, 'password', p_remote, p_name) AS s;
END
$$;

COMMENT ON FUNCTION public.open_session_by_password(p_name text, p_key bytea, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT awaits_passkey boolean) IS 'Nulls when the key is wrong, and while a passkey is awaited.';

CREATE FUNCTION public.open_session_once(p_secret text, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT wait_s integer) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    used record;
BEGIN
    wait_s := public.login_wait('once', p_remote);
    IF wait_s > 0 THEN
        RETURN;
    END IF;
    -- Two that present it at once wait for each other here, and one finds it revoked.
    UPDATE public.credentials AS c SET revoked_at = clock_timestamp()
    FROM public.accounts AS a
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind = 'once' AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() AND a.name = c.account AND a.disabled_at IS NULL
    RETURNING c.account, c.created_by INTO used;
    IF used.account IS NULL THEN
        PERFORM public.note_access('login_failed', 'once', p_remote, NULL, '', '{"how": "once"}');
        RETURN;
    END IF;
    SELECT s.* INTO account, roles, expires_at
    FROM public.start_session(used.account, p_hash, 'once', p_remote, used.created_by) AS s;
END
$$;

CREATE FUNCTION public.other_candidate(change public.changes, run text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.other_candidate(change public.changes, run text) IS 'What moved since a run pinned a change''s candidate, so that it is another; null while it is the same.';

CREATE FUNCTION public.override_canary(p_id bigint, p_hash text, p_words text) RETURNS public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.override_canary(p_id bigint, p_hash text, p_words text) IS 'Says that a change is applied without a passing canary; the second person who says so confirms the first.';

CREATE FUNCTION public.own_parameters(change public.changes) RETURNS TABLE(parts text[], name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- A key of a range is its parameter's. How a library spells it is declared: nobody says so who would like it aside.
    SELECT DISTINCT v.parts, spelled.name
    FROM public.declared_values() AS v
    CROSS JOIN LATERAL (VALUES (v.parameter), (v.library_name)) AS spelled (name)
    WHERE ARRAY[v.key] || v.range && public.keys_of(change)
$$;

COMMENT ON FUNCTION public.own_parameters(change public.changes) IS 'What a change may move in a model: its own parameters, as a catalogue in force and a library spell them.';

CREATE FUNCTION public.own_password(p_remote text, OUT parameters text, OUT wait_s integer, OUT must_prove boolean) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.presented();
BEGIN
    wait_s := public.login_wait(s.account, p_remote);
    -- Whoever came in by a one-time login has forgotten the old one, or never had one.
    SELECT a.password_parameters, a.password_verifier IS NOT NULL AND c.label <> 'once' INTO parameters, must_prove
    FROM public.accounts AS a JOIN public.credentials AS c ON c.account = a.name
    WHERE a.name = s.account AND c.id = s.id;
END
$$;

CREATE FUNCTION public.owner_of_tables() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT coalesce(nullif(current_setting('setpoint.author', true), ''), session_user::text)
    FROM pg_class WHERE oid = 'public.accounts'::regclass AND pg_has_role(session_user, relowner, 'MEMBER')
      AND coalesce(current_setting('setpoint.credential', true), '') = ''
$$;

COMMENT ON FUNCTION public.owner_of_tables() IS 'Who this is, when it is a login that owns the tables and presents no credential; else null.';

CREATE FUNCTION public.passkeys_seen(p_account text) RETURNS TABLE(id bigint, account text, label text, created_at timestamp with time zone, last_used_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    everything boolean := public.owner_of_tables() IS NOT NULL;
    mine text := '';
    s record;
BEGIN
    IF NOT everything THEN
        s := public.presented();
        everything := 'admin' = ANY (s.roles);
        mine := s.account;
    END IF;
    RETURN QUERY
        SELECT k.id, k.account, k.label, k.created_at, k.last_used_at FROM public.passkeys AS k
        WHERE (p_account IS NULL OR k.account = p_account) AND (everything OR k.account = mine) ORDER BY k.id;
END
$$;

CREATE TABLE public.notifications (
    id bigint NOT NULL,
    key uuid DEFAULT gen_random_uuid() NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    people text[],
    facts jsonb NOT NULL,
    made_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    routed_at timestamp with time zone,
    CONSTRAINT notifications_kind_check CHECK ((kind = ANY (ARRAY['approval_wanted'::text, 'change_approved'::text, 'change_rejected'::text, 'change_applied'::text, 'change_suspended'::text, 'deadline_near'::text, 'deadline_missed'::text, 'token_ending'::text])))
);

COMMENT ON TABLE public.notifications IS 'What people are to be told; kept for 30 days.';

COMMENT ON COLUMN public.notifications.key IS 'By which a receiver knows what it was told before.';

COMMENT ON COLUMN public.notifications.people IS 'Whom it is for; null until it is routed: whoever may approve then.';

COMMENT ON COLUMN public.notifications.routed_at IS 'When it was given to targets, or found to be over before; null while no plane with targets saw it.';

CREATE FUNCTION public.people_of(n public.notifications) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Whom the author asked, else all whose approval counts, without those who approved; null when it is over.
    SELECT CASE WHEN n.kind <> 'approval_wanted' THEN n.people ELSE (
        SELECT coalesce(n.people, nullif(ARRAY(SELECT unnest(step.who) INTERSECT SELECT unnest(c.asked) ORDER BY 1), '{}'), step.who)
        FROM public.changes AS c, public.next_step(c) AS step
        WHERE c.id = (n.facts ->> 'change')::bigint AND c.proposal_hash = n.facts ->> 'proposal_hash'
          AND step.waits_for = 'approval') END
$$;

CREATE FUNCTION public.permit_answer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF public.owner_of_tables() IS NULL AND NEW.account IS DISTINCT FROM (SELECT account FROM public.speaker()) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'an answer is kept for whoever asked';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.permit_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    -- Rejecting is judged where it is decided; suspending anybody may whose change is due.
    IF 'policy' = ANY (NEW.kinds) AND NEW.state NOT IN ('rejected', 'applied') THEN
        PERFORM public.require_role('admin');
    ELSIF NEW.state = 'withdrawn' THEN
        PERFORM public.require_role('config_write', 'admin');
    ELSIF NEW.state = 'applied' THEN
        -- What was scheduled by its author, and approved where policy asks for it, is carried out by a plane's
        -- clock, which speaks for nobody; apply_change has judged that its time has come.
        -- So is a restore that a verdict asks for and somebody approved beforehand.
        IF (NEW.apply_at IS NULL AND NOT public.is_carried(NEW.id)) OR coalesce(current_setting('setpoint.credential', true), '') <> '' THEN
            PERFORM public.require_reach(NEW.scope, public.keys_of(OLD), 'config_write', 'admin', 'approver');
        END IF;
    ELSIF TG_OP = 'INSERT' AND NEW.proof = 'rollback-verdict' THEN
        NULL;  -- file_rollback alone writes so, and has judged the verdict
    ELSIF NEW.state NOT IN ('rejected', 'suspended') THEN
        PERFORM public.require_reach(NEW.scope, public.keys_of(NEW), 'config_write', 'admin');
    END IF;
    IF public.decides(NEW) THEN
        PERFORM public.require_fresh_proof();
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.permit_events() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.permit_events() IS 'Refuses events of a source or a run that belongs to another account.';

CREATE FUNCTION public.permit_report() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM public.may_report(run_id) FROM (SELECT DISTINCT run_id FROM fresh) AS reported;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION public.permit_report() IS 'Refuses rows of a run that the writer may not report on: once for each statement, not for each row.';

CREATE FUNCTION public.permit_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM public.require_reporter(NEW.id, NEW.started_by, TG_OP = 'INSERT');
    RETURN NEW;
END
$$;

CREATE FUNCTION public.person_behind() RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.presented();
BEGIN
    IF s.kind <> 'session' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a token is proven by itself',
            HINT = 'only who is behind a session is asked for again';
    END IF;
    RETURN s;
END
$$;

CREATE FUNCTION public.places_of(p_scope text, p_kind text, OUT scope text, OUT keys text[]) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Where a policy decides, as far as limits of roles tell places apart: scopes that stand or that a limit names,
    -- and of keys one for each set of limits that names it. Null keys are all keys, which a policy is about.
    WITH limited AS (
        SELECT role.value AS limits FROM public.accounts AS a, jsonb_each(a.limits) AS role WHERE a.disabled_at IS NULL
    ), scopes AS (
        SELECT 'global' AS scope
        UNION SELECT p_scope WHERE p_scope <> '*'
        UNION SELECT f.scope FROM public.ftf_config AS f
        UNION SELECT replace(s, '*', '?') FROM limited, jsonb_array_elements_text(limits -> 'scopes') AS s
    ), lists AS (
        SELECT DISTINCT limits -> 'keys' AS patterns FROM limited WHERE limits ? 'keys'
    ), keys AS (
        SELECT DISTINCT ON (named) ARRAY[k] AS keys, ARRAY(SELECT public.is_named(k, l.patterns) FROM lists AS l ORDER BY l.patterns) AS named
        FROM (SELECT jsonb_object_keys(f.base_env) FROM public.ftf_config AS f
              UNION SELECT replace(k, '*', '?') FROM lists, jsonb_array_elements_text(patterns) AS k) AS known (k)
        WHERE EXISTS (SELECT FROM lists)
        ORDER BY named, k
    )
    SELECT s.scope, k.keys
    FROM scopes AS s,
         (SELECT keys FROM keys WHERE p_kind <> 'policy' UNION ALL SELECT '{}' WHERE p_kind <> 'policy' AND NOT EXISTS (SELECT FROM keys)
          UNION ALL SELECT NULL WHERE p_kind IN ('policy', '*')) AS k
    WHERE p_scope = s.scope
       OR p_scope = '*' AND NOT EXISTS (SELECT FROM public.policies AS p WHERE p.scope = s.scope AND p.kind IN (p_kind, '*'))
$$;

COMMENT ON FUNCTION public.places_of(p_scope text, p_kind text, OUT scope text, OUT keys text[]) IS 'Scopes and keys in which a policy would decide, one of each sort that limits of roles tell apart.';

CREATE FUNCTION public.policy_for(change_scope text, change_kind text) RETURNS public.policies
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- The scope is more specific than the kind.
    SELECT p FROM public.policies AS p
    WHERE p.scope IN (change_scope, '*') AND p.kind IN (change_kind, '*')
    ORDER BY p.scope = '*', p.kind = '*'
    LIMIT 1
$$;

CREATE TABLE public.preapprovals (
    decision_id bigint NOT NULL,
    change_id bigint NOT NULL,
    proposal_hash text NOT NULL,
    scope text NOT NULL,
    keys text[] NOT NULL,
    target jsonb NOT NULL,
    person text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT preapprovals_keys_check CHECK ((cardinality(keys) > 0))
);

COMMENT ON TABLE public.preapprovals IS 'What an approver approved beforehand, with the change: to bring its keys back to these values, if a verdict says so before it expires.';

COMMENT ON COLUMN public.preapprovals.target IS 'The values of the keys before the change; a key that is not there had none.';

CREATE FUNCTION public.preapprove_restore(p_id bigint, p_hash text, p_expires_at timestamp with time zone) RETURNS public.preapprovals
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.preapprove_restore(p_id bigint, p_hash text, p_expires_at timestamp with time zone) IS 'Approves, with the approval of a change, that its keys may be brought back until an instant.';

CREATE FUNCTION public.presented() RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record;
BEGIN
    SELECT h.* INTO s FROM public.credential_holder(
        sha256(convert_to(coalesce(current_setting('setpoint.credential', true), ''), 'UTF8'))) AS h;
    IF s.account IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'the credential is unknown, expired or revoked';
    END IF;
    PERFORM public.refuse_flag_readers(s.dimensions);
    RETURN s;
END
$$;

COMMENT ON FUNCTION public.presented() IS 'The holder of this transaction''s credential, for what no login may do by its own privileges.';

CREATE FUNCTION public.propose_change(p_id bigint) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
BEGIN
    IF (SELECT person FROM public.who()) <> change.author THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('change %s is %s''s to propose', p_id, change.author),
            HINT = format('ask %s, or tell them with `setpoint change comment %s -m "..."`', change.author, p_id);
    END IF;
    IF change.state <> 'draft' THEN
        RAISE EXCEPTION USING ERRCODE = 'SP423', MESSAGE = format('change %s is no draft', p_id),
            HINT = (public.next_step(change)).how;
    END IF;
    UPDATE public.changes SET state = 'proposed', proposed_at = clock_timestamp()
    WHERE id = p_id RETURNING * INTO change;
    RETURN change;
END
$$;

CREATE FUNCTION public.prove_by_identity(p_issuer text, p_subject text, p_at timestamp with time zone, p_remote text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.person_behind();
BEGIN
    IF p_at IS NULL OR NOT EXISTS (SELECT FROM public.accounts AS a JOIN public.identity_providers AS p ON p.issuer = a.issuer
                   WHERE a.name = s.account AND a.issuer = p_issuer AND a.subject = p_subject) THEN
        PERFORM public.note_access('login_failed', s.account, p_remote, s.id, s.account, '{"how": "proof by oidc"}');
        RETURN false;
    END IF;
    PERFORM public.note_proof(s.id, s.account, 'oidc', p_at, p_remote);
    RETURN true;
END
$$;

COMMENT ON FUNCTION public.prove_by_identity(p_issuer text, p_subject text, p_at timestamp with time zone, p_remote text) IS 'False when the provider vouches for somebody else; when they logged in there is the server''s word.';

CREATE FUNCTION public.prove_by_passkey(p_key bytea, p_sign_count bigint, p_remote text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.person_behind();
BEGIN
    IF p_key IS NULL OR NOT public.use_passkey(s.account, p_key, p_sign_count) THEN
        PERFORM public.note_access('login_failed', s.account, p_remote, s.id, s.account, '{"how": "proof by passkey"}');
        RETURN false;
    END IF;
    PERFORM public.note_proof(s.id, s.account, 'passkey', clock_timestamp(), p_remote);
    RETURN true;
END
$$;

COMMENT ON FUNCTION public.prove_by_passkey(p_key bytea, p_sign_count bigint, p_remote text) IS 'False when no passkey of the account answered.';

CREATE FUNCTION public.prove_by_password(p_key bytea, p_remote text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.person_behind();
BEGIN
    IF public.login_wait(s.account, p_remote) > 0 THEN
        RETURN false;
    END IF;
    IF NOT EXISTS (SELECT FROM public.accounts AS a WHERE a.name = s.account AND a.password_verifier = sha256(p_key)) THEN
        PERFORM public.note_access('login_failed', s.account, p_remote, s.id, s.account, '{"how": "proof by password"}');
        RETURN false;
    END IF;
    PERFORM public.note_proof(s.id, s.account, 'password', clock_timestamp(), p_remote);
    RETURN true;
END
$$;

COMMENT ON FUNCTION public.prove_by_password(p_key bytea, p_remote text) IS 'False when the key is wrong, or too many were.';

CREATE TABLE public.rollback_proofs (
    rollback_id bigint NOT NULL,
    person text NOT NULL,
    words text NOT NULL,
    proven_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT rollback_proofs_words_check CHECK (public.says_something(words))
);

COMMENT ON TABLE public.rollback_proofs IS 'What proves that a way back which was taken in an incident worked; its time ends there.';

CREATE FUNCTION public.prove_rollback(p_incident text, p_words text) RETURNS public.rollback_proofs
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.prove_rollback(p_incident text, p_words text) IS 'Keeps what proves that the way back which was taken in an incident worked.';

CREATE FUNCTION public.prune_holders() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Whoever was seen after now was seen before the clock was set back: for an hour more it may be there.
    UPDATE public.snapshot_holders SET seen = clock_timestamp() WHERE seen > clock_timestamp();
    WITH gone AS (
        DELETE FROM public.snapshot_holders
        WHERE seen < clock_timestamp() - interval '1 hour'
           OR client IN (SELECT client FROM public.snapshot_holders ORDER BY seen, client DESC
                         LIMIT greatest((SELECT count(*) FROM public.snapshot_holders) - 50000, 0))
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$;

COMMENT ON FUNCTION public.prune_holders() IS 'Forgets who was silent for an hour, and the longest silent beyond 50000; that is all it can remove.';

CREATE FUNCTION public.queue_writers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    -- Before any row is locked: every writer takes the head first, so that two of them cannot deadlock.
    PERFORM FROM public.chain_head FOR UPDATE;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.ranges_of(p_run text, p_current text, OUT result text, OUT reasons text[]) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.ranges_of(p_run text, p_current text, OUT result text, OUT reasons text[]) IS 'Whether a good trial of a pair, which searched the ranges that stand, lies outside the candidate''s.';

CREATE FUNCTION public.reaches(limits jsonb, role text, p_scope text, p_keys text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Null keys are all keys: a policy is about every one of its scope.
    SELECT public.is_named(p_scope, limits -> role -> 'scopes')
       AND (limits -> role -> 'keys' IS NULL
            OR (p_keys IS NOT NULL AND (SELECT coalesce(bool_and(public.is_named(k, limits -> role -> 'keys')), true) FROM unnest(p_keys) AS k)))
$$;

COMMENT ON FUNCTION public.reaches(limits jsonb, role text, p_scope text, p_keys text[]) IS 'Whether a role that is limited so covers a change of these keys in this scope.';

CREATE FUNCTION public.rebased(before public.changes, after public.changes, OUT change public.changes) RETURNS public.changes
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    moved text;
BEGIN
    -- What people approved and runs trained is the candidate: while that, the edits and what is said of them are the
    -- same, an amendment only puts them over what stands, and is no edition of its own.
    change := after;
    change.state_reason := '';
    -- Its catalogues are of it: what is in force once it is applied is judged by them.
    IF (before.author, before.kinds, before.restores, before.reason, before.evidence, before.apply_at, before.edits::text, before.catalogues)
            IS DISTINCT FROM (after.author, after.kinds, after.restores, after.reason, after.evidence, after.apply_at, after.edits::text, after.catalogues) THEN
        RETURN;
    END IF;
    moved := concat_ws(', ', CASE WHEN before.proposal::text <> after.proposal::text THEN
        format('%s is at revision %s', after.scope, coalesce(after.base_revision::text, 'none')) END, public.moved_under(before));
    IF moved = '' THEN
        change.edition := before.edition;
        change.proposal_hash := before.proposal_hash;
    ELSE
        change.state_reason := format('approvals and checks of before are void: %s', moved);
    END IF;
END
$$;

COMMENT ON FUNCTION public.rebased(before public.changes, after public.changes, OUT change public.changes) IS 'An amended change: of the edition of before when it is the same candidate, else with what moved.';

CREATE FUNCTION public.record_drill(p_scenario text, p_started_at timestamp with time zone, p_took_s double precision, p_outcome text, p_steps jsonb, p_build text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

CREATE FUNCTION public.record_revision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

CREATE FUNCTION public.record_validation(p_incident text, p_heads jsonb, p_sound boolean, p_evidence jsonb) RETURNS SETOF public.obligations
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

CREATE FUNCTION public.refuse_flag_readers(dimensions text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF dimensions IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'this token reads flags and nothing else',
            HINT = 'use another token, or log in';
    END IF;
END
$$;

CREATE FUNCTION public.refuse_parked() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    parked public.checkpoint_log;
BEGIN
    SELECT * INTO parked FROM public.checkpoint_log AS p
    WHERE p.option = 'park' AND NOT EXISTS (
        SELECT FROM public.checkpoint_log AS s WHERE s.calendar = p.calendar AND s.event = 'shipped')
    ORDER BY p.id LIMIT 1;
    -- A run that is known is resumed: it is not new.
    IF FOUND AND NOT EXISTS (SELECT FROM public.finetune_runs AS r WHERE r.id = NEW.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('new sweeps are parked since %s UTC: %s of %s, decided by %s',
                to_char(parked.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'), parked.checkpoint, parked.calendar, parked.person),
            HINT = 'it ends when `setpoint checkpoints` sees the Epic shipped; a sweep that was begun may be resumed';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION public.refuse_statement() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    RAISE insufficient_privilege USING
        MESSAGE = format('%s on %s is refused: %s', TG_OP, TG_TABLE_NAME, TG_ARGV[0]);
END
$$;

CREATE FUNCTION public.refuse_unless_emergency(incident text, approved_by text, circumstance text, failed text, probe text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
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
$_$;

CREATE FUNCTION public.register_run(p_change bigint, p_run text, p_current text, p_dimensions text[]) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.register_run(p_change bigint, p_run text, p_current text, p_dimensions text[]) IS 'Registers the runs of a pair for a change, before they pin; returns how long one that has no pair may take.';

CREATE FUNCTION public.release_posting(p_held uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    DELETE FROM public.checkpoint_claims WHERE claim = p_held;
END
$$;

COMMENT ON FUNCTION public.release_posting(p_held uuid) IS 'Gives a claim up; one that somebody else took over since is theirs.';

CREATE FUNCTION public.remove_passkey(p_id bigint, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    actor text := public.owner_of_tables();
    everything boolean := actor IS NOT NULL;
    gone public.passkeys;
    s record;
BEGIN
    IF actor IS NULL THEN
        s := public.person_behind();
        actor := s.account;
        everything := 'admin' = ANY (s.roles);
        PERFORM public.require_fresh_proof();
    END IF;
    DELETE FROM public.passkeys AS k WHERE k.id = p_id AND (everything OR k.account = actor) RETURNING k.* INTO gone;
    IF gone.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no passkey %s', p_id),
            HINT = 'list them with `setpoint passkeys list`, or on the page of the account';
    END IF;
    PERFORM public.note_access('passkey_removed', gone.account, p_remote, NULL, actor, jsonb_build_object('label', gone.label));
END
$$;

CREATE FUNCTION public.repeat_check(p_id bigint, p_words text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.repeat_check(p_id bigint, p_words text) IS 'A person says why the candidate of a change is trained once more with the same data; it holds for the next attempt alone.';

CREATE FUNCTION public.repetitions_of(p_change bigint, p_after timestamp with time zone) RETURNS TABLE(person text, words text, said_at timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.repetitions_of(p_change bigint, p_after timestamp with time zone) IS 'What people said, since an instant, that a further attempt at a change''s candidate is for.';

CREATE FUNCTION public.require_admin() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record;
    owner text := public.owner_of_tables();
BEGIN
    IF owner IS NOT NULL THEN
        RETURN owner;
    END IF;
    SELECT * INTO s FROM public.speaker();
    -- A token that could make accounts or tokens would outlive its own revocation.
    IF s.account IS NULL OR s.kind <> 'session' OR NOT 'admin' = ANY (s.roles) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = 'keeping accounts needs the session of an admin',
            HINT = 'log in as one; a token does not suffice';
    END IF;
    PERFORM public.require_fresh_proof();
    RETURN s.account;
END
$$;

CREATE FUNCTION public.require_decider(p_calendar text, p_checkpoint text, p_option text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    decider text := (SELECT person FROM public.who());
BEGIN
    PERFORM public.require_role('config_write', 'approver', 'admin');
    IF public.is_robot(decider) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a robot decides no checkpoint', HINT = 'a person decides it';
    END IF;
    PERFORM public.require_fresh_proof();
    -- Two decisions at once: the second waits here, and then finds the first.
    PERFORM FROM public.obligations AS o
    WHERE o.incident = p_calendar || ' ' || p_checkpoint AND o.kind = 'decision' AND o.met_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('%s of %s owes no decision', p_checkpoint, p_calendar),
            HINT = '`setpoint checkpoints` says what does';
    END IF;
    IF p_option = 'waiver' AND EXISTS (SELECT FROM public.checkpoint_log WHERE calendar = p_calendar AND option = 'waiver') THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('%s had its waiver: it is single-use', p_calendar);
    END IF;
    RETURN decider;
END
$$;

COMMENT ON FUNCTION public.require_decider(p_calendar text, p_checkpoint text, p_option text) IS 'The person of this session, who may decide this now: asked before anything is posted elsewhere, too.';

CREATE FUNCTION public.require_fresh_proof() RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    -- Of a session alone, whichever door it came through: a cookie may have been stolen, a screen left alone. A
    -- token decides nothing about people, and is no person. A clock that was set back leaves no proof ahead of it.
    IF EXISTS (SELECT FROM public.credentials AS c
               WHERE c.hash = sha256(convert_to(coalesce(current_setting('setpoint.credential', true), ''), 'UTF8'))
                 AND c.kind = 'session'
                 AND (c.proven_at BETWEEN clock_timestamp() - interval '15 minutes' AND clock_timestamp()) IS NOT TRUE) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP440',
            MESSAGE = 'this decides something, and it is more than 15 minutes since you proved who you are',
            HINT = 'prove it again: on a page as it asks, over HTTP with your password by POST /v1/me/proof';
    END IF;
END
$$;

COMMENT ON FUNCTION public.require_fresh_proof() IS 'Holds that the session behind this transaction was proven within a quarter of an hour.';

CREATE FUNCTION public.require_own_password() RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.person_behind();
BEGIN
    IF s.proof = 'one-time-login' OR NOT EXISTS (
            SELECT FROM public.accounts AS a WHERE a.name = s.account AND a.password_verifier IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a passkey goes with a password that one has logged in with',
            HINT = 'set a password, log in with it, and add the passkey then; a provider has factors of its own';
    END IF;
    PERFORM public.require_fresh_proof();
    RETURN s;
END
$$;

CREATE FUNCTION public.require_reach(p_scope text, p_keys text[], VARIADIC wanted text[]) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record;
    limits jsonb;
BEGIN
    SELECT * INTO s FROM public.speaker();
    IF s.account IS NULL THEN
        RETURN;  -- as in require_role
    END IF;
    PERFORM public.require_role(VARIADIC wanted);
    SELECT a.limits INTO limits FROM public.accounts AS a WHERE a.name = s.account;
    IF NOT EXISTS (SELECT FROM unnest(s.roles) AS role
            WHERE role = ANY (wanted) AND public.reaches(limits, role, p_scope, p_keys)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('no role of %s reaches this change of %s', s.account, p_scope),
            HINT = format('an admin says how far roles reach: `setpoint accounts limit %s --role ROLE`', s.account);
    END IF;
END
$$;

COMMENT ON FUNCTION public.require_reach(p_scope text, p_keys text[], VARIADIC wanted text[]) IS 'As require_role, and the role covers this scope and these keys.';

CREATE FUNCTION public.require_reporter(run text, starter text, starts boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.require_reporter(run text, starter text, starts boolean) IS 'Refuses whoever reports on a run of another, or starts one in another''s name.';

CREATE FUNCTION public.require_role(VARIADIC wanted text[]) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record;
BEGIN
    -- Of a login that speaks for itself it is PostgreSQL's own privileges that decide.
    SELECT * INTO s FROM public.speaker();
    IF s.account IS NOT NULL AND NOT s.roles && wanted THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403',
            MESSAGE = format('%s needs the role %s for this', s.account, array_to_string(wanted, ' or ')),
            HINT = format('an admin grants roles with `setpoint accounts roles %s --role ROLE`', s.account);
    END IF;
END
$$;

CREATE FUNCTION public.require_room_for_change(p_author text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    whole bigint := (SELECT most FROM public.quotas WHERE kind = 'open_changes' AND caller = 'account');
    there bigint := (SELECT count(*) FROM public.changes
                     WHERE author = p_author AND state IN ('draft', 'proposed', 'suspended'));
BEGIN
    IF there >= whole THEN
        RAISE EXCEPTION USING ERRCODE = 'SP429', DETAIL = '60',
            MESSAGE = format('%s has %s open changes, as many as one may have', p_author, there),
            HINT = 'apply or withdraw some: `setpoint change list`';
    END IF;
END
$$;

COMMENT ON FUNCTION public.require_room_for_change(p_author text) IS 'Refuses one more open change to somebody who has their share of them.';

CREATE FUNCTION public.require_speaker() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    -- Not within a function that runs as the owner: that has judged by itself.
    IF NOT (SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = TG_RELID) THEN
        PERFORM public.speaker();
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION public.require_speaker() IS 'On every table that a login may write itself: a plane without a credential writes nothing there.';

CREATE FUNCTION public.required_of(change public.changes, OUT approvals integer, OUT solo boolean, OUT cooling_off_s integer, OUT checks text[], OUT smoke_s integer) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- A change of several kinds needs the strictest of their policies, and the checks of all.
    SELECT max(p.approvals), bool_and(p.solo), max(p.cooling_off_s), CASE WHEN 'policy' = ANY (change.kinds) THEN '{}' ELSE
        coalesce(string_to_array(string_agg(nullif(array_to_string(p.checks, ','), ''), ','), ','), '{}') END, min(p.smoke_s)
    FROM unnest(change.kinds || CASE WHEN cardinality(change.kinds) = 0 THEN ARRAY['value'] ELSE '{}' END) AS kind,
         public.policy_for(change.scope, kind) AS p
$$;

CREATE FUNCTION public.resolved_hash(change public.changes, scopes text[]) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- What resolve_snapshots merges, of one context; of no change (all nulls) it is what stands.
    SELECT public.document_hash(public.document_merge(
        CASE WHEN named.scope = change.scope THEN change.proposal ELSE f.base_env END ORDER BY named.position)::text)
    FROM unnest(scopes) WITH ORDINALITY AS named (scope, position)
    LEFT JOIN public.ftf_config AS f ON f.scope = named.scope
    WHERE f.scope IS NOT NULL OR named.scope = change.scope
$$;

CREATE FUNCTION public.restore_probe_noted() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- A plane notes its answer twice a minute. An older one says nothing of now, nor does one from a clock that
    -- was set back since.
    SELECT jsonb_build_object('is_live', is_live, 'said', said, 'answered_at', answered_at) FROM public.restore_probe
    WHERE answered_at BETWEEN clock_timestamp() - interval '2 minutes' AND clock_timestamp()
$$;

CREATE TABLE public.deliveries (
    id bigint NOT NULL,
    notification bigint NOT NULL,
    target text NOT NULL,
    subject text NOT NULL,
    people text[] NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    next_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    leased_until timestamp with time zone,
    sent_at timestamp with time zone,
    error text DEFAULT ''::text NOT NULL,
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'failed'::text])))
);

COMMENT ON TABLE public.deliveries IS 'One notification on its way to one target of the machine''s configuration.';

COMMENT ON COLUMN public.deliveries.people IS 'Those of the notification''s people for whom this target is.';

COMMENT ON COLUMN public.deliveries.since IS 'From when on it is tried for a day; a retry begins anew.';

COMMENT ON COLUMN public.deliveries.leased_until IS 'Until then one plane sends it; one that died leaves it to the next, which sends the same key again.';

COMMENT ON COLUMN public.deliveries.error IS 'Why the last attempt failed.';

CREATE FUNCTION public.retry_delivery(p_id bigint) RETURNS public.deliveries
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    again public.deliveries;
BEGIN
    IF public.owner_of_tables() IS NULL THEN
        -- It decides nothing: what is sent again was to be sent anyway.
        PERFORM public.require_role('admin');
    END IF;
    UPDATE public.deliveries AS d SET state = 'waiting', since = clock_timestamp(), next_at = clock_timestamp()
    WHERE d.id = p_id AND d.state <> 'sent' RETURNING * INTO again;
    IF again.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no delivery %s that waits or failed', p_id),
            HINT = '`setpoint notifications list` names them';
    END IF;
    RETURN again;
END
$$;

COMMENT ON FUNCTION public.retry_delivery(p_id bigint) IS 'Lets a delivery be tried at once, and for a day from now on.';

CREATE FUNCTION public.revive_nobody(p_backup jsonb) RETURNS TABLE(what text, which text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    owner text := public.owner_of_tables();
    why   constant text := 'a backup was brought back, and what was decided since it was made is not known';
BEGIN
    -- Who was shut out, what was revoked, withdrawn or closed after a backup was made is not in it. So nobody
    -- comes in by what it holds, and nothing of it is carried out, until somebody says so again.
    RETURN QUERY
    WITH ended AS (
        UPDATE public.credentials SET revoked_at = clock_timestamp()
        WHERE revoked_at IS NULL AND expires_at > clock_timestamp() RETURNING kind, account
    )
    SELECT kind, account FROM ended ORDER BY 1, 2;
    UPDATE public.accounts SET password_parameters = NULL, password_verifier = NULL WHERE password_verifier IS NOT NULL;
    RETURN QUERY
    WITH waiting AS (
        UPDATE public.accounts SET disabled_at = clock_timestamp(), waits_since = clock_timestamp()
        WHERE disabled_at IS NULL AND NOT roles <@ ARRAY['viewer'] RETURNING name
    )
    SELECT 'account', name FROM waiting ORDER BY 2;
    RETURN QUERY
    WITH limited AS (
        UPDATE public.identity_providers SET roles = ARRAY(SELECT unnest(roles) INTERSECT SELECT 'viewer')
        WHERE NOT roles <@ ARRAY['viewer'] RETURNING issuer
    )
    SELECT 'provider', issuer FROM limited ORDER BY 2;
    RETURN QUERY
    WITH closed AS (
        INSERT INTO public.incident_channels (prefix, responsible, is_open, reason, declared_by)
        SELECT c.prefix, c.responsible, false, why, owner FROM public.open_channels() AS c RETURNING prefix
    )
    SELECT 'channel', prefix FROM closed ORDER BY 2;
    RETURN QUERY
    WITH suspended AS (
        UPDATE public.changes SET state = 'suspended', state_reason = why
        WHERE state IN ('draft', 'proposed', 'suspended') RETURNING id
    )
    SELECT 'change', id::text FROM suspended ORDER BY id;
    PERFORM public.note_access('backup_restored', owner, '', NULL, owner, p_backup);
END
$$;

COMMENT ON FUNCTION public.revive_nobody(p_backup jsonb) IS 'Ends what a backup holds that may have ended since; returns what that was.';

CREATE FUNCTION public.revoke_token(p_id bigint, p_remote text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    actor text := public.owner_of_tables();
    everything boolean := actor IS NOT NULL;
    holder text;
    s record;
BEGIN
    IF actor IS NULL THEN
        s := public.presented();
        actor := s.account;
        everything := 'admin' = ANY (s.roles);
    END IF;
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE id = p_id AND kind = 'token' AND revoked_at IS NULL
      AND (everything OR account = actor)
    RETURNING account INTO holder;
    IF holder IS NULL THEN
        -- Somebody else's is as missing as none.
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no live token %s', p_id),
            HINT = 'look it up with `setpoint tokens list`';
    END IF;
    PERFORM public.require_fresh_proof();
    PERFORM public.note_access('token_revoked', holder, p_remote, p_id, actor, '{}');
END
$$;

CREATE FUNCTION public.roles_of(person text) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT coalesce((SELECT a.roles FROM public.accounts AS a WHERE a.name = person), '{}')
        || CASE WHEN person IN (SELECT public.approving_logins()) THEN ARRAY['approver'] ELSE '{}' END
$$;

CREATE FUNCTION public.rotate_token(p_id bigint, p_hash bytea, p_days integer, p_overlap_s integer, p_remote text, OUT id bigint, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT label text, OUT old_ends_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    everything boolean := public.owner_of_tables() IS NOT NULL;
    mine text;
    old  public.credentials;
    s    record;
BEGIN
    IF NOT everything THEN
        s := public.presented();
        everything := 'admin' = ANY (s.roles);
        mine := s.account;
    END IF;
    IF p_overlap_s IS NULL OR p_overlap_s NOT BETWEEN 0 AND 2592000 THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'the old token ends 0 to 30 days after the new one is made',
            HINT = 'give an overlap within that';
    END IF;
    SELECT c.* INTO old FROM public.credentials AS c
    WHERE c.id = p_id AND c.kind = 'token' AND c.revoked_at IS NULL AND c.expires_at > clock_timestamp()
      AND (everything OR c.account = mine)
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('there is no live token %s', p_id),
            HINT = 'look it up with `setpoint tokens list`';
    END IF;
    label := old.label;
    -- Who may make a token of this account is judged there.
    SELECT i.id, i.account, i.roles, i.expires_at INTO id, account, roles, expires_at
    FROM public.issue_token(old.account, p_hash, old.label, old.roles, p_days, p_remote, old.dimensions) AS i;
    UPDATE public.credentials AS c
    SET expires_at = least(c.expires_at, clock_timestamp() + make_interval(secs => p_overlap_s))
    WHERE c.id = p_id RETURNING c.expires_at INTO old_ends_at;
    PERFORM public.note_access('token_rotated', old.account, p_remote, p_id, coalesce(mine, public.owner_of_tables()),
        jsonb_build_object('by', id, 'ends_at', old_ends_at));
END
$$;

COMMENT ON FUNCTION public.rotate_token(p_id bigint, p_hash bytea, p_days integer, p_overlap_s integer, p_remote text, OUT id bigint, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT label text, OUT old_ends_at timestamp with time zone) IS 'Another token with the same account, roles, dimensions and label; the old one works on for the overlap.';

CREATE FUNCTION public.route_notifications(p_targets jsonb) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    n       public.notifications;
    routed  bigint := 0;
    told    text[];
BEGIN
    -- One that nobody was there to route for a day is no news any more.
    FOR n IN SELECT * FROM public.notifications WHERE routed_at IS NULL ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED LOOP
        told := CASE WHEN n.made_at > clock_timestamp() - interval '1 day' THEN public.people_of(n) END;
        UPDATE public.notifications SET routed_at = clock_timestamp(), people = coalesce(told, people) WHERE id = n.id;
        IF told IS NOT NULL THEN
            INSERT INTO public.deliveries (notification, target, subject, people)
            SELECT n.id, t.name, n.subject, meant.people
            FROM jsonb_to_recordset(p_targets) AS t (name text, people text[], roles text[], about text[]),
                 LATERAL (SELECT ARRAY(SELECT p FROM unnest(told) AS p WHERE (t.people IS NULL AND t.roles IS NULL)
                                           OR p = ANY (t.people) OR public.roles_of(p) && t.roles ORDER BY p)) AS meant (people)
            WHERE (t.about IS NULL OR n.kind = ANY (t.about))
              -- An approval that applies its change is told once, by the second of the two.
              AND (n.kind <> 'change_approved' OR 'change_applied' <> ALL (t.about) OR NOT EXISTS (
                  SELECT FROM public.notifications AS later
                  WHERE later.routed_at IS NULL AND later.subject = n.subject AND later.kind = 'change_applied'))
              AND (meant.people <> '{}' OR (t.people IS NULL AND t.roles IS NULL))
            ORDER BY t.name
            ON CONFLICT (notification, target) DO NOTHING;
        END IF;
        routed := routed + 1;
    END LOOP;
    RETURN routed;
END
$$;

COMMENT ON FUNCTION public.route_notifications(p_targets jsonb) IS 'Gives what was noted to the targets of the machine that asks, by person, role and kind; what is over by then is sent to nobody.';

CREATE FUNCTION public.rows_in_rest(OUT of_table text, OUT rows bigint, OUT oldest timestamp with time zone) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    split record;
BEGIN
    FOR split IN SELECT t.name, t.instant FROM public.month_tables() AS t ORDER BY t.name LOOP
        of_table := split.name;
        EXECUTE format('SELECT count(*), min(%I) FROM public.%I', split.instant, split.name || '_rest') INTO rows, oldest;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION public.rows_in_rest(OUT of_table text, OUT rows bigint, OUT oldest timestamp with time zone) IS 'How many rows of each table wait for their month, and since when.';

CREATE FUNCTION public.rule_for(p_scopes text[]) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- From documents in force, never from what a change proposes: else it could soften its own judge.
    SELECT public.rule_in(public.document_merge(f.base_env ORDER BY named.position))
    FROM unnest(p_scopes) WITH ORDINALITY AS named (scope, position) JOIN public.ftf_config AS f USING (scope)
$$;

COMMENT ON FUNCTION public.rule_for(p_scopes text[]) IS 'The numbers that a canary is judged by, as documents laid over each other say now.';

CREATE FUNCTION public.rule_in(p_document jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN jsonb_build_object('aggregation', (p_document ->> 'CVN_FTF_VERDICT_AGGREGATION'::text), 'pass_f1', (p_document -> 'CVN_FTF_VERDICT_PASS_F1'::text), 'pass_assets', (p_document -> 'CVN_FTF_VERDICT_PASS_ASSETS'::text), 'rollback_f1', (p_document -> 'CVN_FTF_VERDICT_ROLLBACK_F1'::text), 'min_assets', (p_document -> 'CVN_FTF_VERDICT_MIN_ASSETS'::text), 'min_skill', (p_document -> 'CVN_FTF_VERDICT_MIN_SKILL'::text));

COMMENT ON FUNCTION public.rule_in(p_document jsonb) IS 'The numbers that a canary is judged by, as a document says; null where it does not.';

CREATE TABLE public.finetune_runs (
    id text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    state text DEFAULT 'running'::text NOT NULL,
    snapshot_hash text NOT NULL,
    set_hash text NOT NULL,
    context jsonb NOT NULL,
    layers jsonb NOT NULL,
    catalogues jsonb NOT NULL,
    versions jsonb NOT NULL,
    git_commit text NOT NULL,
    data_hash text NOT NULL,
    data_label text NOT NULL,
    seed bigint NOT NULL,
    processes integer NOT NULL,
    threads integer NOT NULL,
    universe text NOT NULL,
    n_units integer NOT NULL,
    plan jsonb NOT NULL,
    read_set text,
    fallbacks jsonb DEFAULT '{}'::jsonb NOT NULL,
    started_by text NOT NULL,
    host text NOT NULL,
    CONSTRAINT a_run_is_a_name CHECK (public.is_name(concat(id, host, git_commit, data_label, universe))),
    CONSTRAINT finetune_runs_n_units_check CHECK ((n_units > 0)),
    CONSTRAINT finetune_runs_processes_check CHECK ((processes > 0)),
    CONSTRAINT finetune_runs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'complete'::text, 'interrupted'::text, 'failed'::text]))),
    CONSTRAINT finetune_runs_threads_check CHECK ((threads > 0))
);

COMMENT ON COLUMN public.finetune_runs.snapshot_hash IS 'Of the base: the snapshot of the context that all units share.';

COMMENT ON COLUMN public.finetune_runs.n_units IS 'How many units it declares; they follow in pages.';

COMMENT ON COLUMN public.finetune_runs.plan IS 'The market data, the dimensions of its units, and the rule the verdict will apply.';

COMMENT ON COLUMN public.finetune_runs.read_set IS 'Of the keys that the run really read; null until it ended.';

COMMENT ON COLUMN public.finetune_runs.fallbacks IS 'By key, the number of units in which it fell back.';

CREATE FUNCTION public.run_not_counted(r public.finetune_runs, p_reporter text, p_author text, p_scope text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
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
$_$;

COMMENT ON FUNCTION public.run_not_counted(r public.finetune_runs, p_reporter text, p_author text, p_scope text) IS 'Why a run is no evidence for or against a change of an author in a scope, whatever it trained; null when it is.';

CREATE FUNCTION public.runs_in_full(p_change public.changes) RETURNS SETOF public.finetune_runs
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.runs_in_full(p_change public.changes) IS 'Runs after its promotion that a change in full answers for and that were not judged yet, oldest first.';

CREATE FUNCTION public.runs_set_by(p_revision bigint) RETURNS SETOF text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.runs_set_by(p_revision bigint) IS 'The runs that used at least one value that a revision set, pinned with it or later, before it was set anew.';

CREATE TABLE public.change_attempts (
    run_id text NOT NULL,
    began_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE public.change_attempts IS 'Each time that a candidate began to be trained beside what stands: who repeats it until it passes is seen to.';

COMMENT ON COLUMN public.change_attempts.began_at IS 'By the clock of the database, when it pinned; that it was registered is no attempt yet.';

CREATE FUNCTION public.same_candidate(p_context public.finetune_contexts) RETURNS SETOF public.change_attempts
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- By what is trained: withdrawing a change and proposing it again makes no other candidate.
    SELECT a.* FROM public.finetune_contexts AS c JOIN public.change_attempts AS a USING (run_id)
    WHERE c.snapshot_hash = p_context.snapshot_hash AND c.context = p_context.context AND c.run_id <> p_context.run_id
$$;

COMMENT ON FUNCTION public.same_candidate(p_context public.finetune_contexts) IS 'The attempts, of whichever change, that trained what a context of a run pinned.';

CREATE FUNCTION public.scopes_of(dimensions text[], context jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN (ARRAY['global'::text] || ARRAY(SELECT format('%s=%s'::text, d.name, (scopes_of.context ->> d.name)) AS format FROM unnest(scopes_of.dimensions) WITH ORDINALITY d(name, "position") WHERE (scopes_of.context ? d.name) ORDER BY d."position"));

CREATE FUNCTION public.seeded_pct(p_catalogues text[]) RETURNS double precision
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.seeded_pct(p_catalogues text[]) IS 'How many of a hundred declared keys have a value in the global document, of the catalogue where that is least; a catalogue that nobody declared covers nothing.';

CREATE FUNCTION public.sessions_seen(p_account text, p_after bigint, p_limit bigint) RETURNS TABLE(id bigint, account text, how text, created_at timestamp with time zone, created_by text, proven_at timestamp with time zone, expires_at timestamp with time zone, last_used_at timestamp with time zone, last_used_from text, last_used_by text, is_this boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    everything boolean := public.owner_of_tables() IS NOT NULL;
    mine text := '';
    this bigint := 0;
    s record;
BEGIN
    IF NOT everything THEN
        s := public.presented();
        everything := 'admin' = ANY (s.roles);
        mine := s.account;
        this := s.id;
    END IF;
    RETURN QUERY
        SELECT c.id, c.account, c.label, c.created_at, c.created_by, c.proven_at, c.expires_at, c.last_used_at,
               c.last_used_from, c.last_used_by, c.id = this
        FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
        WHERE c.kind = 'session' AND c.revoked_at IS NULL AND c.expires_at > clock_timestamp() AND a.disabled_at IS NULL
          AND (everything OR c.account = mine) AND (p_account IS NULL OR c.account = p_account)
          AND (p_after IS NULL OR c.id < p_after)
        ORDER BY c.id DESC LIMIT p_limit;
END
$$;

COMMENT ON FUNCTION public.sessions_seen(p_account text, p_after bigint, p_limit bigint) IS 'Sessions that let somebody in: the caller''s, or all for an admin or the owner of the tables; newest first.';

CREATE TABLE public.baselines (
    id bigint NOT NULL,
    run text NOT NULL,
    model text NOT NULL,
    timeframe text NOT NULL,
    host text NOT NULL,
    units integer NOT NULL,
    training_time_p95_s double precision NOT NULL,
    n_trees_median double precision NOT NULL,
    reason text NOT NULL,
    set_by text NOT NULL,
    set_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT baselines_reason_check CHECK (public.says_something(reason)),
    CONSTRAINT baselines_units_check CHECK ((units > 0))
);

COMMENT ON TABLE public.baselines IS 'Runs that later trainings are held against; the newest row of a model, timeframe and machine counts.';

COMMENT ON COLUMN public.baselines.training_time_p95_s IS 'Copied from the results of the run when it was set: frozen, whatever becomes of these.';

CREATE FUNCTION public.set_baseline(p_run text, p_reason text) RETURNS SETOF public.baselines
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.set_baseline(p_run text, p_reason text) IS 'Freezes what a run measured as what later trainings are held against, for each model and timeframe on its machine.';

CREATE FUNCTION public.set_password(p_key bytea, p_parameters text, p_verifier bytea, p_remote text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    s record := public.presented();
    old record;
BEGIN
    IF s.kind <> 'session' OR 'robot' = ANY (s.roles) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'a password is set in a session of a person',
            HINT = 'log in; robots use tokens';
    END IF;
    SELECT * INTO old FROM public.own_password(p_remote);
    IF old.wait_s > 0 THEN
        RETURN false;
    END IF;
    IF old.must_prove AND NOT EXISTS (SELECT FROM public.accounts AS a WHERE a.name = s.account
                                      AND a.password_verifier = sha256(coalesce(p_key, ''))) THEN
        PERFORM public.note_access('login_failed', s.account, p_remote, s.id, s.account, '{"how": "own password"}');
        RETURN false;
    END IF;
    UPDATE public.accounts SET password_parameters = p_parameters, password_verifier = p_verifier WHERE name = s.account;
    -- Whoever else is in by the old password is out; a one-time login proves itself once only, and stays one.
    UPDATE public.credentials SET revoked_at = clock_timestamp()
    WHERE account = s.account AND kind IN ('session', 'once', 'begun') AND id <> s.id AND revoked_at IS NULL;
    UPDATE public.credentials SET label = 'once, password set' WHERE id = s.id AND label = 'once';
    IF old.must_prove THEN
        PERFORM public.note_proof(s.id, s.account, 'password', clock_timestamp(), p_remote);
    END IF;
    PERFORM public.note_access('password_set', s.account, p_remote, s.id, s.account, jsonb_build_object('proof', s.proof));
    RETURN true;
END
$$;

COMMENT ON FUNCTION public.set_password(p_key bytea, p_parameters text, p_verifier bytea, p_remote text) IS 'False when the old one was not proven; the account''s other sessions end.';

CREATE FUNCTION public.shadow_differences(change public.changes, p_run text, p_baseline text) RETURNS TABLE(unit jsonb, parameter text, baseline jsonb, candidate jsonb)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.shadow_differences(change public.changes, p_run text, p_baseline text) IS 'What reached models otherwise than in a baseline, the change''s own parameters aside; of a missing pair the parameter is empty.';

CREATE FUNCTION public.shadow_is_done(change public.changes) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- By the newest verdict: what passed once and is judged worse now has not passed.
    SELECT EXISTS (SELECT FROM public.rollout_steps AS s WHERE s.change_id = change.id AND s.stage = 'shadow' AND s.step = 'skip'
                   AND s.proposal_hash = change.proposal_hash)
        OR coalesce((SELECT s.outcome = 'pass' FROM public.rollout_steps AS s
                     WHERE s.change_id = change.id AND s.stage = 'shadow' AND s.step = 'verdict' AND s.proposal_hash = change.proposal_hash
                     ORDER BY s.id DESC LIMIT 1), false)
$$;

COMMENT ON FUNCTION public.shadow_is_done(change public.changes) IS 'Whether the shadow of a change was skipped, or its newest verdict is that nothing else differs.';

CREATE FUNCTION public.share_data(old public.finetune_runs, new public.finetune_runs) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- By asset: to leave one out brings no new data.
    SELECT EXISTS (SELECT FROM jsonb_each(old.plan -> 'data') AS o JOIN jsonb_each(new.plan -> 'data') AS n USING (key)
                   WHERE o.value -> 'hash' = n.value -> 'hash')
$$;

COMMENT ON FUNCTION public.share_data(old public.finetune_runs, new public.finetune_runs) IS 'Whether two runs train an asset with the same candles.';

CREATE FUNCTION public.signer(p_scope text, p_keys text[], VARIADIC wanted text[], OUT person text, OUT proof text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.signer(p_scope text, p_keys text[], VARIADIC wanted text[], OUT person text, OUT proof text) IS 'The person of this session, who may do this by hand; refuses robots and tokens.';

CREATE FUNCTION public.skip_shadow(p_id bigint, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text) RETURNS public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.skip_shadow(p_id bigint, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text) IS 'A person skips the shadow of a change, and says why.';

CREATE FUNCTION public.smoke_of(p_run text, OUT result text, OUT reasons text[]) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.smoke_of(p_run text, OUT result text, OUT reasons text[]) IS 'Whether every unit of a run was trained, and no model in force is left out.';

CREATE FUNCTION public.speaker(OUT kind text, OUT account text, OUT roles text[], OUT proof text) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    secret text := nullif(current_setting('setpoint.credential', true), '');
    dimensions text[];
BEGIN
    IF secret IS NULL THEN
        IF public.is_plane() THEN
            RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'a plane''s login speaks for nobody: no credential was presented',
                HINT = 'present the credential of an account, or use a login that is no member of setpoint_server';
        END IF;
        RETURN;
    END IF;
    SELECT h.kind, h.account, h.roles, h.proof, h.dimensions INTO kind, account, roles, proof, dimensions
    FROM public.live_credentials AS h WHERE h.hash = sha256(convert_to(secret, 'UTF8'));
    IF account IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'the credential is unknown, expired or revoked';
    END IF;
    IF dimensions IS NOT NULL THEN
        PERFORM public.refuse_flag_readers(dimensions);
    END IF;
END
$$;

COMMENT ON FUNCTION public.speaker(OUT kind text, OUT account text, OUT roles text[], OUT proof text) IS 'The account whose secret this transaction presented; nulls for a login that speaks for itself.';

CREATE TABLE public.rollout_stages (
    change_id bigint NOT NULL,
    stage text NOT NULL,
    assets text[] NOT NULL,
    models text[] NOT NULL,
    expected_s integer,
    rule jsonb NOT NULL,
    CONSTRAINT rollout_stages_assets_check CHECK ((cardinality(assets) > 0)),
    CONSTRAINT rollout_stages_expected_s_check CHECK ((expected_s > 0)),
    CONSTRAINT rollout_stages_models_check CHECK ((cardinality(models) > 0)),
    CONSTRAINT rollout_stages_stage_check CHECK ((stage = ANY (ARRAY['shadow'::text, 'canary'::text, 'full'::text])))
);

COMMENT ON TABLE public.rollout_stages IS 'What each stage of a rollout trains, how long that should take, and what it is judged by: fixed before the first starts.';

COMMENT ON COLUMN public.rollout_stages.expected_s IS 'After which it is late; null where it has no end.';

CREATE FUNCTION public.stage_outcome(p_run text, p_stage public.rollout_stages, OUT outcome text, OUT evidence jsonb) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT v.outcome, jsonb_build_object('models', v.models, 'reasons', to_jsonb(v.reasons))
    FROM public.canary_outcome(p_run, p_stage.rule, p_stage.assets, p_stage.models) AS v
$$;

COMMENT ON FUNCTION public.stage_outcome(p_run text, p_stage public.rollout_stages, OUT outcome text, OUT evidence jsonb) IS 'How a run does by the rule of a stage, on its assets and models; with the scores that say so.';

CREATE FUNCTION public.stand_on_history(reason text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.stand_on_history(reason text) IS 'Makes each document the newest revision that was imported of its scope.';

CREATE FUNCTION public.start_passkey(p_secret text, p_challenge bytea, p_is_new boolean, OUT account text, OUT keys bytea[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF p_is_new THEN
        PERFORM public.require_own_password();
    END IF;
    UPDATE public.credentials AS c SET challenge = p_challenge, challenge_ends_at = clock_timestamp() + interval '5 minutes'
    FROM public.accounts AS a
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind IN ('session', 'begun') AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() AND a.name = c.account AND a.disabled_at IS NULL
    RETURNING c.account INTO account;
    IF account IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'this login took too long, or has ended', HINT = 'log in again';
    END IF;
    keys := ARRAY(SELECT k.key FROM public.passkeys AS k WHERE k.account = start_passkey.account ORDER BY k.id);
END
$$;

COMMENT ON FUNCTION public.start_passkey(p_secret text, p_challenge bytea, p_is_new boolean, OUT account text, OUT keys bytea[]) IS 'Notes what a passkey is to sign for a session, or for a login whose password was right; and which passkeys can.';

CREATE FUNCTION public.start_session(p_account text, p_hash bytea, p_how text, p_remote text, p_actor text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    made bigint;
BEGIN
    SELECT a.name, a.roles INTO account, roles FROM public.accounts AS a
    WHERE a.name = p_account AND a.disabled_at IS NULL;
    expires_at := clock_timestamp() + interval '12 hours';
    INSERT INTO public.credentials (hash, kind, account, label, created_by, expires_at, last_used_at, last_used_from)
    VALUES (p_hash, 'session', account, p_how, p_actor, expires_at, clock_timestamp(), left(p_remote, 64))
    RETURNING id INTO made;
    PERFORM public.note_access('login_ok', account, p_remote, made, p_actor, jsonb_build_object('how', p_how));
END
$$;

CREATE FUNCTION public.start_stage(p_id bigint, p_stage text, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text) RETURNS public.rollout_steps
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.start_stage(p_id bigint, p_stage text, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text) IS 'A person starts a stage, the canary once seeds were signed and the shadow is done; the first start fixes the rules.';

CREATE FUNCTION public.summarise_month(p_table text, p_month date, OUT rows bigint, OUT hash text, OUT first_at timestamp with time zone, OUT last_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET extra_float_digits TO '1'
    AS $_$
DECLARE
    month   timestamp := date_trunc('month', p_month::timestamp);
    instant text := (SELECT t.instant FROM public.month_tables() AS t WHERE t.name = p_table);
    so_far  bytea := decode(repeat('00', 32), 'hex');
    told    record;
BEGIN
    rows := 0;
    FOR told IN EXECUTE format('SELECT t.%1$I AS at, to_jsonb(t)::text AS line FROM public.%2$I AS t'
                               ' WHERE t.%1$I >= $1 AND t.%1$I < $2 ORDER BY 1, to_jsonb(t)::text COLLATE "C"', instant, p_table)
                USING month::timestamptz, (month + interval '1 month')::timestamptz LOOP
        so_far := sha256(so_far || sha256(convert_to(told.line, 'UTF8')));
        rows := rows + 1;
        first_at := coalesce(first_at, told.at);
        last_at := told.at;
    END LOOP;
    hash := encode(so_far, 'hex');
END
$_$;

COMMENT ON FUNCTION public.summarise_month(p_table text, p_month date, OUT rows bigint, OUT hash text, OUT first_at timestamp with time zone, OUT last_at timestamp with time zone) IS 'What stays known of a month once it is dropped.';

CREATE FUNCTION public.suspend_change(p_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM FROM public.chain_head FOR UPDATE;
    -- Only a change that is due, or that a pre-approval carries, and cannot be applied any more: anybody may say so,
    -- nobody may invent it.
    UPDATE public.changes AS c
    SET state = 'suspended', state_reason = public.moved_since(c)
    WHERE c.id = p_id AND c.state = 'proposed' AND (c.apply_at <= clock_timestamp() OR public.is_carried(c.id))
      AND public.moved_since(c) IS NOT NULL;
END
$$;

CREATE FUNCTION public.suspend_work() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    -- What a disabled account left waits for somebody who takes it over: see amend_change.
    UPDATE public.changes SET state = 'suspended', state_reason = format('its author %s was disabled', NEW.name)
    WHERE author = NEW.name AND state IN ('draft', 'proposed', 'suspended');
    RETURN NULL;
END
$$;

CREATE FUNCTION public.take_challenge(p_secret text, p_key bytea, OUT challenge bytea, OUT public_key bytea, OUT sign_count bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    held public.credentials;
BEGIN
    SELECT c.* INTO held FROM public.credentials AS c
    WHERE c.hash = sha256(convert_to(p_secret, 'UTF8')) AND c.kind IN ('session', 'begun') AND c.revoked_at IS NULL
      AND c.expires_at > clock_timestamp() FOR UPDATE;
    IF held.id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP401', MESSAGE = 'this login took too long, or has ended', HINT = 'log in again';
    END IF;
    IF held.challenge_ends_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '5 minutes' THEN
        challenge := held.challenge;
    END IF;
    UPDATE public.credentials AS c SET challenge = NULL, challenge_ends_at = NULL WHERE c.id = held.id;
    SELECT k.public_key, k.sign_count INTO public_key, sign_count
    FROM public.passkeys AS k WHERE k.key = p_key AND k.account = held.account;
END
$$;

COMMENT ON FUNCTION public.take_challenge(p_secret text, p_key bytea, OUT challenge bytea, OUT public_key bytea, OUT sign_count bigint) IS 'What was to be signed, once; with the public key that checks it, when it is this account''s.';

CREATE FUNCTION public.take_events(p_account text, p_lines bigint, p_bytes bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    whole record;
    share public.event_shares;
    passed float8;
    wait_s integer;
BEGIN
    SELECT max(most) FILTER (WHERE kind = 'event_lines') AS lines, max(per_s) FILTER (WHERE kind = 'event_lines') AS lines_s,
           max(most) FILTER (WHERE kind = 'event_bytes') AS bytes, max(per_s) FILTER (WHERE kind = 'event_bytes') AS bytes_s
    INTO whole FROM public.quotas WHERE caller = 'account';
    INSERT INTO public.event_shares (account, lines, bytes, at)
    VALUES (p_account, whole.lines, whole.bytes, clock_timestamp()) ON CONFLICT (account) DO NOTHING;
    SELECT * INTO share FROM public.event_shares WHERE account = p_account FOR UPDATE;
    passed := extract(epoch FROM clock_timestamp() - share.at);
    IF passed < 0 THEN
        -- The clock was set back, and nobody knows how long ago this was: the share is whole again.
        SELECT whole.lines, whole.bytes, 0 INTO share.lines, share.bytes, passed;
    END IF;
    share.lines := least(share.lines + passed * whole.lines_s, whole.lines);
    share.bytes := least(share.bytes + passed * whole.bytes_s, whole.bytes);
    IF share.lines < p_lines OR share.bytes < p_bytes THEN
        wait_s := least(3600, ceil(greatest((p_lines - share.lines) / greatest(whole.lines_s, 0.001),
                                            (p_bytes - share.bytes) / greatest(whole.bytes_s, 0.001), 1)));
        RAISE EXCEPTION USING ERRCODE = 'SP429', DETAIL = wait_s::text,
            MESSAGE = format('%s delivered more events than its share', p_account),
            HINT = format('send them again in %s seconds; they are kept in the spool meanwhile', wait_s);
    END IF;
    UPDATE public.event_shares SET lines = share.lines - p_lines, bytes = share.bytes - p_bytes, at = clock_timestamp()
    WHERE account = p_account;
END
$$;

COMMENT ON FUNCTION public.take_events(p_account text, p_lines bigint, p_bytes bigint) IS 'Takes lines and bytes out of the share of an account, or refuses; who that is, the guard of events has found.';

CREATE FUNCTION public.take_rollback(p_incident text, p_mechanism text, p_words text) RETURNS public.rollbacks
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.take_rollback(p_incident text, p_mechanism text, p_words text) IS 'Keeps that this person takes one of the four ways back now, in an incident.';

CREATE FUNCTION public.tell_approvers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    told_of constant text := 'change ' || NEW.id;
    is_new  constant boolean := TG_OP = 'INSERT' OR (OLD.state, OLD.proposal_hash) IS DISTINCT FROM (NEW.state, NEW.proposal_hash);
BEGIN
    IF (SELECT need.approvals FROM public.required_of(NEW) AS need) = 0 THEN
        RETURN NULL;
    END IF;
    -- What was not routed yet goes to whoever is asked by then.
    IF is_new THEN
        INSERT INTO public.notifications (kind, subject, facts) VALUES ('approval_wanted', told_of, public.facts_of(NEW));
    ELSIF NOT NEW.asked <@ OLD.asked AND NOT EXISTS (
            SELECT FROM public.notifications AS n
            WHERE n.routed_at IS NULL AND n.subject = told_of AND n.kind = 'approval_wanted' AND n.people IS NULL) THEN
        INSERT INTO public.notifications (kind, subject, people, facts)
        VALUES ('approval_wanted', told_of, ARRAY(SELECT unnest(NEW.asked) EXCEPT SELECT unnest(OLD.asked) ORDER BY 1), public.facts_of(NEW));
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.tell_author() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    actor constant text := public.acting_person();
    words text;
BEGIN
    -- Nobody is told what they did themselves.
    IF actor <> NEW.author THEN
        words := coalesce(nullif(NEW.state_reason, ''), (
            SELECT d.words FROM public.change_decisions AS d
            WHERE NEW.state = 'applied' AND d.change_id = NEW.id AND d.person = actor AND d.decision = 'approve'
            ORDER BY d.id DESC LIMIT 1), '');
        INSERT INTO public.notifications (kind, subject, people, facts)
        VALUES ('change_' || NEW.state, 'change ' || NEW.id, ARRAY[NEW.author], public.facts_of(NEW) || jsonb_build_object(
            'actor', actor, 'words', left(words, 2000), 'revision', NEW.applied_revision));
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.tell_deadlines() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Once in the last quarter of the time, and once when it is over; of a token when it ends soon.
    INSERT INTO public.notifications (kind, subject, people, facts)
    SELECT told.kind, 'obligation ' || o.id,
           ARRAY(SELECT DISTINCT p FROM unnest(ARRAY[u.person, u.responsible]) AS p WHERE p IS NOT NULL ORDER BY p),
           jsonb_build_object('obligation', o.id, 'owes', o.kind, 'incident', o.incident, 'scope', o.scope,
               'until', public.utc_text(o.due_at), 'author', u.person)
    FROM public.obligations AS o
    LEFT JOIN public.break_glass_uses AS u ON u.revision = o.revision,
         LATERAL (SELECT CASE WHEN o.due_at <= clock_timestamp() THEN 'deadline_missed' ELSE 'deadline_near' END) AS told (kind)
    WHERE o.met_at IS NULL AND clock_timestamp() > o.due_at - (o.due_at - o.opened_at) / 4
    ORDER BY o.id
    ON CONFLICT (kind, subject) WHERE kind IN ('deadline_near', 'deadline_missed', 'token_ending') DO NOTHING;
    INSERT INTO public.notifications (kind, subject, people, facts)
    SELECT 'token_ending', 'token ' || t.id, ARRAY(SELECT DISTINCT p FROM unnest(ARRAY[t.account, c.created_by]) AS p ORDER BY p),
           jsonb_build_object('token', t.id, 'account', t.account, 'label', c.label, 'until', public.utc_text(t.expires_at))
    FROM public.tokens_ending() AS t JOIN public.credentials AS c ON c.id = t.id
    ORDER BY t.id
    ON CONFLICT (kind, subject) WHERE kind IN ('deadline_near', 'deadline_missed', 'token_ending') DO NOTHING
$$;

COMMENT ON FUNCTION public.tell_deadlines() IS 'Notes whom a deadline or the end of a token is near for, once of each; judged by the database''s clock.';

CREATE FUNCTION public.tell_history(p_facts jsonb) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    -- No SET clause of the functions that write does this: only a superuser may give a function one of these.
    names constant text[] := '{author,proof,reason,source,catalogues,change,review,touched}';
    told  jsonb;
BEGIN
    SELECT jsonb_object_agg(name, coalesce(current_setting('setpoint.' || name, true), '')) INTO told FROM unnest(names) AS name;
    PERFORM set_config('setpoint.' || name, coalesce(p_facts ->> name, ''), true) FROM unnest(names) AS name;
    RETURN told;
END
$$;

COMMENT ON FUNCTION public.tell_history(p_facts jsonb) IS 'Let the trigger of history hear these facts and no others; returns those before, to be told at the end.';

CREATE FUNCTION public.tell_of_approval() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO public.notifications (kind, subject, people, facts)
    SELECT 'change_approved', 'change ' || c.id, ARRAY[c.author],
           public.facts_of(c) || jsonb_build_object('actor', NEW.person, 'words', left(NEW.words, 2000))
    FROM public.changes AS c WHERE c.id = NEW.change_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION public.tokens_ending() RETURNS TABLE(id bigint, account text, expires_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- Not one that was rotated: another stands in for it.
    SELECT c.id, c.account, c.expires_at
    FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
    WHERE c.revoked_at IS NULL AND a.disabled_at IS NULL AND c.expires_at > clock_timestamp() AND public.ends_soon(c)
      AND NOT EXISTS (SELECT FROM public.access_log AS l WHERE l.credential = c.id AND l.event = 'token_rotated')
    ORDER BY c.expires_at, c.id
$$;

COMMENT ON FUNCTION public.tokens_ending() IS 'Tokens that end soon and were not rotated.';

CREATE FUNCTION public.tokens_seen(p_after bigint, p_limit bigint) RETURNS TABLE(id bigint, account text, label text, roles text[], dimensions text[], created_at timestamp with time zone, created_by text, expires_at timestamp with time zone, revoked_at timestamp with time zone, last_used_at timestamp with time zone, last_used_from text, is_ending boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    everything boolean := public.owner_of_tables() IS NOT NULL;
    mine text := '';
    s record;
BEGIN
    IF NOT everything THEN
        s := public.presented();
        everything := 'admin' = ANY (s.roles);
        mine := s.account;
    END IF;
    RETURN QUERY
        SELECT c.id, c.account,
               c.label, ARRAY(SELECT r FROM unnest(a.roles) AS r
                              WHERE c.dimensions IS NULL AND (c.roles IS NULL OR r = ANY (c.roles))), c.dimensions,
               c.created_at, c.created_by, c.expires_at, c.revoked_at, c.last_used_at, c.last_used_from,
               c.revoked_at IS NULL AND c.expires_at > clock_timestamp() AND public.ends_soon(c)
        FROM public.credentials AS c JOIN public.accounts AS a ON a.name = c.account
        WHERE c.kind = 'token' AND (everything OR c.account = mine) AND (p_after IS NULL OR c.id < p_after)
        ORDER BY c.id DESC LIMIT p_limit;
END
$$;

CREATE FUNCTION public.told_number(told text) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (told ~ '^-?[0-9]{1,12}(\.[0-9]{1,30})?(e[-+]?[0-9]{1,2})?$'::text) THEN (told)::double precision ELSE NULL::double precision END;

CREATE TABLE public.dropped_months (
    id bigint NOT NULL,
    of_table text NOT NULL,
    month date NOT NULL,
    rows bigint NOT NULL,
    hash text NOT NULL,
    first_at timestamp with time zone,
    last_at timestamp with time zone,
    dropped_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE public.dropped_months IS 'What is known of each month that was dropped: how many rows, when the first and the last came, and their hash.';

COMMENT ON COLUMN public.dropped_months.hash IS 'Of its rows by instant and then text, each as JSON: from 32 zero bytes on, the SHA-256 of the hash so far and the row''s SHA-256.';

CREATE FUNCTION public.told_of_month(d public.dropped_months) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    RETURN jsonb_build_object('table', (d).of_table, 'month', to_char(((d).month)::timestamp with time zone, 'YYYY-MM'::text), 'rows', (d).rows, 'hash', (d).hash, 'first', (d).first_at, 'last', (d).last_at);

CREATE FUNCTION public.touch_credential(p_hash bytea, p_remote text, p_by text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    held record;
    seen text := left(coalesce(p_remote, ''), 64);
    by_what text := left(coalesce(p_by, ''), 200);
BEGIN
    UPDATE public.credentials AS c SET last_used_at = clock_timestamp(), last_used_from = seen, last_used_by = by_what
    WHERE c.hash = p_hash AND c.kind NOT IN ('once', 'begun') AND c.revoked_at IS NULL AND c.expires_at > clock_timestamp()
      AND (c.last_used_at IS NULL OR c.last_used_at NOT BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()
           OR c.last_used_from IS DISTINCT FROM seen OR (c.last_used_by = '' AND by_what <> ''))
    RETURNING c.id, c.account, c.kind INTO held;
    IF held.id IS NOT NULL AND NOT EXISTS (SELECT FROM public.access_log AS l WHERE l.credential = held.id
            AND l.remote = seen AND l.event IN ('credential_used', 'login_ok')) THEN
        PERFORM public.note_access('credential_used', held.account, seen, held.id, held.account,
            jsonb_build_object('kind', held.kind));
    END IF;
END
$$;

COMMENT ON FUNCTION public.touch_credential(p_hash bytea, p_remote text, p_by text) IS 'Notes a use, once a minute for each address; the first from an address is in the access log.';

CREATE FUNCTION public.try_writing() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    -- TRUNCATE gives the table new files: room that an old row left behind would say nothing of the disk.
    TRUNCATE public.write_probe;
    INSERT INTO public.write_probe (bulk) SELECT string_agg(md5(n::text || clock_timestamp()), '') FROM generate_series(1, 2048) AS n;
END
$$;

COMMENT ON FUNCTION public.try_writing() IS 'Writes 64 KiB to new files, which a full or a read-only disk refuses.';

CREATE FUNCTION public.unguarded(wanted public.policies, OUT scope text, OUT kind text, OUT approvals integer, OUT cooling_off_s integer, OUT guard_approvals integer, OUT guard_cooling_off_s integer) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- As policies would be, or as they are for a null: of every scope that a policy names, each kind asks for at
    -- most as many approvals and as long a wait as changing the policies of that scope does. Else it could be
    -- softened first, by fewer people or sooner.
    WITH rows AS (
        SELECT (wanted).scope, (wanted).kind, (wanted).approvals, (wanted).cooling_off_s WHERE (wanted).kind IS NOT NULL
        UNION ALL
        SELECT p.scope, p.kind, p.approvals, p.cooling_off_s FROM public.policies AS p
        WHERE (p.scope, p.kind) IS DISTINCT FROM ((wanted).scope, (wanted).kind)
    ), effective AS (
        SELECT s.scope, k.kind, found.approvals, found.cooling_off_s
        FROM (SELECT DISTINCT r.scope FROM rows AS r) AS s,
             (VALUES ('value'), ('range'), ('scope'), ('restore'), ('policy')) AS k (kind),
             LATERAL (SELECT r.approvals, r.cooling_off_s FROM rows AS r
                      WHERE r.scope IN (s.scope, '*') AND r.kind IN (k.kind, '*')
                      ORDER BY r.scope = '*', r.kind = '*' LIMIT 1) AS found
    )
    SELECT e.scope, e.kind, e.approvals, e.cooling_off_s, g.approvals, g.cooling_off_s
    FROM effective AS e JOIN effective AS g ON g.scope = e.scope AND g.kind = 'policy'
    WHERE g.approvals < e.approvals OR g.cooling_off_s < e.cooling_off_s
    ORDER BY e.scope, e.kind
$$;

COMMENT ON FUNCTION public.unguarded(wanted public.policies, OUT scope text, OUT kind text, OUT approvals integer, OUT cooling_off_s integer, OUT guard_approvals integer, OUT guard_cooling_off_s integer) IS 'What could be softened by less than it asks for, if a policy were so, or as policies are for a null.';

CREATE FUNCTION public.unlike_arms(old public.finetune_runs, new public.finetune_runs) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    RETURN array_remove(ARRAY[CASE WHEN ((old).data_hash <> (new).data_hash) THEN 'other data'::text ELSE NULL::text END, CASE WHEN ((old).git_commit <> (new).git_commit) THEN 'other commit of the source'::text ELSE NULL::text END, CASE WHEN ((old).versions <> (new).versions) THEN 'other releases of packages'::text ELSE NULL::text END], NULL::text);

COMMENT ON FUNCTION public.unlike_arms(old public.finetune_runs, new public.finetune_runs) IS 'In what two runs differ besides their values, so that they are no two treatments of the same units.';

CREATE FUNCTION public.use_passkey(p_account text, p_key bytea, p_sign_count bigint) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    UPDATE public.passkeys AS k SET sign_count = p_sign_count, last_used_at = clock_timestamp()
    WHERE k.account = p_account AND k.key = p_key
      AND (p_sign_count > k.sign_count OR (p_sign_count = 0 AND k.sign_count = 0));
    RETURN FOUND;
END
$$;

CREATE FUNCTION public.uses_of(p_run text, p_context jsonb, p_position integer, p_key text) RETURNS SETOF text
    LANGUAGE sql STABLE
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

COMMENT ON FUNCTION public.uses_of(p_run text, p_context jsonb, p_position integer, p_key text) IS 'The run, when it used the value that one of its layers gives a key: no later layer replaced it, and the run read it or has not ended.';

CREATE FUNCTION public.values_before(change public.changes, OUT keys text[], OUT target jsonb) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT array_agg(e ->> 'key' ORDER BY e ->> 'key' COLLATE "C"),
           coalesce(jsonb_object_agg(e ->> 'key', h.base_env -> (e ->> 'key')) FILTER (WHERE h.base_env ? (e ->> 'key')), '{}')
    FROM jsonb_array_elements(coalesce(change.edits, (SELECT made.diff FROM public.ftf_config_history AS made WHERE made.id = change.applied_revision))) AS e
    LEFT JOIN public.ftf_config_history AS h ON h.id = change.base_revision
$$;

COMMENT ON FUNCTION public.values_before(change public.changes, OUT keys text[], OUT target jsonb) IS 'The keys of a change, and what they are before it; a key that has no value is left out.';

CREATE FUNCTION public.wanting_of(change public.changes) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.wanting_of(change public.changes) IS 'What a rollout still lacks before its change may be applied; null when nothing, or when it is not rolled out.';

CREATE FUNCTION public.who(OUT person text, OUT proof text, OUT account text, OUT roles text[]) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    -- A presented credential first. Then the login: setpoint_app logs in only on the embedded server, whose
    -- socket one operating system account can reach: that account is the proof, and its name is told by the
    -- process. Any other login is itself; so is setpoint_app on a server that listens to a network, where
    -- anybody may be behind it.
    SELECT CASE WHEN speaker.account IS NOT NULL THEN speaker.account
                WHEN local THEN coalesce(nullif(current_setting('setpoint.author', true), ''), 'unattributed')
                ELSE session_user::text END,
           CASE WHEN speaker.account IS NOT NULL THEN speaker.proof
                WHEN local THEN 'os-account' ELSE 'database-login' END,
           speaker.account, speaker.roles
    FROM public.speaker() AS speaker,
         (SELECT session_user = 'setpoint_app' AND current_setting('listen_addresses') = '') AS session (local)
$$;

COMMENT ON FUNCTION public.who(OUT person text, OUT proof text, OUT account text, OUT roles text[]) IS 'The person of this session and how that is proven, with the account and its roles where one presented a credential.';

CREATE TABLE public.change_checks (
    id bigint NOT NULL,
    change_id bigint NOT NULL,
    kind text NOT NULL,
    run_id text NOT NULL,
    current_run_id text,
    candidate_hash text NOT NULL,
    build text NOT NULL,
    data_hash text NOT NULL,
    result text NOT NULL,
    reasons text[] NOT NULL,
    reported_by text NOT NULL,
    proof text NOT NULL,
    reported_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT change_checks_kind_check CHECK ((kind = ANY (ARRAY['canary'::text, 'smoke'::text, 'ranges'::text]))),
    CONSTRAINT change_checks_result_check CHECK ((result = ANY (ARRAY['pass'::text, 'hold'::text, 'fail'::text])))
);

COMMENT ON TABLE public.change_checks IS 'What runs of a change''s candidate showed; whether it counts is judged whenever it is asked.';

COMMENT ON COLUMN public.change_checks.candidate_hash IS 'Of the snapshot set that was trained: the candidate in each context of its units.';

COMMENT ON COLUMN public.change_checks.build IS 'The commit that trained it.';

CREATE FUNCTION public.why_not_counted(k public.change_checks) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
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

COMMENT ON FUNCTION public.why_not_counted(k public.change_checks) IS 'Why a check does not count as evidence for its change as it stands now; null when it does.';

CREATE FUNCTION public.withdraw_change(p_id bigint) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    change public.changes := public.lock_change(p_id);
BEGIN
    IF (SELECT person FROM public.who()) <> change.author AND NOT public.is_disabled(change.author) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = format('change %s is %s''s to withdraw', p_id, change.author),
            HINT = format('ask %s, or tell them with `setpoint change comment %s -m "..."`', change.author, p_id);
    END IF;
    UPDATE public.changes SET state = 'withdrawn' WHERE id = p_id RETURNING * INTO change;
    RETURN change;
END
$$;

CREATE FUNCTION public.write_proposal(change public.changes, p_set jsonb, p_remove text[], p_keys text[]) RETURNS public.changes
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    old     public.ftf_config;
    source  jsonb;
    policy  public.policies;
    touched text[];
    unknown text;
BEGIN
    -- What a new change and an amended one share: base, edits, kinds and the hash that approvals name.
    IF NOT public.says_something(change.reason) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a change needs a reason',
            HINT = 'say why, for whoever reads it in a year';
    END IF;
    change.evidence := ARRAY(SELECT DISTINCT run FROM unnest(change.evidence) AS run ORDER BY run);
    unknown := (SELECT run FROM unnest(change.evidence) AS run
                WHERE NOT EXISTS (SELECT FROM public.finetune_runs AS r WHERE r.id = run) LIMIT 1);
    IF unknown IS NOT NULL OR cardinality(change.evidence) > 20 THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', HINT = 'list runs with `setpoint runs`',
            MESSAGE = coalesce(format('no run %s is recorded: nothing rests on it', unknown), 'a change cites 20 runs at most');
    END IF;
    IF change.apply_at <= clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = format('%s is in the past', public.utc_text(change.apply_at)),
            HINT = 'leave the instant out to apply now';
    END IF;
    IF change.restores IS NOT NULL AND (p_set <> '{}' OR cardinality(p_remove) > 0) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a restore sets and removes nothing itself',
            HINT = 'open a change of its own for those values';
    END IF;
    IF 'policy' = ANY (change.kinds) THEN
        policy := public.checked_policy(change.scope, p_set);
        change.proposal := to_jsonb(policy);
        change.edits := '[]';
    ELSE
        SELECT * INTO old FROM public.ftf_config WHERE scope = change.scope;
        IF old.revision IS DISTINCT FROM change.base_revision THEN
            RAISE EXCEPTION USING ERRCODE = 'SP409', MESSAGE = format('%s is at revision %s, not at %s',
                change.scope, coalesce(old.revision::text, 'none'), coalesce(change.base_revision::text, 'none'));
        END IF;
        -- Documents are put together here, from what is stored: a number keeps the text somebody gave it.
        IF change.restores IS NULL THEN
            change.proposal := (coalesce(old.base_env, '{}') - p_remove) || p_set;
        ELSE
            SELECT base_env INTO source FROM public.ftf_config_history
            WHERE id = change.restores AND scope = change.scope;
            IF NOT FOUND THEN
                RAISE EXCEPTION USING ERRCODE = 'SP404', MESSAGE = format('revision %s is none of scope %s',
                    change.restores, change.scope);
            END IF;
            change.proposal := CASE WHEN p_keys IS NULL THEN source ELSE (coalesce(old.base_env, '{}') - p_keys) || (
                SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(source) WHERE key = ANY (p_keys)) END;
        END IF;
        touched := p_remove || ARRAY(SELECT jsonb_object_keys(p_set));
        IF change.restores IS NULL AND cardinality(touched) <= 8 THEN
            -- Only named keys can differ: a change of a few need not compare all of the document.
            change.edits := public.document_diff((
                SELECT coalesce(jsonb_object_agg(DISTINCT key, old.base_env -> key), '{}')
                FROM unnest(touched) AS key WHERE old.base_env ? key), p_set);
        ELSE
            change.edits := public.document_diff(coalesce(old.base_env, '{}'), change.proposal);
        END IF;
        change.kinds := public.kinds_of(old.base_env, change.edits, change.restores, false);
    END IF;
    change.proposal_hash := public.hash_of_proposal(change, public.document_hash(change.proposal::text));
    RETURN change;
END
$$;

CREATE AGGREGATE public.document_merge(jsonb) (
    SFUNC = jsonb_concat,
    STYPE = jsonb,
    INITCOND = '{}'
);

COMMENT ON AGGREGATE public.document_merge(jsonb) IS 'Documents laid over each other, later wins; give it an ORDER BY.';

CREATE TABLE public.access_log (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    event text NOT NULL,
    account text NOT NULL,
    remote text DEFAULT ''::text NOT NULL,
    network text DEFAULT ''::text NOT NULL,
    credential bigint,
    actor text DEFAULT ''::text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL
);

COMMENT ON COLUMN public.access_log.network IS 'What throttling goes by: the address, or of IPv6 its /64, for that is what one caller is given.';

ALTER TABLE public.access_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.access_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.appointments (
    account text NOT NULL,
    what text NOT NULL,
    hand text NOT NULL,
    made_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    confirmed_by text,
    CONSTRAINT appointments_what_check CHECK ((what = ANY (ARRAY['role'::text, 'login'::text, 'identity'::text])))
);

COMMENT ON TABLE public.appointments IS 'Which admin made an account approver or admin, printed its one-time login, or linked it; the owner of the database and providers leave none.';

COMMENT ON COLUMN public.appointments.confirmed_by IS 'Until another admin or the owner confirmed it, what the account approves counts on no change of that hand.';

CREATE TABLE public.backup_plan (
    one boolean DEFAULT true NOT NULL,
    every_s integer NOT NULL,
    keep integer NOT NULL,
    folder text NOT NULL,
    declared_by text NOT NULL,
    declared_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT backup_plan_every_s_check CHECK ((every_s >= 60)),
    CONSTRAINT backup_plan_folder_check CHECK ((folder <> ''::text)),
    CONSTRAINT backup_plan_keep_check CHECK ((keep >= 1)),
    CONSTRAINT backup_plan_one_check CHECK (one)
);

COMMENT ON TABLE public.backup_plan IS 'How often a plane makes a backup, and how many it keeps; no row: never.';

CREATE TABLE public.backups (
    id bigint NOT NULL,
    made_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    host text NOT NULL,
    path text NOT NULL,
    hash text NOT NULL,
    revision bigint NOT NULL,
    bytes bigint NOT NULL,
    scheduled boolean NOT NULL,
    removed_at timestamp with time zone,
    proven_at timestamp with time zone,
    proof text,
    CONSTRAINT a_proof_has_an_instant CHECK (((proven_at IS NULL) = (proof IS NULL)))
);

COMMENT ON TABLE public.backups IS 'Backups that were made of this database, the machine and the file of each.';

COMMENT ON COLUMN public.backups.proof IS 'What a rehearsed restore found wrong with it; empty when it came back whole, null while it was not rehearsed.';

ALTER TABLE public.backups ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.backups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.baselines ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.baselines_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.break_glass_uses (
    revision bigint NOT NULL,
    incident text NOT NULL,
    scope text NOT NULL,
    approved_by text NOT NULL,
    channel text NOT NULL,
    responsible text NOT NULL,
    circumstance text NOT NULL,
    failed text,
    probe jsonb NOT NULL,
    restores bigint,
    person text NOT NULL,
    proof text NOT NULL,
    used_at timestamp with time zone NOT NULL,
    CONSTRAINT an_incident_is_a_name CHECK (public.is_name(incident)),
    CONSTRAINT break_glass_uses_circumstance_check CHECK ((circumstance = ANY (ARRAY['console-down'::text, 'data-damaged'::text]))),
    CONSTRAINT break_glass_uses_failed_check CHECK ((failed = ANY (ARRAY['5xx'::text, 'network'::text, 'authentication'::text])))
);

COMMENT ON TABLE public.break_glass_uses IS 'Who used break-glass, for which incident, on whose word, and why the application could not be used.';

COMMENT ON COLUMN public.break_glass_uses.failed IS 'What failed, as the person states it.';

COMMENT ON COLUMN public.break_glass_uses.probe IS 'Beside it what the restore probe said: asked, to the person; noted, by a plane to this database.';

CREATE TABLE public.catalogue_declarations (
    hash text NOT NULL,
    declares jsonb NOT NULL,
    kept_by text NOT NULL,
    kept_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT catalogue_declarations_declares_check CHECK ((jsonb_typeof((declares -> 'values'::text)) = 'array'::text))
);

COMMENT ON TABLE public.catalogue_declarations IS 'What a catalogue''s text declares, as whoever registered it read it: values with their parts and ranges, values of parts, universes.';

CREATE TABLE public.catalogues (
    hash text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    text text NOT NULL,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT named_by_its_hash CHECK ((hash = encode(sha256(convert_to(text, 'UTF8'::name)), 'hex'::text)))
);

COMMENT ON TABLE public.catalogues IS 'Every catalogue text that a revision or a run was made under.';

CREATE TABLE public.chain_head (
    one boolean DEFAULT true NOT NULL,
    id bigint NOT NULL,
    chain text NOT NULL,
    CONSTRAINT chain_head_one_check CHECK (one)
);

COMMENT ON TABLE public.chain_head IS 'The newest revision; locking its row makes writers queue, so that the chain cannot fork.';

ALTER TABLE public.change_checks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.change_checks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.change_decisions (
    id bigint NOT NULL,
    change_id bigint NOT NULL,
    decision text NOT NULL,
    proposal_hash text NOT NULL,
    person text NOT NULL,
    proof text NOT NULL,
    words text NOT NULL,
    decided_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT change_decisions_decision_check CHECK ((decision = ANY (ARRAY['approve'::text, 'reject'::text, 'comment'::text, 'repeat'::text]))),
    CONSTRAINT people_say_something CHECK (((decision <> ALL (ARRAY['comment'::text, 'repeat'::text])) OR public.says_something(words)))
);

ALTER TABLE public.change_decisions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.change_decisions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.change_runs (
    run_id text NOT NULL,
    change_id bigint NOT NULL,
    arm text NOT NULL,
    other text,
    dimensions text[] NOT NULL,
    within_s integer,
    registered_by text NOT NULL,
    registered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT a_run_is_a_name CHECK (public.is_name(run_id)),
    CONSTRAINT change_runs_arm_check CHECK ((arm = ANY (ARRAY['candidate'::text, 'current'::text])))
);

COMMENT ON TABLE public.change_runs IS 'Runs that were registered for a change before they pinned: they alone pin its candidate, or are its pair.';

COMMENT ON COLUMN public.change_runs.arm IS 'What it trains: the candidate, or the values that stand, for comparison.';

COMMENT ON COLUMN public.change_runs.other IS 'The run of the other arm; null where none is compared.';

COMMENT ON COLUMN public.change_runs.dimensions IS 'Of scopes, in overriding order, as the catalogues have them.';

COMMENT ON COLUMN public.change_runs.within_s IS 'Of a smoke run, which is compared with nothing: how long it may take, from when it was registered, as policy said then.';

ALTER TABLE public.changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.checkpoint_claims (
    calendar text NOT NULL,
    checkpoint text NOT NULL,
    posts text NOT NULL,
    claim uuid NOT NULL,
    claimed_by text NOT NULL,
    claimed_until timestamp with time zone NOT NULL,
    CONSTRAINT checkpoint_claims_posts_check CHECK ((posts = ANY (ARRAY['issue'::text, 'decision'::text])))
);

COMMENT ON TABLE public.checkpoint_claims IS 'Who posts the issue or the decision of a checkpoint elsewhere now: of two at once, one posts. One that died gives its claim up by its end; one that was slower than that holds it no longer, and gives up nobody else''s.';

CREATE TABLE public.checkpoint_log (
    id bigint NOT NULL,
    calendar text NOT NULL,
    checkpoint text NOT NULL,
    event text NOT NULL,
    option text,
    said text NOT NULL,
    evidence jsonb NOT NULL,
    person text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT a_decision_has_an_option CHECK (((event = 'decided'::text) = (option IS NOT NULL))),
    CONSTRAINT checkpoint_log_calendar_check CHECK ((calendar ~ '^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$'::text)),
    CONSTRAINT checkpoint_log_checkpoint_check CHECK ((checkpoint ~ '^([A-Za-z0-9][A-Za-z0-9._+-]{0,63})?$'::text)),
    CONSTRAINT checkpoint_log_event_check CHECK ((event = ANY (ARRAY['passed'::text, 'fired'::text, 'issue'::text, 'decided'::text, 'shipped'::text]))),
    CONSTRAINT checkpoint_log_evidence_check CHECK ((jsonb_typeof(evidence) = 'array'::text)),
    CONSTRAINT checkpoint_log_option_check CHECK ((option = ANY (ARRAY['log'::text, 'waiver'::text, 'revert'::text, 'park'::text]))),
    CONSTRAINT checkpoint_log_said_check CHECK ((length(said) <= 10000)),
    CONSTRAINT shipped_is_of_all CHECK (((event = 'shipped'::text) = (checkpoint = ''::text)))
);

COMMENT ON TABLE public.checkpoint_log IS 'What became of the checkpoints of each calendar; a waiver is single-use.';

COMMENT ON COLUMN public.checkpoint_log.event IS 'shipped: the Epic was seen shipped, which ends parking; issue: one was opened.';

COMMENT ON COLUMN public.checkpoint_log.evidence IS 'Lines that each cite a UTC instant, or addresses of comments and issues.';

ALTER TABLE public.checkpoint_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.checkpoint_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.checkpoint_readings (
    calendar text NOT NULL,
    readings jsonb NOT NULL,
    read_by text NOT NULL,
    read_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT checkpoint_readings_readings_check CHECK ((length((readings)::text) <= 1000000))
);

COMMENT ON TABLE public.checkpoint_readings IS 'What the sources of each calendar said when they were last asked.';

ALTER TABLE public.credentials ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.credentials_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.deliveries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.deliveries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.drills (
    id bigint NOT NULL,
    scenario text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    took_s double precision NOT NULL,
    outcome text NOT NULL,
    steps jsonb NOT NULL,
    build text NOT NULL,
    person text NOT NULL,
    CONSTRAINT drills_outcome_check CHECK ((outcome = ANY (ARRAY['restored'::text, 'late'::text, 'failed'::text]))),
    CONSTRAINT drills_scenario_check CHECK ((scenario = ANY (ARRAY['A'::text, 'B'::text, 'C'::text, 'D'::text, 'image-pin'::text, 'merge-revert'::text]))),
    CONSTRAINT drills_took_s_check CHECK ((took_s >= (0)::double precision))
);

COMMENT ON TABLE public.drills IS 'Rehearsals of the ways back on throw-away copies: the scenarios of the runbook, the pin, the revert; late: over the promised time.';

COMMENT ON COLUMN public.drills.build IS 'What the build that was rehearsed says of itself.';

ALTER TABLE public.drills ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.drills_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.dropped_months ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.dropped_months_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.event_log (
    id bigint NOT NULL,
    source text NOT NULL,
    sequence bigint NOT NULL,
    name text NOT NULL,
    level text NOT NULL,
    run text NOT NULL,
    unit text NOT NULL,
    event_id text,
    at timestamp with time zone,
    fields jsonb NOT NULL,
    line text NOT NULL,
    received_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT event_log_sequence_check CHECK ((sequence >= 0))
)
PARTITION BY RANGE (received_at);

COMMENT ON TABLE public.event_log IS 'Events as they were written, each line of a spool once; split by the month in which they were received.';

COMMENT ON COLUMN public.event_log.sequence IS 'Where the line begins in its spool, in bytes.';

COMMENT ON COLUMN public.event_log.unit IS 'The unit of the run that it is about; empty when it names none.';

COMMENT ON COLUMN public.event_log.event_id IS 'Of what can happen once: a second line of a run with the same id is not kept.';

COMMENT ON COLUMN public.event_log.at IS 'The time the event itself tells; null when it tells none.';

COMMENT ON COLUMN public.event_log.fields IS 'Every pair of the line, as text.';

ALTER TABLE public.event_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.event_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.event_log_rest (
    id bigint NOT NULL,
    source text NOT NULL,
    sequence bigint NOT NULL,
    name text NOT NULL,
    level text NOT NULL,
    run text NOT NULL,
    unit text NOT NULL,
    event_id text,
    at timestamp with time zone,
    fields jsonb NOT NULL,
    line text NOT NULL,
    received_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT event_log_sequence_check CHECK ((sequence >= 0))
);

COMMENT ON TABLE public.event_log_rest IS 'Events whose month is not split off yet, and the pattern of each month.';

CREATE TABLE public.event_minutes (
    minute timestamp with time zone NOT NULL,
    model text NOT NULL,
    timeframe text NOT NULL,
    fallbacks bigint DEFAULT 0 NOT NULL,
    units_started bigint DEFAULT 0 NOT NULL,
    units_fell_back bigint DEFAULT 0 NOT NULL,
    learning_rate double precision,
    max_depth double precision,
    best_iteration double precision,
    n_trees_used double precision
)
WITH (fillfactor='50');

COMMENT ON TABLE public.event_minutes IS 'What arrived in each minute of the last two days: how much, and the lowest values that were told.';

COMMENT ON COLUMN public.event_minutes.units_fell_back IS 'Of the units that started in this minute, those that fell back, whenever they did.';

CREATE TABLE public.event_shares (
    account text NOT NULL,
    lines double precision NOT NULL,
    bytes double precision NOT NULL,
    at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.event_shares IS 'What is left to each account that delivers events, as it stood at an instant.';

CREATE TABLE public.event_sources (
    source text NOT NULL,
    account text DEFAULT (public.who()).person NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT a_source_is_a_name CHECK (public.is_name(source)),
    CONSTRAINT event_sources_source_check CHECK (((length(source) >= 1) AND (length(source) <= 200)))
);

COMMENT ON TABLE public.event_sources IS 'Spools that events were delivered from; the account that delivered first is the one that may.';

CREATE TABLE public.event_totals (
    name text NOT NULL,
    model text NOT NULL,
    timeframe text NOT NULL,
    label text NOT NULL,
    total bigint NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE public.event_totals IS 'How often what a metric counts was told, ever; names beyond a bound are counted as other.';

COMMENT ON COLUMN public.event_totals.label IS 'The key of a fallback, the finding of a mismatch; otherwise empty.';

CREATE TABLE public.event_units (
    run text NOT NULL,
    unit text NOT NULL,
    minute timestamp with time zone NOT NULL,
    model text NOT NULL,
    timeframe text NOT NULL,
    fell_back boolean NOT NULL
);

COMMENT ON TABLE public.event_units IS 'The units that started in the last two days, so that each is counted once.';

CREATE TABLE public.finetune_failures (
    run_id text NOT NULL,
    symbol text NOT NULL,
    model text NOT NULL,
    timeframe text NOT NULL,
    variant text NOT NULL,
    fold integer NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    worker text DEFAULT ''::text NOT NULL,
    worker_time_sec double precision DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.finetune_failures IS 'Units that could not be trained, with the code of the error.';

CREATE TABLE public.finetune_layers (
    run_id text NOT NULL,
    context jsonb NOT NULL,
    "position" integer NOT NULL,
    scope text NOT NULL,
    revision bigint NOT NULL
);

COMMENT ON TABLE public.finetune_layers IS 'The layers of the snapshots of runs, a row each, where they are stored revisions.';

CREATE TABLE public.finetune_results (
    id bigint NOT NULL,
    run_id text NOT NULL,
    symbol text NOT NULL,
    model text NOT NULL,
    timeframe text NOT NULL,
    variant text NOT NULL,
    fold integer NOT NULL,
    trial_id integer NOT NULL,
    snapshot_hash text NOT NULL,
    model_hyperparams jsonb NOT NULL,
    effective_params jsonb NOT NULL,
    findings jsonb NOT NULL,
    feature_hash text NOT NULL,
    model_hash text NOT NULL,
    seed bigint NOT NULL,
    best_iteration integer,
    n_trees_used integer NOT NULL,
    stopped_early boolean NOT NULL,
    threshold double precision NOT NULL,
    training_time_sec double precision NOT NULL,
    n_train integer NOT NULL,
    n_val integer NOT NULL,
    n_test integer NOT NULL,
    f1_buy_val double precision NOT NULL,
    f1_buy_test double precision NOT NULL,
    always_buy_f1_val double precision NOT NULL,
    always_buy_f1_test double precision NOT NULL,
    metrics jsonb NOT NULL,
    importance jsonb NOT NULL,
    importance_by text NOT NULL,
    worker text DEFAULT ''::text NOT NULL,
    worker_time_sec double precision DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT finetune_results_always_buy_f1_test_check CHECK (((always_buy_f1_test >= (0)::double precision) AND (always_buy_f1_test <= (1)::double precision))),
    CONSTRAINT finetune_results_always_buy_f1_val_check CHECK (((always_buy_f1_val >= (0)::double precision) AND (always_buy_f1_val <= (1)::double precision))),
    CONSTRAINT finetune_results_f1_buy_test_check CHECK (((f1_buy_test >= (0)::double precision) AND (f1_buy_test <= (1)::double precision))),
    CONSTRAINT finetune_results_f1_buy_val_check CHECK (((f1_buy_val >= (0)::double precision) AND (f1_buy_val <= (1)::double precision)))
);

COMMENT ON COLUMN public.finetune_results.best_iteration IS 'As the library reports it; n_trees_used is the same for all.';

COMMENT ON COLUMN public.finetune_results.importance IS 'By searched parameter the share that it mattered, by the search library; empty of fewer than two trials.';

COMMENT ON COLUMN public.finetune_results.worker IS 'What trained it, as host:process; empty where nobody said.';

COMMENT ON COLUMN public.finetune_results.worker_time_sec IS 'How long the unit took its worker, tuning, preparing and scoring included.';

ALTER TABLE public.finetune_results ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.finetune_results_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.finetune_trials (
    run_id text NOT NULL,
    symbol text NOT NULL,
    model text NOT NULL,
    timeframe text NOT NULL,
    variant text NOT NULL,
    fold integer NOT NULL,
    trial integer NOT NULL,
    params jsonb NOT NULL,
    value double precision,
    state text NOT NULL,
    n_trees_used integer,
    findings jsonb DEFAULT '[]'::jsonb NOT NULL,
    violations jsonb DEFAULT '[]'::jsonb NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE (recorded_at);

COMMENT ON TABLE public.finetune_trials IS 'The tuning trials of each result, recorded with it; split by the month in which that was.';

COMMENT ON COLUMN public.finetune_trials.findings IS 'What attestation found, and each invariant that the suggestion broke.';

COMMENT ON COLUMN public.finetune_trials.violations IS 'Invariants the suggestion broke: recorded, not refused.';

CREATE TABLE public.finetune_trials_rest (
    run_id text NOT NULL,
    symbol text NOT NULL,
    model text NOT NULL,
    timeframe text NOT NULL,
    variant text NOT NULL,
    fold integer NOT NULL,
    trial integer NOT NULL,
    params jsonb NOT NULL,
    value double precision,
    state text NOT NULL,
    n_trees_used integer,
    findings jsonb DEFAULT '[]'::jsonb NOT NULL,
    violations jsonb DEFAULT '[]'::jsonb NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.finetune_trials_rest IS 'Trials whose month is not split off yet, and the pattern of each month.';

CREATE TABLE public.finetune_units (
    run_id text NOT NULL,
    symbol text NOT NULL,
    model text NOT NULL,
    timeframe text NOT NULL,
    variant text NOT NULL,
    fold integer NOT NULL,
    "position" integer NOT NULL,
    context jsonb NOT NULL,
    snapshot_hash text NOT NULL
);

COMMENT ON TABLE public.finetune_units IS 'The units that a run declares, each with the snapshot it trains with.';

COMMENT ON COLUMN public.finetune_units."position" IS 'The order in which the plan lists them, from 0.';

CREATE TABLE public.freeze_breaks (
    id bigint NOT NULL,
    freeze_id bigint NOT NULL,
    change_id bigint NOT NULL,
    proposal_hash text NOT NULL,
    person text NOT NULL,
    proof text NOT NULL,
    reason text NOT NULL,
    broken_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT freeze_breaks_reason_check CHECK (public.says_something(reason))
);

COMMENT ON TABLE public.freeze_breaks IS 'Who let one proposal through a freeze, and why; an edit of it makes another.';

ALTER TABLE public.freeze_breaks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.freeze_breaks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.freezes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.freezes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.ftf_config (
    id integer NOT NULL,
    scope text NOT NULL,
    base_env jsonb NOT NULL,
    hash text NOT NULL,
    revision bigint NOT NULL,
    updated_by text NOT NULL,
    change_reason text NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT a_scope_is_a_name CHECK (public.is_name(scope)),
    CONSTRAINT ftf_config_base_env_check CHECK ((jsonb_typeof(base_env) = 'object'::text)),
    CONSTRAINT ftf_config_scope_check CHECK ((scope <> ''::text)),
    CONSTRAINT row_1_is_global CHECK (((id = 1) = (scope = 'global'::text)))
);

COMMENT ON TABLE public.ftf_config IS 'One document for each scope; a caller sets scope and base_env, a trigger the rest.';

COMMENT ON COLUMN public.ftf_config.hash IS 'sha256 of base_env::text in UTF-8, in hexadecimal.';

COMMENT ON COLUMN public.ftf_config.revision IS 'The row of ftf_config_history that this document is.';

CREATE TABLE public.ftf_config_edits (
    scope text NOT NULL,
    key text NOT NULL,
    revision bigint NOT NULL,
    new jsonb
);

COMMENT ON TABLE public.ftf_config_edits IS 'History by key: the diff of each revision, a row for each key, so that what was a key''s value when is one look.';

COMMENT ON COLUMN public.ftf_config_edits.new IS 'The value that the revision gave; null where it removed the key.';

CREATE SEQUENCE public.ftf_config_id
    START WITH 2
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.idempotency (
    account text NOT NULL,
    key text NOT NULL,
    request_hash text NOT NULL,
    status integer,
    headers jsonb,
    body text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT idempotency_key_check CHECK (((length(key) >= 1) AND (length(key) <= 200)))
);

COMMENT ON TABLE public.idempotency IS 'Answers to writes, committed with them, so that a repeated request is answered and not repeated; kept a day.';

CREATE TABLE public.identity_providers (
    issuer text NOT NULL,
    roles text[] NOT NULL,
    CONSTRAINT identity_providers_issuer_check CHECK ((issuer ~ '^https?://'::text)),
    CONSTRAINT identity_providers_roles_check CHECK ((roles <@ ARRAY['viewer'::text, 'config_write'::text, 'approver'::text, 'admin'::text]))
);

COMMENT ON TABLE public.identity_providers IS 'Whom the owner of the database believes about people, and the roles they may bring at most.';

ALTER TABLE public.incident_channels ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.incident_channels_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.kept_forms (
    hash bytea NOT NULL,
    account text NOT NULL,
    path text NOT NULL,
    fields jsonb NOT NULL,
    kept_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT kept_forms_fields_check CHECK ((length((fields)::text) <= 4194304)),
    CONSTRAINT kept_forms_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT kept_forms_path_check CHECK (((path ~ '^/([^/]|$)'::text) AND (length(path) <= 2000)))
);

COMMENT ON TABLE public.kept_forms IS 'What people sent from pages when their session had ended, or had to be proven first: shown to them again, by a ticket whose SHA-256 this is, and never done by itself.';

CREATE VIEW public.live_credentials AS
 SELECT c.hash,
    c.id,
    c.kind,
    c.account,
        CASE
            WHEN (c.dimensions IS NOT NULL) THEN
            CASE
                WHEN (a.roles = '{}'::text[]) THEN '{}'::text[]
                ELSE '{flags}'::text[]
            END
            ELSE ARRAY( SELECT role.role
               FROM unnest(a.roles) role(role)
              WHERE ((c.roles IS NULL) OR (role.role = ANY (c.roles))))
        END AS roles,
    c.expires_at,
        CASE
            WHEN (c.kind = 'token'::text) THEN 'api-token'::text
            WHEN (c.label = ANY (ARRAY['once'::text, 'once, password set'::text])) THEN 'one-time-login'::text
            ELSE 'account-session'::text
        END AS proof,
    c.dimensions,
    c.*::public.credentials AS credential
   FROM (public.credentials c
     JOIN public.accounts a ON ((a.name = c.account)))
  WHERE ((c.kind <> ALL (ARRAY['once'::text, 'begun'::text])) AND (c.revoked_at IS NULL) AND (c.expires_at > clock_timestamp()) AND (a.disabled_at IS NULL));

COMMENT ON VIEW public.live_credentials IS 'Who holds each credential that counts now, and what it allows.';

ALTER TABLE public.notifications ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notifications_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.obligations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.obligations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.passkeys (
    id bigint NOT NULL,
    key bytea NOT NULL,
    account text NOT NULL,
    label text NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_used_at timestamp with time zone,
    CONSTRAINT a_label_is_a_name CHECK (public.is_name(label)),
    CONSTRAINT passkeys_key_check CHECK (((length(key) >= 1) AND (length(key) <= 1023))),
    CONSTRAINT passkeys_label_check CHECK ((length(label) <= 200)),
    CONSTRAINT passkeys_public_key_check CHECK ((length(public_key) <= 4096))
);

COMMENT ON TABLE public.passkeys IS 'Public keys of the devices by which people prove who they are; what signs never leaves the device.';

COMMENT ON COLUMN public.passkeys.sign_count IS 'How often the device says that it signed: one that counts backwards was copied. Many do not count.';

ALTER TABLE public.passkeys ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.passkeys_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE UNLOGGED TABLE public.process_shares (
    server text NOT NULL,
    kind text NOT NULL,
    caller text NOT NULL,
    who text NOT NULL,
    amount double precision NOT NULL,
    seen timestamp with time zone NOT NULL,
    CONSTRAINT process_shares_kind_check CHECK ((kind = ANY (ARRAY['streams'::text, 'downloads'::text, 'requests'::text])))
);

COMMENT ON TABLE public.process_shares IS 'What each process of a plane serves to whom: streams and downloads open, requests a second; one that is silent for ten seconds serves nobody.';

CREATE TABLE public.quotas (
    kind text NOT NULL,
    caller text NOT NULL,
    most bigint NOT NULL,
    per_s bigint,
    meaning text NOT NULL,
    CONSTRAINT quotas_caller_check CHECK ((caller = ANY (ARRAY['account'::text, 'address'::text]))),
    CONSTRAINT quotas_most_check CHECK ((most >= 0)),
    CONSTRAINT quotas_per_s_check CHECK ((per_s >= 0))
);

COMMENT ON TABLE public.quotas IS 'The share of one caller in all planes of this database together; its owner may change the numbers.';

COMMENT ON COLUMN public.quotas.per_s IS 'What comes back in a second where the share is of a flow; null where it is of things that are kept.';

CREATE TABLE public.read_set_keys (
    key text NOT NULL,
    set_hash text NOT NULL
);

COMMENT ON TABLE public.read_set_keys IS 'The same by key: which sets hold it.';

CREATE TABLE public.read_sets (
    hash text NOT NULL,
    keys jsonb NOT NULL,
    CONSTRAINT named_by_its_hash CHECK ((hash = public.document_hash((keys)::text)))
);

COMMENT ON TABLE public.read_sets IS 'Keys that runs really read, sorted; runs of one release read the same ones.';

CREATE TABLE public.readiness_proofs (
    kind text NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    said text NOT NULL,
    command text NOT NULL,
    proven_at timestamp with time zone,
    noted_by text NOT NULL,
    noted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT readiness_proofs_command_check CHECK ((length(command) <= 2000)),
    CONSTRAINT readiness_proofs_kind_check CHECK ((kind ~ '^[a-z]{1,40}$'::text)),
    CONSTRAINT readiness_proofs_name_check CHECK ((length(name) <= 1000)),
    CONSTRAINT readiness_proofs_said_check CHECK ((length(said) <= 2000)),
    CONSTRAINT readiness_proofs_state_check CHECK ((state = ANY (ARRAY['proven'::text, 'stale'::text, 'missing'::text, 'failing'::text])))
);

COMMENT ON TABLE public.readiness_proofs IS 'What a check of a readiness file last found of each name that only a repository or a command line can prove.';

CREATE TABLE public.restore_probe (
    one boolean DEFAULT true NOT NULL,
    is_live boolean NOT NULL,
    said text NOT NULL,
    answered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT restore_probe_one_check CHECK (one)
);

COMMENT ON TABLE public.restore_probe IS 'What a serving plane last found when it rehearsed a restore; kept fresh while one serves.';

CREATE TABLE public.revision_totals (
    kind text NOT NULL,
    total bigint NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE public.revision_totals IS 'Revisions by how they were reviewed, and those that restored another one, ever.';

ALTER TABLE public.rollbacks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rollbacks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.rollout_steps ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rollout_steps_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.rollouts (
    change_id bigint NOT NULL,
    context jsonb NOT NULL,
    started_by text NOT NULL,
    proof text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT rollouts_context_check CHECK ((jsonb_typeof(context) = 'object'::text))
);

COMMENT ON TABLE public.rollouts IS 'Changes that are rolled out in stages: none of them is applied before its canary passed, or was overridden.';

COMMENT ON COLUMN public.rollouts.context IS 'What the runs of its stages resolve for, such as a profile.';

CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.seedings ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.seedings_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.snapshot_frames (
    hash text NOT NULL,
    frame json NOT NULL,
    newest bigint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE public.snapshot_frames IS 'Catalogues, context and layers of a snapshot as it was first handed out; json, not jsonb, keeps its bytes.';

COMMENT ON COLUMN public.snapshot_frames.newest IS 'The newest revision that it was made of.';

CREATE TABLE public.snapshot_holders (
    client text NOT NULL,
    account text NOT NULL,
    snapshot text NOT NULL,
    context jsonb NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    run text NOT NULL,
    revision bigint NOT NULL,
    since timestamp with time zone NOT NULL,
    seen timestamp with time zone NOT NULL,
    CONSTRAINT snapshot_holders_client_check CHECK ((client ~ '^[0-9a-f]{32}$'::text)),
    CONSTRAINT snapshot_holders_host_check CHECK ((length(host) <= 200)),
    CONSTRAINT snapshot_holders_run_check CHECK ((length(run) <= 200)),
    CONSTRAINT snapshot_holders_snapshot_check CHECK ((snapshot ~ '^[0-9a-f]{64}$'::text))
);

COMMENT ON TABLE public.snapshot_holders IS 'Which process held which snapshot when it was last seen; a process that is silent for an hour is forgotten.';

CREATE TABLE public.snapshot_sets (
    hash text NOT NULL,
    text text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT named_by_its_hash CHECK ((hash = public.document_hash(text)))
);

COMMENT ON TABLE public.snapshot_sets IS 'What runs pinned: context, snapshot hash and catalogues, as the text that was hashed.';

CREATE TABLE public.snapshots (
    hash text NOT NULL,
    text text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT named_by_its_hash CHECK ((hash = public.document_hash(text)))
);

COMMENT ON TABLE public.snapshots IS 'Resolved documents that runs pinned, as the text that was hashed.';

CREATE TABLE public.stream_secret (
    one boolean DEFAULT true NOT NULL,
    secret bytea NOT NULL,
    CONSTRAINT stream_secret_one_check CHECK (one),
    CONSTRAINT stream_secret_secret_check CHECK ((length(secret) = 32))
);

COMMENT ON TABLE public.stream_secret IS 'Signs tokens that open a stream of revision numbers for minutes; nothing else can be done with it.';

CREATE TABLE public.write_probe (
    bulk text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
ALTER TABLE ONLY public.write_probe ALTER COLUMN bulk SET STORAGE EXTERNAL;

COMMENT ON TABLE public.write_probe IS 'One row as large as a document, written anew by whoever asks whether this database can be written.';

ALTER TABLE ONLY public.event_log ATTACH PARTITION public.event_log_rest DEFAULT;

ALTER TABLE ONLY public.finetune_trials ATTACH PARTITION public.finetune_trials_rest DEFAULT;

ALTER TABLE ONLY public.access_log
    ADD CONSTRAINT access_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_issuer_subject_key UNIQUE (issuer, subject);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_pkey PRIMARY KEY (account, what, hand);

ALTER TABLE ONLY public.backup_plan
    ADD CONSTRAINT backup_plan_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.backups
    ADD CONSTRAINT backups_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.baselines
    ADD CONSTRAINT baselines_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.break_glass_uses
    ADD CONSTRAINT break_glass_uses_pkey PRIMARY KEY (revision);

ALTER TABLE ONLY public.catalogue_declarations
    ADD CONSTRAINT catalogue_declarations_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY public.catalogues
    ADD CONSTRAINT catalogues_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY public.chain_head
    ADD CONSTRAINT chain_head_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.change_attempts
    ADD CONSTRAINT change_attempts_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY public.change_checks
    ADD CONSTRAINT change_checks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.change_checks
    ADD CONSTRAINT change_checks_run_id_kind_key UNIQUE (run_id, kind);

ALTER TABLE ONLY public.change_decisions
    ADD CONSTRAINT change_decisions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.change_runs
    ADD CONSTRAINT change_runs_pkey PRIMARY KEY (run_id);

ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.checkpoint_claims
    ADD CONSTRAINT checkpoint_claims_pkey PRIMARY KEY (calendar, checkpoint, posts);

ALTER TABLE ONLY public.checkpoint_log
    ADD CONSTRAINT checkpoint_log_calendar_checkpoint_event_key UNIQUE (calendar, checkpoint, event);

ALTER TABLE ONLY public.checkpoint_log
    ADD CONSTRAINT checkpoint_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.checkpoint_readings
    ADD CONSTRAINT checkpoint_readings_pkey PRIMARY KEY (calendar);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_hash_key UNIQUE (hash);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_notification_target_key UNIQUE (notification, target);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.drills
    ADD CONSTRAINT drills_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.dropped_months
    ADD CONSTRAINT dropped_months_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.event_log
    ADD CONSTRAINT event_log_pkey PRIMARY KEY (id, received_at);

ALTER TABLE ONLY public.event_log_rest
    ADD CONSTRAINT event_log_rest_pkey PRIMARY KEY (id, received_at);

ALTER TABLE ONLY public.event_minutes
    ADD CONSTRAINT event_minutes_pkey PRIMARY KEY (minute, model, timeframe);

ALTER TABLE ONLY public.event_shares
    ADD CONSTRAINT event_shares_pkey PRIMARY KEY (account);

ALTER TABLE ONLY public.event_sources
    ADD CONSTRAINT event_sources_pkey PRIMARY KEY (source);

ALTER TABLE ONLY public.event_totals
    ADD CONSTRAINT event_totals_pkey PRIMARY KEY (name, label, model, timeframe);

ALTER TABLE ONLY public.event_units
    ADD CONSTRAINT event_units_pkey PRIMARY KEY (run, unit);

ALTER TABLE ONLY public.finetune_contexts
    ADD CONSTRAINT finetune_contexts_pkey PRIMARY KEY (run_id, context);

ALTER TABLE ONLY public.finetune_contexts
    ADD CONSTRAINT finetune_contexts_run_id_context_snapshot_hash_key UNIQUE (run_id, context, snapshot_hash);

ALTER TABLE ONLY public.finetune_failures
    ADD CONSTRAINT finetune_failures_pkey PRIMARY KEY (run_id, symbol, model, timeframe, variant, fold);

ALTER TABLE ONLY public.finetune_layers
    ADD CONSTRAINT finetune_layers_pkey PRIMARY KEY (run_id, context, "position");

ALTER TABLE ONLY public.finetune_results
    ADD CONSTRAINT finetune_results_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.finetune_results
    ADD CONSTRAINT finetune_results_run_id_symbol_model_timeframe_variant_fol_key1 UNIQUE (run_id, symbol, model, timeframe, variant, fold, created_at);

ALTER TABLE ONLY public.finetune_results
    ADD CONSTRAINT finetune_results_run_id_symbol_model_timeframe_variant_fold_key UNIQUE (run_id, symbol, model, timeframe, variant, fold);

ALTER TABLE ONLY public.finetune_runs
    ADD CONSTRAINT finetune_runs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.finetune_trials
    ADD CONSTRAINT finetune_trials_pkey PRIMARY KEY (run_id, symbol, model, timeframe, variant, fold, trial, recorded_at);

ALTER TABLE ONLY public.finetune_trials_rest
    ADD CONSTRAINT finetune_trials_rest_pkey PRIMARY KEY (run_id, symbol, model, timeframe, variant, fold, trial, recorded_at);

ALTER TABLE ONLY public.finetune_units
    ADD CONSTRAINT finetune_units_pkey PRIMARY KEY (run_id, symbol, model, timeframe, variant, fold);

ALTER TABLE ONLY public.finetune_units
    ADD CONSTRAINT finetune_units_run_id_position_key UNIQUE (run_id, "position");

ALTER TABLE ONLY public.finetune_units
    ADD CONSTRAINT finetune_units_run_id_symbol_model_timeframe_variant_fold_s_key UNIQUE (run_id, symbol, model, timeframe, variant, fold, snapshot_hash);

ALTER TABLE ONLY public.freeze_breaks
    ADD CONSTRAINT freeze_breaks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.freeze_ends
    ADD CONSTRAINT freeze_ends_pkey PRIMARY KEY (freeze_id);

ALTER TABLE ONLY public.freezes
    ADD CONSTRAINT freezes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ftf_config_edits
    ADD CONSTRAINT ftf_config_edits_pkey PRIMARY KEY (key, revision);

ALTER TABLE ONLY public.ftf_config_history
    ADD CONSTRAINT ftf_config_history_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ftf_config
    ADD CONSTRAINT ftf_config_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.ftf_config
    ADD CONSTRAINT ftf_config_revision_key UNIQUE (revision);

ALTER TABLE ONLY public.ftf_config
    ADD CONSTRAINT ftf_config_scope_key UNIQUE (scope);

ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (account, key);

ALTER TABLE ONLY public.identity_providers
    ADD CONSTRAINT identity_providers_pkey PRIMARY KEY (issuer);

ALTER TABLE ONLY public.incident_channels
    ADD CONSTRAINT incident_channels_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.kept_forms
    ADD CONSTRAINT kept_forms_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_key_key UNIQUE (key);

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.obligations
    ADD CONSTRAINT obligations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.freeze_breaks
    ADD CONSTRAINT one_break_for_each_proposal UNIQUE (change_id, proposal_hash, freeze_id);

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_key_key UNIQUE (key);

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_pkey PRIMARY KEY (scope, kind);

ALTER TABLE ONLY public.preapprovals
    ADD CONSTRAINT preapprovals_pkey PRIMARY KEY (decision_id);

ALTER TABLE ONLY public.process_shares
    ADD CONSTRAINT process_shares_pkey PRIMARY KEY (server, kind, caller, who);

ALTER TABLE ONLY public.quotas
    ADD CONSTRAINT quotas_pkey PRIMARY KEY (kind, caller);

ALTER TABLE ONLY public.read_set_keys
    ADD CONSTRAINT read_set_keys_pkey PRIMARY KEY (key, set_hash);

ALTER TABLE ONLY public.read_sets
    ADD CONSTRAINT read_sets_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY public.readiness_proofs
    ADD CONSTRAINT readiness_proofs_pkey PRIMARY KEY (kind, name);

ALTER TABLE ONLY public.restore_probe
    ADD CONSTRAINT restore_probe_pkey PRIMARY KEY (one);

ALTER TABLE ONLY public.revision_totals
    ADD CONSTRAINT revision_totals_pkey PRIMARY KEY (kind);

ALTER TABLE ONLY public.rollback_proofs
    ADD CONSTRAINT rollback_proofs_pkey PRIMARY KEY (rollback_id);

ALTER TABLE ONLY public.rollbacks
    ADD CONSTRAINT rollbacks_change_id_key UNIQUE (change_id);

ALTER TABLE ONLY public.rollbacks
    ADD CONSTRAINT rollbacks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rollout_stages
    ADD CONSTRAINT rollout_stages_pkey PRIMARY KEY (change_id, stage);

ALTER TABLE ONLY public.rollout_steps
    ADD CONSTRAINT rollout_steps_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.rollouts
    ADD CONSTRAINT rollouts_pkey PRIMARY KEY (change_id);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.seedings
    ADD CONSTRAINT seedings_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.snapshot_frames
    ADD CONSTRAINT snapshot_frames_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY public.snapshot_holders
    ADD CONSTRAINT snapshot_holders_pkey PRIMARY KEY (client);

ALTER TABLE ONLY public.snapshot_sets
    ADD CONSTRAINT snapshot_sets_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY public.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (hash);

ALTER TABLE ONLY public.stream_secret
    ADD CONSTRAINT stream_secret_pkey PRIMARY KEY (one);

CREATE UNIQUE INDEX a_stage_starts_once ON public.rollout_steps USING btree (change_id, stage, step, proposal_hash) WHERE (step = ANY (ARRAY['start'::text, 'skip'::text]));

CREATE INDEX access_log_by_account ON public.access_log USING btree (account, at DESC);

CREATE INDEX access_log_by_credential ON public.access_log USING btree (credential, remote) WHERE (credential IS NOT NULL);

CREATE INDEX access_log_by_event ON public.access_log USING btree (event, id);

CREATE INDEX access_log_by_network ON public.access_log USING btree (network, at DESC);

CREATE INDEX access_log_of_account ON public.access_log USING btree (account, id);

CREATE INDEX change_checks_by_change ON public.change_checks USING btree (change_id, kind, id);

CREATE INDEX change_decisions_by_change ON public.change_decisions USING btree (change_id, id);

CREATE INDEX change_decisions_by_person ON public.change_decisions USING btree (person, id);

CREATE INDEX change_decisions_by_time ON public.change_decisions USING btree (decided_at);

CREATE INDEX change_runs_by_change ON public.change_runs USING btree (change_id, registered_at);

CREATE INDEX changes_by_author ON public.changes USING btree (author, id);

CREATE INDEX changes_by_proposal ON public.changes USING btree (scope, md5((
CASE
    WHEN (edits = '[]'::jsonb) THEN proposal
    ELSE edits
END)::text)) WHERE (state = 'proposed'::text);

CREATE INDEX changes_by_revision ON public.changes USING btree (applied_revision) WHERE (applied_revision IS NOT NULL);

CREATE INDEX changes_by_scope ON public.changes USING btree (scope, id);

CREATE INDEX changes_by_state ON public.changes USING btree (state, id);

CREATE INDEX changes_by_trace ON public.changes USING btree (substr(traceparent, 4, 32)) WHERE (traceparent IS NOT NULL);

CREATE INDEX changes_due ON public.changes USING btree (apply_at, id) WHERE ((state = 'proposed'::text) AND (apply_at IS NOT NULL));

CREATE INDEX changes_open ON public.changes USING btree (scope, id) WHERE (state = ANY (ARRAY['draft'::text, 'proposed'::text, 'suspended'::text]));

CREATE INDEX changes_open_by_author ON public.changes USING btree (author) WHERE (state = ANY (ARRAY['draft'::text, 'proposed'::text, 'suspended'::text]));

CREATE INDEX changes_restoring ON public.changes USING btree (scope, applied_revision) WHERE (restores IS NOT NULL);

CREATE INDEX credentials_by_account ON public.credentials USING btree (account, id);

CREATE INDEX deliveries_failed ON public.deliveries USING btree (id) WHERE (state = 'failed'::text);

CREATE INDEX deliveries_waiting ON public.deliveries USING btree (target, subject, id) WHERE (state = 'waiting'::text);

CREATE INDEX event_log_by_level ON ONLY public.event_log USING btree (level, id);

CREATE INDEX event_log_by_name ON ONLY public.event_log USING btree (name, id);

CREATE INDEX event_log_by_run ON ONLY public.event_log USING btree (run, id);

CREATE INDEX event_log_by_time ON ONLY public.event_log USING btree (at, id);

CREATE INDEX event_log_fallbacks ON ONLY public.event_log USING btree (COALESCE(at, received_at)) WHERE (name = ANY (ARRAY['training_started'::text, 'process_pinned'::text, 'hpo_fallback_applied'::text]));

CREATE INDEX event_log_rest_at_id_idx ON public.event_log_rest USING btree (at, id);

CREATE INDEX event_log_rest_coalesce_idx ON public.event_log_rest USING btree (COALESCE(at, received_at)) WHERE (name = ANY (ARRAY['training_started'::text, 'process_pinned'::text, 'hpo_fallback_applied'::text]));

CREATE INDEX event_log_rest_level_id_idx ON public.event_log_rest USING btree (level, id);

CREATE UNIQUE INDEX event_log_rest_lines ON public.event_log_rest USING btree (source, sequence);

CREATE INDEX event_log_rest_name_id_idx ON public.event_log_rest USING btree (name, id);

CREATE UNIQUE INDEX event_log_rest_once ON public.event_log_rest USING btree (run, event_id) WHERE (event_id IS NOT NULL);

CREATE INDEX event_log_rest_run_id_idx ON public.event_log_rest USING btree (run, id);

CREATE INDEX event_units_by_minute ON public.event_units USING btree (minute);

CREATE INDEX finetune_contexts_by_snapshot ON public.finetune_contexts USING btree (snapshot_hash);

CREATE INDEX finetune_layers_by_revision ON public.finetune_layers USING btree (scope, revision);

CREATE INDEX finetune_results_by_model ON public.finetune_results USING btree (model, id);

CREATE INDEX finetune_results_by_place ON public.finetune_results USING btree (model, timeframe, id) WHERE (id > 0);

CREATE INDEX finetune_results_by_run ON public.finetune_results USING btree (run_id, id);

CREATE INDEX finetune_results_by_snapshot ON public.finetune_results USING btree (snapshot_hash, id);

CREATE INDEX finetune_results_by_symbol ON public.finetune_results USING btree (symbol, id);

CREATE INDEX finetune_runs_by_person ON public.finetune_runs USING btree (started_by, started_at DESC);

CREATE INDEX finetune_runs_by_read_set ON public.finetune_runs USING btree (read_set, started_at DESC);

CREATE INDEX finetune_runs_by_set ON public.finetune_runs USING btree (set_hash);

CREATE INDEX finetune_runs_by_snapshot ON public.finetune_runs USING btree (snapshot_hash);

CREATE INDEX finetune_runs_by_start ON public.finetune_runs USING btree (started_at DESC);

CREATE INDEX finetune_runs_by_state ON public.finetune_runs USING btree (state, started_at DESC);

CREATE INDEX freeze_breaks_by_freeze ON public.freeze_breaks USING btree (freeze_id, id);

CREATE INDEX freezes_by_end ON public.freezes USING btree (ends_at);

CREATE INDEX ftf_config_by_key ON public.ftf_config USING gin (base_env) WHERE (id <> 1);

CREATE INDEX ftf_config_edits_by_revision ON public.ftf_config_edits USING brin (revision) WITH (autosummarize='on');

CREATE INDEX ftf_config_edits_by_scope ON public.ftf_config_edits USING btree (scope, key, revision DESC);

CREATE INDEX ftf_config_history_by_scope ON public.ftf_config_history USING btree (scope, id DESC);

CREATE INDEX idempotency_by_age ON public.idempotency USING btree (created_at);

CREATE INDEX kept_forms_by_account ON public.kept_forms USING btree (account, kept_at);

CREATE INDEX kept_forms_by_age ON public.kept_forms USING btree (kept_at);

CREATE INDEX notifications_by_age ON public.notifications USING btree (made_at);

CREATE INDEX notifications_unrouted ON public.notifications USING btree (id) WHERE (routed_at IS NULL);

CREATE INDEX obligations_open ON public.obligations USING btree (due_at) WHERE (met_at IS NULL);

CREATE UNIQUE INDEX one_decision_for_each_proposal ON public.change_decisions USING btree (change_id, proposal_hash, person, decision) WHERE ((decision <> 'comment'::text) AND (decision <> 'repeat'::text));

CREATE UNIQUE INDEX one_judgement ON public.checkpoint_log USING btree (calendar, checkpoint) WHERE (event = ANY (ARRAY['passed'::text, 'fired'::text]));

CREATE UNIQUE INDEX one_notification_of_each_deadline ON public.notifications USING btree (kind, subject) WHERE (kind = ANY (ARRAY['deadline_near'::text, 'deadline_missed'::text, 'token_ending'::text]));

CREATE UNIQUE INDEX one_open_post_mortem ON public.obligations USING btree (incident) WHERE ((kind = 'post-mortem'::text) AND (met_at IS NULL));

CREATE UNIQUE INDEX one_waiver ON public.checkpoint_log USING btree (calendar) WHERE (option = 'waiver'::text);

CREATE INDEX passkeys_by_account ON public.passkeys USING btree (account, id);

CREATE INDEX preapprovals_by_change ON public.preapprovals USING btree (change_id);

CREATE INDEX rollbacks_by_incident ON public.rollbacks USING btree (incident, id) WHERE (incident IS NOT NULL);

CREATE INDEX rollbacks_by_restore ON public.rollbacks USING btree (restored_by) WHERE (restored_by IS NOT NULL);

CREATE INDEX rollbacks_by_run ON public.rollbacks USING btree (run) WHERE (run IS NOT NULL);

CREATE INDEX rollout_steps_by_change ON public.rollout_steps USING btree (change_id, id);

CREATE INDEX rollout_steps_by_run ON public.rollout_steps USING btree (run) WHERE (run IS NOT NULL);

CREATE INDEX snapshot_frames_by_newest ON public.snapshot_frames USING btree (newest);

CREATE INDEX snapshot_holders_by_account ON public.snapshot_holders USING btree (account);

CREATE INDEX snapshot_holders_by_seen ON public.snapshot_holders USING btree (seen);

CREATE INDEX snapshot_holders_by_since ON public.snapshot_holders USING btree (since);

CREATE INDEX snapshot_holders_by_snapshot ON public.snapshot_holders USING btree (snapshot);

CREATE INDEX snapshots_by_age ON public.snapshots USING btree (created_at DESC, hash DESC);

ALTER INDEX public.event_log_by_time ATTACH PARTITION public.event_log_rest_at_id_idx;

ALTER INDEX public.event_log_fallbacks ATTACH PARTITION public.event_log_rest_coalesce_idx;

ALTER INDEX public.event_log_by_level ATTACH PARTITION public.event_log_rest_level_id_idx;

ALTER INDEX public.event_log_by_name ATTACH PARTITION public.event_log_rest_name_id_idx;

ALTER INDEX public.event_log_pkey ATTACH PARTITION public.event_log_rest_pkey;

ALTER INDEX public.event_log_by_run ATTACH PARTITION public.event_log_rest_run_id_idx;

ALTER INDEX public.finetune_trials_pkey ATTACH PARTITION public.finetune_trials_rest_pkey;

CREATE TRIGGER announce_access AFTER DELETE OR UPDATE OF roles, disabled_at ON public.accounts FOR EACH STATEMENT EXECUTE FUNCTION public.announce_access();

ALTER TABLE public.accounts ENABLE ALWAYS TRIGGER announce_access;

CREATE TRIGGER announce_access AFTER DELETE OR UPDATE OF revoked_at, expires_at ON public.credentials FOR EACH STATEMENT EXECUTE FUNCTION public.announce_access();

ALTER TABLE public.credentials ENABLE ALWAYS TRIGGER announce_access;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.access_log FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the access log is append-only');

ALTER TABLE public.access_log ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.baselines FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a baseline is followed by another one, never removed');

ALTER TABLE public.baselines ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.break_glass_uses FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the record of break-glass is append-only');

ALTER TABLE public.break_glass_uses ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.change_attempts FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('attempts are append-only');

ALTER TABLE public.change_attempts ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.change_checks FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('checks are append-only');

ALTER TABLE public.change_checks ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.change_decisions FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('decisions are append-only');

ALTER TABLE public.change_decisions ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.change_runs FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('runs of a change are append-only');

ALTER TABLE public.change_runs ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.checkpoint_log FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the log of checkpoints is append-only');

ALTER TABLE public.checkpoint_log ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.drills FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('drills are append-only');

ALTER TABLE public.drills ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.dropped_months FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('what is known of dropped months is append-only');

ALTER TABLE public.dropped_months ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.event_log FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('events are append-only');

ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.event_log_rest FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('events are append-only');

ALTER TABLE public.event_log_rest ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.event_sources FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('sources of events are append-only');

ALTER TABLE public.event_sources ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.freeze_breaks FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('what broke a freeze is append-only');

ALTER TABLE public.freeze_breaks ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.freeze_ends FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the end of a freeze is append-only');

ALTER TABLE public.freeze_ends ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.freezes FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a freeze is ended by a row of its own, never edited');

ALTER TABLE public.freezes ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ftf_config_edits FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('history is append-only');

ALTER TABLE public.ftf_config_edits ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.ftf_config_history FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('history is append-only');

ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.incident_channels FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a channel is closed by another declaration, never removed');

ALTER TABLE public.incident_channels ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.preapprovals FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('decisions are append-only');

ALTER TABLE public.preapprovals ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.rollback_proofs FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('what proved a rollback stays on record');

ALTER TABLE public.rollback_proofs ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.rollbacks FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a rollback stays on record');

ALTER TABLE public.rollbacks ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.rollout_stages FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('rules are fixed before a stage starts');

ALTER TABLE public.rollout_stages ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.rollout_steps FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('evidence stays attached to its change');

ALTER TABLE public.rollout_steps ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.rollouts FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a rollout stays on record');

ALTER TABLE public.rollouts ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.seedings FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('who seeded stays on record');

ALTER TABLE public.seedings ENABLE ALWAYS TRIGGER append_only;

CREATE TRIGGER count_attempt AFTER INSERT ON public.finetune_contexts FOR EACH ROW EXECUTE FUNCTION public.count_attempt();

ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER count_attempt;

CREATE TRIGGER count_events AFTER INSERT ON public.event_log REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.count_events();

ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER count_events;

CREATE TRIGGER count_revision AFTER INSERT ON public.ftf_config_history FOR EACH ROW EXECUTE FUNCTION public.count_revision();

ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER count_revision;

CREATE TRIGGER hold_registered AFTER INSERT ON public.finetune_contexts FOR EACH ROW EXECUTE FUNCTION public.hold_registered();

ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER hold_registered;

CREATE TRIGGER judge_ordinary_write AFTER INSERT ON public.ftf_config_history FOR EACH ROW WHEN ((new.change_id IS NOT NULL)) EXECUTE FUNCTION public.judge_ordinary_write();

ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER judge_ordinary_write;

CREATE TRIGGER never_edited BEFORE UPDATE OR TRUNCATE ON public.catalogue_declarations FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('what a text declares never changes');

ALTER TABLE public.catalogue_declarations ENABLE ALWAYS TRIGGER never_edited;

CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.changes FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a change is withdrawn, never removed');

ALTER TABLE public.changes ENABLE ALWAYS TRIGGER never_removed;

CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.ftf_config FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a document is changed by a new revision, never removed');

ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER never_removed;

CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.obligations FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('an obligation is met, never removed');

ALTER TABLE public.obligations ENABLE ALWAYS TRIGGER never_removed;

CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.policies FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a policy is changed by another change, never removed');

ALTER TABLE public.policies ENABLE ALWAYS TRIGGER never_removed;

CREATE TRIGGER note_edits AFTER INSERT ON public.ftf_config_history FOR EACH ROW EXECUTE FUNCTION public.note_edits();

ALTER TABLE public.ftf_config_history ENABLE ALWAYS TRIGGER note_edits;

CREATE TRIGGER note_layers AFTER INSERT ON public.finetune_contexts FOR EACH ROW EXECUTE FUNCTION public.note_layers();

ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER note_layers;

CREATE TRIGGER permit_answer BEFORE INSERT OR UPDATE ON public.idempotency FOR EACH ROW EXECUTE FUNCTION public.permit_answer();

ALTER TABLE public.idempotency ENABLE ALWAYS TRIGGER permit_answer;

CREATE TRIGGER permit_change BEFORE INSERT OR UPDATE ON public.changes FOR EACH ROW EXECUTE FUNCTION public.permit_change();

ALTER TABLE public.changes ENABLE ALWAYS TRIGGER permit_change;

CREATE TRIGGER permit_events AFTER INSERT ON public.event_log REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.permit_events();

ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER permit_events;

CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_contexts REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();

ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER permit_report;

CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_failures REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();

ALTER TABLE public.finetune_failures ENABLE ALWAYS TRIGGER permit_report;

CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_results REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();

ALTER TABLE public.finetune_results ENABLE ALWAYS TRIGGER permit_report;

CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_trials REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();

ALTER TABLE public.finetune_trials ENABLE ALWAYS TRIGGER permit_report;

CREATE TRIGGER permit_report AFTER INSERT ON public.finetune_units REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION public.permit_report();

ALTER TABLE public.finetune_units ENABLE ALWAYS TRIGGER permit_report;

CREATE TRIGGER permit_run BEFORE INSERT OR UPDATE ON public.finetune_runs FOR EACH ROW EXECUTE FUNCTION public.permit_run();

ALTER TABLE public.finetune_runs ENABLE ALWAYS TRIGGER permit_run;

CREATE TRIGGER queue_writers BEFORE INSERT OR UPDATE ON public.ftf_config FOR EACH STATEMENT EXECUTE FUNCTION public.queue_writers();

ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER queue_writers;

CREATE TRIGGER record_revision BEFORE INSERT OR UPDATE ON public.ftf_config FOR EACH ROW EXECUTE FUNCTION public.record_revision();

ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER record_revision;

CREATE TRIGGER refuse_parked BEFORE INSERT ON public.finetune_runs FOR EACH ROW EXECUTE FUNCTION public.refuse_parked();

ALTER TABLE public.finetune_runs ENABLE ALWAYS TRIGGER refuse_parked;

CREATE TRIGGER require_speaker BEFORE INSERT ON public.baselines FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.baselines ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.catalogues FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.catalogues ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT ON public.event_log FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT ON public.event_sources FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.event_sources ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.finetune_contexts FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.finetune_contexts ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.finetune_failures FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.finetune_failures ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.finetune_results FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.finetune_results ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.finetune_runs FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.finetune_runs ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.finetune_trials FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.finetune_trials ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.finetune_units FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.finetune_units ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.idempotency FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.idempotency ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.read_sets FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.read_sets ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.snapshot_sets FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.snapshot_sets ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER require_speaker BEFORE INSERT OR DELETE OR UPDATE ON public.snapshots FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();

ALTER TABLE public.snapshots ENABLE ALWAYS TRIGGER require_speaker;

CREATE TRIGGER suspend_work AFTER UPDATE OF disabled_at ON public.accounts FOR EACH ROW WHEN (((old.disabled_at IS NULL) AND (new.disabled_at IS NOT NULL))) EXECUTE FUNCTION public.suspend_work();

ALTER TABLE public.accounts ENABLE ALWAYS TRIGGER suspend_work;

CREATE TRIGGER tell_approvers AFTER INSERT ON public.changes FOR EACH ROW WHEN ((new.state = 'proposed'::text)) EXECUTE FUNCTION public.tell_approvers();

ALTER TABLE public.changes ENABLE ALWAYS TRIGGER tell_approvers;

CREATE TRIGGER tell_approvers_again AFTER UPDATE OF state, proposal_hash, asked ON public.changes FOR EACH ROW WHEN ((new.state = 'proposed'::text)) EXECUTE FUNCTION public.tell_approvers();

ALTER TABLE public.changes ENABLE ALWAYS TRIGGER tell_approvers_again;

CREATE TRIGGER tell_author AFTER UPDATE OF state ON public.changes FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['applied'::text, 'rejected'::text, 'suspended'::text])))) EXECUTE FUNCTION public.tell_author();

ALTER TABLE public.changes ENABLE ALWAYS TRIGGER tell_author;

CREATE TRIGGER tell_of_approval AFTER INSERT ON public.change_decisions FOR EACH ROW WHEN ((new.decision = 'approve'::text)) EXECUTE FUNCTION public.tell_of_approval();

ALTER TABLE public.change_decisions ENABLE ALWAYS TRIGGER tell_of_approval;

ALTER TABLE ONLY public.appointments
    ADD CONSTRAINT appointments_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(name);

ALTER TABLE ONLY public.baselines
    ADD CONSTRAINT baselines_run_fkey FOREIGN KEY (run) REFERENCES public.finetune_runs(id);

ALTER TABLE ONLY public.catalogue_declarations
    ADD CONSTRAINT catalogue_declarations_hash_fkey FOREIGN KEY (hash) REFERENCES public.catalogues(hash);

ALTER TABLE ONLY public.change_attempts
    ADD CONSTRAINT change_attempts_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.change_runs(run_id);

ALTER TABLE ONLY public.change_checks
    ADD CONSTRAINT change_checks_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id);

ALTER TABLE ONLY public.change_checks
    ADD CONSTRAINT change_checks_current_run_id_fkey FOREIGN KEY (current_run_id) REFERENCES public.finetune_runs(id);

ALTER TABLE ONLY public.change_checks
    ADD CONSTRAINT change_checks_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.finetune_runs(id);

ALTER TABLE ONLY public.change_decisions
    ADD CONSTRAINT change_decisions_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id);

ALTER TABLE ONLY public.change_runs
    ADD CONSTRAINT change_runs_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id);

ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT credentials_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(name);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_notification_fkey FOREIGN KEY (notification) REFERENCES public.notifications(id) ON DELETE CASCADE;

ALTER TABLE public.event_log
    ADD CONSTRAINT event_log_source_fkey FOREIGN KEY (source) REFERENCES public.event_sources(source);

ALTER TABLE ONLY public.finetune_contexts
    ADD CONSTRAINT finetune_contexts_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.finetune_runs(id);

ALTER TABLE ONLY public.finetune_contexts
    ADD CONSTRAINT finetune_contexts_snapshot_hash_fkey FOREIGN KEY (snapshot_hash) REFERENCES public.snapshots(hash);

ALTER TABLE ONLY public.finetune_failures
    ADD CONSTRAINT finetune_failures_run_id_symbol_model_timeframe_variant_fo_fkey FOREIGN KEY (run_id, symbol, model, timeframe, variant, fold) REFERENCES public.finetune_units(run_id, symbol, model, timeframe, variant, fold);

ALTER TABLE ONLY public.finetune_layers
    ADD CONSTRAINT finetune_layers_run_id_context_fkey FOREIGN KEY (run_id, context) REFERENCES public.finetune_contexts(run_id, context);

ALTER TABLE ONLY public.finetune_results
    ADD CONSTRAINT finetune_results_run_id_symbol_model_timeframe_variant_fol_fkey FOREIGN KEY (run_id, symbol, model, timeframe, variant, fold, snapshot_hash) REFERENCES public.finetune_units(run_id, symbol, model, timeframe, variant, fold, snapshot_hash);

ALTER TABLE ONLY public.finetune_runs
    ADD CONSTRAINT finetune_runs_read_set_fkey FOREIGN KEY (read_set) REFERENCES public.read_sets(hash);

ALTER TABLE ONLY public.finetune_runs
    ADD CONSTRAINT finetune_runs_set_hash_fkey FOREIGN KEY (set_hash) REFERENCES public.snapshot_sets(hash);

ALTER TABLE ONLY public.finetune_runs
    ADD CONSTRAINT finetune_runs_snapshot_hash_fkey FOREIGN KEY (snapshot_hash) REFERENCES public.snapshots(hash);

ALTER TABLE public.finetune_trials
    ADD CONSTRAINT finetune_trials_run_id_symbol_model_timeframe_variant_fold_fkey FOREIGN KEY (run_id, symbol, model, timeframe, variant, fold, recorded_at) REFERENCES public.finetune_results(run_id, symbol, model, timeframe, variant, fold, created_at);

ALTER TABLE ONLY public.finetune_units
    ADD CONSTRAINT finetune_units_run_id_context_snapshot_hash_fkey FOREIGN KEY (run_id, context, snapshot_hash) REFERENCES public.finetune_contexts(run_id, context, snapshot_hash);

ALTER TABLE ONLY public.freeze_breaks
    ADD CONSTRAINT freeze_breaks_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id);

ALTER TABLE ONLY public.freeze_breaks
    ADD CONSTRAINT freeze_breaks_freeze_id_fkey FOREIGN KEY (freeze_id) REFERENCES public.freezes(id);

ALTER TABLE ONLY public.freeze_ends
    ADD CONSTRAINT freeze_ends_freeze_id_fkey FOREIGN KEY (freeze_id) REFERENCES public.freezes(id);

ALTER TABLE ONLY public.kept_forms
    ADD CONSTRAINT kept_forms_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(name);

ALTER TABLE ONLY public.passkeys
    ADD CONSTRAINT passkeys_account_fkey FOREIGN KEY (account) REFERENCES public.accounts(name);

ALTER TABLE ONLY public.preapprovals
    ADD CONSTRAINT preapprovals_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id);

ALTER TABLE ONLY public.read_set_keys
    ADD CONSTRAINT read_set_keys_set_hash_fkey FOREIGN KEY (set_hash) REFERENCES public.read_sets(hash);

ALTER TABLE ONLY public.rollback_proofs
    ADD CONSTRAINT rollback_proofs_rollback_id_fkey FOREIGN KEY (rollback_id) REFERENCES public.rollbacks(id);

ALTER TABLE ONLY public.rollbacks
    ADD CONSTRAINT rollbacks_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id);

ALTER TABLE ONLY public.rollbacks
    ADD CONSTRAINT rollbacks_preapproval_fkey FOREIGN KEY (preapproval) REFERENCES public.preapprovals(decision_id);

ALTER TABLE ONLY public.rollbacks
    ADD CONSTRAINT rollbacks_restored_by_fkey FOREIGN KEY (restored_by) REFERENCES public.changes(id);

ALTER TABLE ONLY public.rollbacks
    ADD CONSTRAINT rollbacks_run_fkey FOREIGN KEY (run) REFERENCES public.finetune_runs(id);

ALTER TABLE ONLY public.rollout_stages
    ADD CONSTRAINT rollout_stages_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.rollouts(change_id);

ALTER TABLE ONLY public.rollout_steps
    ADD CONSTRAINT rollout_steps_baseline_fkey FOREIGN KEY (baseline) REFERENCES public.finetune_runs(id);

ALTER TABLE ONLY public.rollout_steps
    ADD CONSTRAINT rollout_steps_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.rollouts(change_id);

ALTER TABLE ONLY public.rollout_steps
    ADD CONSTRAINT rollout_steps_run_fkey FOREIGN KEY (run) REFERENCES public.finetune_runs(id);

ALTER TABLE ONLY public.rollout_steps
    ADD CONSTRAINT rollout_steps_seeding_fkey FOREIGN KEY (seeding) REFERENCES public.seedings(id);

ALTER TABLE ONLY public.rollouts
    ADD CONSTRAINT rollouts_change_id_fkey FOREIGN KEY (change_id) REFERENCES public.changes(id);

ALTER TABLE ONLY public.snapshot_frames
    ADD CONSTRAINT snapshot_frames_hash_fkey FOREIGN KEY (hash) REFERENCES public.snapshots(hash);

GRANT USAGE ON SCHEMA public TO setpoint_app;
GRANT USAGE ON SCHEMA public TO setpoint_breakglass;

REVOKE ALL ON FUNCTION public.account_named(p_name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.accounts_seen(p_name text, p_after text, p_limit bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.accounts_seen(p_name text, p_after text, p_limit bigint) TO setpoint_server;

GRANT SELECT ON TABLE public.rollout_steps TO setpoint_app;

REVOKE ALL ON FUNCTION public.act_on_canary(p_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.act_on_canary(p_id bigint) TO setpoint_app;

REVOKE ALL ON FUNCTION public.acting_person() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.admins() FROM PUBLIC;
GRANT ALL ON FUNCTION public.admins() TO setpoint_server;

GRANT SELECT ON TABLE public.changes TO setpoint_app;

REVOKE ALL ON FUNCTION public.amend_change(p_id bigint, p_base bigint, p_set jsonb, p_remove text[], p_keys text[], p_reason text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_evidence text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.amend_change(p_id bigint, p_base bigint, p_set jsonb, p_remove text[], p_keys text[], p_reason text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_evidence text[]) TO setpoint_app;

REVOKE ALL ON FUNCTION public.announce_access() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.apply_change(p_id bigint, p_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.apply_change(p_id bigint, p_hash text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.ask_approvers(p_id bigint, p_people text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.ask_approvers(p_id bigint, p_people text[]) TO setpoint_app;

REVOKE ALL ON FUNCTION public.attach_checks(p_run text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.attach_checks(p_run text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.begin_rollout(change public.changes, p_context jsonb, p_scopes text[], p_expected_s integer, p_person text, p_proof text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.break_freeze(p_change bigint, p_hash text, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.break_freeze(p_change bigint, p_hash text, p_reason text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.break_glass_restore(incident text, approved_by text, circumstance text, p_scope text, revision bigint, base bigint, failed text, probe text, OUT new_revision bigint, OUT new_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.break_glass_restore(incident text, approved_by text, circumstance text, p_scope text, revision bigint, base bigint, failed text, probe text, OUT new_revision bigint, OUT new_hash text) TO setpoint_breakglass;

REVOKE ALL ON FUNCTION public.break_glass_set(incident text, approved_by text, circumstance text, p_scope text, p_set jsonb, p_remove text[], base bigint, failed text, probe text, OUT new_revision bigint, OUT new_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.break_glass_set(incident text, approved_by text, circumstance text, p_scope text, p_set jsonb, p_remove text[], base bigint, failed text, probe text, OUT new_revision bigint, OUT new_hash text) TO setpoint_breakglass;

REVOKE ALL ON FUNCTION public.break_glass_write(p_incident text, p_approved_by text, p_circumstance text, p_failed text, p_probe text, p_scope text, p_document jsonb, p_restores bigint, OUT new_revision bigint, OUT new_hash text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.carry_out(INOUT change public.changes) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.change_account(p_name text, p_roles text[], p_disabled boolean, p_limits jsonb, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.change_account(p_name text, p_roles text[], p_disabled boolean, p_limits jsonb, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.changes_nothing(change public.changes) FROM PUBLIC;

GRANT SELECT ON TABLE public.incident_channels TO setpoint_app;
GRANT SELECT ON TABLE public.incident_channels TO setpoint_breakglass;

REVOKE ALL ON FUNCTION public.channel_of(url text) FROM PUBLIC;

GRANT SELECT ON TABLE public.policies TO setpoint_app;

REVOKE ALL ON FUNCTION public.claim_deliveries(p_targets text[], p_limit bigint, p_lease_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.claim_deliveries(p_targets text[], p_limit bigint, p_lease_s double precision) TO setpoint_server;

REVOKE ALL ON FUNCTION public.claim_posting(p_calendar text, p_checkpoint text, p_option text, p_held uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.claim_posting(p_calendar text, p_checkpoint text, p_option text, p_held uuid) TO setpoint_app;

REVOKE ALL ON FUNCTION public.close_session(p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.close_session(p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.composed_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_traceparent text, p_evidence text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.confirm_account(p_name text, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.confirm_account(p_name text, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.contradictions(p_after bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.contradictions(p_after bigint) TO setpoint_app;

REVOKE ALL ON FUNCTION public.contradictions_of_months() FROM PUBLIC;
GRANT ALL ON FUNCTION public.contradictions_of_months() TO setpoint_app;

REVOKE ALL ON FUNCTION public.count_events() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.count_revision() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.counted_labels(p_name text, p_model text, p_timeframe text, p_label text, OUT model text, OUT timeframe text, OUT label text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.create_account(p_name text, p_roles text[], p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_account(p_name text, p_roles text[], p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.credential_ends(credential bigint, OUT at timestamp with time zone, OUT account text, OUT dimensions text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.credential_ends(credential bigint, OUT at timestamp with time zone, OUT account text, OUT dimensions text[]) TO setpoint_server;

REVOKE ALL ON FUNCTION public.credential_holder(secret_hash bytea, OUT id bigint, OUT kind text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT proof text, OUT dimensions text[], OUT is_ending boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.credential_holder(secret_hash bytea, OUT id bigint, OUT kind text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT proof text, OUT dimensions text[], OUT is_ending boolean) TO setpoint_server;

REVOKE ALL ON FUNCTION public.decide_change(p_id bigint, p_decision text, p_hash text, p_words text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.decide_change(p_id bigint, p_decision text, p_hash text, p_words text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.decide_checkpoint(p_calendar text, p_checkpoint text, p_option text, p_said text, p_evidence jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.decide_checkpoint(p_calendar text, p_checkpoint text, p_option text, p_said text, p_evidence jsonb) TO setpoint_app;

REVOKE ALL ON FUNCTION public.decides(change public.changes) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.declare_channel(p_prefix text, p_responsible text, p_is_open boolean, p_reason text) FROM PUBLIC;

GRANT SELECT ON TABLE public.freezes TO setpoint_app;

REVOKE ALL ON FUNCTION public.declare_freeze(p_scope text, p_starts_at timestamp with time zone, p_ends_at timestamp with time zone, p_breakers text[], p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.declare_freeze(p_scope text, p_starts_at timestamp with time zone, p_ends_at timestamp with time zone, p_breakers text[], p_reason text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.drop_month(p_table text, p_month date) FROM PUBLIC;

GRANT SELECT ON TABLE public.freeze_ends TO setpoint_app;

REVOKE ALL ON FUNCTION public.end_freeze(p_id bigint, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.end_freeze(p_id bigint, p_reason text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.end_other_sessions(p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.end_other_sessions(p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.end_session(p_id bigint, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.end_session(p_id bigint, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.facts_of(change public.changes) FROM PUBLIC;

GRANT SELECT ON TABLE public.obligations TO setpoint_app;
GRANT SELECT ON TABLE public.obligations TO setpoint_breakglass;

REVOKE ALL ON FUNCTION public.file_post_mortem(p_incident text, p_url text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.file_post_mortem(p_incident text, p_url text) TO setpoint_app;

GRANT SELECT ON TABLE public.rollbacks TO setpoint_app;

REVOKE ALL ON FUNCTION public.file_rollback(p_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.file_rollback(p_id bigint) TO setpoint_app;

REVOKE ALL ON FUNCTION public.forget_answers() FROM PUBLIC;
GRANT ALL ON FUNCTION public.forget_answers() TO setpoint_server;

REVOKE ALL ON FUNCTION public.forget_credentials() FROM PUBLIC;
GRANT ALL ON FUNCTION public.forget_credentials() TO setpoint_server;

REVOKE ALL ON FUNCTION public.forget_notifications() FROM PUBLIC;
GRANT ALL ON FUNCTION public.forget_notifications() TO setpoint_server;

REVOKE ALL ON FUNCTION public.hands_behind(person text) FROM PUBLIC;

GRANT SELECT ON TABLE public.ftf_config_history TO setpoint_app;
GRANT SELECT ON TABLE public.ftf_config_history TO setpoint_breakglass;

REVOKE ALL ON FUNCTION public.import_revision(revision jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.is_long_over(held public.credentials) FROM PUBLIC;

GRANT SELECT,INSERT ON TABLE public.finetune_contexts TO setpoint_app;

REVOKE ALL ON FUNCTION public.is_robot(name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.issue_once(p_account text, p_hash bytea, p_remote text, OUT expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.issue_once(p_account text, p_hash bytea, p_remote text, OUT expires_at timestamp with time zone) TO setpoint_server;

REVOKE ALL ON FUNCTION public.issue_token(p_account text, p_hash bytea, p_label text, p_roles text[], p_days integer, p_remote text, p_dimensions text[], OUT id bigint, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.issue_token(p_account text, p_hash bytea, p_label text, p_roles text[], p_days integer, p_remote text, p_dimensions text[], OUT id bigint, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) TO setpoint_server;

REVOKE ALL ON FUNCTION public.judge_checkpoint(p_calendar text, p_checkpoint text, p_due_at timestamp with time zone, p_decide_by timestamp with time zone, p_passed boolean, p_evidence jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.judge_checkpoint(p_calendar text, p_checkpoint text, p_due_at timestamp with time zone, p_decide_by timestamp with time zone, p_passed boolean, p_evidence jsonb) TO setpoint_app;

REVOKE ALL ON FUNCTION public.judge_ordinary_write() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.keep_change(change public.changes, p_draft boolean, p_whole boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.keep_declaration(p_hash text, p_declares jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.keep_declaration(p_hash text, p_declares jsonb) TO setpoint_app;

REVOKE ALL ON FUNCTION public.keep_form(p_secret text, p_hash bytea, p_path text, p_fields jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.keep_form(p_secret text, p_hash bytea, p_path text, p_fields jsonb) TO setpoint_server;

REVOKE ALL ON FUNCTION public.keep_passkey(p_key bytea, p_public_key bytea, p_sign_count bigint, p_label text, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.keep_passkey(p_key bytea, p_public_key bytea, p_sign_count bigint, p_label text, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.keep_password_anew(p_name text, p_key bytea, p_parameters text, p_verifier bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.keep_password_anew(p_name text, p_key bytea, p_parameters text, p_verifier bytea) TO setpoint_server;

REVOKE ALL ON FUNCTION public.keep_read_set(read jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.keep_read_set(read jsonb) TO setpoint_app;

REVOKE ALL ON FUNCTION public.keep_snapshot(p_frame json) FROM PUBLIC;
GRANT ALL ON FUNCTION public.keep_snapshot(p_frame json) TO setpoint_server;

REVOKE ALL ON FUNCTION public.kept_form(p_hash bytea, OUT path text, OUT fields jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.kept_form(p_hash bytea, OUT path text, OUT fields jsonb) TO setpoint_server;

REVOKE ALL ON FUNCTION public.link_identity(p_name text, p_issuer text, p_subject text, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.link_identity(p_name text, p_issuer text, p_subject text, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.lock_change(p_id bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.log_checkpoint(p_calendar text, p_checkpoint text, p_event text, p_said text, p_evidence jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.log_checkpoint(p_calendar text, p_checkpoint text, p_event text, p_said text, p_evidence jsonb) TO setpoint_app;

REVOKE ALL ON FUNCTION public.login_facts(p_name text, p_remote text, OUT parameters text, OUT wait_s integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.login_facts(p_name text, p_remote text, OUT parameters text, OUT wait_s integer) TO setpoint_server;

REVOKE ALL ON FUNCTION public.login_name(p_name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.login_wait(p_account text, p_remote text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.make_month(p_table text, p_instant text, p_month timestamp without time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.make_months(p_of_rest boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.make_months(p_of_rest boolean) TO setpoint_app;

REVOKE ALL ON FUNCTION public.may_report(reported text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.may_report(reported text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.network_of(address text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.note_access(p_event text, p_account text, p_remote text, p_credential bigint, p_actor text, p_detail jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.note_delivery(p_id bigint, p_lease timestamp with time zone, p_error text, p_again_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_delivery(p_id bigint, p_lease timestamp with time zone, p_error text, p_again_s double precision) TO setpoint_server;

REVOKE ALL ON FUNCTION public.note_edits() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.note_hand(p_account text, p_what text, p_hand text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.note_holder(p_credential bytea, p_client text, p_snapshot text, p_context jsonb, p_host text, p_pid integer, p_run text, p_revision bigint, p_age_s double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_holder(p_credential bytea, p_client text, p_snapshot text, p_context jsonb, p_host text, p_pid integer, p_run text, p_revision bigint, p_age_s double precision) TO setpoint_server;

REVOKE ALL ON FUNCTION public.note_layers() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.note_probe(p_is_live boolean, p_said text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_probe(p_is_live boolean, p_said text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.note_proof(p_credential bigint, p_account text, p_how text, p_at timestamp with time zone, p_remote text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.note_proofs(p_proofs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_proofs(p_proofs jsonb) TO setpoint_app;

REVOKE ALL ON FUNCTION public.note_readings(p_calendar text, p_readings jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_readings(p_calendar text, p_readings jsonb) TO setpoint_app;

REVOKE ALL ON FUNCTION public.note_rollback(p_id bigint, p_mechanism text, p_words text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_rollback(p_id bigint, p_mechanism text, p_words text) TO setpoint_app;

GRANT SELECT ON TABLE public.seedings TO setpoint_app;

REVOKE ALL ON FUNCTION public.note_seeding(p_catalogues text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_seeding(p_catalogues text[]) TO setpoint_app;

REVOKE ALL ON FUNCTION public.note_shadow(p_id bigint, p_run text, p_baseline text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_shadow(p_id bigint, p_run text, p_baseline text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.note_shares(p_server text, p_shares jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_shares(p_server text, p_shares jsonb) TO setpoint_server;

REVOKE ALL ON FUNCTION public.open_and_apply_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_draft boolean, p_traceparent text, p_evidence text[], OUT change public.changes, OUT approvals integer, OUT approved bigint, OUT solo boolean, OUT cooling_off_s integer, OUT free_at timestamp with time zone, OUT checks text[], OUT frozen_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_and_apply_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_draft boolean, p_traceparent text, p_evidence text[], OUT change public.changes, OUT approvals integer, OUT approved bigint, OUT solo boolean, OUT cooling_off_s integer, OUT free_at timestamp with time zone, OUT checks text[], OUT frozen_until timestamp with time zone) TO setpoint_app;

REVOKE ALL ON FUNCTION public.open_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_draft boolean, p_traceparent text, p_evidence text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_change(p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint, p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamp with time zone, p_draft boolean, p_traceparent text, p_evidence text[]) TO setpoint_app;

REVOKE ALL ON FUNCTION public.open_channels() FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_channels() TO setpoint_breakglass;
GRANT ALL ON FUNCTION public.open_channels() TO setpoint_app;

REVOKE ALL ON FUNCTION public.open_session_by_identity(p_issuer text, p_subject text, p_name text, p_roles text[], p_proven_at timestamp with time zone, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_session_by_identity(p_issuer text, p_subject text, p_name text, p_roles text[], p_proven_at timestamp with time zone, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) TO setpoint_server;

REVOKE ALL ON FUNCTION public.open_session_by_passkey(p_secret text, p_key bytea, p_sign_count bigint, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_session_by_passkey(p_secret text, p_key bytea, p_sign_count bigint, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) TO setpoint_server;

REVOKE ALL ON FUNCTION public.open_session_by_password(p_name text, p_key bytea, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT awaits_passkey boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_session_by_password(p_name text, p_key bytea, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT awaits_passkey boolean) TO setpoint_server;

REVOKE ALL ON FUNCTION public.open_session_once(p_secret text, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT wait_s integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.open_session_once(p_secret text, p_hash bytea, p_remote text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT wait_s integer) TO setpoint_server;

REVOKE ALL ON FUNCTION public.override_canary(p_id bigint, p_hash text, p_words text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.override_canary(p_id bigint, p_hash text, p_words text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.own_password(p_remote text, OUT parameters text, OUT wait_s integer, OUT must_prove boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION public.own_password(p_remote text, OUT parameters text, OUT wait_s integer, OUT must_prove boolean) TO setpoint_server;

REVOKE ALL ON FUNCTION public.owner_of_tables() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.passkeys_seen(p_account text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.passkeys_seen(p_account text) TO setpoint_server;

GRANT SELECT ON TABLE public.notifications TO setpoint_app;

REVOKE ALL ON FUNCTION public.people_of(n public.notifications) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.permit_answer() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.permit_change() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.permit_events() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.permit_report() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.permit_run() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.person_behind() FROM PUBLIC;

GRANT SELECT ON TABLE public.preapprovals TO setpoint_app;

REVOKE ALL ON FUNCTION public.preapprove_restore(p_id bigint, p_hash text, p_expires_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.preapprove_restore(p_id bigint, p_hash text, p_expires_at timestamp with time zone) TO setpoint_app;

REVOKE ALL ON FUNCTION public.presented() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.propose_change(p_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.propose_change(p_id bigint) TO setpoint_app;

REVOKE ALL ON FUNCTION public.prove_by_identity(p_issuer text, p_subject text, p_at timestamp with time zone, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.prove_by_identity(p_issuer text, p_subject text, p_at timestamp with time zone, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.prove_by_passkey(p_key bytea, p_sign_count bigint, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.prove_by_passkey(p_key bytea, p_sign_count bigint, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.prove_by_password(p_key bytea, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.prove_by_password(p_key bytea, p_remote text) TO setpoint_server;

GRANT SELECT ON TABLE public.rollback_proofs TO setpoint_app;

REVOKE ALL ON FUNCTION public.prove_rollback(p_incident text, p_words text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.prove_rollback(p_incident text, p_words text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.prune_holders() FROM PUBLIC;
GRANT ALL ON FUNCTION public.prune_holders() TO setpoint_server;

REVOKE ALL ON FUNCTION public.queue_writers() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.rebased(before public.changes, after public.changes, OUT change public.changes) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.record_drill(p_scenario text, p_started_at timestamp with time zone, p_took_s double precision, p_outcome text, p_steps jsonb, p_build text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.record_drill(p_scenario text, p_started_at timestamp with time zone, p_took_s double precision, p_outcome text, p_steps jsonb, p_build text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.record_revision() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.record_validation(p_incident text, p_heads jsonb, p_sound boolean, p_evidence jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.record_validation(p_incident text, p_heads jsonb, p_sound boolean, p_evidence jsonb) TO setpoint_app;

REVOKE ALL ON FUNCTION public.refuse_flag_readers(dimensions text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.refuse_parked() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.refuse_statement() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.refuse_unless_emergency(incident text, approved_by text, circumstance text, failed text, probe text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.register_run(p_change bigint, p_run text, p_current text, p_dimensions text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.register_run(p_change bigint, p_run text, p_current text, p_dimensions text[]) TO setpoint_app;

REVOKE ALL ON FUNCTION public.release_posting(p_held uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.release_posting(p_held uuid) TO setpoint_app;

REVOKE ALL ON FUNCTION public.remove_passkey(p_id bigint, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.remove_passkey(p_id bigint, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.repeat_check(p_id bigint, p_words text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.repeat_check(p_id bigint, p_words text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.require_admin() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.require_decider(p_calendar text, p_checkpoint text, p_option text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.require_decider(p_calendar text, p_checkpoint text, p_option text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.require_fresh_proof() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.require_own_password() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.require_reporter(run text, starter text, starts boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.require_room_for_change(p_author text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.restore_probe_noted() FROM PUBLIC;

GRANT SELECT ON TABLE public.deliveries TO setpoint_app;

REVOKE ALL ON FUNCTION public.retry_delivery(p_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.retry_delivery(p_id bigint) TO setpoint_app;

REVOKE ALL ON FUNCTION public.revive_nobody(p_backup jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.revoke_token(p_id bigint, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.revoke_token(p_id bigint, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.roles_of(person text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.rotate_token(p_id bigint, p_hash bytea, p_days integer, p_overlap_s integer, p_remote text, OUT id bigint, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT label text, OUT old_ends_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.rotate_token(p_id bigint, p_hash bytea, p_days integer, p_overlap_s integer, p_remote text, OUT id bigint, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone, OUT label text, OUT old_ends_at timestamp with time zone) TO setpoint_server;

REVOKE ALL ON FUNCTION public.route_notifications(p_targets jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.route_notifications(p_targets jsonb) TO setpoint_server;

REVOKE ALL ON FUNCTION public.rows_in_rest(OUT of_table text, OUT rows bigint, OUT oldest timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.rows_in_rest(OUT of_table text, OUT rows bigint, OUT oldest timestamp with time zone) TO setpoint_app;

GRANT SELECT,INSERT ON TABLE public.finetune_runs TO setpoint_app;

GRANT UPDATE(finished_at) ON TABLE public.finetune_runs TO setpoint_app;

GRANT UPDATE(state) ON TABLE public.finetune_runs TO setpoint_app;

GRANT UPDATE(read_set) ON TABLE public.finetune_runs TO setpoint_app;

GRANT UPDATE(fallbacks) ON TABLE public.finetune_runs TO setpoint_app;

GRANT SELECT ON TABLE public.change_attempts TO setpoint_app;

REVOKE ALL ON FUNCTION public.sessions_seen(p_account text, p_after bigint, p_limit bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.sessions_seen(p_account text, p_after bigint, p_limit bigint) TO setpoint_server;

GRANT SELECT ON TABLE public.baselines TO setpoint_app;

REVOKE ALL ON FUNCTION public.set_baseline(p_run text, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_baseline(p_run text, p_reason text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.set_password(p_key bytea, p_parameters text, p_verifier bytea, p_remote text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_password(p_key bytea, p_parameters text, p_verifier bytea, p_remote text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.skip_shadow(p_id bigint, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.skip_shadow(p_id bigint, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text) TO setpoint_app;

GRANT SELECT ON TABLE public.rollout_stages TO setpoint_app;

REVOKE ALL ON FUNCTION public.stand_on_history(reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.start_passkey(p_secret text, p_challenge bytea, p_is_new boolean, OUT account text, OUT keys bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.start_passkey(p_secret text, p_challenge bytea, p_is_new boolean, OUT account text, OUT keys bytea[]) TO setpoint_server;

REVOKE ALL ON FUNCTION public.start_session(p_account text, p_hash bytea, p_how text, p_remote text, p_actor text, OUT account text, OUT roles text[], OUT expires_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.start_stage(p_id bigint, p_stage text, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.start_stage(p_id bigint, p_stage text, p_context jsonb, p_scopes text[], p_expected_s integer, p_words text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.suspend_change(p_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.suspend_change(p_id bigint) TO setpoint_app;

REVOKE ALL ON FUNCTION public.suspend_work() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.take_challenge(p_secret text, p_key bytea, OUT challenge bytea, OUT public_key bytea, OUT sign_count bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.take_challenge(p_secret text, p_key bytea, OUT challenge bytea, OUT public_key bytea, OUT sign_count bigint) TO setpoint_server;

REVOKE ALL ON FUNCTION public.take_events(p_account text, p_lines bigint, p_bytes bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.take_rollback(p_incident text, p_mechanism text, p_words text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.take_rollback(p_incident text, p_mechanism text, p_words text) TO setpoint_app;

REVOKE ALL ON FUNCTION public.tell_approvers() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.tell_author() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.tell_deadlines() FROM PUBLIC;
GRANT ALL ON FUNCTION public.tell_deadlines() TO setpoint_server;

REVOKE ALL ON FUNCTION public.tell_of_approval() FROM PUBLIC;

REVOKE ALL ON FUNCTION public.tokens_ending() FROM PUBLIC;
GRANT ALL ON FUNCTION public.tokens_ending() TO setpoint_server;
GRANT ALL ON FUNCTION public.tokens_ending() TO setpoint_app;

REVOKE ALL ON FUNCTION public.tokens_seen(p_after bigint, p_limit bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.tokens_seen(p_after bigint, p_limit bigint) TO setpoint_server;

REVOKE ALL ON FUNCTION public.told_number(told text) FROM PUBLIC;

GRANT SELECT ON TABLE public.dropped_months TO setpoint_app;

REVOKE ALL ON FUNCTION public.touch_credential(p_hash bytea, p_remote text, p_by text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.touch_credential(p_hash bytea, p_remote text, p_by text) TO setpoint_server;

REVOKE ALL ON FUNCTION public.try_writing() FROM PUBLIC;
GRANT ALL ON FUNCTION public.try_writing() TO setpoint_server;

REVOKE ALL ON FUNCTION public.use_passkey(p_account text, p_key bytea, p_sign_count bigint) FROM PUBLIC;

GRANT SELECT ON TABLE public.change_checks TO setpoint_app;

REVOKE ALL ON FUNCTION public.withdraw_change(p_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.withdraw_change(p_id bigint) TO setpoint_app;

REVOKE ALL ON FUNCTION public.write_proposal(change public.changes, p_set jsonb, p_remove text[], p_keys text[]) FROM PUBLIC;

GRANT SELECT ON TABLE public.access_log TO setpoint_server;

GRANT SELECT ON TABLE public.backup_plan TO setpoint_app;

GRANT SELECT ON TABLE public.backups TO setpoint_app;

GRANT SELECT ON TABLE public.break_glass_uses TO setpoint_app;
GRANT SELECT ON TABLE public.break_glass_uses TO setpoint_breakglass;

GRANT SELECT ON TABLE public.catalogue_declarations TO setpoint_app;

GRANT SELECT ON TABLE public.catalogues TO setpoint_app;

GRANT INSERT(hash) ON TABLE public.catalogues TO setpoint_app;

GRANT INSERT(name) ON TABLE public.catalogues TO setpoint_app;

GRANT INSERT(version) ON TABLE public.catalogues TO setpoint_app;

GRANT INSERT(text) ON TABLE public.catalogues TO setpoint_app;

GRANT SELECT ON TABLE public.chain_head TO setpoint_app;
GRANT SELECT ON TABLE public.chain_head TO setpoint_breakglass;

GRANT SELECT ON TABLE public.change_decisions TO setpoint_app;

GRANT SELECT ON TABLE public.change_runs TO setpoint_app;

GRANT SELECT ON TABLE public.checkpoint_log TO setpoint_app;

GRANT SELECT ON TABLE public.checkpoint_readings TO setpoint_app;

GRANT SELECT ON TABLE public.drills TO setpoint_app;

GRANT SELECT ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(source) ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(sequence) ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(name) ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(level) ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(run) ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(unit) ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(event_id) ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(at) ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(fields) ON TABLE public.event_log TO setpoint_app;

GRANT INSERT(line) ON TABLE public.event_log TO setpoint_app;

GRANT SELECT ON TABLE public.event_minutes TO setpoint_app;

GRANT SELECT ON TABLE public.event_sources TO setpoint_app;

GRANT INSERT(source) ON TABLE public.event_sources TO setpoint_app;

GRANT SELECT ON TABLE public.event_totals TO setpoint_app;

GRANT SELECT,INSERT ON TABLE public.finetune_failures TO setpoint_app;

GRANT SELECT ON TABLE public.finetune_layers TO setpoint_app;

GRANT SELECT,INSERT ON TABLE public.finetune_results TO setpoint_app;

GRANT SELECT,INSERT ON TABLE public.finetune_trials TO setpoint_app;

GRANT SELECT,INSERT ON TABLE public.finetune_units TO setpoint_app;

GRANT SELECT ON TABLE public.freeze_breaks TO setpoint_app;

GRANT SELECT ON TABLE public.ftf_config TO setpoint_app;
GRANT SELECT ON TABLE public.ftf_config TO setpoint_breakglass;

GRANT SELECT ON TABLE public.ftf_config_edits TO setpoint_app;

GRANT SELECT ON TABLE public.idempotency TO setpoint_server;

GRANT INSERT(account) ON TABLE public.idempotency TO setpoint_server;

GRANT INSERT(key) ON TABLE public.idempotency TO setpoint_server;

GRANT INSERT(request_hash) ON TABLE public.idempotency TO setpoint_server;

GRANT UPDATE(status) ON TABLE public.idempotency TO setpoint_server;

GRANT UPDATE(headers) ON TABLE public.idempotency TO setpoint_server;

GRANT UPDATE(body) ON TABLE public.idempotency TO setpoint_server;

GRANT SELECT(kind) ON TABLE public.process_shares TO setpoint_app;

GRANT SELECT(caller) ON TABLE public.process_shares TO setpoint_app;

GRANT SELECT(amount) ON TABLE public.process_shares TO setpoint_app;

GRANT SELECT(seen) ON TABLE public.process_shares TO setpoint_app;

GRANT SELECT ON TABLE public.quotas TO setpoint_app;

GRANT SELECT ON TABLE public.read_set_keys TO setpoint_app;

GRANT SELECT ON TABLE public.read_sets TO setpoint_app;

GRANT SELECT ON TABLE public.readiness_proofs TO setpoint_app;

GRANT SELECT ON TABLE public.restore_probe TO setpoint_app;
GRANT SELECT ON TABLE public.restore_probe TO setpoint_breakglass;

GRANT SELECT ON TABLE public.revision_totals TO setpoint_app;

GRANT SELECT ON TABLE public.rollouts TO setpoint_app;

GRANT SELECT ON TABLE public.schema_migrations TO setpoint_app;

GRANT SELECT ON TABLE public.snapshot_frames TO setpoint_app;

GRANT SELECT ON TABLE public.snapshot_holders TO setpoint_app;
GRANT SELECT ON TABLE public.snapshot_holders TO setpoint_server;

GRANT SELECT ON TABLE public.snapshot_sets TO setpoint_app;

GRANT INSERT(hash) ON TABLE public.snapshot_sets TO setpoint_app;

GRANT INSERT(text) ON TABLE public.snapshot_sets TO setpoint_app;

GRANT SELECT ON TABLE public.snapshots TO setpoint_app;

GRANT INSERT(hash) ON TABLE public.snapshots TO setpoint_app;

GRANT INSERT(text) ON TABLE public.snapshots TO setpoint_app;

GRANT SELECT ON TABLE public.stream_secret TO setpoint_server;

