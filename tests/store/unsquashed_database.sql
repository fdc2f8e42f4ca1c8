-- A database before the migrations were squashed: its ledger, documents and history, as pg_dump told them.
-- Made by the migrations 0001 to 0007 of commit bf8da4a; tests/store/test_migrations.py sees it refused.

CREATE TABLE public.ftf_config_history (
    id bigint NOT NULL,
    scope text NOT NULL,
    base_env jsonb NOT NULL,
    hash text NOT NULL,
    diff jsonb NOT NULL,
    updated_by text NOT NULL,
    proof text NOT NULL,
    db_user text NOT NULL,
    change_reason text NOT NULL,
    source text NOT NULL,
    base_revision bigint,
    change_id bigint,
    review text NOT NULL,
    catalogues jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    previous_chain text NOT NULL,
    chain text NOT NULL
);

COMMENT ON TABLE public.ftf_config_history IS 'Every revision of every document, whole; append-only, gapless, chained.';

COMMENT ON COLUMN public.ftf_config_history.proof IS 'How updated_by was proven; database-login means only db_user was.';

COMMENT ON COLUMN public.ftf_config_history.base_revision IS 'The revision this one replaced; null for the first of a scope.';

COMMENT ON COLUMN public.ftf_config_history.change_id IS 'The change that was applied; null for SQL written by hand.';

COMMENT ON COLUMN public.ftf_config_history.review IS 'approved, unreviewed (a declared solo policy), break-glass, or none (SQL written by hand).';

CREATE TABLE public.chain_head (
    one boolean DEFAULT true NOT NULL,
    id bigint NOT NULL,
    chain text NOT NULL,
    CONSTRAINT chain_head_one_check CHECK (one)
);

COMMENT ON TABLE public.chain_head IS 'The newest revision; locking its row makes writers queue, so that the chain cannot fork.';

CREATE TABLE public.ftf_config (
    id integer NOT NULL,
    scope text NOT NULL,
    base_env jsonb NOT NULL,
    hash text NOT NULL,
    revision bigint NOT NULL,
    updated_by text NOT NULL,
    change_reason text NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT ftf_config_base_env_check CHECK ((jsonb_typeof(base_env) = 'object'::text)),
    CONSTRAINT ftf_config_scope_check CHECK ((scope <> ''::text)),
    CONSTRAINT row_1_is_global CHECK (((id = 1) = (scope = 'global'::text)))
);

COMMENT ON TABLE public.ftf_config IS 'One document for each scope; a caller sets scope and base_env, a trigger the rest.';

COMMENT ON COLUMN public.ftf_config.hash IS 'sha256 of base_env::text in UTF-8, in hexadecimal.';

COMMENT ON COLUMN public.ftf_config.revision IS 'The row of ftf_config_history that this document is.';

CREATE TABLE public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

INSERT INTO public.chain_head VALUES (true, 2, 'a6d34f22174d71f3ca1cccf9fa6d4ba4b9fdcc52f5deb5896c91ec0c4a2bf83c');

INSERT INTO public.ftf_config VALUES (1, 'global', '{"CVN_HPO_XGB_5M_GAMMA": 0.5}', 'e94445882a6d665383b8dddeebd23a15a5f1081c36e71596a062cf0f31958be1', 2, 'ada', 'try it', '2026-11-29 07:19:00.752999+00');

INSERT INTO public.ftf_config_history VALUES (1, 'global', '{"CVN_HPO_XGB_5M_GAMMA": 0.25}', '0a5a2c37eabbd72546f875213d92bdf68690c04d53e270608fdada1949c86c4e', '[{"op": "add", "key": "CVN_HPO_XGB_5M_GAMMA", "new": 0.25}]', 'ada', 'database-login', 'setpoint_owner', 'try it', 'sql', NULL, NULL, 'none', '[]', '2026-11-29 07:19:00.749281+00', '0000000000000000000000000000000000000000000000000000000000000000', '6b2ba6623e80ae3437b8088326a7f6f443fdb87e5b853a445e4389b2eec7a645');
INSERT INTO public.ftf_config_history VALUES (2, 'global', '{"CVN_HPO_XGB_5M_GAMMA": 0.5}', 'e94445882a6d665383b8dddeebd23a15a5f1081c36e71596a062cf0f31958be1', '[{"op": "replace", "key": "CVN_HPO_XGB_5M_GAMMA", "new": 0.5, "old": 0.25}]', 'ada', 'database-login', 'setpoint_owner', 'try it', 'sql', 1, NULL, 'none', '[]', '2026-11-29 07:19:00.752999+00', '6b2ba6623e80ae3437b8088326a7f6f443fdb87e5b853a445e4389b2eec7a645', 'a6d34f22174d71f3ca1cccf9fa6d4ba4b9fdcc52f5deb5896c91ec0c4a2bf83c');

INSERT INTO public.schema_migrations VALUES (1, 'documents', '0ec8f1a70b5951871cd0cf923e59e3f8e344d6da0dde13d49fc3b52324355712', '2026-11-29 07:19:00.327658+00');
INSERT INTO public.schema_migrations VALUES (2, 'runs', '4bc8163d19318dc4111a5a98291ed3f7ae8743e03cea25d8029d612273a43a35', '2026-11-29 07:19:00.425137+00');
INSERT INTO public.schema_migrations VALUES (3, 'changes', '2d611f705f732ccd674e571eed06f6fb1b27b000ba36dab2a3141d4b4eba252d', '2026-11-29 07:19:00.52493+00');
INSERT INTO public.schema_migrations VALUES (4, 'break_glass', '47df271bbde0de74b8b122496dbbc5011d9a57e7a1fb97d9e2764adca4e90104', '2026-11-29 07:19:00.568305+00');
INSERT INTO public.schema_migrations VALUES (5, 'access', '3bfa1a0e099c55983ad0aa8e1b491e95984a70f7d4aebf8f040f2464a66ec536', '2026-11-29 07:19:00.5915+00');
INSERT INTO public.schema_migrations VALUES (6, 'plane', '6d008c58050c5d5b1d6bbb1a9cffdd3bff8b025ef1b0bf2395eb97dff529ec6a', '2026-11-29 07:19:00.645754+00');
INSERT INTO public.schema_migrations VALUES (7, 'events', 'cccc3fff642603d43e40d7c9ab45cdcf0a0d6f9d5e98e000ba6bc330754e4232', '2026-11-29 07:19:00.680393+00');

GRANT SELECT ON TABLE public.ftf_config_history TO setpoint_app;
GRANT SELECT ON TABLE public.ftf_config_history TO setpoint_breakglass;

GRANT SELECT ON TABLE public.chain_head TO setpoint_app;
GRANT SELECT ON TABLE public.chain_head TO setpoint_breakglass;

GRANT SELECT ON TABLE public.ftf_config TO setpoint_app;
GRANT SELECT ON TABLE public.ftf_config TO setpoint_breakglass;

GRANT SELECT ON TABLE public.schema_migrations TO setpoint_app;

