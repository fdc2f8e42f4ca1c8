"""Break-glass: the gate that psql meets too, the revision it makes, and what is owed until it is met."""

import json
import subprocess
from dataclasses import replace

import psycopg
import pytest

from setpoint.change.documents import read_documents
from setpoint.change.emergency.break_glass import (
    Emergency,
    emergency_session,
    preview_restore,
    preview_set,
    restore,
    set_values,
    validate,
)
from setpoint.change.emergency.channels import declare_channel
from setpoint.change.emergency.incident_markdown import post_mortem
from setpoint.change.emergency.obligations import (
    file_post_mortem,
    list_obligations,
    list_uses,
)
from setpoint.change.emergency.reminder import reminder
from setpoint.change.identity import os_account
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.change.seeding import apply_seed
from setpoint.change.verification import verify
from setpoint.declare.seeds import load_seeds
from setpoint.errors import (
    ForbiddenError,
    InvalidValue,
    MissingError,
    SetpointError,
    StaleRevision,
    UnknownRevision,
    UnknownScope,
)
from setpoint.store import client_programs
from support.sweep_home import ADA

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
SCALE = "CVN_HPO_XGB_5M_GAMMA_RANGE_SCALE"
CHANNEL = "https://chat.example/incidents/"
APPROVAL = f"{CHANNEL}p17"
FIRE = Emergency("INC-7", APPROVAL, "data-damaged")


@pytest.fixture
def seeded(database, catalogues, settings):
    """The seeded documents: revision 1 is global, revision 2 an overlay. Bo approves in the channel."""
    declare_channel(settings, CHANNEL, "bo", "on call")
    apply_seed(database, catalogues, load_seeds("", catalogues), ADA, overwrite=False)
    return database


@pytest.fixture
def broken(seeded, owner_url):
    """Somebody broke the global document by SQL, as revision 3."""
    by_hand(owner_url, "UPDATE ftf_config SET base_env = base_env - %s::text WHERE id = 1", [GAMMA])
    return seeded


@pytest.fixture
def login(server):
    """A login of a person, member of setpoint_breakglass."""
    server.administer("CREATE ROLE glass_cy LOGIN")
    server.administer("GRANT setpoint_breakglass TO glass_cy")
    yield "glass_cy"
    server.administer("DROP ROLE glass_cy")


def by_hand(url, statement, values=()):
    with psycopg.connect(url) as session:
        return session.execute(statement, values).pgresult.ntuples


def write(settings, emergency=FIRE, scope="global", revision=1, base=None):
    with emergency_session(settings) as session:
        return restore(session, emergency, scope, revision, base)


def assign(settings, values, remove=(), emergency=FIRE, base=None):
    with emergency_session(settings) as session:
        return set_values(session, emergency, "global", values, remove, base=base)


def ordinary(database, catalogues, reason, value=0.5):
    proposal = Proposal(scope="global", reason=reason, set={GAMMA: value})
    with database.transaction(author="ada") as transaction:
        return open_and_apply(transaction, catalogues, proposal)


def revision_of(database, number):
    return database.fetch_all("search_history", scope=None, text=None, before=None, limit=100)[-number]


def owed(database, kind, incident="INC-7"):
    return [row for row in list_obligations(database, incident) if row.kind == kind]


def head(database):
    return database.fetch_one("read_chain_head")["id"]


# --- what it writes


def test_restore_makes_an_ordinary_revision_that_says_what_it_is(broken, settings):
    """The old bytes come back as a new revision in the same chain, by a named person, for the incident."""
    made = write(settings)
    row = revision_of(broken, 4)

    assert made.revision == row["revision"] == 4
    assert made.hash == row["hash"] == revision_of(broken, 1)["hash"]
    assert (row["change_reason"], row["source"], row["review"]) == (
        "break-glass-INC-7",
        "break-glass",
        "break-glass",
    )
    assert (row["updated_by"], row["proof"], row["change"]) == (os_account(), "os-account", None)
    assert verify(broken).problems == ()


