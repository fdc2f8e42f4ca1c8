"""Passkeys: a second factor that is bound to the plane, the session, the account and one challenge."""

import html
import json
import re
from dataclasses import replace

import httpx
import psycopg
import pytest

from support.authenticator import Authenticator
from support.planes import open_accounts, serving_plane, set_password

PUBLIC = "http://localhost:8455"
PASSWORD = "a long enough password"


@pytest.fixture
def front(served, catalogues, owner_url):
    """The URL of a plane that has a name, and people with passwords."""
    open_accounts(owner_url)
    for account in ("ada", "bo", "dan"):
        set_password(owner_url, account, PASSWORD)
    with serving_plane(replace(served, public_url=PUBLIC), catalogues) as url:
        yield url


@pytest.fixture
def browser(front):
    """``browser()`` is a browser that nobody has used yet."""
    opened = []

    def new():
        opened.append(httpx.Client(base_url=front, timeout=60))
        return opened[-1]

    yield new
    for one in opened:
        one.close()


def options_in(answer):
    """Return what a page asks a device for."""
    found = re.search(r'data-passkey="([^"]+)"', answer.text)
    assert found, answer.text
    return json.loads(html.unescape(found[1]))


def fields_of(page, **more):
    return {"csrf_token": re.search(r'name="csrf_token" value="(\w+)"', page)[1], **more}


def log_in(client, account="ada", **more):
    return client.post("/login", data={"account": account, "password": PASSWORD, **more})


def add(client, device, **lies):
    """Add a device's passkey on the page of one's own account; returns the answer."""
    token = fields_of(client.get("/account").text)
    asked = client.post("/account/passkeys/new", data=token)
    made = device.create(options_in(asked), **lies)
    return client.post("/account/passkeys", data={**token, "label": "the laptop", "answer": made})


@pytest.fixture
def device(browser):
    """Ada's device, whose passkey she has added."""
    client, held = browser(), Authenticator(PUBLIC)
    log_in(client)
    assert add(client, held).status_code == 303
    return held


def test_a_password_alone_logs_nobody_in_who_has_a_passkey(browser, device):
    """The passkey completes the login, and proves who it is later; both are in the list of sessions."""
    client = browser()
    asked = log_in(client, next="/config")
    assert (asked.status_code, client.get("/v1/me").status_code) == (200, 401)
    begun = client.cookies["setpoint_begun"]
    assert client.get("/v1/me", headers={"Authorization": f"Bearer {begun}"}).status_code == 401
    done = client.post("/login/passkey", data={"answer": device.get(options_in(asked)), "next": "/config"})
    assert (done.status_code, done.headers["location"]) == (303, "/config")
    assert client.get("/v1/me").json()["account"] == "ada"
    account = client.get("/account").text
    assert "password and passkey" in account
    assert "the laptop" in account

    page = client.get("/proof")
    proof = fields_of(page.text, answer=device.get(options_in(page)))
    assert client.post("/proof", data=proof).status_code == 303
    assert client.post("/proof", data=proof).status_code == 403  # what was signed was taken

    program = httpx.post(f"{client.base_url}/v1/sessions", json={"account": "ada", "password": PASSWORD})
    assert (program.status_code, program.json()["code"]) == (403, "proof_needed")


@pytest.mark.parametrize(
    "lies",
    [
        {"origin": "http://localhost:9999"},
        {"origin": "https://evil.example"},
        {"host": "evil.example"},
        {"challenge": "A" * 43},
        {"unverified": True},
        {"spoil": True},
        {"count": 1},
    ],
    ids=lambda lies: next(iter(lies)),
)
def test_an_answer_that_is_not_for_this_login_is_refused(browser, device, lies):
    """Wrong origin, host, challenge, person, signature or count: nobody comes in, and it is begun again."""
    client = browser()
    asked = log_in(client)
    refused = client.post("/login/passkey", data={"answer": device.get(options_in(asked), **lies)})
    assert refused.status_code == 403
    again = client.post("/login/passkey", data={"answer": device.get(options_in(asked))})
    assert (again.status_code, client.get("/v1/me").status_code) == (401, 401)


def test_an_answer_is_good_once_and_for_one_login(browser, device):
    """One that somebody recorded opens nothing, in its own login or another's."""
    first, second = browser(), browser()
    answer = device.get(options_in(log_in(first)))
    begun = first.cookies["setpoint_begun"]
    assert first.post("/login/passkey", data={"answer": answer}).status_code == 303
    replayed = httpx.post(
        f"{first.base_url}/login/passkey",
        data={"answer": answer},
        headers={"Cookie": f"setpoint_begun={begun}"},
    )
    assert replayed.status_code == 401
    log_in(second)
    assert second.post("/login/passkey", data={"answer": answer}).status_code == 403
    for nonsense in ("", "[1]", '{"id": 1}'):
        log_in(second)
        assert second.post("/login/passkey", data={"answer": nonsense}).status_code == 403, nonsense
    assert second.post("/login/passkey", headers={"Origin": "https://evil.example"}).status_code == 403


