"""Accounts kept by the owner of the database."""

import pytest

from setpoint.errors import ForbiddenError, UnauthenticatedError
from setpoint.serve.access.appointments import as_owner, one_time_login
from setpoint.serve.access.secret import SESSION, digest, new_secret
from setpoint.store.database import SERVER, Database


def test_a_one_time_login_makes_the_first_admin_and_opens_one_session(settings, served):
    """A fresh database has an admin after one call; the secret works once, and a newer one voids it."""
    voided, secret = one_time_login(settings)[0], one_time_login(settings)[0]

    with Database.open(served, SERVER) as server:
        tries = [
            server.fetch_one("open_session_once", secret=one, hash=digest(new_secret(SESSION)), remote="::1")
            for one in (voided, secret, secret)
        ]
    assert [row["account"] for row in tries] == [None, "admin", None]
    assert tries[1]["roles"] == ["admin"]
    with as_owner(settings) as owner:
        assert [
            row["name"] for row in owner.fetch_all("read_accounts", name=None, after=None, limit=None)
        ] == ["admin"]


def test_a_server_without_a_credential_keeps_no_accounts(settings, served):
    """A server that was taken over cannot appoint anybody by itself."""
    secret, _ = one_time_login(settings)
    asked = {
        "create_account": {"name": "mallory", "roles": ["admin"], "remote": ""},
        "change_account": {"name": "admin", "roles": [], "disabled": None, "limits": None, "remote": ""},
        "issue_once": {"account": "admin", "hash": digest(secret), "remote": ""},
        "link_identity": {"name": "admin", "issuer": "https://a", "subject": "b", "remote": ""},
    }
    with Database.open(served, SERVER) as server:
        for name, params in asked.items():
            with pytest.raises(ForbiddenError, match="speaks for nobody"):
                server.execute(name, **params)
        for name, params in {
            "read_accounts": {"name": None, "after": None, "limit": None},
            "read_tokens": {"after": None, "limit": 5},
            "issue_token": {
                "account": "admin",
                "hash": digest("x"),
                "label": "x",
                "roles": None,
                "days": 1,
                "remote": "",
                "dimensions": None,
            },
            "revoke_token": {"id": 1, "remote": ""},
            "set_password": {"key": b"", "parameters": "p", "verifier": digest("x"), "remote": ""},
        }.items():
            with pytest.raises(UnauthenticatedError):
                server.fetch_all(name, **params)
