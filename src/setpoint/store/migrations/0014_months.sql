-- Months: tables that grow with each training are split by the month in which a row was received, so that old
-- ones go as a whole, in no time and without a trace of bloat.
--
-- Every table that is partitioned by range is one of these. Its partition <table>_rest takes what no month takes,
-- so that no row is ever refused because its month is missing; it is also the pattern of each month, with the
-- indexes and guards that a month needs for itself. A month is made ahead by a plane's clock, or by whoever writes
-- the first row of it.

CREATE FUNCTION public.month_tables(OUT name text, OUT instant text) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT c.relname::text, a.attname::text
    FROM pg_partitioned_table AS p JOIN pg_class AS c ON c.oid = p.partrelid
    JOIN pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partstrat = 'r' AND c.relnamespace = 'public'::regnamespace
$$;
COMMENT ON FUNCTION public.month_tables IS 'The tables that are split by month, and by which of their columns.';

CREATE FUNCTION public.name_of_month(p_table text, p_month timestamp) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
    RETURN p_table || to_char(p_month, '"_"YYYY"_"MM');

CREATE FUNCTION public.make_month(p_table text, p_instant text, p_month timestamp) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    SET TimeZone = 'UTC'
AS $$
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
$$;
COMMENT ON FUNCTION public.make_month IS 'Splits one month off a table, with what had come before that was done.';

CREATE FUNCTION public.make_months(p_of_rest boolean) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    SET lock_timeout = '100ms'
AS $$
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
$$;
COMMENT ON FUNCTION public.make_months IS 'Makes this month and the next one of each table that is split by month, and on request those of which rest holds rows.';

CREATE TABLE public.dropped_months (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    of_table   text NOT NULL,
    month      date NOT NULL,
    rows       bigint NOT NULL,
    hash       text NOT NULL,
    first_at   timestamptz,
    last_at    timestamptz,
    dropped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.dropped_months IS 'What is known of each month that was dropped: how many rows, when the first and the last came, and their hash.';
COMMENT ON COLUMN public.dropped_months.hash IS 'Of its rows by instant and then text, each as JSON: from 32 zero bytes on, the SHA-256 of the hash so far and the row''s SHA-256.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.dropped_months
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('what is known of dropped months is append-only');
ALTER TABLE public.dropped_months ENABLE ALWAYS TRIGGER append_only;

CREATE FUNCTION public.told_of_month(d public.dropped_months) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp
    SET TimeZone = 'UTC'
    RETURN jsonb_build_object('table', d.of_table, 'month', to_char(d.month, 'YYYY-MM'), 'rows', d.rows,
                              'hash', d.hash, 'first', d.first_at, 'last', d.last_at);

CREATE FUNCTION public.summarise_month(
    p_table text, p_month date, OUT rows bigint, OUT hash text, OUT first_at timestamptz, OUT last_at timestamptz
)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
    -- The same text on every server and for every login.
    SET TimeZone = 'UTC'
    SET extra_float_digits = 1
AS $$
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
$$;
COMMENT ON FUNCTION public.summarise_month IS 'What stays known of a month once it is dropped.';

CREATE FUNCTION public.cited_runs(OUT run text, OUT cited_by text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.cited_runs IS 'Runs that a baseline which counts was made of, or that an open change rests on: cited, checked, judged in its rollout, or named in words.';

CREATE FUNCTION public.cited_in_month(p_table text, p_month date, OUT run text, OUT cited_by text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
    SET TimeZone = 'UTC'
AS $$
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
$$;
COMMENT ON FUNCTION public.cited_in_month IS 'The runs with rows in a month of a table that somebody rests on, which the month is kept for.';

CREATE FUNCTION public.rows_in_rest(OUT of_table text, OUT rows bigint, OUT oldest timestamptz) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
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
COMMENT ON FUNCTION public.rows_in_rest IS 'How many rows of each table wait for their month, and since when.';

CREATE FUNCTION public.drop_month(p_table text, p_month date) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    SET TimeZone = 'UTC'
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
COMMENT ON FUNCTION public.drop_month IS 'Removes one month of a table for good, as the owner of the tables; says how many rows that were. What is known of it stays.';

CREATE FUNCTION public.contradictions_of_months() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    SET TimeZone = 'UTC'
AS $$
    SELECT format('month %s of %s was dropped, and its summary and the access log do not say the same of it',
                  told ->> 'month', told ->> 'table')
    FROM (SELECT public.told_of_month(d) AS told FROM public.dropped_months AS d) AS kept
    FULL JOIN (SELECT l.detail - 'reason' AS told FROM public.access_log AS l WHERE l.event = 'month_dropped') AS logged
        USING (told)
    WHERE kept IS NULL OR logged IS NULL
    GROUP BY told ->> 'month', told ->> 'table' ORDER BY 1
$$;
COMMENT ON FUNCTION public.contradictions_of_months IS 'Where what is known of dropped months and the access log say different things.';

REVOKE ALL ON FUNCTION public.make_month(text, text, timestamp), public.make_months(boolean), public.drop_month(text, date),
    public.rows_in_rest(), public.contradictions_of_months() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.make_months(boolean), public.rows_in_rest(), public.contradictions_of_months() TO setpoint_app;
GRANT SELECT ON public.dropped_months TO setpoint_app;
