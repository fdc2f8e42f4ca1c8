"""Logging in with an identity provider, which may be lied about, replayed, or down."""

import re
import time
from dataclasses import replace

import httpx
import psycopg
import pytest
from joserfc.jwk import RSAKey

from setpoint.errors import UsageError
from setpoint.serve.access.appointments import as_owner
from setpoint.serve.access.oidc import LEEWAY_S, Provider, roles_by_group
from support.identity_provider import CLIENT_ID, asking, serving_identities
from support.planes import open_accounts, serving_plane
from support.waiting import wait_for


@pytest.fixture
def provider():
    with serving_identities() as served:
        yield served


@pytest.fixture
def believing(settings, provider, owner_url):
    """The provider may bring viewers and writers, never admins."""
    with as_owner(settings) as owner:
        owner.execute("believe_provider", issuer=provider.url, roles=["viewer", "config_write"])
    return owner_url


@pytest.fixture
def front(served, catalogues, provider, tmp_path):
    """The URL of a plane that asks this provider."""
    roles = "trainers:config_write,team:a:viewer,owners:admin"
    with serving_plane(asking(served, provider.url, tmp_path, roles), catalogues) as url:
        yield url


OPENED = []


@pytest.fixture(autouse=True)
def browsers():
    """Every browser of a test is closed at its end."""
    yield
    while OPENED:
        OPENED.pop().close()


def log_in(front, client=None):
    """Walk the way of a browser; returns it and its last answer before the start page."""
    browser = client or httpx.Client(base_url=front)
    OPENED.append(browser)
    begun = browser.get("/oidc/login")
    if begun.status_code != 303:
        return browser, begun
    back = httpx.get(begun.headers["location"])
    return browser, browser.get(back.headers["location"])


def me(browser):
    answer = browser.get("/v1/me")
    return answer.json() if answer.status_code == 200 else answer.status_code


def test_a_person_of_a_mapped_group_comes_in_with_its_role(front, provider, believing):
    """A new account gets the roles of its groups, at most those that the provider may bring."""
    provider.claims["groups"] = ["trainers", "owners", "team:a", "others"]
    browser, answer = log_in(front)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "setpoint_oidc=" in answer.headers["set-cookie"]
    seen = me(browser)
    assert (seen["account"], seen["roles"]) == ("olga", ["config_write", "viewer"])


def test_roles_follow_the_groups(front, provider, believing):
    """Who leaves the group loses the role at the next login, and who has none left is not let in."""
    log_in(front)
    provider.claims["groups"] = ["team:a"]
    browser, _ = log_in(front)
    assert me(browser)["roles"] == ["viewer"]
    provider.claims["groups"] = []
    assert log_in(front, browser)[1].status_code == 403
    browser, answer = log_in(front)
    assert (answer.status_code, me(browser)) == (403, 401)


def test_a_name_that_somebody_has_is_not_taken_over(front, provider, believing, settings):
    """Without a link the provider's ada is not our ada; once an admin linked her, she is, with our roles."""
    open_accounts(believing)
    provider.claims["preferred_username"] = "ada"
    browser, answer = log_in(front)
    assert answer.status_code == 403
    with as_owner(settings) as owner:
        owner.execute(
            "link_identity", name="bo", issuer=provider.url, subject=provider.claims["sub"], remote=""
        )
    browser, _ = log_in(front)
    assert (me(browser)["account"], me(browser)["roles"]) == ("bo", ["approver"])


def test_a_provider_that_the_database_does_not_believe_brings_nobody(front, provider):
    """Settings of a server do not suffice: the owner of the database says whom it believes."""
    browser, answer = log_in(front)
    assert (answer.status_code, me(browser)) == (403, 401)
    assert "setpoint accounts provider" in answer.text


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another-client"}, "aud"),
        ({"aud": [CLIENT_ID, "other"], "azp": "other"}, "another client"),
        ({"iss": "https://elsewhere.example"}, "iss"),
        ({"exp": 1}, "Expired"),
        ({"exp": None}, "exp"),
        ({"sub": None}, "sub"),
    ],
)
def test_a_token_that_says_something_else_is_refused(front, provider, believing, claims, said):
    """Wrong nonce, audience, issuer, time, or no subject: nobody comes in, and no claim is repeated."""
    provider.spoil = claims
    browser, answer = log_in(front)
    assert (answer.status_code, me(browser)) == (401, 401)
    assert said in answer.text
    assert "elsewhere.example" not in answer.text


def test_what_the_id_token_leaves_out_is_asked_apart(front, provider, believing):
    """Name and groups may be told with the access token; what is told of another subject is refused."""
    subject = provider.claims["sub"]
    provider.claims = {"sub": subject}
    provider.userinfo = {"sub": "another", "preferred_username": "olga", "groups": ["trainers"]}
    assert log_in(front)[1].status_code == 401
    provider.userinfo["sub"] = subject
    browser, _ = log_in(front)
    assert (me(browser)["account"], me(browser)["roles"]) == ("olga", ["config_write"])
    provider.claims |= {"email": "olga@example.org", "groups": []}  # what the token says holds
    assert log_in(front)[1].status_code == 403


@pytest.mark.parametrize(("skew_s", "status"), [(LEEWAY_S - 15, 303), (LEEWAY_S + 15, 401)])
def test_clocks_may_differ_a_little(front, provider, believing, skew_s, status):
    """A provider whose clock goes half a minute wrong is believed; one that goes further is not."""
    for claims in ({"iat": skew_s, "exp": 600}, {"iat": -600, "exp": -skew_s}):
        provider.spoil = {name: int(time.time()) + value for name, value in claims.items()}
        assert log_in(front)[1].status_code == status


