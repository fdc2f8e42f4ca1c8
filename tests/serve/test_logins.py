"""Sessions, tokens and accounts over HTTP: who comes in, who does not, and what ends at once."""

import time
from dataclasses import replace

import httpx
import psycopg
import pytest

from setpoint.errors import ForbiddenError, TooManyRequests, UnauthenticatedError
from setpoint.serve.access import passwords, rules
from setpoint.serve.access.rules import SECURE_COOKIE, SESSION_COOKIE, credential_in, csrf_token
from setpoint.serve.access.secret import SESSION, digest, new_secret
from setpoint.serve.limits import MOST_BUCKETS, Limits
from setpoint.store.database import SERVER, Database
from setpoint.store.follower import SCAN_EVERY_S
from support.planes import credential, serving_plane, set_password
from support.waiting import wait_for

PASSWORD = "a long enough password"
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"


@pytest.fixture
def browser(plane, http_as, owner_url):
    """Somebody's browser, and Ada with a password."""
    set_password(owner_url, "ada", PASSWORD)
    with httpx.Client(base_url=plane) as client:
        yield client


def log_in(client, account="ada", password=PASSWORD, **headers):
    return client.post("/v1/sessions", json={"account": account, "password": password}, headers=headers)


def audit(http_as, **query):
    return http_as("dan").get("/v1/audit", params=query).json()["items"]


def test_a_login_opens_a_session_of_its_own(browser, http_as):
    """The session is new whatever cookie the browser held before, and scripts cannot read it."""
    browser.cookies.set(SESSION_COOKIE, planted := new_secret(SESSION))
    answer = log_in(browser)

    assert answer.status_code == 201, answer.text
    cookie = answer.headers["set-cookie"]
    assert planted not in cookie
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert answer.json()["account"] == "ada"
    (noted,) = audit(http_as, account="ada")
    assert noted["event"] == "login_ok"
    # The first instant is in, the last is not.
    assert audit(http_as, account="ada", since=noted["at"]) == [noted]
    assert audit(http_as, account="ada", until=noted["at"]) == []
    refused = http_as("dan").get("/v1/audit", params={"since": "2026-06-01"})
    assert refused.status_code == 422, "an instant without an offset is a guess"


def test_a_cookie_writes_only_with_its_csrf_token(browser, seeded):
    """A read needs the cookie alone; a write also the token of this very session."""
    log_in(browser)
    token = browser.get("/v1/me").json()["csrf_token"]
    revision = browser.get("/v1/config/global").headers["ETag"]
    request = {"json": {"set": {KEY: 0.07}, "reason": "slower"}}
    for given in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": csrf_token(new_secret(SESSION))}):
        refused = browser.patch("/v1/config/global", headers={"If-Match": revision, **given}, **request)
        assert (refused.status_code, "CSRF" in refused.json()["detail"]) == (403, True)
    made = browser.patch(
        "/v1/config/global", headers={"If-Match": revision, "X-CSRF-Token": token}, **request
    )
    assert made.status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}]
)
def test_another_site_cannot_log_a_browser_in(browser, headers):
    """Its victim would work in the attacker's account."""
    answer = log_in(browser, **headers)

    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"account": "ada"},
        {"password": PASSWORD},
        {"account": "ada", "password": PASSWORD, "once": "spo_x"},
        {"account": "ada", "password": "x" * 1025},
        {"account": "ada", "password": 1},
        {"account": "ada", "password": PASSWORD, "admin": True},
    ],
)
def test_a_malformed_login_is_refused_without_repeating_it(browser, body):
    """422, and nothing of what was sent."""
    answer = browser.post("/v1/sessions", json=body)

    assert answer.status_code == 422
    assert PASSWORD not in answer.text


def test_who_fails_too_often_waits_and_others_do_not(browser, http_as, owner_url):
    """After five failures the sixth is 429 even with the right password; another account is unaffected."""
    set_password(owner_url, "cy", "another long password")
    for _ in range(5):
        assert log_in(browser, password="wrong").status_code == 401
    waits = log_in(browser)

    assert waits.status_code == 429
    assert 1 <= int(waits.headers["Retry-After"]) <= 2
    assert log_in(browser, "cy", "another long password").status_code == 201
    events = [row["event"] for row in audit(http_as, account="ada")]
    assert events == ["login_throttled", *["login_failed"] * 5]
    # The wait is over when the clock of the database says so.
    with psycopg.connect(owner_url) as connection:
        connection.execute("ALTER TABLE access_log DISABLE TRIGGER append_only")
        connection.execute(
            "UPDATE access_log SET at = at - interval '3 seconds' WHERE event = 'login_failed'"
        )
    assert log_in(browser).status_code == 201


