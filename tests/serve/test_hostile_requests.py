"""Requests that no client of ours sends: refused in the one shape, never a 5xx, nothing written."""

import socket
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from support.documents import EVERY_CHANGE

KEY = "CVN_HPO_XGB_5M_LEARNING_RATE"
EDIT = b'{"set": {"CVN_HPO_XGB_5M_LEARNING_RATE": %s}, "reason": "x"}'
JSON = {"Content-Type": "application/json"}
BODIES = {
    "empty": (b"", 422),
    "cut off": (b'{"set": {', 400),
    "no JSON": (b"set=1", 400),
    "no UTF-8": (b'{"reason": "\xff"}', 400),
    "UTF-16": ('{"reason": "x"}'.encode("utf-16"), 400),
    "a BOM": (b"\xef\xbb\xbf{}", 400),
    "a list": (b"[]", 422),
    "null": (b"null", 422),
    "a text": (b'"set"', 422),
    "a name twice": (b'{"reason": "x", "set": {}, "set": {"a": 1}}', 422),
    "a key twice": (b'{"reason": "x", "set": {"%b": 0.1, "%b": 0.2}}' % (KEY.encode(), KEY.encode()), 422),
    "NaN": (EDIT % b"NaN", 422),
    "infinity": (EDIT % b"-Infinity", 422),
    "a number beyond floats": (EDIT % b"1e999", 422),
    "a number below floats": (EDIT % b"1e-400", 422),
    "more digits than a float has": (EDIT % b"0.12345678901234567890", 422),
    "a huge integer": (EDIT % (b"9" * 400), 422),
    "an integer beyond reading": (EDIT % (b"9" * 5000), 400),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, 400),
    "deep objects": (b'{"a":' * 200 + b"1" + b"}" * 200, 422),
    "NUL": (b'{"reason": "a\\u0000b", "set": {}}', 422),
    "half a pair": (b'{"reason": "\\ud800", "set": {}}', 422),
    "a name with half a pair": (b'{"reason": "x", "set": {"\\udfff": 1}}', 422),
    "an unknown field": (b'{"reason": "x", "set": {}, "force": true}', 422),
    "wrong types": (b'{"reason": 5, "set": [], "remove": "x", "draft": 1}', 422),
    "no reason": (b'{"set": {}}', 422),
    "a blank reason": (b'{"set": {}, "reason": "\\n "}', 422),
    "a reason too long": (b'{"set": {}, "reason": "%b"}' % (b"x" * 2001), 422),
    "many unknown keys": (
        b'{"reason": "x", "set": {%b}}' % b",".join(b'"CVN_HPO_%d":1' % i for i in range(4999)),
        422,
    ),
    "a long value": (EDIT % (b'"' + b"x" * 1_000_000 + b'"'), 422),
    "many keys": (b'{"reason": "x", "set": {%b}}' % b",".join(b'"k%d":1' % i for i in range(5001)), 422),
}
PATHS = {
    "/v1/config/..%2f..%2fetc%2fpasswd": 404,
    "/v1/config/%2e%2e/%2e%2e": 404,
    "/v1/config/%00": 422,
    "/v1/config/a%00b/history": 422,
    "/v1/config/%ff%fe": 404,
    "/v1/config/%ED%A0%80": 404,
    "/v1/config/" + "x" * 201: 422,
    "/v1/config/" + "x" * 60_000: 422,
    "/v1/config/%F0%9F%92%A5": 404,
    "/v1/config/": 404,
    "/v1/config//": 404,
    "/v1//config/global": 404,
    "/v1/config/global/": 404,
    "/V1/config/global": 404,
    "/v1/config/global%20": 404,
    "/v1/config/global;x=1": 404,
    "/v1/config/' OR 1=1 --": 404,
    "/v1/catalogue/%00": 404,
    "/v1/explain/%00": 404,
    "/v1/revisions/%00": 422,
    "/v1/changes/1%00": 422,
    "/v1/history?search=%00": 422,
    "/v1/history?key=%00": 404,
    "/v1/history?scope=%ff&search=%f0%28": 200,
    "/v1/history?at=%00": 422,
    "/v1/changes?author=%00": 422,
    "/v1/obligations?incident=%00": 422,
    "/v1/scopes?limit=99999999999999999999": 422,
    "/v1/scopes?limit=1%00": 422,
    "/v1/scopes?after=%F0%9F%92%A5": 422,
    "/v1/scopes?" + "&".join(f"x{i}=1" for i in range(2000)): 422,
    "/v1/scopes?&&&==&": 422,
    "/v1/effective?symbol=%ED%A0%80": 200,
}


