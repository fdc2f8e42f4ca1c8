-- Freezes: declared windows in which nothing is applied but restores, and what break-glass writes.
--
-- A freeze is declared by an admin and judged by apply_change, under the lock that makes all writers queue. It is
-- ended early, and broken for one proposal, by rows that are added: who shortened one, and why, stays to be seen.

CREATE TABLE public.freezes (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope       text NOT NULL CHECK (scope <> ''),
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    breakers    text[] NOT NULL,
    reason      text NOT NULL CHECK (public.says_something(reason)),
    declared_by text NOT NULL,
    proof       text NOT NULL,
    declared_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT a_freeze_ends_after_it_starts CHECK (ends_at > starts_at)
);
CREATE INDEX freezes_by_end ON public.freezes (ends_at);
COMMENT ON TABLE public.freezes IS 'Windows in which no change of a scope is applied; * is any scope. Restores are, and break-glass writes.';
COMMENT ON COLUMN public.freezes.breakers IS 'Who may apply a change all the same, with a reason; empty is nobody.';

CREATE TABLE public.freeze_ends (
    freeze_id bigint PRIMARY KEY REFERENCES public.freezes (id),
    reason    text NOT NULL CHECK (public.says_something(reason)),
    ended_by  text NOT NULL,
    proof     text NOT NULL,
    ended_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.freeze_ends IS 'Who ended a freeze before its time, and why.';

CREATE TABLE public.freeze_breaks (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    freeze_id     bigint NOT NULL REFERENCES public.freezes (id),
    change_id     bigint NOT NULL REFERENCES public.changes (id),
    proposal_hash text NOT NULL,
    person        text NOT NULL,
    proof         text NOT NULL,
    reason        text NOT NULL CHECK (public.says_something(reason)),
    broken_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT one_break_for_each_proposal UNIQUE (change_id, proposal_hash, freeze_id)
);
CREATE INDEX freeze_breaks_by_freeze ON public.freeze_breaks (freeze_id, id);
COMMENT ON TABLE public.freeze_breaks IS 'Who let one proposal through a freeze, and why; an edit of it makes another.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.freezes
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a freeze is ended by a row of its own, never edited');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.freeze_ends
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the end of a freeze is append-only');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.freeze_breaks
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('what broke a freeze is append-only');
ALTER TABLE public.freezes ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.freeze_ends ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE public.freeze_breaks ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION public.freezes_over(change public.changes, moment timestamptz) RETURNS SETOF public.freezes
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT f FROM public.freezes AS f
    WHERE f.ends_at > moment AND f.starts_at <= moment AND f.scope IN ('*', change.scope) AND change.restores IS NULL
      AND NOT EXISTS (SELECT FROM public.freeze_ends AS e WHERE e.freeze_id = f.id)
      AND NOT EXISTS (SELECT FROM public.freeze_breaks AS b WHERE b.freeze_id = f.id AND b.change_id = change.id
                      AND b.proposal_hash = change.proposal_hash)
$$;
COMMENT ON FUNCTION public.freezes_over IS 'The freezes that hold a change at an instant: not those that ended early, or were broken for just this proposal.';

CREATE FUNCTION public.frozen_until(change public.changes, moment timestamptz) RETURNS timestamptz
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.frozen_until IS 'When the freezes end that hold a change at an instant; null when none does.';

CREATE FUNCTION public.how_to_break(change public.changes, moment timestamptz) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.declare_freeze(p_scope text, p_starts_at timestamptz, p_ends_at timestamptz, p_breakers text[], p_reason text)
    RETURNS public.freezes
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.declare_freeze IS 'Declares a window in which nothing is applied but restores; from now on where no start is given.';

CREATE FUNCTION public.end_freeze(p_id bigint, p_reason text) RETURNS public.freeze_ends
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.end_freeze IS 'Ends a freeze before its time, by a row that stays.';

CREATE FUNCTION public.break_freeze(p_change bigint, p_hash text, p_reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.break_freeze IS 'Lets one proposal through the freezes that hold it now, on the word of somebody who may break each.';

REVOKE ALL ON FUNCTION public.declare_freeze(text, timestamptz, timestamptz, text[], text), public.end_freeze(bigint, text),
    public.break_freeze(bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.declare_freeze(text, timestamptz, timestamptz, text[], text), public.end_freeze(bigint, text),
    public.break_freeze(bigint, text, text) TO setpoint_app;
GRANT SELECT ON public.freezes, public.freeze_ends, public.freeze_breaks TO setpoint_app;