def test_an_address_that_tries_many_names_waits(browser, served):
    """Thirty failures of whatever accounts make the whole address wait, on every server."""
    with Database.open(served, SERVER) as other:
        for number in range(31):
            other.fetch_one(
                "open_session_by_password",
                name=f"n{number}",
                key=b"k",
                hash=digest(f"{number}"),
                remote="127.0.0.1",
            )
        other.fetch_one("open_session_once", secret="x", hash=digest("y"), remote="127.0.0.1")
    assert log_in(browser).status_code == 429
    assert browser.post("/v1/sessions", json={"once": "spo_x"}).status_code == 429


def test_an_address_of_ipv6_waits_with_its_whole_network(served):
    """A caller of IPv6 has 2**64 addresses: failures from any of its /64 count together, and no others."""
    with Database.open(served, SERVER) as server:
        for number in range(31):
            server.fetch_one(
                "open_session_by_password",
                name=f"n{number}",
                key=b"k",
                hash=digest(f"{number}"),
                remote=f"2001:db8:1:2::{number:x}",
            )
        waits = {
            remote: server.fetch_one("login_facts", name="somebody", remote=remote)["wait_s"]
            for remote in ("2001:db8:1:2:ffff::1", "2001:db8:1:3::1", "192.0.2.1", "no address: at all")
        }
    assert [wait_s > 0 for wait_s in waits.values()] == [True, False, False, False]


def test_requests_of_ipv6_are_counted_by_network():
    """One /64 has one bucket, another its own; what is no address counts for itself."""
    limits = Limits(1, 0.1, clock=lambda: 0.0)
    limits.admit("address", "2001:db8:1:2::1")
    for same in ("2001:db8:1:2::2", "2001:db8:1:2:ffff::1%eth0"):
        with pytest.raises(TooManyRequests):
            limits.admit("address", same)
    for other in ("2001:db8:1:3::1", "192.0.2.1", "192.0.2.2", ":"):
        limits.admit("address", other)


def test_an_unknown_account_is_hashed_like_a_known_one(browser, monkeypatch):
    """Both cost one Argon2 and get the same answer."""
    hashed = []
    key_of = passwords.key_of
    monkeypatch.setattr(passwords, "key_of", lambda *given: hashed.append(given[1]) or key_of(*given))
    known, unknown = log_in(browser, password="wrong"), log_in(browser, "nobody", "wrong")
    disabled = log_in(browser, "bo", "wrong")

    same = [
        {k: v for k, v in answer.json().items() if k != "request_id"} for answer in (known, unknown, disabled)
    ]
    assert same[0] == same[1] == same[2]
    assert len(hashed) == 3
    assert len({parameters.rpartition("$")[0] for parameters in hashed}) == 1


def test_a_password_kept_under_old_costs_is_kept_anew(browser, owner_url, monkeypatch):
    """After the profile moved on, the next login keeps the same password under the new costs."""
    monkeypatch.setattr(passwords, "_COSTS", passwords._COSTS.replace("t=3", "t=4"))
    assert log_in(browser).status_code == 201
    with psycopg.connect(owner_url) as connection:
        (kept,) = connection.execute("SELECT password_parameters FROM accounts WHERE name = 'ada'").fetchone()
    assert "t=4" in kept
    assert log_in(browser).status_code == 201


def test_a_password_is_set_by_who_knows_the_old_one_and_ends_other_sessions(browser, http_as):
    """Too short is refused, the wrong old one too; afterwards only the session that set it goes on."""
    elsewhere = http_as("ada")
    token = log_in(browser).json()["csrf_token"]

    def put(**body):
        return browser.put("/v1/me/password", json=body, headers={"X-CSRF-Token": token})

    assert put(current=PASSWORD, new="eleven char").status_code == 422
    assert put(current="wrong", new="another long password").status_code == 403
    assert put(new="another long password").status_code == 403
    assert elsewhere.get("/v1/me").status_code == 200
    assert put(current=PASSWORD, new="another long password").status_code == 204
    assert elsewhere.get("/v1/me").status_code == 401
    assert browser.get("/v1/me").status_code == 200
    assert log_in(browser, password=PASSWORD).status_code == 401
    assert log_in(browser, password="another long password").status_code == 201


