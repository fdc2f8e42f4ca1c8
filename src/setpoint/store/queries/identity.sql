-- Who a session is.

-- name: read_login
-- The login that the server authenticated.
SELECT session_user AS login;
