"""A plane that was taken over, with nobody's credential: it reads, and writes nothing in anybody's name.

The walk asks PostgreSQL what the roles of the application may do, so that a function or a privilege that is
added later is tried too: it refuses a session without a speaker, or has its line and its reason here.
"""

import json

import psycopg
import pytest

from support.documents import propose, write_document

REFUSED = {"SP401", "SP403", "42501"}
#: What a plane must do with no credential, by what else it is judged, and the tables in which that shows.
JUDGED_OTHERWISE = {
    "login_facts": ("says how to hash a password; throttling is logged", {"access_log"}),
    "open_session_by_password": ("opens by a password; a wrong one is logged", {"access_log"}),
    "open_session_once": ("opens by a one-time secret; a wrong one is logged", {"access_log"}),
    "keep_password_anew": ("changes nothing without the password", set()),
    "touch_credential": ("notes a use of a live credential, named by the hash of 256 random bits", set()),
    "note_holder": ("takes its account from a live credential, named in the same way", set()),
    "keep_snapshot": ("makes what it keeps of revisions itself, and refuses what they do not say", set()),
    "suspend_change": ("judges by itself whether a due change can still be applied", set()),
    "act_on_canary": ("judges by itself what runs say", set()),
    "file_rollback": ("judges by itself what runs say", set()),
    "forget_credentials": ("removes what is long over by the database's clock", set()),
    "forget_answers": ("removes what is a day old by the database's clock", set()),
    "prune_holders": ("removes who was silent for an hour", set()),
    "note_shares": (
        "says what a process serves to whom; only sums are made",
        {"process_shares"},
    ),
    "make_months": ("splits tables by month, and moves rows where they belong", set()),
    "tell_deadlines": (
        "says what deadlines stand here",
        {"notifications"},
    ),
    "route_notifications": ("gives what stands to be told to targets of the machine", {"notifications"}),
    "claim_deliveries": ("lends what a plane is to send", {"deliveries"}),
    "note_delivery": ("keeps what a plane says of its own attempt", {"deliveries"}),
    "forget_notifications": ("gives up and removes by the database's clock", {"deliveries", "notifications"}),
    "try_writing": ("writes what nobody reads, to prove that one can", {"write_probe"}),
    "note_probe": ("keeps what a plane says of itself; names nobody", {"restore_probe"}),
}
#: Arguments with which a call would get far, by name; any other argument is made from its type.
BY_TYPE = {
    "text": "'x'",
    "text[]": "'{}'",
    "boolean": "true",
    "integer": "1",
    "bigint": "1",
    "double precision": "1",
    "jsonb": "'{}'",
    "json": "'{\"layers\": []}'",
    "bytea": "'\\x00'",
    "timestamp with time zone": "now() + interval '1 day'",
}
FUNCTIONS = """
    SELECT p.proname, p.provolatile, p.proargnames[1:p.pronargs],
           ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes)
                 WITH ORDINALITY AS a (t, n) ORDER BY n)
    FROM pg_proc AS p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND p.prorettype <> 'trigger'::regtype
      AND (has_function_privilege('setpoint_server', p.oid, 'EXECUTE')
           OR has_function_privilege('setpoint_app', p.oid, 'EXECUTE'))
    ORDER BY 1"""
PRIVILEGES = """
    SELECT c.relname, privilege, ARRAY(
        SELECT a.attname FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = ''
          AND a.attgenerated = '' AND CASE WHEN privilege IN ('INSERT', 'UPDATE')
            THEN has_column_privilege(role, c.oid, a.attnum, privilege) END
        ORDER BY a.attnum)
    FROM pg_class AS c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege,
         unnest(ARRAY['setpoint_server', 'setpoint_app']) AS role
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
      AND CASE WHEN privilege IN ('INSERT', 'UPDATE')
               THEN has_any_column_privilege(role, c.oid, privilege)
               ELSE has_table_privilege(role, c.oid, privilege) END
    GROUP BY c.oid, c.relname, privilege, role ORDER BY 1, 2"""


