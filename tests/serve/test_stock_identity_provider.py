"""Logging in through an OpenID provider that is not ours, by its own forms: npm's certified oidc-provider."""

import json
import os
import re
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx
import pytest

from setpoint.serve.access.appointments import as_owner
from support.identity_provider import CLIENT_ID, CLIENT_SECRET, asking
from support.npm import installed
from support.plane_process import free_port
from support.planes import serving_plane
from support.shifted_clock import make_clocks

pytestmark = pytest.mark.real

SOURCE = Path(__file__).parents[1] / "javascript" / "identity_provider"
OTHER = "another-client"
GROUPS = {"olga": ["trainers", "others"], "pia": ["team:a"], "nobody": []}


class Stock:
    """The provider's process; ``clock`` is its own."""

    def __init__(self, folder, clock):
        self.folder, self.clock, self.port, self.process = folder, clock, free_port(), None
        self.callback = ""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        known = [
            {"client_id": name, "client_secret": CLIENT_SECRET, "redirect_uris": [self.callback]}
            for name in (CLIENT_ID, OTHER)
        ]
        told = json.dumps({"port": self.port, "clients": known, "groups": GROUPS})
        self.process = subprocess.Popen(
            ["node", "serve_identities.mjs", told], cwd=self.folder, env=os.environ | self.clock.environ,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        while (line := self.process.stdout.readline()) and "serving" not in line:
            pass
        assert line, "the provider did not start"

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The provider, installed; and clocks for it."""
    folder = installed(SOURCE, tmp_path_factory.mktemp("provider"), "the stock identity provider")
    return folder, make_clocks(folder, "provider", "foreign")


@pytest.fixture
def stock(programs):
    """A provider of this test's own."""
    folder, clocks = programs
    providers = [Stock(folder, clock) for clock in clocks]
    yield providers
    for one in providers:
        one.stop()
        one.clock.set(0)


@pytest.fixture
def front(stock, served, settings, catalogues, tmp_path, owner_url):
    """A plane that asks the first provider, which may bring viewers and writers."""
    provider = stock[0]
    with as_owner(settings) as owner:
        owner.execute("believe_provider", issuer=provider.url, roles=["viewer", "config_write"])
    believed = asking(served, provider.url, tmp_path, "trainers:config_write,team:a:viewer")
    with serving_plane(believed, catalogues) as url:
        for one in stock:
            one.callback = f"{url}/oidc/callback"
        provider.start()
        yield url


@contextmanager
def browser_of(front):
    with httpx.Client(base_url=front) as browser:
        yield browser


def begin(browser):
    """Return where the plane sends this browser."""
    begun = browser.get("/oidc/login")
    assert begun.status_code == 303, begun.text
    return begun.headers["location"]


def vouch(there, address, person):
    """Log a person in with the provider's own forms, and consent; returns the address it sends back to."""
    for _ in range(10):
        answer = there.get(address)
        if answer.status_code == 200:  # a form of the provider's
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)[1]
            form = {"prompt": prompt} | ({"login": person, "password": "any"} if prompt == "login" else {})
            answer = there.post(address, data=form)
        address = urljoin(address, answer.headers["location"])
        if "/oidc/callback" in address:
            return address
    raise AssertionError(f"the provider leads nowhere: {address}")


def log_in(browser, person="olga", there=None):
    """Walk the whole way; returns the plane's last answer before the start page."""
    asked = begin(browser)
    if there is not None:
        return browser.get(vouch(there, asked, person))
    with httpx.Client() as fresh:
        return browser.get(vouch(fresh, asked, person))


def me(browser):
    answer = browser.get("/v1/me")
    return answer.json() if answer.status_code == 200 else answer.status_code


def changed(address, **more):
    """Return an address with parameters of its query replaced, or with None left out."""
    parts = urlsplit(address)
    query = {**dict(parse_qsl(parts.query)), **more}
    kept = urlencode({name: value for name, value in query.items() if value is not None})
    return parts._replace(query=kept).geturl()


def test_people_come_in_by_their_groups_and_go_again(front, stock):
    """Name and roles are the provider's, at most those the owner believes it; a logout ends ours alone."""
    with browser_of(front) as browser, httpx.Client() as there:
        answer = log_in(browser, there=there)
        assert (answer.status_code, answer.headers["location"]) == (303, "/"), answer.text
        seen = me(browser)
        assert (seen["account"], seen["roles"]) == ("olga", ["config_write"])
        session = browser.cookies["setpoint_session"]

        ended = browser.delete("/v1/sessions/current", headers={"X-CSRF-Token": seen["csrf_token"]})
        assert ended.status_code == 204, ended.text
        assert httpx.get(f"{front}/v1/me", cookies={"setpoint_session": session}).status_code == 401
        # The provider's own session lives on: it asks nothing again.
        assert log_in(browser, "somebody else", there=there).status_code == 303
        assert me(browser)["account"] == "olga"
    with browser_of(front) as browser:
        log_in(browser, "pia")
        assert (me(browser)["account"], me(browser)["roles"]) == ("pia", ["viewer"])
    with browser_of(front) as browser:
        assert log_in(browser, "nobody").status_code == 403


