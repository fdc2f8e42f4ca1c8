-- Months of the tables that are split by them: 0014_months.sql has the rules.

-- name: make_months
-- Make the months that rows come in, and those of rows that lie in rest.
SELECT make_months(true);

-- name: list_months
-- The months that each such table has, oldest first, with the instant that each ends before, for how long it is over
-- and what it takes on disk.
SELECT t.name AS of_table, m.month::date AS month, e.until,
       extract(epoch FROM clock_timestamp() - e.until)::float8 AS over_s, pg_total_relation_size(c.oid) AS bytes
FROM month_tables() AS t
JOIN pg_inherits AS i ON i.inhparent = format('public.%%I', t.name)::regclass
JOIN pg_class AS c ON c.oid = i.inhrelid
CROSS JOIN LATERAL (SELECT to_timestamp(right(c.relname, 7), 'YYYY_MM')::timestamp AS month) AS m
CROSS JOIN LATERAL (SELECT (m.month + interval '1 month') AT TIME ZONE 'UTC' AS until) AS e
WHERE c.relname <> t.name || '_rest'
ORDER BY t.name, m.month;

-- name: drop_month
-- Remove one month of a table for good; for the owner of the tables. Nothing that is younger than 14 days goes.
SELECT drop_month(%(of_table)s, %(month)s::date) AS rows;

-- name: summarise_month
-- What would stay known of a month of a table, and the runs that it would be kept for; read whole, so for the owner.
SELECT s.rows, s.hash, s.first_at, s.last_at,
       ARRAY(SELECT format('run %%s, cited by %%s', c.run, c.cited_by)
             FROM cited_in_month(%(of_table)s, %(month)s::date) AS c) AS kept_for
FROM summarise_month(%(of_table)s, %(month)s::date) AS s;

-- name: list_cited_in_month
-- The runs with rows in a month of a table that a baseline or an open change rests on.
SELECT run, cited_by FROM cited_in_month(%(of_table)s, %(month)s::date);

-- name: list_rest
-- How many rows of each table wait for their month, and since when, where that is long ago.
SELECT of_table, rows, oldest FROM rows_in_rest() WHERE oldest < clock_timestamp() - interval '1 hour';

-- name: list_dropped_of_run
-- What is known of the dropped months in which a run's events may have come, or its trials lay.
SELECT DISTINCT d.of_table, d.month
FROM finetune_runs AS r
JOIN dropped_months AS d ON CASE d.of_table
    WHEN 'finetune_trials' THEN EXISTS (
        SELECT FROM finetune_results AS u
        WHERE u.run_id = r.id AND u.created_at >= d.month::timestamp AT TIME ZONE 'UTC'
          AND u.created_at < (d.month + interval '1 month') AT TIME ZONE 'UTC')
    ELSE d.rows > 0 AND d.last_at >= r.started_at AND d.first_at < coalesce(r.finished_at, r.started_at) + interval '1 day' END
WHERE r.id = %(run)s
ORDER BY d.of_table, d.month;
