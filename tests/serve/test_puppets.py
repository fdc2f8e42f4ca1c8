"""Approvers who may be somebody else's puppets, and what a disabled account leaves behind."""

import psycopg
import pytest

from support.hints import printed_command
from support.planes import credential, open_accounts

GAMMA = "CVN_HPO_XGB_5M_GAMMA"


@pytest.fixture
def admins(seeded, http_as, owner_url, setpoint_command):
    """Dan and Max keep accounts and write; one approval is asked for everything."""
    open_accounts(owner_url)
    for name in ("dan", "max"):
        made = ("roles", name) if name == "dan" else ("add", name)
        given = setpoint_command("accounts", *made, "--role", "admin", "--role", "config_write")
        assert given.code == 0, given.err
    told = http_as("dan").put("/v1/policies/*/*", json={"approvals": 1, "reason": "four eyes"})
    assert told.status_code == 200, told.text
    return http_as


def session(http_as, owner_url, account):
    """A client with a session of an account that is no persona."""
    client = http_as(account)
    client.headers["Authorization"] = f"Bearer {credential(owner_url, account)}"
    return client


def proposed(client):
    """Open a change; returns its number and the hash that an approval names."""
    there = client.get("/v1/config/global")
    newer = {"set": {GAMMA: there.json()["values"][GAMMA] + 0.25}, "reason": "a try"}
    made = client.patch("/v1/config/global", json=newer, headers={"If-Match": there.headers["ETag"]})
    assert made.status_code == 202, made.text
    return made.json()["change"], made.json()["proposal_hash"]


def approve(client, change):
    number, digest = change
    return client.post(f"/v1/changes/{number}/approve", json={"proposal_hash": digest, "words": "fine"})


def appoint(client, name, *roles):
    assert client.post("/v1/accounts", json={"name": name, "roles": list(roles)}).status_code == 201


def confirm(client, name):
    return client.post(f"/v1/accounts/{name}/confirm").status_code


def test_whom_somebody_appointed_approves_nothing_of_theirs(admins, owner_url):
    """Neither they nor a creature of theirs can vouch, another admin can; others' changes do not matter."""
    dan = admins("dan")
    appoint(dan, "pat", "approver")
    pat = session(admins, owner_url, "pat")
    assert approve(pat, proposed(admins("ada"))).status_code == 200
    change = proposed(dan)

    refused = approve(pat, change)
    assert refused.status_code == 403
    assert "does not count on a change of dan" in refused.text
    appoint(dan, "kim", "admin")
    assert [confirm(dan, "pat"), confirm(session(admins, owner_url, "kim"), "pat")] == [403, 403]
    assert approve(pat, change).status_code == 403
    assert confirm(admins("max"), "pat") == 200
    assert approve(pat, change).status_code == 200


def test_whom_somebody_let_in_approves_nothing_of_theirs(admins, owner_url, setpoint_command):
    """Whoever printed a one-time login may have used it; a confirmation before it says nothing of it."""
    dan, lea = admins("dan"), admins("max")
    appoint(lea, "pat", "approver")
    assert confirm(dan, "pat") == 200
    assert dan.post("/v1/accounts/pat/once").status_code == 201
    change = proposed(dan)
    refused = approve(session(admins, owner_url, "pat"), change)
    assert refused.status_code == 403
    _, *words = printed_command("setpoint accounts confirm %s", refused.json()["hint"]).split()
    assert setpoint_command(*words).code == 0  # as the owner of the database
    assert approve(session(admins, owner_url, "pat"), change).status_code == 200


def test_hands_of_hands_are_followed(admins, owner_url):
    """Dan makes two admins, one makes Pat, the other vouches: it is Dan all the same."""
    dan = admins("dan")
    for name in ("kim", "lee"):
        appoint(dan, name, "admin")
    appoint(session(admins, owner_url, "kim"), "pat", "approver")
    change = proposed(dan)
    assert confirm(session(admins, owner_url, "lee"), "pat") == 403
    assert confirm(dan, "pat") == 403
    assert approve(session(admins, owner_url, "pat"), change).status_code == 403
    assert confirm(admins("max"), "pat") == 200
    assert approve(session(admins, owner_url, "pat"), change).status_code == 200


