-- Notifications: what people are told because something waits for them, and how it gets to where they read it.
--
-- A notification is written in the transaction of what it tells of, and nothing else happens there. A plane's
-- clock gives each to the targets of its machine and sends it, in order for each subject, until a target took it:
-- whatever is broken on that way, no write waits for it.

CREATE TABLE public.notifications (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key       uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    kind      text NOT NULL CHECK (kind IN ('approval_wanted', 'change_approved', 'change_rejected', 'change_applied',
                                            'change_suspended', 'deadline_near', 'deadline_missed', 'token_ending')),
    subject   text NOT NULL,
    people    text[],
    facts     jsonb NOT NULL,
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    routed_at timestamptz
);
CREATE INDEX notifications_unrouted ON public.notifications (id) WHERE routed_at IS NULL;
CREATE INDEX notifications_by_age ON public.notifications (made_at);
CREATE UNIQUE INDEX one_notification_of_each_deadline
    ON public.notifications (kind, subject) WHERE kind IN ('deadline_near', 'deadline_missed', 'token_ending');
COMMENT ON TABLE public.notifications IS 'What people are to be told; kept for 30 days.';
COMMENT ON COLUMN public.notifications.key IS 'By which a receiver knows what it was told before.';
COMMENT ON COLUMN public.notifications.people IS 'Whom it is for; null until it is routed: whoever may approve then.';
COMMENT ON COLUMN public.notifications.routed_at IS 'When it was given to targets, or found to be over before; null while no plane with targets saw it.';

CREATE TABLE public.deliveries (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notification bigint NOT NULL REFERENCES public.notifications (id) ON DELETE CASCADE,
    target       text NOT NULL,
    subject      text NOT NULL,
    people       text[] NOT NULL,
    state        text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts     integer NOT NULL DEFAULT 0,
    since        timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until timestamptz,
    sent_at      timestamptz,
    error        text NOT NULL DEFAULT '',
    UNIQUE (notification, target)
);
CREATE INDEX deliveries_waiting ON public.deliveries (target, subject, id) WHERE state = 'waiting';
CREATE INDEX deliveries_failed ON public.deliveries (id) WHERE state = 'failed';
COMMENT ON TABLE public.deliveries IS 'One notification on its way to one target of the machine''s configuration.';
COMMENT ON COLUMN public.deliveries.people IS 'Those of the notification''s people for whom this target is.';
COMMENT ON COLUMN public.deliveries.since IS 'From when on it is tried for a day; a retry begins anew.';
COMMENT ON COLUMN public.deliveries.leased_until IS 'Until then one plane sends it; one that died leaves it to the next, which sends the same key again.';
COMMENT ON COLUMN public.deliveries.error IS 'Why the last attempt failed.';

CREATE FUNCTION public.acting_person() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- A plane's clock speaks for nobody, and applies what is due all the same.
    IF coalesce(current_setting('setpoint.credential', true), '') = '' AND public.is_plane() THEN
        RETURN '';
    END IF;
    RETURN (SELECT person FROM public.who());
END
$$;

CREATE FUNCTION public.facts_of(change public.changes) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp
    RETURN jsonb_build_object('change', change.id, 'scope', change.scope, 'author', change.author, 'reason', left(change.reason, 2000),
        'kinds', change.kinds, 'proposal_hash', change.proposal_hash);

CREATE FUNCTION public.tell_approvers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
CREATE TRIGGER tell_approvers AFTER INSERT ON public.changes
    FOR EACH ROW WHEN (NEW.state = 'proposed') EXECUTE FUNCTION public.tell_approvers();
CREATE TRIGGER tell_approvers_again AFTER UPDATE OF state, proposal_hash, asked ON public.changes
    FOR EACH ROW WHEN (NEW.state = 'proposed') EXECUTE FUNCTION public.tell_approvers();
ALTER TABLE public.changes ENABLE ALWAYS TRIGGER tell_approvers;
ALTER TABLE public.changes ENABLE ALWAYS TRIGGER tell_approvers_again;

CREATE FUNCTION public.tell_author() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
CREATE TRIGGER tell_author AFTER UPDATE OF state ON public.changes
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('applied', 'rejected', 'suspended')) EXECUTE FUNCTION public.tell_author();
ALTER TABLE public.changes ENABLE ALWAYS TRIGGER tell_author;

