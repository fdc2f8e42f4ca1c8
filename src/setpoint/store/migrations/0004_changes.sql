-- Changes and policy: the one way in which the application writes a document.
--
-- A change is a proposal over a base revision. Its hash covers what would be written, over what, where
-- and as what kind of change; an approval names that hash, so any edit leaves it behind. apply_change
-- decides in one place and in one transaction, under the lock that makes all writers queue: policy,
-- approvals, base, and that no scope moved which validation may have read.

CREATE TABLE public.policies (
    scope         text NOT NULL CHECK (scope <> ''),
    kind          text NOT NULL CHECK (kind IN ('*', 'value', 'range', 'scope', 'restore', 'policy')),
    approvals     integer NOT NULL CHECK (approvals >= 0),
    solo          boolean NOT NULL,
    cooling_off_s integer NOT NULL CHECK (cooling_off_s >= 0),
    checks        text[] NOT NULL DEFAULT '{}' CHECK (checks <@ ARRAY['canary', 'smoke', 'ranges', 'rollout']),
    smoke_s       integer NOT NULL DEFAULT 120 CHECK (smoke_s > 0),
    PRIMARY KEY (scope, kind),
    CONSTRAINT solo_means_no_approval CHECK (solo = (approvals = 0))
);
COMMENT ON TABLE public.policies IS 'How many approvals a change needs; * is any scope or kind, the most specific row decides.';
COMMENT ON COLUMN public.policies.checks IS 'The checks that a change must pass besides; none of a change of policy, which has no candidate.';
COMMENT ON COLUMN public.policies.smoke_s IS 'How long a smoke run may take; one that takes longer stops itself and does not count.';
COMMENT ON COLUMN public.policies.solo IS 'Declares that one person decides alone: recorded on each revision as unreviewed.';
INSERT INTO public.policies (scope, kind, approvals, solo, cooling_off_s) VALUES ('*', '*', 0, true, 0);

CREATE TABLE public.changes (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope            text NOT NULL CHECK (scope <> ''),
    kinds            text[] NOT NULL,
    base_revision    bigint,
    proposal         jsonb CHECK (jsonb_typeof(proposal) = 'object'),
    edits            jsonb,
    edits_before     jsonb,
    edition          integer NOT NULL,
    proposal_hash    text NOT NULL,
    judged_at        bigint NOT NULL,
    restores         bigint,
    author           text NOT NULL,
    proof            text NOT NULL,
    reason           text NOT NULL CHECK (public.says_something(reason)),
    asked            text[] NOT NULL DEFAULT '{}',
    evidence         text[] NOT NULL DEFAULT '{}',
    source           text NOT NULL CHECK (source <> ''),
    traceparent      text CONSTRAINT a_trace_as_w3c_writes_it CHECK (
                         traceparent ~ '^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$'),
    catalogues       jsonb CHECK (jsonb_typeof(catalogues) = 'array'),
    state            text NOT NULL CHECK (state IN ('draft', 'proposed', 'suspended', 'applied', 'rejected', 'withdrawn')),
    state_reason     text NOT NULL DEFAULT '',
    apply_at         timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    proposed_at      timestamptz,
    applied_revision bigint,
    CONSTRAINT only_applied_changes_made_a_revision CHECK (state = 'applied' OR applied_revision IS NULL),
    CONSTRAINT history_alone_leaves_it_out CHECK (
        applied_revision IS NOT NULL OR num_nulls(proposal, edits, catalogues) = 0)
);
CREATE INDEX changes_by_scope ON public.changes (scope, id);
CREATE INDEX changes_by_author ON public.changes (author, id);
CREATE INDEX changes_by_state ON public.changes (state, id);
CREATE INDEX changes_open ON public.changes (scope, id) WHERE state IN ('draft', 'proposed', 'suspended');
CREATE INDEX changes_open_by_author ON public.changes (author) WHERE state IN ('draft', 'proposed', 'suspended');
-- What waits is found by what it would do; of a policy, and where nothing differs, that is what it proposes.
CREATE INDEX changes_by_proposal
    ON public.changes (scope, md5((CASE WHEN edits = '[]' THEN proposal ELSE edits END)::text)) WHERE state = 'proposed';