def test_the_owner_answers_for_whom_the_owner_appoints(admins, owner_url, setpoint_command):
    """An account made at the database's own door counts for everybody, and the owner confirms any other."""
    dan = admins("dan")
    assert setpoint_command("accounts", "add", "pat", "--role", "approver").code == 0
    assert approve(session(admins, owner_url, "pat"), proposed(dan)).status_code == 200
    appoint(dan, "sam", "approver")
    listed = setpoint_command("accounts", "list").out
    assert "not confirmed beside dan" in listed
    assert setpoint_command("accounts", "confirm", "sam").code == 0
    assert approve(session(admins, owner_url, "sam"), proposed(dan)).status_code == 200


def test_what_a_disabled_account_owes_is_listed_for_somebody(admins, setpoint_command, owner_url):
    """Its open obligations of break-glass say whose they were, at every door, until somebody meets them."""
    dan = admins("dan")
    with psycopg.connect(owner_url) as owner:
        owner.execute(OWED)
    told = dan.get("/v1/obligations").json()["items"]
    assert [(item["person"], item["left_behind"]) for item in told] == [("ada", False), (None, False)]

    assert dan.patch("/v1/accounts/ada", json={"disabled": True}).status_code == 200
    told = dan.get("/v1/obligations").json()["items"]
    assert [item["left_behind"] for item in told] == [True, False]
    assert "ada (disabled: take it over)" in setpoint_command("break-glass", "status").out
    found = [one for one in setpoint_command("doctor", "--json").json["findings"] if "INC-1" in one["what"]]
    assert "ada, who left it, was disabled: take it over" in found[0]["what"]
    filed = ("--incident", "INC-1", "--url", "https://wiki.example/1")
    taken = setpoint_command("break-glass", "post-mortem", *filed)
    assert taken.code == 0, taken.err
    assert not any(item["left_behind"] for item in dan.get("/v1/obligations").json()["items"])


OWED = """
    INSERT INTO break_glass_uses
        (revision, incident, scope, approved_by, channel, responsible, circumstance,
         probe, person, proof, used_at)
    VALUES (1, 'INC-1', 'global', 'https://chat.example/p', 'https://chat.example/', 'bo', 'data-damaged',
            '{}', 'ada', 'database-login', now());
    INSERT INTO obligations (incident, kind, scope, revision, opened_at, due_at)
    VALUES ('INC-1', 'post-mortem', 'global', 1, now(), now() + interval '1 h'),
           ('INC-2', 'validation', 'global', 2, now(), now() + interval '2 h');
"""


def test_what_a_disabled_account_left_waits_for_somebody(admins, setpoint_command):
    """Its changes are suspended, applied by nobody, listed, and taken over by whoever amends them."""
    dan, ada, bo, eve = (admins(name) for name in ("dan", "ada", "bo", "eve"))
    number, _ = change = proposed(ada)
    taken, _ = proposed(ada)
    assert dan.patch("/v1/accounts/ada", json={"disabled": True}).status_code == 200

    listed = dan.get("/v1/changes", params={"state": "suspended"}).json()["items"]
    assert {item["id"] for item in listed} == {number, taken}
    assert {item["state_reason"] for item in listed} == {"its author ada was disabled"}
    assert approve(bo, change).status_code == 409
    told = eve.post(f"/v1/changes/{number}/apply", json={"proposal_hash": change[1]})
    assert told.status_code == 409, told.text
    assert eve.post(f"/v1/changes/{number}/withdraw").status_code == 200
    amended = setpoint_command("change", "amend", str(taken), "xgb/5m/gamma=0.5", "-r", "mine now")
    assert dan.get(f"/v1/changes/{taken}").json()["author"] != "ada", amended.err
