"""Accounts and tokens from the command line, as the owner of the tables."""

import pytest

from setpoint.serve.access.secret import digest
from support.planes import set_password


def test_accounts_are_made_changed_and_shut_out(setpoint_command):
    """An account has the roles it was last given, and says when it is disabled."""
    assert "ada: config_write" in setpoint_command("accounts", "add", "ada", "--role", "config_write").out
    assert (
        "ada: approver, viewer"
        in setpoint_command("accounts", "roles", "ada", "--role", "viewer", "--role", "approver").out
    )
    assert "ada: approver, viewer, disabled" in setpoint_command("accounts", "disable", "ada").out
    assert "disabled" not in setpoint_command("accounts", "enable", "ada").out
    (row,) = setpoint_command("accounts", "list", "--json").json
    assert (row["name"], row["roles"], row["has_password"]) == ("ada", ["approver", "viewer"], False)
    assert "ada" in setpoint_command("accounts", "list").out


def test_the_first_admin_is_made_by_asking_for_its_login(setpoint_command):
    """On a database without accounts `accounts once admin` makes the first; shut out, it stays shut out."""
    first = setpoint_command("accounts", "once", "admin")
    assert (first.code, first.out.split()[0][:4]) == (0, "spo_")
    (row,) = setpoint_command("accounts", "list", "--json").json
    assert (row["name"], row["roles"]) == ("admin", ["admin"])

    assert setpoint_command("accounts", "disable", "admin").code == 0
    assert setpoint_command("accounts", "once", "admin").code == 5


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("accounts", "add", "ada", "--role", "king"), 3, "next: give one of these"),
        (("accounts", "add", "Ada Lovelace"), 3, "an account is named in lower case"),
        (("accounts", "add", "r", "--role", "robot", "--role", "approver"), 3, "both robot and approver"),
        (("accounts", "roles", "nobody"), 4, "no account"),
        (("accounts", "once", "nobody"), 4, "no account"),
        (("accounts", "link", "nobody", "--issuer", "https://a", "--subject", "b"), 4, "no account"),
        (("accounts", "provider", "", "--role", "viewer"), 3, "for example https://login.example.org"),
        (("tokens", "create", "nobody", "--label", "x"), 4, "no account"),
        (("tokens", "revoke", "7"), 4, "no live token 7"),
    ],
)
def test_what_cannot_be_is_said_plainly(setpoint_command, arguments, code, said):
    """Unknown roles, bad names, a robot that approves, and things that are not there."""
    done = setpoint_command(*arguments)

    assert (done.code, said in done.err) == (code, True), done.err


def test_a_refused_account_shows_nothing_of_its_row(setpoint_command, owner_url):
    """What was made of the password is in the row that the database refuses, and never in the error."""
    setpoint_command("accounts", "add", "bo", "--role", "approver")
    set_password(owner_url, "bo", "correct horse battery")
    done = setpoint_command("accounts", "roles", "bo", "--role", "robot")

    assert done.code == 3
    assert "an account with a password cannot become a robot" in done.err
    assert "argon2" not in done.err
    assert "Failing row" not in done.err


def test_a_token_is_shown_once_and_revoked(setpoint_command, database, owner_url):
    """The secret is printed when it is made; afterwards only its label and its roles are known."""
    setpoint_command("accounts", "add", "trainer", "--role", "robot")
    refused = setpoint_command("tokens", "create", "trainer", "--role", "admin", "--label", "nightly")
    made = setpoint_command(
        "tokens", "create", "trainer", "--label", "nightly", "--days", "30", "--json"
    ).json
    listed = setpoint_command("tokens", "list").out

    assert (refused.code, "trainer has the roles robot" in refused.err) == (3, True)
    assert made["roles"] == ["robot"]
    assert "nightly" in listed
    assert made["token"] not in listed
    assert digest(made["token"]).hex() not in listed
    assert setpoint_command("tokens", "revoke", str(made["id"])).code == 0
    assert setpoint_command("tokens", "list", "--json").json[0]["revoked_at"]


def test_the_application_may_not_appoint(setpoint_command, monkeypatch, settings):
    """A login that does not own the tables is told which one does."""
    monkeypatch.delenv("SETPOINT_MIGRATE_URL")
    done = setpoint_command("accounts", "add", "ada", "--role", "admin")

    assert done.code == 10
    assert "SETPOINT_MIGRATE_URL" in done.err
