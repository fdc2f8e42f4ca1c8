-- Events that were delivered: each line of a spool once, read in the order in which they were committed.

-- name: queue_events
-- One delivery at a time, so that ids are committed in their order and a reader who goes on misses none.
-- The month that they come in is made where it is missing.
SELECT pg_advisory_xact_lock(%(lock)s),
       (SELECT make_months(false)
        WHERE to_regclass(format('public.%%I', name_of_month('event_log', clock_timestamp() AT TIME ZONE 'UTC'))) IS NULL) AS made;

-- name: insert_events
-- A batch; lines that were delivered before, and ids that their run has told before, are left out. Its source
-- belongs to whoever delivers first. Keys of the table hold within one month, so each line is looked for in all of
-- them: by its key, for a join may be planned to read every event, and only where the source has come so far before.
WITH claimed AS (
    INSERT INTO event_sources (source)
    SELECT %(source)s WHERE NOT EXISTS (SELECT FROM event_sources WHERE source = %(source)s::text)
    ON CONFLICT (source) DO NOTHING
)
INSERT INTO event_log (source, sequence, name, level, run, unit, event_id, at, fields, line)
SELECT %(source)s::text, e.sequence, e.name, e.level, e.run, e.unit, e.event_id, e.at, e.fields, e.line
FROM (SELECT max(sequence) AS last FROM event_log WHERE source = %(source)s::text) AS known,
     jsonb_to_recordset(%(events)s::jsonb)
         AS e (sequence bigint, name text, level text, run text, unit text, event_id text, at timestamptz, fields jsonb,
               line text)
WHERE (known.last IS NULL OR e.sequence > known.last OR (
           SELECT o.id FROM event_log AS o WHERE o.source = %(source)s::text AND o.sequence = e.sequence LIMIT 1) IS NULL)
  AND (e.event_id IS NULL OR (
           SELECT o.id FROM event_log AS o WHERE o.run = e.run AND o.event_id = e.event_id LIMIT 1) IS NULL)
ORDER BY e.sequence
ON CONFLICT DO NOTHING;

-- name: fallback_share
-- How many distinct units started and how many fell back, and by key; a null filter means all.
-- A unit that fell back has started, even when the line that says so is outside the filter or not here yet.
WITH told AS (
    SELECT e.name, e.run, e.unit, e.fields ->> 'key' AS key
    FROM event_log AS e
    WHERE e.name IN ('training_started', 'process_pinned', 'hpo_fallback_applied')
      AND (%(run)s::text IS NULL OR e.run = %(run)s)
      AND (%(since)s::timestamptz IS NULL OR coalesce(e.at, e.received_at) >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR coalesce(e.at, e.received_at) < %(until)s)
), by_key AS (
    SELECT key, count(DISTINCT (run, unit)) AS units FROM told WHERE name = 'hpo_fallback_applied' GROUP BY key
)
SELECT count(DISTINCT (run, unit)) AS started,
       count(DISTINCT (run, unit)) FILTER (WHERE name = 'hpo_fallback_applied') AS fell_back,
       coalesce((SELECT jsonb_object_agg(key, units) FROM by_key WHERE key IS NOT NULL), '{}') AS keys
FROM told;

-- name: page_events_told
-- Events by the time that they tell, after one of them, oldest first; a null filter means all.
SELECT e.id, e.source, e.sequence, e.name, e.level, e.run, e.at, e.received_at, s.account, e.fields, e.line
FROM event_log AS e JOIN event_sources AS s USING (source)
WHERE e.at >= coalesce(%(since)s::timestamptz, '-infinity') AND e.at < coalesce(%(until)s::timestamptz, 'infinity')
  AND (%(after)s::bigint = 0 OR (e.at, e.id) > (SELECT o.at, o.id FROM event_log AS o WHERE o.id = %(after)s))
  AND (%(run)s::text IS NULL OR e.run = %(run)s) AND (%(name)s::text IS NULL OR e.name = %(name)s)
  AND (%(level)s::text IS NULL OR e.level = %(level)s)
ORDER BY e.at, e.id
LIMIT %(limit)s;

-- name: page_events_of_run
-- Events of a run after an id, oldest first; a null filter means all.
-- They lie together, far from the first event of all. Asked for as a range, in the order of the index by run, they
-- are not looked for by walking there from the first in the hope of meeting some on the way.
SELECT e.id, e.source, e.sequence, e.name, e.level, e.run, e.at, e.received_at, s.account, e.fields, e.line
FROM event_log AS e JOIN event_sources AS s USING (source)
WHERE (e.run, e.id) > (%(run)s::text, %(after)s::bigint) AND e.run <= %(run)s::text
  AND (%(name)s::text IS NULL OR e.name = %(name)s) AND (%(level)s::text IS NULL OR e.level = %(level)s)
ORDER BY e.run, e.id
LIMIT %(limit)s;

-- name: page_events
-- Events after an id, oldest first; a null filter means all.
SELECT e.id, e.source, e.sequence, e.name, e.level, e.run, e.at, e.received_at, s.account, e.fields, e.line
FROM event_log AS e JOIN event_sources AS s USING (source)
WHERE e.id > %(after)s AND (%(name)s::text IS NULL OR e.name = %(name)s)
  AND (%(level)s::text IS NULL OR e.level = %(level)s)
ORDER BY e.id
LIMIT %(limit)s;
