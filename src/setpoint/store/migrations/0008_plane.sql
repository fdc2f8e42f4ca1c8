-- What the plane keeps beside documents: the frames of snapshots, who holds them, answers, and one secret.

CREATE TABLE public.snapshot_frames (
    hash       text PRIMARY KEY REFERENCES public.snapshots (hash),
    frame      json NOT NULL,
    newest     bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX snapshot_frames_by_newest ON public.snapshot_frames (newest);
COMMENT ON COLUMN public.snapshot_frames.newest IS 'The newest revision that it was made of.';
COMMENT ON TABLE public.snapshot_frames IS 'Catalogues, context and layers of a snapshot as it was first handed out; json, not jsonb, keeps its bytes.';

CREATE TABLE public.snapshot_holders (
    client   text PRIMARY KEY CHECK (client ~ '^[0-9a-f]{32}$'),
    account  text NOT NULL,
    snapshot text NOT NULL CHECK (snapshot ~ '^[0-9a-f]{64}$'),
    context  jsonb NOT NULL,
    host     text NOT NULL CHECK (length(host) <= 200),
    pid      integer NOT NULL,
    run      text NOT NULL CHECK (length(run) <= 200),
    revision bigint NOT NULL,
    since    timestamptz NOT NULL,
    seen     timestamptz NOT NULL
);
CREATE INDEX snapshot_holders_by_seen ON public.snapshot_holders (seen);
CREATE INDEX snapshot_holders_by_account ON public.snapshot_holders (account);
CREATE INDEX snapshot_holders_by_snapshot ON public.snapshot_holders (snapshot);
COMMENT ON TABLE public.snapshot_holders IS 'Which process held which snapshot when it was last seen; a process that is silent for an hour is forgotten.';

CREATE TABLE public.stream_secret (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    secret bytea NOT NULL CHECK (length(secret) = 32)
);
COMMENT ON TABLE public.stream_secret IS 'Signs tokens that open a stream of revision numbers for minutes; nothing else can be done with it.';
-- Version 4 UUIDs come from the server's strong random source; SHA-256 folds four of them into 32 bytes.
INSERT INTO public.stream_secret (secret)
SELECT sha256(convert_to(string_agg(gen_random_uuid()::text, ''), 'UTF8')) FROM generate_series(1, 4);

CREATE TABLE public.idempotency (
    account      text NOT NULL,
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    request_hash text NOT NULL,
    status       integer,
    headers      jsonb,
    body         text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account, key)
);
CREATE INDEX idempotency_by_age ON public.idempotency (created_at);
COMMENT ON TABLE public.idempotency IS 'Answers to writes, committed with them, so that a repeated request is answered and not repeated; kept a day.';