def test_a_signature_must_be_the_providers(front, provider, believing):
    """`alg: none` and another key are refused; the provider's next key is found by itself."""
    provider.sign_none = True
    browser, answer = log_in(front)
    assert answer.status_code == 401
    provider.sign_none, provider.sign_with = False, RSAKey.generate_key(2048, {"kid": "one"})
    browser, answer = log_in(front)
    assert answer.status_code == 401
    provider.key, provider.sign_with = provider.sign_with, None
    browser, answer = log_in(front)
    assert (answer.status_code, me(browser)["account"]) == (303, "olga")


def test_a_login_is_finished_where_and_how_it_was_begun(front, provider, believing):
    """Another state, another browser, and a code that was used: 400 or 401, and nobody comes in."""
    with httpx.Client(base_url=front) as ada, httpx.Client(base_url=front) as mallory:
        back = httpx.get(ada.get("/oidc/login").headers["location"]).headers["location"]
        assert mallory.get(back).status_code == 400
        mallory.get("/oidc/login")
        assert mallory.get(back).status_code == 400
        cookie = ada.cookies["setpoint_oidc"]
        assert ada.get(back).status_code == 303
        assert ada.get(back).status_code == 400  # the browser has forgotten it
        replayed = httpx.get(back, headers={"Cookie": f"setpoint_oidc={cookie}"})
        assert replayed.status_code == 401
        assert "refused the code" in replayed.text
        assert (me(ada)["account"], me(mallory)) == ("olga", 401)
        garbage = httpx.get(f"{front}/oidc/callback", headers={"Cookie": "setpoint_oidc=%%%"})
        assert garbage.status_code == 400


def test_a_provider_that_is_down_stops_its_own_logins_alone(front, provider, believing):
    """503 with a way out; the form for a password is still there."""
    provider.broken = True
    _, answer = log_in(front)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text
    assert 'name="password"' in answer.text


def proven_age_s(owner_url):
    """Return how old the newest session's proof is; None for one that proved nothing."""
    with psycopg.connect(owner_url) as owner:
        (age,) = owner.execute(
            "SELECT extract(epoch FROM clock_timestamp() - proven_at)::float8"
            " FROM credentials WHERE kind = 'session' ORDER BY id DESC LIMIT 1"
        ).fetchone()
    return age


def walk(browser, path):
    """Go to the provider and back; returns the plane's answer."""
    away = browser.get(path)
    assert away.status_code == 303, away.text
    return browser.get(httpx.get(away.headers["location"]).headers["location"])


def test_a_proof_is_a_new_login_at_the_provider(front, provider, believing):
    """It is asked for with `prompt=login`, and counts from the `auth_time` that the id token tells."""
    browser, _ = log_in(front)
    assert proven_age_s(believing) is None, "a session at the provider proves nothing new"
    assert "prompt" not in provider.asked
    assert "/proof/oidc" in browser.get("/proof").text
    opened = browser.cookies["setpoint_session"]
    for spoil, said in (
        ({"auth_time": None}, "did not ask for you anew"),
        ({"auth_time": int(time.time()) - 3600}, "did not ask for you anew"),
        ({"sub": "somebody-else"}, "somebody else"),
    ):
        provider.spoil = spoil
        refused = walk(browser, "/proof/oidc")
        assert (refused.status_code in {401, 403}, said in refused.text) == (True, True), spoil
        assert proven_age_s(believing) is None
    provider.spoil = {}
    done = walk(browser, "/proof/oidc?next=/config")
    assert (done.status_code, done.headers["location"]) == (303, "/config")
    assert (provider.asked["prompt"], provider.asked["max_age"]) == ("login", "0")
    assert 0 <= proven_age_s(believing) < 60
    assert browser.cookies["setpoint_session"] == opened, "a proof opens no session"


def test_what_somebody_typed_is_kept_through_a_login_at_the_provider(front, provider, believing):
    """The form of a session that had ended stands there when they are back, whatever its length."""
    browser, _ = log_in(front)
    token = browser.get("/v1/me").json()["csrf_token"]
    with psycopg.connect(believing) as owner:
        owner.execute("UPDATE credentials SET revoked_at = clock_timestamp()")
    wait_for(lambda: me(browser), "the plane to hear of it", until=401)
    words = "typed with care " * 100
    late = browser.post("/changes/1/comment", data={"csrf_token": token, "words": words})
    ticket = re.search(r'href="(/oidc/login\?ticket=[^"]+)"', late.text)[1]
    kept = walk(browser, ticket)
    assert (kept.status_code, words.strip() in kept.text) == (200, True)
    assert me(browser)["account"] == "olga"
    provider.claims = {"sub": "another", "preferred_username": "pia", "groups": ["trainers"]}
    other = walk(browser, ticket)
    assert (other.status_code, words in other.text) == (403, False)


def test_without_a_provider_there_is_no_such_login(plane):
    """404, and no button."""
    assert httpx.get(f"{plane}/oidc/login").status_code == 404
    assert "/oidc/login" not in httpx.get(f"{plane}/login").text


@pytest.mark.parametrize("text", ["trainers", "trainers:king", ":viewer", "machines:robot"])
def test_a_mapping_that_is_none_is_refused_at_the_start(text):
    """A pair needs a group, and a role that people have."""
    with pytest.raises(UsageError, match="SETPOINT_OIDC_ROLES"):
        roles_by_group(text)


def test_a_provider_on_plain_http_is_refused(served):
    """Only this machine may be asked without https."""
    with pytest.raises(UsageError, match="https"):
        Provider(replace(served, oidc_issuer="http://login.example.com", oidc_client_id="x"))