@pytest.fixture
def untouched(seeded):
    """Nothing was written by the end of the test."""
    before = seeded.fetch_one("read_chain_head"), seeded.fetch_all("list_changes", **EVERY_CHANGE)
    yield
    assert (seeded.fetch_one("read_chain_head"), seeded.fetch_all("list_changes", **EVERY_CHANGE)) == before


def is_problem(answer):
    """Hold that an error has the one shape, and says nothing of what was sent or of our source."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    told = answer.json()
    assert {"type", "title", "status", "detail", "code", "hint", "where", "request_id"} <= set(told)
    assert told["status"] == answer.status_code
    assert answer.headers["X-Request-ID"] == told["request_id"]
    assert "Traceback" not in answer.text
    assert "psycopg" not in answer.text


def test_a_body_that_means_nothing_is_refused(untouched, http_as):
    """Malformed JSON is 400, JSON that cannot be meant is 422."""
    for name, (body, status) in BODIES.items():
        answer = http_as("ada").patch("/v1/config/global", content=body, headers={**JSON, "If-Match": '"1"'})
        assert answer.status_code == status, (name, answer.text)
        assert len(answer.content) < 50_000, name
        is_problem(answer)


def test_an_address_that_means_nothing_is_refused(untouched, http_as):
    """Path tricks and query garbage end in 404 or 422."""
    for path, status in PATHS.items():
        answer = http_as("cy").get(path)
        assert answer.status_code == status, (path[:80], answer.text)
        if status != 200:
            is_problem(answer)


def test_a_number_that_nobody_wrote_so_is_refused(plane, http_as):
    """Paths and queries take plain digits: no other script, underscore, sign, blank or zero in front."""
    document = httpx.get(f"{plane}/openapi.json", timeout=60).json()
    shared = document["components"]["parameters"]
    numbers = [
        (path, parameter["name"], parameter["in"])
        for path, methods in document["paths"].items()
        for named in methods.get("get", {}).get("parameters", ())
        if (parameter := shared[named["$ref"].rpartition("/")[2]] if "$ref" in named else named)
        if "integer" in str(parameter["schema"]) and parameter["in"] in {"path", "query"}
    ]
    assert len(numbers) > 10
    for path, name, place in numbers:
        for text in ("1_0", "\u0663", "1\u0663", "%201", "%2B1", "01", "1.0", "-0", "1e1"):
            filled = path.replace(f"{{{name}}}", text) if place == "path" else f"{path}?{name}={text}"
            filled = filled.replace("{scope}", "global").replace("{id}", "1").replace("{revision}", "1")
            answer = http_as("dan").get(filled)
            assert answer.status_code in {400, 422}, (filled, answer.text)
            is_problem(answer)


def test_a_body_must_say_that_it_is_json(untouched, http_as):
    """Another Content-Type, or none, is 415; a charset or a +json type does no harm."""
    body, given = EDIT % b'"x"', {"If-Match": '"1"'}
    for media_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
        "json",
        "application/jsonx",
    ):
        answer = http_as("ada").patch(
            "/v1/config/global", content=body, headers={"Content-Type": media_type, **given}
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), media_type
        is_problem(answer)
    for media_type in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"):
        answer = http_as("ada").patch(
            "/v1/config/global", content=body, headers={"Content-Type": media_type, **given}
        )
        assert answer.status_code == 422, media_type


def test_a_body_that_is_too_large_is_refused(untouched, http_as):
    """Five MiB are 413 with their length declared, and in chunks without one."""
    big = b'{"reason": "' + b"x" * 5 * 1024 * 1024 + b'"}'

    for content in (big, iter([big[i : i + 65536] for i in range(0, len(big), 65536)])):
        try:
            answer = http_as("ada").patch(
                "/v1/config/global", content=content, headers={**JSON, "If-Match": '"1"'}
            )
        except (httpx.WriteError, httpx.ReadError):
            continue  # the plane hung up while it was still being sent to
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def test_a_method_that_is_not_taken_is_named_with_those_that_are(plane, http_as):
    """405 lists every method of the address in Allow."""
    for path, allowed in {
        "/v1/config/global": "DELETE, GET, HEAD, OPTIONS, PATCH",
        "/v1/changes": "GET, HEAD, OPTIONS, POST",
        "/v1/changes/1": "GET, HEAD, OPTIONS, PATCH",
        "/v1/policies/*/*": "OPTIONS, PUT",
        "/health/restore": "GET, HEAD, OPTIONS",
    }.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - set(allowed.split(", ")):
            answer = http_as("dan").request(method, path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, allowed), (method, path)
            is_problem(answer)


def test_headers_that_mean_nothing_do_no_harm(untouched, http_as):
    """Garbage in conditions, request ids, keys and credentials is refused or ignored."""
    for headers in (
        {"If-None-Match": '"' * 1000},
        {"X-Request-ID": "a b\tc"},
        {"X-Request-ID": "x" * 5000},
        {"Accept": "text/html"},
        {"Cookie": "setpoint_session=\xff; ;;=".encode("latin-1")},
    ):
        assert http_as("cy").get("/v1/config/global", headers=headers).status_code == 200, headers
    for credential in (b"Bearer \xff\xfe", b"Bearer", b"Basic eDp4", b"Bearer " + b"x" * 8000, b"\xc3\x28"):
        answer = http_as("cy").get("/v1/config/global", headers={b"Authorization": credential})
        assert answer.status_code == 401, credential[:20]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        is_problem(answer)


def test_half_a_request_blocks_nobody(plane, http_as, seeded):
    """Connections that send half a body or none at all stay open while others are answered."""
    address = urlsplit(plane)
    halves = (
        b"",
        b"PATCH /v1/config/global HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
        b"GET /v1",
        b"\x16\x03\x01\x02\x00",
    )
    sockets = [socket.create_connection((address.hostname, address.port)) for _ in range(8) for _ in halves]
    try:
        for index, opened in enumerate(sockets):
            opened.sendall(halves[index % len(halves)])
        assert http_as("cy").get("/v1/scopes").status_code == 200
    finally:
        for opened in sockets:
            opened.close()
    assert http_as("cy").get("/v1/scopes").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/login?once=%F0%9F%92%A5", {}, 303),
        ("GET", "/login?once=a%0D%0Ab", {}, 303),
        ("GET", "/oidc/callback", {"Cookie": "setpoint_oidc=" + "W1tb" * 15_000}, 400),
        ("POST", "/login", {"Origin": "http://["}, 403),
        ("POST", "/v1/sessions", {"Origin": "http://["}, 403),
        ("GET", "/login", {"Host": "["}, 200),
    ],
)
def test_what_no_browser_sends_to_the_pages_is_no_failure(plane, method, path, headers, status):
    """Names beyond a cookie's alphabet, a login begun nowhere, an origin that is no address."""
    answer = httpx.request(method, f"{plane}{path}", headers=headers)

    assert answer.status_code == status
    assert "setpoint_once" not in answer.headers.get("set-cookie", "")


def test_what_the_database_itself_says_is_not_told(http_as, owner_url):
    """One person for two accounts is a conflict; which table and constraint said so is our own affair."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("INSERT INTO identity_providers VALUES ('https://id.example', '{viewer}')")
    linked = [
        http_as("dan").put(
            f"/v1/accounts/{name}/identity", json={"issuer": "https://id.example", "subject": "somebody"}
        )
        for name in ("cy", "bo")
    ]

    assert [answer.status_code for answer in linked] == [204, 409]
    assert linked[1].json()["where"] == {}
    assert not any(word in linked[1].text for word in ("PostgreSQL", "constraint", "issuer", "somebody"))


def test_nobody_speaks_for_another_accounts_process(seeded, http_as):
    """Clients are listed for all to see; a report under such a name by another account changes nothing."""
    client = "c" * 32
    held, told = "1" * 64, "2" * 64
    for account, snapshot in (("robot", held), ("cy", told)):
        reported = http_as(account).put(f"/v1/holders/{client}", json={"snapshot": snapshot, "pid": 1})
        assert reported.status_code == 204
        listed = http_as("cy").get("/v1/holders").json()["items"]
        assert [(row["account"], row["snapshot"]) for row in listed] == [("robot", held)]