def test_a_revoked_token_is_refused_at_once(http_as, plane):
    """A token is shown once, works, is refused after its revocation, and no other account sees it."""
    made = http_as("ada").post("/v1/tokens", json={"label": "laptop", "days": 1, "roles": ["config_write"]})
    assert made.status_code == 201, made.text
    token, number = made.json()["token"], made.json()["id"]
    with httpx.Client(base_url=plane, headers={"X-API-Key": token}) as job:
        assert job.get("/v1/me").json()["kind"] == "token"
        (listed,) = http_as("ada").get("/v1/tokens").json()["items"]
        assert (listed["label"], listed["last_used_from"], token in str(listed)) == (
            "laptop",
            "127.0.0.1",
            False,
        )
        assert http_as("cy").get("/v1/tokens").json()["items"] == []
        assert http_as("cy").delete(f"/v1/tokens/{number}").status_code == 404
        assert job.post("/v1/tokens", json={"label": "child"}).status_code == 403
        assert job.delete("/v1/sessions/current").status_code == 403
        assert http_as("dan").delete(f"/v1/tokens/{number}").status_code == 204
        assert job.get("/v1/me").status_code == 401
    events = [row["event"] for row in audit(http_as, account="ada")]
    assert events[:3] == ["token_revoked", "credential_used", "token_issued"]


@pytest.mark.parametrize(
    ("account", "body", "status"),
    [
        ("ada", {"label": "x", "roles": ["admin"]}, 422),
        ("ada", {"label": "x", "roles": []}, 422),
        ("ada", {"label": " "}, 422),
        ("ada", {"label": "x", "days": 367}, 422),
        ("ada", {"label": "x", "account": "cy"}, 403),
        ("dan", {"label": "x", "account": "cy"}, 403),
        ("dan", {"label": "x", "account": "robot"}, 201),
        ("dan", {"label": "x", "account": "nobody"}, 403),
        ("stranger", {"label": "x"}, 201),
    ],
)
def test_a_token_is_its_own_accounts_and_no_more_than_it(http_as, account, body, status):
    """Some of the account's roles, a label, an end; an admin makes them for robots alone."""
    assert http_as(account).post("/v1/tokens", json=body).status_code == status


def test_an_answer_with_a_secret_takes_no_idempotency_key(http_as, owner_url):
    """It would have to be stored to be given again; 422, and nothing was made."""
    headers = {"Idempotency-Key": "k"}
    for path in ("/v1/tokens", "/v1/accounts/ada/once"):
        answer = http_as("dan").post(path, json={"label": "x"}, headers=headers)
        assert (answer.status_code, "Idempotency-Key" in answer.json()["hint"]) == (422, True)
    assert http_as("dan").get("/v1/tokens").json()["items"] == []


def test_what_an_admin_takes_away_is_gone_from_sessions_and_tokens(http_as, plane, owner_url):
    """A role taken from the account leaves its tokens; disabling ends all, and enabling revives none."""
    session = http_as("ada")
    token = credential(owner_url, "ada", "token")
    with httpx.Client(base_url=plane, headers={"Authorization": f"Bearer {token}"}) as job:
        assert session.get("/v1/me").status_code == 200
        assert job.get("/v1/me").json()["roles"] == ["config_write"]
        assert http_as("dan").patch("/v1/accounts/ada", json={"roles": ["viewer"]}).status_code == 200
        assert job.get("/v1/me").json()["roles"] == ["viewer"]
        for disabled in (True, False):
            http_as("dan").patch("/v1/accounts/ada", json={"disabled": disabled})
            assert (job.get("/v1/me").status_code, session.get("/v1/me").status_code) == (401, 401)