def test_the_use_is_recorded_with_the_approval_and_the_circumstance(broken, settings):
    """Who, on whose word and why the ordinary way could not be taken is kept."""
    write(settings)
    (use,) = list_uses(broken, "INC-7")

    assert (use.approved_by, use.circumstance, use.restores) == (APPROVAL, "data-damaged", 1)
    assert (use.person, use.proof) == (os_account(), "os-account")


def test_psql_takes_the_same_arguments(broken, settings):
    """With nothing but psql the function brings the revision back."""
    call = "SELECT new_revision FROM break_glass_restore('INC-7', :'url', 'console-down', 'global', 1)"
    with client_programs.psql(settings, owner=True) as command:
        done = subprocess.run(
            [*command.argv, "-XAt", "-v", f"url={APPROVAL}"],
            env=command.environ,
            input=call,
            capture_output=True,
            text=True,
            check=True,
        )

    assert done.stdout.strip() == "4"
    assert revision_of(broken, 4)["hash"] == revision_of(broken, 1)["hash"]


def test_member_of_the_role_may_and_is_named_by_the_login(broken, settings, server, login):
    """On a real server the login is the person, whatever the session says of itself."""
    url = settings.database_url.replace("setpoint_app", login)
    write(replace(settings, database_url=url, migrate_url=""))
    row = revision_of(broken, 4)

    assert (row["updated_by"], row["proof"], row["db_user"]) == (login, "database-login", login)


def test_stranger_is_refused_and_told_who_may(broken, settings, server):
    """A login outside the role writes nothing and learns what an administrator would run."""
    server.administer("CREATE ROLE glass_stranger LOGIN IN ROLE setpoint_app")
    try:
        url = settings.database_url.replace("setpoint_app", "glass_stranger")
        with pytest.raises(ForbiddenError) as caught:
            write(replace(settings, migrate_url=url))
    finally:
        server.administer("DROP ROLE glass_stranger")

    assert "GRANT setpoint_breakglass TO glass_stranger" in caught.value.hint
    assert head(broken) == 3


@pytest.mark.parametrize(
    "call",
    [
        "break_glass_restore('I', 'https://a/b', 'console-down', 'global', 1)",
        "break_glass_set('I', 'https://a/b', 'console-down', 'global', '{}')",
        "break_glass_write('I', 'https://a/b', 'console-down', '5xx', NULL, 'global', '{}', 1)",
        "declare_channel('https://a/', 'me', true, 'mine')",
    ],
)
def test_application_may_not(broken, app_url, call):
    """The role of the application cannot break the glass, by no function."""
    with psycopg.connect(app_url) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(f"SELECT {call}")
    assert head(broken) == 3


def test_member_may_not_pass_the_gate_from_behind(broken, settings, login):
    """Membership gives the two functions, not what is behind them."""
    url = settings.database_url.replace("setpoint_app", login)
    for statement in (
        "SELECT break_glass_write('I', 'x', 'console-down', '5xx', NULL, 'global', '{}', 1)",
        "SELECT declare_channel('https://a/', 'me', true, 'mine')",
        "UPDATE ftf_config SET base_env = '{}'",
        "UPDATE obligations SET met_at = now(), met_by = 'me'",
    ):
        with psycopg.connect(url) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)


def test_session_cannot_pass_its_write_off_as_an_ordinary_one(broken, settings, login):
    """Facts that a session set beforehand reach neither the revision nor what it owes."""
    url = settings.database_url.replace("setpoint_app", login)
    with psycopg.connect(url) as session:
        for name, value in (("change", "1"), ("author", "bo"), ("proof", "oidc"), ("review", "approved")):
            session.execute("SELECT set_config(%s, %s, false)", [f"setpoint.{name}", value])
        call = "SELECT break_glass_restore('INC-7', %s, 'console-down', 'global', 1)"
        session.execute(call, [APPROVAL])
        ((own,),) = session.execute("SELECT current_setting('setpoint.change')").fetchall()
    row = revision_of(broken, 4)

    assert own == "1", "what the session had set is its own again"
    assert (row["change"], row["updated_by"], row["proof"], row["review"]) == (
        None,
        login,
        "database-login",
        "break-glass",
    )
    assert owed(broken, "ordinary-write")[0].met_at is None


