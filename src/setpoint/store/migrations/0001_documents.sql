-- Documents: one for each scope, and the one hash that names a text.
--
-- The application's role owns nothing and may not write here: it writes documents through apply_change
-- (0004_changes.sql) alone. What a write leaves behind is history's: 0002_history.sql.

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO setpoint_app;

-- Text in reasons is kept as it is and shown with care; a name is read aloud, compared and copied.
CREATE FUNCTION public.is_name(name text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN name !~ '[\u0001-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]';
COMMENT ON FUNCTION public.is_name IS 'True of a text without control characters, turns of direction, and characters that nobody sees.';

CREATE FUNCTION public.says_something(words text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    -- What names may not hold says nothing by itself, and no more does a space.
    RETURN words ~ '[^[:space:]\u0001-\u001f\u007f-\u00a0\u00ad\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]';
COMMENT ON FUNCTION public.says_something IS 'True of a text with a character that somebody sees: a reason, words of a decision.';

CREATE TABLE public.catalogues (
    hash          text PRIMARY KEY,
    name          text NOT NULL,
    version       text NOT NULL,
    text          text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    -- As document_hash(text), which is made below.
    CONSTRAINT named_by_its_hash CHECK (hash = encode(sha256(convert_to(text, 'UTF8')), 'hex'))
);
COMMENT ON TABLE public.catalogues IS 'Every catalogue text that a revision or a run was made under.';

CREATE SEQUENCE public.ftf_config_id START 2;

CREATE TABLE public.ftf_config (
    id            integer PRIMARY KEY,
    scope         text NOT NULL UNIQUE CHECK (scope <> ''),
    base_env      jsonb NOT NULL CHECK (jsonb_typeof(base_env) = 'object'),
    hash          text NOT NULL,
    revision      bigint NOT NULL UNIQUE,
    updated_by    text NOT NULL,
    change_reason text NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT row_1_is_global CHECK ((id = 1) = (scope = 'global')),
    CONSTRAINT a_scope_is_a_name CHECK (public.is_name(scope))
);
-- Which overlays set one of some keys; nobody looks for the global document so.
CREATE INDEX ftf_config_by_key ON public.ftf_config USING gin (base_env) WHERE id <> 1;
COMMENT ON TABLE public.ftf_config IS 'One document for each scope; a caller sets scope and base_env, a trigger the rest.';
COMMENT ON COLUMN public.ftf_config.hash IS 'sha256 of base_env::text in UTF-8, in hexadecimal.';
COMMENT ON COLUMN public.ftf_config.revision IS 'The row of ftf_config_history that this document is.';

CREATE FUNCTION public.document_hash(document text) RETURNS text
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, public, pg_temp
    RETURN encode(sha256(convert_to(document, 'UTF8')), 'hex');
COMMENT ON FUNCTION public.document_hash IS 'The one hash: of a document''s text, never of a re-serialisation.';

CREATE FUNCTION public.document_diff(before jsonb, after jsonb) RETURNS jsonb
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, public, pg_temp
    -- Texts are compared: 0.1 and 0.10 are equal as jsonb, yet two documents with two hashes. What stands at the
    -- same place with the same text is out first: of two documents with the same keys little is left to join.
    RETURN (
        WITH differing AS MATERIALIZED (
            SELECT * FROM ROWS FROM (jsonb_each(before), jsonb_each(after)) AS z (old_key, old, new_key, new)
            WHERE old_key IS DISTINCT FROM new_key OR old::text <> new::text
        )
        SELECT coalesce(jsonb_agg(
            CASE
                WHEN o.key IS NULL THEN jsonb_build_object('key', n.key, 'op', 'add', 'new', n.value)
                WHEN n.key IS NULL THEN jsonb_build_object('key', o.key, 'op', 'remove', 'old', o.value)
                ELSE jsonb_build_object('key', n.key, 'op', 'replace', 'old', o.value, 'new', n.value)
            END ORDER BY coalesce(n.key, o.key) COLLATE "C"), '[]')
        FROM (SELECT old_key, old FROM differing WHERE old_key IS NOT NULL) AS o (key, value)
        FULL JOIN (SELECT new_key, new FROM differing WHERE new_key IS NOT NULL) AS n (key, value) ON n.key = o.key
        WHERE o.value::text IS DISTINCT FROM n.value::text
    );

CREATE FUNCTION public.document_diff_at(before jsonb, after jsonb, hint text[]) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    old jsonb := (SELECT coalesce(jsonb_object_agg(DISTINCT key, before -> key), '{}') FROM unnest(hint) AS key WHERE before ? key);
    new jsonb := (SELECT coalesce(jsonb_object_agg(DISTINCT key, after -> key), '{}') FROM unnest(hint) AS key WHERE after ? key);
BEGIN
    -- The hint is never believed: all else must be the same bytes, and the same bytes are the same text.
    IF cardinality(hint) > 0 AND record_image_eq(ROW((CASE WHEN after ?& hint THEN before ELSE before - hint END) || new), ROW(after)) THEN
        RETURN public.document_diff(old, new);
    END IF;
    RETURN public.document_diff(before, after);
END
$$;
COMMENT ON FUNCTION public.document_diff_at IS 'The same diff, sooner where only keys of the hint differ; a hint that is wrong changes nothing.';

CREATE AGGREGATE public.document_merge(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, INITCOND = '{}');
COMMENT ON AGGREGATE public.document_merge(jsonb) IS 'Documents laid over each other, later wins; give it an ORDER BY.';

CREATE FUNCTION public.refuse_statement() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    RAISE insufficient_privilege USING
        MESSAGE = format('%s on %s is refused: %s', TG_OP, TG_TABLE_NAME, TG_ARGV[0]);
END
$$;
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON public.ftf_config
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_statement('a document is changed by a new revision, never removed');
ALTER TABLE public.ftf_config ENABLE ALWAYS TRIGGER never_removed;

REVOKE ALL ON FUNCTION public.refuse_statement() FROM PUBLIC;
GRANT SELECT ON public.schema_migrations, public.catalogues, public.ftf_config TO setpoint_app;
GRANT INSERT (hash, name, version, text) ON public.catalogues TO setpoint_app;