def attempted(url, statement, *, role=""):
    """Run a statement as it would be committed; returns the SQLSTATE of its refusal, empty when it went."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(f"SET ROLE {role}" if role else "SELECT 1")
        try:
            session.execute(statement)
        except psycopg.Error as problem:
            return problem.sqlstate
    return ""


def fingerprints(owner):
    """What every table holds, as one hash for each."""
    tables = owner.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition"
    ).fetchall()
    content = "SELECT md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM public.{} AS t"
    return {name: owner.execute(content.format(name)).fetchone()[0] for (name,) in tables}


@pytest.fixture
def world(as_, owner_url):
    """A database with a document, Ada's open change, accounts, and Ada's run; open as the owner."""
    write_document(as_("ada"), json.dumps({"a": 1}))
    change = propose(as_("ada"), set=json.dumps({"a": 2}))
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("INSERT INTO accounts (name, roles, created_by) VALUES ('x', '{admin}', 'tests')")
        owner.execute("INSERT INTO snapshots (hash, text) VALUES (document_hash('{}'), '{}')")
        owner.execute("INSERT INTO snapshot_sets (hash, text) VALUES (document_hash('[]'), '[]')")
        owner.execute(RUN.format(run="adas", person="ada"))
        owner.execute("INSERT INTO event_sources (source, account) VALUES ('spool', 'ada')")
        yield owner, change


RUN = """
    INSERT INTO finetune_runs (id, snapshot_hash, set_hash, context, layers, catalogues, versions, git_commit,
        data_hash, data_label, seed, processes, threads, universe, n_units, plan, started_by, host)
    VALUES ('{run}', document_hash('{{}}'), document_hash('[]'), '{{}}', '[]', '[]', '{{}}', 'c',
        'd', 'real', 1, 1, 1, 'u', 1, '{{}}', '{person}', 'h')"""
SOURCE = "INSERT INTO event_sources (source) VALUES ('bos')"
CALL = "SELECT * FROM {0}({1})"
EVENT = """
    INSERT INTO event_log (source, sequence, name, level, run, unit, fields, line)
    VALUES ('{source}', 0, 'e', 'info', '{run}', '', '{{}}', 'event=e')"""


@pytest.fixture(params=["its login", "a member", "a member as setpoint_app"])
def plane_session(request, server, clone, people):
    """The URL and the role of a plane's session, and of one that left its role."""
    login = "setpoint_server" if request.param == "its login" else "plane"
    return server.url(clone, login=login), "setpoint_app" if request.param.endswith("app") else ""


def test_without_a_credential_every_function_refuses(world, plane_session):
    """Each function that a plane may call with more rights refuses, or writes nothing for a reason."""
    owner, change = world
    url, role = plane_session
    named = {"p_id": str(change["id"]), "p_decision": "'comment'", "p_hash": f"'{change['proposal_hash']}'"}
    before, wrong, tried = fingerprints(owner), [], 0
    for name, volatility, names, types in owner.execute(FUNCTIONS).fetchall():
        arguments = [
            named.get(arg, BY_TYPE[of]) if of in {"bigint", "text"} else BY_TYPE.get(of, "NULL")
            for arg, of in zip(names or [], types, strict=True)
        ]
        state = attempted(url, CALL.format(name, ", ".join(arguments)), role=role)
        after = fingerprints(owner)
        touched = {table for table in after if after[table] != before[table]}
        allowed = JUDGED_OTHERWISE.get(name, ("", set()))[1]
        reads = volatility in {"s", "i"}
        if touched - allowed or (state not in REFUSED and not reads and name not in JUDGED_OTHERWISE):
            wrong.append(f"{name}: {state or 'went'}, touched {sorted(touched)}")
        before, tried = after, tried + 1
    assert wrong == []
    assert tried > 30