# --- the gate


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        *(
            ("approved_by", url, ForbiddenError)
            for url in ("", "yes", "ftp://a/b", "https://a", "https:// /x")
        ),
        ("approved_by", None, ForbiddenError),
        *(("incident", name, InvalidValue) for name in ("", "INC 7", "INC-7;", "INC-7\n", None)),
        *(("circumstance", why, ForbiddenError) for why in ("", "slow", "Console-Down", None)),
    ],
)
def test_gate_refuses(broken, settings, field, value, error):
    """Without incident, emergency and approval nothing is written, by neither function."""
    emergency = FIRE._replace(**{field: value})
    with pytest.raises(error) as caught:
        write(settings, emergency)
    with pytest.raises(error):
        assign(settings, f'{{"{GAMMA}": 0.5}}', emergency=emergency)

    assert caught.value.hint
    assert head(broken) == 3
    assert list_obligations(broken) == []


def test_approval_is_for_one_incident(broken, settings):
    """The message that approved one incident does not approve the next; the same incident may go on."""
    write(settings)
    with pytest.raises(ForbiddenError, match="another incident"):
        assign(settings, f'{{"{GAMMA}": 0.5}}', emergency=FIRE._replace(incident="INC-8"))
    assert assign(settings, f'{{"{GAMMA}": 0.5}}').revision == 5


# --- what cannot be restored


@pytest.mark.parametrize(("scope", "revision"), [("global", 99), ("global", 2), ("profile=demo", 1)])
def test_revision_of_another_scope_or_none_is_refused(broken, settings, scope, revision):
    """A document never gets the content of another scope."""
    with pytest.raises(MissingError, match=f"revision {revision} is none of scope {scope}"):
        write(settings, scope=scope, revision=revision)
    assert head(broken) == 3


def test_altered_revision_is_refused(broken, settings, owner_url):
    """What is not what was hashed is not brought back; the next step is a backup."""
    by_hand(owner_url, "ALTER TABLE ftf_config_history DISABLE TRIGGER USER")
    by_hand(
        owner_url,
        "UPDATE ftf_config_history SET base_env = base_env || %s::jsonb WHERE id = 1",
        [f'{{"{GAMMA}": 9}}'],
    )
    by_hand(owner_url, "ALTER TABLE ftf_config_history ENABLE ALWAYS TRIGGER append_only")
    with pytest.raises(InvalidValue, match="was altered") as caught:
        write(settings)

    assert "backup" in caught.value.hint
    assert head(broken) == 3


def test_document_that_is_there_already_is_not_restored(seeded, settings):
    """Nothing to restore opens no obligations."""
    with pytest.raises(InvalidValue, match="already"):
        write(settings)
    assert list_obligations(seeded) == []


def test_base_that_moved_is_refused(broken, settings):
    """What was looked at is what is replaced."""
    for attempt in (lambda: write(settings, base=2), lambda: assign(settings, f'{{"{GAMMA}": 1}}', base=2)):
        with pytest.raises(StaleRevision, match="is at revision 3"):
            attempt()
    assert write(settings, base=3).revision == 4


def test_lost_document_comes_back(broken, settings, owner_url):
    """A scope whose row somebody removed past the triggers is written again."""
    by_hand(owner_url, "ALTER TABLE ftf_config DISABLE TRIGGER never_removed")
    by_hand(owner_url, "DELETE FROM ftf_config WHERE scope = 'profile=demo'")
    by_hand(owner_url, "ALTER TABLE ftf_config ENABLE ALWAYS TRIGGER never_removed")
    made = write(settings, scope="profile=demo", revision=2)

    assert broken.fetch_one("read_scope", scope="profile=demo")["hash"] == made.hash
    assert verify(broken).problems == ()


