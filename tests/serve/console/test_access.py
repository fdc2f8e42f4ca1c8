"""Accounts on pages: who may do what is kept by an admin, seen by everybody who it is about."""

import re

import httpx
import psycopg
import pytest

from support.browsers import change_in, proposal_in
from support.planes import set_password

PASSWORD = "a long enough password"


def secret_in(answer):
    """Return what a page shows once."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return re.search(r"<code>(sp[to]_[\w-]{43})</code>", answer.text)[1]


def button(page, label):
    """Return whether a button can be pressed, and the reason beside it when it cannot."""
    tag = re.search(rf"<button[^>]*>{re.escape(label)}</button>", page)[0]
    why = re.search(r'aria-describedby="([^"]+)"', tag)
    return "disabled" not in tag, re.search(rf'id="{why[1]}">([^<]+)<', page)[1] if why else ""


def test_an_admin_lets_somebody_in_and_another_admin_confirms_who_it_is(plane, person, owner_url):
    """Made, with roles, a reach and a one-time login, and confirmed by somebody who did not appoint it."""
    dan = person("dan")
    assert dan.send("/access", {"name": "Not A Name"}).status_code == 422
    made = dan.send("/access", {"name": "fay", "role": "config_write"})
    assert made.headers["location"] == "/access/fay"
    dan.send("/access/fay/roles", {"role": "approver"})
    reach = {"scopes:approver": "symbol=* global", "catalogue:approver": "cvntrade"}
    assert dan.send("/access/fay/limits", reach).status_code == 303
    page = dan.read("/access/fay")
    assert 'value="symbol=* global"' in page
    assert "not confirmed beside dan" in dan.read("/access")
    assert button(page, "Confirm who it is") == (
        False,
        "You appointed it or let it in: the owner of the database may.",
    )
    once = secret_in(dan.send("/access/fay/once"))
    with httpx.Client(base_url=plane) as fay:
        assert fay.post("/login", data={"once": once}).status_code == 303
        assert "What you approve does not count on changes of dan" in fay.get("/account").text
        assert fay.post("/login", data={"once": once}).status_code == 401

    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE accounts SET roles = '{admin}' WHERE name = 'eve'")
    eve = person("eve")
    assert button(eve.read("/access/fay"), "Confirm who it is") == (True, "")
    assert eve.send("/access/fay/confirm").status_code == 303
    assert "not confirmed" not in dan.read("/access/fay")
    assert button(dan.read("/access/fay"), "Confirm who it is")[1].startswith("Nothing of it")


def test_who_is_no_admin_sees_their_own_and_whom_to_ask(person):
    """The table holds oneself; each button is there, disabled, with its reason and who may."""
    ada = person("ada")
    page = ada.read("/access")
    assert re.findall(r'href="/access/(\w+)">\w+</a></td><td>', page)[0] == "ada"
    assert "/access/eve" not in page
    assert button(page, "Add this account") == (False, "This needs the role admin: dan may.")
    own = ada.read("/access/ada")
    for label in (
        "Set the roles",
        "Set the limits",
        "Disable it",
        "Confirm who it is",
        "Give a one-time login",
    ):
        assert button(own, label) == (False, "This needs the role admin: dan may."), label
    assert button(own, "Make a token") == (True, "")
    ada.read("/access/bo", 404)
    person("dan").read("/access/nobody", 404)
    assert button(person("dan").read("/access/dan"), "Disable it")[1] == (
        "It is the last admin: appoint another first."
    )
    assert button(person("dan").read("/access/ada"), "Make a token")[1] == (
        "A token of a person is theirs to make: ada may."
    )


def test_a_token_is_made_shown_once_rotated_and_revoked(plane, person):
    """By its own account, or by an admin for a robot; one that ends soon says so."""
    ada, dan = person("ada"), person("dan")
    for wrong in ({"label": ""}, {"label": "x", "days": "many"}, {"label": "x", "days": "400"}):
        assert ada.send("/account/tokens", wrong).status_code == 422
    made = secret_in(
        ada.send("/account/tokens", {"label": "<b>nightly", "days": "1", "role": "config_write"})
    )
    assert httpx.get(f"{plane}/v1/me", headers={"X-API-Key": made}).json()["roles"] == ["config_write"]
    page = ada.get("/account").text
    assert made not in page
    assert "&lt;b&gt;nightly" in page
    number = re.search(r"/account/tokens/(\d+)/rotate", page)[1]
    again = secret_in(ada.send(f"/account/tokens/{number}/rotate", back="account"))
    for token in (made, again):
        assert httpx.get(f"{plane}/v1/me", headers={"X-API-Key": token}).status_code == 200
    assert person("bo").send(f"/account/tokens/{number}/revoke").status_code == 404
    ended = dan.send(f"/account/tokens/{number}/revoke", back="access")
    assert ended.headers["location"] == "/access"
    assert httpx.get(f"{plane}/v1/me", headers={"X-API-Key": made}).status_code == 401

    assert dan.send("/account/tokens", {"label": "x", "account": "bo"}).status_code == 403
    flags = {"label": "a page", "account": "robot", "flags": "yes", "dimensions": "symbol"}
    token = secret_in(dan.send("/account/tokens", flags))
    assert httpx.get(f"{plane}/v1/me", headers={"X-API-Key": token}).status_code == 403
    assert "flags by symbol" in dan.read("/access/robot")


def test_a_token_in_its_last_days_is_marked(person, owner_url):
    """In the list and among one's own; one that lives on is not."""
    cy = person("cy")
    assert "ends soon" not in cy.read("/account")
    with psycopg.connect(owner_url) as owner:
        owner.execute(
            "INSERT INTO credentials (hash, kind, account, label, created_by, created_at, expires_at)"
            " VALUES (sha256('t'), 'token', 'cy', 'x', 'tests', now() - interval '1 year',"
            " now() + interval '9 days')"
        )
    assert "ends soon" in cy.read("/account")
    assert "ends soon" in person("dan").read("/access")


