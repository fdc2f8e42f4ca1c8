-- Who a session is.

-- name: list_triggers
-- Our tables' triggers and when each fires: A always, O for ordinary sessions, R for replicas, D never.
SELECT c.relname::text AS on_table, t.tgname::text AS trigger, t.tgenabled::text AS fires
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal
ORDER BY 1, 2;

-- name: read_login
-- The login that the server authenticated.
SELECT session_user AS login;
