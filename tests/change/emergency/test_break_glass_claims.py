"""Break-glass is held to its word: the channel, the claim that the Console is down, and the next write."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from setpoint.change.applying import apply_due
from setpoint.change.emergency.break_glass import (
    Emergency,
    emergency_session,
    set_values,
)
from setpoint.change.emergency.channels import close_channel, declare_channel, list_channels
from setpoint.change.emergency.incident_markdown import post_mortem
from setpoint.change.emergency.obligations import (
    breaches,
    list_obligations,
    list_uses,
)
from setpoint.change.emergency.reminder import reminder
from setpoint.change.emergency.restore_probe import LIVE, ask_probe
from setpoint.change.proposals import Proposal, open_and_apply
from setpoint.errors import ForbiddenError, InvalidValue, MissingError
from support.planes import serving_plane
from support.waiting import wait_for

GAMMA = "CVN_HPO_XGB_5M_GAMMA"
CHANNEL = "https://chat.example/incidents/"
FIRE = Emergency("INC-7", f"{CHANNEL}p17", "data-damaged")
DOWN = FIRE._replace(circumstance="console-down")


@pytest.fixture
def glass(seeded, settings):
    """``glass(emergency, value=...)`` sets a value by break-glass; Bo is responsible in the channel."""
    declare_channel(settings, CHANNEL, "bo", "on call")

    def write(emergency=FIRE, value="0.5", scope="global"):
        with emergency_session(settings) as session:
            return set_values(session, emergency, scope, f'{{"{GAMMA}": {value}}}')

    return write


def write(database, catalogues, reason, *, scope="global", value=0.25, apply_at=None, author="ada"):
    proposal = Proposal(scope=scope, reason=reason, set={GAMMA: value}, apply_at=apply_at, new_scope=True)
    with database.transaction(author=author) as transaction:
        return open_and_apply(transaction, catalogues, proposal)


def owed(database, incident="INC-7"):
    (row,) = [row for row in list_obligations(database, incident) if row.kind == "ordinary-write"]
    return row


def head(database):
    return database.fetch_one("read_chain_head")["id"]


# --- the channel


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/incidents/p17",
        "https://chat.example.evil.example/incidents/p17",
        "https://chat.example/incidents",
        CHANNEL,
        f"{CHANNEL}../private/p17",
        f"{CHANNEL}%2e%2E/private/p17",
        f"{CHANNEL}..\\private",
        f"{CHANNEL}p 17",
        "http://chat.example/incidents/p17",
    ],
)
def test_approval_outside_every_declared_channel_is_refused(glass, seeded, url):
    """A link anywhere else approves nothing, and the refusal names where to ask whom."""
    with pytest.raises(ForbiddenError, match="declared incident channel") as caught:
        glass(FIRE._replace(approved_by=url))

    assert f"{CHANNEL} (bo)" in caught.value.hint
    assert head(seeded) == 2


def test_without_a_channel_the_glass_stays_whole(seeded, settings):
    """Nothing can be approved before a channel is declared; the refusal names the command."""
    with emergency_session(settings) as session, pytest.raises(ForbiddenError) as caught:
        set_values(session, FIRE, "global", f'{{"{GAMMA}": 0.5}}')
    assert "setpoint break-glass channel declare" in caught.value.hint


def test_use_records_the_channel_and_whose_word_counts_there(glass, seeded, settings):
    """The responsible person is the one of that instant; a closed channel approves nothing any more."""
    glass()
    declare_channel(settings, CHANNEL, "eve", "handover")
    glass(value="0.75")
    close_channel(settings, CHANNEL, "moved")
    with pytest.raises(ForbiddenError):
        glass(value="1.0")

    uses = list_uses(seeded, "INC-7")
    assert [(use.channel, use.responsible) for use in uses] == [(CHANNEL, "bo"), (CHANNEL, "eve")]
    assert list_channels(seeded) == []


@pytest.mark.parametrize(
    ("prefix", "responsible", "reason", "error"),
    [
        ("https://chat.example/inc", "bo", "x", InvalidValue),
        ("ftp://chat.example/", "bo", "x", InvalidValue),
        ("https://", "bo", "x", InvalidValue),
        ("https://user@chat.example/", "bo", "x", InvalidValue),
        (CHANNEL, " ", "x", InvalidValue),
        (CHANNEL, "bo", "", InvalidValue),
    ],
)
def test_declaration_that_would_let_more_in_is_refused(seeded, settings, prefix, responsible, reason, error):
    """A prefix ends where a name ends, and a channel has somebody and a reason."""
    with pytest.raises(error) as caught:
        declare_channel(settings, prefix, responsible, reason)
    assert caught.value.hint
    assert list_channels(seeded) == []


def test_declarations_are_the_owners_and_stay(glass, settings, owner_url, app_url):
    """The application declares nothing, nobody edits a declaration, and only what is open can be closed."""
    with pytest.raises(ForbiddenError, match="permission denied"):
        declare_channel(replace(settings, migrate_url=app_url), CHANNEL, "me", "mine")
    with psycopg.connect(owner_url) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("UPDATE incident_channels SET responsible = 'me'")
    with pytest.raises(MissingError, match="no open incident channel"):
        close_channel(settings, "https://other.example/", "x")


# --- the claim


def note(owner_url, is_live, age="0 s"):
    with psycopg.connect(owner_url) as session:
        session.execute("SELECT note_probe(%s, 'rehearsed')", [is_live])
        session.execute("UPDATE restore_probe SET answered_at = now() - %s::interval", [age])


def wait_for_note(owner_url):
    """The plane notes by its clock, from its first tick on."""
    with psycopg.connect(owner_url, autocommit=True) as session:
        wait_for(lambda: session.execute("SELECT FROM restore_probe").rowcount, "a plane's note")


def test_console_is_not_down_while_a_plane_says_it_restores(glass, seeded, owner_url):
    """What the plane noted in the database refuses the claim, until what failed is stated."""
    note(owner_url, is_live=True)
    with pytest.raises(ForbiddenError, match="the restore probe says live") as caught:
        glass(DOWN)
    assert "5xx, network or authentication" in caught.value.hint
    assert head(seeded) == 2

    glass(DOWN._replace(failed="authentication"))
    (use,) = list_uses(seeded, "INC-7")
    assert use.failed == "authentication"
    assert (use.probe.asked, use.probe.noted.is_live) == (None, True)
    assert "failed: authentication" in post_mortem(seeded, "INC-7")


@pytest.mark.parametrize(("is_live", "age"), [(False, "0 s"), (True, "3 minutes")])
def test_probe_that_is_down_or_silent_does_not_contradict(glass, owner_url, is_live, age):
    """Down, or live longer ago than a plane that serves would leave it: the claim stands by itself."""
    note(owner_url, is_live=is_live, age=age)
    assert glass(DOWN).revision == 3


def test_probe_that_told_the_person_it_is_live_refuses_too(glass, seeded):
    """What the person was told counts as well; damaged data is no claim about the Console."""
    with pytest.raises(ForbiddenError, match="says live"):
        glass(DOWN._replace(probe=LIVE))
    with pytest.raises(InvalidValue, match="what failed is"):
        glass(DOWN._replace(probe=LIVE, failed="slow"))
    assert glass(DOWN._replace(probe="plane_unavailable: timed out")).revision == 3
    assert glass(FIRE._replace(probe=LIVE), value="0.75").revision == 4


def test_plane_notes_what_its_probe_says(glass, served, catalogues, owner_url):
    """A plane that serves this database stands in the way of the claim, to whoever asks it and in psql."""
    with serving_plane(served, catalogues) as url:
        assert ask_probe(url) == LIVE
        wait_for_note(owner_url)
        with pytest.raises(ForbiddenError, match=re.escape("says live, noted at")):
            glass(DOWN)
    assert "plane" in ask_probe(url)


# --- the next ordinary write


def test_another_reason_breaches_visibly_until_the_right_one_comes(
    glass, seeded, catalogues, setpoint_command
):
    """The next write by a person here says why, or its breach is told everywhere and stays on record."""
    glass()
    made = write(seeded, catalogues, "tidy up")
    status = setpoint_command("break-glass", "status")

    breach = owed(seeded).breach
    assert (breach.revision, breach.change) == (made.revision, made.change.id)
    assert (breach.person, breach.reason) == ("ada", "tidy up")
    assert status.code == 1
    assert "BREACHED" in status.out
    said = f"INC-7: global revision {made.revision} by ada says 'tidy up', not 'break-glass-INC-7'"
    assert said in status.out
    assert said in setpoint_command("verify").out
    assert setpoint_command("verify", "--json").json["breaches"] == [said]
    assert "1 breached" in reminder(seeded)
    assert "| breached | 4 |" in post_mortem(seeded, "INC-7")

    write(seeded, catalogues, FIRE.reason, value=0.75)
    assert owed(seeded).met_by == "ada"
    assert owed(seeded).breach.reason == "tidy up", "what happened stays on record"
    assert breaches(list_obligations(seeded)) == ()
    done = setpoint_command("break-glass", "status")
    assert (done.code, "met after a breach" in done.out) == (0, True)


def test_other_scopes_neither_breach_nor_meet(glass, seeded, catalogues):
    """What is owed is owed where the glass was broken."""
    glass()
    write(seeded, catalogues, "an overlay", scope="symbol=BTCUSDC")
    write(seeded, catalogues, FIRE.reason, scope="symbol=BTCUSDC", value=0.75)

    assert (owed(seeded).breach, owed(seeded).met_at) == (None, None)


def test_scheduled_change_neither_breaches_nor_meets(glass, seeded, catalogues, owner_url):
    """Its reason was written before anybody knew of the incident."""
    glass()
    soon = datetime.now(UTC) + timedelta(hours=1)
    for reason, value in (("planned", 0.25), (FIRE.reason, 0.75)):
        write(seeded, catalogues, reason, value=value, apply_at=soon)
        with psycopg.connect(owner_url) as session:
            session.execute("UPDATE changes SET apply_at = now() - interval '1 s' WHERE state = 'proposed'")
        ((_, outcome),) = apply_due(seeded, catalogues, "clock")
        assert outcome.startswith("revision ")

    assert (owed(seeded).breach, owed(seeded).met_at) == (None, None)


def test_robot_neither_breaches_nor_meets(glass, seeded, catalogues, as_, owner_url):
    """A login that is a robot, and an account that is one, are no person who could say why."""
    glass()
    write(as_("robot"), catalogues, "nightly")
    with psycopg.connect(owner_url) as session:
        session.execute(
            "INSERT INTO accounts (name, roles, created_by) VALUES ('ci', ARRAY['robot'], 'owner')"
        )
    write(seeded, catalogues, FIRE.reason, author="ci", value=0.75)
    assert (owed(seeded).breach, owed(seeded).met_at) == (None, None)

    write(as_("cy"), catalogues, "by hand", value=1.0)
    assert owed(seeded).breach.person == "cy"


def test_write_that_another_incident_owes_breaches_none(glass, seeded, catalogues):
    """Two incidents in one scope are met one after the other."""
    glass()
    glass(FIRE._replace(incident="INC-8", approved_by=f"{CHANNEL}p18"), value="0.75")
    for incident in ("INC-7", "INC-8"):
        write(seeded, catalogues, f"break-glass-{incident}", value=0.25 if incident == "INC-7" else 1.0)
        assert owed(seeded, incident).met_at

    assert [owed(seeded, incident).breach for incident in ("INC-7", "INC-8")] == [None, None]
