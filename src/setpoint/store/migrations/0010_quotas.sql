-- What one caller may make this database and its planes keep or do: one table of quotas, judged where it is kept.

CREATE TABLE public.quotas (
    kind     text NOT NULL,
    caller   text NOT NULL CHECK (caller IN ('account', 'address')),
    most     bigint NOT NULL CHECK (most >= 0),
    per_s    bigint CHECK (per_s >= 0),
    meaning  text NOT NULL,
    PRIMARY KEY (kind, caller)
);
COMMENT ON TABLE public.quotas IS 'The share of one caller in all planes of this database together; its owner may change the numbers.';
COMMENT ON COLUMN public.quotas.per_s IS 'What comes back in a second where the share is of a flow; null where it is of things that are kept.';
INSERT INTO public.quotas (kind, caller, most, per_s, meaning) VALUES
    ('open_changes', 'account', 200, NULL, 'changes that are draft, proposed or suspended'),
    ('holders', 'account', 2000, NULL, 'processes that said within the hour what they hold'),
    ('streams', 'account', 2500, NULL, 'streams of revisions that are open'),
    ('streams', 'address', 5000, NULL, 'streams of revisions that are open'),
    ('downloads', 'account', 8, NULL, 'candles that are read or sent'),
    ('downloads', 'address', 12, NULL, 'candles that are read or sent'),
    ('event_lines', 'account', 100000, 1000, 'lines of events'),
    ('event_bytes', 'account', 33554432, 65536, 'bytes of events');

CREATE TABLE public.event_shares (
    account text PRIMARY KEY,
    lines   float8 NOT NULL,
    bytes   float8 NOT NULL,
    at      timestamptz NOT NULL
);
COMMENT ON TABLE public.event_shares IS 'What is left to each account that delivers events, as it stood at an instant.';

CREATE UNLOGGED TABLE public.process_shares (
    server text NOT NULL,
    kind   text NOT NULL CHECK (kind IN ('streams', 'downloads', 'requests')),
    caller text NOT NULL,
    who    text NOT NULL,
    amount float8 NOT NULL,
    seen   timestamptz NOT NULL,
    PRIMARY KEY (server, kind, caller, who)
);
COMMENT ON TABLE public.process_shares IS 'What each process of a plane serves to whom: streams and downloads open, requests a second; one that is silent for ten seconds serves nobody.';

CREATE FUNCTION public.take_events(p_account text, p_lines bigint, p_bytes bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.take_events IS 'Takes lines and bytes out of the share of an account, or refuses; who that is, the guard of events has found.';

CREATE FUNCTION public.require_room_for_change(p_author text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.require_room_for_change IS 'Refuses one more open change to somebody who has their share of them.';

CREATE FUNCTION public.note_shares(p_server text, p_shares jsonb)
    RETURNS TABLE (kind text, caller text, who text, elsewhere float8, most bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.note_shares IS 'Says what one process serves to whom, and returns what the others do, with the quotas.';

REVOKE ALL ON FUNCTION public.take_events(text, bigint, bigint), public.require_room_for_change(text),
    public.note_shares(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.note_shares(text, jsonb) TO setpoint_server;
GRANT SELECT ON public.quotas TO setpoint_app;
