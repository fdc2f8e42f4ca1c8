-- Months of the tables that are split by them: 0014_months.sql has the rules.

-- name: make_months
-- Make the months that rows come in, and those of rows that lie in rest.
SELECT make_months(true);

-- name: make_this_month
-- Make the months that rows come in, where this one of a table is missing; asked by whoever is about to write some.
SELECT make_months(false)
WHERE to_regclass(format('public.%%I', name_of_month(%(of_table)s, clock_timestamp() AT TIME ZONE 'UTC'))) IS NULL;

-- name: list_months
-- The months that each such table has, oldest first, with the instant that each ends before and what it takes on disk.
SELECT t.name AS of_table, m.month::date AS month,
       (m.month + interval '1 month') AT TIME ZONE 'UTC' AS until, pg_total_relation_size(c.oid) AS bytes
FROM month_tables() AS t
JOIN pg_inherits AS i ON i.inhparent = format('public.%%I', t.name)::regclass
JOIN pg_class AS c ON c.oid = i.inhrelid
CROSS JOIN LATERAL (SELECT to_timestamp(right(c.relname, 7), 'YYYY_MM')::timestamp AS month) AS m
WHERE c.relname <> t.name || '_rest'
ORDER BY t.name, m.month;

-- name: drop_month
-- Remove one month of a table for good; for the owner of the tables. Nothing that is younger than 14 days goes.
SELECT drop_month(%(of_table)s, %(month)s::date) AS rows;
