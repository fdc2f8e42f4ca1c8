-- Backups: when one is made by itself, which were made and proven, and what of one is valid no more.

CREATE TABLE public.backup_plan (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    every_s     integer NOT NULL CHECK (every_s >= 60),
    keep        integer NOT NULL CHECK (keep >= 1),
    folder      text NOT NULL CHECK (folder <> ''),
    declared_by text NOT NULL,
    declared_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE public.backup_plan IS 'How often a plane makes a backup, and how many it keeps; no row: never.';

CREATE TABLE public.backups (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    host       text NOT NULL,
    path       text NOT NULL,
    hash       text NOT NULL,
    revision   bigint NOT NULL,
    bytes      bigint NOT NULL,
    scheduled  boolean NOT NULL,
    removed_at timestamptz,
    proven_at  timestamptz,
    proof      text,
    CONSTRAINT a_proof_has_an_instant CHECK ((proven_at IS NULL) = (proof IS NULL))
);
COMMENT ON TABLE public.backups IS 'Backups that were made of this database, the machine and the file of each.';
COMMENT ON COLUMN public.backups.proof IS 'What a rehearsed restore found wrong with it; empty when it came back whole, null while it was not rehearsed.';

CREATE FUNCTION public.revive_nobody(p_backup jsonb)
    RETURNS TABLE (what text, which text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    owner text := public.owner_of_tables();
    why   constant text := 'a backup was brought back, and what was decided since it was made is not known';
BEGIN
    -- Who was shut out, what was revoked, withdrawn or closed after a backup was made is not in it. So nobody
    -- comes in by what it holds, and nothing of it is carried out, until somebody says so again.
    RETURN QUERY
    WITH ended AS (
        UPDATE public.credentials SET revoked_at = clock_timestamp()
        WHERE revoked_at IS NULL AND expires_at > clock_timestamp() RETURNING kind, account
    )
    SELECT kind, account FROM ended ORDER BY 1, 2;
    UPDATE public.accounts SET password_parameters = NULL, password_verifier = NULL WHERE password_verifier IS NOT NULL;
    RETURN QUERY
    WITH waiting AS (
        UPDATE public.accounts SET disabled_at = clock_timestamp(), waits_since = clock_timestamp()
        WHERE disabled_at IS NULL AND NOT roles <@ ARRAY['viewer'] RETURNING name
    )
    SELECT 'account', name FROM waiting ORDER BY 2;
    RETURN QUERY
    WITH limited AS (
        UPDATE public.identity_providers SET roles = ARRAY(SELECT unnest(roles) INTERSECT SELECT 'viewer')
        WHERE NOT roles <@ ARRAY['viewer'] RETURNING issuer
    )
    SELECT 'provider', issuer FROM limited ORDER BY 2;
    RETURN QUERY
    WITH closed AS (
        INSERT INTO public.incident_channels (prefix, responsible, is_open, reason, declared_by)
        SELECT c.prefix, c.responsible, false, why, owner FROM public.open_channels() AS c RETURNING prefix
    )
    SELECT 'channel', prefix FROM closed ORDER BY 2;
    RETURN QUERY
    WITH suspended AS (
        UPDATE public.changes SET state = 'suspended', state_reason = why
        WHERE state IN ('draft', 'proposed', 'suspended') RETURNING id
    )
    SELECT 'change', id::text FROM suspended ORDER BY id;
    PERFORM public.note_access('backup_restored', owner, '', NULL, owner, p_backup);
END
$$;
COMMENT ON FUNCTION public.revive_nobody IS 'Ends what a backup holds that may have ended since; returns what that was.';

REVOKE ALL ON FUNCTION public.revive_nobody(jsonb) FROM PUBLIC;
GRANT SELECT ON public.backup_plan, public.backups TO setpoint_app;