def test_preview_shows_what_would_change(broken, settings):
    """Looking names base and edits; a revision or a scope that is not there is named."""
    with emergency_session(settings) as session:
        seen = preview_restore(session, 1)
        assert (seen.scope, seen.base) == ("global", 3)
        assert [(edit.op, edit.key) for edit in seen.edits] == [("add", GAMMA)]
        assert [edit.op for edit in preview_set(session, "global", "{}", [SCALE]).edits] == ["remove"]
        with pytest.raises(UnknownRevision):
            preview_restore(session, 99)
        with pytest.raises(UnknownScope):
            preview_set(session, "symbol=NONE", "{}", [])
    assert head(broken) == 3


def test_database_without_the_functions_says_so(settings, server):
    """A database that was never brought to this release names the way out."""
    server.administer("CREATE DATABASE never_migrated")
    try:
        with pytest.raises(SetpointError) as caught:
            write(replace(settings, migrate_url=server.url("never_migrated", owner=True)))
    finally:
        server.administer("DROP DATABASE never_migrated")
    assert "setpoint db migrate" in caught.value.hint


# --- setting values


def test_set_keeps_the_text_of_a_number_and_removes(seeded, settings):
    """A number is stored as it was typed; other keys stay."""
    assign(settings, f'{{"{GAMMA}": 0.10}}', [SCALE])
    text = seeded.fetch_one("read_scope", scope="global")["text"]

    assert f'"{GAMMA}": 0.10' in text
    assert SCALE not in text
    assert len(json.loads(text)) == len(json.loads(revision_text(seeded, 1))) - 1


def revision_text(database, number):
    return database.fetch_one("read_revision", id=number)["text"]


@pytest.mark.parametrize(
    ("values", "remove", "refusal"),
    [
        ('{"CVN_HPO_XGB_5M_GAMA": 0.5}', [], (InvalidValue, "CVN_HPO_XGB_5M_GAMA = 0.5")),
        (f'{{"{GAMMA}": "0.5"}}', [], (InvalidValue, "no revision ever held")),
        (f'{{"{GAMMA}": true}}', [], (InvalidValue, "no revision ever held")),
        (f'{{"{GAMMA}": null}}', [], (InvalidValue, "no revision ever held")),
        (f'{{"{GAMMA}": [0.5]}}', [], (InvalidValue, "no revision ever held")),
        (f'{{"{GAMMA}": 0.5, "CVN_X": 1}}', [], (InvalidValue, "CVN_X = 1")),
        ("[1]", [], (InvalidValue, "no JSON object")),
        ("{}", [], (InvalidValue, "holds these values already")),
        (f'{{"{GAMMA}": 0.0}}', [], (InvalidValue, "holds these values already")),
        ("{}", ["CVN_X"], (MissingError, "does not hold CVN_X")),
    ],
)
def test_set_refuses_a_slip_of_the_finger(seeded, settings, values, remove, refusal):
    """Without a catalogue, history says which keys there are and of which type."""
    error, complaint = refusal
    with pytest.raises(error, match=complaint):
        assign(settings, values, remove)
    assert head(seeded) == 2


def test_set_on_a_scope_without_document_is_refused(seeded, settings):
    """An emergency makes no new scope."""
    with emergency_session(settings) as session, pytest.raises(MissingError, match="has no document"):
        set_values(session, FIRE, "symbol=BTCUSDC", f'{{"{GAMMA}": 0.5}}')
    assert head(seeded) == 2


# --- what is owed


def test_use_opens_three_obligations_with_their_deadlines(broken, settings):
    """An ordinary write and a validation within an hour, a post-mortem within a day."""
    write(settings)
    hours = {
        row.kind: (row.due_at - row.opened_at).total_seconds() / 3600 for row in list_obligations(broken)
    }

    assert {kind: round(value, 3) for kind, value in hours.items()} == {
        "ordinary-write": 1.0,
        "validation": 1.0,
        "post-mortem": 24.0,
    }