def test_sessions_are_seen_and_ended_on_pages(plane, person, owner_url):
    """Since when, from where, with what and which one is this; one is ended, or all others."""
    ada = person("ada")
    set_password(owner_url, "ada", PASSWORD)
    phones = [httpx.Client(base_url=plane, headers={"User-Agent": b"A phone\x9b31m"}) for _ in range(3)]
    for phone in phones:
        assert phone.post("/login", data={"account": "ada", "password": PASSWORD}).status_code == 303
        assert phone.get("/account").status_code == 200
    page = ada.get("/account").text
    assert "\x9b" not in page
    assert page.count("<strong>this one</strong>") == 1
    assert page.count("A phone") == 3
    number = re.search(r"/account/sessions/(\d+)/end", page)[1]
    assert person("bo").send(f"/account/sessions/{number}/end").status_code == 404
    assert ada.send(f"/account/sessions/{number}/end").headers["location"] == "/account"
    assert sorted(phone.get("/v1/me").status_code for phone in phones) == [200, 200, 401]
    assert ada.send("/account/sessions/end-others").status_code == 303
    assert [phone.get("/v1/me").status_code for phone in phones] == [401] * 3
    assert "End all others" not in ada.read("/account")
    for phone in phones:
        phone.close()


def test_what_a_disabled_account_left_is_taken_over_or_withdrawn(person, asks_for_approval):
    """Disabling ends its sessions; its open change says so, and another writer takes it over on its page."""
    ada, dan, eve = person("ada"), person("dan"), person("eve")
    for sheet in ("xgb/5m/gamma = 0.3", "xgb/1h/gamma = 0.4"):
        number = ada.send("/config/draft", {"scope": "global", "sheet": sheet}).headers["location"]
        form = {"words": "less overfitting", "proposal": proposal_in(ada.read(number))}
        assert change_in(ada.send(f"{number}/propose", form))
    first = re.sub(r"\d+$", lambda found: str(int(found[0]) - 1), number)
    assert dan.send("/access/ada/disable").status_code == 303
    assert ada.get("/").status_code == 303
    page = dan.read("/access/ada")
    assert "2 open changes" in page
    assert "They wait for somebody who takes them over" in page
    assert button(dan.read("/access/ada"), "Give a one-time login")[1] == "It is disabled."
    assert button(person("cy").read(number), "Take over")[1].startswith("Take over: this needs the role")
    taken = eve.send(f"{number}/take-over", proposal=proposal_in(eve.read(number)))
    assert change_in(taken)
    assert "by <strong>eve</strong>" in eve.read(number)
    assert eve.send(f"{first}/withdraw", proposal=proposal_in(eve.read(first))).status_code == 303
    assert "No open change" not in dan.read("/access/ada")
    assert dan.send("/access/ada/enable").status_code == 303
    assert button(dan.read("/access/ada"), "Disable it") == (True, "")


@pytest.mark.parametrize("place", ["/access", "/account", "/access/dan"])
def test_pages_of_access_hold_no_secret_and_no_verifier(person, owner_url, place):
    """What is kept of passwords and secrets is on no page."""
    set_password(owner_url, "dan", PASSWORD)
    page = person("dan").read(place)
    assert "argon2" not in page
    assert person("dan").secret not in page
