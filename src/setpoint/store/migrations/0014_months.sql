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
    waits  boolean;
    guard  record;
BEGIN
    -- No writer may have looked for the place of a row before, and come to rest after: that would be an error.
    EXECUTE format('LOCK TABLE ONLY public.%I IN SHARE ROW EXCLUSIVE MODE', p_table);
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%1$I WHERE %2$I >= $1 AND %2$I < $2)', rest, p_instant)
        INTO waits USING p_month::timestamptz, (p_month + interval '1 month')::timestamptz;
    IF waits THEN
        -- Nor a reader before, who would find the rows in neither place.
        EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', p_table);
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)',
                   named, rest);
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', rest);
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

CREATE FUNCTION public.drop_month(p_table text, p_month date) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
    SET TimeZone = 'UTC'
AS $$
DECLARE
    month timestamp := date_trunc('month', p_month::timestamp);
    named text := public.name_of_month(p_table, month);
    gone  bigint;
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
    EXECUTE format('SELECT count(*) FROM public.%I', named) INTO gone;
    EXECUTE format('DROP TABLE public.%I', named);
    PERFORM public.note_access('month_dropped', public.owner_of_tables(), '', NULL, public.owner_of_tables(),
                               jsonb_build_object('table', p_table, 'month', to_char(month, 'YYYY-MM'), 'rows', gone));
    RETURN gone;
END
$$;
COMMENT ON FUNCTION public.drop_month IS 'Removes one month of a table for good, as the owner of the tables; says how many rows that were.';

REVOKE ALL ON FUNCTION public.make_month(text, text, timestamp), public.make_months(boolean), public.drop_month(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.make_months(boolean) TO setpoint_app;