def test_a_revocation_by_somebody_else_is_heard_within_seconds(http_as, owner_url):
    """What another process does to a credential is believed after five seconds at the latest."""
    ada = http_as("ada")
    assert ada.get("/v1/me").status_code == 200
    with psycopg.connect(owner_url) as connection:
        connection.execute("UPDATE credentials SET revoked_at = now() WHERE account = 'ada'")
    wait_for(lambda: ada.get("/v1/me").status_code, "the revocation", until=401)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda dan, number: dan.delete(f"/v1/tokens/{number}"), 401),
        (lambda dan, _: dan.patch("/v1/accounts/ada", json={"disabled": True}), 401),
        (lambda dan, _: dan.patch("/v1/accounts/ada", json={"roles": []}), 403),
    ],
    ids=["revoked", "disabled", "without a role"],
)
def test_another_server_hears_of_a_revocation(http_as, served, catalogues, monkeypatch, end, status):
    """What is done through one server is told to the other, which would otherwise believe it for an hour."""
    monkeypatch.setattr(rules, "_BELIEVED_S", 3600.0)
    made = http_as("ada").post("/v1/tokens", json={"label": "job"}).json()
    with (
        serving_plane(served, catalogues) as other,
        httpx.Client(base_url=other, headers={"X-API-Key": made["token"]}) as job,
    ):
        assert job.get("/v1/scopes").status_code == 200
        time.sleep(2 * SCAN_EVERY_S)  # the follower has told all that was before
        assert job.get("/v1/scopes").status_code == 200
        assert end(http_as("dan"), made["id"]).is_success
        wait_for(lambda: job.get("/v1/scopes").status_code, "the other's news", until=status)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/accounts", {"name": "ada", "roles": []}, 409),
        ("POST", "/v1/accounts", {"name": "Ada", "roles": []}, 422),
        ("POST", "/v1/accounts", {"name": "x", "roles": ["king"]}, 422),
        ("POST", "/v1/accounts", {"name": "x", "roles": ["robot", "approver"]}, 422),
        ("PATCH", "/v1/accounts/dan", {"roles": ["viewer"]}, 409),
        ("PATCH", "/v1/accounts/nobody", {"roles": ["viewer"]}, 404),
        ("GET", "/v1/accounts/nobody", None, 404),
        ("POST", "/v1/accounts/robot/once", None, 409),
        ("PUT", "/v1/accounts/ada/identity", {"issuer": "https://a", "subject": "b"}, 404),
    ],
)
def test_an_admin_is_told_what_cannot_be(http_as, method, path, body, status):
    """Names that exist, roles that do not, robots that approve, and the last admin."""
    answer = http_as("dan").request(method, path, json=body)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_admins_token_keeps_no_accounts(plane, http_as, owner_url):
    """A token that could make accounts would outlive its own revocation."""
    headers = {"Authorization": f"Bearer {credential(owner_url, 'dan', 'token')}"}
    answer = httpx.post(f"{plane}/v1/accounts", json={"name": "x", "roles": []}, headers=headers)

    assert (answer.status_code, "session" in answer.json()["detail"]) == (403, True)


def test_over_https_only_the_cookie_that_nobody_can_plant_counts():
    """Another host of the domain may set the plain name, never the prefixed one."""
    planted = {SESSION_COOKIE: "theirs"}
    assert credential_in({}, planted, "GET") == "theirs"
    with pytest.raises(UnauthenticatedError):
        credential_in({}, planted, "GET", SECURE_COOKIE)
    assert credential_in({}, {**planted, SECURE_COOKIE: "ours"}, "GET", SECURE_COOKIE) == "ours"


def test_the_database_refuses_a_forged_credential(served):
    """A secret that nobody holds is SP401 in every transaction that presents it and asks who this is."""
    with Database.open(served, SERVER) as server:
        for query, params in (
            ("read_accounts", {"name": None, "after": None, "limit": None}),
            ("read_tokens", {"after": None, "limit": 1}),
        ):
            with pytest.raises(UnauthenticatedError), server.transaction(credential="spt_forged") as forged:
                forged.fetch_all(query, **params)


