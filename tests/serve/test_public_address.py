"""A plane behind a proxy: every address that it gives is one that the outside can use."""

import json
import re
import socket
from contextlib import closing
from dataclasses import replace

import httpx
import pytest

from setpoint.errors import UsageError
from setpoint.serve.access.rules import SECURE_COOKIE, SECURE_PATH_COOKIE
from setpoint.serve.app import build_api
from setpoint.serve.public_address import OWN, Entrance, public_address, trusted_networks
from setpoint.serve.server import open_plane
from setpoint.settings import Settings
from support.console_pages import PAGES, PUBLIC_PAGES, READ, address_of
from support.identity_provider import CLIENT_ID, serving_identities
from support.openapi import document_of, filled
from support.planes import clients, credential, serving_plane, set_password

PUBLIC = "https://plane.example/base"
PASSWORD = "a long enough password"
STREAMS = {"/v1/stream"}
#: A value of an attribute, or of a style, that is an address of this host.
IN_MARKUP = re.compile(r"""(?:\s[\w-]+=|url\()["']?(/[^"'\s)>]*)""")
MANY = 70
TWO_HOPS = 'for=6.6.6.6;proto=x, FOR="8.8.8.8:1";proto=https ,for=10.1.1.1;proto=http'


@pytest.fixture
def below(seeded, served, catalogues, owner_url):
    """A plane whose public address has a path, its identity provider, and ``as_`` for clients of it."""
    with serving_identities() as provider:
        settings = replace(
            served, public_url=f"{PUBLIC}/", oidc_issuer=provider.url, oidc_client_id=CLIENT_ID
        )
        with serving_plane(settings, catalogues) as url, clients(url, owner_url) as as_:
            yield url, as_


def texts(part):
    """Every text of a JSON value; names of members are no addresses."""
    if isinstance(part, str):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from texts(inner)


def addresses(answer):
    """Every address in an answer: in its headers, the attributes of its markup, the texts of its JSON."""
    yield from (value for name, value in answer.headers.items() if name in {"location", "link"})
    for line in answer.headers.get_list("set-cookie"):
        yield re.search(r"[Pp]ath=([^;]*)", line)[1]
    kind = answer.headers.get("content-type", "")
    if "json" in kind:
        yield from (text for text in texts(answer.json()) if re.fullmatch(r"https?://\S+|/\S*", text))
    elif "html" in kind or "css" in kind:
        yield from IN_MARKUP.findall(answer.text)


def ignoring(answer, inner):
    """The addresses of an answer that lead past the public one, and what tells of the inner one."""
    found = [one for one in addresses(answer) if one.startswith("/") and not f"{one}/".startswith("/base/")]
    return found + [one for one in [str(answer.headers), answer.text] if inner.removeprefix("http://") in one]


def test_every_address_in_every_answer_is_below_the_public_one(below, owner_url):
    """Over every operation and every page, by token, cookie and nothing: answers, problems, redirects."""
    url, as_ = below
    as_("dan")
    document = document_of(url)
    token = {"X-API-Key": credential(owner_url, "dan", "token")}
    cookie = {"Cookie": f"{SECURE_PATH_COOKIE}={credential(owner_url, 'dan')}"}
    assert document["servers"][0]["url"] == PUBLIC
    operations = [(path, method, item) for path, item in document["paths"].items() for method in item]
    assert len(operations) > MANY
    read = []
    with httpx.Client(base_url=url) as client:
        for path, method, item in operations:
            for proof in (token, cookie, {}):
                if path in STREAMS and proof:
                    continue
                answer = client.request(method, filled(path, item), headers=proof)
                read += [path] * (answer.status_code == 200)
                assert not ignoring(answer, url), (method, path)
        cookie = {"Cookie": f"{SECURE_PATH_COOKIE}={credential(owner_url, 'dan')}"}  # the other was ended
        for page in [*READ, *(page for page in PUBLIC_PAGES if "GET" in page.methods)]:
            for proof in (cookie, {}):
                answer = client.get(address_of(page), headers=proof)
                read += [page.path] * (answer.status_code == 200)
                assert not ignoring(answer, url), page.path
    assert {"/", "/login", "/password", "/changes", "/v1/verify"} <= set(read)


