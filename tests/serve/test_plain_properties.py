"""Hot routes, pages and logins asked for anything at all: never a 5xx, every refusal in its address's shape.

The typed API is asked from its document next door; these addresses answer in shapes of their own, and a
stream does not end, so it is asked only by who is refused. ``SETPOINT_API_EXAMPLES`` asks for a deeper run.
"""

import json
import os
import string
from collections import Counter
from dataclasses import replace
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.planes import credential, open_accounts, serving_plane

EXAMPLES = int(os.environ.get("SETPOINT_API_EXAMPLES", "12"))
KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
HASH = "0" * 64
ADDRESSES = [
    ("GET", "/v1/snapshot"),
    ("POST", "/v1/snapshots"),
    ("GET", "/v1/snapshots/{}"),
    ("POST", "/v1/snapshot-sets"),
    ("GET", "/v1/stream"),
    ("GET", "/v1/holders"),
    ("PUT", "/v1/holders/{}"),
    ("POST", "/ofrep/v1/evaluate/flags"),
    ("POST", "/ofrep/v1/evaluate/flags/{}"),
    ("GET", "/ofrep/v1/{}"),
    ("GET", "/openfeature/v0/manifest"),
    ("GET", "/openapi.json"),
    ("POST", "/v1/sessions"),
    ("DELETE", "/v1/sessions/current"),
    *((method, path) for path in ("/login", "/logout", "/password") for method in ("GET", "POST")),
    ("GET", "/"),
    ("GET", "/oidc/login"),
    ("GET", "/oidc/callback"),
]
#: What may be sent in a header's value: httpx and the server refuse control characters themselves.
FIELD = st.text(string.printable[:95] + "\xa0\xff", max_size=60)
WORDS = st.one_of(
    st.text(max_size=20),
    st.text("\x00\ud800\u202e💥\r\n", max_size=4),
    st.sampled_from(["BTCUSDC", "demo", "global", KEY, HASH, "a" * 32, "1", "-1", "9" * 25, "x" * 300]),
)
NAMES = st.one_of(
    st.sampled_from(
        [
            *(
                "symbol",
                "profile",
                "at_least",
                "limit",
                "after",
                "snapshot",
                "stream_token",
                "context",
                "contexts",
            ),
            *("flagConfigEtag", "once", "account", "password", "csrf_token", "use_once", "host", "pid"),
            *("run", "new", "again", "current", "code", "state", "error", "revision", "contexts"),
        ]
    ),
    WORDS,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("If-None-Match", "Setpoint-Client", "Last-Event-ID", "X-Request-ID", "X-CSRF-Token", "Origin"),
            *("Sec-Fetch-Site", "Idempotency-Key", "Accept", "Cookie", "X-Forwarded-For", "Host", "Range"),
        ]
    ),
    st.one_of(
        FIELD,
        st.sampled_from([f"{'a' * 32}; host=h; pid=1; run=", "*", '"x", W/"y"', "[", "http://[", "plane:x"]),
    ),
    max_size=4,
)


def quoted(text):
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@st.composite
def bodies(draw):
    """Return a content type and bytes: JSON, a form, or neither."""
    kind = draw(st.sampled_from(["json", "form", "bytes", "nothing"]))
    if kind == "json":
        return "application/json", json.dumps(draw(JSON)).encode()
    if kind == "form":
        fields = draw(st.dictionaries(NAMES, WORDS, max_size=4))
        pairs = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in fields.items())
        return "application/x-www-form-urlencoded", pairs.encode()
    said = draw(st.sampled_from(["application/json", "text/plain", "application/x-www-form-urlencoded"]))
    return said, draw(st.binary(max_size=60)) if kind == "bytes" else b""


@pytest.fixture
def open_handed(seeded, served, catalogues, owner_url):
    """The URL of a plane that counts no requests, with global seeded."""
    open_accounts(owner_url)
    unlimited = replace(served, rate_per_credential_s=0.0, rate_per_address_s=0.0)
    with serving_plane(unlimited, catalogues) as url:
        yield url


def is_in_shape(path, answer):
    """True for a refusal as its address gives it."""
    media_type = answer.headers["content-type"].partition(";")[0]
    if path.startswith("/ofrep/"):
        told = answer.json()
        return media_type == "application/json" and {"errorCode", "errorDetails"} <= told.keys()
    if path.startswith("/openfeature/"):
        return media_type == "application/json" and answer.json()["error"]["status"] == answer.status_code
    if media_type == "text/html":
        return not path.startswith("/v1/") and "</html>" in answer.text
    told = answer.json()
    return (
        media_type == "application/problem+json"
        and (told["status"], told["request_id"]) == (answer.status_code, answer.headers["x-request-id"])
        and {"type", "title", "detail", "code", "hint", "where"} <= told.keys()
    )


def ask(client, secrets, answered, method, path):
    """Ask one address for anything; ``answered`` counts what came of it."""
    callers = [None, "bad", "stranger"] if path == "/v1/stream" else [None, "bad", *secrets]

    @settings(
        max_examples=3 * EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        caller=st.sampled_from(callers),
        named=WORDS,
        query=st.lists(st.tuples(NAMES, WORDS), max_size=3),
        headers=HEADERS,
        body=bodies(),
    )
    def one(caller, named, query, headers, body):
        sent = {name: value.strip().encode("latin-1") for name, value in headers.items()}
        if caller:
            sent["Authorization"] = f"Bearer {secrets.get(caller, 'spt_bad')}".encode()
        target = path.replace("{}", quoted(named) or "x")
        if query:
            target += "?" + "&".join(f"{quoted(name)}={quoted(value)}" for name, value in query)
        if method != "GET":
            sent["Content-Type"] = body[0].encode()
        client.cookies.clear()
        answer = client.request(method, target, headers=sent, content=b"" if method == "GET" else body[1])
        answered[f"{method} {path}", answer.status_code] += 1
        assert answer.status_code < 500, (method, target, sent, body, answer.text)
        assert "x-request-id" in answer.headers
        if answer.status_code >= 400:
            assert is_in_shape(path, answer), (method, target, sent, body, answer.headers, answer.text)

    one()


# The deeper run takes as long as it was asked to.
@pytest.mark.timeout(600 if EXAMPLES <= 40 else 3600)
@pytest.mark.parametrize(("method", "path"), ADDRESSES, ids=[" ".join(pair) for pair in ADDRESSES])
def test_a_plain_address_answers_whatever_it_is_asked(open_handed, owner_url, method, path):
    """No answer is a 5xx, and each refusal has the one shape of its address."""
    answered = Counter()
    secrets = {account: credential(owner_url, account) for account in ("stranger", "cy", "robot", "dan")}
    with httpx.Client(base_url=open_handed, timeout=60) as client:
        ask(client, secrets, answered, method, path)

    assert sum(answered.values()) >= EXAMPLES
