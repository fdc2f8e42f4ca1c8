"""What a one-time login opens: everything but deciding, and tokens of its account, in the person's name."""

import httpx
import psycopg
import pytest

from setpoint.serve.access.appointments import one_time_login
from support.planes import credential, set_password

PASSWORD = "a long enough password"
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def proposed(seeded, http_as):
    """Ada's change of global that waits for a decision."""
    made = http_as("ada").post(
        "/v1/changes", json={"scope": "global", "base": 1, "set": {KEY: 0.07}, "reason": "slower"}
    )
    assert made.status_code == 201, made.text
    return made.json()


@pytest.fixture
def entered_as(plane, http_as):
    """``entered_as("bo")`` is a client that uses a one-time login of Bo's which Dan, an admin, printed."""
    opened = []

    def enter(account, door="dan"):
        once = http_as(door).post(f"/v1/accounts/{account}/once").json()["once"]
        client = httpx.Client(base_url=plane, timeout=60)
        opened.append(client)
        session = client.post("/v1/sessions", json={"once": once})
        assert session.status_code == 201, session.text
        client.headers["X-CSRF-Token"] = session.json()["csrf_token"]
        return client

    yield enter
    for client in opened:
        client.close()


def decide(client, change, decision):
    body = {"proposal_hash": change["proposal_hash"]}
    return client.post(f"/v1/changes/{change['id']}/{decision}", json=body)


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_whoever_printed_a_login_does_not_decide_with_it(entered_as, proposed, http_as, decision):
    """A session of a one-time login of an approver's is refused, and the change still waits."""
    refused = decide(entered_as("bo"), proposed, decision)

    assert (refused.status_code, "one-time login" in refused.json()["detail"]) == (403, True)
    assert "password" in refused.json()["hint"]
    found = http_as("cy").get(f"/v1/changes/{proposed['id']}").json()
    assert (found["state"], found["decisions"]) == (proposed["state"], [])


def test_a_person_decides_after_a_login_with_their_own_password(entered_as, proposed):
    """Setting the password is not enough: the session of the one-time login never decides."""
    bo = entered_as("bo")
    assert bo.put("/v1/me/password", json={"new": PASSWORD}).status_code == 204
    assert decide(bo, proposed, "approve").status_code == 403
    assert bo.put("/v1/me/password", json={"new": "and once more so"}).status_code == 403

    session = bo.post("/v1/sessions", json={"account": "bo", "password": PASSWORD})
    bo.headers["X-CSRF-Token"] = session.json()["csrf_token"]
    approved = decide(bo, proposed, "approve")

    assert approved.status_code == 200, approved.text
    assert approved.json()["decisions"][0]["proof"] == "account-session"


def test_a_one_time_login_printed_within_one_is_no_better(entered_as, owner_url, proposed, plane, http_as):
    """An approver who is also an admin prints no login that hides whose it was."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE accounts SET roles = '{admin,approver}' WHERE name = 'bo'")
    bo = entered_as("bo")
    once = bo.post("/v1/accounts/bo/once").json()["once"]
    with httpx.Client(base_url=plane) as again:
        session = again.post("/v1/sessions", json={"once": once})
        again.headers["X-CSRF-Token"] = session.json()["csrf_token"]
        assert decide(again, proposed, "approve").status_code == 403


def test_a_one_time_login_makes_no_token_of_its_account(entered_as, http_as):
    """A token would act in the person's name for months without telling how it came about."""
    made = entered_as("ada").post("/v1/tokens", json={"label": "kept"})

    assert (made.status_code, "one-time login" in made.json()["detail"]) == (403, True)
    assert http_as("dan").get("/v1/tokens").json()["items"] == []


def test_what_is_written_by_a_one_time_login_says_so(entered_as, seeded, http_as):
    """History tells such a write from one of a person who logged in."""
    edited = entered_as("ada").patch(
        "/v1/config/global", json={"set": {KEY: 0.07}, "reason": "slower"}, headers={"If-Match": '"1"'}
    )

    assert edited.status_code == 200, edited.text
    written = http_as("cy").get(f"/v1/revisions/{edited.json()['revision']}").json()
    assert (written["updated_by"], written["proof"]) == ("ada", "one-time-login")


def test_the_first_admin_administers_with_the_printed_login(plane, settings, http_as):
    """The one that the owner of the database printed keeps accounts and robots' tokens at once."""
    http_as("cy")
    with httpx.Client(base_url=plane) as admin:
        session = admin.post("/v1/sessions", json={"once": one_time_login(settings)[0]})
        admin.headers["X-CSRF-Token"] = session.json()["csrf_token"]
        made = admin.post("/v1/accounts", json={"name": "fay", "roles": ["viewer"]})
        assert made.status_code == 201, made.text
        token = admin.post("/v1/tokens", json={"label": "sweep", "account": "robot"})
        assert token.status_code == 201, token.text


def test_a_link_that_an_admin_makes_ends_the_ways_in_that_were(plane, http_as, owner_url):
    """Whoever points Bo's account at another person cannot do it unnoticed: Bo's password opens nothing."""
    http_as("bo")
    set_password(owner_url, "bo", PASSWORD)
    token = credential(owner_url, "bo", "token")
    with psycopg.connect(owner_url) as owner:
        owner.execute("INSERT INTO identity_providers VALUES ('https://id.example', '{viewer}')")
    identity = {"issuer": "https://id.example", "subject": "somebody"}
    assert http_as("bo").get("/v1/me").status_code == 200
    assert http_as("dan").put("/v1/accounts/bo/identity", json=identity).status_code == 204

    assert http_as("bo").get("/v1/me").status_code == 401
    refused = httpx.post(f"{plane}/v1/sessions", json={"account": "bo", "password": PASSWORD})
    assert refused.status_code == 401
    assert httpx.get(f"{plane}/v1/me", headers={"X-API-Key": token}).status_code == 200
