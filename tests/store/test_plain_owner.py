"""An owner of the tables who is no superuser: it makes databases and roles, and is granted no parameter."""

from contextlib import contextmanager

import psycopg
import pytest

from setpoint.store.schema import migrate, shipped

FACTS = ("author", "proof", "reason", "source", "catalogues", "change", "review", "touched")
DOCUMENT = '{"CVN_HPO_XGB_5M_GAMMA": 0.5}'


@pytest.fixture(scope="module")
def owned(server):
    """A database that such an owner has made and migrated; yields its address, as the owner and by login."""
    server.administer("CREATE ROLE plain_owner LOGIN NOSUPERUSER CREATEDB CREATEROLE")
    for role in (
        "setpoint_app",
        "setpoint_server",
        "setpoint_approver",
        "setpoint_robot",
        "setpoint_breakglass",
    ):
        server.administer(f"GRANT {role} TO plain_owner WITH ADMIN OPTION")
    try:
        with psycopg.connect(server.url("postgres", login="plain_owner"), autocommit=True) as session:
            session.execute("CREATE DATABASE of_a_plain_owner")
        migrate(server.url("of_a_plain_owner", login="plain_owner"))
        yield lambda login="plain_owner": server.url("of_a_plain_owner", login=login)
    finally:
        server.administer("DROP DATABASE IF EXISTS of_a_plain_owner WITH (FORCE)")
        server.administer("DROP OWNED BY plain_owner")
        server.administer("DROP ROLE plain_owner")


@contextmanager
def telling(url, **facts):
    """A session that set facts of its own, which are no business of what it calls."""
    with psycopg.connect(url) as session:
        for name in FACTS:
            session.execute("SELECT set_config(%s, %s, false)", [f"setpoint.{name}", facts.get(name, "")])
        yield session


def told(session):
    return {
        name: session.execute("SELECT current_setting(%s, true)", [f"setpoint.{name}"]).fetchone()[0]
        for name in FACTS
    }


APPLY = (
    "SELECT (open_and_apply_change(p_scope => 'global', p_is_policy => false, p_base => %s, p_set => %s,"
    " p_remove => '{}', p_restores => NULL, p_keys => NULL, p_reason => 'first', p_source => 'cli',"
    " p_catalogues => '[]', p_apply_at => NULL, p_draft => false)).approvals"
)
HISTORY = "SELECT change_reason, source, review, diff FROM ftf_config_history ORDER BY id DESC LIMIT 1"


def test_it_migrates_and_what_it_made_works(owned):
    """A change is applied with its own facts, and the session's come back, after an error too."""
    own = {"author": "ada", "proof": "oidc", "reason": "mine", "source": "psql", "review": "approved"}
    with telling(owned("setpoint_app"), **own) as session:
        before = told(session)
        session.execute(APPLY, [None, DOCUMENT])
        applied = told(session)
        row = session.execute(HISTORY).fetchone()
        with pytest.raises(psycopg.errors.Error), session.transaction():
            session.execute(APPLY, [77, DOCUMENT])
        refused = told(session)

    assert len(shipped()) > 10
    assert applied == refused == before
    assert row[:3] == ("first", "cli", "unreviewed")
    assert "CVN_HPO_XGB_5M_GAMMA" in str(row[3])