def test_what_the_provider_did_not_give_to_this_browser_counts_for_nothing(front, stock):
    """Another state, issuer, verifier, client or provider, a code twice, a refusal: nobody comes in."""
    foreign = stock[1]
    foreign.start()
    with browser_of(front) as browser, browser_of(front) as other, httpx.Client() as there:

        def state_of(address):
            return dict(parse_qsl(urlsplit(address).query))["state"]

        assert other.get(vouch(there, begin(browser), "olga")).status_code == 400  # begun elsewhere
        for wrong in ({"state": "another"}, {"state": None}):
            assert browser.get(changed(vouch(there, begin(browser), "olga"), **wrong)).status_code == 400
        good = vouch(there, begin(browser), "olga")  # the code needs the verifier of who asked
        assert other.get(changed(good, state=state_of(begin(other)))).status_code == 401
        back = vouch(there, begin(browser), "olga")
        assert browser.get(changed(back, iss=foreign.url)).status_code == 401
        asked = begin(browser).replace(stock[0].url, foreign.url)
        for claimed in (foreign.url, stock[0].url, None):
            back = vouch(there, changed(asked, state=state_of(begin(browser))), "olga")
            assert browser.get(changed(back, iss=claimed)).status_code == 401
        for wrong in ({"client_id": OTHER}, {"nonce": "another"}):
            assert browser.get(vouch(there, changed(begin(browser), **wrong), "olga")).status_code == 401
        plain = changed(begin(browser), code_challenge=None, code_challenge_method=None)
        assert browser.get(vouch(there, plain, "olga")).status_code in {401, 403}

        with httpx.Client() as fresh:
            form = fresh.get(begin(browser), follow_redirects=True)
            refusing = fresh.get(f"{form.url}/abort")
            back = fresh.get(refusing.headers["location"]).headers["location"]
            assert browser.get(back).status_code == 403
        good = vouch(there, begin(browser), "olga")
        assert browser.get(good).status_code == 303
        assert browser.get(good).status_code == 400  # a login is finished once
        assert me(other) == 401


def test_the_provider_may_change_its_keys_go_away_and_come_back(front, stock):
    """New keys are found; while it is away its own logins fail, and sessions and everything else live."""
    with browser_of(front) as browser:
        assert log_in(browser).status_code == 303
        stock[0].stop()
        with browser_of(front) as late:
            begun = late.get("/oidc/login")  # what the provider says of itself is known for an hour
            assert begun.status_code == 303
            state = dict(parse_qsl(urlsplit(begun.headers["location"]).query))["state"]
            assert late.get("/oidc/callback", params={"code": "any", "state": state}).status_code == 503
            assert late.get("/health/ready").status_code == 200
        assert me(browser)["account"] == "olga"
        stock[0].start()
        with browser_of(front) as again:
            assert log_in(again).status_code == 303


@pytest.mark.parametrize(("hours_before", "hours_then"), [(1.5, 1.5), (0, -1.5)])
def test_a_token_of_another_time_is_refused(front, stock, hours_before, hours_then):
    """The provider's clock is far from ours when it signs: what it signs is not yet made, or over."""
    stock[0].clock.set(hours_before)
    with browser_of(front) as browser, httpx.Client() as there:
        back = vouch(there, begin(browser), "olga")
        stock[0].clock.set(hours_then)
        answer = browser.get(back)
        assert (answer.status_code, me(browser)) == (401, 401)
        assert "compare clocks" in answer.text


def test_a_provider_with_another_name_is_refused(stock, served, catalogues):
    """The issuer is compared as it is written: another name of the same machine is another provider."""
    provider = stock[0]
    provider.callback = "http://127.0.0.1:1/oidc/callback"
    provider.start()
    named = replace(
        served, oidc_issuer=provider.url.replace("127.0.0.1", "localhost"), oidc_client_id=CLIENT_ID
    )
    with serving_plane(named, catalogues) as url:
        answer = httpx.get(f"{url}/oidc/login")
        assert answer.status_code == 503
        assert "calls itself" in answer.text
