-- Dated checkpoints: what became of each, the decisions that close them, and what evidence last said.
--
-- Which there are, and what each asks, is a calendar outside the database. Here is the log, which is only added
-- to: a checkpoint is judged once, and one that fired owes a decision, an obligation that nothing else meets.
-- Source: readiness document, section 6.bis.

CREATE TABLE public.checkpoint_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    calendar   text NOT NULL CHECK (calendar ~ '^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$'),
    checkpoint text NOT NULL CHECK (checkpoint ~ '^([A-Za-z0-9][A-Za-z0-9._+-]{0,63})?$'),
    event      text NOT NULL CHECK (event IN ('passed', 'fired', 'issue', 'decided', 'shipped')),
    option     text CHECK (option IN ('log', 'waiver', 'revert', 'park')),
    said       text NOT NULL CHECK (length(said) <= 10000),
    evidence   jsonb NOT NULL CHECK (jsonb_typeof(evidence) = 'array'),
    person     text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT shipped_is_of_all CHECK ((event = 'shipped') = (checkpoint = '')),
    CONSTRAINT a_decision_has_an_option CHECK ((event = 'decided') = (option IS NOT NULL)),
    UNIQUE (calendar, checkpoint, event)
);
-- A checkpoint is judged once: it passed, or it fired.
CREATE UNIQUE INDEX one_judgement ON public.checkpoint_log (calendar, checkpoint) WHERE event IN ('passed', 'fired');
CREATE UNIQUE INDEX one_waiver ON public.checkpoint_log (calendar) WHERE option = 'waiver';
COMMENT ON TABLE public.checkpoint_log IS 'What became of the checkpoints of each calendar; a waiver is single-use.';
COMMENT ON COLUMN public.checkpoint_log.event IS 'shipped: the Epic was seen shipped, which ends parking; issue: one was opened.';
COMMENT ON COLUMN public.checkpoint_log.evidence IS 'Lines that each cite a UTC instant, or addresses of comments and issues.';

CREATE TABLE public.checkpoint_readings (
    calendar text PRIMARY KEY,
    readings jsonb NOT NULL CHECK (length(readings::text) <= 1000000),
    read_by  text NOT NULL,
    read_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.checkpoint_readings IS 'What the sources of each calendar said when they were last asked.';

CREATE TABLE public.checkpoint_claims (
    calendar      text NOT NULL,
    checkpoint    text NOT NULL,
    posts         text NOT NULL CHECK (posts IN ('issue', 'decision')),
    claim         uuid NOT NULL,
    claimed_by    text NOT NULL,
    claimed_until timestamptz NOT NULL,
    PRIMARY KEY (calendar, checkpoint, posts)
);
COMMENT ON TABLE public.checkpoint_claims IS 'Who posts the issue or the decision of a checkpoint elsewhere now: of two at once, one posts. One that died gives its claim up by its end; one that was slower than that holds it no longer, and gives up nobody else''s.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.checkpoint_log
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('the log of checkpoints is append-only');
ALTER TABLE public.checkpoint_log ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION public.note_readings(p_calendar text, p_readings jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    INSERT INTO public.checkpoint_readings (calendar, readings, read_by)
    SELECT p_calendar, p_readings, person FROM public.who()
    ON CONFLICT (calendar) DO UPDATE
    SET readings = EXCLUDED.readings, read_by = EXCLUDED.read_by, read_at = EXCLUDED.read_at;
END
$$;

CREATE FUNCTION public.judge_checkpoint(
    p_calendar text, p_checkpoint text, p_due_at timestamptz, p_decide_by timestamptz, p_passed boolean, p_evidence jsonb
) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.judge_checkpoint IS 'Says once that a due checkpoint passed or fired; one that fired owes a decision.';

CREATE FUNCTION public.log_checkpoint(p_calendar text, p_checkpoint text, p_event text, p_said text, p_evidence jsonb)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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

CREATE FUNCTION public.require_decider(p_calendar text, p_checkpoint text, p_option text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.require_decider IS 'The person of this session, who may decide this now: asked before anything is posted elsewhere, too.';

-- The lock of an obligation is taken before a claim, by whoever takes both.
CREATE FUNCTION public.claim_posting(p_calendar text, p_checkpoint text, p_option text, p_held uuid) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.claim_posting IS 'The claim of whoever posts now, taken or, where it is named, held on to: the decision''s with an option, else the issue''s. Null where somebody else has that of the issue.';

CREATE FUNCTION public.release_posting(p_held uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    DELETE FROM public.checkpoint_claims WHERE claim = p_held;
END
$$;
COMMENT ON FUNCTION public.release_posting IS 'Gives a claim up; one that somebody else took over since is theirs.';

CREATE FUNCTION public.decide_checkpoint(p_calendar text, p_checkpoint text, p_option text, p_said text, p_evidence jsonb)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.decide_checkpoint IS 'Records the decision that closes a checkpoint which fired, by a person alone.';

CREATE FUNCTION public.refuse_parked() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
CREATE TRIGGER refuse_parked BEFORE INSERT ON public.finetune_runs
    FOR EACH ROW EXECUTE FUNCTION public.refuse_parked();
ALTER TABLE public.finetune_runs ENABLE ALWAYS TRIGGER refuse_parked;

REVOKE ALL ON FUNCTION public.note_readings(text, jsonb), public.refuse_parked(), public.claim_posting(text, text, text, uuid),
    public.release_posting(uuid), public.require_decider(text, text, text),
    public.judge_checkpoint(text, text, timestamptz, timestamptz, boolean, jsonb),
    public.log_checkpoint(text, text, text, text, jsonb), public.decide_checkpoint(text, text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.note_readings(text, jsonb), public.claim_posting(text, text, text, uuid), public.release_posting(uuid),
    public.require_decider(text, text, text),
    public.judge_checkpoint(text, text, timestamptz, timestamptz, boolean, jsonb),
    public.log_checkpoint(text, text, text, text, jsonb), public.decide_checkpoint(text, text, text, text, jsonb) TO setpoint_app;
GRANT SELECT ON public.checkpoint_log, public.checkpoint_readings TO setpoint_app;