CREATE TABLE public.write_probe (
    bulk text NOT NULL,
    at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE public.write_probe ALTER COLUMN bulk SET STORAGE EXTERNAL;
COMMENT ON TABLE public.write_probe IS 'One row as large as a document, written anew by whoever asks whether this database can be written.';

CREATE FUNCTION public.try_writing() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- TRUNCATE gives the table new files: room that an old row left behind would say nothing of the disk.
    TRUNCATE public.write_probe;
    INSERT INTO public.write_probe (bulk) SELECT string_agg(md5(n::text || clock_timestamp()), '') FROM generate_series(1, 2048) AS n;
END
$$;
COMMENT ON FUNCTION public.try_writing IS 'Writes 64 KiB to new files, which a full or a read-only disk refuses.';

CREATE FUNCTION public.keep_snapshot(p_frame json) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    named  text;
    latest bigint;
BEGIN
    -- What a plane hands out is put together here again, from the revisions that the frame names, so that it
    -- can be kept on nobody's word: a scope, hash, author or value that history does not say is refused.
    WITH told AS (
        SELECT position, layer ->> 'scope' AS scope, h.id, h.base_env, (layer -> 'keys')::jsonb AS keys
        FROM json_array_elements(p_frame -> 'layers') WITH ORDINALITY AS of_frame (layer, position)
        LEFT JOIN public.ftf_config_history AS h ON h.id = (layer ->> 'revision')::bigint AND h.scope = layer ->> 'scope'
            AND h.hash = layer ->> 'hash' AND h.updated_by = layer ->> 'author'
            AND (layer -> 'change' IS NULL OR layer ->> 'change' IS NOT DISTINCT FROM h.change_id::text)
            AND coalesce(layer ->> 'written_at', '')
                IN ('', to_char(h.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
    ), overridden AS (
        SELECT DISTINCT key FROM told, jsonb_object_keys(base_env) AS key WHERE position > 1
    )
    SELECT public.document_merge(base_env ORDER BY position)::text, max(id) INTO named, latest
    FROM told
    HAVING bool_and(base_env IS NOT NULL
        AND (scope = 'global' OR p_frame -> 'context' ->> split_part(scope, '=', 1) = substr(scope, strpos(scope, '=') + 1))
        AND keys = CASE WHEN position > 1 THEN base_env ELSE (
            SELECT coalesce(jsonb_object_agg(key, base_env -> key), '{}') FROM overridden WHERE base_env ? key) END);
    IF named IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SP422', MESSAGE = 'a snapshot is kept only as revisions of its context make it',
            HINT = 'run `setpoint verify`: a document may not be what its history says';
    END IF;
    INSERT INTO public.snapshots (hash, text) VALUES (public.document_hash(named), named) ON CONFLICT (hash) DO NOTHING;
    INSERT INTO public.snapshot_frames (hash, frame, newest) VALUES (public.document_hash(named), p_frame, latest) ON CONFLICT (hash) DO NOTHING;
    RETURN public.document_hash(named);
END
$$;
COMMENT ON FUNCTION public.keep_snapshot IS 'Keeps what was handed out, and returns its hash: made of revisions here, whatever the frame tells.';

CREATE FUNCTION public.note_holder(
    p_credential bytea, p_client text, p_snapshot text, p_context jsonb, p_host text, p_pid integer, p_run text,
    p_revision bigint, p_age_s float8
) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    whose text;
BEGIN
    -- In batches, after the requests: whose word it is says the credential, by its hash. One that has ended
    -- meanwhile says nothing; an older word than the known one changes nothing, nor does another account's.
    -- A word from after now was noted before the clock was set back: it is the older one.
    SELECT c.account INTO whose FROM public.credential_holder(p_credential) AS c;
    IF whose IS NULL THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM public.snapshot_holders WHERE client = p_client)
       AND (SELECT count(*) FROM public.snapshot_holders WHERE account = whose)
           >= (SELECT most FROM public.quotas WHERE kind = 'holders' AND caller = 'account') THEN
        RETURN NEXT whose;
        RETURN;
    END IF;
    INSERT INTO public.snapshot_holders AS h (client, account, snapshot, context, host, pid, run, revision, since, seen)
    VALUES (p_client, whose, p_snapshot, p_context, p_host, p_pid, p_run, p_revision,
            statement_timestamp() - make_interval(secs => p_age_s), statement_timestamp() - make_interval(secs => p_age_s))
    ON CONFLICT (client) DO UPDATE
    SET snapshot = excluded.snapshot, context = excluded.context, host = excluded.host,
        pid = excluded.pid, run = excluded.run, revision = excluded.revision, seen = excluded.seen,
        since = CASE WHEN h.snapshot = excluded.snapshot THEN h.since ELSE excluded.since END
    WHERE (h.seen <= excluded.seen OR h.seen > clock_timestamp()) AND h.account = excluded.account;
END
$$;
COMMENT ON FUNCTION public.note_holder IS 'Notes what a process holds; returns the account when that has its share of processes, and notes nothing.';

CREATE FUNCTION public.prune_holders() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    -- Whoever was seen after now was seen before the clock was set back: for an hour more it may be there.
    UPDATE public.snapshot_holders SET seen = clock_timestamp() WHERE seen > clock_timestamp();
    WITH gone AS (
        DELETE FROM public.snapshot_holders
        WHERE seen < clock_timestamp() - interval '1 hour'
           OR client IN (SELECT client FROM public.snapshot_holders ORDER BY seen, client DESC
                         LIMIT greatest((SELECT count(*) FROM public.snapshot_holders) - 50000, 0))
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION public.prune_holders IS 'Forgets who was silent for an hour, and the longest silent beyond 50000; that is all it can remove.';

CREATE FUNCTION public.forget_answers() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM public.idempotency WHERE created_at < clock_timestamp() - interval '1 day' RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION public.forget_answers IS 'Removes answers that are a day old, which is all it can remove.';

CREATE FUNCTION public.permit_answer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF public.owner_of_tables() IS NULL AND NEW.account IS DISTINCT FROM (SELECT account FROM public.speaker()) THEN
        RAISE EXCEPTION USING ERRCODE = 'SP403', MESSAGE = 'an answer is kept for whoever asked';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER permit_answer BEFORE INSERT OR UPDATE ON public.idempotency
    FOR EACH ROW EXECUTE FUNCTION public.permit_answer();
CREATE TRIGGER require_speaker BEFORE INSERT OR UPDATE OR DELETE ON public.idempotency
    FOR EACH STATEMENT EXECUTE FUNCTION public.require_speaker();
ALTER TABLE public.idempotency ENABLE ALWAYS TRIGGER permit_answer;
ALTER TABLE public.idempotency ENABLE ALWAYS TRIGGER require_speaker;

REVOKE ALL ON FUNCTION public.keep_snapshot(json), public.prune_holders(), public.forget_answers(), public.permit_answer(), public.try_writing(),
    public.note_holder(bytea, text, text, jsonb, text, integer, text, bigint, float8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.keep_snapshot(json), public.prune_holders(), public.forget_answers(), public.try_writing(),
    public.note_holder(bytea, text, text, jsonb, text, integer, text, bigint, float8) TO setpoint_server;
GRANT SELECT ON public.snapshot_frames, public.snapshot_holders TO setpoint_app;
GRANT SELECT ON public.snapshot_holders, public.stream_secret, public.idempotency TO setpoint_server;
GRANT INSERT (account, key, request_hash), UPDATE (status, headers, body) ON public.idempotency TO setpoint_server;