def test_what_is_made_is_found_where_the_plane_says(below):
    """The Location of what was made leads to it, with the path as outside and without as inside."""
    url, as_ = below
    dan, ada = as_("dan"), as_("ada")
    values = {"CVN_HPO_XGB_5M_GAMMA": 0.5}
    base = dan.get("/v1/config/global").json()["revision"]
    change = {"scope": "global", "base": base, "set": values, "reason": "a test", "draft": True}
    made = [
        dan.post("/v1/accounts", json={"name": "zoe", "roles": ["viewer"]}),
        ada.post("/v1/changes", json=change),
        ada.post("/v1/snapshots", json={"context": {}}),
    ]
    for answer in made:
        place = answer.headers["location"]
        assert place.startswith("/base/v1/"), answer.text
        for address in (place, place.removeprefix("/base")):
            assert dan.get(address).status_code == 200, address
    kept = ada.post("/v1/changes", json=change, headers={"Idempotency-Key": "once"})
    again = ada.post("/v1/changes", json=change, headers={"Idempotency-Key": "once"})
    assert again.headers["idempotency-replayed"]
    assert again.headers["location"] == kept.headers["location"]
    assert again.headers["location"].startswith("/base/")
    flags = ada.post("/ofrep/v1/evaluate/flags", json={"context": {}}).json()
    place = flags["eventStreams"][0]["endpoint"]["requestUri"]
    assert place.startswith("/base/v1/stream?")
    with httpx.stream("GET", f"{url}{place}", timeout=60) as stream:
        assert stream.status_code == 200
    with httpx.Client(base_url=url) as client:
        broken = client.get("/v1/nothing").json()["type"]
        assert client.get(broken).status_code == 200


def test_a_browser_logs_in_below_the_path_with_a_cookie_of_that_path_alone(below, owner_url):
    """The form, the redirects, the cookie and the way to the provider and back are the public address's."""
    url, as_ = below
    as_("ada")
    set_password(owner_url, "ada", PASSWORD)
    own = {"Origin": "https://plane.example"}
    with httpx.Client(base_url=url) as browser:
        form = {"account": "ada", "password": PASSWORD}
        assert browser.post("/base/login", data=form, headers={"Origin": url}).status_code == 403
        done = browser.post("/base/login", data=form, headers=own)
        assert (done.status_code, done.headers["location"]) == (303, "/base/")
        cookie = next(line for line in done.headers.get_list("set-cookie") if SECURE_PATH_COOKIE in line)
        assert {"Path=/base", "Secure", "HttpOnly"} <= set(cookie.split("; "))
        secret = cookie.partition("=")[2].partition(";")[0]
        me = httpx.get(f"{url}/base/v1/me", headers={"Cookie": f"{SECURE_PATH_COOKIE}={secret}"})
        assert me.json()["account"] == "ada"
        planted = httpx.get(f"{url}/base/v1/me", headers={"Cookie": f"{SECURE_COOKIE}={secret}"})
        assert planted.status_code == 401
        begun = browser.get("/base/oidc/login")
        query = httpx.URL(begun.headers["location"]).params
        assert query["redirect_uri"] == f"{PUBLIC}/oidc/callback"
        assert "Path=/base" in begun.headers["set-cookie"]