def test_another_accounts_passkey_opens_nothing(browser, device):
    """Bo's device answers in Ada's login, and Ada's proves nothing in Bo's session."""
    client, bos = browser(), Authenticator(PUBLIC, counts=False)
    log_in(client, "bo")
    assert add(client, bos).status_code == 303
    stranger = browser()
    asked = log_in(stranger)
    assert stranger.post("/login/passkey", data={"answer": bos.get(options_in(asked))}).status_code == 403
    page = client.get("/proof")
    forged = fields_of(page.text, answer=device.get(options_in(page)))
    assert client.post("/proof", data=forged).status_code == 403
    page = client.get("/proof")
    assert (
        client.post("/proof", data=fields_of(page.text, answer=bos.get(options_in(page)))).status_code == 303
    )


def test_a_passkey_is_added_after_a_fresh_proof_of_this_session_alone(browser, owner_url):
    """Not made elsewhere, twice, unverified, by an old proof, by a one-time login, or without a password."""
    client, device = browser(), Authenticator(PUBLIC)
    log_in(client)
    for lies in ({"origin": "https://evil.example"}, {"challenge": "A" * 43}, {"unverified": True}):
        assert add(client, device, **lies).status_code == 403, lies
    assert add(client, device).status_code == 303
    assert add(client, device).status_code in {403, 409}
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE credentials SET proven_at = proven_at - interval '16 minutes'")
    token = fields_of(client.get("/account").text)
    assert "Prove that it is you" in client.post("/account/passkeys/new", data=token).text
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE credentials SET label = 'once', proven_at = now()")
    refused = client.post("/account/passkeys/new", data=token)
    assert (refused.status_code, "goes with a password" in refused.text) == (403, True)


def test_a_lost_passkey_is_removed_by_an_admin_or_after_a_one_time_login(browser, device, owner_url):
    """Then the password alone logs in again; nobody else can remove it."""
    bo, dan = browser(), browser()
    log_in(bo, "bo")
    log_in(dan, "dan")
    page = dan.get("/access/ada").text
    number = re.search(r"/account/passkeys/(\d+)/remove", page)[1]
    path = f"/account/passkeys/{number}/remove"
    assert bo.post(path, data=fields_of(bo.get("/account").text)).status_code == 404
    assert dan.post(path, data=fields_of(page, back="access/ada")).headers["location"] == "/access/ada"
    client = browser()
    assert log_in(client).status_code == 303
    with psycopg.connect(owner_url) as owner:
        events = owner.execute(
            "SELECT event FROM access_log WHERE event LIKE 'passkey%' ORDER BY id"
        ).fetchall()
    assert events == [("passkey_added",), ("passkey_removed",)]


def test_a_plane_without_a_name_says_why_it_takes_no_passkey(person):
    """The button is there, disabled, with its reason."""
    page = person("ada").read("/account")
    assert "SETPOINT_PUBLIC_URL has to give it one" in page
    assert re.search(r"<button[^>]* disabled[^>]*>Add a passkey<", page)


def test_passkeys_are_listed_and_removed_without_a_browser(browser, device, setpoint_command):
    """By the API one's own, as an admin anybody's; by the command all; one that is gone is missing."""
    ada, dan, bo = browser(), browser(), browser()
    ada.post("/login/passkey", data={"answer": device.get(options_in(log_in(ada)))})
    for client, account in ((dan, "dan"), (bo, "bo")):
        log_in(client, account)
    seen = {name: one.get("/v1/passkeys").json()["items"] for name, one in (("ada", ada), ("dan", dan))}
    assert [(one["account"], one["label"]) for one in seen["ada"]] == [("ada", "the laptop")]
    assert seen["ada"] == seen["dan"]
    assert bo.get("/v1/passkeys").json()["items"] == []
    number = seen["ada"][0]["id"]
    listed = setpoint_command("passkeys", "list", "ada", "--json").json
    assert [one["id"] for one in listed] == [number]
    assert setpoint_command("passkeys", "list", "bo", "--json").json == []

    def remove(client, passkey):
        token = client.get("/v1/me").json()["csrf_token"]
        return client.delete(f"/v1/passkeys/{passkey}", headers={"X-CSRF-Token": token}).status_code

    assert remove(bo, number) == 404, "another's is not there"
    assert remove(dan, number) == 204
    assert remove(dan, number) == 404
    assert log_in(browser()).status_code == 303, "the password is enough again"
    added = browser()
    log_in(added)
    assert add(added, Authenticator(PUBLIC)).status_code == 303
    mine = added.get("/v1/passkeys").json()["items"][0]["id"]
    assert "proves nothing" in setpoint_command("passkeys", "remove", str(mine), "-r", "lost", "--yes").out
    assert added.get("/v1/passkeys").json()["items"] == []