CREATE FUNCTION public.tell_of_approval() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO public.notifications (kind, subject, people, facts)
    SELECT 'change_approved', 'change ' || c.id, ARRAY[c.author],
           public.facts_of(c) || jsonb_build_object('actor', NEW.person, 'words', left(NEW.words, 2000))
    FROM public.changes AS c WHERE c.id = NEW.change_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER tell_of_approval AFTER INSERT ON public.change_decisions
    FOR EACH ROW WHEN (NEW.decision = 'approve') EXECUTE FUNCTION public.tell_of_approval();
ALTER TABLE public.change_decisions ENABLE ALWAYS TRIGGER tell_of_approval;

CREATE FUNCTION public.tell_deadlines() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.tell_deadlines IS 'Notes whom a deadline or the end of a token is near for, once of each; judged by the database''s clock.';

CREATE FUNCTION public.people_of(n public.notifications) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Whom the author asked, else all whose approval counts, without those who approved; null when it is over.
    SELECT CASE WHEN n.kind <> 'approval_wanted' THEN n.people ELSE (
        SELECT coalesce(n.people, nullif(ARRAY(SELECT unnest(step.who) INTERSECT SELECT unnest(c.asked) ORDER BY 1), '{}'), step.who)
        FROM public.changes AS c, public.next_step(c) AS step
        WHERE c.id = (n.facts ->> 'change')::bigint AND c.proposal_hash = n.facts ->> 'proposal_hash'
          AND step.waits_for = 'approval') END
$$;

CREATE FUNCTION public.roles_of(person text) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT coalesce((SELECT a.roles FROM public.accounts AS a WHERE a.name = person), '{}')
        || CASE WHEN person IN (SELECT public.approving_logins()) THEN ARRAY['approver'] ELSE '{}' END
$$;

CREATE FUNCTION public.route_notifications(p_targets jsonb) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.route_notifications IS 'Gives what was noted to the targets of the machine that asks, by person, role and kind; what is over by then is sent to nobody.';

CREATE FUNCTION public.claim_deliveries(p_targets text[], p_limit bigint, p_lease_s float8)
    RETURNS TABLE (id bigint, target text, lease timestamptz, attempts integer, people text[], key uuid, kind text,
                   subject text, facts jsonb, made_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.claim_deliveries IS 'Lends what is due to one plane for some seconds.';

CREATE FUNCTION public.note_delivery(p_id bigint, p_lease timestamptz, p_error text, p_again_s float8) RETURNS text
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.note_delivery IS 'Keeps what came of an attempt: null for sent, else why not; given up after a day.';

CREATE FUNCTION public.retry_delivery(p_id bigint) RETURNS public.deliveries
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.retry_delivery IS 'Lets a delivery be tried at once, and for a day from now on.';

CREATE FUNCTION public.forget_notifications() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- One whose target no plane has any more is claimed by nobody.
    UPDATE public.deliveries SET state = 'failed', error = CASE error WHEN '' THEN 'no plane that runs has this target' ELSE error END
    WHERE state = 'waiting' AND since < clock_timestamp() - interval '25 hours';
    DELETE FROM public.notifications WHERE made_at < clock_timestamp() - interval '30 days'
$$;
COMMENT ON FUNCTION public.forget_notifications IS 'Gives up what was not sent for a day, and removes what is 30 days old, which is all it can remove.';

REVOKE ALL ON FUNCTION public.acting_person(), public.facts_of(public.changes), public.tell_approvers(), public.tell_author(),
    public.tell_of_approval(), public.tell_deadlines(), public.people_of(public.notifications), public.roles_of(text),
    public.route_notifications(jsonb), public.claim_deliveries(text[], bigint, float8),
    public.note_delivery(bigint, timestamptz, text, float8), public.retry_delivery(bigint), public.forget_notifications() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.tell_deadlines(), public.route_notifications(jsonb), public.claim_deliveries(text[], bigint, float8),
    public.note_delivery(bigint, timestamptz, text, float8), public.forget_notifications() TO setpoint_server;
GRANT EXECUTE ON FUNCTION public.retry_delivery(bigint) TO setpoint_app;
GRANT SELECT ON public.notifications, public.deliveries TO setpoint_app;
