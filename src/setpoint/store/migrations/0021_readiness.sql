-- Readiness: what a check in a repository found, for pages of a plane, which has none.
--
-- Only the newest of each name is kept, with when and by whom it was noted: how old it is says its page.

CREATE TABLE public.readiness_proofs (
    kind      text NOT NULL CHECK (kind ~ '^[a-z]{1,40}$'),
    name      text NOT NULL CHECK (length(name) <= 1000),
    state     text NOT NULL CHECK (state IN ('proven', 'stale', 'missing', 'failing')),
    said      text NOT NULL CHECK (length(said) <= 2000),
    command   text NOT NULL CHECK (length(command) <= 2000),
    proven_at timestamptz,
    noted_by  text NOT NULL,
    noted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, name)
);
COMMENT ON TABLE public.readiness_proofs IS 'What a check of a readiness file last found of each name that only a repository or a command line can prove.';

CREATE FUNCTION public.note_proofs(p_proofs jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM public.require_role('robot', 'config_write', 'approver', 'admin');
    INSERT INTO public.readiness_proofs AS p (kind, name, state, said, command, proven_at, noted_by)
    SELECT told.kind, told.name, told.state, told.said, told.command, told.proven_at, w.person
    FROM jsonb_to_recordset(p_proofs)
        AS told (kind text, name text, state text, said text, command text, proven_at timestamptz), public.who() AS w
    ON CONFLICT (kind, name) DO UPDATE
    SET state = EXCLUDED.state, said = EXCLUDED.said, command = EXCLUDED.command, proven_at = EXCLUDED.proven_at,
        noted_by = EXCLUDED.noted_by, noted_at = EXCLUDED.noted_at;
    -- Names come and go with the files that name them.
    DELETE FROM public.readiness_proofs AS old
    WHERE (old.kind, old.name) NOT IN (
        SELECT kind, name FROM public.readiness_proofs ORDER BY noted_at DESC, kind, name LIMIT 2000);
END
$$;
COMMENT ON FUNCTION public.note_proofs IS 'Keeps what a check found, in place of what an earlier one did; of the oldest names nothing is kept beyond 2,000.';

REVOKE ALL ON FUNCTION public.note_proofs(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.note_proofs(jsonb) TO setpoint_app;
GRANT SELECT ON public.readiness_proofs TO setpoint_app;