def test_without_a_credential_no_table_takes_a_row(world, plane_session):
    """Each privilege on a table that the roles hold is of no use to a session without a speaker."""
    owner, _ = world
    url, role = plane_session
    statements = {
        "INSERT": "INSERT INTO public.{0} ({1}) VALUES ({2})",
        "UPDATE": "UPDATE public.{0} SET {3} = {3}",
        "DELETE": "DELETE FROM public.{0}",
        "TRUNCATE": "TRUNCATE public.{0} CASCADE",
    }
    before, wrong, tried = fingerprints(owner), [], 0
    for table, privilege, columns in owner.execute(PRIVILEGES).fetchall():
        nulls = ", ".join(["NULL"] * len(columns))
        statement = statements[privilege].format(
            table, ", ".join(columns), nulls, columns[0] if columns else ""
        )
        state = attempted(url, statement, role=role)
        wrong += [f"{statement}: {state or 'went'}"] if state not in REFUSED else []
        tried += 1
    assert wrong == []
    assert fingerprints(owner) == before
    assert tried > 10


def test_the_reasons_name_functions_that_are_there(world):
    """No line of JUDGED_OTHERWISE outlives its function."""
    there = {name for name, *_ in world[0].execute(FUNCTIONS).fetchall()}
    assert there >= JUDGED_OTHERWISE.keys()


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        pytest.param(RUN.format(run="mine", person="ada"), "SP403", id="a run in another's name"),
        pytest.param("UPDATE finetune_runs SET state = 'failed'", "SP403", id="every run failed"),
        pytest.param(EVENT.format(source="spool", run=""), "SP403", id="an event in another's spool"),
        pytest.param(
            f"{SOURCE}; {EVENT.format(source='bos', run='adas')}",
            "SP403",
            id="an event of another's run",
        ),
        pytest.param(
            "INSERT INTO catalogues (hash, name, version, text) VALUES (document_hash('a'), 'n', '1', 'b')",
            "23514",
            id="a catalogue under the hash of another text",
        ),
        pytest.param("INSERT INTO snapshot_frames (hash, frame) VALUES ('h', '{}')", "42501", id="a frame"),
        pytest.param("SELECT note_probe(true, 'live')", "42501", id="what a plane says of itself"),
    ],
)
def test_a_login_writes_in_its_own_name_alone(world, server, clone, statement, state):
    """Bo's login, a member of setpoint_app, cannot speak for Ada, and forges nothing that a hash names."""
    before = fingerprints(world[0])
    assert attempted(server.url(clone, login="bo"), statement, role="setpoint_app") == state
    assert fingerprints(world[0]) == before


def test_a_snapshot_is_kept_only_as_revisions_make_it(world, server, clone):
    """A frame with another author, value, scope or revision than history is refused, a true one kept."""
    owner, _ = world
    layer = owner.execute(
        "SELECT jsonb_build_object('scope', scope, 'revision', id, 'hash', hash, 'author', updated_by,"
        " 'keys', '{}'::jsonb) FROM ftf_config_history"
    ).fetchone()[0]
    frame = {"catalogues": [], "context": {"symbol": "BTC"}, "layers": [layer]}
    url = server.url(clone, login="setpoint_server")
    for forged in (
        {"author": "bo"},
        {"revision": 2},
        {"scope": "symbol=BTC"},
        {"hash": "0" * 64},
        {"keys": {"a": 3}},
        {"written_at": "2020-01-01T00:00:00Z"},
        {"change": 99},
        {"change": None},
    ):
        told = json.dumps(frame | {"layers": [layer | forged]})
        assert attempted(url, f"SELECT keep_snapshot('{told}')") == "SP422", forged
    assert attempted(url, f"SELECT keep_snapshot('{json.dumps(frame | {'layers': []})}')") == "SP422"
    assert attempted(url, f"SELECT keep_snapshot('{json.dumps(frame)}')") == ""
    kept = owner.execute(
        "SELECT s.text, f.frame FROM snapshot_frames AS f JOIN snapshots AS s USING (hash)"
    ).fetchall()
    assert kept == [('{"a": 1}', frame)]