def test_second_use_owes_its_own_write_and_validation_but_one_post_mortem(broken, settings):
    """One incident has one post-mortem, however often the glass was broken."""
    write(settings)
    assign(settings, f'{{"{GAMMA}": 0.5}}')

    assert len(owed(broken, "ordinary-write")) == len(owed(broken, "validation")) == 2
    assert len(owed(broken, "post-mortem")) == 1


def test_ordinary_write_with_exactly_the_reason_meets_it(broken, settings, catalogues):
    """Another reason, a longer one or another incident's meets nothing; the exact one does, with evidence."""
    write(settings)
    for index, reason in enumerate(
        ("tidy up", "break-glass-INC-7 ", "break-glass-INC-77", "Break-glass-INC-7")
    ):
        ordinary(broken, catalogues, reason, value=0.5 + index / 10)
        assert owed(broken, "ordinary-write")[0].met_at is None
    made = ordinary(broken, catalogues, FIRE.reason, value=1.5)
    (met,) = owed(broken, "ordinary-write")

    assert met.evidence == {"change": made.change.id, "revision": made.revision}
    assert met.met_by == "ada"
    assert not met.met_late


def test_sql_by_hand_is_no_ordinary_write(broken, settings, owner_url):
    """The reason alone does not make a hand-written update an ordinary write."""
    write(settings)
    with psycopg.connect(owner_url) as session:
        session.execute("SELECT set_config('setpoint.reason', %s, false)", [FIRE.reason])
        session.execute("UPDATE ftf_config SET base_env = base_env - %s::text WHERE id = 1", [GAMMA])

    assert revision_of(broken, 5)["change_reason"] == FIRE.reason
    assert owed(broken, "ordinary-write")[0].met_at is None


def test_post_mortem_is_filed_by_its_url(broken, settings):
    """Filing needs an incident that owes one and a link; a second time nothing is owed any more."""
    write(settings)
    for incident, url, error in (
        ("INC-7", "in the wiki", InvalidValue),
        ("INC-7", "", InvalidValue),
        ("INC-8", "https://wiki.example/pm", MissingError),
    ):
        with pytest.raises(error):
            file_post_mortem(broken, ADA, incident, url)
    assert file_post_mortem(broken, ADA, "INC-7", "https://wiki.example/pm")
    with pytest.raises(MissingError, match="owes no post-mortem"):
        file_post_mortem(broken, ADA, "INC-7", "https://wiki.example/again")

    (met,) = owed(broken, "post-mortem")
    assert (met.met_by, met.evidence) == ("ada", {"url": "https://wiki.example/pm"})


def test_late_is_met_and_stays_visible(broken, settings, owner_url):
    """What is met after its deadline is met, and late."""
    write(settings)
    by_hand(owner_url, "UPDATE obligations SET due_at = due_at - interval '2 days'")

    assert not file_post_mortem(broken, ADA, "INC-7", "https://wiki.example/pm")
    assert owed(broken, "post-mortem")[0].met_late