@pytest.mark.parametrize("role", ["setpoint_app", "setpoint_server"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT password_verifier FROM accounts",
        "SELECT hash FROM credentials",
        "INSERT INTO accounts (name, roles, created_by) VALUES ('x', '{admin}', 'x')",
        "UPDATE accounts SET roles = '{admin}'",
        "UPDATE credentials SET revoked_at = NULL",
        "INSERT INTO access_log (event, account) VALUES ('login_ok', 'x')",
        "UPDATE access_log SET account = 'x'",
        "DELETE FROM access_log",
        "TRUNCATE access_log",
        "INSERT INTO ftf_config (scope, base_env) VALUES ('x', '{}')",
        "UPDATE ftf_config SET base_env = '{}'",
        "DELETE FROM ftf_config",
        "INSERT INTO ftf_config_history (scope) VALUES ('x')",
        "UPDATE ftf_config_history SET updated_by = 'x'",
        "DELETE FROM ftf_config_history",
        "TRUNCATE ftf_config_history",
        "INSERT INTO identity_providers VALUES ('https://a', '{admin}')",
        "SELECT start_session('ada', '', 'x', 'x', 'x')",
        "SELECT note_access('x', 'x', 'x', 1, 'x', '{}')",
    ],
)
def test_neither_application_nor_server_reads_hashes_or_rewrites_what_was(server, clone, role, statement):
    """PostgreSQL's privileges refuse it, whoever is logged in through the plane."""
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with psycopg.connect(server.url(clone, login=role)) as connection, refused:
        connection.execute(statement)


def test_the_application_logs_nobody_in(app_url):
    """What opens sessions is for the plane's role alone."""
    with psycopg.connect(app_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM open_session_by_password('ada', '', '', '')")


def test_an_approval_counts_in_a_session_and_not_with_a_token(seeded, http_as, owner_url, served):
    """Bo's session approves, his token does not, the author never; a robot cannot be an approver."""
    http_as("bo")
    with psycopg.connect(owner_url) as owner:
        owner.execute("UPDATE policies SET approvals = 1, solo = false")
        owner.execute("UPDATE accounts SET roles = '{approver,config_write}' WHERE name = 'ada'")
        with pytest.raises(psycopg.errors.CheckViolation), owner.transaction():
            owner.execute("UPDATE accounts SET roles = '{robot,approver}' WHERE name = 'bo'")
    revision = http_as("ada").get("/v1/config/global").headers["ETag"]
    waits = http_as("ada").patch(
        "/v1/config/global", json={"set": {KEY: 0.07}, "reason": "slower"}, headers={"If-Match": revision}
    )
    assert waits.status_code == 202, waits.text
    number, proposal = waits.json()["change"], waits.json()["proposal_hash"]
    with Database.open(served, SERVER) as plane:

        def approve(secret):
            with plane.transaction(credential=secret) as transaction:
                return transaction.fetch_all(
                    "decide_change", id=number, decision="approve", proposal_hash=proposal, words=""
                )

        for secret in (
            credential(owner_url, "ada"),
            credential(owner_url, "bo", "token"),
            credential(owner_url, "cy"),
            credential(owner_url, "robot"),
        ):
            with pytest.raises(ForbiddenError):
                approve(secret)
        assert approve(credential(owner_url, "bo"))


def test_a_bucket_empties_and_fills_and_there_is_an_end_to_buckets():
    """Ten seconds' worth at once, then the rate; credentials and addresses apart; memory is bounded."""
    now = [0.0]
    limits = Limits(1.0, 0.5, clock=lambda: now[0])
    for _ in range(10):
        limits.admit("credential", "1")
    with pytest.raises(Exception, match="requests a second") as caught:
        limits.admit("credential", "1")
    assert caught.value.where["retry_after_s"] == 1
    limits.admit("address", "1")
    now[0] = 1.0
    limits.admit("credential", "1")
    for number in range(MOST_BUCKETS + 10):
        limits.admit("address", str(number))
    assert len(limits._buckets) == MOST_BUCKETS


def test_a_flood_without_a_known_credential_is_slowed_down(served, catalogues):
    """Inventing credentials does not help; the answer says when to come back."""
    with (
        serving_plane(replace(served, rate_per_address_s=0.05), catalogues) as url,
        httpx.Client(base_url=url) as flood,
    ):
        statuses = [
            flood.get("/v1/me", headers={"X-API-Key": new_secret("spt_")}).status_code for _ in range(3)
        ]
        refused = flood.get("/health/live")
    assert statuses == [401, 429, 429]  # the next is let in after twenty seconds
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["x-request-id"]