def test_what_is_no_request_is_a_problem_below_the_path_too(below):
    """The refusal that the server writes before a route is known."""
    url, _ = below
    port = httpx.URL(url).port
    with closing(socket.create_connection(("127.0.0.1", port), timeout=60)) as line:
        line.sendall(b"nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: line.recv(4096), b"")).partition(b"\r\n\r\n")[2]
    assert json.loads(answer)["type"] == "/base/problems/malformed_request"


def test_no_public_path_is_one_of_the_planes_own(settings):
    """What routes begin with is refused, so that a path that a proxy handed on is known for one."""
    api = build_api(open_plane(settings))
    paths = {*api.openapi()["paths"], *(page.path for page in [*PAGES, *PUBLIC_PAGES])}
    first = {path.split("/")[1] for path in paths} - {""}
    assert first == OWN
    for name in first:
        with pytest.raises(UsageError):
            public_address(f"https://plane.example/{name}/x")


@pytest.mark.parametrize(
    "url",
    ["plane.example", "ftp://plane.example", "https://plane.example/?x=1", "https://u:p@plane.example",
     "https://plane.example/a//b", "https://plane.example/a b", "https://PLANE.example", "https://"],
)  # fmt: skip
def test_what_is_no_public_address_is_refused(url):
    """Before anything is served."""
    with pytest.raises(UsageError, match="SETPOINT_PUBLIC_URL"):
        public_address(url)


@pytest.mark.parametrize("option", ["--trusted-proxy", "--public-url"])
def test_nonsense_is_refused_at_start(setpoint_command, option):
    """With exit code 2 and the option's name, before a port is taken."""
    done = setpoint_command("serve", option, "nonsense", "--port", "0")
    assert done.code == 2
    assert "nonsense" in done.err


PROXIES = Settings(home=None, trusted_proxy="10.0.0.1, 10.1.0.0/16, fd00::/8")


def entered(settings, peer, **headers):
    """What a request is, once it came through the entrance."""
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    given.setdefault(b"host", b"127.0.0.1:8455")
    scope = {"scheme": "http", "client": (peer, 5), "path": "/login", "root_path": "", "headers": []}
    Entrance(settings).enter(scope, given)
    return scope["client"][0], scope["scheme"], given[b"host"].decode(), scope["path"]


HERE = ("http", "127.0.0.1:8455", "/login")


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("9.9.9.9", {"x_forwarded_for": "8.8.8.8", "x_forwarded_proto": "https"}, ("9.9.9.9", *HERE)),
        ("9.9.9.9", {"forwarded": "for=8.8.8.8;proto=https;host=evil.example"}, ("9.9.9.9", *HERE)),
        ("10.0.0.1", {}, ("10.0.0.1", *HERE)),
        ("10.0.0.1", {"x_forwarded_for": "8.8.8.8"}, ("8.8.8.8", *HERE)),
        ("::ffff:10.0.0.1", {"x_forwarded_for": "8.8.8.8"}, ("8.8.8.8", *HERE)),
        ("fd00::7", {"x_forwarded_for": "2001:db8::1"}, ("2001:db8::1", *HERE)),
        ("10.0.0.1", {"x_forwarded_for": "6.6.6.6, 8.8.8.8, 10.1.2.3"}, ("8.8.8.8", *HERE)),
        ("10.0.0.1", {"x_forwarded_for": "6.6.6.6, nonsense"}, ("10.0.0.1", *HERE)),
        ("10.0.0.1", {"x_forwarded_proto": "https", "x_forwarded_host": "a.example"},
         ("10.0.0.1", "https", "a.example", "/login")),
        ("10.0.0.1", {"forwarded": 'for="[2001:db8::1]:4711";proto=https;host="a.example:81"'},
         ("2001:db8::1", "https", "a.example:81", "/login")),
        ("10.0.0.1", {"forwarded": TWO_HOPS}, ("8.8.8.8", *HERE)),
        ("10.0.0.1", {"forwarded": "for=unknown, for=_hidden"}, ("10.0.0.1", *HERE)),
        ("10.0.0.1", {"forwarded": "for=8.8.8.8", "x_forwarded_for": "8.8.8.8"}, ("8.8.8.8", *HERE)),
    ],
)  # fmt: skip
def test_forwarded_headers_count_from_a_trusted_proxy_alone(peer, headers, expected):
    """The client is the last address of the chain that is no trusted proxy's."""
    assert entered(PROXIES, peer, **headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"forwarded": "for=6.6.6.6", "x_forwarded_for": "8.8.8.8"},
        {"forwarded": "for=8.8.8.8;proto=http", "x_forwarded_proto": "https"},
        {"forwarded": "for"},
        {"forwarded": 'for="8.8.8.8'},
        {"forwarded": " " * 60_000 + "for"},
        {"x_forwarded_proto": "gopher"},
        {"x_forwarded_host": "a.example/evil"},
        {"forwarded": 'host="a.example@evil"'},
    ],
)
def test_headers_that_contradict_or_cannot_be_read_are_refused(headers):
    """One of two that differ was sent by the client; which, nobody knows."""
    with pytest.raises(UsageError):
        entered(PROXIES, "10.0.0.1", **headers)


def test_the_public_address_rules_over_what_proxies_say():
    """Scheme and host come from the setting; only the client's address is taken from the proxy."""
    told = {"x_forwarded_host": "evil.example", "x_forwarded_proto": "http", "x_forwarded_for": "8.8.8.8"}
    ruled = replace(PROXIES, public_url="https://plane.example/base")
    assert entered(ruled, "10.0.0.1", **told) == ("8.8.8.8", "https", "plane.example", "/login")


@pytest.mark.parametrize("setting", ["nonsense", "*", "10.0.0.1/8", "10.0.0.300", "proxy.example"])
def test_what_is_no_address_of_a_proxy_is_refused(setting):
    """It would be a name that no peer ever has, or everybody."""
    with pytest.raises(UsageError):
        trusted_networks(setting)
