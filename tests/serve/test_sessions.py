"""The list of sessions: who is in, from where and with what, and how that ends."""

import json

import httpx
import psycopg
import pytest

from support.live_planes import reading
from support.planes import credential, set_password

PASSWORD = "a long enough password"
PHONE = "A phone\x9b31m " + "x" * 300


@pytest.fixture
def session_of(plane, http_as, owner_url):
    """``session_of("ada", agent)`` has logged in anew with a password; its cookie is what it presents."""
    opened = []
    http_as("ada")

    def log_in(account, agent="tests"):
        set_password(owner_url, account, PASSWORD)
        headers = {"User-Agent": agent.encode("latin-1")}
        opened.append(httpx.Client(base_url=plane, headers=headers, timeout=60))
        told = opened[-1].post("/v1/sessions", json={"account": account, "password": PASSWORD})
        assert told.status_code == 201, told.text
        opened[-1].headers["X-CSRF-Token"] = told.json()["csrf_token"]
        opened[-1].get("/v1/me")  # what uses it is noted at its first use
        return opened[-1]

    yield log_in
    for one in opened:
        one.close()


def listed(client):
    told = client.get("/v1/sessions")
    assert told.status_code == 200, told.text
    return told.json()["items"]


def grown_old(owner_url, account):
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "UPDATE credentials SET proven_at = proven_at - interval '16 minutes' WHERE account = %s",
            [account],
        )


def test_people_see_their_sessions_and_an_admin_sees_all(session_of, http_as, setpoint_command):
    """Each with what opened it, when it was proven and used, from where and with what; one is this one."""
    desk, phone = session_of("ada"), session_of("ada", PHONE)
    session_of("bo")
    mine = listed(phone)

    assert [(one["account"], one["how"], one["is_this"]) for one in mine[:2]] == [
        ("ada", "password", True),
        ("ada", "password", False),
    ]
    assert (mine[0]["last_used_from"], mine[0]["last_used_by"]) == ("127.0.0.1", PHONE[:200])
    assert {one["account"] for one in listed(desk)} == {"ada"}
    assert {"ada", "bo", "dan"} <= {one["account"] for one in listed(http_as("dan"))}

    shown = setpoint_command("sessions", "list", "ada", "--json")
    assert [one["id"] for one in json.loads(shown.out)][:2] == [mine[0]["id"], mine[1]["id"]]
    assert "\x9b" not in setpoint_command("sessions", "list").out


def test_a_session_is_ended_by_its_person_an_admin_or_the_owner(session_of, http_as, setpoint_command):
    """It is refused at once, its stream ends, and who ended it is in the audit; nobody else can end it."""
    desk, phone = session_of("ada"), session_of("ada", PHONE)
    number, other = (one["id"] for one in listed(phone)[:2])
    with reading(desk) as events:
        assert session_of("bo").delete(f"/v1/sessions/{other}").status_code == 404
        assert phone.delete(f"/v1/sessions/{other}").status_code == 204
        assert desk.get("/v1/me").status_code == 401
        assert next(events, None) is None
    assert phone.delete(f"/v1/sessions/{other}").status_code == 404
    assert http_as("dan").delete(f"/v1/sessions/{number}").status_code == 204
    assert phone.get("/v1/me").status_code == 401
    noted = http_as("dan").get("/v1/audit", params={"event": "session_ended"}).json()["items"]
    assert [(one["account"], one["actor"]) for one in noted] == [("ada", "dan"), ("ada", "ada")]

    tablet = session_of("ada")
    number = listed(tablet)[0]["id"]
    ended = setpoint_command("sessions", "end", str(number), "--reason", "lost", "--yes")
    assert ended.code == 0, ended.err
    assert setpoint_command("sessions", "end", str(number), "--yes").code == 4


def test_all_others_end_at_once(session_of, http_as, owner_url):
    """The one that asks stays; tokens and other people's sessions do, too."""
    desk, phone, bo = session_of("ada"), session_of("ada"), session_of("bo")
    token = {"Authorization": f"Bearer {credential(owner_url, 'ada', 'token')}"}
    assert phone.delete("/v1/sessions").status_code == 204
    assert [one["is_this"] for one in listed(phone)] == [True]
    assert (desk.get("/v1/me").status_code, bo.get("/v1/me").status_code) == (401, 200)
    assert phone.get("/v1/me", headers=token).status_code == 200


def test_what_decides_asks_a_session_for_a_fresh_proof_at_every_door(
    session_of, http_as, token_of, owner_url
):
    """After 15 minutes policies, accounts and tokens are refused over HTTP too, until it is proven again."""
    dan = session_of("dan")
    grown_old(owner_url, "dan")
    policy = {"approvals": 1, "reason": "four eyes"}
    deciding = [
        ("PUT", "/v1/policies/*/*", policy),
        ("POST", "/v1/accounts", {"name": "fay", "roles": []}),
        ("PATCH", "/v1/accounts/ada", {"disabled": True}),
        ("POST", "/v1/accounts/ada/once", None),
        ("POST", "/v1/tokens", {"label": "x"}),
    ]
    for method, path, body in deciding:
        told = dan.request(method, path, json=body)
        assert (told.status_code, told.json()["code"]) == (403, "proof_needed"), path
        assert "POST /v1/me/proof" in told.json()["hint"]
    assert dan.get("/v1/accounts").status_code == 200
    assert dan.post("/v1/me/proof", json={"password": "not this one"}).status_code == 403
    assert dan.put(*deciding[0][1:2], json=policy).status_code == 403
    assert dan.post("/v1/me/proof", json={"password": PASSWORD}).status_code == 204
    assert dan.put("/v1/policies/*/*", json=policy).status_code == 200
    assert dan.post("/v1/accounts", json={"name": "fay", "roles": []}).status_code == 201

    # A token is no session: it has no proof to give, and may decide nothing about people.
    robot = token_of("dan")
    assert robot.post("/v1/me/proof", json={"password": PASSWORD}).status_code == 403
    assert robot.put("/v1/policies/*/value", json=policy).status_code == 202


def test_guesses_of_a_proof_have_to_wait(session_of, owner_url):
    """A session that was stolen is no way to try passwords: they count as those at the login do."""
    ada = session_of("ada")
    statuses = [ada.post("/v1/me/proof", json={"password": "wrong"}).status_code for _ in range(7)]
    assert statuses[:5] == [403] * 5
    assert statuses[-1] == 429
    assert ada.post("/v1/me/proof", json={"password": PASSWORD}).status_code == 429