CREATE INDEX changes_by_revision ON public.changes (applied_revision) WHERE applied_revision IS NOT NULL;
CREATE INDEX changes_restoring ON public.changes (scope, applied_revision) WHERE restores IS NOT NULL;
CREATE INDEX changes_by_trace ON public.changes (substr(traceparent, 4, 32)) WHERE traceparent IS NOT NULL;
CREATE INDEX changes_due ON public.changes (apply_at, id) WHERE state = 'proposed' AND apply_at IS NOT NULL;
COMMENT ON TABLE public.changes IS 'Every change; of one that made a revision, document, edits and catalogues are in the revision alone, and its proposal_hash tells whether they still are what was proposed.';
COMMENT ON COLUMN public.changes.proposal IS 'The document as it would be, or the policy row for a change of kind policy; null once it is a revision.';
COMMENT ON COLUMN public.changes.edits_before IS 'What it proposed before its last amendment, which that can be undone to; null without one, and once it is a revision.';
COMMENT ON COLUMN public.changes.asked IS 'Whom its author asked to approve it; anybody else who may still can.';
COMMENT ON COLUMN public.changes.evidence IS 'The recorded runs that it rests on: what is kept of them stays as long as it can be decided.';
COMMENT ON COLUMN public.changes.edition IS 'Counts edits; part of the hash, so that a proposal edited there and back is not the approved one.';
COMMENT ON COLUMN public.changes.source IS 'The door as its client tells it; nothing is decided by it.';
COMMENT ON COLUMN public.changes.traceparent IS 'The trace of the request or command that opened it (W3C Trace Context); null when none was told.';
COMMENT ON COLUMN public.changes.judged_at IS 'The newest revision of any scope when it was validated: what is newer, validation did not read.';

CREATE TABLE public.change_decisions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    change_id     bigint NOT NULL REFERENCES public.changes (id),
    decision      text NOT NULL CHECK (decision IN ('approve', 'reject', 'comment', 'repeat')),
    proposal_hash text NOT NULL,
    person        text NOT NULL,
    proof         text NOT NULL,
    words         text NOT NULL,
    decided_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT people_say_something CHECK (decision NOT IN ('comment', 'repeat') OR public.says_something(words))
);
CREATE INDEX change_decisions_by_change ON public.change_decisions (change_id, id);
CREATE INDEX change_decisions_by_person ON public.change_decisions (person, id);
CREATE INDEX change_decisions_by_time ON public.change_decisions (decided_at);
CREATE UNIQUE INDEX one_decision_for_each_proposal
    ON public.change_decisions (change_id, proposal_hash, person, decision) WHERE decision <> 'comment' AND decision <> 'repeat';

CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.policies
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a policy is changed by another change, never removed');
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.changes
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a change is withdrawn, never removed');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.change_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('decisions are append-only');
ALTER TABLE public.policies ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE public.changes ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE public.change_decisions ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION public.policy_for(change_scope text, change_kind text) RETURNS public.policies
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- The scope is more specific than the kind.
    SELECT p FROM public.policies AS p
    WHERE p.scope IN (change_scope, '*') AND p.kind IN (change_kind, '*')
    ORDER BY p.scope = '*', p.kind = '*'
    LIMIT 1
$$;

CREATE FUNCTION public.kinds_of(old jsonb, edits jsonb, restores bigint, is_policy boolean) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
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
$$;

CREATE FUNCTION public.moved_scopes(change public.changes) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
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
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.unguarded(
    wanted public.policies, OUT scope text, OUT kind text, OUT approvals integer, OUT cooling_off_s integer,
    OUT guard_approvals integer, OUT guard_cooling_off_s integer
) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.unguarded IS 'What could be softened by less than it asks for, if a policy were so, or as policies are for a null.';