def test_validation_of_what_is_sound_meets_the_obligation(broken, settings, catalogues):
    """The catalogues' checks and invariants hold in every context, and the outcome is kept."""
    write(settings)
    found = validate(broken, catalogues, ADA, "INC-7")
    (met,) = owed(broken, "validation")

    assert found.sound
    assert found.revisions == {4: ()}
    assert (met.met_by, met.evidence["sound"]) == ("ada", True)
    assert [row["name"] for row in met.evidence["catalogues"]] == ["cvntrade", "cvntrade-training"]
    with pytest.raises(MissingError, match="owes no validation"):
        validate(broken, catalogues, ADA, "INC-7")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (f'{{"{GAMMA}": -5}}', "below the hard bound"),
        (f'{{"{GAMMA}_RANGE_MIN": 4.0, "{GAMMA}_RANGE_MAX": 1.0}}', GAMMA),
    ],
)
def test_unsound_write_stays_owed_until_it_is_mended(seeded, settings, catalogues, values, complaint):
    """What no ordinary write would pass is named, kept as evidence, and owed until what stands is sound."""
    assign(settings, values)
    found = validate(seeded, catalogues, ADA, "INC-7")
    (row,) = owed(seeded, "validation")
    assert not found.sound
    assert complaint in found.standing[0]
    assert row.met_at is None
    assert row.evidence["standing"] == list(found.standing)

    mended = read_documents(seeded, catalogues)["global"].values
    seed = json.loads(revision_text(seeded, 1))
    wrong = {key: value for key, value in seed.items() if mended[key] != value}
    proposal = Proposal(scope="global", reason=FIRE.reason, set={k: float(v) for k, v in wrong.items()})
    with seeded.transaction(author="ada") as transaction:
        open_and_apply(transaction, catalogues, proposal)
    again = validate(seeded, catalogues, ADA, "INC-7")

    assert again.sound
    assert again.revisions[3]
    assert owed(seeded, "validation")[0].met_at is not None


def test_overlays_are_judged_with_what_they_resolve_to(seeded, settings, catalogues):
    """A global write that only an overlay's context breaks is found in that context."""
    overlay = Proposal(scope="symbol=BTCUSDC", reason="deeper", set={GAMMA: 2.0}, new_scope=True)
    with seeded.transaction(author="ada") as transaction:
        open_and_apply(transaction, catalogues, overlay)
    assign(settings, f'{{"{GAMMA}_RANGE_MAX": 1.0}}')
    found = validate(seeded, catalogues, ADA, "INC-7")

    assert found.standing
    assert all("symbol=BTCUSDC: " in problem for problem in found.standing)
    assert not any(problem.startswith("no context") for problem in found.standing)


def test_validation_over_documents_that_moved_is_not_recorded(broken, settings):
    """What was judged must be what stands."""
    write(settings)
    with pytest.raises(StaleRevision), broken.transaction(author="ada") as transaction:
        transaction.fetch_all(
            "record_validation", incident="INC-7", heads={"global": 3}, sound=True, evidence={}
        )
    assert owed(broken, "validation")[0].met_at is None


def test_obligations_are_never_removed(broken, settings, owner_url, app_url):
    """Not even the owner deletes one in passing, and the application cannot mark one as met."""
    write(settings)
    for statement in (
        "DELETE FROM obligations",
        "TRUNCATE obligations",
        "DELETE FROM break_glass_uses",
        "UPDATE break_glass_uses SET approved_by = 'https://a/b'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            by_hand(owner_url, statement)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        by_hand(app_url, "UPDATE obligations SET met_at = now(), met_by = 'me'")


def test_reminder_counts_what_is_open_and_overdue(broken, settings, owner_url):
    """One line until everything is met; none when nothing is owed."""
    assert reminder(broken) == ""
    write(settings)
    assert "3 open obligation(s) of INC-7" in reminder(broken)
    by_hand(
        owner_url, "UPDATE obligations SET due_at = now() - interval '1 minute' WHERE kind = 'validation'"
    )
    assert "3 open obligation(s), 1 overdue of INC-7" in reminder(broken)
    assert list_obligations(broken)[0].kind == "validation"


def test_post_mortem_is_filled_in(broken, settings):
    """The template knows revisions, hashes, people, times, the diff and what is owed."""
    made = write(settings)
    text = post_mortem(broken, "INC-7")

    for known in (
        made.hash,
        revision_of(broken, 3)["hash"],
        os_account(),
        APPROVAL,
        "data-damaged",
        f"+ {GAMMA} = 0.0",
        "| ordinary-write | 4 |",
        "TODO",
    ):
        assert known in text
    with pytest.raises(MissingError, match="never used"):
        post_mortem(broken, "INC-8")
