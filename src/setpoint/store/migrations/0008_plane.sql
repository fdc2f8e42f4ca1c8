-- What the plane keeps beside documents: the frames of snapshots, who holds them, answers, and one secret.

CREATE TABLE public.snapshot_frames (
    hash       text PRIMARY KEY REFERENCES public.snapshots (hash),
    frame      json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
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

GRANT SELECT, INSERT ON public.snapshot_frames TO setpoint_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.snapshot_holders TO setpoint_server;
GRANT SELECT ON public.stream_secret TO setpoint_server;
GRANT SELECT, INSERT, DELETE ON public.idempotency TO setpoint_server;
GRANT UPDATE (status, headers, body) ON public.idempotency TO setpoint_server;