CREATE FUNCTION public.checked_policy(change_scope text, wanted jsonb) RETURNS public.policies
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.utc_text(moment timestamptz) RETURNS text
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, public, pg_temp
    RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

CREATE FUNCTION public.keys_of(change public.changes) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT CASE WHEN 'policy' = ANY (change.kinds) THEN NULL
                ELSE ARRAY(SELECT e ->> 'key' FROM jsonb_array_elements(change.edits) AS e) END
$$;

CREATE FUNCTION public.counts_for(person text, author text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- An approver by their own login of the database was made one by its administrator, so by nobody's hand.
    SELECT person <> author
       AND (author NOT IN (SELECT public.hands_behind(person)) OR person IN (SELECT public.approving_logins()))
$$;
COMMENT ON FUNCTION public.counts_for IS 'Whether what one person approves counts on the changes of another.';

CREATE FUNCTION public.places_of(p_scope text, p_kind text, OUT scope text, OUT keys text[]) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.places_of IS 'Scopes and keys in which a policy would decide, one of each sort that limits of roles tell apart.';

CREATE FUNCTION public.left_without_approval(p_scope text, p_kind text, p_approvals integer) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.left_without_approval IS 'Whose changes nobody could approve under a policy of so many approvals, in at least one place.';

CREATE FUNCTION public.hash_of_proposal(change public.changes, document text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
    RETURN public.document_hash(jsonb_build_array('setpoint-proposal-v2', change.edition, change.scope, change.kinds,
        change.restores, change.reason, public.utc_text(change.apply_at), document)::text);
COMMENT ON FUNCTION public.hash_of_proposal IS 'What an approval names: a document, by its hash, where and as what kind of change; a rebase to the same candidate keeps it, any other edit makes another edition.';

CREATE FUNCTION public.write_proposal(change public.changes, p_set jsonb, p_remove text[], p_keys text[])
    RETURNS public.changes
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.is_disabled(person text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM public.accounts AS a WHERE a.name = person AND a.disabled_at IS NOT NULL)
$$;

CREATE FUNCTION public.changes_nothing(change public.changes) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.changes_nothing IS 'True when what a change wants stands already, and no obligation is met by saying so.';

CREATE FUNCTION public.keep_change(change public.changes, p_draft boolean, p_whole boolean DEFAULT true) RETURNS public.changes
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.composed_change(
    p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint,
    p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamptz,
    p_traceparent text, p_evidence text[]
) RETURNS public.changes
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.composed_change IS 'A new change as it would be kept; of the state unchanged when what it wants stands already.';

CREATE FUNCTION public.open_change(
    p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint,
    p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamptz,
    p_draft boolean, p_traceparent text DEFAULT NULL, p_evidence text[] DEFAULT NULL
) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    change public.changes := public.composed_change(p_scope, p_is_policy, p_base, p_set, p_remove, p_restores, p_keys,
        p_reason, p_source, p_catalogues, p_apply_at, p_traceparent, p_evidence);
BEGIN
    RETURN CASE WHEN change.state = 'unchanged' THEN change ELSE public.keep_change(change, p_draft) END;
END
$$;

CREATE FUNCTION public.lock_change(p_id bigint) RETURNS public.changes
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.moved_under(change public.changes) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Of the scopes that validation read, those that hold other texts than then; one that went there and back does not.
    SELECT string_agg(format('%s is at revision %s', f.scope, f.revision), ', ' ORDER BY f.scope)
    FROM public.ftf_config AS f
    WHERE f.revision > change.judged_at AND f.scope <> change.scope
      AND (change.scope = 'global' OR split_part(f.scope, '=', 1) <> split_part(change.scope, '=', 1))
      AND f.hash IS DISTINCT FROM (SELECT h.hash FROM public.ftf_config_history AS h
                                   WHERE h.scope = f.scope AND h.id <= change.judged_at ORDER BY h.id DESC LIMIT 1)
$$;
COMMENT ON FUNCTION public.moved_under IS 'What makes another candidate of a change since it was judged, its own scope aside; null for nothing.';

CREATE FUNCTION public.rebased(before public.changes, after public.changes, OUT change public.changes)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.rebased IS 'An amended change: of the edition of before when it is the same candidate, else with what moved.';

CREATE FUNCTION public.amend_change(
    p_id bigint, p_base bigint, p_set jsonb, p_remove text[], p_keys text[], p_reason text,
    p_catalogues jsonb, p_apply_at timestamptz, p_evidence text[] DEFAULT NULL
) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.propose_change(p_id bigint) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.decide_change(p_id bigint, p_decision text, p_hash text, p_words text) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.withdraw_change(p_id bigint) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.required_of(
    change public.changes, OUT approvals integer, OUT solo boolean, OUT cooling_off_s integer, OUT checks text[], OUT smoke_s integer
)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A change of several kinds needs the strictest of their policies, and the checks of all.
    SELECT max(p.approvals), bool_and(p.solo), max(p.cooling_off_s), CASE WHEN 'policy' = ANY (change.kinds) THEN '{}' ELSE
        coalesce(string_to_array(string_agg(nullif(array_to_string(p.checks, ','), ''), ','), ','), '{}') END, min(p.smoke_s)
    FROM unnest(change.kinds || CASE WHEN cardinality(change.kinds) = 0 THEN ARRAY['value'] ELSE '{}' END) AS kind,
         public.policy_for(change.scope, kind) AS p
$$;

CREATE FUNCTION public.may_approve(change public.changes) RETURNS TABLE (person text, door text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.ask_approvers(p_id bigint, p_people text[]) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.ask_approvers IS 'Whom the author of a change asks to approve it; no approval given is touched.';

CREATE FUNCTION public.approvals_of(change public.changes) RETURNS TABLE (person text, proof text, decided_at timestamptz)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Judged when applying: whoever lost the role since does not count any more.
    SELECT DISTINCT ON (d.person) d.person, d.proof, d.decided_at
    FROM public.change_decisions AS d
    WHERE d.change_id = change.id AND d.proposal_hash = change.proposal_hash
      -- In a CASE, so that who may is asked only where somebody approved.
      AND CASE WHEN d.decision = 'approve' THEN d.person IN (SELECT m.person FROM public.may_approve(change) AS m) END
    ORDER BY d.person, d.decided_at
$$;

CREATE FUNCTION public.how_to_approve(change public.changes) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
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
$$;

CREATE FUNCTION public.how_to_resume(change public.changes) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT CASE WHEN 'policy' = ANY (change.kinds) THEN format('`setpoint change withdraw %s`, then set the policy again', change.id)
                WHEN change.restores IS NULL THEN format('`setpoint change amend %s` puts it over what stands now', change.id)
                ELSE format('`setpoint change withdraw %s`, then restore again', change.id) END
$$;

CREATE FUNCTION public.next_step(
    change public.changes, OUT moved text, OUT waits_for text, OUT who text[], OUT missing bigint,
    OUT until timestamptz, OUT how text
)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.next_step IS 'What an open change waits for, of whom, until when and how that is done; nulls for one that ended.';

CREATE FUNCTION public.tell_history(p_facts jsonb) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.tell_history IS 'Let the trigger of history hear these facts and no others; returns those before, to be told at the end.';

CREATE FUNCTION public.carry_out(INOUT change public.changes)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.carry_out IS 'The one decision: policy, approvals, base and what else moved, under the lock of the chain head.';

CREATE FUNCTION public.apply_change(p_id bigint, p_hash text) RETURNS public.changes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.apply_change IS 'Apply a change that was read with this hash, or say what forbids it.';

CREATE FUNCTION public.open_and_apply_change(
    p_scope text, p_is_policy boolean, p_base bigint, p_set jsonb, p_remove text[], p_restores bigint,
    p_keys text[], p_reason text, p_source text, p_catalogues jsonb, p_apply_at timestamptz,
    p_draft boolean, p_traceparent text DEFAULT NULL, p_evidence text[] DEFAULT NULL, OUT change public.changes, OUT approvals integer,
    OUT approved bigint, OUT solo boolean, OUT cooling_off_s integer, OUT free_at timestamptz, OUT checks text[],
    OUT frozen_until timestamptz
)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.open_and_apply_change IS 'Open a change, say what policy asks of it, and apply it where that is nothing; each as its own function does.';

CREATE FUNCTION public.suspend_change(p_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.decides(change public.changes) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- A policy; and what nobody else approves, when it is applied or its time is set.
    SELECT change.state IN ('draft', 'proposed', 'applied') AND ('policy' = ANY (change.kinds)
        OR ((change.state = 'applied' OR (change.state = 'proposed' AND change.apply_at IS NOT NULL))
            AND (SELECT need.approvals FROM public.required_of(change) AS need) = 0))
$$;
COMMENT ON FUNCTION public.decides IS 'Whether to bring a change into this state is a decision of one person.';

CREATE FUNCTION public.permit_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
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
CREATE FUNCTION public.suspend_work() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- What a disabled account left waits for somebody who takes it over: see amend_change.
    UPDATE public.changes SET state = 'suspended', state_reason = format('its author %s was disabled', NEW.name)
    WHERE author = NEW.name AND state IN ('draft', 'proposed', 'suspended');
    RETURN NULL;
END
$$;
CREATE TRIGGER suspend_work AFTER UPDATE OF disabled_at ON public.accounts
    FOR EACH ROW WHEN (OLD.disabled_at IS NULL AND NEW.disabled_at IS NOT NULL) EXECUTE FUNCTION public.suspend_work();
ALTER TABLE public.accounts ENABLE ALWAYS TRIGGER suspend_work;
CREATE TRIGGER permit_change BEFORE INSERT OR UPDATE ON public.changes
    FOR EACH ROW EXECUTE FUNCTION public.permit_change();
ALTER TABLE public.changes ENABLE ALWAYS TRIGGER permit_change;

REVOKE ALL ON FUNCTION public.suspend_change(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.suspend_change(bigint) TO setpoint_app;
REVOKE ALL ON FUNCTION public.write_proposal(public.changes, jsonb, text[], text[]), public.lock_change(bigint),
    public.changes_nothing(public.changes), public.keep_change(public.changes, boolean, boolean), public.carry_out(public.changes),
    public.composed_change(text, boolean, bigint, jsonb, text[], bigint, text[], text, text, jsonb, timestamptz, text, text[]),
    public.open_change(text, boolean, bigint, jsonb, text[], bigint, text[], text, text, jsonb, timestamptz, boolean, text, text[]),
    public.open_and_apply_change(text, boolean, bigint, jsonb, text[], bigint, text[], text, text, jsonb, timestamptz, boolean, text, text[]),
    public.amend_change(bigint, bigint, jsonb, text[], text[], text, jsonb, timestamptz, text[]), public.propose_change(bigint),
    public.ask_approvers(bigint, text[]),
    public.decide_change(bigint, text, text, text), public.withdraw_change(bigint), public.apply_change(bigint, text),
    public.rebased(public.changes, public.changes), public.decides(public.changes), public.permit_change(), public.suspend_work() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    public.open_change(text, boolean, bigint, jsonb, text[], bigint, text[], text, text, jsonb, timestamptz, boolean, text, text[]),
    public.open_and_apply_change(text, boolean, bigint, jsonb, text[], bigint, text[], text, text, jsonb, timestamptz, boolean, text, text[]),
    public.amend_change(bigint, bigint, jsonb, text[], text[], text, jsonb, timestamptz, text[]), public.propose_change(bigint),
    public.ask_approvers(bigint, text[]),
    public.decide_change(bigint, text, text, text), public.withdraw_change(bigint), public.apply_change(bigint, text)
    TO setpoint_app;
GRANT SELECT ON public.policies, public.changes, public.change_decisions TO setpoint_app;
